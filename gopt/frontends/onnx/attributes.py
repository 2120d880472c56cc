"""AttributeProto: to the IR's attributes and back."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from ...ir import Attr, AttrKind, Graph, Tensor
from ..limits import limits
from ..wire import (
    BYTES,
    FIXED32,
    VARINT,
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
from .external import Folder
from .schema import MESSAGES, check
from .tensorreader import read_tensor
from .types import TypeMessage

NAME, KIND, DOC, REF = 1, 20, 13, 21
# The field that holds a value of each kind; all wire types but those of numbers are BYTES.
_FIELD: dict[AttrKind, int] = {
    AttrKind.FLOAT: 2,
    AttrKind.INT: 3,
    AttrKind.STRING: 4,
    AttrKind.TENSOR: 5,
    AttrKind.GRAPH: 6,
    AttrKind.FLOATS: 7,
    AttrKind.INTS: 8,
    AttrKind.STRINGS: 9,
    AttrKind.TENSORS: 10,
    AttrKind.GRAPHS: 11,
    AttrKind.SPARSE_TENSOR: 22,
    AttrKind.SPARSE_TENSORS: 23,
    AttrKind.TYPE_PROTO: 14,
    AttrKind.TYPE_PROTOS: 15,
}
_KIND_OF_FIELD = {field: kind for kind, field in _FIELD.items()}
_SINGLE = frozenset(
    (
        AttrKind.FLOAT,
        AttrKind.INT,
        AttrKind.STRING,
        AttrKind.TENSOR,
        AttrKind.GRAPH,
        AttrKind.SPARSE_TENSOR,
        AttrKind.TYPE_PROTO,
    )
)
_DEFAULT: dict[AttrKind, Any] = {AttrKind.FLOAT: 0.0, AttrKind.INT: 0, AttrKind.STRING: ""}
_OPAQUE: dict[AttrKind, str] = {
    AttrKind.SPARSE_TENSOR: "Sparse",
    AttrKind.SPARSE_TENSORS: "Sparse",
    AttrKind.TYPE_PROTO: "Type",
    AttrKind.TYPE_PROTOS: "Type",
}
_KINDS = {int(k): k for k in AttrKind}
_CACHED = 64
"""Attributes of at most so many bytes are read once: models repeat them."""


class Span(NamedTuple):
    """Where a graph of an attribute lies; the reader of graphs puts a Graph in its place."""

    start: int
    end: int


class AttributeReader:
    """Reads the attributes of one model."""

    def __init__(self, source: Source, folder: Folder) -> None:
        self._source = source
        self._folder = folder
        self._cache: dict[bytes, tuple[str, Attr]] = {}

    def read(self, start: int, end: int) -> tuple[str, Attr]:
        """Name and attribute of an AttributeProto. The value of a graph is a Span, of graphs a tuple of them.

        `Attr.raw` is the whole message, but without the values of tensors and graphs, which are kept apart.

        Raises:
            ModelError: it is malformed.
        """
        if end - start > _CACHED:
            return self._read_tensor(start, end) or self._read(start, end)
        key = self._source.buf[start:end]
        known = self._cache.get(key)
        if known is None:
            known = _quick(key) or self._read_tensor(start, end) or self._read(start, end)
            if known[1].kind not in _PARTS:
                self._cache[key] = known
        return known

    def _read_tensor(self, start: int, end: int) -> tuple[str, Attr] | None:
        """An attribute that is nothing but a name, a tensor and its kind, in this order."""
        buf = self._source.buf
        at = start + 2 + buf[start + 1]
        if end - start < 8 or buf[start] != 0x0A or buf[start + 1] > 127 or at > end - 3 or buf[at] != 0x2A:
            return None
        length, pos = varint(buf, at + 1)
        stop = pos + length
        if stop != end - 3 or buf[stop:end] != _TENSOR_KIND:
            return None
        tensor = read_tensor(self._source, pos, stop, self._folder)
        return buf[start + 2 : at].decode(), Attr(AttrKind.TENSOR, tensor, "", buf[start:at] + _TENSOR_KIND)

    def _read(self, start: int, end: int) -> tuple[str, Attr]:
        buf = self._source.buf
        name = ref = ""
        number = 0
        values: dict[int, list[tuple[int, int, int]]] = {}
        for field, wire, _, at, stop in fields(buf, start, end):
            if field == NAME and wire == BYTES:
                name = text(buf[at:stop])
            elif field == KIND and wire == VARINT:
                number = varint(buf, at)[0]
            elif field == REF and wire == BYTES:
                ref = text(buf[at:stop])
            elif field in _KIND_OF_FIELD:
                values.setdefault(field, []).append((wire, at, stop))
        kind = _KINDS.get(number)
        if kind is None:
            raise Damaged(f"attribute {name!r}: there is no kind of attribute {number}")
        if kind is AttrKind.UNDEFINED and values:
            kind = _KIND_OF_FIELD[next(iter(values))]  # before IR version 2 the kind was not written
        found = [] if ref else values.pop(_FIELD.get(kind, 0), [])
        for field, unused in values.items():  # passed on unread
            for wire, at, stop in unused:
                if wire == BYTES and field in MESSAGES["Attribute"]:
                    check(buf, at, stop, MESSAGES["Attribute"][field])
        if ref:
            return name, Attr(kind, None, ref, buf[start:end])
        raw = self._without(start, end, _FIELD[kind]) if kind in _PARTS else buf[start:end]
        return name, Attr(kind, self._value(name, kind, found), "", raw)

    def _value(self, name: str, kind: AttrKind, found: list[tuple[int, int, int]]) -> Any:
        if kind is AttrKind.UNDEFINED:
            return None
        if kind in _SINGLE:
            if not found:
                if kind in _DEFAULT:
                    return _DEFAULT[kind]
                raise Damaged(f"attribute {name!r} has no value")
            if len(found) > 1 and kind not in _DEFAULT:
                raise Odd("one value in parts")
            return self._one(kind, *found[-1])
        if len(found) > limits().attribute:
            raise Damaged(f"attribute {name!r} has {len(found)} values (--input-limit attribute=NUMBER)")
        single = _SINGULAR[kind]
        return tuple([self._one(single, *f) for f in found])

    def _one(self, kind: AttrKind, wire: int, start: int, end: int) -> Any:
        buf = self._source.buf
        if wire != _WIRE.get(kind, BYTES):
            raise Odd(f"an attribute's value of wire type {wire}")
        match kind:
            case AttrKind.INT:
                return signed(varint(buf, start)[0])
            case AttrKind.FLOAT:
                return _float(buf[start:end])
            case AttrKind.STRING:
                if end - start > limits().attribute:
                    raise Damaged(f"an attribute has {end - start} bytes (--input-limit attribute=NUMBER)")
                return buf[start:end].decode("utf-8", "surrogateescape")
            case AttrKind.TENSOR:
                return read_tensor(self._source, start, end, self._folder)
            case AttrKind.GRAPH:
                return Span(start, end)
            case _:
                check(buf, start, end, _OPAQUE[kind])
                data = buf[start:end]
                return TypeMessage(data) if kind is AttrKind.TYPE_PROTO else data

    def _without(self, start: int, end: int, number: int) -> bytes:
        buf = self._source.buf
        return b"".join([buf[at:stop] for field, _, at, _, stop in fields(buf, start, end) if field != number])


def _quick(raw: bytes) -> tuple[str, Attr] | None:
    """Name and attribute if the message is a name, a number, integers or a short string, and the kind, in this order.

    Nearly all are; the others take the long way.
    """
    tail = len(raw) - 3
    if tail < 4 or raw[0] != 0x0A or raw[tail] != 0xA0 or raw[tail + 1] != 1:
        return None
    pos = 2 + raw[1]
    if pos > tail - 2:
        return None
    kind = raw[-1]
    value: Any
    if kind == AttrKind.INT and raw[pos] == 0x18:
        number, pos = varint(raw, pos + 1)
        value = signed(number)
    elif kind == AttrKind.INTS:
        numbers = []
        while pos < tail and raw[pos] == 0x40:
            number, pos = varint(raw, pos + 1)
            numbers.append(signed(number))
        value = tuple(numbers)
    elif kind == AttrKind.FLOAT and raw[pos] == 0x15:
        value = _float(raw[pos + 1 : pos + 5].ljust(4))
        pos += 5
    elif kind == AttrKind.STRING and raw[pos] == 0x22 and raw[pos + 1] < 128:
        value = raw[pos + 2 : tail].decode("utf-8", "surrogateescape")
        pos += 2 + raw[pos + 1]
    else:
        return None
    return None if pos != tail else (raw[2 : 2 + raw[1]].decode(), Attr(_KINDS[kind], value, "", raw))


_TENSOR_KIND = bytes([0xA0, 1, AttrKind.TENSOR])
_WIRE = {AttrKind.INT: VARINT, AttrKind.FLOAT: FIXED32}
_SINGULAR = {
    AttrKind.FLOATS: AttrKind.FLOAT,
    AttrKind.INTS: AttrKind.INT,
    AttrKind.STRINGS: AttrKind.STRING,
    AttrKind.TENSORS: AttrKind.TENSOR,
    AttrKind.GRAPHS: AttrKind.GRAPH,
    AttrKind.SPARSE_TENSORS: AttrKind.SPARSE_TENSOR,
    AttrKind.TYPE_PROTOS: AttrKind.TYPE_PROTO,
}
_PARTS = frozenset((AttrKind.TENSOR, AttrKind.TENSORS, AttrKind.GRAPH, AttrKind.GRAPHS))


def _float(data: bytes) -> float:
    value: float = struct.unpack("<f", data)[0]
    return value


# -- writing ------------------------------------------------------------------------------------------------------

EncodeTensor = Callable[[Tensor, str], Chunks]
EncodeGraph = Callable[[Graph], Chunks]


def encode_attribute(name: str, attr: Attr, tensor: EncodeTensor, graph: EncodeGraph) -> Chunks:
    """An AttributeProto; one of a file keeps what the IR does not interpret, such as its doc string."""
    chunks = Chunks()
    raw = attr.raw if attr.raw is not None and _name_in(attr.raw) == name else None
    if attr.kind in _PARTS and not attr.ref:
        values = attr.value if isinstance(attr.value, tuple) else (attr.value,)
        number = _FIELD[attr.kind]
        parts = [graph(v) if isinstance(v, Graph) else tensor(v, _tensor_name(v)) for v in values]
        before, after = (string_field(NAME, name), int_field(KIND, attr.kind)) if raw is None else _split(raw, number)
        chunks.data(before)
        for part in parts:
            chunks.message(number, part)
        chunks.data(after)
    elif raw is not None:
        chunks.data(raw)
    else:
        kind = int_field(KIND, attr.kind)
        value = string_field(REF, attr.ref) if attr.ref else b""
        chunks.data(string_field(NAME, name) + (kind + value if value else _encode_value(attr) + kind))
    return chunks


def _tensor_name(tensor: Tensor) -> str:
    wire = getattr(tensor, "wire", None)
    return "" if wire is None else wire.name


def _name_in(raw: bytes) -> str:
    for number, wire, _, start, stop in fields(raw, 0, len(raw)):
        if number == NAME and wire == BYTES:
            return text(raw[start:stop])
    return ""


def _split(raw: bytes, number: int) -> tuple[bytes, bytes]:
    """The fields before and behind the one of the value."""
    for field, _, start, _, _ in fields(raw, 0, len(raw)):
        if field > number:
            return raw[:start], raw[start:]
    return raw, b""


def _encode_value(attr: Attr) -> bytes:
    number = _FIELD.get(attr.kind, 0)
    values = attr.value if isinstance(attr.value, tuple) else (attr.value,)
    match _SINGULAR.get(attr.kind, attr.kind):
        case AttrKind.UNDEFINED:
            return b""
        case AttrKind.INT:
            return repeated_ints(number, values)
        case AttrKind.FLOAT:
            tag = encode_varint(number << 3 | FIXED32)
            return b"".join(tag + struct.pack("<f", v) for v in values)
        case AttrKind.STRING:
            return b"".join(string_field(number, v) for v in values)
        case _:
            return b"".join(bytes_field(number, v) for v in values)
