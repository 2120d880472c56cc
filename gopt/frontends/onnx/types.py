"""Types of values: TypeProto and ValueInfoProto, to the IR's types and back."""

from __future__ import annotations

from collections.abc import Callable

from ...ir import (
    Declared,
    Dim,
    DType,
    MapType,
    OpaqueType,
    OptionalType,
    SequenceType,
    Shape,
    SparseTensorType,
    Symbol,
    TensorType,
    Type,
)
from ...ir.printer import type_text
from ..wire import (
    BYTES,
    VARINT,
    Buffer,
    Damaged,
    Odd,
    bytes_field,
    fields,
    int_field,
    signed,
    string_field,
    text,
    varint,
)
from .schema import check_entry

SymbolOf = Callable[[str], Symbol]
_MAX_NESTING = 40


class FileDeclared(Declared):
    """A declaration of a file.

    Attributes:
        name: the name that it gives.
        position: its place in the graph's value_info; -1 for one among the inputs or outputs.
    """

    __slots__ = ("name", "position")

    def __init__(self, name: str, raw: bytes, position: int, parse: Callable[[bytes], Type | None]) -> None:
        self._type = None
        self._parse = parse
        self.raw = raw
        self.name = name
        self.position = position


class TypeMessage(bytes):
    """A TypeProto as an attribute's value."""

    @property
    def type(self) -> Type | None:
        """What it says."""
        return read_type(self)

    def __str__(self) -> str:
        return type_text(self.type)


class TypeReader:
    """Reads the declarations of one model.

    Types repeat: a form that was seen before is known to be right, and read only if somebody asks.
    """

    def __init__(self, symbol: SymbolOf) -> None:
        self._symbol = symbol
        self._checked: set[bytes] = set()
        self._parse = self.type_of

    def declared(self, buf: Buffer, pos: int, end: int, position: int = -1) -> FileDeclared:
        """A ValueInfoProto.

        Raises:
            Damaged: it is malformed.
        """
        raw = buf[pos:end]
        size = len(raw)
        at = 4 + raw[1] if size > 4 else size
        short = at < size < 128 and raw[0] == 0x0A and raw[at - 2] == 0x12 and at + raw[at - 1] == size
        if short and raw[at:] in self._checked:  # a name and a type, as nearly always
            return FileDeclared(text(raw[2 : at - 2]), raw, position, self._parse)
        name = ""
        at = 0
        while at < size:
            tag, length = raw[at], raw[at + 1]
            at += 2
            if length > 127:
                length, at = varint(raw, at - 1)
            stop = at + length
            if tag == 0x0A:
                name = text(raw[at:stop])
            elif tag == 0x12:
                self._check(raw[at:stop])
            elif tag == 0x22:
                check_entry(raw, at, stop)
            elif tag != 0x1A:
                raise Odd(f"a field of a value's declaration with tag {tag}")
            at = stop
        if at != size:
            raise Damaged("a value's declaration ends in the middle of a field")
        return FileDeclared(name, raw, position, self._parse)

    def _check(self, form: bytes) -> None:
        if form not in self._checked:
            _type(form, 0, len(form), Symbol)
            self._checked.add(form)

    def type_of(self, raw: bytes) -> Type | None:
        """The type that a ValueInfoProto declares."""
        for number, kind, _, start, stop in fields(raw, 0, len(raw)):
            if number == 2 and kind == BYTES:
                return _type(raw, start, stop, self._symbol)
        return None


def read_type(raw: bytes, symbol: SymbolOf = Symbol) -> Type | None:
    """The type in a TypeProto; None if it says nothing.

    Raises:
        Damaged: it is malformed.
    """
    return _type(raw, 0, len(raw), symbol)


def _type(buf: Buffer, pos: int, end: int, symbol: SymbolOf, depth: int = 0) -> Type | None:
    if depth > _MAX_NESTING:
        raise Damaged(f"types nest deeper than {_MAX_NESTING}")
    found: Type | None = None
    for number, kind, _, start, stop in fields(buf, pos, end):
        if kind != BYTES or number not in (1, 4, 5, 7, 8, 9):
            continue
        if found is not None:
            raise Odd("a type of two kinds")
        if number in (1, 8):
            found = _tensor(buf, start, stop, symbol, TensorType if number == 1 else SparseTensorType)
        elif number == 5:
            found = _map(buf, start, stop, symbol, depth)
        elif number == 7:
            found = OpaqueType()
        else:
            elem = _elem(buf, start, stop, symbol, depth)
            found = SequenceType(elem) if number == 4 else OptionalType(elem)
    return found


def _tensor(
    buf: Buffer, pos: int, end: int, symbol: SymbolOf, make: type[TensorType] | type[SparseTensorType]
) -> Type | None:
    dtype = DType.UNDEFINED
    shape: Shape | None = None
    for number, kind, _, start, stop in fields(buf, pos, end):
        if number == 1 and kind == VARINT:
            dtype = element_type(varint(buf, start)[0])
        elif number == 2 and kind == BYTES:
            if shape is not None:
                raise Odd("two shapes")
            shape = tuple(
                _dim(buf, s, e, symbol) for n, k, _, s, e in fields(buf, start, stop) if n == 1 and k == BYTES
            )
    return None if dtype is DType.UNDEFINED else make(dtype, shape)


def _dim(buf: Buffer, pos: int, end: int, symbol: SymbolOf) -> Dim:
    dim: Dim | None = None
    for number, kind, _, start, stop in fields(buf, pos, end):
        if number == 1 and kind == VARINT:
            size = signed(varint(buf, start)[0])
            dim = size if size > 0 else None
        elif number == 2 and kind == BYTES:
            name = text(buf[start:stop])
            dim = symbol(name) if name else None
    return Symbol() if dim is None else dim


def _elem(buf: Buffer, pos: int, end: int, symbol: SymbolOf, depth: int) -> Type:
    found: Type | None = None
    for number, kind, _, start, stop in fields(buf, pos, end):
        if number == 1 and kind == BYTES:
            found = _type(buf, start, stop, symbol, depth + 1)
    return OpaqueType() if found is None else found


def _map(buf: Buffer, pos: int, end: int, symbol: SymbolOf, depth: int) -> MapType:
    key, value = DType.UNDEFINED, None
    for number, kind, _, start, stop in fields(buf, pos, end):
        if number == 1 and kind == VARINT:
            key = element_type(varint(buf, start)[0])
        elif number == 2 and kind == BYTES:
            value = _type(buf, start, stop, symbol, depth + 1)
    return MapType(key, OpaqueType() if value is None else value)


def element_type(number: int) -> DType:
    """The element type of a number in a file.

    Raises:
        Damaged: there is no such type.
    """
    try:
        return _DTYPES[number]
    except KeyError:
        raise Damaged(f"there is no element type {signed(number)}") from None


_DTYPES = {int(d): d for d in DType}


# -- writing ------------------------------------------------------------------------------------------------------


def encode_declared(name: str, declared: Declared | None, inferred: Type | None = None) -> bytes:
    """The ValueInfoProto of a value: as its file had it if it still has that name."""
    if declared is None or declared.raw is None:
        type_ = inferred if declared is None else declared.type
        return string_field(1, name) + (b"" if type_ is None else bytes_field(2, encode_type(type_)))
    if isinstance(declared, FileDeclared) and declared.name == name:
        return declared.raw
    return renamed(declared.raw, name)


def renamed(raw: bytes, name: str) -> bytes:
    """A ValueInfoProto under another name."""
    rest = b"".join(raw[at:stop] for number, _, at, _, stop in fields(raw, 0, len(raw)) if number != 1)
    return string_field(1, name) + rest


def declared_name(raw: bytes) -> str:
    """The name in a ValueInfoProto."""
    names = [text(raw[start:stop]) for number, kind, _, start, stop in fields(raw, 0, len(raw)) if number == 1]
    return names[-1] if names else ""


def encode_type(type_: Type) -> bytes:
    """A TypeProto. An unknown dim has neither value nor name."""
    match type_:
        case TensorType():
            return bytes_field(1, _encode_tensor(type_))
        case SparseTensorType():
            return bytes_field(8, _encode_tensor(type_))
        case SequenceType():
            return bytes_field(4, bytes_field(1, encode_type(type_.elem)))
        case OptionalType():
            return bytes_field(9, bytes_field(1, encode_type(type_.elem)))
        case MapType():
            return bytes_field(5, int_field(1, type_.key) + bytes_field(2, encode_type(type_.value)))
        case OpaqueType():
            return b""


def _encode_tensor(type_: TensorType | SparseTensorType) -> bytes:
    encoded = int_field(1, type_.dtype)
    if type_.shape is not None:
        encoded += bytes_field(2, b"".join(bytes_field(1, _encode_dim(d)) for d in type_.shape))
    return encoded


def _encode_dim(dim: Dim) -> bytes:
    if isinstance(dim, Symbol):
        return string_field(2, dim.name) if dim.name else b""
    return int_field(1, dim)
