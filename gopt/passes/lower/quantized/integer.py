"""Sums of integers that were not quantized while the model runs, and what was quantized then but goes elsewhere."""

from __future__ import annotations

import numpy as np

from ....ir import DType, Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ...example import example
from .dynamic import quantized

_SMALL = (DType.UINT8, DType.INT8)


@rule(
    P.MatMulInteger("a", "b", P.opt("az"), P.opt("bz")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(uint8[2,3] a) => (int32[2,2] y) <uint8 u = {2}, uint8 v = {1}, uint8[3,2] w = {1, 2, 3, 4, 5, 6}> "
        "{ y = MatMulInteger(a, w, u, v) }"
    ),
)
def matmul(rw: Rewriter, a: Value, b: Value, az: Value | None, bz: Value | None) -> Value:
    """MatMulInteger(a, b, u, v) -> Cast(MatMul(a - u, b - v)), in floats

    Where a has one zero point, b one, or one for each column. Exact as long as the sums stay below 2^24; they round
    beyond.
    """
    made: Value = rw.MatMul(_shifted(rw, a, az), _shifted(rw, b, bz, several=True))
    result: Value = rw.Cast(made, to=int(DType.INT32))
    return result


@rule(
    P.ConvInteger("x", "w", P.opt("xz"), P.opt("wz")).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(uint8[1,1,4,4] x) => (int32[1,1,3,3] y) <uint8 u = {2}, uint8[1,1,2,2] w = {1, 2, 3, 4}> "
        "{ y = ConvInteger(x, w, u) }"
    ),
)
def conv(rw: Rewriter, x: Value, w: Value, xz: Value | None, wz: Value | None, op: Op) -> Value:
    """ConvInteger(x, w, u, v) -> Cast(Conv(x - u, w - v)), in floats

    With one zero point each. Exact as long as the sums stay below 2^24; they round beyond.
    """
    made: Value = rw.Conv(_shifted(rw, x, xz), _shifted(rw, w, wz), None, **rw.copy_attrs(op))
    result: Value = rw.Cast(made, to=int(DType.INT32))
    return result


def _shifted(rw: Rewriter, x: Value, zero: Value | None, several: bool = False) -> Value:
    """x less its zero point, as floats; of several zero points each belongs to a place of the last axis.

    Raises:
        RejectError: it is not of 8 bits, or there are more zero points than that.
    """
    if rw.dtype(x) not in _SMALL:
        raise RejectError("the elements are not of 8 bits")
    shape = () if zero is None else rw.shape(zero)
    if shape is None or len(shape) > 1 or (shape not in ((), (1,)) and not several):
        raise RejectError("there is more than one zero point")
    if x.const is not None and (zero is None or zero.const is not None):
        shift = np.zeros((), np.float32) if zero is None else rw.array(zero).astype(np.float32)
        return rw.const(rw.array(x).astype(np.float32) - shift, name="weight")
    result: Value = rw.Cast(x, to=int(DType.FLOAT))
    return result if zero is None else rw.Sub(result, rw.Cast(zero, to=int(DType.FLOAT)))


@rule(
    P.DynamicQuantizeLinear("x"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3] x) => (uint8[2,3] y, float s, uint8 z) { y, s, z = DynamicQuantizeLinear(x) }"),
)
def levels(rw: Rewriter, x: Value) -> tuple[Value, ...]:
    """y, s, z = DynamicQuantizeLinear(x) -> s = (max(x, 0) - min(x, 0)) / 255, z = Round(-min(x, 0) / s), y = x / s + z

    Where something else than a product of integers takes the levels; they are cast to uint8 in the end. Exact, but that
    a result on the edge between two levels may be rounded otherwise.
    """
    level, shift, scale = quantized(rw, x)
    return rw.Cast(level, to=int(DType.UINT8)), scale, rw.Cast(shift, to=int(DType.UINT8))
