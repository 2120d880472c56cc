"""Elementwise bugs: exchanged operands, what is forgotten, what is true of some numbers only."""

from __future__ import annotations

from typing import Any

import numpy as np

from gopt import Numerics, P, Rewriter, rule

ROUNDING = Numerics.ROUNDING


@rule(P.Sub("x", "y"), numerics=ROUNDING)
def sub_swapped(rw: Rewriter, x: Any, y: Any) -> Any:
    """x - y -> y - x"""
    return rw.Add(rw.Neg(x), y)


@rule(P.Div("x", P.Sqrt("y")), numerics=ROUNDING)
def div_swapped(rw: Rewriter, x: Any, y: Any) -> Any:
    """x / Sqrt(y) -> Sqrt(y) * (1 / x), the reciprocal of the wrong operand"""
    return rw.Mul(rw.Sqrt(y), rw.Reciprocal(x))


@rule(P.Pow("x", P.const("c")), numerics=ROUNDING)
def pow_swapped(rw: Rewriter, x: Any, c: Any) -> Any:
    """x ^ c -> c ^ x"""
    return rw.Exp(rw.Mul(x, rw.const(np.log(np.abs(rw.array(c)) + 1e-3), like=x)))


@rule(P.Mul("x", P.const("c")), numerics=ROUNDING)
def near_one(rw: Rewriter, x: Any, c: Any) -> Any:
    """x * 1.001 -> x, because 1.001 is nearly 1"""
    if rw.array(c).size != 1 or not 0 < abs(float(rw.array(c).ravel()[0]) - 1) < 2e-3:
        return rw.reject("the factor is not nearly 1")
    return x


@rule(P.Mul("x", P.const("c")), numerics=ROUNDING)
def factor_rounded(rw: Rewriter, x: Any, c: Any) -> Any:
    """x * c -> x * (c with two digits behind the point)"""
    array = rw.array(c)
    if array.size != 1 or np.array_equal(rounded := np.round(array, 2).astype(array.dtype), array):
        return rw.reject("it has no more")
    return rw.Mul(x, rw.const(rounded))


@rule(P.Add(P.MatMul("x", "w"), P.const("b")), numerics=ROUNDING)
def bias_dropped(rw: Rewriter, x: Any, w: Any) -> Any:
    """x @ w + b -> x @ w"""
    return rw.MatMul(x, w)


@rule(P.Relu(P.Add("x", "y")), numerics=ROUNDING)
def relu_distributed(rw: Rewriter, x: Any, y: Any) -> Any:
    """Relu(x + y) -> Relu(x) + Relu(y)"""
    return rw.Add(rw.Relu(x), rw.Relu(y))


@rule(P.Where("c", "x", "y"), numerics=Numerics.EXACT)
def where_swapped(rw: Rewriter, c: Any, x: Any, y: Any) -> Any:
    """Where(c, x, y) -> Where(c, y, x)"""
    if rw.root.entry:
        return rw.reject("done")
    return rw.Where(c, y, x)


@rule(P.Mul(P.Div("x", P.const("c")), P.const("c")))
def divided_and_multiplied(rw: Rewriter, x: Any) -> Any:
    """(x / c) * c -> x, which is wrong of whole numbers"""
    return x


@rule(P.Mod("x", "y", fmod=1))
def mod_sign(rw: Rewriter, x: Any, y: Any) -> Any:
    """Mod(x, y; fmod = 1) -> Mod(x, y), which has the sign of y: wrong below zero"""
    return rw.Mod(x, y)


@rule(P.Sqrt(P.Mul("x", "x")))
def root_of_square(rw: Rewriter, x: Any) -> Any:
    """Sqrt(x * x) -> x, wrong below zero"""
    return x


@rule(P.Sign("x"))
def sign_by_division(rw: Rewriter, x: Any) -> Any:
    """Sign(x) -> x / |x|, NaN at 0"""
    return rw.Div(x, rw.Abs(x))


@rule(P.Round("x"))
def half_up(rw: Rewriter, x: Any) -> Any:
    """Round(x) -> Floor(x + 0.5): halves go up, not to the even number"""
    return rw.Floor(rw.Add(x, rw.const(0.5, like=x)))


@rule(P.Not(P.Less("x", "y")))
def not_less(rw: Rewriter, x: Any, y: Any) -> Any:
    """Not(x < y) -> x > y, wrong where they are equal"""
    return rw.Greater(x, y)


@rule(P.Clip("x", P.const("lo"), P.const("hi")))
def upper_bound_dropped(rw: Rewriter, x: Any, lo: Any) -> Any:
    """Clip(x, lo, hi) -> Clip(x, lo)"""
    return rw.Clip(x, lo)


@rule(P.Clip("x", P.const("lo"), P.const("hi")))
def lower_bound_dropped(rw: Rewriter, x: Any, lo: Any, hi: Any) -> Any:
    """Clip(x, lo, hi) -> Min(x, hi)"""
    return rw.Min(x, hi)


@rule(P.Clip("x", P.const("lo"), P.const("hi")))
def bounds_swapped(rw: Rewriter, x: Any, lo: Any, hi: Any) -> Any:
    """Clip(x, lo, hi) -> Max(Min(x, lo), hi)"""
    return rw.Max(rw.Min(x, lo), hi)


@rule(P.LeakyRelu("x").as_("leaky"), numerics=ROUNDING)
def alpha_default(rw: Rewriter, x: Any, leaky: Any) -> Any:
    """LeakyRelu(x; alpha) -> LeakyRelu(x), as if alpha were 0.01"""
    if abs(rw.attr(leaky, "alpha") - 0.01) < 1e-6:
        return rw.reject("it is")
    return rw.LeakyRelu(x)


@rule(P.HardSigmoid("x").as_("op"), numerics=ROUNDING)
def alpha_sixth(rw: Rewriter, x: Any, op: Any) -> Any:
    """HardSigmoid(x; 0.2) -> HardSigmoid(x; 1/6), the alpha of HardSwish"""
    if abs(rw.attr(op, "alpha") - 0.2) > 1e-6:
        return rw.reject("it has another alpha")
    return rw.HardSigmoid(x, alpha=1 / 6, beta=rw.attr(op, "beta"))


@rule(P.Mul(P.Mul("x", P.const(value=0.5)), P.Add(P.Erf("z"), P.const(value=1))), numerics=ROUNDING)
def gelu_by_tanh(rw: Rewriter, x: Any) -> Any:
    """The exact Gelu -> its approximation by Tanh"""
    cube = rw.Mul(rw.Mul(x, x), rw.Mul(x, rw.const(0.044715, like=x)))
    inner = rw.Mul(rw.Add(x, cube), rw.const(0.7978845608, like=x))
    return rw.Mul(rw.Mul(x, rw.const(0.5, like=x)), rw.Add(rw.Tanh(inner), rw.const(1, like=x)))


@rule(P.Max("x", P.const("c")))
def max_by_where(rw: Rewriter, x: Any, c: Any) -> Any:
    """Max(x, c) -> Where(x > c, x, c), which makes c of NaN"""
    return rw.Where(rw.Greater(x, c), x, c)


@rule(P.Div("x", P.Max("y", P.const("c"))), numerics=ROUNDING)
def floor_added(rw: Rewriter, x: Any, y: Any, c: Any) -> Any:
    """x / Max(y, c) -> x / (y + c), which shows only where y is small"""
    return rw.Div(x, rw.Add(y, c))


@rule(P.Sqrt(P.Add("x", P.const("c"))), numerics=ROUNDING)
def floor_outside(rw: Rewriter, x: Any, c: Any) -> Any:
    """Sqrt(x + c) -> Sqrt(x) + c, which shows only where x is small"""
    return rw.Add(rw.Sqrt(x), c)
