"""Pads of Pads, and Pads that put back what a Slice took away."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...ir import Op, Value
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example
from ._shapes import counted, known_shape
from ._slices import sliced


@rule(
    P.Pad(P.Pad("x", P.const(), ...).as_("inner"), P.const(), ...).as_("outer"),
    example=example(
        "(float[N,3] x) => (float[N,8] y) <int64[4] p = {0, 1, 0, 2}, int64[4] q = {0, 0, 0, 2}> "
        "{ a = Pad(x, p) y = Pad(a, q) }"
    ),
)
def merge(rw: Rewriter, outer: Op, inner: Op, x: Value) -> Value:
    """Pad(Pad(x, p), q) -> Pad(x, p + q)

    Applies to the same mode, constant (with one and the same value) or edge, if neither crops. Exact.
    """
    mode = rw.attr(outer, "mode")
    if rw.attr(inner, "mode") != mode or mode not in ("constant", "edge"):
        raise RejectError("the modes differ, or do not add up")
    if mode == "constant" and _value(inner) != _value(outer):
        raise RejectError("the values differ")
    first, second = pads_of(inner, x), pads_of(outer, x)
    if min(*first, *second) < 0:
        raise RejectError("one of them crops")
    pads = [a + b for a, b in zip(first, second)]
    value = (*ops.operands(outer), None, None)[2]
    found: Value = rw.Pad(x, pads, value, mode=mode, name=outer.name)
    return found


@rule(
    P.Pad(P.Slice("x", P.const(), P.const(), ...).as_("slice"), P.const(), ..., mode="constant").as_("pad"),
    example=example(
        "(float[N,5] x) => (float[N,5] y) <int64[1] one = {1}, int64[1] end = {9}, int64[4] p = {0, 0, 0, 1}> "
        "{ a = Slice(x, one, end, one) y = Pad(a, p) }"
    ),
)
def of_slice(rw: Rewriter, pad: Op, slice: Op, x: Value) -> Value:
    """Pad(Slice(x, begin, end), pads) -> Pad(x, [pads at the front - begin, pads at the back + end - n])

    Applies to constants around axes of known size that are sliced by steps of 1: by the operator's clause negative pads
    take away. No axis may be cut and filled at one end. Exact.
    """
    shape = known_shape(x)
    pads = list(pads_of(pad, x))
    for axis, (start, end, step) in sliced(slice, x).items():
        size, rank = shape[axis], len(shape)
        if not isinstance(size, int) or step != 1 or start >= end:
            raise RejectError("the size is not known, or elements are left out")
        if (start and pads[axis]) or (end < size and pads[axis + rank]):
            raise RejectError("it fills what was cut off")
        pads[axis] -= start
        pads[axis + rank] -= size - end
    value = (*ops.operands(pad), None, None)[2]
    found: Value = rw.Pad(x, pads, value, mode="constant", name=pad.name)
    return found


def pads_of(pad: Op, x: Value) -> tuple[int, ...]:
    """The pads of all axes, all begins and then all ends.

    Raises:
        RejectError: they are not constant.
    """
    rank = len(known_shape(x))
    pads, axes = ops.ints(pad, "pads"), ops.ints(pad, "axes")
    if axes is None and ops.has_operand(pad, "axes"):
        raise RejectError("the axes are not constant")
    if pads is None or len(pads) != 2 * (rank if axes is None else len(axes)):
        raise RejectError("the pads are not constant")
    found = [0] * (2 * rank)
    if axes is not None:
        counted(axes, rank)
    for k, axis in enumerate(range(rank) if axes is None else axes):
        found[axis % rank] = pads[k]
        found[axis % rank + rank] = pads[k + len(pads) // 2]
    return tuple(found)


def _value(pad: Op) -> bytes | None:
    """The bits of the number that a Pad fills with; absent, it is zero.

    Raises:
        RejectError: it is not constant.
    """
    value = (*ops.operands(pad), None, None)[2]
    if value is None:
        return b""
    if value.const is None or value.const.size != 1:
        raise RejectError("the value is not constant")
    bits = bytes(value.const.raw())
    return bits if np.any(np.frombuffer(bits, np.uint8)) else b""
