"""Activations that NPUs lack, by the parts that they are defined by (ONNX operators Mish, Softsign, Selu, ...)."""

from __future__ import annotations

import numpy as np

from ...ir import DType, Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
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
    """Shrink(x; lambda, bias) -> Relu(x - lambda) - Relu(-x - lambda), or Where(x > lambda, x - bias, ...)

    Of single or half precision. The first where bias is lambda, which is not negative: what lies within lambda of 0 is
    0 then, the rest comes that much nearer. Else what the definition says: x - bias above lambda, x + bias below
    -lambda, 0 between. Exact but for NaN and the sign of 0.
    """
    bias, bound = rw.attr(op, "bias"), rw.attr(op, "lambd")
    if rw.dtype(x) not in (DType.FLOAT, DType.FLOAT16) or bound < 0:
        raise RejectError("it is of another type than float, or lambda is negative")
    limit = _number(rw, x, bound)
    result: Value
    if bias == bound:
        result = rw.Sub(rw.Relu(rw.Sub(x, limit)), rw.Relu(rw.Sub(rw.Neg(x), limit)))
        return result
    by = _number(rw, x, bias)
    below = rw.Where(rw.Less(x, _number(rw, x, -bound)), rw.Add(x, by), _number(rw, x, 0.0))
    result = rw.Where(rw.Greater(x, limit), rw.Sub(x, by), below)
    return result
