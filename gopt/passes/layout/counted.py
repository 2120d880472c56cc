"""Look-ups by indices that count: of everything, or of a part along each axis."""

from __future__ import annotations

from ...ir import Dim, Op, Value
from ...ops.bounds import is_size
from ...ops.symbolic import product
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example
from ._progressions import Progression, progression
from ._shapes import RESHAPES, axis_of, known_shape, reshaped


@rule(
    P.Gather("x", P.op("Add", "Range", "Reshape", "Squeeze", "Unsqueeze")("", ...).as_("counting").shared()).as_("op"),
    example=example(
        "(float[N,3] x) => (float[1,N,3] y) <int64 zero = {0}, int64 one = {1}, int64[1] front = {0}> "
        "{ s = Shape(x) n = Gather(s, zero) r = Range(zero, n, one) i = Unsqueeze(r, front) y = Gather(x, i) }"
    ),
)
def everything(rw: Rewriter, op: Op, x: Value, counting: Op) -> Value:
    """Gather(x, Range(0, dim of x, 1)) -> x, or Reshape(x) where the indices are no list

    Applies to indices computed from ranges, of which it is known that they count from 0 to the size of the axis: sums
    of ranges along several axes, as in b * n + i, do so as well. Exact.
    """
    axis, shape = axis_of(op, x), known_shape(x)
    found = progression(counting.result)
    if found is None or not found.is_counting() or product(found.shape) != shape[axis]:
        raise RejectError("the indices are not known to count all there is")
    made = x.producer
    if made is not None and made.op_type in RESHAPES and not made.domain and made.inputs[0] is not None:
        x = made.inputs[0]  # from there the shape may be one that can be written down
    return reshaped(rw, x, (*shape[:axis], *found.shape, *shape[axis + 1 :]))


@rule(
    P.GatherND("x", P.Concat(P.each("parts")).as_("stack").shared(), batch_dims=0).as_("op"),
    example=example(
        "(bool[N,M] x) => (bool[N,1,M] y) <int64 i = {0}, int64 j = {1}, int64[2] a = {1, 2}, int64[2] b = {0, 1}, "
        "int64[1] z = {-1}> { s = Shape(x) n = Gather(s, i) m = Gather(s, j) r = Range(i, n, j) t = Range(i, m, j) "
        "u = Unsqueeze(r, a) v = Unsqueeze(t, b) w = Max(u, v) e = Shape(w) p = Expand(u, e) q = Expand(v, e) "
        "k = Unsqueeze(p, z) l = Unsqueeze(q, z) c = Concat<axis = -1>(k, l) y = GatherND(x, c) }"
    ),
)
def everything_nd(rw: Rewriter, op: Op, x: Value, stack: Op, parts: tuple[Value, ...]) -> Value:
    """GatherND(x, Concat(i, j)) -> Reshape(x), where i and j are ranges that go through all of x in order

    Applies to indices put together along a last axis, one for each axis, which are computed from ranges. Exact.
    """
    shape, depth = known_shape(x), len(parts)
    rank = len(known_shape(stack.result))
    if axis_of(stack, stack.inputs[0]) != rank - 1 or depth > len(shape):
        raise RejectError("the indices are not put together along the last axis")
    flat: Progression | None = None
    for axis, part in enumerate(parts):
        found = progression(part)
        if found is None or found.shape[-1] != 1 or not all(map(is_size, (found.first, *found.steps))):
            raise RejectError("the indices of an axis are not known, or may count from the end")
        found = found.scaled(product(shape[axis + 1 : depth]))
        flat = found if flat is None else flat.plus(found)
    if flat is None or not flat.is_counting() or product(flat.shape) != product(shape[:depth]):
        raise RejectError("the indices are not known to count all there is")
    return reshaped(rw, x, (*flat.shape[:-1], *shape[depth:]))


@rule(
    P.GatherND("x", P.Concat(P.each("parts")).as_("stack"), batch_dims=0).as_("op"),
    example=example(
        "(bool[N,M] x) => (bool[K,1,L] y) <int64 i = {0}, int64 j = {1}, int64 back = {-1}, int64[2] a = {1, 2}, "
        "int64[2] b = {0, 1}, int64[1] z = {-1}> { s = Shape(x) n = Gather(s, i) m = Gather(s, j) k = Add(n, back) "
        "h = Max(k, i) r = Range(i, h, j) t = Range(i, m, j) u = Unsqueeze(r, a) v = Unsqueeze(t, b) w = Max(u, v) "
        "e = Shape(w) p = Expand(u, e) q = Expand(v, e) f = Unsqueeze(p, z) l = Unsqueeze(q, z) "
        "c = Concat<axis = -1>(f, l) y = GatherND(x, c) }"
    ),
)
def along_axes(rw: Rewriter, op: Op, x: Value, stack: Op, parts: tuple[Value, ...]) -> Value:
    """GatherND(x, Concat(i, j)) -> Unsqueeze(Gather(Gather(x, r), s)), where i and j are ranges along different axes

    Applies if they were expanded from ranges r and s that begin at 0; where one goes through all there is, its Gather
    is left out. Exact.
    """
    shape, places = known_shape(x), known_shape(stack.result)[:-1]
    if axis_of(stack, stack.inputs[0]) != len(places):
        raise RejectError("the indices are not put together along the last axis")
    taken, axes = x, list[int]()
    for axis, part in enumerate(parts):
        found = progression(part)
        if found is None or found.shape[-1] != 1 or found.first != 0:
            raise RejectError("an index does not count from 0")
        along = [a for a, step in enumerate(found.steps) if step != 0]
        if not along and shape[axis] == 1:
            continue
        if len(along) != 1 or found.steps[along[0]] != 1 or (axes and along[0] <= axes[-1]):
            raise RejectError("an index does not count along an axis of its own")
        axes += along
        if (size := found.shape[along[0]]) != shape[axis]:
            taken = rw.Gather(taken, _range(part, size), axis=axis)
    if any(size != 1 for a, size in enumerate(places) if a not in axes):
        raise RejectError("elements are taken several times")
    return reshaped(rw, taken, (*places, *shape[len(parts) :]))


def _range(part: Value, size: Dim) -> Value:
    """The list of so many indices that was expanded.

    Raises:
        RejectError: there is none.
    """
    value: Value | None = part
    while value is not None and (made := value.producer) is not None and not made.domain:
        if made.op_type == "Range" and known_shape(value) == (size,):
            return value
        if made.op_type not in (*RESHAPES, "Expand"):
            break
        value = made.inputs[0]
    raise RejectError("the range itself is not there")
