"""Reciprocals become divisions or products, negations become subtractions."""

from __future__ import annotations

import numpy as np

from ...ir import DType, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._affine import FLOATS, dtype_of, elements, fits, rounded, shape_of

_one_by_y = P.Reciprocal("y") | P.Div(P.const("one", 1), "y")


@rule(
    P.Mul("x", _one_by_y),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x, float[3] y) => (float[3] z) { a = Reciprocal(y) z = Mul(x, a) }"),
)
def times_reciprocal(rw: Rewriter, x: Value, y: Value, one: Value | None) -> Value:
    """x * Reciprocal(y) -> x / y; likewise x * (1 / y)

    Applies to floating-point numbers, x may be constant. Rounds once instead of twice.
    """
    _check(y, one)
    result: Value = rw.Div(x, y)
    return result


@rule(
    P.Div("x", _one_by_y),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x, float[3] y) => (float[3] z) { a = Reciprocal(y) z = Div(x, a) }"),
)
def by_reciprocal(rw: Rewriter, x: Value, y: Value, one: Value | None) -> Value:
    """x / Reciprocal(y) -> x * y; likewise x / (1 / y)

    Applies to floating-point numbers. Rounds once instead of twice; not said of an infinite y and a zero.
    """
    _check(y, one)
    result: Value = rw.Mul(x, y)
    return result


@rule(
    P.Reciprocal(P.Div("x", "y")) | P.Div(P.const("one", 1), P.Div("x", "y")),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x, float[3] y) => (float[3] z) { a = Div(x, y) z = Reciprocal(a) }"),
)
def reciprocal_of_quotient(rw: Rewriter, x: Value, y: Value, one: Value | None) -> Value:
    """Reciprocal(x / y) -> y / x; likewise 1 / (x / y)

    Applies to floating-point numbers. Rounds once instead of twice.
    """
    assert rw.root is not None
    inner = rw.root.inputs[-1]
    assert inner is not None
    _check(inner, one)
    result: Value = rw.Div(y, x)
    return result


@rule(
    P.Reciprocal(P.Mul("x", P.const("c"))) | P.Div(P.Reciprocal("x"), P.const("c")),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x) => (float[3] z) <float c = {4}> { a = Mul(x, c) z = Reciprocal(a) }"),
)
def reciprocal_of_product(rw: Rewriter, x: Value, c: Value) -> Value:
    """Reciprocal(x * c) -> (1 / c) / x; likewise Reciprocal(x) / c

    Applies to a constant without zeros. Computed in float64, rounded once.
    """
    dtype, factor = dtype_of(x), elements(c)
    if dtype is None or not factor.all():
        raise RejectError("the constant has zeros")
    with np.errstate(over="ignore"):
        made = rounded(1 / factor, dtype, is_factor=True)
    result: Value = rw.Div(rw.const(made, name=c.name), x)
    return result


@rule(
    P.Add("x", P.Neg("y")),
    numerics=Numerics.EXACT,
    example=example("(float[3] x, float[3] y) => (float[3] z) { a = Neg(y) z = Add(x, a) }"),
)
def add_negative(rw: Rewriter, x: Value, y: Value) -> Value:
    """x + Neg(y) -> x - y

    Applies always: a subtraction adds the number of the other sign (IEEE 754), of integers too.
    """
    result: Value = rw.Sub(x, y)
    return result


@rule(
    P.Sub("x", P.Neg("y")),
    numerics=Numerics.EXACT,
    example=example("(float[3] x, float[3] y) => (float[3] z) { a = Neg(y) z = Sub(x, a) }"),
)
def subtract_negative(rw: Rewriter, x: Value, y: Value) -> Value:
    """x - Neg(y) -> x + y

    Applies always, as `add_negative` does.
    """
    result: Value = rw.Add(x, y)
    return result


@rule(
    P.Neg(P.Sub("x", "y")),
    numerics=Numerics.FINITE,
    example=example("(float[3] x, float[3] y) => (float[3] z) { a = Sub(x, y) z = Neg(a) }"),
)
def negative_difference(rw: Rewriter, x: Value, y: Value) -> Value:
    """Neg(x - y) -> y - x

    Applies to floating-point numbers and signed integers. Of equal numbers it is 0, which was -0.
    """
    result: Value = rw.Sub(y, x)
    return result


@rule(
    P.Mul(P.Neg("x"), P.Neg("y")) | P.Div(P.Neg("x"), P.Neg("y")),
    numerics=Numerics.FINITE,
    example=example("(float[3] x, float[3] y) => (float[3] z) { a = Neg(x) b = Neg(y) z = Mul(a, b) }"),
)
def two_negatives(rw: Rewriter, x: Value, y: Value) -> Value:
    """Neg(x) * Neg(y) -> x * y; likewise the quotient of floating-point numbers

    Applies to floating-point numbers and, as a product, to integers, which are taken modulo a power of two.
    """
    root = rw.root
    assert root is not None
    if root.op_type == "Div" and dtype_of(x) not in FLOATS:
        raise RejectError("a quotient of integers may overflow")
    result: Value = rw.op(root.op_type, x, y)
    return result


@rule(
    P.op("Abs", "Cos", "Cosh")(P.Neg("x")),
    numerics=Numerics.EXACT,
    example=example("(float[3] x) => (float[3] y) { a = Neg(x) y = Abs(a) }"),
)
def even_function(rw: Rewriter, x: Value) -> Value:
    """Abs(Neg(x)) -> Abs(x), likewise Cos and Cosh of floating-point numbers

    Applies to numbers of any type, but for Cos and Cosh.
    """
    root = rw.root
    assert root is not None
    if root.op_type != "Abs" and dtype_of(x) not in (DType.FLOAT, DType.DOUBLE):
        raise RejectError("it is not known of this type")
    result: Value = rw.op(root.op_type, x)
    return result


def _check(y: Value, one: Value | None) -> None:
    """Refuse integers, and a 1 that enlarges what it is divided by."""
    if dtype_of(y) not in FLOATS:
        raise RejectError("integers are divided otherwise")
    if one is not None and one.const is not None and not fits(one.const.shape, shape_of(y)):
        raise RejectError("the constant may enlarge the result")
