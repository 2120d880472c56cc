"""Arithmetic with a neutral constant, and functions applied once too often."""

from __future__ import annotations

import numpy as np

from ....ir import Array, Value
from ....ops.numeric import limits
from ....rewrite import Numerics, OpPattern, P, RejectError, Rewriter, rule
from ....rewrite.pattern import Either
from ._facts import elements, example, neutral, shape_of

_ZERO = P.const("c", value=0)
_ONE = P.const("c", value=1)


@rule(
    P.Mul("x", _ONE) | P.Div("x", _ONE) | P.Pow("x", _ONE),
    example=example("(float[2] x) => (float[2] y) <float one = {1}> { a = Mul(one, x) y = Neg(a) }"),
)
def one(rw: Rewriter, x: Value, c: Value) -> Value:
    """x * 1 -> x, likewise x / 1 and x ** 1

    Applies where the ones do not enlarge the result; the exponent may be of another type, the result has x's. Exact: 1
    is neutral, for NaN, infinities and -0 too.
    """
    return neutral(rw, x, c)


@rule(
    P.Add("x", _ZERO) | P.Sub("x", _ZERO),
    example=example("(float[2] x) => (float[2] y) <float zero = {0}> { a = Sub(x, zero) y = Neg(a) }"),
)
def zero(rw: Rewriter, x: Value, c: Value) -> Value:
    """x - 0 -> x, likewise x + 0 for integers and x + -0 for floats

    Applies where the zeros do not enlarge the result. Exact: -0 - 0 is -0, and so is -0 + -0.
    """
    if not _keeps_zeros(rw, c):
        raise RejectError("the sign of a zero would differ")
    return neutral(rw, x, c)


@rule(
    P.Add("x", _ZERO) | P.Sub("x", _ZERO),
    numerics=Numerics.FINITE,
    example=example("(float[2] x) => (float[2] y) <float zero = {0}> { a = Add(x, zero) y = Neg(a) }"),
)
def signed_zero(rw: Rewriter, x: Value, c: Value) -> Value:
    """x + 0 -> x, likewise x - -0

    Applies where the zeros do not enlarge the result. Equal but for -0, of which the sum makes 0.
    """
    if _keeps_zeros(rw, c):
        raise RejectError("it is exact, and left to the rule for that")
    return neutral(rw, x, c)


def _keeps_zeros(rw: Rewriter, c: Value) -> bool:
    """True if adding (or subtracting) the zeros keeps -0 what it is."""
    array = elements(c)
    if array.dtype.kind in "iub":
        return True
    negative = np.signbit(array.astype(np.float32))
    return bool(negative.all()) if rw.root.op_type == "Add" else not bool(negative.any())


# -- functions that undo or repeat themselves --------------------------------------------------------------------------


def _twice(*op_types: str) -> OpPattern:
    """One of these functions of one of them."""
    return P.op(*op_types)(P.op(*op_types)("x").as_("inner").shared())


def _each(*op_types: str) -> Either:
    """Each of these functions of itself."""
    return Either(tuple(_twice(t) for t in op_types))


@rule(
    _each("Neg", "Not", "BitwiseNot"),
    example=example("(float[2] x) => (float[2] y) { a = Exp(x) b = Neg(a) y = Neg(b) }"),
)
def undone(rw: Rewriter, x: Value) -> Value:
    """Neg(Neg(x)) -> x, likewise Not and BitwiseNot

    Exact: Neg flips the sign bit of floats, and of integers it is its own inverse also where it overflows.
    """
    return x


@rule(
    _each("Abs", "Relu", "Sign") | _twice("Ceil", "Floor", "Round"),
    example=example("(float[2] x) => (float[2] y) { a = Relu(x) y = Relu(a) }"),
)
def repeated(rw: Rewriter, x: Value) -> Value:
    """Abs(Abs(x)) -> Abs(x), likewise Relu, Sign, and Ceil, Floor or Round of any of these three

    Exact: each of these functions leaves its own results as they are (of integers the least one, which Abs keeps, too),
    and the last three leave every whole number, infinity and NaN.
    """
    inner = rw.root.inputs[0]
    assert inner is not None
    return inner


@rule(
    P.op("Max", "Min", "And", "Or", "BitwiseAnd", "BitwiseOr")("x", "x"),
    example=example("(float[2] x) => (float[2] y) { a = Max(x, x) y = Neg(a) }"),
)
def same_operands(rw: Rewriter, x: Value) -> Value:
    """Max(x, x) -> x, likewise Min, And, Or, BitwiseAnd and BitwiseOr

    Exact, for NaN too: all of them are idempotent.
    """
    return x


# -- activations that let everything through ---------------------------------------------------------------------------


@rule(
    P.Clip("x", P.opt(P.const("low")), P.opt(P.const("high"))),
    example=example("(int64[2] x) => (int64[2] y) { a = Clip(x) y = Neg(a) }"),
)
def clip(rw: Rewriter, x: Value, low: Value | None, high: Value | None) -> Value:
    """Clip(x) -> x of integers

    Applies if the bounds are the limits of the type, which they are where they are absent. Exact.
    """
    dtype = rw.dtype(x)
    if dtype is None or not dtype.is_integer:
        raise RejectError("infinities would be clipped")
    return _clipped(x, low, high)


@rule(
    P.Clip("x", P.opt(P.const("low")), P.opt(P.const("high"))),
    numerics=Numerics.FINITE,
    example=example("(float[2] x) => (float[2] y) { a = Clip(x) y = Neg(a) }"),
)
def wide_clip(rw: Rewriter, x: Value, low: Value | None, high: Value | None) -> Value:
    """Clip(x, lowest, largest) -> x

    Applies if the bounds are infinite, absent, or the limits of the type, which is what absent ones are. Equal but for
    infinities, which were clipped, and NaN, which some runtimes clip.
    """
    dtype = rw.dtype(x)
    if dtype is not None and dtype.is_integer:
        raise RejectError("it is exact, and left to the rule for that")
    return _clipped(x, low, high)


def _clipped(x: Value, low: Value | None, high: Value | None) -> Value:
    for bound, end in ((low, 0), (high, 1)):
        if bound is not None and not _is_limit(elements(bound), end):
            raise RejectError("the bounds may change a number")
    return x


def _is_limit(bound: Array, end: int) -> bool:
    """True if a bound lies at the lower (0) or upper (1) end of its type's finite numbers, or beyond."""
    kind = bound.dtype.kind
    if bound.size != 1 or kind not in "iuf":
        return False
    number = bound.item()
    limit = (
        limits(bound.dtype)[end] if kind != "f" else float((np.finfo(bound.dtype).min, np.finfo(bound.dtype).max)[end])
    )
    return bool(number >= limit if end else number <= limit)  # NaN is neither


@rule(
    P.LeakyRelu("x", alpha=1.0),
    example=example("(float[2] x) => (float[2] y) { a = LeakyRelu<alpha = 1.0>(x) y = Neg(a) }"),
)
def leaky_relu(rw: Rewriter, x: Value) -> Value:
    """LeakyRelu(x, alpha=1) -> x

    Exact: negative numbers are multiplied by 1.
    """
    return x


@rule(
    P.PRelu("x", P.const("slope", value=1)),
    example=example("(float[2] x) => (float[2] y) <float[1] one = {1}> { a = PRelu(x, one) y = Neg(a) }"),
)
def prelu(rw: Rewriter, x: Value, slope: Value) -> Value:
    """PRelu(x, 1) -> x

    Applies where the slope surely broadcasts to x: by the operator's clause x never broadcasts to the slope, but
    runtimes take that too. Exact: negative numbers are multiplied by 1.
    """
    before, ones = shape_of(x), shape_of(slope)
    if ones is None or (ones and (before is None or len(ones) > len(before))):
        raise RejectError("the slope may have more dims")
    if before is not None and any(d not in (1, wanted) for d, wanted in zip(ones[::-1], before[::-1])):
        raise RejectError("the slope may enlarge the result")
    return x
