"""Operators that compute with quantized numbers: the same sums, in floats between whole levels."""

from __future__ import annotations

import numpy as np

from ....ir import Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ...example import example
from ._ends import numbers, ratio, rounded, shifted

_W = "float xs = {0.5}, uint8 xz = {2}, float ws = {0.25}, uint8 wz = {1}, float ys = {0.5}, uint8 yz = {3}"


@rule(
    P.QLinearConv("x", "xs", "xz", P.const("w"), P.const("ws"), P.const("wz"), "ys", "yz", P.opt(P.const("b"))).as_(
        "op"
    ),
    numerics=Numerics.ROUNDING,
    example=example(
        f"(uint8[1,1,4,4] x) => (uint8[1,1,3,3] y) <{_W}, uint8[1,1,2,2] w = {{1, 2, 3, 4}}> "
        "{ y = QLinearConv(x, xs, xz, w, ws, wz, ys, yz) }"
    ),
)
def conv(
    rw: Rewriter,
    x: Value,
    xs: Value,
    xz: Value,
    w: Value,
    ws: Value,
    wz: Value,
    ys: Value,
    yz: Value,
    b: Value | None,
    op: Op,
) -> Value:
    """QLinearConv(x, ..., w, ..., b) -> QuantizeLinear(Conv(x - u, w - v, b) (s t / r), 1, z)

    u, v and z are the zero points, s, t and r the scales.
    Levels are multiplied as floats, which DequantizeLinear with a scale of 1 makes of them, so that the same numbers
    come out as long as the sums stay below 2^24; they round beyond.
    """
    wide = (-1, *[1] * (rw.array(w).ndim - 2))
    bias = None if b is None else rw.const(rw.array(b).astype(np.float32), name="bias")
    summed = rw.Conv(numbers(rw, x, xz), shifted(rw, w, wz, 0), bias, **rw.copy_attrs(op))
    return rounded(rw, rw.Mul(summed, ratio(rw, (xs, ws), ys, wide)), yz)


@rule(
    P.QLinearMatMul("a", "as_", "az", "b", "bs", "bz", "ys", "yz"),
    numerics=Numerics.ROUNDING,
    example=example(
        f"(uint8[2,3] a) => (uint8[2,2] y) <{_W}, uint8[3,2] w = {{1, 2, 3, 4, 5, 6}}> "
        "{ y = QLinearMatMul(a, xs, xz, w, ws, wz, ys, yz) }"
    ),
)
def matmul(
    rw: Rewriter, a: Value, as_: Value, az: Value, b: Value, bs: Value, bz: Value, ys: Value, yz: Value
) -> Value:
    """QLinearMatMul(a, ..., b, ...) -> QuantizeLinear(MatMul(a - u, b - v) (s t / r), 1, z)

    u, v and z are the zero points, s, t and r the scales.
    With one scale for each operand, or one for each column of a constant b. The same numbers as long as the sums stay
    below 2^24; they round beyond.
    """
    if max((v.const.size for v in (as_, az) if v.const is not None), default=1) > 1:
        raise RejectError("there is a scale for each row")
    summed = rw.MatMul(numbers(rw, a, az), shifted(rw, b, bz, -1))
    return rounded(rw, rw.Mul(summed, ratio(rw, (as_, bs), ys)), yz)
