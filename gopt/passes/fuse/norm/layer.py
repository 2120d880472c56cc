"""LayerNormalization and RMSNormalization from means, differences and roots."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....ir import Array, DType, Op, Value
from ....rewrite import Numerics, OpPattern, P, Pattern, RejectError, Rewriter, rule
from ...example import example
from .._affine import affine_of, dtype_of, fits, scaling, shape_of, step
from .._reductions import count, reduced_axes, trailing
from .._scalars import given, keep_shape, line_between, require
from ._lines import epsilon, lined, rank_of, refuse_other_results, sizes

_RMS = 23
# Doubles would be computed in single precision (stash_type), and epsilon is an attribute of that.
_TYPES = (DType.FLOAT, DType.FLOAT16)
_MOST = 1 << 16


def _square(data: Pattern | str) -> Pattern:
    return P.Pow(data, P.const("two", 2)) | P.Mul(data, data)


def _divided(data: Pattern | str, variance: Pattern) -> Pattern:
    """`data` over the root of the variance plus epsilon, or a constant over that times `data`."""
    level = P.Add(variance, P.const("eps"))
    root = P.Sqrt(level) | P.Pow(level, P.const("half", 0.5))
    return (
        P.Div(data, root)
        | P.Mul(data, P.Div(P.const("factor"), root))
        | P.Mul(data, P.Reciprocal(root))
        | P.Mul(data, P.Pow(level, P.const("half", -0.5)))
    )


def _mean_of(data: Pattern | str, name: str) -> OpPattern:
    return P.ReduceMean(data, ..., keepdims=1).as_(name)


def _mean_square(data: Pattern | str) -> Pattern:
    squares = P.ReduceSumSquare(data, ..., keepdims=1).as_("spread")
    return _mean_of(_square(data), "spread") | scaling(squares, "by")


_mean = _mean_of("x", "mean")
_centred = P.Sub("x", _mean).as_("centred")
# E(x * x) - E(x) ** 2, of which some make sure that it is not below zero.
_difference = P.Sub(_mean_square("x"), _square(_mean))
_variance = _mean_square(_centred) | _difference | P.Relu(_difference) | P.Max(_difference, P.const("", 0))


@rule(
    _divided(_centred, _variance),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[2,3,4] x) => (float[2,3,4] y) <float two = {2}, float eps = {0.00001}, int64[1] axes = {-1}> "
        "{ m = ReduceMean(x, axes) c = Sub(x, m) s = Pow(c, two) v = ReduceMean(s, axes) d = Add(v, eps) "
        "r = Sqrt(d) y = Div(c, r) }"
    ),
)
def layer(
    rw: Rewriter,
    mean: Op,
    spread: Op,
    by: Op | None,
    x: Value,
    eps: Value,
    two: Value | None,
    half: Value | None,
    factor: Value | None,
) -> Value:
    """(x - mean(x)) / Sqrt(mean((x - mean(x))**2) + eps) -> LayerNormalization(x, 1; eps)

    Applies to the last axes if their sizes are known. Of all axes but the first two, where the number of channels is
    known, it makes InstanceNormalization (of three axes if the size of the last is not known). The variance may be the
    mean of squares less the square of the mean. Single and half precision alone, the latter computed in the former.
    Rounded otherwise, by the operators' clauses.
    """
    axes = reduced_axes(mean)
    if reduced_axes(spread) != axes:
        raise RejectError("mean and variance are taken over different axes")
    keep_shape(x, two, half)
    _require_mean(spread, by, x)
    normal = _normalised(rw, x, axes, epsilon(x, eps))
    return normal if factor is None else rw.Mul(normal, factor)


@rule(
    _divided("x", _mean_square("x")),
    numerics=Numerics.ROUNDING,
    since=_RMS,
    example=example(
        "(float[2,3,4] x) => (float[2,3,4] y) <float two = {2}, float eps = {0.00001}, int64[1] axes = {-1}> "
        "{ s = Pow(x, two) v = ReduceMean(s, axes) d = Add(v, eps) r = Sqrt(d) i = Reciprocal(r) y = Mul(x, i) }",
        23,
    ),
)
def rms(
    rw: Rewriter,
    spread: Op,
    by: Op | None,
    x: Value,
    eps: Value,
    two: Value | None,
    half: Value | None,
    factor: Value | None,
) -> Value:
    """x / Sqrt(mean(x**2) + eps) -> RMSNormalization(x, 1; eps)

    Applies to the last axes, if their sizes are known, in single and half precision. Rounded otherwise, by the
    operator's clause.
    """
    axes = reduced_axes(spread)
    keep_shape(x, two, half)
    _require_mean(spread, by, x)
    dtype = dtype_of(x)
    if dtype not in _TYPES or dtype is None or not trailing(axes, rank_of(x)):
        raise RejectError("it is not taken over the last axes, or of a type that ONNX Runtime has no kernel for")
    scale = rw.const(np.ones(_small(sizes(x, axes)), dtype.numpy), name="scale")
    normal: Value = rw.RMSNormalization(x, scale, axis=-len(axes), epsilon=epsilon(x, eps))
    return normal if factor is None else rw.Mul(normal, factor)


@rule(
    step(P.op("LayerNormalization", "RMSNormalization")("x", P.const("scale"), P.opt(P.const("bias"))).as_("norm")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[2,4] x) => (float[2,4] y) <float[4] s = {1, 2, 3, 4}, float[4] b = {4, 3, 2, 1}> "
        "{ a = LayerNormalization(x, s) y = Add(a, b) }"
    ),
)
def layer_line(rw: Rewriter, norm: Op, x: Value, scale: Value, bias: Value | None) -> Value:
    """LayerNormalization(x, s, b) * c + d -> LayerNormalization(x, s * c, b * c + d); RMSNormalization times c

    Applies to constants that vary along the normalised axes alone. Computed in double precision, rounded once.
    """
    refuse_other_results(norm)
    affine, wide = affine_of(rw.root, norm.result), given(scale.const).shape
    if affine.shift is not None and norm.op_type != "LayerNormalization":
        raise RejectError("RMSNormalization has no bias")
    for constant in (affine.scale, affine.shift):
        if constant is not None and not fits(constant.shape, wide):
            raise RejectError("the constant varies along other axes")
    if dtype_of(scale) is not dtype_of(x):
        raise RejectError("the weights are of another type")
    operands = lined(rw, scale, bias, affine, wide)
    attrs: dict[str, Any] = rw.copy_attrs(norm)
    result: Value = rw.op(norm.op_type, x, *operands, name=norm.name, **attrs)
    return result


@rule(
    P.Cast(
        P.op("LayerNormalization", "RMSNormalization")(
            P.Cast("x", to=int(DType.FLOAT)), P.const("scale"), P.opt(P.const("bias")), stash_type=1
        ).as_("norm"),
        to=int(DType.FLOAT16),
    ),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float16[2,4] x) => (float16[2,4] y) <float[4] s = {1, 2, 3, 4}, float[4] b = {4, 3, 2, 1}> "
        "{ a = Cast <to = 1> (x) c = LayerNormalization(a, s, b) y = Cast <to = 10> (c) }"
    ),
)
def half(rw: Rewriter, norm: Op, x: Value, scale: Value, bias: Value | None) -> Value:
    """Cast(LayerNormalization(Cast(x, float), s, b), float16) -> LayerNormalization(x, s, b); RMSNormalization too

    Applies to half precision whose normalisation is computed in single precision, which the operators do of themselves
    (stash_type), if scale and bias are numbers of half precision. The product and the sum are rounded to half
    precision each.
    """
    refuse_other_results(norm)
    if dtype_of(x) is not DType.FLOAT16:
        raise RejectError("it is not of half precision")
    operands = [None if v is None else rw.const(_exactly(rw.array(v)), name=v.name) for v in (scale, bias)]
    attrs: dict[str, Any] = rw.copy_attrs(norm)
    result: Value = rw.op(norm.op_type, x, *operands, name=norm.name, **attrs)
    return result


def _exactly(array: Array) -> Array:
    """An array in half precision.

    Raises:
        RejectError: that would round it.
    """
    with np.errstate(over="ignore"):
        result = array.astype(np.float16)
    if not np.array_equal(result.astype(array.dtype), array):
        raise RejectError("the weights are not of half precision")
    return result


def _require_mean(spread: Op, by: Op | None, x: Value) -> None:
    """Raise RejectError if a sum of squares is divided by something else than their number."""
    if by is not None:
        scale = line_between(by.result, spread.result).scale
        require(scale, 1 / count(x, reduced_axes(spread)), given(dtype_of(x)))


def _normalised(rw: Rewriter, x: Value, axes: tuple[int, ...], eps: float) -> Value:
    rank, dtype = rank_of(x), dtype_of(x)
    if not trailing(axes, rank) or dtype not in _TYPES or dtype is None:
        raise RejectError("it is not taken over the last axes, or of a type that ONNX Runtime has no kernel for")
    result: Value
    is_instance = len(axes) == rank - 2
    if is_instance and (rank > 3 or (rank == 3 and not isinstance(given(shape_of(x))[2], int))):
        channels = sizes(x, (1,))
        ones, zeros = (
            rw.const(make(channels, dtype.numpy), name=n) for make, n in ((np.ones, "scale"), (np.zeros, "bias"))
        )
        result = rw.InstanceNormalization(x, ones, zeros, epsilon=eps)
        return result
    scale = rw.const(np.ones(_small(sizes(x, axes)), dtype.numpy), name="scale")
    result = rw.LayerNormalization(x, scale, axis=-len(axes), epsilon=eps)
    return result


def _small(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a scale, if it is small: it adds to the size of the model.

    Raises:
        RejectError: it is large.
    """
    if np.prod(shape) > _MOST:
        raise RejectError("the scale would be large")
    return shape
