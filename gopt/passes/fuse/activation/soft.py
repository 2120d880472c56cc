"""Smooth activations from their formulas: Softplus, Mish, Softsign, Elu, Selu and Celu."""

from __future__ import annotations

from ....ir import Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ...example import example
from .._affine import scaling, shifting
from .._reductions import refuse_many
from .._scalars import given, line_between, require, scalar, single, some_line

_ZERO = P.const("zero")


@rule(
    P.Log(shifting(P.Exp("x").as_("exp"), "plus")),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x) => (float[3] y) <float one = {1}> { a = Exp(x) b = Add(a, one) y = Log(b) }"),
)
def softplus(rw: Rewriter, exp: Op, plus: Op, x: Value) -> Value:
    """Log(Exp(x) + 1) -> Softplus(x)

    Applies to few numbers of single or half precision: of many ONNX Runtime's kernel is slower than those of the
    parts. By the clause of Softplus; rounded otherwise, and finite where Exp overflows.
    """
    dtype = single(x)
    refuse_many(x)
    sum_ = line_between(plus.result, exp.result)
    require(sum_.scale, 1.0, dtype)
    require(sum_.shift, 1.0, dtype)
    result: Value = rw.Softplus(x)
    return result


@rule(
    P.Mul("x", P.Tanh(P.Softplus("x"))),
    numerics=Numerics.ROUNDING,
    since=18,
    example=example("(float[3] x) => (float[3] y) { a = Softplus(x) b = Tanh(a) y = Mul(x, b) }"),
)
def mish(rw: Rewriter, x: Value) -> Value:
    """x * Tanh(Softplus(x)) -> Mish(x)

    Applies to single and half precision. By the clause of Mish; rounded otherwise.
    """
    single(x)
    result: Value = rw.Mish(x)
    return result


@rule(
    P.Div("x", shifting(P.Abs("x").as_("abs"), "plus")),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x) => (float[3] y) <float one = {1}> { a = Abs(x) b = Add(a, one) y = Div(x, b) }"),
)
def softsign(rw: Rewriter, abs: Op, plus: Op, x: Value) -> Value:
    """x / (1 + Abs(x)) -> Softsign(x)

    Applies to single and half precision. By the clause of Softsign, which may round otherwise.
    """
    dtype = single(x)
    sum_ = line_between(plus.result, abs.result)
    require(sum_.scale, 1.0, dtype)
    require(sum_.shift, 1.0, dtype)
    result: Value = rw.Softsign(x)
    return result


@rule(
    P.Where((P.Greater | P.GreaterOrEqual)("x", _ZERO), "x", some_line(P.Exp("x").as_("exp"))),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3] x) => (float[3] y) <float zero = {0}, float one = {1}> "
        "{ a = Greater(x, zero) b = Exp(x) c = Sub(b, one) y = Where(a, x, c) }"
    ),
)
def elu(rw: Rewriter, exp: Op, zero: Value, x: Value) -> Value:
    """Where(x > 0, x, (Exp(x) - 1) * a) -> Elu(x; a)

    Applies to a scalar a > 0 and few numbers (see `softplus`) of single or half precision; likewise >=. By the clause
    of Elu; rounded otherwise.
    """
    dtype = single(x)
    refuse_many(x)
    if scalar(zero, x):
        raise RejectError("the bound is not 0")
    below = line_between(given(rw.root.inputs[2]), exp.result)
    require(-below.shift / below.scale, 1.0, dtype)
    if below.scale < 0:
        raise RejectError("it falls")
    result: Value = rw.Elu(x, alpha=below.scale)
    return result


@rule(
    scaling(P.Elu("x").as_("elu")),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x) => (float[3] y) <float c = {1.05}> { a = Elu <alpha = 1.6> (x) y = Mul(a, c) }"),
)
def selu(rw: Rewriter, elu: Op, x: Value) -> Value:
    """Elu(x; a) * c -> Selu(x; a, c)

    Applies to a scalar c > 0, in single or half precision. By the clause of Selu; rounded otherwise.
    """
    root = rw.root
    single(x)
    gamma = line_between(root.result, elu.result).scale
    if gamma <= 0:
        raise RejectError("the factor is not positive")
    result: Value = rw.Selu(x, alpha=rw.attr(elu, "alpha"), gamma=gamma)
    return result


@rule(
    scaling(P.Elu(scaling("x"), alpha=1.0).as_("elu")) | P.Selu(scaling("x"), alpha=1.0).as_("elu"),
    numerics=Numerics.ROUNDING,
    since=12,
    example=example(
        "(float[3] x) => (float[3] y) <float c = {0.5}, float d = {2}> { a = Mul(x, c) b = Elu(a) y = Mul(b, d) }"
    ),
)
def celu(rw: Rewriter, elu: Op, x: Value) -> Value:
    """Elu(x / a) * a -> Celu(x; a)

    Applies to a scalar a > 0, in single precision. By the clause of Celu; rounded otherwise.
    """
    dtype, root, data = single(x), rw.root, given(elu.inputs[0])
    if dtype.bits != 32:
        raise RejectError("ONNX Runtime has Celu of single precision alone")
    outer = rw.attr(elu, "gamma") if elu.op_type == "Selu" else line_between(root.result, elu.result).scale
    require(outer * line_between(data, x).scale, 1.0, dtype)
    if outer <= 0:
        raise RejectError("the factor is not positive")
    result: Value = rw.Celu(x, alpha=outer)
    return result
