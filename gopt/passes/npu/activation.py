"""Activations that NPUs lack, by the parts that they are defined by (ONNX operators Mish, Softsign, Selu, ...)."""

from __future__ import annotations

import numpy as np

from ...ir import Op, Value
from ...rewrite import Numerics, P, Rewriter, rule
from ..example import example


def _number(rw: Rewriter, x: Value, number: float) -> Value:
    return rw.const(np.asarray(number), like=x)


@rule(
    P.Mish("x"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3,4,4] x) => (float[2,3,4,4] y) { y = Mish(x) }"),
)
def mish(rw: Rewriter, x: Value) -> Value:
    """Mish(x) -> x Tanh(Softplus(x))

    Rounds in between, as the body that ONNX gives for Mish does.
    """
    result: Value = rw.Mul(x, rw.Tanh(rw.Softplus(x)))
    return result


@rule(
    P.Softsign("x"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3,4,4] x) => (float[2,3,4,4] y) { y = Softsign(x) }"),
)
def softsign(rw: Rewriter, x: Value) -> Value:
    """Softsign(x) -> x / (1 + Abs(x))

    Rounds as the definition does.
    """
    result: Value = rw.Div(x, rw.Add(rw.Abs(x), _number(rw, x, 1.0)))
    return result


@rule(
    P.Selu("x").as_("op"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3,4,4] x) => (float[2,3,4,4] y) { y = Selu(x) }"),
)
def selu(rw: Rewriter, x: Value, op: Op) -> Value:
    """Selu(x; alpha, gamma) -> gamma Elu(x; alpha)

    The same product, rounded in the same place by most kernels.
    """
    result: Value = rw.Mul(rw.Elu(x, alpha=rw.attr(op, "alpha")), _number(rw, x, rw.attr(op, "gamma")))
    return result


@rule(
    P.Celu("x").as_("op"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3,4,4] x) => (float[2,3,4,4] y) { y = Celu<alpha = 2.0>(x) }"),
)
def celu(rw: Rewriter, x: Value, op: Op) -> Value:
    """Celu(x; a) -> a Elu(x / a)

    Applies where a is positive: for x < 0 both are a (exp(x / a) - 1). Rounds the quotient for x > 0, too.
    """
    alpha = rw.attr(op, "alpha")
    if not alpha > 0:
        return rw.reject("alpha is not positive")  # type: ignore[return-value]
    result: Value = rw.Mul(rw.Elu(rw.Div(x, _number(rw, x, alpha))), _number(rw, x, alpha))
    return result


@rule(
    P.Shrink("x").as_("op"),
    numerics=Numerics.FINITE,
    example=example("(float[2,3,4,4] x) => (float[2,3,4,4] y) { y = Shrink<lambd = 0.25, bias = 0.25>(x) }"),
)
def shrink(rw: Rewriter, x: Value, op: Op) -> Value:
    """Shrink(x; lambda, bias) -> Relu(x - lambda) - Relu(-x - lambda)

    Applies where bias is lambda, which must not be negative: what lies within lambda of 0 is 0 then, the rest comes
    that much nearer. Exact but for NaN and the sign of 0.
    """
    bias, bound = rw.attr(op, "bias"), rw.attr(op, "lambd")
    if bias != bound or bound < 0:
        return rw.reject("bias is not lambda")  # type: ignore[return-value]
    limit = _number(rw, x, bound)
    result: Value = rw.Sub(rw.Relu(rw.Sub(x, limit)), rw.Relu(rw.Sub(rw.Neg(x), limit)))
    return result
