"""Normalization spelled out (ONNX operators LayerNormalization, MeanVarianceNormalization)."""

from __future__ import annotations

import numpy as np

from ...ir import Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example

_EPSILON = 1e-9  # of MeanVarianceNormalization, as the body that ONNX gives for it has it


@rule(
    P.LayerNormalization("x", "scale", B=P.opt("bias")).as_("op"),
    example='<ir_version: 8, opset_import: ["" : 17]>\nexample (float[2,3,4] x, float[4] s) => (float[2,3,4] y) '
    "{ y = LayerNormalization(x, s) }",
)
def defaults(rw: Rewriter, x: Value, scale: Value, bias: Value | None, op: Op) -> Value:
    """LayerNormalization(x) -> LayerNormalization(x; axis = -1, epsilon = 1e-5)

    Writes down the defaults of attributes that are not given. Exact.
    """
    if "axis" in op.attrs and "epsilon" in op.attrs:
        raise RejectError("both are given")
    if any(v is not None and v.is_needed for v in op.outputs[1:]):
        raise RejectError("mean or deviation are used")
    attrs = rw.copy_attrs(op)
    attrs.setdefault("axis", rw.attr(op, "axis"))
    attrs.setdefault("epsilon", rw.attr(op, "epsilon"))
    result: Value = rw.LayerNormalization(x, scale, bias, **attrs)
    return result


@rule(
    P.MeanVarianceNormalization("x").as_("op"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3,4,4] x) => (float[2,3,4,4] y) { y = MeanVarianceNormalization<axes = [0, 2, 3]>(x) }"),
)
def mean_variance(rw: Rewriter, x: Value, op: Op) -> Value:
    """MeanVarianceNormalization(x) -> (x - m) / (Sqrt(mean of (x - m)^2) + 1e-9), m being the mean

    The deviation from the mean directly: rounds less than the difference of mean squares in the operator's definition.
    """
    axes, shape = list(rw.attr(op, "axes")), rw.shape(x)
    if shape is None or any(not -len(shape) <= axis < len(shape) for axis in axes):
        raise RejectError("the rank is unknown, or has no such axes")
    away = rw.Sub(x, rw.ReduceMean(x, axes=axes, keepdims=1))
    deviation = rw.Sqrt(rw.ReduceMean(rw.Mul(away, away), axes=axes, keepdims=1))
    result: Value = rw.Div(away, rw.Add(deviation, rw.const(np.asarray(_EPSILON), like=x)))
    return result
