"""Rectifiers: Relu, LeakyRelu, PRelu and ThresholdedRelu from comparisons, maxima and sums."""

from __future__ import annotations

import numpy as np

from ....ir import Array, Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ...example import example
from .._affine import affine_of, dtype_of, fits, rounded, scaling, shape_of
from .._scalars import floating, keep_shape, line_between, require, scalar, single

_ZERO = P.const("zero")
_above = (P.Greater | P.GreaterOrEqual)("x", _ZERO) | (P.Less | P.LessOrEqual)(_ZERO, "x")
_below = (P.Less | P.LessOrEqual)("x", _ZERO) | (P.Greater | P.GreaterOrEqual)(_ZERO, "x")
_scaled = scaling("x", "scale")
_minus = P.Neg("x") | P.Mul("x", P.const("minus", -1))
# What is x below zero and 0 above, and what is -x there.
_lower = P.Min("x", _ZERO) | P.Clip("x", P.opt(P.const("low")), _ZERO)
_mirrored = P.Relu(_minus)
_doubled = P.Sub("x", P.Abs("x"))


@rule(
    P.Where(_above, "x", P.const("other")) | P.Where(_below, P.const("other"), "x"),
    numerics=Numerics.FINITE,
    example=example("(float[3] x) => (float[3] y) <float zero = {0}> { a = Greater(x, zero) y = Where(a, x, zero) }"),
)
def by_where(rw: Rewriter, zero: Value, x: Value, other: Value) -> Value:
    """Where(x > 0, x, 0) -> Relu(x); Where(x > a, x, 0) -> ThresholdedRelu(x; a) for a > 0

    Applies to floating-point scalars; of Relu likewise >=, and < or <= with the other order.
    """
    floating(x)
    root = rw.root
    bound = scalar(zero, x)
    if scalar(other, x):
        raise RejectError("what stands for the rest is not 0")
    result: Value
    if not bound:
        result = rw.Relu(x)
        return result
    single(x)
    condition = root.inputs[0].producer if root is not None and root.inputs[0] is not None else None
    if condition is None or bound < 0 or root.inputs[1] is not x or condition.op_type.endswith("OrEqual"):
        raise RejectError("it is no threshold above 0 that x must exceed")
    result = rw.ThresholdedRelu(x, alpha=bound)
    return result


@rule(
    P.Where(_above, "x", _scaled) | P.Where(_below, _scaled, "x") | P.Max("x", _scaled),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3] x) => (float[3] y) <float zero = {0}, float c = {0.1}> "
        "{ a = Greater(x, zero) b = Mul(x, c) y = Where(a, x, b) }"
    ),
)
def leaky(rw: Rewriter, scale: Op, zero: Value | None, x: Value) -> Value:
    """Where(x > 0, x, x * a) -> LeakyRelu(x; a); likewise >=, <, <=, and Max(x, x * a) for a from 0 to 1

    Applies to scalars, in single or half precision. Rounded otherwise where x is divided by 1/a.
    """
    single(x)
    alpha = line_between(scale.result, x).scale
    if zero is None and not 0 <= alpha <= 1:
        raise RejectError("the maximum is no rectifier")
    if zero is not None and scalar(zero, x):
        raise RejectError("the bound is not 0")
    result: Value = rw.LeakyRelu(x, alpha=alpha)
    return result


@rule(
    P.Add(P.Relu("x"), scaling(_mirrored | _lower | _doubled, "scale"))
    | P.Sub(P.Relu("x"), scaling(_mirrored | _lower | _doubled, "scale")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,3] x) => (float[1,3] y) <float[3] c = {0.1, 0.2, 0.3}> "
        "{ a = Relu(x) b = Neg(x) d = Relu(b) e = Mul(d, c) y = Sub(a, e) }"
    ),
)
def by_sum(rw: Rewriter, scale: Op, zero: Value | None, low: Value | None, minus: Value | None, x: Value) -> Value:
    """Relu(x) - a * Relu(-x) -> PRelu(x, a), or LeakyRelu(x; a) for a scalar; as Keras exports it

    Applies to single and half precision and an a that does not enlarge x; likewise Relu(x) + a * Min(x, 0), and
    Relu(x) + a/2 * (x - Abs(x)). At most one of the terms is not 0: the sum rounds nothing.
    """
    dtype, root = single(x), rw.root
    keep_shape(x, minus)
    if low is not None or (zero is not None and scalar(zero, x)):
        raise RejectError("what lies below zero is changed otherwise")
    data = next((v for v in scale.inputs if v is not None and v.const is None), None)
    inner = None if data is None else data.producer
    if root is None or data is None or inner is None:
        raise RejectError("no sum of two sides")
    slope = affine_of(scale, data).scale
    assert slope is not None
    slope = slope * {"Relu": -1.0, "Sub": 2.0}.get(inner.op_type, 1.0)
    if root.op_type == "Sub":
        slope = -slope
    return _rectified(rw, x, rounded(slope, dtype))


@rule(
    scaling(P.Add("x", P.Abs("x")).as_("sum")),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x) => (float[3] y) <float c = {0.5}> { a = Abs(x) b = Add(x, a) y = Mul(b, c) }"),
)
def by_abs(rw: Rewriter, sum: Op, x: Value) -> Value:
    """(x + Abs(x)) / 2 -> Relu(x)

    Applies to floating-point numbers. Equal but where the sum overflows.
    """
    root = rw.root
    require(line_between(root.result, sum.result).scale, 0.5, floating(x))
    result: Value = rw.Relu(x)
    return result


def _rectified(rw: Rewriter, x: Value, slope: Array) -> Value:
    """x above zero, slope * x below: PRelu takes a slope that is broadcast to x alone."""
    if not fits(slope.shape, shape_of(x)):
        raise RejectError("the slope may enlarge x")
    result: Value
    if slope.size == 1:
        result = rw.LeakyRelu(x, alpha=float(slope.astype(np.float64).reshape(-1)[0]))
    else:
        result = rw.PRelu(x, rw.const(slope, dtype_of(x), name="slope"))
    return result
