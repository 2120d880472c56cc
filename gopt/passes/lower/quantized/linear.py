"""Operators that compute with quantized numbers, between DequantizeLinear and QuantizeLinear."""

from __future__ import annotations

import numpy as np

from ....ir import Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ...example import example

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
    """QLinearConv(x, ..., w, ..., b) -> QuantizeLinear(Conv(DequantizeLinear(x), DequantizeLinear(w), b xs ws))

    With constant weights, which become floats, and a constant scale of x where there is a bias. Sums are rounded in
    floats, so that a result may be off by one level.
    """
    scale, zero = rw.array(ws).astype(np.float32), rw.array(wz).astype(np.float32)
    weight = rw.array(w).astype(np.float32)
    wide = (-1, *[1] * (weight.ndim - 1))
    weight = (weight - (zero.reshape(wide) if zero.size > 1 else zero.reshape(()))) * (
        scale.reshape(wide) if scale.size > 1 else scale.reshape(())
    )
    bias = None
    if b is not None:
        if xs.const is None:
            raise RejectError("the scale of x is not constant")
        by = rw.array(xs).astype(np.float32).reshape(()) * scale.reshape(-1)
        bias = rw.const(rw.array(b).astype(np.float32) * by, name="bias")
    made = rw.Conv(rw.DequantizeLinear(x, xs, xz), rw.const(weight, name="weight"), bias, **rw.copy_attrs(op))
    result: Value = rw.QuantizeLinear(made, ys, yz)
    return result


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
    """QLinearMatMul(a, ..., b, ...) -> QuantizeLinear(MatMul(DequantizeLinear(a), DequantizeLinear(b)))

    With one scale for each operand. Sums are rounded in floats, so that a result may be off by one level.
    """
    sizes = [s.const.size if s.const is not None else None if rw.shape(s) is None else 1 for s in (as_, bs)]
    ranks = [rw.shape(s) for s in (as_, bs)]
    if any(r is None for r in ranks) or any(s != 1 for s in sizes) or any(r not in ((), (1,)) for r in ranks):
        raise RejectError("there is more than one scale")
    made = rw.MatMul(rw.DequantizeLinear(a, as_, az), rw.DequantizeLinear(b, bs, bz))
    result: Value = rw.QuantizeLinear(made, ys, yz)
    return result
