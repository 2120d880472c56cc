"""Constant factors and addends around MatMul go into its weights."""

from __future__ import annotations

from ...ir import Array, Op, Shape, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._affine import (
    FLOATS,
    affine_of,
    along,
    dtype_of,
    elements,
    multiplied,
    rounded,
    scaling,
    shape_of,
    shifting,
    weighted_rows,
)

_product = P.MatMul("x", P.const("w")).as_("op")


@rule(
    scaling(_product) | scaling(P.MatMul(P.const("w"), "x").as_("op")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3,2] x) => (float[3,2] y) "
        "<float[2,2] w = {1, 2, 3, 4}, float[2] c = {5, 6}> "
        "{ a = MatMul(x, w) y = Mul(a, c) }"
    ),
)
def scale(rw: Rewriter, op: Op, x: Value, w: Value) -> Value:
    """MatMul(x, W) * c -> MatMul(x, W * c); likewise / c, Neg, and weights on the left

    Applies to a constant that is a scalar or varies along the columns that W has alone (rows, on the left) and does
    not enlarge the result. Computed in float64, rounded once.
    """
    assert rw.root is not None
    factor = affine_of(rw.root, op.result).scale
    on_right = op.inputs[1] is w
    weights = _scaled(rw, w, _outer_factor(factor, op, w, on_right), -1 if on_right else -2)
    return _staged(rw, op, x, weights, on_right)


@rule(
    P.MatMul(scaling("x", "inner"), P.const("w")).as_("op") | P.MatMul(P.const("w"), scaling("x", "inner")).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3,2] x) => (float[3,2] y) "
        "<float[2,2] w = {1, 2, 3, 4}, float[2] c = {5, 6}> "
        "{ a = Mul(x, c) y = MatMul(a, w) }"
    ),
)
def scale_before(rw: Rewriter, op: Op, inner: Op, x: Value, w: Value) -> Value:
    """MatMul(x * c, W) -> MatMul(x, c * W); likewise / c, Neg, and weights on the left

    Applies to a constant that is a scalar or varies along the axis that is summed over alone and does not enlarge x.
    Computed in float64, rounded once.
    """
    on_right = op.inputs[1] is w
    shape = shape_of(x)
    is_vector = shape is not None and len(shape) == 1
    factor = along(affine_of(inner, x).scale, shape, -1 if on_right or is_vector else -2)
    return _staged(rw, op, x, _scaled(rw, w, factor, -2 if on_right else -1), on_right)


@rule(
    scaling(P.Add(_product, P.const("b")).as_("add")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3,2] x) => (float[3,2] y) "
        "<float[2,2] w = {1, 2, 3, 4}, float[2] b = {5, 6}, float c = {7}> "
        "{ a = MatMul(x, w) d = Add(a, b) y = Mul(d, c) }"
    ),
)
def scale_past_add(rw: Rewriter, op: Op, add: Op, x: Value, w: Value, b: Value) -> Value:
    """(MatMul(x, W) + b) * c -> MatMul(x, W * c) + b * c; likewise / c, and Neg

    Applies to a constant c as `scale` does, if b * c is no larger than b or a row. Computed in float64, rounded once.
    """
    assert rw.root is not None
    factor = affine_of(rw.root, add.result).scale
    vector = along(factor, shape_of(add.result), -1)
    bias, dtype = elements(b), dtype_of(w)
    if vector is None or dtype is None:
        raise RejectError("there is no factor")
    if len(vector) > 1 and len(shape_of(w) or ()) < 2:
        _no_axis()
    moved = bias * (vector if len(vector) > 1 else vector[0])
    if moved.size > max(bias.size, len(vector)):
        raise RejectError("the constant would become larger")
    product = _staged(rw, op, x, _scaled(rw, w, vector, -1), True)
    result: Value = rw.Add(product, rw.const(rounded(moved, dtype), name=b.name))
    return result


@rule(
    P.Add(P.MatMul(shifting("x", "inner"), P.const("w")).as_("op"), P.const("b")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3,2] x) => (float[3,2] y) "
        "<float[2,2] w = {1, 2, 3, 4}, float[2] c = {5, 6}, float b = {7}> "
        "{ a = Add(x, c) d = MatMul(a, w) y = Add(d, b) }"
    ),
)
def add_past_matmul(rw: Rewriter, op: Op, inner: Op, x: Value, w: Value, b: Value) -> Value:
    """MatMul(x + c, W) + b -> MatMul(x, W) + (c * W + b); likewise x - c and c - x

    Applies to a matrix W and a constant c that varies along the axis that is summed over alone and does not enlarge x.
    Computed in float64, rounded once.
    """
    before = affine_of(inner, x)
    level = along(before.shift, shape_of(x), -1)
    factor = along(before.scale, shape_of(x), -1)
    weights = w.const
    if weights is None or len(weights.shape) != 2 or weights.dtype not in FLOATS or level is None:
        raise RejectError("the weights are no matrix")
    bias = elements(b)
    more = weighted_rows(level, weights.numpy())
    moved = bias + more
    if moved.size > max(bias.size, more.size):
        raise RejectError("the constant would become larger")
    product = _staged(rw, op, x, w if factor is None else _scaled(rw, w, factor, -2), True)
    result: Value = rw.Add(product, rw.const(rounded(moved, weights.dtype), name=b.name))
    return result


@rule(
    P.MatMul(scaling("x", "left"), scaling("y", "right")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3,2] x, float[2,4] z) => (float[3,4] y) "
        "<float c = {2}, float d = {3}> "
        "{ a = Mul(x, c) b = Mul(z, d) y = MatMul(a, b) }"
    ),
)
def two_scales(rw: Rewriter, left: Op, right: Op, x: Value, y: Value) -> Value:
    """MatMul(x * c, y * d) -> MatMul(x * (c * d), y); likewise / c, and Neg

    Applies to constants that are scalars: attention scales both of its factors so. Computed in float64, rounded once.
    """
    dtype = dtype_of(x)
    first, second = affine_of(left, x).scale, affine_of(right, y).scale
    if first is None or second is None or dtype not in FLOATS or dtype is None:
        raise RejectError("the factors are not of floating-point numbers")
    factor = along(first, shape_of(x), -1)
    other = along(second, shape_of(y), -1)
    if factor is None or other is None or len(factor) != 1 or len(other) != 1:
        raise RejectError("the factors are no scalars")
    scaled = rw.Mul(x, rw.const(rounded((factor * other).reshape(()), dtype, is_factor=True), name="scale"))
    result: Value = rw.MatMul(scaled, y)
    return result


def _outer_factor(factor: Array | None, op: Op, w: Value, on_right: bool) -> Array | None:
    """A constant on the result of a MatMul, as a vector along w's columns (on the right) or rows (on the left)."""
    weights = shape_of(w) or ()
    if factor is None or factor.ndim == 0 or len(weights) < 2:
        return along(factor, shape_of(op.result), -1) if factor is None or factor.size == 1 else _no_axis()
    shape = shape_of(op.result)
    if not on_right:
        other = shape_of(_other(op, w))
        if other is None or len(other) < 2:
            return _no_axis()
        return along(factor, shape, -2)
    known: Shape | None = (*shape[:-1], weights[-1]) if shape else None
    if known is None and factor.ndim == 1:
        known = weights[-1:]
    return along(factor, known, -1)


def _no_axis() -> Array:
    raise RejectError("the factor varies along an axis that the weights lack")


def _other(op: Op, w: Value) -> Value:
    return next(v for v in op.inputs if v is not None and v is not w)


def _scaled(rw: Rewriter, w: Value, factor: Array | None, axis: int) -> Value:
    """Weights times a vector along one of their last two axes; the only axis of a vector is the one summed over."""
    tensor = w.const
    if factor is None or tensor is None or tensor.dtype not in FLOATS or not tensor.shape:
        raise RejectError("there are no floating-point weights to scale")
    rank = len(tensor.shape)
    if len(factor) == 1:
        shape = (1,) * rank
    else:
        axis = -1 if rank == 1 else axis
        if tensor.shape[axis] != len(factor):
            raise RejectError(f"{len(factor)} factors for weights of shape {list(tensor.shape)}")
        shape = tuple(len(factor) if k == axis + rank else 1 for k in range(rank))
    return rw.const(multiplied(tensor.numpy(), factor.reshape(shape), tensor.dtype), name=w.name)


def _staged(rw: Rewriter, op: Op, x: Value, w: Value, on_right: bool) -> Value:
    result: Value = rw.MatMul(x, w, name=op.name) if on_right else rw.MatMul(w, x, name=op.name)
    return result
