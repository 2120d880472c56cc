"""What is rounded to levels that TensorRT has not: unsigned ones, and such as do not lie around zero."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ....ir import Array, DType, Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ...example import example
from ..types import brings_back

_RANGES = {
    DType.UINT8: (0, 255),
    DType.INT8: (-128, 127),
    DType.UINT16: (0, 65535),
    DType.INT16: (-32768, 32767),
}
_STORED = (*_RANGES, DType.INT32, DType.UINT4, DType.INT4)
_PRODUCTS = frozenset(("Conv", "ConvTranspose", "Einsum", "Gemm", "MatMul", "Reshape", "Transpose"))
_PAIR = (
    "(float[2,3] x) => (float[2,3] y) <float s = {0.5}, uint8 z = {128}> "
    "{ q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }"
)


@rule(
    P.DequantizeLinear(
        P.QuantizeLinear("x", P.const("s"), P.opt(P.const("z"))).as_("q").shared(), P.const("t"), P.opt(P.const("v"))
    ),
    numerics=Numerics.ROUNDING,
    example=example(_PAIR),
)
def levels(rw: Rewriter, x: Value, s: Value, z: Value | None, t: Value, v: Value | None, q: Op) -> Value:
    """DequantizeLinear(QuantizeLinear(x, s, z), t, v) -> t (Clip(Round(x / s), low - z, high - z) + z - v)

    With constant scales and zero points, one each, where the type is unsigned or z is not 0; other pairs are what
    TensorRT wants. The levels are the same, in floats.
    """
    zero = np.zeros((), np.uint8) if z is None else rw.array(z).reshape(-1)
    other = np.zeros((), np.uint8) if v is None else rw.array(v).reshape(-1)
    dtype = DType.UINT8 if z is None else rw.dtype(z)
    if dtype not in _RANGES or zero.size != 1 or rw.dtype(x) is not DType.FLOAT:
        raise RejectError("there is more than one zero point, or the types are others")
    if any(rw.array(k).size != 1 or rw.dtype(k) is not DType.FLOAT for k in (s, t)):
        raise RejectError("there is more than one scale, or the types are others")
    if other.size != 1:
        raise RejectError("it is brought back by several zero points")
    shift = int(zero.item())
    apart = shift - int(other.item())
    if dtype is DType.INT8 and not shift and not apart:
        raise RejectError("it is symmetric")
    low, high = (rw.const(np.asarray(end - shift, np.float32)) for end in _RANGES[dtype])
    result: Value = rw.Clip(rw.Round(times(rw, rw.Div, x, s)), low, high)
    if apart:
        result = rw.Add(result, rw.const(np.asarray(apart, np.float32)))
    return times(rw, rw.Mul, result, t)


def times(rw: Rewriter, operator: Callable[..., Value], x: Value, scale: Value) -> Value:
    """A product or quotient by a constant of one element."""
    by = rw.array(scale).reshape(()).astype(np.float32)
    return x if by == 1 else operator(x, rw.const(by))


@rule(
    P.DequantizeLinear(P.const("w"), P.const("s"), P.opt(P.const("z"))).as_("op"),
    numerics=Numerics.EXACT,
    example=example(
        "(float[2] x) => (float[2] y) <uint8[2] w = {1, 2}, float s = {0.5}, uint8 z = {3}> "
        "{ v = DequantizeLinear(w, s, z) y = Add(x, v) }"
    ),
)
def weights(rw: Rewriter, w: Value, s: Value, z: Value | None, op: Op) -> Value:
    """DequantizeLinear(w, s, z) -> the constant (w - z) s

    For weights of 4, 8 and 16 bits, and for int32, as biases are; symmetric int8 and int4 that are multiplied, as
    matrices or kernels, stay quantized. With one scale, one for each place of an axis, or one for each block. Exact:
    the operator computes just this.
    """
    dtype = rw.dtype(w)
    array, scale = rw.array(w), rw.array(s)
    zero = np.zeros((), np.float32) if z is None else rw.array(z).astype(np.float32)
    if dtype not in _STORED or scale.dtype != np.float32:
        raise RejectError("the types are others")
    if (
        dtype in (DType.INT8, DType.INT4)
        and not zero.any()
        and any(use.op.op_type in _PRODUCTS for use in op.result.uses)
    ):
        raise RejectError("it is symmetric, and multiplied")
    axis = rw.attr(op, "axis") % max(array.ndim, 1)
    if block := rw.attr(op, "block_size"):
        scale, zero = (_spread(part, array.shape[axis], block, axis) for part in (scale, zero))
    elif scale.size > 1:
        wide = [1] * array.ndim
        wide[axis] = scale.size
        scale, zero = scale.reshape(wide), zero.reshape(wide) if zero.size > 1 else zero.reshape(())
    else:
        scale, zero = scale.reshape(()), zero.reshape(())
    return rw.const((array.astype(np.float32) - zero) * scale, name="weight")


def _spread(part: Array, size: int, block: int, axis: int) -> Array:
    """Scales or zero points of blocks along an axis, for each element of it."""
    if not part.ndim:
        return part
    result: Array = np.repeat(part, block, axis=axis).take(np.arange(size), axis=axis)
    return result


@rule(
    P.DequantizeLinear("x", P.const("s"), P.opt(P.const("z"))).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example("(uint8[2] x) => (float[2] y) <float s = {0.5}, uint8 z = {3}> { y = DequantizeLinear(x, s, z) }"),
)
def dequantize(rw: Rewriter, x: Value, s: Value, z: Value | None, op: Op) -> Value:
    """DequantizeLinear(x, s, z) -> (Cast(x) - z) s

    With one constant scale and zero point, where the type is unsigned or z is not 0, and for sums of type int32, which
    have none; what was quantized just before is dealt with together with that.
    """
    zero = 0 if rw.dtype(x) is DType.INT32 and rw.array(s).size == 1 else _asymmetric(rw, s, z, rw.dtype(x))
    made = x.producer
    if x.const is not None or (made is not None and made.op_type == "QuantizeLinear"):
        raise RejectError("what was quantized before is dealt with together with that")
    number = rw.Cast(x, to=int(DType.FLOAT))
    if zero:
        number = rw.Sub(number, rw.const(np.asarray(zero, np.float32)))
    result: Value = rw.Mul(number, rw.const(rw.array(s).reshape(()).astype(np.float32)))
    return result


@rule(
    P.QuantizeLinear("x", P.const("s"), P.opt(P.const("z"))).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2] x) => (uint8[2] y) <float s = {0.5}, uint8 z = {3}> { y = QuantizeLinear(x, s, z) }"),
)
def quantize(rw: Rewriter, x: Value, s: Value, z: Value | None, op: Op) -> Value:
    """QuantizeLinear(x, s, z) -> Cast(Clip(Round(x / s) + z, 0, 255))

    With one constant scale and zero point, where the type is unsigned or z is not 0, and the levels themselves are
    used.
    """
    dtype = DType.UINT8 if z is None else rw.dtype(z)
    zero = _asymmetric(rw, s, z, dtype)
    if not op.result.is_output and all(brings_back(use.op) for use in op.result.uses):
        raise RejectError("it is brought back at once, or by what takes it")
    if rw.dtype(x) is not DType.FLOAT or dtype is None:
        raise RejectError("it is of another type than float")
    level = rw.Round(rw.Div(x, rw.const(rw.array(s).reshape(()).astype(np.float32))))
    if zero:
        level = rw.Add(level, rw.const(np.asarray(zero, np.float32)))
    low, high = (rw.const(np.asarray(end, np.float32)) for end in _RANGES[dtype])
    result: Value = rw.Cast(rw.Clip(level, low, high), to=int(dtype))
    return result


def _asymmetric(rw: Rewriter, s: Value, z: Value | None, dtype: DType | None) -> int:
    """The zero point of what TensorRT does not take.

    Raises:
        RejectError: it does, or there is more than one scale or zero point.
    """
    array = np.zeros((), np.uint8) if z is None else rw.array(z)
    if dtype not in _RANGES or rw.array(s).size != 1 or array.size != 1 or rw.array(s).dtype != np.float32:
        raise RejectError("there is more than one scale, or the types are others")
    zero = int(array.item())
    if dtype is DType.INT8 and not zero:
        raise RejectError("it is symmetric")
    return zero
