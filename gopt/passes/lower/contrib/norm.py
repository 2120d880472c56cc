"""Normalizations of ONNX Runtime's own, and those that it writes into opsets that have them not."""

from __future__ import annotations

from ....ir import DType, Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ...example import example
from ._common import FLOATS, MS, needed, number, text

_NEW = 17
"""The opset that has LayerNormalization."""
_EPSILON = 1e-5


@rule(
    P.op("SkipLayerNormalization", domain=MS)("x", "skip", "scale", P.opt("shift"), P.opt("b")).as_("op"),
    numerics=Numerics.ROUNDING,
    example=text(
        "(float[2,4,3] x, float[2,4,3] z, float[3] s, float[3] t, float[3] b) => (float[2,4,3] y)",
        "SkipLayerNormalization<epsilon = 0.001>(x, z, s, t, b)",
    ),
)
def skip(
    rw: Rewriter, x: Value, skip: Value, scale: Value, shift: Value | None, b: Value | None, op: Op
) -> tuple[Value | None, ...]:
    """SkipLayerNormalization(x, z, s, t, b) -> LayerNormalization(x + z + b, s, t), and the sum

    Where mean and deviation are not used. Rounds in other places.
    """
    summed = _sum(rw, x, skip, b)
    return normalized(rw, summed, scale, shift, -1, op.attr("epsilon", 1e-12)), None, None, summed


@rule(
    P.op("SkipSimplifiedLayerNormalization", domain=MS)("x", "skip", "scale", P.opt("b")).as_("op"),
    numerics=Numerics.ROUNDING,
    example=text(
        "(float[2,4,3] x, float[2,4,3] z, float[3] s) => (float[2,4,3] y)", "SkipSimplifiedLayerNormalization(x, z, s)"
    ),
)
def skip_simplified(
    rw: Rewriter, x: Value, skip: Value, scale: Value, b: Value | None, op: Op
) -> tuple[Value | None, ...]:
    """SkipSimplifiedLayerNormalization(x, z, s, b) -> v s / sqrt(mean(v^2) + e) of v = x + z + b, and v

    Where the deviation is not used. Rounds in other places.
    """
    summed = _sum(rw, x, skip, b)
    return _simplified(rw, summed, scale, -1, op.attr("epsilon", 1e-12)), None, None, summed


def _sum(rw: Rewriter, x: Value, skip: Value, b: Value | None) -> Value:
    if any(v is not None and v.is_needed for v in rw.root.outputs[1:3]):
        raise RejectError("mean or deviation is used")
    result: Value = rw.Add(x, skip)
    return result if b is None else rw.Add(result, b)


@rule(
    P.op("SimplifiedLayerNormalization")("x", "scale").as_("op"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,4,3] x, float[3] s) => (float[2,4,3] y) { y = SimplifiedLayerNormalization(x, s) }"),
)
def simplified(rw: Rewriter, x: Value, scale: Value, op: Op) -> Value:
    """SimplifiedLayerNormalization(x, s) -> x s / sqrt(mean(x^2) + e)

    ONNX Runtime writes it into the standard domain, which does not have it. Rounds in other places.
    """
    needed(rw, 1)
    return _simplified(rw, x, scale, op.attr("axis", -1), op.attr("epsilon", _EPSILON))


@rule(
    P.op("LayerNormalization")("x", "scale", P.opt("shift")).legacy().as_("op"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,4,3] x, float[3] s) => (float[2,4,3] y) { y = LayerNormalization(x, s) }", 13),
)
def old(rw: Rewriter, x: Value, scale: Value, shift: Value | None, op: Op) -> Value:
    """LayerNormalization(x, s, t) -> (x - m) s / sqrt(mean((x - m)^2) + e) + t, m = mean(x)

    In models that import an opset below 17, which has no such operator: ONNX Runtime writes it there. Rounds in other
    places.
    """
    if rw.opset() >= _NEW:
        raise RejectError("the opset has the operator")
    needed(rw, 1)
    return normalized(rw, x, scale, shift, op.attr("axis", -1), op.attr("epsilon", _EPSILON))


def normalized(rw: Rewriter, x: Value, scale: Value, shift: Value | None, axis: int, epsilon: float) -> Value:
    """LayerNormalization, in operators that the opset has.

    Raises:
        RejectError: what it takes is not known.
    """
    result: Value
    if rw.opset() >= _NEW:
        result = rw.LayerNormalization(x, scale, shift, axis=axis, epsilon=epsilon)
        return result
    axes = _axes(rw, x, axis)
    off = rw.Sub(x, rw.ReduceMean(x, axes))
    result = rw.Div(off, rw.Sqrt(rw.Add(rw.ReduceMean(rw.Mul(off, off), axes), number(rw, epsilon, x))))
    result = rw.Mul(result, scale)
    return result if shift is None else rw.Add(result, shift)


def _simplified(rw: Rewriter, x: Value, scale: Value, axis: int, epsilon: float) -> Value:
    mean = rw.ReduceMean(rw.Mul(x, x), _axes(rw, x, axis))
    result: Value = rw.Mul(rw.Div(x, rw.Sqrt(rw.Add(mean, number(rw, epsilon, x)))), scale)
    return result


def _axes(rw: Rewriter, x: Value, axis: int) -> list[int]:
    """The axes from this one on.

    Raises:
        RejectError: the rank is not known, or the elements are no floats of 32 bits, in which the mean is computed.
    """
    if rw.dtype(x) is not DType.FLOAT:
        raise RejectError(
            "mean and deviation are computed in another type than that of the elements"
            if rw.dtype(x) in FLOATS
            else "the element type is not known"
        )
    if axis == -1:
        return [-1]
    shape = rw.shape(x)
    if shape is None:
        raise RejectError("the rank is not known")
    return list(range(axis % len(shape), len(shape)))
