"""What is rounded to levels that TensorRT has not: unsigned ones, and such as do not lie around zero."""

from __future__ import annotations

import numpy as np

from ....ir import DType, Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ...example import example

_RANGES = {DType.UINT8: (0, 255), DType.INT8: (-128, 127)}
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
    """DequantizeLinear(QuantizeLinear(x, s, z), s, z) -> s Clip(Round(x / s), low - z, high - z)

    With one constant scale and zero point, where the type is unsigned or z is not 0; other pairs are what TensorRT
    wants. The levels are the same, in floats.
    """
    zero = np.zeros((), np.uint8) if z is None else rw.array(z).reshape(-1)
    other = np.zeros((), np.uint8) if v is None else rw.array(v).reshape(-1)
    dtype = DType.UINT8 if z is None else rw.dtype(z)
    if dtype not in _RANGES or rw.array(s).size != 1 or zero.size != 1 or rw.dtype(x) is not DType.FLOAT:
        raise RejectError("there is more than one scale, or the types are others")
    if not np.array_equal(rw.array(s).reshape(-1), rw.array(t).reshape(-1)) or int(zero.item()) != int(other.item()):
        raise RejectError("it is brought back by another scale")
    if dtype is DType.INT8 and not zero.item():
        raise RejectError("it is symmetric")
    low, high = (rw.const(np.asarray(end - int(zero.item()), np.float32)) for end in _RANGES[dtype])
    scale = rw.const(rw.array(s).reshape(()).astype(np.float32))
    result: Value = rw.Mul(rw.Clip(rw.Round(rw.Div(x, scale)), low, high), scale)
    return result


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

    For weights of type uint8, or int8 with a zero point other than 0; symmetric ones stay quantized. Exact: the
    operator computes just this.
    """
    dtype = rw.dtype(w)
    array, scale = rw.array(w).astype(np.float32), rw.array(s)
    zero = np.zeros((), np.float32) if z is None else rw.array(z).astype(np.float32)
    if dtype not in _RANGES or scale.dtype != np.float32 or (dtype is DType.INT8 and not zero.any()):
        raise RejectError("it is symmetric, or the types are others")
    if rw.attr(op, "block_size"):
        raise RejectError("it is quantized in blocks")
    if scale.size > 1:
        axis = rw.attr(op, "axis") % array.ndim
        wide = [1] * array.ndim
        wide[axis] = scale.size
        scale, zero = scale.reshape(wide), zero.reshape(wide) if zero.size > 1 else zero.reshape(())
    else:
        scale, zero = scale.reshape(()), zero.reshape(())
    return rw.const((array - zero) * scale, name="weight")


@rule(
    P.DequantizeLinear("x", P.const("s"), P.opt(P.const("z"))).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example("(uint8[2] x) => (float[2] y) <float s = {0.5}, uint8 z = {3}> { y = DequantizeLinear(x, s, z) }"),
)
def dequantize(rw: Rewriter, x: Value, s: Value, z: Value | None, op: Op) -> Value:
    """DequantizeLinear(x, s, z) -> (Cast(x) - z) s

    With one constant scale and zero point, where the type is unsigned or z is not 0; what was quantized just before is
    dealt with together with that.
    """
    zero = _asymmetric(rw, s, z, rw.dtype(x))
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
    users = [use.op.op_type for use in op.result.uses]
    if not op.result.is_output and all(kind == "DequantizeLinear" for kind in users):
        raise RejectError("it is brought back at once")
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
