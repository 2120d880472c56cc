"""Fusion into Conv and ConvTranspose: what comes before or after goes into weights, bias and pads."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir import Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._affine import (
    Affine,
    affine_of,
    along,
    batch_norm,
    batch_norm_affine,
    rounded,
    scaling,
    shape_of,
    shifting,
)
from ._pads import spatial_pads, with_pads
from ._weights import Kernel, mapped_after, mapped_before, rebuilt

_CONV = P.Conv | P.ConvTranspose
_conv = _CONV("x", "w", P.opt("b")).as_("conv")


@rule(
    batch_norm(_conv),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,3,3] x) => (float[1,2,3,3] y) "
        "<float[2,2,1,1] w = {1, 2, 3, 4}, float[2] s = {1, 2}, float[2] t = {3, 4}, float[2] m = {5, 6}, "
        "float[2] v = {7, 8}> "
        "{ a = Conv(x, w) y = BatchNormalization(a, s, t, m, v) }"
    ),
)
def batchnorm(rw: Rewriter, conv: Op, x: Value, w: Value, b: Value | None) -> Value:
    """BatchNormalization(Conv(x, W, b)) -> Conv(x, W * k, (b - mean) * k + shift), k = scale / sqrt(var + epsilon)

    Applies to constant parameters, weights and bias: a convolution is linear, so that a factor and a shift per output
    channel can be had from weights and bias. Weights and bias are computed in float64 and rounded once.
    """
    assert rw.root is not None
    return mapped_after(rw, conv, batch_norm_affine(rw.root))


@rule(
    shifting(_conv),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,3,3] x) => (float[1,2,3,3] y) "
        "<float[2,2,1,1] w = {1, 2, 3, 4}, float[2,1,1] c = {5, 6}> "
        "{ a = Conv(x, w) y = Add(a, c) }"
    ),
)
def add(rw: Rewriter, conv: Op, x: Value, w: Value, b: Value | None) -> Value:
    """Conv(x, W, b) + c -> Conv(x, W, b + c); c - Conv(x, W, b) -> Conv(x, -W, c - b)

    Applies to Add and Sub of a constant that is a scalar or, by the trailing alignment of broadcasting, varies along
    the channels alone, and does not enlarge the result. The bias is computed in float64 and rounded once; the sums
    are taken in another order.
    """
    return mapped_after(rw, conv, _root_affine(rw, conv))


@rule(
    scaling(_conv),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,3,3] x) => (float[1,2,3,3] y) "
        "<float[2,2,1,1] w = {1, 2, 3, 4}, float c = {5}> "
        "{ a = Conv(x, w) y = Mul(a, c) }"
    ),
)
def scale(rw: Rewriter, conv: Op, x: Value, w: Value, b: Value | None) -> Value:
    """Conv(x, W, b) * c -> Conv(x, W * c, b * c); likewise / c, and Neg

    Applies to constants as `add` does. Weights and bias are computed in float64 and rounded once.
    """
    return mapped_after(rw, conv, _root_affine(rw, conv))


@rule(
    _CONV(batch_norm("x", "norm"), P.const("w"), P.opt("b")).as_("conv"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,3,3] x) => (float[1,2,3,3] y) "
        "<float[2,2,1,1] w = {1, 2, 3, 4}, float[2] s = {1, 2}, float[2] t = {3, 4}, float[2] m = {5, 6}, "
        "float[2] v = {7, 8}> "
        "{ a = BatchNormalization(x, s, t, m, v) y = Conv(a, w) }"
    ),
)
def batchnorm_before(rw: Rewriter, conv: Op, norm: Op, x: Value, w: Value, b: Value | None) -> Value:
    """Conv(x * k + d, W, b) -> Conv(x, W * k, b + d * W), the affine map being that of a BatchNormalization

    Applies to constant parameters if no output position sees padding, or d is zero. Computed in float64, rounded once.
    """
    return mapped_before(rw, conv, x, batch_norm_affine(norm))


@rule(
    _CONV(scaling("x", "inner"), P.const("w"), P.opt("b")).as_("conv"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,3,3] x) => (float[1,2,3,3] y) "
        "<float[2,2,1,1] w = {1, 2, 3, 4}, float[2,1,1] c = {5, 6}> "
        "{ a = Mul(x, c) y = Conv(a, w) }"
    ),
)
def scale_before(rw: Rewriter, conv: Op, inner: Op, x: Value, w: Value, b: Value | None) -> Value:
    """Conv(x * c, W, b) -> Conv(x, W * c, b); likewise / c, and Neg

    Applies to a constant that is a scalar or varies along the input channels alone, and does not enlarge x. The
    weights are computed in float64 and rounded once.
    """
    return mapped_before(rw, conv, x, _per_channel(affine_of(inner, x), x))


@rule(
    _CONV(shifting("x", "inner"), P.const("w"), P.opt("b")).as_("conv"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,3,3] x) => (float[1,2,3,3] y) "
        "<float[2,2,1,1] w = {1, 2, 3, 4}, float c = {5}> "
        "{ a = Add(x, c) y = Conv(a, w) }"
    ),
)
def add_before(rw: Rewriter, conv: Op, inner: Op, x: Value, w: Value, b: Value | None) -> Value:
    """Conv(x + c, W, b) -> Conv(x, W, b + c * W); likewise x - c and c - x

    Applies to constants as `scale_before` does, if no output position sees padding. Computed in float64, rounded once.
    """
    return mapped_before(rw, conv, x, _per_channel(affine_of(inner, x), x))


@rule(
    _CONV(shifting(scaling("x", "first"), "second"), P.const("w"), P.opt("b")).as_("conv"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,3,3] x) => (float[1,2,5,5] y) "
        "<float[2,2,1,1] w = {1, 2, 3, 4}, float c = {5}, float d = {6}> "
        "{ a = Mul(x, c) b = Add(a, d) y = Conv<pads = [1, 1, 1, 1]>(b, w) }"
    ),
)
def scale_past_add(rw: Rewriter, conv: Op, first: Op, second: Op, x: Value, w: Value, b: Value | None) -> Value:
    """Conv(x * c + d, W, b) -> Conv(x + d / c, W * c, b)

    Applies where the padding of the convolution keeps d from going into the bias, to constants c as for
    `scale_before`, none of them zero. Computed in float64, rounded once.
    """
    kernel = Kernel(conv)
    both = affine_of(first, x).then(affine_of(second, first.result))
    factor = along(both.scale, shape_of(x), 1)
    if both.scale is None or both.shift is None or factor is None or not factor.all():
        raise RejectError("there is no factor other than zero")
    if len(shape_of(x) or ()) != kernel.rank:
        raise RejectError("d adds dims to x, whose axis 1 is not that of the channels")
    with np.errstate(over="ignore"):
        moved = both.shift / both.scale
    if moved.size > max(both.shift.size, len(factor)):
        raise RejectError("the quotient of the constants is larger than they are")
    shifted = rw.Add(x, rw.const(rounded(moved, kernel.dtype), name="shift"))
    return rebuilt(rw, conv, shifted, kernel.scale_inputs(factor), b)


@rule(
    P.Conv(
        P.Pad("x", P.const(), P.opt(P.const("value", 0)), P.opt(P.const()), mode="constant").as_("pad").shared(),
        "w",
        P.opt("b"),
    ).as_("conv"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,3,3] x) => (float[1,2,5,3] y) "
        "<float[2,2,1,1] w = {1, 2, 3, 4}, int64[8] p = {0, 0, 1, 0, 0, 0, 1, 0}> "
        "{ a = Pad(x, p) y = Conv(a, w) }"
    ),
)
def pad(rw: Rewriter, conv: Op, pad: Op, x: Value, w: Value, b: Value | None) -> Value:
    """Conv(Pad(x, p), W, b, pads=q) -> Conv(x, W, b, pads=p+q)

    Applies to constant zeros around the spatial axes, and to a convolution whose own pads do not depend on sizes. The
    sums are the same but for terms that are zero; runtimes may take another way to them where a convolution has pads.
    """
    shape = shape_of(w)
    if shape is None:
        raise RejectError(f"the rank of {conv.label} is not known")
    attrs = with_pads(conv, len(shape) - 2, spatial_pads(pad, len(shape)))
    result: Value = rw.Conv(x, w, b, name=conv.name, **attrs)
    return result


def _root_affine(rw: Rewriter, conv: Op) -> Affine:
    assert rw.root is not None
    kernel = Kernel(conv)
    known = shape_of(conv.result) or (None,) * kernel.rank
    shape: Any = (known[0], kernel.outputs, *known[2:])
    both = affine_of(rw.root, conv.result)
    return Affine(along(both.scale, shape, 1), along(both.shift, shape, 1))


def _per_channel(both: Affine, x: Value) -> Affine:
    return Affine(along(both.scale, shape_of(x), 1), along(both.shift, shape_of(x), 1))
