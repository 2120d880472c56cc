"""Element types of tensors, numbered as `TensorProto.DataType` is (ONNX IR specification, "Tensor Element Types")."""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from typing import Any

import numpy as np


class DType(IntEnum):
    """An ONNX element type; the number is the one that files hold."""

    UNDEFINED = 0
    FLOAT = 1
    UINT8 = 2
    INT8 = 3
    UINT16 = 4
    INT16 = 5
    INT32 = 6
    INT64 = 7
    STRING = 8
    BOOL = 9
    FLOAT16 = 10
    DOUBLE = 11
    UINT32 = 12
    UINT64 = 13
    COMPLEX64 = 14
    COMPLEX128 = 15
    BFLOAT16 = 16
    FLOAT8E4M3FN = 17
    FLOAT8E4M3FNUZ = 18
    FLOAT8E5M2 = 19
    FLOAT8E5M2FNUZ = 20
    UINT4 = 21
    INT4 = 22
    FLOAT4E2M1 = 23
    FLOAT8E8M0 = 24
    UINT2 = 25
    INT2 = 26

    @property
    def bits(self) -> int:
        """Bits of one element as stored; 0 for strings and UNDEFINED, which have no fixed size."""
        return _BITS.get(self, 0)

    @property
    def is_float(self) -> bool:
        """True for every real floating-point type, the 4- and 8-bit ones included."""
        return self in _FLOATS

    @property
    def is_integer(self) -> bool:
        """True for signed and unsigned integers of any width (not for BOOL)."""
        return self in _INTEGERS

    @property
    def numpy(self) -> np.dtype[Any]:
        """The numpy dtype that holds one (unpacked) element; strings are `object` (of `bytes`).

        Raises:
            TypeError: for UNDEFINED.
        """
        return _numpy(self)

    def storage_bytes(self, count: int) -> int:
        """Bytes that `count` elements take in `raw_data`: sub-byte types are packed, the last byte padded."""
        return (count * self.bits + 7) // 8


_NATIVE: dict[DType, str] = {
    DType.FLOAT: "<f4",
    DType.UINT8: "u1",
    DType.INT8: "i1",
    DType.UINT16: "<u2",
    DType.INT16: "<i2",
    DType.INT32: "<i4",
    DType.INT64: "<i8",
    DType.BOOL: "?",
    DType.FLOAT16: "<f2",
    DType.DOUBLE: "<f8",
    DType.UINT32: "<u4",
    DType.UINT64: "<u8",
    DType.COMPLEX64: "<c8",
    DType.COMPLEX128: "<c16",
    DType.STRING: "O",
}
# Types that numpy lacks come from ml_dtypes, a dependency of onnx, imported only when one is met.
_EXTENDED: dict[DType, str] = {
    DType.BFLOAT16: "bfloat16",
    DType.FLOAT8E4M3FN: "float8_e4m3fn",
    DType.FLOAT8E4M3FNUZ: "float8_e4m3fnuz",
    DType.FLOAT8E5M2: "float8_e5m2",
    DType.FLOAT8E5M2FNUZ: "float8_e5m2fnuz",
    DType.UINT4: "uint4",
    DType.INT4: "int4",
    DType.FLOAT4E2M1: "float4_e2m1fn",
    DType.FLOAT8E8M0: "float8_e8m0fnu",
    DType.UINT2: "uint2",
    DType.INT2: "int2",
}
_BITS: dict[DType, int] = {d: np.dtype(c).itemsize * 8 for d, c in _NATIVE.items() if d is not DType.STRING} | {
    DType.BFLOAT16: 16,
    DType.UINT4: 4,
    DType.INT4: 4,
    DType.FLOAT4E2M1: 4,
    DType.UINT2: 2,
    DType.INT2: 2,
    **{d: 8 for d in _EXTENDED if d.name.startswith("FLOAT8")},
}
_FLOATS = frozenset(d for d in DType if d.name.startswith(("FLOAT", "BFLOAT")) or d is DType.DOUBLE)
_INTEGERS = frozenset(d for d in DType if d.name.startswith(("INT", "UINT")))


@cache
def _numpy(dtype: DType) -> np.dtype[Any]:
    if dtype in _NATIVE:
        return np.dtype(_NATIVE[dtype])
    if dtype in _EXTENDED:
        import ml_dtypes

        found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, _EXTENDED[dtype]))
        return found
    raise TypeError(f"{dtype.name} has no numpy form")


_BY_NUMPY = {np.dtype(c): d for d, c in _NATIVE.items()}


def dtype_of(array: np.ndarray[Any, Any]) -> DType:
    """The element type of a numpy array (byte order ignored; any string kind is STRING).

    Raises:
        TypeError: ONNX has no such type.
    """
    found = _BY_NUMPY.get(array.dtype)
    if found is not None:
        return found
    if array.dtype.kind in "SU":
        return DType.STRING
    name = array.dtype.name
    for dtype, extended in _EXTENDED.items():
        if extended == name:
            return dtype
    native = _BY_NUMPY.get(array.dtype.newbyteorder("<"))
    if native is None:
        raise TypeError(f"numpy dtype {array.dtype} has no ONNX element type")
    return native
