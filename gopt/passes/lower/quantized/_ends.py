"""Into floats, and out of them again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....ir import Array, DType, Value
from ....rewrite import RejectError, Rewriter


def scalar(rw: Rewriter, value: Value) -> Value:
    """A scale or zero point that is a scalar, or a list of one number, as a scalar.

    Raises:
        RejectError: there are several, or that is not known.
    """
    if value.const is not None and value.const.size == 1:
        return value if value.const.shape == () else rw.const(rw.array(value).reshape(()))
    if rw.shape(value) != ():
        raise RejectError("there is more than one scale or zero point")
    return value


def floats(rw: Rewriter, x: Value, scale: Value, zero: Value | None) -> Value:
    """What levels stand for.

    Raises:
        RejectError: there is more than one scale, or a type is not known.
    """
    if rw.dtype(x) not in (DType.UINT8, DType.INT8) or rw.dtype(scale) is not DType.FLOAT:
        raise RejectError("the elements are not of 8 bits, or their scale is no float")
    result: Value = rw.DequantizeLinear(x, scalar(rw, scale), None if zero is None else scalar(rw, zero))
    return result


def numbers(rw: Rewriter, x: Value, zero: Value | None) -> Value:
    """Levels less their zero point, as floats.

    Raises:
        RejectError: there is more than one zero point, or a type is not known.
    """
    return floats(rw, x, rw.const(np.ones((), np.float32)), zero)


def rounded(rw: Rewriter, x: Value, zero: Value | None, dtype: DType | None = None) -> Value:
    """The levels nearest to floats that are counted in levels already; of the zero point's type, or else of the given.

    Raises:
        RejectError: there is more than one zero point, or a type is not known.
    """
    return levels(rw, x, rw.const(np.ones((), np.float32)), zero, dtype)


def ratio(rw: Rewriter, above: Sequence[Value], below: Value | None, wide: Sequence[int] | None = None) -> Value:
    """The product of scales, divided by one, in single precision and this order, as ONNX Runtime has it.

    Args:
        wide: the shape that several scales get; None leaves them as they are.

    Raises:
        RejectError: a scale is no float, or there are several of a kind that is not constant.
    """
    if any(rw.dtype(v) is not DType.FLOAT for v in (*above, *(() if below is None else (below,)))):
        raise RejectError("a scale is no float")
    if any(v.const is None for v in above) or (below is not None and below.const is None):
        made = scalar(rw, above[0])
        for other in above[1:]:
            made = rw.Mul(made, scalar(rw, other))
        return made if below is None else rw.Div(made, scalar(rw, below))
    found: Array = np.ones((), np.float32)
    for value in above:
        found = found * _flat(rw.array(value))
    if below is not None:
        found = found / _flat(rw.array(below))
    return rw.const(found.reshape(wide) if wide is not None and found.size > 1 else found)


def _flat(scale: Array) -> Array:
    return scale.reshape(()) if scale.size == 1 else scale.reshape(-1)


def levels(rw: Rewriter, x: Value, scale: Value, zero: Value | None, dtype: DType | None) -> Value:
    """The levels nearest to floats, of the zero point's type, or else of the given one.

    Raises:
        RejectError: there is more than one scale, or a type is not known.
    """
    if zero is None:
        if dtype not in (DType.UINT8, DType.INT8):
            raise RejectError("the type of the levels is not known")
        zero = rw.const(np.zeros((), dtype.numpy))
    if rw.dtype(zero) not in (DType.UINT8, DType.INT8):
        raise RejectError("the levels are not of 8 bits")
    result: Value = rw.QuantizeLinear(x, scalar(rw, scale), scalar(rw, zero))
    return result


def shifted(rw: Rewriter, w: Value, zero: Value | None, axis: int) -> Value:
    """Weights less their zero points, of which there may be one for each place of an axis of constant weights.

    Raises:
        RejectError: the zero points do not fit.
    """
    if zero is None or zero.const is None or zero.const.size == 1:
        return numbers(rw, w, zero)
    shift = rw.array(zero).astype(np.float32)
    if w.const is None or shift.size != w.const.shape[axis]:
        raise RejectError("the zero points do not belong to that axis")
    wide = [1] * len(w.const.shape)
    wide[axis] = -1
    return rw.const(rw.array(w).astype(np.float32) - shift.reshape(wide), name="weight")
