"""TensorProto and SparseTensorProto, read."""

from __future__ import annotations

from math import prod

from ...ir import DType, Tensor
from ..limits import limits
from ..wire import BYTES, FIXED32, FIXED64, VARINT, Buffer, Damaged, Odd, Source, fields, signed, text, varint
from .external import Folder
from .schema import check
from .tensors import (
    DATA_LOCATION,
    DATA_TYPE,
    DIMS,
    DOUBLES,
    EXTERNAL,
    FLOATS,
    INT32S,
    INT64S,
    METADATA,
    NAME,
    RAW,
    SEGMENT,
    STRINGS,
    UINT64S,
    ExternalTensor,
    RawTensor,
    SparseTensor,
    TypedTensor,
    Wire,
)
from .types import element_type

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
    if indices.dtype is not DType.INT64 or prod(shape) * max(1, values.dtype.bits // 8) > limits().dense:
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
