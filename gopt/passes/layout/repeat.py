"""Elements repeated by an Expand between Reshapes."""

from __future__ import annotations

import numpy as np

from ...ir import Op, Shape, Value
from ...ops.sizes import product
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example
from ._shapes import RESHAPES, known_shape, without

_RESHAPES = P.op(*RESHAPES)
_MANY = 1 << 12


@rule(
    _RESHAPES(P.op("Expand", "Tile")(_RESHAPES("x", ...).as_("inner").shared(), ...).as_("expand"), ...).as_("outer"),
    example=example(
        "(float[N,2,M,3] x) => (float[N,6,M,3] y) "
        "<int64[1] k = {2}, int64[5] r = {1, 1, 3, 1, 1}, int64[4] merged = {0, 6, -1, 3}> "
        "{ u = Unsqueeze(x, k) e = Expand(u, r) y = Reshape(e, merged) }"
    ),
)
def interleave(rw: Rewriter, outer: Op, expand: Op, inner: Op, x: Value) -> Value:
    """Reshape(Expand(Unsqueeze(x, k), r times), shape) -> Gather(x, [0, 0, 1, 1, ...], axis=k-1), or Tile(x, [1, r, 1])

    Applies if a new dim of 1 is expanded to r and then merged: with the dim before it each element is repeated, with
    that behind it the whole. Exact.
    """
    before, wide, after = known_shape(x), known_shape(inner.result), known_shape(expand.result)
    grown = [k for k, (a, b) in enumerate(zip(wide, after)) if a != b]
    if len(wide) != len(after) or len(grown) != 1 or wide[grown[0]] != 1 or without(wide, grown) != before:
        raise RejectError("not one new dim is expanded")
    axis, times = grown[0], after[grown[0]]
    if not isinstance(times, int) or times < 1:
        raise RejectError("it is not known how often it is repeated")
    merged = known_shape(outer.result)
    found: Value
    if axis < len(before) and merged == _merged(after, axis):
        repeats = [1] * len(before)
        repeats[axis] = times
        found = rw.Tile(x, repeats)
        return found
    size = before[axis - 1] if axis else None
    if not isinstance(size, int) or size * times > _MANY or merged != _merged(after, axis - 1):
        raise RejectError("it is not merged with a neighbour of known size")
    found = rw.Gather(x, rw.const(np.repeat(np.arange(size), times), name="indices"), axis=axis - 1)
    return found


def _merged(shape: Shape, axis: int) -> Shape:
    """A shape in which an axis and the next one are one."""
    return (*shape[:axis], product(shape[axis : axis + 2]), *shape[axis + 2 :])
