"""Reshape, Flatten, Squeeze and Unsqueeze: chains of them become one, and the shapes that they are told constants."""

from __future__ import annotations

from ... import ops
from ...ir import Op, Value
from ...ops.contents import entries
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example
from ._shapes import RESHAPES, counted, infers, known_shape, reshaped

_RESHAPES = P.op(*RESHAPES)


@rule(
    _RESHAPES(_RESHAPES("x", ...).as_("inner").shared(), ...).as_("outer"),
    example=example(
        "(float[N,3] x) => (float[N,1,3,1] y) <int64[1] a = {1}, int64[1] b = {3}> "
        "{ u = Unsqueeze(x, a) y = Unsqueeze(u, b) }"
    ),
)
def chain(rw: Rewriter, outer: Op, inner: Op, x: Value) -> Value:
    """Unsqueeze(Unsqueeze(x)) -> Unsqueeze(x), and whatever pair of Reshape, Flatten, Squeeze, Unsqueeze is one op

    Applies if the shape of the result can be told from that of x: dims of 1 come or go, or each dim is a known
    positive number or x's in the same place, but for one. Exact: elements keep their order.
    """
    merged = _merged_axes(rw, outer, inner, x)
    if merged is not None:
        return merged
    return reshaped(rw, x, known_shape(outer.result), infers(outer) or infers(inner))


def _merged_axes(rw: Rewriter, outer: Op, inner: Op, x: Value) -> Value | None:
    """Two Unsqueezes, or two Squeezes, whose ranks need not be known if axes are counted from the front."""
    if outer.op_type != inner.op_type or outer.op_type not in ("Squeeze", "Unsqueeze"):
        return None
    first, second = ops.ints(inner, "axes"), ops.ints(outer, "axes")
    if not first or not second or min(*first, *second) < 0:
        return None
    found: Value
    if outer.op_type == "Squeeze":
        found = rw.Squeeze(x, _both(second, first))
    else:
        found = rw.Unsqueeze(x, _both(first, second))
    return found


def _both(nearer: tuple[int, ...], farther: tuple[int, ...]) -> list[int]:
    """Axes of the wider of three shapes: `farther` are axes of it, `nearer` those of what is left without them."""
    rank = max(farther) + max(nearer) + 2
    left = [a for a in range(rank + len(farther)) if a not in counted(farther, rank + len(farther))]
    return sorted((*farther, *(left[a] for a in nearer)))


@rule(
    P.Reshape(_RESHAPES("x", ...).as_("inner").shared(), "shape", ...).as_("outer"),
    example=example(
        "(float[N,M] x, float[N,M] z) => (float[N,M] y) <int64[1] flat = {-1}> "
        "{ a = Reshape(x, flat) s = Shape(z) y = Reshape(a, s) }"
    ),
)
def to_computed(rw: Rewriter, outer: Op, inner: Op, x: Value, shape: Value) -> Value:
    """Reshape(Reshape(x), shape) -> Reshape(x, shape), likewise of Flatten, Squeeze and Unsqueeze

    Applies to a shape that is computed, if it surely copies no dim of the first result that x does not have in the same
    place. Exact: elements keep their order.
    """
    wanted = entries(shape)
    if shape.const is not None or wanted is None:
        raise RejectError("nothing is known of the shape")
    allowzero = rw.attr(outer, "allowzero") or 0
    before, between = known_shape(x), known_shape(inner.result)
    for axis, dim in enumerate(wanted):
        if allowzero or (isinstance(dim, int) and dim):
            continue
        in_both = axis < len(before) and axis < len(between)
        # Of a single dim, which is the number of elements, it is 0 if the copied one is.
        is_same = in_both and (before[axis] == between[axis] or (len(between) == 1 and before[axis] == dim))
        if not is_same and axis < len(between):
            raise RejectError("a dim may be copied from the first shape")
    found: Value = rw.Reshape(x, shape, allowzero=allowzero)
    return found
