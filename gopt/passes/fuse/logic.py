"""Comparisons, negations and choices."""

from __future__ import annotations

import numpy as np

from ...ir import DType, Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._affine import dtype_of
from ._reductions import refuse_many
from ._scalars import keep_shape

_COMPARED = (DType.FLOAT, DType.DOUBLE, DType.INT32, DType.INT64)
_CHOSEN = (*_COMPARED, DType.FLOAT16)
_OPPOSITE = {
    "Less": "GreaterOrEqual",
    "LessOrEqual": "Greater",
    "Greater": "LessOrEqual",
    "GreaterOrEqual": "Less",
}
_OR_EQUAL = {"Less": "LessOrEqual", "Greater": "GreaterOrEqual"}


@rule(
    P.Where(P.Not("c"), "x", "y"),
    numerics=Numerics.FINITE,
    example=example("(bool[3] c, float[3] x, float[3] z) => (float[3] y) { a = Not(c) y = Where(a, x, z) }"),
)
def where_not(rw: Rewriter, c: Value, x: Value, y: Value) -> Value:
    """Where(Not(c), x, y) -> Where(c, y, x)

    Applies always. Equal but for -0, which runtimes that add the two choices keep on one side alone.
    """
    result: Value = rw.Where(c, y, x)
    return result


@rule(
    P.Not(P.op(*_OPPOSITE)("x", "y").as_("comparison")),
    numerics=Numerics.FINITE,
    example=example("(float[3] x, float[3] z) => (bool[3] y) { a = Less(x, z) y = Not(a) }"),
)
def not_less(rw: Rewriter, comparison: Op, x: Value, y: Value) -> Value:
    """Not(x < y) -> x >= y, and so of <=, > and >=

    Applies to types that ONNX Runtime compares. Equal but for what is no number, which is neither less nor not.
    """
    _compared(x)
    result: Value = rw.op(_OPPOSITE[comparison.op_type], x, y)
    return result


@rule(
    P.Or(P.op(*_OR_EQUAL)("x", "y").as_("comparison"), P.Equal("x", "y")),
    example=example("(float[3] x, float[3] z) => (bool[3] y) { a = Less(x, z) b = Equal(x, z) y = Or(a, b) }"),
)
def or_equal(rw: Rewriter, comparison: Op, x: Value, y: Value) -> Value:
    """Or(x < y, x == y) -> x <= y, likewise >

    Applies to types that ONNX Runtime compares.
    """
    _compared(x)
    result: Value = rw.op(_OR_EQUAL[comparison.op_type], x, y)
    return result


@rule(
    (P.And | P.Or)(P.Not("a"), P.Not("b")),
    example=example("(bool[3] p, bool[3] q) => (bool[3] y) { a = Not(p) b = Not(q) y = And(a, b) }"),
)
def both_not(rw: Rewriter, a: Value, b: Value) -> Value:
    """And(Not(a), Not(b)) -> Not(Or(a, b)), likewise Or

    Applies always (De Morgan).
    """
    inner = rw.Or(a, b) if rw.root.op_type == "And" else rw.And(a, b)
    result: Value = rw.Not(inner)
    return result


@rule(
    P.Not(P.Cast("x", to=int(DType.BOOL))),
    example=example("(int64[3] x) => (bool[3] y) { a = Cast <to = 9> (x) y = Not(a) }"),
)
def not_zero(rw: Rewriter, x: Value) -> Value:
    """Not(Cast(x, bool)) -> x == 0

    Applies to types that ONNX Runtime compares: whatever is not 0 is true, also what is no number.
    """
    result: Value = rw.Equal(x, rw.const(np.zeros((), _compared(x).numpy), name="zero"))
    return result


@rule(
    P.Not(P.Equal("x", P.const("zero", 0))),
    since=6,
    example=example("(int64[3] x) => (bool[3] y) <int64 zero = {0}> { a = Equal(x, zero) y = Not(a) }"),
)
def is_not_zero(rw: Rewriter, x: Value, zero: Value) -> Value:
    """Not(x == 0) -> Cast(x, bool)

    Applies to numbers, and a zero that does not enlarge x: by the clause of Cast whatever is not 0 is true, also what
    is no number.
    """
    _compared(x)
    keep_shape(x, zero)
    result: Value = rw.Cast(x, to=int(DType.BOOL))
    return result


@rule(
    P.Mul("x", P.Cast("c")),
    numerics=Numerics.FINITE,
    since=9,
    example=example(
        "(float[3] x, bool[3] c) => (float[3] y) { a = Cast <to = 1> (c) y = Mul(x, a) }",
    ),
)
def masked(rw: Rewriter, x: Value, c: Value) -> Value:
    """x * Cast(c) -> Where(c, x, 0), for a boolean c

    Applies to few numbers, of types that ONNX Runtime chooses from: of many its Where is slower than the product. Equal
    but for infinities and -0, which times 0 are not 0.
    """
    refuse_many(rw.root.result)
    dtype = dtype_of(x)
    if dtype_of(c) is not DType.BOOL or dtype not in _CHOSEN or dtype is None:
        raise RejectError("it is no mask, or of a type that ONNX Runtime does not choose from")
    result: Value = rw.Where(c, x, rw.const(np.zeros((), dtype.numpy), name="zero"))
    return result


def _compared(x: Value) -> DType:
    dtype = dtype_of(x)
    if dtype not in _COMPARED or dtype is None:
        raise RejectError("ONNX Runtime does not compare the type")
    return dtype
