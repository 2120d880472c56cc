"""Powers, roots, exponentials and logarithms."""

from __future__ import annotations

import numpy as np

from ...ir import DType, Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._affine import dtype_of, scaling, shape_of
from ._scalars import Line, emit_line, floating, keep_shape, line_between

# For which ONNX Runtime has Pow, or casts; it multiplies where the exponent is 2 or 3.
_TYPES = (DType.FLOAT, DType.DOUBLE, DType.FLOAT16)


@rule(
    P.Mul("x", P.Mul("x", "x").as_("inner"))
    | P.Mul("x", P.Pow("x", P.const("two", 2)).as_("inner"))
    | P.Mul("x", P.Mul("x", scaling("x", "scale")).as_("inner")),
    numerics=Numerics.ROUNDING,
    since=7,
    example=example("(float[3] x) => (float[3] y) { a = Mul(x, x) y = Mul(x, a) }"),
)
def cube(rw: Rewriter, scale: Op | None, two: Value | None, x: Value) -> Value:
    """x * (x * x) -> x ** 3, likewise x * x**2, and x * (x * (x * c)) -> x**3 * c

    Applies to floating-point numbers and a scalar c. Rounded otherwise.
    """
    dtype = floating(x)
    keep_shape(x, two)
    if dtype not in _TYPES:
        raise RejectError("ONNX Runtime has no Pow of the element type")
    power: Value = rw.Pow(x, rw.const(np.asarray(3.0), dtype, name="exponent"))
    return power if scale is None else emit_line(rw, power, Line(line_between(scale.result, x).scale), dtype)


@rule(
    P.Pow("x", P.const("half", 0.5)),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x) => (float[3] y) <float half = {0.5}> { a = Abs(x) y = Pow(a, half) }"),
)
def root(rw: Rewriter, x: Value, half: Value) -> Value:
    """x ** 0.5 -> Sqrt(x)

    Applies to floating-point numbers and an exponent that does not enlarge x. As many ops, but one that is rounded
    exactly, that other rules know, and that runtimes compute faster.
    """
    if dtype_of(x) not in _TYPES:
        raise RejectError("not known to be of floating-point numbers")
    keep_shape(x, half)
    result: Value = rw.Sqrt(x)
    return result


@rule(
    P.Log(P.Exp("x")),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x) => (float[3] y) { a = Exp(x) b = Log(a) y = Neg(b) }"),
)
def log_of_exp(rw: Rewriter, x: Value) -> Value:
    """Log(Exp(x)) -> x

    Applies always: rounds nothing instead of twice, and does not overflow.
    """
    return x


@rule(
    (P.Mul | P.Div)(P.Exp("x"), P.Exp("y")),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x, float[3] z) => (float[3] y) { a = Exp(x) b = Exp(z) y = Mul(a, b) }"),
)
def product_of_exps(rw: Rewriter, x: Value, y: Value) -> Value:
    """Exp(x) * Exp(y) -> Exp(x + y), Exp(x) / Exp(y) -> Exp(x - y)

    Applies to x and y of one shape, so that no larger sum is taken. Rounded otherwise; does not overflow between.
    """
    floating(x)
    if shape_of(x) is None or shape_of(x) != shape_of(y):
        raise RejectError("the shapes may differ")
    result: Value = rw.Exp(rw.Add(x, y) if rw.root.op_type == "Mul" else rw.Sub(x, y))
    return result
