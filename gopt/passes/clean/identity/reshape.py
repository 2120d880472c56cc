"""Ops that change the shape alone, and here do not, or do it in two steps."""

from __future__ import annotations

import numpy as np

from ....ir import Op, Shape, Value
from ....rewrite import P, RejectError, Rewriter, rule
from ._facts import elements, example, same_type, shape_of

_RESHAPES = P.op("Reshape", "Flatten", "Squeeze", "Unsqueeze")


@rule(
    P.op("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile")("x", ...),
    example=example(
        "(float[N,3] x) => (float[N,3] y) <int64[2] shape = {0, -1}> { a = Reshape(x, shape) y = Neg(a) }",
    ),
)
def same_shape(rw: Rewriter, x: Value) -> Value:
    """Reshape(x, shape of x) -> x, likewise Flatten, Squeeze, Unsqueeze, Expand and Tile

    Applies if the result provably has the shape of x, dim by dim; of a Reshape one dim may be unknown if the others are
    positive numbers, for the number of elements settles it. Exact: elements keep their order, and none is repeated
    where none is added.
    """
    if rw.root.op_type in ("Expand", "Tile"):
        if not same_type(x, rw.root.result):
            raise RejectError("the shape may be another one")
    else:
        _refuse_other_shape(x, rw.root.result)
    return x


def _refuse_other_shape(x: Value, result: Value) -> None:
    """Raise RejectError unless `result`, which has as many elements as `x`, has its shape."""
    before, after = shape_of(x), shape_of(result)
    if before is None or after is None or (before != after and not _settled(before, after)):
        raise RejectError("the shape may be another one")


def _settled(before: Shape, after: Shape) -> bool:
    """True if all dims but one are equal positive numbers, and the last dim one that is not known."""
    if len(before) != len(after):
        return False
    open_ = [k for k, (a, b) in enumerate(zip(before, after)) if a != b]
    if len(open_) != 1 or (isinstance(before[open_[0]], int) and isinstance(after[open_[0]], int)):
        return False
    return all(isinstance(d, int) and d > 0 for k, d in enumerate(before) if k != open_[0])


@rule(
    P.op("Expand", "Tile")("x", P.const("c", value=1)),
    example=example("(float[N,3] x) => (float[N,3] y) <int64[2] one = {1, 1}> { a = Tile(x, one) y = Neg(a) }"),
)
def by_ones(rw: Rewriter, x: Value, c: Value) -> Value:
    """Tile(x, ones) -> x, Expand(x, ones) -> x

    Applies to Expand if there are no more ones than x has dims. Exact.
    """
    if rw.root.op_type == "Expand":
        shape = shape_of(x)
        if shape is None or len(shape) < elements(c).size:
            raise RejectError("the result may have more dims")
    return x


@rule(
    _RESHAPES(_RESHAPES("x", ...).as_("inner").shared(), ...),
    example=example(
        "(float[N,3] x) => (float[N,3] y) <int64[1] axes = {1}> "
        "{ a = Unsqueeze(x, axes) b = Squeeze(a, axes) y = Neg(b) }",
    ),
)
def undone(rw: Rewriter, x: Value, inner: Op) -> Value:
    """Squeeze(Unsqueeze(x)) -> x, and whatever pair of Reshape, Flatten, Squeeze, Unsqueeze leads back

    Applies if the result provably has the shape of x, or if one op adds the very axes that the other takes away. Exact:
    elements keep their order.
    """
    if not _same_axes(rw, inner):
        _refuse_other_shape(x, rw.root.result)
    return x


def _same_axes(rw: Rewriter, inner: Op) -> bool:
    """True for Squeeze and Unsqueeze (in either order) of one list of axes; it counts dims of one and the same rank."""
    if {rw.root.op_type, inner.op_type} != {"Squeeze", "Unsqueeze"}:
        return False
    axes = rw.ints(rw.root, "axes")
    return bool(axes) and axes is not None and sorted(axes) == sorted(rw.ints(inner, "axes") or ())


@rule(
    P.Reshape(_RESHAPES("x", ...).as_("inner"), P.const("shape"), ...),
    example=example(
        "(float[N,3] x) => (float[M] y) <int64[1] axes = {1}, int64[1] flat = {-1}> "
        "{ a = Unsqueeze(x, axes) y = Reshape(a, flat) }",
    ),
)
def merge(rw: Rewriter, x: Value, inner: Op, shape: Value) -> Value:
    """Reshape(Reshape(x), shape) -> Reshape(x, shape), likewise of Flatten, Squeeze and Unsqueeze

    Applies if the second shape is constant. A dim that it copies from the first result (0 without `allowzero`) must be
    one that x has in the same place, or a known positive number, which then stands in the shape. Exact: elements keep
    their order.
    """
    wanted = [int(n) for n in elements(shape).reshape(-1)]
    allowzero = rw.attr(rw.root, "allowzero") or 0
    before, between = shape_of(x), shape_of(inner.result)
    changed = False
    for axis, size in enumerate(wanted):
        if size or allowzero:
            continue
        dim = None if between is None or axis >= len(between) else between[axis]
        if before is not None and axis < len(before) and dim is not None and before[axis] == dim:
            continue
        if not isinstance(dim, int) or dim < 1:
            raise RejectError("a dim is copied from the first shape")
        wanted[axis] = dim
        changed = True
    target = rw.const(np.array(wanted, np.int64), name="shape") if changed else shape
    found: Value = rw.Reshape(x, target, allowzero=allowzero)
    return found
