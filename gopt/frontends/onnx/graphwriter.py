"""GraphProto, written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...ir import Dim, Graph, Role, Symbol, TensorType, Type, Value
from ..wire import Chunks, bytes_field
from .graphs import INITIALIZER, INPUT, NAME, NODE, OUTPUT, SPARSE, VALUE_INFO
from .nodewriter import NodeEncoder, is_node
from .notes import GraphNote, InitializerNote, ModelNote, Rest
from .tensors import SparseTensor
from .tensorwriter import encode_sparse
from .types import FileDeclared, TypeReader, declared_name, encode_declared, renamed


class Encoder(NodeEncoder):
    """Encodes the graphs of one model."""

    def graph(self, graph: Graph) -> Chunks:
        """A GraphProto."""
        note = graph.extras if isinstance(graph.extras, GraphNote) else None
        message = Fields(note)
        constants, initializers = self._constants(graph)
        self.nodes(message.at(NODE), graph, constants, NODE)
        if graph.name or (note is not None and note.name is not None):
            message.at(NAME).text(NAME, graph.name)
        for value in initializers:
            if not _is_sparse(value):
                self._initializer(message.at(INITIALIZER), value)
        for value in self._inputs(graph, note, initializers):
            message.at(INPUT).data(bytes_field(INPUT, encode_declared(value.name, value.declared, type_of(value))))
        for raw in _outputs(graph, note):
            message.at(OUTPUT).data(bytes_field(OUTPUT, raw))
        message.at(VALUE_INFO).data(b"".join([bytes_field(VALUE_INFO, raw) for raw in infos(graph)]))
        for value in initializers:
            if _is_sparse(value):
                self._initializer(message.at(SPARSE), value)
        return message.whole()

    def _constants(self, graph: Graph) -> tuple[list[Value], list[Value]]:
        """The constants that are Constant nodes, and those (with the defaults of inputs) that are initializers."""
        nodes: list[Value] = []
        initializers: list[Value] = []
        # Before IR version 4 an initializer is listed as an input too, and the inputs of a body have places.
        new_as_node = self.ir_version < 4 and graph.owner is not None
        for value in graph.values:
            if value.role is Role.CONST:
                as_node = is_node(value) or (new_as_node and not isinstance(value.spelling, InitializerNote))
                (nodes if as_node else initializers).append(value)
            elif value.role is Role.INPUT and value.tensor is not None:
                initializers.append(value)
        initializers.sort(key=_order)
        return nodes, initializers

    def _initializer(self, chunks: Chunks, value: Value) -> None:
        tensor, note = value.tensor, value.spelling
        assert tensor is not None
        if isinstance(note, InitializerNote) and getattr(tensor, "wire", None) is note.wire and not self.moves(tensor):
            if value.name == note.wire.name:
                chunks.extent(note.wire.source, note.start, note.wire.end)
                return
            if isinstance(tensor, SparseTensor):
                chunks.message(SPARSE, encode_sparse(tensor, value.name))
                return
        chunks.message(INITIALIZER, self.tensor(tensor, value.name))

    def _inputs(self, graph: Graph, note: GraphNote | None, initializers: Sequence[Value]) -> list[Value]:
        """The inputs to list: before IR version 4 the initializers among them."""
        if self.ir_version >= 4 or (note is None and graph.owner is not None):
            return graph.inputs
        listed = note.listed if note is not None else []
        alive = [v for v in listed if v.graph is graph and v.role in (Role.INPUT, Role.CONST)]
        if [v for v in alive if v.role is Role.INPUT] != graph.inputs:
            alive = graph.inputs + [v for v in alive if v.role is Role.CONST]
        known = dict.fromkeys(alive)
        new = [v for v in initializers if v not in known and not isinstance(v.spelling, InitializerNote)]
        return alive + new


class Fields:
    """A message under way, which gets the fields that the IR does not interpret between the others, by number."""

    def __init__(self, note: GraphNote | ModelNote | None) -> None:
        self._chunks = Chunks()
        self._note = note
        self._rest: Rest = [] if note is None else note.rest
        self._next = 0

    def at(self, number: int) -> Chunks:
        """The message, with all kept fields of lower numbers in it."""
        while self._next < len(self._rest) and self._rest[self._next][0] < number:
            self._keep()
        return self._chunks

    def whole(self) -> Chunks:
        """The message with all fields."""
        while self._next < len(self._rest):
            self._keep()
        return self._chunks

    def _keep(self) -> None:
        _, start, end = self._rest[self._next]
        self._next += 1
        assert self._note is not None
        self._chunks.extent(self._note.source, start, end)


def _order(value: Value) -> float:
    note = value.spelling
    return note.order if isinstance(note, InitializerNote) else float("inf")


def _is_sparse(value: Value) -> bool:
    return (
        isinstance(value.spelling, InitializerNote)
        and value.spelling.sparse
        and isinstance(value.tensor, SparseTensor)
        and value.tensor.wire is value.spelling.wire
    )


def type_of(value: Value) -> Type | None:
    """The type to write for a value that no file declared."""
    if value.type is None and value.tensor is not None:
        return TensorType(value.tensor.dtype, value.tensor.shape)
    return value.type


def _outputs(graph: Graph, note: GraphNote | None) -> Iterator[bytes]:
    """Declarations of the outputs: those of the file, by name, as long as nobody declared something else."""
    known = note.outputs if note is not None else []
    by_name = dict(known)
    same_count = len(known) == len(graph.outputs)
    is_body = graph.owner is not None
    for index, value in enumerate(graph.outputs):
        declared = value.declared
        if declared is not None and (declared.raw is None or not isinstance(declared, FileDeclared)):
            yield encode_declared(value.name, declared)
            continue
        found = [by_name[value.name]] if value.name in by_name else []
        if same_count and known[index][0] == value.name:
            found.insert(0, known[index][1])
        elif same_count and is_body:  # a body's outputs go by their places
            found.append(renamed(known[index][1], value.name))
        # In a body names change hands, and passes put other values into its places.
        said = (raw for raw in found if not is_body or _may_be(raw, value.type))
        yield next(said, b"") or encode_declared(value.name, declared, type_of(value))


def _may_be(raw: bytes, type_: Type | None) -> bool:
    """True unless what a declaration says is not so of a value of that type: a pass may have put another there."""
    said = TypeReader(Symbol).type_of(raw)
    if not isinstance(said, TensorType) or not isinstance(type_, TensorType):
        return True
    if said.dtype is not type_.dtype or None in (said.shape, type_.shape):
        return said.dtype is type_.dtype
    assert said.shape is not None
    assert type_.shape is not None
    return len(said.shape) == len(type_.shape) and all(map(_is_one_size, said.shape, type_.shape))


def _is_one_size(said: Dim, found: Dim) -> bool:
    if isinstance(said, Symbol) and isinstance(found, Symbol):
        return not said.name or not found.name or said.name == found.name
    return isinstance(said, Symbol) or isinstance(found, Symbol) or said == found


def infos(graph: Graph) -> Iterator[bytes]:
    """The messages of value_info: what the file said of values that are there yet, then what passes declared."""
    note = graph.extras
    found: list[tuple[int, bytes]] = []
    new: list[bytes] = []
    for value in graph.values:
        declared = value.declared
        if declared is None:
            continue
        if isinstance(declared, FileDeclared):
            if declared.position >= 0:
                found.append((declared.position, encode_declared(value.name, declared)))
        elif value.role in (Role.RESULT, Role.CONST) and not value.is_output:
            new.append(encode_declared(value.name, declared))
    if isinstance(note, GraphNote):
        for position, again, raw in note.repeats:
            if again is None or (again.graph is graph and again.name == declared_name(raw)):
                found.append((position, raw))
    found.sort(key=lambda entry: entry[0])
    yield from (raw for _, raw in found)
    yield from new
