"""TensorProto: weights stay where they are in the file; an untouched tensor is written as the bytes it was read from.

Source: onnx.proto, message TensorProto: which field holds which element types, and how.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ...ir import Array, BufferTensor, DType, FileTensor, Tensor
from ...ir.tensor import unpack
from ..wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Buffer,
    Chunks,
    Damaged,
    Odd,
    Source,
    bytes_field,
    encode_varint,
    fields,
    int_field,
    repeated_ints,
    signed,
    string_field,
    text,
    varint,
)
from .external import Folder, Location
from .schema import check
from .types import element_type

# Field numbers.
DIMS, DATA_TYPE, SEGMENT, FLOATS, INT32S, STRINGS, INT64S, NAME, RAW = 1, 2, 3, 4, 5, 6, 7, 8, 9
DOUBLES, UINT64S, DOC, EXTERNAL, DATA_LOCATION, METADATA = 10, 11, 12, 13, 14, 16

# Tags of the fields that nearly every tensor consists of.
_DIM, _TYPE, _TENSOR_NAME, _RAW_DATA = DIMS << 3, DATA_TYPE << 3, NAME << 3 | BYTES, RAW << 3 | BYTES
_COMMON = frozenset((_DIM, _TYPE, _TENSOR_NAME, _RAW_DATA))

_MAX_RANK = 64  # numpy's
_MAX_ELEMENTS = 1 << 48

_FIELD_OF: dict[DType, int] = {
    DType.FLOAT: FLOATS,
    DType.COMPLEX64: FLOATS,
    DType.DOUBLE: DOUBLES,
    DType.COMPLEX128: DOUBLES,
    DType.INT64: INT64S,
    DType.UINT32: UINT64S,
    DType.UINT64: UINT64S,
}
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
            found = int(np.count_nonzero(np.frombuffer(self._bytes, np.uint8) < 128))
        expected = self.size
        if self.dtype in (DType.COMPLEX64, DType.COMPLEX128):
            expected *= 2
        elif self.dtype.bits in (2, 4):
            expected = self.dtype.storage_bytes(expected)  # an entry holds a byte of packed elements
        if found != expected:
            raise Damaged(f"tensor {self.wire.name!r}: {found} numbers of data for shape {list(self.shape)}")

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


# -- reading ------------------------------------------------------------------------------------------------------


def read_tensor(source: Source, start: int, end: int, folder: Folder) -> RawTensor | ExternalTensor | TypedTensor:
    """The tensor in a TensorProto.

    Args:
        source: where the message lies.
        start, end: from where to where.
        folder: where its data may lie if they are external.

    Raises:
        ModelError: it is malformed, or its data are not what its type and shape demand.
    """
    buf = source.buf
    dims: list[int] = []
    number = raw_start = 0
    raw_end = -1
    name = ""
    rest: list[tuple[int, int, int, int]] = []
    pos = start
    while pos < end:
        tag = buf[pos]
        if tag not in _COMMON:
            found, kind, _, at, pos = next(fields(buf, pos, end))
            rest.append((found, kind, at, pos))
            if found == DIMS and kind == BYTES:
                dims += _packed(buf, at, pos)
            continue
        value = buf[pos + 1]
        pos += 2
        if value > 127:
            value, pos = varint(buf, pos - 1)
        if tag == _DIM:
            dims.append(value)
        elif tag == _TYPE:
            number = value
        else:
            at, pos = pos, pos + value
            if tag == _RAW_DATA:
                raw_start, raw_end = at, pos
            else:
                name = text(buf[at:pos])
    if pos != end:
        raise Damaged("a tensor ends in the middle of a field")
    dtype = element_type(number)
    wire = Wire(source, start, end, name)
    shape = _shape(dims, name)
    if not rest and raw_end >= 0 and dtype.bits:
        _check_bytes(dtype, shape, raw_end - raw_start, name)
        return RawTensor(dtype, shape, source.view[raw_start:raw_end], wire)
    return _read_rest(dtype, shape, wire, (raw_start, raw_end), rest, folder)


def _read_rest(
    dtype: DType,
    shape: tuple[int, ...],
    wire: Wire,
    raw: tuple[int, int],
    rest: list[tuple[int, int, int, int]],
    folder: Folder,
) -> RawTensor | ExternalTensor | TypedTensor:
    """A tensor with fields beyond dims, type, name and raw data."""
    buf, name = wire.source.buf, wire.name
    spans: dict[int, list[tuple[int, int]]] = {}
    external = False
    entries = []
    for number, kind, start, stop in rest:
        if number in (FLOATS, INT32S, INT64S, DOUBLES, UINT64S, STRINGS):
            if kind != BYTES:
                raise Odd("an unpacked field")
            spans.setdefault(number, []).append((start, stop))
        elif number == EXTERNAL:
            entries.append((start, stop))
            check(buf, start, stop, "Entry")
        elif number == DATA_LOCATION and kind == VARINT:
            external = varint(buf, start)[0] == 1
        elif number == SEGMENT:
            raise Damaged(f"tensor {name!r} is in segments")
        elif number == METADATA:
            check(buf, start, stop, "Entry")
        elif number in (DIMS, DATA_TYPE, NAME, RAW) and kind in (FIXED32, FIXED64):
            raise Odd("a field of another type")
    if dtype is DType.UNDEFINED:
        raise Damaged(f"tensor {name!r} has no element type")
    if external:
        if dtype is DType.STRING:
            raise Damaged(f"tensor {name!r}: strings can't be external data")
        location = folder.locate(buf, entries, name, dtype.storage_bytes(prod(shape)))
        return ExternalTensor(dtype, shape, location, wire)
    if raw[1] >= 0 and (raw[1] > raw[0] or not spans) and dtype is not DType.STRING:
        _check_bytes(dtype, shape, raw[1] - raw[0], name)
        return RawTensor(dtype, shape, wire.source.view[raw[0] : raw[1]], wire)
    field = STRINGS if dtype is DType.STRING else _FIELD_OF.get(dtype, INT32S)
    found = spans.get(field, [])
    if field != STRINGS and len(found) > 1:
        found = [span for span in found if span[0] < span[1]]
    return TypedTensor(dtype, shape, field, tuple(found), wire)


def read_sparse(source: Source, start: int, end: int, folder: Folder) -> SparseTensor:
    """The tensor in a SparseTensorProto; its name is that of its values.

    Raises:
        ModelError: it is malformed.
    """
    buf = source.buf
    dims: list[int] = []
    parts: dict[int, Tensor] = {}
    name = ""
    for number, kind, _, pos, stop in fields(buf, start, end):
        if number in (1, 2) and kind == BYTES:
            if number in parts:
                raise Odd("two parts of a kind")
            part = read_tensor(source, pos, stop, folder)
            parts[number] = part
            name = part.wire.name if number == 1 else name
        elif number == 3:
            dims += _packed(buf, pos, stop)
    if len(parts) < 2:
        raise Damaged(f"sparse tensor {name!r} has no values or no indices")
    values, indices = parts[1], parts[2]
    shape = _shape(dims, name)
    count = values.size
    if indices.shape not in ((count,), (count, len(shape))) or values.shape != (count,):
        raise Damaged(f"sparse tensor {name!r}: its indices do not fit its values")
    if indices.dtype is not DType.INT64 or prod(shape) > 1 << 31:
        raise Damaged(f"sparse tensor {name!r} can't be read: its indices are no int64, or it is too large")
    return SparseTensor(shape, values, indices, Wire(source, start, end, name))


def _packed(buf: Buffer, pos: int, end: int) -> list[int]:
    """The numbers of a field, packed or not (a single number is read alike)."""
    numbers = []
    while pos < end:
        number, pos = varint(buf, pos)
        numbers.append(number)
    return numbers


def _shape(dims: list[int], name: str) -> tuple[int, ...]:
    shape = tuple(dims)
    if shape and max(shape) >> 31:
        shape = tuple(map(signed, dims))
    if len(shape) > _MAX_RANK:
        raise Damaged(f"tensor {name!r} has {len(shape)} dims")
    elements = 1
    for dim in shape:
        if dim < 0:
            raise Damaged(f"tensor {name!r} has a negative dim: {list(shape)}")
        elements *= dim or 1
        if elements > _MAX_ELEMENTS:
            raise Damaged(f"tensor {name!r} is too large: {list(shape)}")
    return shape


def _check_bytes(dtype: DType, shape: tuple[int, ...], found: int, name: str) -> None:
    expected = dtype.storage_bytes(prod(shape))
    if found != expected:
        kind = dtype.name.lower()
        raise Damaged(f"tensor {name!r}: {found} bytes of data, but {kind}{list(shape)} takes {expected}")


# -- writing ------------------------------------------------------------------------------------------------------


def encode_tensor(tensor: Tensor, name: str) -> Chunks:
    """A TensorProto; one that came from a file keeps all but its name.

    Args:
        tensor: any tensor.
        name: "" for none.
    """
    wire: Wire | None = getattr(tensor, "wire", None)
    if wire is not None and not isinstance(tensor, SparseTensor):
        return _renamed(wire, name)
    chunks = Chunks()
    chunks.data(repeated_ints(DIMS, tensor.shape) + int_field(DATA_TYPE, tensor.dtype))
    if tensor.dtype is DType.STRING:
        chunks.data(b"".join(bytes_field(STRINGS, s) for s in tensor.numpy().ravel()))
    if name:
        chunks.data(string_field(NAME, name))
    if tensor.dtype is not DType.STRING:
        raw = tensor.raw()
        chunks.data(encode_varint(RAW << 3 | BYTES) + encode_varint(len(raw)))
        chunks.data(raw)
    return chunks


def encode_external(tensor: Tensor, name: str, location: str, offset: int) -> Chunks:
    """A TensorProto whose data are in a file beside the model."""
    chunks = Chunks()
    wire: Wire | None = None if isinstance(tensor, SparseTensor) else getattr(tensor, "wire", None)
    chunks.data(repeated_ints(DIMS, tensor.shape) + int_field(DATA_TYPE, tensor.dtype))
    if name:
        chunks.data(string_field(NAME, name))
    kept = [] if wire is None else [f for f in fields(wire.source.buf, wire.start, wire.end) if f[0] in (DOC, METADATA)]
    for number, _, start, _, stop in kept:
        if number == DOC and wire is not None:
            chunks.extent(wire.source, start, stop)
    entries = {"location": location, "offset": str(offset), "length": str(tensor.nbytes)}
    for key, value in entries.items():
        chunks.data(bytes_field(EXTERNAL, string_field(1, key) + string_field(2, value)))
    chunks.data(int_field(DATA_LOCATION, 1))
    for number, _, start, _, stop in kept:
        if number == METADATA and wire is not None:
            chunks.extent(wire.source, start, stop)
    return chunks


def encode_sparse(tensor: SparseTensor, name: str) -> Chunks:
    """The SparseTensorProto of a sparse initializer, under a name."""
    wire = tensor.wire
    chunks = Chunks()
    for number, _, at, start, stop in fields(wire.source.buf, wire.start, wire.end):
        if number == 1:
            chunks.message(1, _renamed(Wire(wire.source, start, stop, wire.name), name))
        else:
            chunks.extent(wire.source, at, stop)
    return chunks


def _renamed(wire: Wire, name: str) -> Chunks:
    chunks = Chunks()
    if wire.name == name:
        chunks.extent(wire.source, wire.start, wire.end)
        return chunks
    written = not name
    for number, _, start, _, stop in fields(wire.source.buf, wire.start, wire.end):
        if not written and number >= NAME:
            chunks.data(string_field(NAME, name))
            written = True
        if number != NAME:
            chunks.extent(wire.source, start, stop)
    if not written:
        chunks.data(string_field(NAME, name))
    return chunks
