"""TensorProto: weights stay where they are in the file; an untouched tensor is written as the bytes it was read from.

Source: onnx.proto, message TensorProto: which field holds which element types, and how.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ...ir import Array, BufferTensor, DType, FileTensor, Tensor
from ...ir.tensor import unpack
from ..wire import Damaged, Source
from .external import Location

# Field numbers.
DIMS, DATA_TYPE, SEGMENT, FLOATS, INT32S, STRINGS, INT64S, NAME, RAW = 1, 2, 3, 4, 5, 6, 7, 8, 9
DOUBLES, UINT64S, DOC, EXTERNAL, DATA_LOCATION, METADATA = 10, 11, 12, 13, 14, 16

_STORED_AS: dict[int, np.dtype[Any]] = {FLOATS: np.dtype("<f4"), DOUBLES: np.dtype("<f8")}


class Wire:
    """Where a tensor's message lies, and the name it has there."""

    __slots__ = ("end", "name", "source", "start")

    def __init__(self, source: Source, start: int, end: int, name: str) -> None:
        self.source = source
        self.start = start
        self.end = end
        self.name = name


class RawTensor(BufferTensor):
    """A tensor whose `raw_data` is a slice of the model."""

    __slots__ = ("wire",)

    def __init__(self, dtype: DType, shape: tuple[int, ...], buffer: memoryview | bytes, wire: Wire) -> None:
        self.dtype = dtype
        self.shape = shape
        self._buffer = buffer
        self.wire = wire


class ExternalTensor(FileTensor):
    """A tensor whose data are a part of another file."""

    __slots__ = ("location", "wire")

    def __init__(self, dtype: DType, shape: tuple[int, ...], location: Location, wire: Wire) -> None:
        super().__init__(dtype, shape, location.path, location.offset, location.length)
        self.location = location
        self.wire = wire

    def open(self) -> int:
        return self.location.open()


class TypedTensor(Tensor):
    """A tensor in `float_data`, `int32_data` or another of the typed fields; decoded when first read."""

    __slots__ = ("_array", "_field", "_spans", "wire")

    def __init__(
        self, dtype: DType, shape: tuple[int, ...], field: int, spans: tuple[tuple[int, int], ...], wire: Wire
    ) -> None:
        super().__init__(dtype, shape)
        self.wire = wire
        self._field = field
        self._spans = spans
        self._array: Array | None = None
        self._check_count()

    def numpy(self) -> Array:
        if self._array is None:
            self._array = self._strings() if self.dtype is DType.STRING else self._decode()
            self._array.flags.writeable = False
        return self._array

    @property
    def _bytes(self) -> bytes | memoryview:
        view = self.wire.source.view
        if len(self._spans) == 1:
            return view[slice(*self._spans[0])]
        return b"".join(view[a:b] for a, b in self._spans)

    def _check_count(self) -> None:
        if self.dtype is DType.STRING:
            found = len(self._spans)
        elif stored := _STORED_AS.get(self._field):
            found, rest = divmod(sum(b - a for a, b in self._spans), stored.itemsize)
            if rest:
                raise Damaged(f"tensor {self.wire.name!r}: its data end in the middle of a number")
        else:
            found = self._count_varints()
        expected = self.size
        if self.dtype in (DType.COMPLEX64, DType.COMPLEX128):
            expected *= 2
        elif self.dtype.bits in (2, 4):
            expected = self.dtype.storage_bytes(expected)  # an entry holds a byte of packed elements
        if found != expected:
            raise Damaged(f"tensor {self.wire.name!r}: {found} numbers of data for shape {list(self.shape)}")

    def _count_varints(self) -> int:
        ends = np.flatnonzero(np.frombuffer(self._bytes, np.uint8) < 128)
        lengths = np.diff(ends, prepend=-1)
        complete = not self._bytes or (len(ends) and ends[-1] == len(self._bytes) - 1)
        if not complete or lengths.max(initial=0) > 10:
            raise Damaged(f"tensor {self.wire.name!r}: its data end in the middle of a number")
        return len(ends)

    def _strings(self) -> Array:
        array = np.empty(len(self._spans), object)
        buf = self.wire.source.buf
        array[:] = [buf[a:b] for a, b in self._spans]
        return array.reshape(self.shape)

    def _decode(self) -> Array:
        if stored := _STORED_AS.get(self._field):
            return np.frombuffer(self._bytes, stored).view(self.dtype.numpy).reshape(self.shape).copy()
        numbers = decode_varints(self._bytes)
        if self._field == INT32S and self.dtype is not DType.INT32:
            # Bit patterns in the low bits of each entry; those below a byte are packed first.
            width = 2 if self.dtype.bits == 16 else 1
            patterns = numbers.astype(f"<u{width}")
            return unpack(patterns.tobytes(), self.dtype, self.shape).copy()
        return numbers.astype(self.dtype.numpy).reshape(self.shape)


class SparseTensor(Tensor):
    """A sparse initializer as the dense constant that it stands for; made when first read."""

    __slots__ = ("_array", "_indices", "_values", "wire")

    def __init__(self, shape: tuple[int, ...], values: Tensor, indices: Tensor, wire: Wire) -> None:
        super().__init__(values.dtype, shape)
        self.wire = wire
        self._values = values
        self._indices = indices
        self._array: Array | None = None

    def numpy(self) -> Array:
        if self._array is None:
            self._array = self._densify()
            self._array.flags.writeable = False
        return self._array

    def _densify(self) -> Array:
        if self.dtype is DType.STRING:
            dense = np.full(self.size, b"", object)
        else:
            dense = np.zeros(self.size, self.dtype.numpy)
        at = self._indices.numpy().astype(np.int64)
        if at.ndim == 2:
            at = at @ np.array([prod(self.shape[k + 1 :]) for k in range(len(self.shape))], np.int64)
        if len(at) and (at.min() < 0 or at.max() >= len(dense)):
            raise Damaged(f"sparse tensor {self.wire.name!r}: an index is outside of shape {list(self.shape)}")
        dense[at] = self._values.numpy()
        return dense.reshape(self.shape)


WireTensor = RawTensor | ExternalTensor | TypedTensor | SparseTensor
"""A tensor of a file."""


def decode_varints(data: bytes | memoryview) -> Array:
    """The numbers of a packed field, as two's complement of 64 bits."""
    octets = np.frombuffer(data, np.uint8)
    last = octets < 128
    if last.all():
        return octets.astype(np.int64)
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    result = np.zeros(len(ends), np.uint64)
    for k in range(int(lengths.max())):
        some = lengths > k
        result[some] |= (octets[starts[some] + k] & 127).astype(np.uint64) << np.uint64(7 * k)
    return result.view(np.int64)
