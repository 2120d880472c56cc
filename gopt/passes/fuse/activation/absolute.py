"""Absolute values, and roots and squares that undo each other."""

from __future__ import annotations

from ....ir import Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ...example import example
from .._affine import dtype_of
from .._scalars import floating, keep_shape
from .._signs import never_negative

_minus = P.Neg("x") | P.Mul("x", P.const("minus", -1))
_square = P.Mul("x", "x") | P.Pow("x", P.const("two", 2))


@rule(
    P.Max("x", _minus) | P.Mul("x", P.Sign("x")) | P.Add(P.Relu("x"), P.Relu(_minus)),
    numerics=Numerics.FINITE,
    example=example("(float[3] x) => (float[3] y) { a = Neg(x) y = Max(x, a) }"),
)
def absolute(rw: Rewriter, x: Value, minus: Value | None) -> Value:
    """Max(x, -x) -> Abs(x), likewise x * Sign(x) and Relu(x) + Relu(-x)

    Applies to signed numbers, the sum to floating-point ones: of the least integer it is 0. Sign leaves what is no
    number to the runtime.
    """
    if rw.root.op_type == "Add":
        floating(x)
    _signed(x)
    keep_shape(x, minus)
    result: Value = rw.Abs(x)
    return result


@rule(
    P.Sqrt(_square),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x) => (float[3] y) { a = Mul(x, x) y = Sqrt(a) }"),
)
def root_of_square(rw: Rewriter, x: Value, two: Value | None) -> Value:
    """Sqrt(x * x) -> Abs(x), likewise of x ** 2

    Applies to floating-point numbers. Abs rounds nothing, and does not overflow.
    """
    floating(x)
    keep_shape(x, two)
    result: Value = rw.Abs(x)
    return result


@rule(
    P.Pow(P.Sqrt("x"), P.const("two", 2)) | P.Mul(P.Sqrt("x").as_("root"), P.Sqrt("x").as_("root")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3] x) => (float[3] y) <float two = {2}> { a = Abs(x) b = Sqrt(a) c = Pow(b, two) y = Neg(c) }"
    ),
)
def square_of_root(rw: Rewriter, x: Value, two: Value | None) -> Value:
    """Sqrt(x) ** 2 -> x, likewise Sqrt(x) * Sqrt(x)

    Applies to an x that is never below zero by how it is made: of those there is no root. Rounds nothing instead of
    twice.
    """
    floating(x)
    if not never_negative(x):
        raise RejectError("x may be below zero")
    keep_shape(x, two)
    return x


def _signed(x: Value) -> None:
    dtype = dtype_of(x)
    if dtype is None or not (dtype.is_float or dtype.name.startswith("INT")):
        raise RejectError("not known to be of signed numbers")
