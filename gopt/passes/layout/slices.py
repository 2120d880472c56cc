"""Slices: of Slices, of Concats, of shapes, and to an end that is the end."""

from __future__ import annotations

from ...ir import Op, Shape, Value
from ...ops.contents import shape_slice
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example
from ._shapes import axis_of, known_shape
from ._slices import END, Bounds, make_slice, only_axis, operand_of, sliced

_slice = P.Slice("x", P.const(), P.const(), ...)


@rule(
    P.Slice(_slice.as_("inner").shared(), P.const(), P.const(), ...).as_("outer"),
    example=example(
        "(float[N,5,6] x) => (float[M,K,L] y) <int64[1] one = {1}, int64[1] two = {2}, int64[1] end = {4}> "
        "{ a = Slice(x, one, end, one) y = Slice(a, one, end, two) }"
    ),
)
def merge(rw: Rewriter, outer: Op, inner: Op, x: Value) -> Value:
    """Slice(Slice(x, axis a), axis b) -> Slice(x, axes a and b); x[a:b][c:d] -> x[a+c:min(b, a+d)]

    Applies to constant bounds. Where both slice one axis, its size must be known, or steps be 1 and bounds count from
    the front (the first end may count from the end if the second is the end). The inner one may be used elsewhere if
    that is by Slices, too. Exact.
    """
    if inner.result.is_output or any(use.op.op_type != "Slice" or use.slot != 0 for use in inner.result.uses):
        raise RejectError("the inner one is used by something else")
    shape = known_shape(x)
    parts = sliced(inner, x)
    for axis, bounds in sliced(outer, inner.result).items():
        parts[axis] = _composed(shape, axis, parts[axis], bounds) if axis in parts else bounds
    return make_slice(rw, x, parts, outer.name) if parts else x


def _composed(shape: Shape, axis: int, first: Bounds, second: Bounds) -> Bounds:
    size = shape[axis]
    if isinstance(size, int):
        picked = range(size)[slice(*first)][slice(*second)]
        if not picked:
            return 0, 0, 1  # its start may be -1, which is the last one
        # Counting down to the very first element, a stop of -1 would be the last one.
        return picked.start, picked.stop if picked.stop >= 0 else -size - 1, picked.step
    (start, end, step), (begin, stop, stride) = first, second
    if step != 1 or stride != 1 or start < 0 or begin < 0:
        raise RejectError("the size of the axis is not known")
    if stop == END:
        return start + begin, end, 1
    if end < 0 or stop < 0:
        raise RejectError("the size of the axis is not known")
    return start + begin, min(end, start + stop), 1


@rule(
    P.Slice(P.Concat(P.each("xs")).as_("concat").shared(), P.const(), P.const(), ...).as_("op"),
    example=example(
        "(float[N,2] a, float[N,3] b) => (float[N,2] y) "
        "<int64[1] axis = {1}, int64[1] start = {3}, int64[1] end = {5}> "
        "{ c = Concat<axis = 1>(a, b) y = Slice(c, start, end, axis) }"
    ),
)
def of_concat(rw: Rewriter, op: Op, concat: Op, xs: tuple[Value, ...]) -> Value:
    """Slice(Concat(a, b, axis), start, end, axis) -> Slice(b, start - size of a, end - size of a, axis), or b itself

    Applies if all that is taken lies in one operand: the sizes of those before it must be known, or, for what counts
    from the end, of those behind it. Other axes may be sliced too. Exact.
    """
    axis = axis_of(concat, concat.inputs[0])
    parts = sliced(op, concat.result)
    start, end, step = parts.pop(axis, (0, END, 1))
    if step < 1 or (end != END and ((start < 0) != (end < 0) or end <= start)):
        raise RejectError("the bounds count from either end, or nothing is taken")
    last = end - 1
    if end == END:
        last = -1 if start < 0 else start
    place, offset = operand_of(xs, axis, start, last)
    if end == END and start >= 0 and place < len(xs) - 1:
        raise RejectError("it reaches into further operands")
    start += offset
    end = END if end == END or end + offset == 0 else end + offset
    if (start, step) != (0, 1) or end not in (END, known_shape(xs[place])[axis]):
        parts[axis] = (start, end, step)
    return make_slice(rw, xs[place], parts, op.name) if parts else xs[place]


@rule(
    P.Slice(P.Shape("x").as_("shape"), P.const(), P.const(), ...).as_("op"),
    since=15,
    example=example(
        "(float[N,2,M] x) => (int64[2] y) <int64[1] one = {1}, int64[1] end = {3}> "
        "{ s = Shape(x) y = Slice(s, one, end) }"
    ),
)
def of_shape(rw: Rewriter, op: Op, shape: Op, x: Value) -> Value:
    """Slice(Shape(x), i, j) -> Shape(x, start=i, end=j)

    Applies to steps of 1. Exact.
    """
    _, (start, end, step) = only_axis(op, shape.result)
    dims = range(len(known_shape(x)))[shape_slice(shape)]
    if step != 1 or not 0 <= start < end <= len(dims):
        raise RejectError("it takes nothing, or not all in a row")
    found: Value = rw.Shape(x, start=dims.start + start, end=dims.start + end, name=op.name)
    return found
