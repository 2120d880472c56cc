"""Activations of ONNX Runtime's own."""

from __future__ import annotations

import numpy as np

from ....ir import Op, Value
from ....rewrite import Numerics, P, Rewriter, rule
from ._common import MS, number, text


@rule(
    P.op("Gelu", domain=MS)("x"),
    numerics=Numerics.ROUNDING,
    example=text("(float[2,3] x) => (float[2,3] y)", "Gelu(x)"),
)
def gelu(rw: Rewriter, x: Value) -> Value:
    """com.microsoft.Gelu(x) -> x (1 + Erf(x / sqrt(2))) / 2

    Rounds in other places.
    """
    return _gelu(rw, x)


@rule(
    P.op("BiasGelu", domain=MS)("x", "b"),
    numerics=Numerics.ROUNDING,
    example=text("(float[2,3] x, float[3] b) => (float[2,3] y)", "BiasGelu(x, b)"),
)
def bias_gelu(rw: Rewriter, x: Value, b: Value) -> Value:
    """BiasGelu(x, b) -> z (1 + Erf(z / sqrt(2))) / 2 of z = x + b

    Rounds in other places.
    """
    return _gelu(rw, rw.Add(x, b))


def _gelu(rw: Rewriter, x: Value) -> Value:
    half, root, one = (number(rw, v, x) for v in (0.5, np.sqrt(2.0), 1.0))
    result: Value = rw.Mul(rw.Mul(x, rw.Add(rw.Erf(rw.Div(x, root)), one)), half)
    return result


@rule(
    P.op("FastGelu", domain=MS)("x", P.opt("b")),
    numerics=Numerics.ROUNDING,
    example=text("(float[2,3] x, float[3] b) => (float[2,3] y)", "FastGelu(x, b)"),
)
def fast_gelu(rw: Rewriter, x: Value, b: Value | None) -> Value:
    """FastGelu(x, b) -> z (1 + Tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2 of z = x + b

    Rounds in other places.
    """
    if b is not None:
        x = rw.Add(x, b)
    half, one, cubic, factor = (number(rw, v, x) for v in (0.5, 1.0, 0.044715, np.sqrt(2.0 / np.pi)))
    cube = rw.Mul(rw.Mul(x, x), x)
    inner = rw.Mul(rw.Add(x, rw.Mul(cube, cubic)), factor)
    result: Value = rw.Mul(rw.Mul(x, rw.Add(rw.Tanh(inner), one)), half)
    return result


@rule(
    P.op("QuickGelu", domain=MS)("x").as_("op"),
    numerics=Numerics.ROUNDING,
    example=text("(float[2,3] x) => (float[2,3] y)", "QuickGelu<alpha = 1.702>(x)"),
)
def quick_gelu(rw: Rewriter, x: Value, op: Op) -> Value:
    """QuickGelu(x; alpha) -> x Sigmoid(alpha x)

    Rounds in other places.
    """
    alpha = op.attr("alpha", 1.702)
    gate = x if alpha == 1.0 else rw.Mul(x, number(rw, alpha, x))
    result: Value = rw.Mul(x, rw.Sigmoid(gate))
    return result
