"""Quantized operators of ONNX Runtime's own (domain com.microsoft), between DequantizeLinear and QuantizeLinear."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....ir import DType, Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ._ends import floats, levels, numbers, ratio, rounded, shifted

MS = "com.microsoft"
_Q = "float xs = {0.5}, uint8 xz = {2}, float ws = {0.25}, uint8 wz = {1}, float ys = {0.125}, uint8 yz = {3}"
_HEAD = '<ir_version: 8, opset_import: ["" : 18, "com.microsoft" : 1]>\nexample'
_ONES = {
    "QLinearAveragePool": "AveragePool",
    "QLinearGlobalAveragePool": "GlobalAveragePool",
    "QLinearLeakyRelu": "LeakyRelu",
    "QLinearReduceMean": "ReduceMean",
    "QLinearSigmoid": "Sigmoid",
    "QLinearSoftmax": "Softmax",
}
_AVERAGES = ("QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearReduceMean")


@rule(
    P.op(*_ONES, domain=MS)("x", "xs", P.opt("xz"), "ys", P.opt("yz")).as_("op"),
    numerics=Numerics.ROUNDING,
    example=(
        f"{_HEAD} (uint8[2,3] x) => (uint8[2,3] y) <{_Q}> {{ y = com.microsoft.QLinearSigmoid(x, xs, xz, ys, yz) }}"
    ),
)
def one(rw: Rewriter, x: Value, xs: Value, xz: Value | None, ys: Value, yz: Value | None, op: Op) -> Value:
    """QLinearSigmoid(x, ...) -> QuantizeLinear(Sigmoid(DequantizeLinear(x))), and so for other operators of one operand

    LeakyRelu, Softmax, averages and pools whose channels come second, with one scale each. ONNX Runtime may round
    otherwise, so that a result may be off by one level.
    """
    if op.attr("channels_last", 0):
        raise RejectError("the channels come last")
    average = op.op_type in _AVERAGES
    real = floats(rw, x, ratio(rw, (xs,), ys) if average else xs, xz)
    result: Value
    if op.op_type == "QLinearReduceMean":
        axes = op.attr("axes", None)
        result = rw.ReduceMean(real, None if axes is None else list(axes), keepdims=op.attr("keepdims", 1))
    elif op.op_type == "QLinearSoftmax":
        result = rw.Softmax(real, axis=_softmax_axis(rw, x, op))
    else:
        attrs: dict[str, Any] = {name: a for name, a in rw.copy_attrs(op).items() if name != "channels_last"}
        result = rw.op(_ONES[op.op_type], real, **attrs)
    return rounded(rw, result, yz, rw.dtype(x)) if average else levels(rw, result, ys, yz, rw.dtype(x))


def _softmax_axis(rw: Rewriter, x: Value, op: Op) -> int:
    """The axis of a Softmax; before opset 13 all dims from there on were one.

    Raises:
        RejectError: there are several, or that is not known.
    """
    axis, shape = int(op.attr("axis", -1)), rw.shape(x)
    if op.attr("opset", 13) < 13 and axis != -1 and (shape is None or axis % len(shape) != len(shape) - 1):
        raise RejectError("it is along several axes")
    return axis


@rule(
    P.op("QLinearAdd", "QLinearMul", domain=MS)("a", "a_s", P.opt("az"), "b", "bs", P.opt("bz"), "ys", P.opt("yz")),
    numerics=Numerics.ROUNDING,
    example=(
        f"{_HEAD} (uint8[2,3] a, uint8[3] b) => (uint8[2,3] y) <{_Q}> "
        "{ y = com.microsoft.QLinearAdd(a, xs, xz, b, ws, wz, ys, yz) }"
    ),
)
def two(
    rw: Rewriter,
    a: Value,
    a_s: Value,
    az: Value | None,
    b: Value,
    bs: Value,
    bz: Value | None,
    ys: Value,
    yz: Value | None,
) -> Value:
    """QLinearAdd(a, ..., b, ...) -> QuantizeLinear((a - u) s / r + (b - v) t / r + z, 1), QLinearMul likewise

    With one scale each, in levels of the result. ONNX Runtime may round otherwise, so that a result may be off by one
    level.
    """
    kind = rw.root.op_type.removeprefix("QLinear")
    if kind == "Mul":
        made = rw.Mul(rw.Mul(numbers(rw, a, az), numbers(rw, b, bz)), ratio(rw, (a_s, bs), ys))
    else:
        return _added(rw, (a, ratio(rw, (a_s,), ys), az), (b, ratio(rw, (bs,), ys), bz), yz)
    return rounded(rw, made, yz, rw.dtype(a))


def _added(
    rw: Rewriter, a: tuple[Value, Value, Value | None], b: tuple[Value, Value, Value | None], yz: Value | None
) -> Value:
    """Round(a s + (b t + z - (s u + t v))): the zero points are added before it is rounded, as ONNX Runtime does."""
    (first, s, u), (second, t, v) = a, b
    dtype = rw.dtype(first)
    if any(z is not None and (z.const is None or z.const.size != 1) for z in (u, v, yz)) or dtype is None:
        raise RejectError("a zero point is not constant, or there are several")
    if any(k.const is None for k in (s, t)):
        raise RejectError("a scale is not constant")
    by, other = (rw.array(k).reshape(()).astype(np.float32) for k in (s, t))
    zero, one, two_ = (np.float32(0 if z is None else rw.array(z).item()) for z in (yz, u, v))
    fixed = rw.const(zero - (by * one + other * two_))
    made: Value = rw.Add(rw.Mul(numbers(rw, first, None), s), rw.Add(rw.Mul(numbers(rw, second, None), t), fixed))
    return rounded(rw, made, rw.const(np.zeros((), dtype.numpy)))


@rule(
    P.op("QLinearWhere", domain=MS)("c", "a", "a_s", "az", "b", "bs", "bz", "ys", "yz"),
    numerics=Numerics.ROUNDING,
    example=(
        f"{_HEAD} (bool[2,3] c, uint8[2,3] a, uint8[3] b) => (uint8[2,3] y) <{_Q}> "
        "{ y = com.microsoft.QLinearWhere(c, a, xs, xz, b, ws, wz, ys, yz) }"
    ),
)
def where(
    rw: Rewriter, c: Value, a: Value, a_s: Value, az: Value, b: Value, bs: Value, bz: Value, ys: Value, yz: Value
) -> Value:
    """QLinearWhere(c, a, ..., b, ...) -> QuantizeLinear(Where(c, DequantizeLinear(a), DequantizeLinear(b)))

    With one scale each. ONNX Runtime may round otherwise, so that a result may be off by one level.
    """
    made: Value = rw.Where(c, floats(rw, a, a_s, az), floats(rw, b, bs, bz))
    return levels(rw, made, ys, yz, rw.dtype(a))


@rule(
    P.op("QLinearConcat", domain=MS)("ys", "yz", P.each("parts")).as_("op"),
    numerics=Numerics.ROUNDING,
    example=(
        f"{_HEAD} (uint8[2,3] a, uint8[2,1] b) => (uint8[2,4] y) <{_Q}> "
        "{ y = com.microsoft.QLinearConcat<axis = 1>(ys, yz, a, xs, xz, b, ws, wz) }"
    ),
)
def concat(rw: Rewriter, ys: Value, yz: Value, parts: tuple[Value, ...], op: Op) -> Value:
    """QLinearConcat(a, ..., b, ...) -> QuantizeLinear(Concat(DequantizeLinear(a), DequantizeLinear(b), ...))

    With one scale each. ONNX Runtime may round otherwise, so that a result may be off by one level.
    """
    if len(parts) % 3 or not parts:
        raise RejectError("a part lacks its scale or zero point")
    reals = [floats(rw, *parts[k : k + 3]) for k in range(0, len(parts), 3)]
    made: Value = rw.Concat(*reals, axis=op.attr("axis", 0))
    return levels(rw, made, ys, yz, rw.dtype(parts[0]))


@rule(
    P.op("QGemm", domain=MS)(
        "a", "a_s", "az", P.const("w"), P.const("ws"), P.const("wz"), P.opt(P.const("c")), P.opt("ys"), P.opt("yz")
    ).as_("op"),
    numerics=Numerics.ROUNDING,
    example=(
        f"{_HEAD} (uint8[2,3] a) => (uint8[2,2] y) <{_Q}, uint8[2,3] w = {{1, 2, 3, 4, 5, 6}}, int32[2] c = {{7, -9}}> "
        "{ y = com.microsoft.QGemm<transB = 1>(a, xs, xz, w, ws, wz, c, ys, yz) }"
    ),
)
def gemm(
    rw: Rewriter,
    a: Value,
    a_s: Value,
    az: Value,
    w: Value,
    ws: Value,
    wz: Value,
    c: Value | None,
    ys: Value | None,
    yz: Value | None,
    op: Op,
) -> Value:
    """QGemm(a, ..., w, ..., c) -> QuantizeLinear(Gemm(a - u, w - v, c) (s t / r), 1, z)

    u, v and z are the zero points, s, t and r the scales.
    With constant weights; floats, if no scale is given for the result. The same numbers as long as the sums stay below
    2^24; they round beyond.
    """
    transposed = int(op.attr("transB", 0))
    alpha = rw.const(np.asarray(op.attr("alpha", 1.0), np.float32))
    bias = None if c is None else rw.const(rw.array(c).astype(np.float32), name="bias")
    weight = shifted(rw, w, wz, 0 if transposed else 1)
    summed = rw.Gemm(numbers(rw, a, az), weight, bias, transA=op.attr("transA", 0), transB=transposed)
    made: Value = rw.Mul(summed, ratio(rw, (alpha, a_s, ws), ys))
    return made if ys is None else rounded(rw, made, yz, rw.dtype(a))


@rule(
    P.op("QLinearConv", domain=MS)("x", "xs", "xz", "w", "ws", "wz", "ys", "yz", P.opt("b")).as_("op"),
    numerics=Numerics.EXACT,
    example=(
        f"{_HEAD} (uint8[1,1,4,4] x) => (uint8[1,1,3,3] y) <{_Q}, uint8[1,1,2,2] w = {{1, 2, 3, 4}}> "
        "{ y = com.microsoft.QLinearConv(x, xs, xz, w, ws, wz, ys, yz) }"
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
    """com.microsoft.QLinearConv(x, ...) -> QLinearConv(x, ...)

    Where the channels come second. Exact: it is the same operator.
    """
    if op.attr("channels_last", 0):
        raise RejectError("the channels come last")
    attrs: dict[str, Any] = {name: a for name, a in rw.copy_attrs(op).items() if name != "channels_last"}
    result: Value = rw.QLinearConv(x, xs, xz, w, ws, wz, ys, yz, b, **attrs)
    return result


@rule(
    P.op("QuantizeLinear", "DequantizeLinear", domain=MS)("x", "s", P.opt("z")),
    numerics=Numerics.EXACT,
    example=f"{_HEAD} (uint8[2,3] x) => (float[2,3] y) <{_Q}> {{ y = com.microsoft.DequantizeLinear(x, xs, xz) }}",
)
def ends(rw: Rewriter, x: Value, s: Value, z: Value | None) -> Value:
    """com.microsoft.QuantizeLinear(x, s, z) -> QuantizeLinear(x, s, z), DequantizeLinear likewise

    For 8 bits, with one scale. Exact: they are the same operators.
    """
    if rw.root.op_type == "DequantizeLinear":
        return floats(rw, x, s, z)
    if rw.dtype(x) is not DType.FLOAT:
        raise RejectError("what is quantized are no floats")
    return levels(rw, x, s, z, DType.UINT8)


@rule(
    P.op("DynamicQuantizeMatMul", domain=MS)("x", "w", "ws", P.opt("wz"), P.opt("b")),
    numerics=Numerics.ROUNDING,
    example=(
        f"{_HEAD} (float[2,3] x, float[2] b) => (float[2,2] y) <{_Q}, uint8[3,2] w = {{1, 2, 3, 4, 5, 6}}> "
        "{ y = com.microsoft.DynamicQuantizeMatMul(x, w, ws, wz, b) }"
    ),
)
def dynamic(rw: Rewriter, x: Value, w: Value, ws: Value, wz: Value | None, b: Value | None) -> Value:
    """DynamicQuantizeMatMul(x, w, s, z, b) -> Cast(MatMulInteger(q, w, v, z)) t s + b; q, t, v of DynamicQuantizeLinear

    Exact but for the rounding of the scales' product.
    """
    quantized, scale, zero = rw.DynamicQuantizeLinear(x, outputs=3)
    return _scaled_back(rw, rw.MatMulInteger(quantized, w, zero, wz), rw.Mul(scale, ws), b)


@rule(
    P.op("MatMulIntegerToFloat", domain=MS)("a", "w", "a_s", "ws", P.opt("az"), P.opt("wz"), P.opt("b")),
    numerics=Numerics.ROUNDING,
    example=(
        f"{_HEAD} (uint8[2,3] x) => (float[2,2] y) <{_Q}, uint8[3,2] w = {{1, 2, 3, 4, 5, 6}}> "
        "{ y = com.microsoft.MatMulIntegerToFloat(x, w, xs, ws, xz, wz) }"
    ),
)
def to_float(
    rw: Rewriter, a: Value, w: Value, a_s: Value, ws: Value, az: Value | None, wz: Value | None, b: Value | None
) -> Value:
    """MatMulIntegerToFloat(a, w, s, t, u, v, b) -> Cast(MatMulInteger(a, w, u, v)) s t + b

    Exact but for the rounding of the scales' product.
    """
    return _scaled_back(rw, rw.MatMulInteger(a, w, az, wz), rw.Mul(a_s, ws), b)


def _scaled_back(rw: Rewriter, summed: Value, scale: Value, bias: Value | None) -> Value:
    if rw.dtype(scale) is not DType.FLOAT:
        raise RejectError("the scales are no floats")
    result: Value = rw.Mul(rw.Cast(summed, to=int(DType.FLOAT)), scale)
    return result if bias is None else rw.Add(result, bias)
