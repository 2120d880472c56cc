"""Logic and bits with a neutral constant, and choices that are made already."""

from __future__ import annotations

import numpy as np

from ....ir import DType, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ._facts import elements, example, neutral, unchanged

_TRUE = P.const("c", value=1)
_FALSE = P.const("c", value=0)


@rule(
    P.And("x", _TRUE) | P.Or("x", _FALSE) | P.Xor("x", _FALSE) | P.Equal("x", _TRUE),
    example=example(
        "(bool[2] x) => (bool[2] y) { true = Constant<value = bool {1}>() a = And(x, true) y = Not(a) }",
    ),
)
def boolean(rw: Rewriter, x: Value, c: Value) -> Value:
    """And(x, true) -> x, likewise Or(x, false), Xor(x, false) and Equal(x, true)

    Applies where the constant does not enlarge the result; the operands of Equal must be booleans. Exact.
    """
    tensor = c.const
    if tensor is None or tensor.dtype is not DType.BOOL:
        raise RejectError("the constant is no boolean")
    return neutral(rw, x, c)


@rule(
    P.op("BitwiseOr", "BitwiseXor", "BitShift")("x", _FALSE),
    example=example("(int8[2] x) => (int8[2] y) <int8 zero = {0}> { a = BitwiseOr(x, zero) y = BitwiseNot(a) }"),
)
def no_bits(rw: Rewriter, x: Value, c: Value) -> Value:
    """BitwiseOr(x, 0) -> x, likewise BitwiseXor(x, 0) and BitShift(x, 0)

    Applies where the zeros do not enlarge the result. Exact.
    """
    return neutral(rw, x, c)


@rule(
    P.BitwiseAnd("x", P.const("c")),
    example=example("(int8[2] x) => (int8[2] y) <int8 ones = {-1}> { a = BitwiseAnd(x, ones) y = BitwiseNot(a) }"),
)
def all_bits(rw: Rewriter, x: Value, c: Value) -> Value:
    """BitwiseAnd(x, all ones) -> x

    Applies where the constant does not enlarge the result. Exact.
    """
    array = elements(c)
    if array.dtype.kind not in "iu" or not array.size or bool(np.any(np.invert(array))):
        raise RejectError("a bit would be cleared")
    return neutral(rw, x, c)


@rule(
    P.Where(P.const("c"), "x", "y"),
    numerics=Numerics.FINITE,
    example=example(
        "(float[2] x, float[2] z) => (float[2] y) "
        "{ true = Constant<value = bool {1}>() a = Where(true, x, z) y = Neg(a) }",
    ),
)
def where(rw: Rewriter, c: Value, x: Value, y: Value) -> Value:
    """Where(true, x, y) -> x, Where(false, x, y) -> y

    Applies where neither the condition nor the other branch enlarges the result. By the operator's clause it is exact;
    ONNX Runtime makes 0 of -0.
    """
    array = elements(c)
    if not array.size or bool(array.any()) != bool(array.all()):
        raise RejectError("the condition holds in part only")
    return unchanged(rw, x if array.any() else y)


@rule(
    P.Where("c", "x", "x"),
    numerics=Numerics.FINITE,
    example=example("(bool[2] c, float[2] x) => (float[2] y) { a = Where(c, x, x) y = Neg(a) }"),
)
def same_branches(rw: Rewriter, c: Value, x: Value) -> Value:
    """Where(c, x, x) -> x

    Applies where the condition does not enlarge the result. By the operator's clause it is exact; ONNX Runtime makes 0
    of -0.
    """
    return unchanged(rw, x)
