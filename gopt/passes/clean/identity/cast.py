"""Casts that convert nothing, and casts of casts of which the first one loses nothing."""

from __future__ import annotations

from ....ir import DType, Value
from ....rewrite import P, RejectError, Rewriter, rule
from ._facts import example


@rule(
    P.Cast("x"),
    example=example("(float[2] x) => (float[2] y) { a = Cast<to = 1>(x) y = Neg(a) }"),
)
def cast(rw: Rewriter, x: Value) -> Value:
    """Cast(x, its own element type) -> x

    Exact: no element is converted.
    """
    if rw.dtype(x) != rw.attr(rw.root, "to"):
        raise RejectError("the element type is another one, or not known")
    return x


@rule(
    P.CastLike("x", "like"),
    example=example("(float[2] x, float like) => (float[2] y) { a = CastLike(x, like) y = Neg(a) }"),
)
def cast_like(rw: Rewriter, x: Value, like: Value) -> Value:
    """CastLike(x, like) -> x

    Applies if both provably have one element type. Exact: no element is converted.
    """
    dtype = rw.dtype(x)
    if dtype is None or rw.dtype(like) is not dtype:
        raise RejectError("the element type is another one, or not known")
    return x


@rule(
    P.CastLike("x", "like"),
    example=example("(float[2] x, double like) => (double[2] y) { y = CastLike(x, like) }"),
)
def like(rw: Rewriter, x: Value, like: Value) -> Value:
    """CastLike(x, like) -> Cast(x)

    Applies if the element type of `like` is known, and to constants too, which then fold. Exact: both convert by the
    same clauses.
    """
    dtype = rw.dtype(like)
    if dtype is None or rw.dtype(x) is dtype:
        raise RejectError("the element type is not known, or x has it already")
    made: Value = rw.Cast(x, to=int(dtype), **rw.copy_attrs(rw.root))
    return made


@rule(
    P.Cast(P.Cast("x").as_("first").shared()),
    example=example("(float16[2] x) => (float16[2] y) { a = Cast<to = 1>(x) b = Cast<to = 10>(a) y = Neg(b) }"),
)
def back(rw: Rewriter, x: Value) -> Value:
    """Cast(Cast(x, wider), its own element type) -> x

    Applies if the wider type holds every number of x's type. Exact: there and back each number stays what it is.
    """
    source, middle, target = _types(rw, x)
    if source is not target or not holds(middle, source):
        raise RejectError("the way there and back may lose something")
    return x


@rule(
    P.Cast(P.Cast("x").as_("first")),
    example=example("(float16[2] x) => (double[2] y) { a = Cast<to = 1>(x) y = Cast<to = 11>(a) }"),
)
def merge(rw: Rewriter, x: Value) -> Value:
    """Cast(Cast(x, wider), type) -> Cast(x, type)

    Applies if the first type holds every number of x's type, so that the second cast starts from the same number. Not
    to strings, which may show the type; nor from integers by way of floats to an integer type that does not hold them,
    because what is too large wraps in the one case and is undefined in the other. Exact.
    """
    source, middle, target = _types(rw, x)
    if source is target or not holds(middle, source):
        raise RejectError("the first cast may lose something")
    if target is DType.STRING or (
        not source.is_float and not middle.is_integer and target.is_integer and not holds(target, source)
    ):
        raise RejectError("the second cast may depend on the type between")
    found: Value = rw.Cast(x, **{**rw.copy_attrs(rw.root), "to": int(target)})
    return found


def _types(rw: Rewriter, x: Value) -> tuple[DType, DType, DType]:
    """Element types of x, after the first cast, and after the second."""
    inner = rw.root.inputs[0]
    source = rw.dtype(x)
    middle = None if inner is None else rw.dtype(inner)
    if source is None or middle is None:
        raise RejectError("an element type is not known")
    return source, middle, DType(rw.attr(rw.root, "to"))


# Bits of the significand and the largest exponent, the least exponent of a normal number.
_FLOATS = {
    DType.FLOAT16: (11, 15),
    DType.BFLOAT16: (8, 127),
    DType.FLOAT: (24, 127),
    DType.DOUBLE: (53, 1023),
}


def holds(wide: DType, narrow: DType) -> bool:
    """True if every number of type `narrow`, NaN and infinities included, is one of type `wide`.

    Among floats a longer significand and a larger range suffice: the ranges of exponents are symmetric. Integers of
    n bits need a significand of n bits and, so that none overflows, an exponent of n.
    """
    if wide is narrow:
        return True
    if narrow is DType.BOOL:
        return wide in _FLOATS or (wide.is_integer and wide.bits >= 8)
    if narrow.is_integer:
        magnitude = narrow.bits - _signed(narrow)
        if wide.is_integer:
            return wide.bits - _signed(wide) >= magnitude and _signed(wide) >= _signed(narrow)
        return wide in _FLOATS and min(_FLOATS[wide]) >= magnitude
    if narrow in _FLOATS and wide in _FLOATS:
        return all(a >= b for a, b in zip(_FLOATS[wide], _FLOATS[narrow]))
    return False


def _signed(dtype: DType) -> bool:
    return dtype.name.startswith("INT")
