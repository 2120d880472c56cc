"""A Transpose between two Reshapes, or between what takes a single element of an axis and what drops the axis."""

from __future__ import annotations

import numpy as np

from ...ir import Op, Shape, Value
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example
from ._orders.perms import perm_of
from ._orders.shapes import aligned
from ._shapes import RESHAPES, axis_of, infers, is_squeeze, known_shape, reshaped
from ._slices import indices_of, only_axis

_RESHAPES = P.op(*RESHAPES)


@rule(
    _RESHAPES(P.Transpose(_RESHAPES("x", ...).as_("inner")).as_("transpose"), ...).as_("outer"),
    example=example(
        "(float[N,3,4,5] x) => (float[N,3,5,4] y) <int64[3] flat = {-1, 4, 5}, int64[4] wide = {-1, 3, 5, 4}> "
        "{ a = Reshape(x, flat) t = Transpose<perm = [0, 2, 1]>(a) y = Reshape(t, wide) }"
    ),
)
def between(rw: Rewriter, outer: Op, transpose: Op, inner: Op, x: Value) -> Value:
    """Reshape(Transpose(Reshape(x))) -> Transpose(x), Reshape(Transpose(x)), or Transpose(Reshape(x))

    Applies if the first Reshape parts no axis, so that the Transpose can move the pieces before they are merged, or the
    second one merges none; dims of 1 come and go as they like. Where the Transpose moves nothing but dims of 1 it goes.
    Exact.
    """
    before, middle, after = known_shape(x), known_shape(inner.result), known_shape(outer.result)
    perm = perm_of(transpose)
    if perm is None or 0 in (*before, *middle, *after):
        raise RejectError("the permutation is not known, or there are no elements")
    may_infer = infers(outer) or infers(inner)
    turned = tuple(middle[p] for p in perm)
    pieces = _pieces(middle, before)
    if pieces is not None:
        order = _with_ones([a for p in perm for a in pieces[p]], before, after)
        held = x if order == sorted(order) else rw.Transpose(x, perm=order, name=transpose.name)
        return reshaped(rw, held, after, may_infer)
    pieces = _pieces(turned, after)
    if pieces is None:
        raise RejectError("the first Reshape parts axes, and the second one merges some")
    whole = [a for p in np.argsort(perm) for a in pieces[p]]
    order = [a for a in range(len(after)) if a not in whole] + whole
    held = reshaped(rw, x, tuple(after[a] for a in order), may_infer)
    back = [order.index(a) for a in range(len(after))]
    found: Value = held if back == sorted(back) else rw.Transpose(held, perm=back, name=transpose.name)
    return found


def _pieces(merged: Shape, parted: Shape) -> list[tuple[int, ...]] | None:
    """For each axis of one shape the axes of another one that it is the product of; None if axes are merged there too.

    Dims of 1 are the product of none.
    """
    found: list[tuple[int, ...]] = [()] * len(merged)
    for whole, parts in aligned(merged, parted):
        if len(whole) != 1 or not parts:
            return None
        found[whole[0]] = parts
    return found


def _with_ones(order: list[int], before: Shape, after: Shape) -> list[int]:
    """An order of axes completed by those of size 1, placed where `after` has dims of 1, the first ones in front."""
    ones = [a for a, d in enumerate(before) if d == 1]
    found = ones[: max(0, len(ones) - after.count(1))]
    ones = ones[len(found) :]
    rest = list(order)
    for dim in after:
        if dim == 1 and ones:
            found.append(ones.pop(0))
        elif rest and before[rest[0]] == dim:
            found.append(rest.pop(0))
    return found + rest + ones


@rule(
    _RESHAPES(P.Transpose(P.Slice("x", P.const(), P.const(), ...).as_("taken")).as_("transpose"), ...).as_("outer")
    | _RESHAPES(P.Transpose(P.Gather("x", P.const()).as_("taken")).as_("transpose"), ...).as_("outer"),
    example=example(
        "(float[3,N,4] x) => (float[4,N] y) "
        "<int64[1] one = {1}, int64[1] two = {2}, int64[1] k = {0}, int64[1] a = {1}> "
        "{ s = Slice(x, one, two, k) t = Transpose<perm = [2, 0, 1]>(s) y = Squeeze(t, a) }"
    ),
)
def one_element(rw: Rewriter, outer: Op, transpose: Op, taken: Op, x: Value) -> Value:
    """Squeeze(Transpose(Slice(x, i, i + 1, axis)), axis) -> Transpose(Gather(x, i, axis)), likewise of Gather(x, [i])

    Applies if the slice is known to have one element, which is there, and to Reshape and Flatten that do the same as
    the Squeeze. Exact.
    """
    shape = known_shape(taken.result)
    perm = perm_of(transpose)
    if taken.op_type == "Slice":
        axis, (index, _, step) = only_axis(taken, x)
        if index < 0 or step < 0:
            raise RejectError("where the slice starts is not known")
    else:
        indices = indices_of(taken.inputs[1])
        axis = axis_of(taken, x)
        if indices.shape != (1,):
            raise RejectError("it takes not one element")
        index = int(indices[0])
    if shape[axis] != 1 or perm is None:
        raise RejectError("it may take more than one element, or none")
    if not is_squeeze(outer, perm.index(axis), known_shape(transpose.result)):
        raise RejectError("another axis goes")
    one = rw.Gather(x, rw.const(np.int64(index), name="index"), axis=axis, name=taken.name)
    order = [p - (p > axis) for p in perm if p != axis]
    found: Value = one if order == sorted(order) else rw.Transpose(one, perm=order, name=transpose.name)
    return found
