"""Gathers: of all there is, of one element whose dim goes or comes, and of what a Slice, Concat or Gather gave."""

from __future__ import annotations

from math import prod

import numpy as np

from ...ir import Op, Value
from ...ops.contents import shape_slice
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example
from ._shapes import RESHAPES, axis_of, is_squeeze, is_unsqueeze, known_shape, reshaped
from ._slices import indices_of, only_axis, operand_of, successive

_RESHAPES = P.op(*RESHAPES)


@rule(
    P.Gather("x", P.const("indices")).as_("op"),
    example=example(
        "(float[N,3] x) => (float[N,3] y) <int64[3] all = {0, 1, 2}> { a = Gather<axis = 1>(x, all) y = Neg(a) }"
    ),
)
def everything(rw: Rewriter, op: Op, x: Value, indices: Value) -> Value:
    """Gather(x, [0, 1, ..., n-1]) -> x, or Reshape(x) where the indices are no list

    Applies if the axis has n elements. Exact.
    """
    array = indices_of(indices)
    axis, shape = axis_of(op, x), known_shape(x)
    size = shape[axis]
    if not isinstance(size, int) or array.size != size:
        raise RejectError("it does not take everything")
    flat = array.reshape(-1)
    if np.any(np.where(flat < 0, flat + size, flat) != np.arange(size)):
        raise RejectError("it takes another order")
    return reshaped(rw, x, (*shape[:axis], *array.shape, *shape[axis + 1 :]))


@rule(
    P.GatherND("x", P.const("indices")).as_("op"),
    example=example(
        "(float[2,2,N] x) => (float[4,N] y) <int64[4,2] all = {0, 0, 0, 1, 1, 0, 1, 1}> { y = GatherND(x, all) }"
    ),
)
def everything_nd(rw: Rewriter, op: Op, x: Value, indices: Value) -> Value:
    """GatherND(x, all indices in order) -> Reshape(x)

    Applies without batch dims, if the axes that are indexed have just as many elements. Exact.
    """
    array = indices_of(indices)
    shape = known_shape(x)
    depth = array.shape[-1] if array.ndim else 0
    sizes = [d for d in shape[:depth] if isinstance(d, int)]
    if rw.attr(op, "batch_dims") or not 0 < depth == len(sizes):
        raise RejectError("there are batch dims, or the size of an axis is not known")
    rows = array.reshape(-1, depth)
    rows = np.where(rows < 0, rows + sizes, rows)
    if len(rows) != prod(sizes) or np.any(rows != np.indices(sizes).reshape(depth, -1).T):
        raise RejectError("it does not take everything in order")
    return reshaped(rw, x, (*array.shape[:-1], *shape[depth:]))


@rule(
    P.GatherND("x", _RESHAPES("indices", ...).as_("unsqueeze").shared(), batch_dims=0),
    example=example(
        "(float[4,3] x) => (float[2,3] y) <int64[2] i = {3, -2}, int64[1] last = {-1}> "
        "{ u = Unsqueeze(i, last) y = GatherND(x, u) }"
    ),
)
def one_axis(rw: Rewriter, x: Value, unsqueeze: Op, indices: Value) -> Value:
    """GatherND(x, Unsqueeze(i, -1)) -> Gather(x, i)

    Exact: indices of one number each go along the first axis.
    """
    rank = len(known_shape(indices))
    if len(known_shape(unsqueeze.result)) != rank + 1:
        raise RejectError("it adds no axis")
    if not is_unsqueeze(unsqueeze, rank, (*known_shape(indices), 1)):
        raise RejectError("an index may have more than one number")
    made: Value = rw.Gather(x, indices, axis=0)
    return made


@rule(
    _RESHAPES(P.Gather("x", P.const("index")).as_("gather"), ...).as_("reshape"),
    example=example(
        "(float[N,3] x) => (float[N,1] y) <int64 one = {1}, int64[1] axis = {1}> "
        "{ a = Gather<axis = 1>(x, one) y = Unsqueeze(a, axis) }"
    ),
)
def one_index(rw: Rewriter, reshape: Op, gather: Op, x: Value, index: Value) -> Value:
    """Unsqueeze(Gather(x, i, axis), axis) -> Gather(x, [i], axis), and Squeeze(Gather(x, [i], axis), axis) back

    Applies to a constant index, and to Reshape and Flatten that do the same. Exact.
    """
    array = indices_of(index)
    if array.shape not in ((), (1,)):
        raise RejectError("there is more than one index")
    axis, shape = axis_of(gather, x), known_shape(x)
    wide = (*shape[:axis], 1, *shape[axis + 1 :])
    if not (is_squeeze if array.shape else is_unsqueeze)(reshape, axis, wide):
        raise RejectError("another axis comes or goes")
    other = array.reshape(() if array.shape else (1,))
    found: Value = rw.Gather(x, rw.const(other, name="index"), axis=axis, name=gather.name)
    return found


@rule(
    _RESHAPES(P.Slice("x", P.const(), P.const(), ...).as_("slice"), ...).as_("reshape"),
    example=example(
        "(float[N,3] x) => (float[N] y) <int64[1] one = {1}, int64[1] two = {2}> "
        "{ a = Slice(x, one, two, one) y = Squeeze(a, one) }"
    ),
)
def one_slice(rw: Rewriter, reshape: Op, slice: Op, x: Value) -> Value:
    """Squeeze(Slice(x, i, i + 1, axis), axis) -> Gather(x, i, axis)

    Applies to one axis that is sliced to a single element, which must be known to be there, and to Reshape and Flatten
    that do the same as the Squeeze. Exact.
    """
    axis, (start, _, step) = only_axis(slice, x)
    shape = known_shape(x)
    if known_shape(slice.result)[axis] != 1 or start < 0 or step < 0:
        raise RejectError("it may be more than one element, or none")
    if not is_squeeze(reshape, axis, (*shape[:axis], 1, *shape[axis + 1 :])):
        raise RejectError("another axis goes")
    found: Value = rw.Gather(x, rw.const(np.int64(start), name="index"), axis=axis, name=slice.name)
    return found


@rule(
    P.Gather(P.Gather("x", P.const("first")).as_("inner").shared(), P.const("second")).as_("outer"),
    example=example(
        "(float[N,5] x) => (float[N] y) <int64[2] some = {4, 2}, int64 one = {1}> "
        "{ a = Gather<axis = 1>(x, some) y = Gather<axis = 1>(a, one) }"
    ),
)
def of_gather(rw: Rewriter, outer: Op, inner: Op, x: Value, first: Value, second: Value) -> Value:
    """Gather(Gather(x, i, axis), j, axis) -> Gather(x, i[j], axis)

    Applies to constant indices, the first of which are a list. Exact.
    """
    picks, array = indices_of(first), indices_of(second)
    axis = axis_of(inner, x)
    if picks.ndim != 1 or axis_of(outer, inner.result) != axis:
        raise RejectError("another axis is gathered")
    if np.any((array < -picks.size) | (array >= picks.size)):
        raise RejectError("an index is out of range")
    found: Value = rw.Gather(x, rw.const(picks[array], name="indices"), axis=axis, name=outer.name)
    return found


@rule(
    P.Gather(P.Slice("x", P.const(), P.const(), ...).as_("slice").shared(), P.const("indices")).as_("gather"),
    example=example(
        "(float[N,5] x) => (float[N] y) <int64[1] one = {1}, int64[1] end = {9}, int64 two = {2}> "
        "{ a = Slice(x, one, end, one) y = Gather<axis = 1>(a, two) }"
    ),
)
def of_slice(rw: Rewriter, gather: Op, slice: Op, x: Value, indices: Value) -> Value:
    """Gather(Slice(x, begin, ..., axis), i, axis) -> Gather(x, begin + i, axis)

    Applies to constant indices that count from the front, or a known size, and to one axis that is sliced by steps
    of 1. Exact: an index that is out of range in the slice is an error either way, or was before.
    """
    axis, (start, _, step) = only_axis(slice, x)
    if step != 1 or start < 0 or axis_of(gather, slice.result) != axis:
        raise RejectError("another axis is gathered, or the start is not known")
    array = indices_of(indices)
    size = known_shape(slice.result)[axis]
    if isinstance(size, int):
        array = np.where(array < 0, array + size, array)
        if np.any(array >= size):
            raise RejectError("an index is out of range")
    if np.any(array < 0):
        raise RejectError("an index counts from the end")
    moved = np.asarray(array.astype(np.int64) + start)
    found: Value = rw.Gather(x, rw.const(moved, name="indices"), axis=axis, name=gather.name)
    return found


@rule(
    P.Gather(P.Concat(P.each("xs")).as_("concat").shared(), P.const("indices")).as_("op"),
    example=example(
        "(float[N,2] a, float[N,3] b) => (float[N] y) <int64 four = {4}> "
        "{ c = Concat<axis = 1>(a, b) y = Gather<axis = 1>(c, four) }"
    ),
)
def of_concat(rw: Rewriter, op: Op, concat: Op, xs: tuple[Value, ...], indices: Value) -> Value:
    """Gather(Concat(a, b, axis), i, axis) -> Gather(b, i - size of a, axis)

    Applies if all that is taken lies in one operand: the sizes of those before it must be known, or, for what counts
    from the end, of those behind it. Exact.
    """
    axis = axis_of(concat, concat.inputs[0])
    if axis_of(op, concat.result) != axis:
        raise RejectError("another axis is gathered")
    array = indices_of(indices).astype(np.int64)
    if not array.size:
        raise RejectError("nothing is taken")
    size = known_shape(concat.result)[axis]
    if isinstance(size, int):
        array = np.where(array < 0, array + size, array)
    place, offset = operand_of(xs, axis, int(array.min()), int(array.max()))
    found: Value = rw.Gather(xs[place], rw.const(np.asarray(array + offset), name="indices"), axis=axis, name=op.name)
    return found


@rule(
    P.Gather(P.Shape("x").as_("shape"), P.const("indices")).as_("gather"),
    since=15,
    example=example("(float[N,2,3] x) => (int64[1] y) <int64[1] one = {0}> { s = Shape(x) y = Gather(s, one) }"),
)
def of_shape(rw: Rewriter, gather: Op, shape: Op, x: Value, indices: Value) -> Value:
    """Gather(Shape(x), [i, i + 1, ...]) -> Shape(x, start=i, end=...)

    Applies to successive constant indices. Exact.
    """
    start, end = successive(gather, shape.result, 0)
    dims = range(len(known_shape(x)))[shape_slice(shape)]
    if end > len(dims):
        raise RejectError("an index is out of range")
    found: Value = rw.Shape(x, start=dims.start + start, end=dims.start + end, name=gather.name)
    return found


_gather = P.Gather("x", _RESHAPES("indices", ...).as_("inner")).as_("gather")
_gather_reshaped = P.Gather(_RESHAPES("x", ...).as_("inner"), "indices").as_("gather")


@rule(
    _RESHAPES(_gather, ...).as_("outer") | _RESHAPES(_gather_reshaped, ...).as_("outer"),
    example=example(
        "(float[1,N] x, float[M] z) => (float[1,M,1,1] y) <int64 none = {0}, int64 one = {1}, int64[1] ends = {0}, "
        "int64[4] to = {1, -1, 1, 1}> { f = Flatten<axis = 2>(x) s = Shape(z) n = Squeeze(s) r = Range(none, n, one) "
        "m = Mod(r, one) i = Unsqueeze(m, ends) g = Gather(f, i) y = Reshape(g, to) }"
    ),
)
def between_reshapes(rw: Rewriter, outer: Op, gather: Op, inner: Op, x: Value, indices: Value) -> Value:
    """Reshape(Gather(x, Unsqueeze(i))) -> Reshape(Gather(x, i)), likewise Reshape(Gather(Unsqueeze(x), i))

    Applies to indices in any other shape, and to data whose dims of 1 came, went or moved. Exact: the order of elements
    is the same.
    """
    before, after = known_shape(x), known_shape(inner.result)
    axis = axis_of(gather, gather.inputs[0])
    if inner.result is gather.inputs[0]:
        here, there = ([a for a, d in enumerate(shape) if d != 1] for shape in (before, after))
        if axis not in there or [before[a] for a in here] != [after[a] for a in there]:
            raise RejectError("more than dims of 1 was moved, or the axis is one")
        axis = here[there.index(axis)]
    found = rw.Gather(x, indices, axis=axis, name=gather.name)
    return reshaped(rw, found, known_shape(outer.result))
