"""What the kernels of several families share: element types, and the floating-point width that runtimes compute in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..ir import Array, DType, dtype_of
from .evaluate import Call, NoKernel

Unary = Callable[[Array], Any]
Map = Callable[..., Any]


def is_float(array: Array) -> bool:
    """True for all floating-point arrays, those of ml_dtypes included."""
    return array.dtype.kind == "f" or (array.dtype.kind == "V" and dtype_of(array).is_float)


def is_integer(array: Array) -> bool:
    """True for integers of all widths, those of ml_dtypes included; not for bool."""
    return array.dtype.kind in "iu" or (array.dtype.kind == "V" and dtype_of(array).is_integer)


def widened(array: Array) -> Array:
    """Floats of less than 32 bits as float32: no runtime computes in fewer; other arrays as they are."""
    return array.astype(np.float32) if array.dtype.itemsize < 4 and is_float(array) else array


def same_dtype(*arrays: Array) -> np.dtype[Any]:
    """The common dtype; numpy would promote silently what ONNX does not allow to be mixed.

    Raises:
        NoKernel: the dtypes differ.
    """
    dtype: np.dtype[Any] = arrays[0].dtype
    for array in arrays:
        if array.dtype != dtype:
            raise NoKernel(f"operands of types {dtype} and {array.dtype}")
    return dtype


def given(call: Call) -> list[Array]:
    """All operands of a variadic operator.

    Raises:
        NoKernel: one is omitted, or there is none.
    """
    found = [a for a in call.arrays if a is not None]
    if not found or len(found) != len(call.arrays):
        raise NoKernel(f"{call.op.label} lacks operands")
    return found


def unary(function: Unary) -> Callable[[Call], Array]:
    """The kernel that maps a function over a tensor of floats, in float32 at least, or of integers as they are."""

    def run(call: Call) -> Array:
        x = call[0]
        return np.asarray(function(widened(x))).astype(x.dtype, copy=False)

    return run


def binary(function: Map) -> Callable[[Call], Array]:
    """The kernel that maps a function over two broadcast tensors of one type, which the result has too."""

    def run(call: Call) -> Array:
        a, b = call[0], call[1]
        dtype = same_dtype(a, b)
        return np.asarray(function(widened(a), widened(b))).astype(dtype, copy=False)

    return run


def limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Lowest and highest number of an integer type, those of ml_dtypes included."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return int(info.min), int(info.max)
    if dtype.kind == "b":
        return 0, 1
    bits = DType[dtype.name.upper()].bits
    return (0, (1 << bits) - 1) if dtype.name.startswith("u") else (-(1 << bits - 1), (1 << bits - 1) - 1)


def to_integers(values: Array, dtype: np.dtype[Any]) -> Array:
    """Floats truncated to an integer type.

    Raises:
        NoKernel: one of them is NaN or out of range, where runtimes and processors differ.
    """
    low, high = limits(dtype)
    whole = np.trunc(values)
    # high + 1 is a power of two, hence exact in every float type; high itself need not be.
    if not bool(np.all((whole >= float(low)) & (whole < float(high + 1)))):
        raise NoKernel(f"a number that {dtype} does not hold")
    return np.asarray(whole).astype(dtype)
