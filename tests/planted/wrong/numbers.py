"""Bugs of element types: ranges, signs of whole numbers, ties with a constant."""

from __future__ import annotations

from typing import Any

import numpy as np

from gopt import P, Rewriter, rule
from gopt.ir import DType


@rule(P.Cast(P.Cast("x", to=int(DType.INT8))))
def through_int8(rw: Rewriter, x: Any) -> Any:
    """Cast(Cast(x, int8), int32) -> x, wrong of what int8 cannot hold"""
    return x


@rule(P.Cast(P.Cast("x", to=int(DType.INT32)), to=int(DType.FLOAT)))
def through_whole(rw: Rewriter, x: Any) -> Any:
    """Cast(Cast(x, int32), float) -> x, which has a fraction"""
    return x


@rule(P.Mul("x", P.const("c")))
def in_int32(rw: Rewriter, x: Any, c: Any) -> Any:
    """x * c of int64 -> computed as int32"""
    if rw.dtype(x) is not DType.INT64:
        return rw.reject("it is narrower")
    small = rw.Mul(rw.Cast(x, to=int(DType.INT32)), rw.const(rw.array(c), like=DType.INT32))
    return rw.Cast(small, to=int(DType.INT64))


@rule(P.Div("x", P.const("c")))
def floored(rw: Rewriter, x: Any, c: Any) -> Any:
    """x / c of whole numbers -> Floor(x / c), which differs below zero"""
    if rw.dtype(x) is not DType.INT64:
        return rw.reject("these are no whole numbers")
    quotient = rw.Div(rw.Cast(x, to=int(DType.DOUBLE)), rw.const(rw.array(c), like=DType.DOUBLE))
    return rw.Cast(rw.Floor(quotient), to=int(DType.INT64))


@rule(P.Add(P.Add("x", P.const("a")), P.const("b")))
def saturated(rw: Rewriter, x: Any, a: Any, b: Any) -> Any:
    """x + a + b of uint8 -> x + Min(a + b, 255): they wrap around"""
    if rw.dtype(x) is not DType.UINT8:
        return rw.reject("it is another type")
    total = np.minimum(rw.array(a).astype(np.int64) + rw.array(b), 255)
    return rw.Add(x, rw.const(total, like=x))


@rule(P.GreaterOrEqual("x", P.const("c")))
def tie_lost(rw: Rewriter, x: Any, c: Any) -> Any:
    """x >= c -> x > c"""
    return rw.Greater(x, c)


@rule(P.Equal("x", P.const("c")))
def never_equal(rw: Rewriter, x: Any, c: Any) -> Any:
    """x == c -> x != x, as if c could not occur"""
    return rw.Not(rw.Equal(x, x))
