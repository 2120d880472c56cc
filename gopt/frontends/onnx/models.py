"""ModelProto and FunctionProto, read."""

from __future__ import annotations

from ...errors import ModelError
from ...ir import Attr, AttrKind, Function, FunctionKey, Graph, Model, Names, Role, Value
from ..wire import BYTES, VARINT, Damaged, Odd, Source, fields, signed, text, varint
from .attributes import AttributeReader
from .external import Folder
from .graphs import FieldSpan, GraphReader, Scope
from .nodes import STANDARD_DOMAINS
from .notes import GraphNote, ModelNote
from .references import trained
from .schema import check
from .types import TypeReader

# Fields of a model and of a function, and the messages among them that are passed on unread.
IR_VERSION, GRAPH, OPSET, TRAINING, FUNCTION = 1, 7, 8, 20, 25
_MODEL_MESSAGES = {14: "Entry", TRAINING: "Training", 26: "Device"}
F_NAME, F_INPUT, F_OUTPUT, F_ATTRIBUTE, F_NODE, F_OPSET, F_DOMAIN = 1, 4, 5, 6, 7, 9, 10
F_DEFAULT, F_INFO, F_OVERLOAD = 11, 12, 13
MAX_CALLS = 128
"""Functions that call functions that call ...; exporters nest them as deep as modules, which are some ten."""
_FUNCTION_READ = frozenset(
    (F_NAME, F_INPUT, F_OUTPUT, F_ATTRIBUTE, F_NODE, F_OPSET, F_DOMAIN, F_DEFAULT, F_INFO, F_OVERLOAD)
)


def read_model(source: Source, folder: Folder) -> Model:
    """The model in a ModelProto.

    Raises:
        ModelError: it is malformed.
        Odd: protobuf must bring it into the usual form first.
    """
    buf = source.buf
    note = ModelNote(source)
    graph_at: FieldSpan | None = None
    functions: list[FieldSpan] = []
    ir_version: int | None = None
    for number, kind, begin, start, stop in fields(buf, 0, len(buf)):
        if number == IR_VERSION and kind == VARINT:
            ir_version = signed(varint(buf, start)[0])
        elif number == GRAPH and kind == BYTES:
            if graph_at is not None:
                raise Odd("a graph in two parts")
            graph_at = begin, start, stop
        elif number == OPSET and kind == BYTES:
            _read_opset(note, begin, start, stop)
        elif number == FUNCTION and kind == BYTES:
            functions.append((begin, start, stop))
        else:
            if kind == BYTES and number in _MODEL_MESSAGES:
                check(buf, start, stop, _MODEL_MESSAGES[number])
            note.rest.append((number, begin, stop))
    if graph_at is None:
        raise ModelError("it holds no graph: it is no ONNX model")
    if ir_version is None:
        raise ModelError("it names no version of the ONNX format: it is no ONNX model")
    note.rest.sort(key=lambda field: field[0])
    opsets = dict(note.opsets) if note.imports else {"": 1}  # as of IR version 1 and 2, which had no imports
    note.opsets = dict(opsets)
    model = Model(Graph(), ir_version)
    reader = GraphReader(source, folder, TypeReader(model.symbol), ir_version)
    scope = reader.read(graph_at[1], graph_at[2], opsets, Names())
    model.graph = scope.graph
    for number, begin, stop in note.rest:
        if number == TRAINING:
            ((_, _, _, at, _),) = fields(buf, begin, stop)
            scope.keep(trained(buf, at, stop))
    for span in functions:
        function = _read_function(reader, *span)
        if function.key in model.functions:
            raise ModelError(f"function {function.domain}::{function.name} is defined twice")
        model.functions[function.key] = function
    _check_calls(model)
    for shadow in reader.shadows:
        if shadow.graph is not None:
            shadow.name = shadow.graph.names.fresh(shadow.name)
    note.files = folder.files
    model.extras = note
    return model


def _check_calls(model: Model) -> None:
    """Functions must not call themselves, not by way of others either (ONNX IR specification, "Functions")."""
    depths: dict[FunctionKey, int] = {}  # of the calls below; 0 while they are followed
    for first in model.functions:
        stack = [first]
        while stack:
            key = stack[-1]
            if depths.get(key):
                stack.pop()
                continue
            callees = _calls(model, key)
            if key in depths:
                depths[key] = 1 + max((depths[callee] for callee in callees), default=0)
                if depths[key] > MAX_CALLS:
                    raise ModelError(f"functions call each other more than {MAX_CALLS} deep")
                continue
            depths[key] = 0
            for callee in callees:
                if depths.get(callee) == 0:
                    raise ModelError(f"function {callee[0]}::{callee[1]} calls itself")
                if callee not in depths:
                    stack.append(callee)


def _calls(model: Model, key: FunctionKey) -> list[FunctionKey]:
    called = {
        (op.domain, op.op_type, op.overload): None for graph in model.functions[key].graph.walk() for op in graph.ops
    }
    return [callee for callee in called if callee in model.functions]


def _read_opset(note: ModelNote, begin: int, start: int, stop: int) -> None:
    buf = note.source.buf
    domain, version = "", 0
    for number, kind, _, at, end in fields(buf, start, stop):
        if number == 1 and kind == BYTES:
            domain = text(buf[at:end])
        elif number == 2 and kind == VARINT:
            version = signed(varint(buf, at)[0])
    domain = "" if domain in STANDARD_DOMAINS else domain
    note.opsets[domain] = version
    note.imports.append((domain, begin, stop))


def _read_function(reader: GraphReader, begin: int, start: int, end: int) -> Function:
    source = reader.source
    note = ModelNote(source)
    found: dict[int, list[FieldSpan]] = {number: [] for number in _FUNCTION_READ}
    for number, kind, at, pos, stop in fields(source.buf, start, end):
        if number in _FUNCTION_READ:
            if kind != BYTES:
                raise Odd(f"field {number} of a function in another wire type")
            found[number].append((at, pos, stop))
        else:
            if number == 14 and kind == BYTES:
                check(source.buf, pos, stop, "Entry")
            note.rest.append((number, at, stop))
    note.rest.sort(key=lambda field: field[0])
    for span in found[F_OPSET]:
        _read_opset(note, *span)
    texts = {n: [text(source.buf[pos:stop]) for _, pos, stop in found[n]] for n in _TEXTS}
    name, domain, overload = (texts[n][-1] if texts[n] else "" for n in (F_NAME, F_DOMAIN, F_OVERLOAD))
    function = Function(
        "" if domain == "ai.onnx" else domain,
        name,
        Graph(name, dict(note.opsets), Names()),
        overload,
        tuple(texts[F_ATTRIBUTE]),
        _defaults(reader.nodes.attributes, name, found[F_DEFAULT]),
        note,
    )
    note.known = {n: texts[n][-1] for n in (F_NAME, F_DOMAIN, F_OVERLOAD) if texts[n]}
    try:
        _fill(reader, function, texts, found)
    except ModelError as error:
        raise ModelError(f"function {domain}::{name}: {error}") from None
    return function


_TEXTS = (F_NAME, F_INPUT, F_OUTPUT, F_ATTRIBUTE, F_DOMAIN, F_OVERLOAD)


def _defaults(attributes: AttributeReader, function: str, spans: list[FieldSpan]) -> dict[str, Attr]:
    defaults: dict[str, Attr] = {}
    for _, start, stop in spans:
        name, attr = attributes.read(start, stop)
        if name in defaults or attr.kind in (AttrKind.GRAPH, AttrKind.GRAPHS):
            raise Damaged(f"function {function!r}: default {name!r} is given twice, or a graph")
        defaults[name] = attr
    return defaults


def _fill(
    reader: GraphReader, function: Function, texts: dict[int, list[str]], found: dict[int, list[FieldSpan]]
) -> None:
    """The function's graph."""
    graph = function.graph
    graph.extras = note = GraphNote(reader.source)
    scope = Scope(graph)
    for name in texts[F_INPUT]:
        graph.inputs.append(scope.define(Value(name, Role.INPUT)))
    reader.fill(scope, found[F_NODE])
    for name in texts[F_OUTPUT]:
        value = scope.find(name)
        if value is None:
            raise ModelError(f"output {name!r} is not defined")
        graph.set_output(len(graph.outputs), value)
    reader.declare(scope, found[F_INFO], note)
