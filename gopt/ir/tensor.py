"""Constant tensors: immutable, lazy, shared. No pass copies a weight to look at its shape.

A tensor is either an array in memory, or bytes that somebody else holds: a slice of the mapped model file, or a part of
an external file that is mapped when first read. What a file format needs beyond that (how the tensor was spelled in the
file) is a subclass of the frontend's.
"""

from __future__ import annotations

import mmap
import os
from abc import ABC, abstractmethod
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from .dtype import DType, dtype_of

Array = np.ndarray[Any, Any]


class Tensor(ABC):
    """A constant of known element type and shape."""

    __slots__ = ("dtype", "shape")

    def __init__(self, dtype: DType, shape: tuple[int, ...]) -> None:
        self.dtype = dtype
        self.shape = shape

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the data as stored in a file (strings: their total length)."""
        if self.dtype is DType.STRING:
            return sum(len(s) for s in self.numpy().ravel())
        return self.dtype.storage_bytes(self.size)

    @abstractmethod
    def numpy(self) -> Array:
        """The elements, read-only, one array element each; strings are `bytes` objects. Shares memory where it can."""

    def raw(self) -> memoryview | bytes:
        """Little-endian bytes, packed as `TensorProto.raw_data` is; not for strings.

        Raises:
            TypeError: for a string tensor.
        """
        return pack(self.numpy(), self.dtype)

    def item(self) -> Any:
        """The only element as a Python scalar.

        Raises:
            ValueError: the tensor does not have exactly one element.
        """
        return self.numpy().item()

    def __repr__(self) -> str:
        return f"{self.dtype.name.lower()}{list(self.shape)}"


class ArrayTensor(Tensor):
    """A tensor that lies in memory as a numpy array."""

    __slots__ = ("_array",)

    def __init__(self, array: Array, dtype: DType | None = None) -> None:
        array = np.asarray(array)  # numpy's functions return scalars where they could return rank 0
        dtype = dtype_of(array) if dtype is None else dtype
        super().__init__(dtype, array.shape)
        if dtype is DType.STRING and array.dtype.kind != "O":
            array = np.array([s if isinstance(s, bytes) else str(s).encode() for s in array.ravel().tolist()], object)
            array = array.reshape(self.shape)
        view = array.view()
        view.flags.writeable = False
        self._array = view

    def numpy(self) -> Array:
        return self._array


class BufferTensor(Tensor):
    """A tensor whose packed little-endian bytes lie in a buffer, usually a slice of the mapped model file."""

    __slots__ = ("_buffer",)

    def __init__(self, dtype: DType, shape: tuple[int, ...], buffer: memoryview | bytes) -> None:
        super().__init__(dtype, shape)
        self._buffer = buffer

    def numpy(self) -> Array:
        return unpack(self._buffer, self.dtype, self.shape)

    def raw(self) -> memoryview | bytes:
        return self._buffer


class FileTensor(Tensor):
    """A tensor whose packed bytes are a part of a file; mapped for as long as an array made from it lives."""

    __slots__ = ("length", "offset", "path")

    def __init__(self, dtype: DType, shape: tuple[int, ...], path: Path, offset: int, length: int) -> None:
        super().__init__(dtype, shape)
        self.path = path
        self.offset = offset
        self.length = length

    def open(self) -> int:
        """A descriptor of the file, to be closed by the caller.

        Raises:
            OSError: it cannot be opened.
        """
        return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)

    def raw(self) -> memoryview:
        if not self.length:
            return memoryview(b"")
        start = self.offset - self.offset % mmap.ALLOCATIONGRANULARITY
        skip = self.offset - start
        fd = self.open()
        try:
            mapped = mmap.mmap(fd, skip + self.length, access=mmap.ACCESS_READ, offset=start)
        finally:
            os.close(fd)
        return memoryview(mapped)[skip:]

    def numpy(self) -> Array:
        return unpack(self.raw(), self.dtype, self.shape)


def unpack(buffer: memoryview | bytes, dtype: DType, shape: tuple[int, ...]) -> Array:
    """Packed little-endian bytes as a read-only array; shares memory for all types of a byte or more."""
    if dtype.bits >= 8:
        array = np.frombuffer(buffer, dtype.numpy).reshape(shape)
    else:
        per_byte = 8 // dtype.bits
        codes = np.frombuffer(buffer, np.uint8)
        parts = [(codes >> (dtype.bits * k)) & ((1 << dtype.bits) - 1) for k in range(per_byte)]
        flat = np.stack(parts, axis=-1).reshape(-1)[: prod(shape)].astype(np.uint8)
        array = _from_codes(flat, dtype).reshape(shape)
    array.flags.writeable = False
    return array


def pack(array: Array, dtype: DType) -> memoryview | bytes:
    """An array as packed little-endian bytes, as `TensorProto.raw_data` holds them.

    Raises:
        TypeError: for strings.
    """
    if dtype is DType.STRING:
        raise TypeError("strings have no raw form")
    if dtype.bits >= 8:
        flat = np.ascontiguousarray(array).astype(dtype.numpy, copy=False)
        return flat.reshape(-1).view(np.uint8).data if flat.size else b""
    per_byte = 8 // dtype.bits
    codes = np.ascontiguousarray(array).reshape(-1).view(np.uint8) & ((1 << dtype.bits) - 1)
    codes = np.concatenate([codes, np.zeros(-len(codes) % per_byte, np.uint8)]).reshape(-1, per_byte)
    packed = np.zeros(len(codes), np.uint8)
    for k in range(per_byte):
        packed |= codes[:, k] << (dtype.bits * k)
    return packed.tobytes()


def _from_codes(codes: Array, dtype: DType) -> Array:
    """Bit patterns of a sub-byte type as an array of it; ml_dtypes keeps one element in a byte, sign-extended."""
    if dtype in (DType.INT4, DType.INT2):
        shift = 8 - dtype.bits
        codes = ((codes << shift).view(np.int8) >> shift).view(np.uint8)
    return codes.view(dtype.numpy)
