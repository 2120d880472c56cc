"""Conversions of element types (ONNX operators Cast, CastLike, BitCast): shape rules and kernels.

The table of special cases is that of the clause of Cast; where it says "undefined" the kernel refuses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ..ir import Array, DType, Op, TensorType, Type, dtype_of
from .evaluate import Call, NoKernel
from .numeric import limits, to_integers
from .registry import kernel, shape_rule
from .shapes import tensor, typed
from .view import attribute

_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|nan)", re.IGNORECASE)
_INTEGER = re.compile(rb"[+-]?\d+")
_HIGHEST = {
    DType.FLOAT8E4M3FN: 448.0,
    DType.FLOAT8E4M3FNUZ: 240.0,
    DType.FLOAT8E5M2: 57344.0,
    DType.FLOAT8E5M2FNUZ: 57344.0,
}
_NARROW = (DType.FLOAT16, DType.BFLOAT16)


@shape_rule("Cast", "BitCast", elementwise=True)
def cast_rule(op: Op) -> Sequence[Type | None]:
    """The operand's shape, the element type that `to` names."""
    dtype = DType(attribute(op, "to"))
    x = tensor(op.inputs[0])
    return (TensorType(dtype) if x is None else typed(x, dtype, x.shape),)


@shape_rule("CastLike", elementwise=True)
def cast_like_rule(op: Op) -> Sequence[Type | None]:
    """The first operand's shape, the second's element type."""
    x, like = map(tensor, op.inputs)
    if like is None:
        return ()
    return (TensorType(like.dtype) if x is None else typed(x, like.dtype, x.shape),)


@kernel("Cast")
def cast(call: Call) -> Array:
    """To the element type that `to` names."""
    return convert(call[0], DType(call.attribute("to")), bool(call.attribute("saturate")))


@kernel("CastLike")
def cast_like(call: Call) -> Array:
    """To the element type of the second operand."""
    return convert(call[0], dtype_of(call[1]), bool(call.attribute("saturate")))


@kernel("BitCast")
def bit_cast(call: Call) -> Array:
    """The same bits read as another type of the same width."""
    x, to = call[0], DType(call.attribute("to"))
    source = dtype_of(x)
    if source.bits != to.bits or to.bits < 8 or to is DType.BOOL:
        raise NoKernel(f"bits of {source.name} as {to.name}")
    return np.ascontiguousarray(x).view(to.numpy).reshape(x.shape)


def convert(x: Array, to: DType, saturate: bool = True) -> Array:
    """The elements of a tensor converted as ONNX's Cast does.

    Raises:
        NoKernel: a number that the target does not hold, or another case that the clause leaves open.
    """
    source = dtype_of(x)
    if source is to:
        return x
    if source is DType.STRING:
        return _from_strings(x, to)
    if to is DType.STRING:
        return _to_strings(x, source)
    if source is DType.BOOL:
        x = x.astype(np.uint8)
    elif source.bits < 8 and source.is_integer:
        x = x.astype(np.int8 if source in (DType.INT4, DType.INT2) else np.uint8)
    elif source.is_float and source.bits < 32:
        x = x.astype(np.float32)
    if to is DType.BOOL:
        return np.asarray(x != 0)
    if to.is_integer:
        return _to_integer(x, to)
    return _to_float(x, to, saturate)


def _to_integer(x: Array, to: DType) -> Array:
    if x.dtype.kind == "f":
        if to.bits < 8 and bool(np.any(x != np.trunc(x))):
            raise NoKernel(f"runtimes differ in how they round to {to.name}")
        return to_integers(x, to.numpy)
    if to.bits >= 8:
        return x.astype(to.numpy)
    low, high = limits(to.numpy)
    return (((x.astype(np.int64) - low) & (high - low)) + low).astype(to.numpy)


def _to_float(x: Array, to: DType, saturate: bool) -> Array:
    if to in (DType.FLOAT, DType.DOUBLE):
        return x.astype(to.numpy)
    single = x.astype(np.float32)
    result = single.astype(to.numpy)
    if to in _NARROW:
        # By way of float32 a double is rounded twice; some runtimes do that, some do not.
        if x.dtype == np.float64 and not _equal(x.astype(to.numpy), result):
            raise NoKernel(f"a double between two numbers of {to.name}")
        return result
    if to.bits < 8 or to is DType.FLOAT8E8M0:
        if not _equal(result, single):
            raise NoKernel(f"a number that {to.name} does not hold exactly")
        return result
    if saturate:
        highest = to.numpy.type(_HIGHEST[to])
        over = ~np.isfinite(result.astype(np.float32)) & ~np.isnan(single)
        result = np.where(over & (single > 0), highest, np.where(over, -highest, result))
    return np.asarray(result, to.numpy)


def _equal(a: Array, b: Array) -> bool:
    return bool(np.array_equal(a.astype(np.float32), b.astype(np.float32), equal_nan=True))


def _from_strings(x: Array, to: DType) -> Array:
    texts = [bytes(s).strip() for s in x.ravel().tolist()]
    if to.is_integer and to.bits >= 8:
        if not all(_INTEGER.fullmatch(t) for t in texts):
            raise NoKernel("a string that is no integer")
        low, high = limits(to.numpy)
        numbers = [int(t) for t in texts]
        if not all(low <= n <= high for n in numbers):
            raise NoKernel(f"a number that {to.name} does not hold")
        return np.array(numbers, to.numpy).reshape(x.shape)
    if to not in (DType.FLOAT, DType.DOUBLE, *_NARROW) or not all(_NUMBER.fullmatch(t) for t in texts):
        raise NoKernel("a string that is no number")
    return convert(np.array([float(t) for t in texts], np.float64).reshape(x.shape), to)


def _to_strings(x: Array, source: DType) -> Array:
    """Integers only: how many digits of a float are written is up to the runtime."""
    if not source.is_integer:
        raise NoKernel(f"{source.name} as text")
    return np.array([str(int(n)).encode() for n in x.ravel().tolist()], object).reshape(x.shape)
