"""TensorProto and SparseTensorProto, written."""

from __future__ import annotations

from ...ir import DType, Tensor
from ..wire import BYTES, Chunks, bytes_field, encode_varint, fields, int_field, repeated_ints, string_field
from .tensors import (
    DATA_LOCATION,
    DATA_TYPE,
    DIMS,
    DOC,
    EXTERNAL,
    METADATA,
    NAME,
    RAW,
    STRINGS,
    SparseTensor,
    Wire,
)


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
