"""Sequences that are taken apart or put together in places known beforehand: their elements are parts of a tensor."""

from __future__ import annotations

import numpy as np

from ...ir import Op, Value
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example
from ._shapes import axis_of, known_shape
from ._slices import END, make_slice


@rule(
    P.SequenceAt(P.SplitToSequence("x", P.opt(P.const("sizes"))).as_("split").shared(), P.const("place")),
    example=example(
        "(float[4,6] x) => (float[4,2] y, float[4,2] z) <int64 size = {2}, int64 one = {1}, int64 last = {-1}> "
        "{ s = SplitToSequence<axis = 1>(x, size) a = SequenceAt(s, one) b = SequenceAt(s, last) "
        "y = Neg(a) z = Neg(b) }"
    ),
)
def part(rw: Rewriter, x: Value, split: Op, sizes: Value | None, place: Value) -> Value:
    """SequenceAt(SplitToSequence(x, sizes), i) -> Slice(x), or Gather(x, i) of single elements without their axis

    Applies to constant sizes and places; a place that counts from the end needs a known number of parts. Where the
    sequence has no such element, the model did not run before. Exact.
    """
    axis, index = axis_of(split, x), int(rw.array(place).reshape(-1)[0])
    if sizes is None and not rw.attr(split, "keepdims"):
        made: Value = rw.Gather(x, rw.const(np.int64(index), name="index"), axis=axis)
        return made
    start, end = _bounds(rw, known_shape(x)[axis], sizes, index)
    return make_slice(rw, x, {axis: (start, end, 1)})


def _bounds(rw: Rewriter, size: object, sizes: Value | None, index: int) -> tuple[int, int]:
    """Where the part at `index` starts and ends; its end may lie beyond the dim, as that of a Slice may."""
    if sizes is not None and rw.array(sizes).ndim:
        listed = [int(n) for n in rw.array(sizes)]
        if not -len(listed) <= index < len(listed) or min(listed) < 0:
            raise RejectError("the place lies outside of the sequence")
        start = sum(listed[: index % len(listed)])
        return start, start + listed[index % len(listed)]
    step = 1 if sizes is None else int(rw.array(sizes))
    if step <= 0:
        raise RejectError("parts have no elements")
    if isinstance(size, int):
        count = -(-size // step)
        if not -count <= index < count:
            raise RejectError("the place lies outside of the sequence")
        index %= count
        return index * step, min(index * step + step, size)
    if index == -1 and step == 1:
        return -1, END
    if index < 0:
        raise RejectError("how many parts there are is not known")
    return index * step, index * step + step


@rule(
    P.ConcatFromSequence(P.SequenceConstruct(P.each("xs")), new_axis=0).as_("concat"),
    example=example(
        "(float[2] x, float[3] z) => (float[M] y) "
        "{ s = SequenceConstruct(x, z) a = ConcatFromSequence<axis = 0>(s) y = Neg(a) }"
    ),
)
def concat(rw: Rewriter, xs: tuple[Value | None, ...], concat: Op) -> Value:
    """ConcatFromSequence(SequenceConstruct(x, y)) -> Concat(x, y)

    Exact.
    """
    if any(x is None for x in xs):
        raise RejectError("an operand is omitted")
    made: Value = rw.Concat(*xs, axis=rw.attr(concat, "axis"))
    return made


@rule(
    P.SequenceInsert(P.SequenceConstruct(P.each("xs")), "x", P.opt(P.const("place"))),
    example=example(
        "(float[2] x, float[2] z) => (float[2] y) <int64 one = {1}, int64 zero = {0}> "
        "{ s = SequenceConstruct(x, z) t = SequenceInsert(s, x, one) a = SequenceAt(t, zero) y = Neg(a) }"
    ),
)
def insert(rw: Rewriter, xs: tuple[Value | None, ...], x: Value, place: Value | None) -> Value:
    """SequenceInsert(SequenceConstruct(a, b), x) -> SequenceConstruct(a, b, x)

    Applies to a constant place, or none. Exact.
    """
    index = len(xs) if place is None else int(rw.array(place).reshape(-1)[0])
    if not -len(xs) <= index <= len(xs):
        raise RejectError("the place lies outside of the sequence")
    elements = list(xs)
    elements.insert(index, x)
    made: Value = rw.SequenceConstruct(*elements)
    return made


@rule(
    P.SequenceInsert("sequence", "x"),
    example=example(
        "(float[2] x) => (float[2] y) <int64 zero = {0}> "
        "{ e = SequenceEmpty() s = SequenceInsert(e, x) a = SequenceAt(s, zero) y = Neg(a) }"
    ),
)
def first(rw: Rewriter, sequence: Value, x: Value) -> Value:
    """SequenceInsert(SequenceEmpty(), x) -> SequenceConstruct(x)

    Exact: both hold elements of the type of x.
    """
    op = sequence.producer
    if op is None or op.op_type != "SequenceEmpty" or op.domain:
        raise RejectError("the sequence may have elements")
    made: Value = rw.SequenceConstruct(x)
    return made
