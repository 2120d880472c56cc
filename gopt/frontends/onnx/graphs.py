"""GraphProto, read: names are resolved to values, and captured ones tied to the graph outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...errors import ModelError
from ...ir import Attr, AttrKind, Graph, Names, Op, Role, Tensor, Value
from ..limits import limits
from ..wire import BYTES, Damaged, Odd, Source, fields, text, varint
from .attributes import Span
from .external import Folder
from .nodes import NodeReader, constant_of
from .notes import ConstantNote, GraphNote, InitializerNote, NodeNote
from .references import annotated
from .schema import check, check_entry
from .tensorreader import read_sparse, read_tensor
from .tensors import WireTensor
from .types import FileDeclared, TypeReader

NODE, NAME, INITIALIZER, DOC, INPUT, OUTPUT, VALUE_INFO, ANNOTATION, SPARSE, METADATA = (
    1,
    2,
    5,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
)
_READ = frozenset((NODE, NAME, INITIALIZER, INPUT, OUTPUT, VALUE_INFO, SPARSE))
_TAGS = {number << 3 | BYTES: number for number in (NODE, INITIALIZER, VALUE_INFO)}
MAX_BODIES = 32
"""Bodies inside bodies; protobuf's limit on messages in messages allows no more."""

FieldSpan = tuple[int, int, int]
"""Where a field begins, its value begins, and both end."""


class Scope:
    """The names of a graph that is being read.

    Attributes:
        graph: what becomes of it.
        values: value of each name; None for "", an omitted operand.
        parent: the scope outside, for a body.
        captures: outer value of each value that the body takes from outside.
    """

    def __init__(self, graph: Graph, parent: Scope | None = None) -> None:
        self.graph = graph
        self.values: dict[str, Value | None] = {"": None}
        self.parent = parent
        self.captures: dict[Value, Value] = {}
        self.own: list[Value] = []
        self.depth: int = 0 if parent is None else parent.depth + 1

    def define(self, value: Value) -> Value:
        """Note a value of this graph.

        Raises:
            ModelError: its name is taken, or empty.
        """
        name = value.name
        if name in self.values:
            raise ModelError(
                f"two values of graph {self.graph.name!r} are named {name!r}" if name else "a name is empty"
            )
        self.values[name] = value
        self.own.append(value)
        return value

    def find(self, name: str) -> Value | None:
        """The value of a name, captured if it lies outside; None if there is none."""
        value = self.values.get(name)
        if value is None and self.parent is not None and name and (outer := self.parent.find(name)) is not None:
            value = self.values[name] = Value(name, Role.CAPTURE)
            self.own.append(value)
            self.captures[value] = outer
        return value

    def keep(self, names: Iterable[str]) -> None:
        """Note that something outside the dataflow refers to values by these names."""
        for name in names:
            value = self.values.get(name)
            if value is not None and value.role is not Role.CAPTURE:
                self.graph.kept[value] = None

    def sees(self, name: str) -> bool:
        """True if a graph outside has a value of that name."""
        scope = self.parent
        while scope is not None:
            if name in scope.values:
                return True
            scope = scope.parent
        return False


class GraphReader:
    """Reads the graphs of one model.

    Attributes:
        ir_version: of the model; before 4, initializers are constants although they are listed among the inputs.
    """

    def __init__(self, source: Source, folder: Folder, types: TypeReader, ir_version: int) -> None:
        self.source = source
        self.folder = folder
        self.types = types
        self.ir_version = ir_version
        self.nodes = NodeReader(source, folder)
        self.shadows: list[Value] = []
        self._nodes_left = limits().nodes

    def read(self, start: int, end: int, opsets: dict[str, int], names: Names, parent: Scope | None = None) -> Scope:
        """The graph in a GraphProto.

        Args:
            start, end: where it lies.
            opsets: versions that its ops have.
            names: names in use in the model; those of the graph are added.
            parent: the scope outside, for a body.

        Raises:
            ModelError: it is malformed, uses a name that nothing defines, or defines one twice.
        """
        found, note = self._scan(start, end)
        graph = Graph(note.name or "", opsets, names)
        graph.extras = note
        scope = Scope(graph, parent)
        if scope.depth > MAX_BODIES:
            raise Damaged(f"bodies nest deeper than {MAX_BODIES}")
        self._define_interface(scope, found, note)
        self.fill(scope, found[NODE])
        for _, pos, stop in found[OUTPUT]:
            self._export(scope, self.types.declared(self.source.buf, pos, stop), note)
        self.declare(scope, found[VALUE_INFO], note)
        for number, begin, stop in note.rest:
            if number == ANNOTATION:
                ((_, _, _, at, _),) = fields(self.source.buf, begin, stop)
                scope.keep(annotated(self.source.buf, at, stop))
        return scope

    def _scan(self, start: int, end: int) -> tuple[dict[int, list[FieldSpan]], GraphNote]:
        buf = self.source.buf
        note = GraphNote(self.source)
        found: dict[int, list[FieldSpan]] = {number: [] for number in _READ}
        pos = start
        while pos < end:
            number = _TAGS.get(buf[pos])
            if number is not None:  # nearly all fields
                size, at = varint(buf, pos + 1)
                stop = at + size
                found[number].append((pos, at, stop))
                pos = stop
                continue
            number, kind, begin, at, pos = next(fields(buf, pos, end))
            if number in _READ:
                if kind != BYTES:
                    raise Odd(f"field {number} of a graph in another wire type")
                found[number].append((begin, at, pos))
            else:
                _check_rest(self.source, number, kind, at, pos)
                note.rest.append((number, begin, pos))
        if pos != end:
            raise Damaged("a graph ends in the middle of a field")
        note.rest.sort(key=lambda field: field[0])
        for _, at, stop in found[NAME]:
            note.name = text(buf[at:stop])
        return found, note

    def _define_interface(self, scope: Scope, found: dict[int, list[FieldSpan]], note: GraphNote) -> None:
        """Inputs and initializers."""
        defaults: dict[str, tuple[Tensor, InitializerNote]] = {}
        for number in (INITIALIZER, SPARSE):
            for order, (begin, start, stop) in enumerate(found[number]):
                read: Callable[..., WireTensor] = read_sparse if number == SPARSE else read_tensor
                tensor = read(self.source, start, stop, self.folder)
                name = tensor.wire.name
                if name in defaults or not name:
                    raise ModelError(f"two initializers are named {name!r}" if name else "an initializer has no name")
                defaults[name] = tensor, InitializerNote(tensor.wire, begin, order, number == SPARSE)
        for _, start, stop in found[INPUT]:
            declared = self.types.declared(self.source.buf, start, stop)
            value = Value(declared.name, Role.INPUT)
            value.declared = declared
            if default := defaults.pop(declared.name, None):
                value.tensor, value.spelling = default
                value.role = Role.INPUT if self.ir_version >= 4 else Role.CONST
            scope.define(value)
            note.listed.append(value)
            if value.role is Role.INPUT:
                scope.graph.inputs.append(value)
        for name, (default_tensor, spelling) in defaults.items():
            value = Value(name, Role.CONST, default_tensor)
            value.spelling = spelling
            scope.define(value)

    def fill(self, scope: Scope, nodes: list[FieldSpan]) -> None:
        """Read the nodes of a graph whose inputs and initializers are defined, and link them."""
        self._nodes_left -= len(nodes)
        if self._nodes_left < 0:
            raise ModelError(f"it has more than {limits().nodes} nodes (--input-limit nodes=NUMBER)")
        pending: list[tuple[float, NodeNote, list[Value | None]]] = []
        for order, span in enumerate(nodes):
            node = self.nodes.read(*span)
            results = [self._result(scope, name) if name else None for name in node.outputs]
            tensor = constant_of(node)
            if tensor is not None and results[0] is not None:
                results[0].role = Role.CONST
                results[0].tensor = tensor
                results[0].spelling = ConstantNote(node, tensor, float(order))
            else:
                pending.append((float(order), node, results))
        if scope.parent is not None:
            self.shadows += [value for value in scope.own if scope.sees(value.name)]
        ops = [self._op(scope, *node) for node in pending]
        scope.graph.populate(scope.own, ops)
        scope.graph.names.used.update(scope.values)

    def _result(self, scope: Scope, name: str) -> Value:
        if name in scope.values:
            raise ModelError(f"two values of graph {scope.graph.name!r} are named {name!r}")
        scope.values[name] = value = Value(name)
        scope.own.append(value)
        return value

    def _op(self, scope: Scope, order: float, node: NodeNote, results: list[Value | None]) -> Op:
        values = scope.values
        try:
            operands = [values[name] for name in node.inputs]
        except KeyError:
            operands = [self._operand(scope, node, name) for name in node.inputs]
        captures: dict[Value, Value] = {}
        if node.bodies:
            node.attrs = {name: self._with_bodies(scope, attr, captures) for name, attr in node.attrs.items()}
        op = Op(node.op_type, operands, results, node.attrs, node.domain, node.name, node.overload)
        node.attrs = op.attrs
        op.captures = captures
        op.order = order
        op.source = node
        return op

    def _operand(self, scope: Scope, node: NodeNote, name: str) -> Value | None:
        value = scope.find(name)
        if value is None and name:
            raise ModelError(f"node {node.name or node.op_type!r} takes {name!r}, which nothing defines")
        return value

    def _with_bodies(self, scope: Scope, attr: Attr, captures: dict[Value, Value]) -> Attr:
        if attr.kind is AttrKind.GRAPH and isinstance(attr.value, Span):
            return Attr(attr.kind, self._body(scope, attr.value, captures), "", attr.raw)
        if attr.kind is AttrKind.GRAPHS and not attr.ref:
            return Attr(attr.kind, tuple(self._body(scope, span, captures) for span in attr.value), "", attr.raw)
        return attr

    def _body(self, scope: Scope, span: Span, captures: dict[Value, Value]) -> Graph:
        body = self.read(span.start, span.end, scope.graph.opsets, scope.graph.names, scope)
        captures.update(body.captures)
        return body.graph

    def _export(self, scope: Scope, declared: FileDeclared, note: GraphNote) -> None:
        value = scope.find(declared.name)
        if value is None:
            raise ModelError(f"output {declared.name!r} of graph {scope.graph.name!r} is not defined")
        if value.declared is None:
            value.declared = declared
        note.outputs.append((declared.name, declared.raw or b""))
        scope.graph.set_output(len(scope.graph.outputs), value)

    def declare(self, scope: Scope, infos: Iterable[FieldSpan], note: GraphNote) -> None:
        """Attach what value_info says to the values of a graph."""
        declared_at = self.types.declared
        values, buf = scope.values, self.source.buf
        for position, (_, start, stop) in enumerate(infos):
            declared = declared_at(buf, start, stop, position)
            value = values.get(declared.name)
            if value is not None and value.declared is None:
                value.declared = declared
            else:
                note.repeats.append((position, value, declared.raw or b""))
                if value is None:
                    scope.graph.names.claim(declared.name)


def _check_rest(source: Source, number: int, kind: int, start: int, end: int) -> None:
    if kind == BYTES and number == METADATA:
        check_entry(source.buf, start, end)
    elif kind == BYTES and number == ANNOTATION:
        check(source.buf, start, end, "Annotation")
