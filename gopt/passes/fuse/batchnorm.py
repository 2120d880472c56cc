"""Fusion of constant affine maps into a BatchNormalization that itself can be fused into nothing."""

from __future__ import annotations

from ... import ops
from ...ir import Op, Value
from ...rewrite import Numerics, RejectError, Rewriter, rule
from ..example import example
from ._affine import (
    Affine,
    affine_of,
    along,
    batch_norm,
    batch_norm_affine,
    elements,
    rounded,
    shape_of,
    step,
)


@rule(
    step(batch_norm("x", "norm")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,3,3] x) => (float[1,2,3,3] y) "
        "<float[2] s = {1, 2}, float[2] t = {3, 4}, float[2] m = {5, 6}, float[2] v = {7, 8}, float c = {5}> "
        "{ a = BatchNormalization(x, s, t, m, v) y = Mul(a, c) }"
    ),
)
def affine(rw: Rewriter, norm: Op, x: Value) -> Value:
    """BatchNormalization(x, scale, shift) * c + d -> BatchNormalization(x, scale * c, shift * c + d)

    Applies to a Mul, Div, Add, Sub or Neg with constants that vary along the channels alone and do not enlarge the
    result. Computed in float64, rounded once.
    """
    assert rw.root is not None
    after = _per_channel(affine_of(rw.root, norm.result), norm.result)
    _, scale, shift, mean, variance = ops.operands(norm)[:5]
    return _rebuild(rw, norm, x, Affine(elements(scale), elements(shift)).then(after), mean, variance)


@rule(
    batch_norm(step("x", "inner"), "norm"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,3,3] x) => (float[1,2,3,3] y) "
        "<float[2] s = {1, 2}, float[2] t = {3, 4}, float[2] m = {5, 6}, float[2] v = {7, 8}, float c = {5}> "
        "{ a = Sub(x, c) y = BatchNormalization(a, s, t, m, v) }"
    ),
)
def affine_before(rw: Rewriter, norm: Op, inner: Op, x: Value) -> Value:
    """BatchNormalization(x * c + d) -> BatchNormalization of x with scale * c, shift + k * (d - mean) and no mean

    k = scale / sqrt(var + epsilon). Applies to constants as `affine` does. Computed in float64, rounded once.
    """
    before = _per_channel(affine_of(inner, x), x)
    _, scale, _, mean, variance = ops.operands(norm)[:5]
    whole = before.then(batch_norm_affine(norm))
    factor = elements(scale) if before.scale is None else elements(scale) * before.scale
    zeros = None if mean is None else rw.const(elements(mean) * 0, like=mean, name=mean.name)
    return _rebuild(rw, norm, x, Affine(factor, whole.shift), zeros, variance)


def _per_channel(both: Affine, value: Value) -> Affine:
    return Affine(along(both.scale, shape_of(value), 1), along(both.shift, shape_of(value), 1))


def _rebuild(rw: Rewriter, norm: Op, x: Value, affine: Affine, mean: Value | None, variance: Value | None) -> Value:
    _, scale, shift = ops.operands(norm)[:3]
    if scale is None or shift is None or affine.scale is None or affine.shift is None:
        raise RejectError(f"{norm.label} lacks a parameter")
    dtypes = [v.const.dtype for v in (scale, shift) if v.const is not None]
    size = elements(shift).size
    if affine.scale.size != size or affine.shift.size != size:
        raise RejectError(f"the constant is larger than the {size} channels of {norm.label}")
    new_scale = rw.const(rounded(affine.scale, dtypes[0], is_factor=True), name=scale.name)
    new_shift = rw.const(rounded(affine.shift, dtypes[1]), name=shift.name)
    result: Value = rw.BatchNormalization(x, new_scale, new_shift, mean, variance, name=norm.name, **norm.attrs)
    return result
