"""`gs.Graph` as models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any

from ...errors import GraphError, ModelError
from ...ir import Attr, Declared, Function, Graph, Model, Names, Op, Role, Tensor, Value
from ...ir.clone import constant_tensor
from ..onnx.graphs import Scope
from ..onnx.nodewriter import is_node
from ..onnx.notes import ConstantNote, GraphNote, ModelNote, text_field, with_text
from ..onnx.types import declared_name
from ..wire import Source
from .common import KNOWN, is_plain, plain_value, signature, surgeon
from .convert import attribute_of, signature_of, tensor_of, type_of
from .export import MODEL_TAG

_IR_VERSION = 10


def from_gs(graph: Any, like: Model | None = None) -> Model:
    """A `gs.Graph` as a model.

    Args:
        graph: the graph.
        like: the model that it was made of; what gs has no place for is taken from there. By default the one that
            `to_gs` made it of, if it is that very graph.

    Raises:
        ModelError: the graph uses tensors that nothing makes, is cyclic, or holds what no model can hold.
        MissingComponentError: onnx-graphsurgeon is not installed.
    """
    like = graph.__dict__.get(MODEL_TAG) if like is None else like
    opsets = _opsets(graph)
    ir_version = graph.ir_version or (_IR_VERSION if like is None else like.ir_version)
    model = Model(Graph(), int(ir_version), path=None if like is None else like.path)
    if like is not None:
        model.symbols.update(like.symbols)
    try:
        restorer = _Restorer(model)
        model.graph = restorer.graph(graph, opsets, Names(), None, None if like is None else like.graph).graph
        _functions(model, graph.functions, like)
    except GraphError as error:
        raise ModelError(f"the graph that onnx-graphsurgeon made: {error}") from None
    note = like.extras if like is not None and isinstance(like.extras, ModelNote) else ModelNote(Source(b""))
    given = {2: graph.producer_name, 3: graph.producer_version}  # which copies of a graph do not have
    model.extras = _texts(note, {number: text for number, text in given.items() if text})
    return model


def _opsets(graph: Any) -> dict[str, int]:
    """The imports, with the domains of all nodes."""
    if graph.import_domains is None:
        opsets = {"": int(graph.opset)}
    else:
        opsets = {"" if i.domain == "ai.onnx" else i.domain: int(i.version) for i in graph.import_domains}
    for part in (graph, *graph.subgraphs(recursive=True)):
        for node in part.nodes:
            opsets.setdefault(_domain(node), 1)
    return opsets


def _domain(node: Any) -> str:
    return "" if node.domain in (None, "ai.onnx") else str(node.domain)


def _functions(model: Model, functions: Iterable[Any], like: Model | None) -> None:
    overloads: dict[tuple[str, str], list[str]] = {}
    for domain, name, overload in like.functions if like is not None else ():
        overloads.setdefault((domain, name), []).append(overload)
    for made in functions:
        domain = "" if made.domain == "ai.onnx" else made.domain or ""
        left = overloads.get((domain, made.name), [])
        overload = made.__dict__.get("overload", left[0] if left else "")  # copies have lost it
        if overload in left:
            left.remove(overload)
        before = None if like is None else like.functions.get((domain, made.name, overload))
        restorer = _Restorer(model)
        scope = restorer.graph(made, _opsets(made), Names(), None, None if before is None else before.graph)
        attributes = tuple(name for name, default in made.attrs.items() if default is None)
        given = {name: default for name, default in made.attrs.items() if default is not None}
        defaults = restorer.attributes(scope, made.name, given, {} if before is None else before.defaults, {})
        note = before.extras if before is not None else None
        note = _texts(note if isinstance(note, ModelNote) else ModelNote(Source(b"")), {8: made.doc_string or ""})
        function = Function(domain, made.name, scope.graph, overload, attributes, defaults, note)
        if function.key in model.functions:
            raise ModelError(f"function {domain}::{made.name} is defined twice")
        model.functions[function.key] = function


def _texts(note: ModelNote, texts: dict[int, str]) -> ModelNote:
    """The note with other texts, if they are other ones."""
    changed = {number: text for number, text in texts.items() if text_field(note, number) != text}
    return with_text(note, changed) if changed else note


class _Scope(Scope):
    """A scope that knows the values of the graph that it is made anew of."""

    def __init__(self, graph: Graph, parent: Scope | None, before: Graph | None) -> None:
        super().__init__(graph, parent)
        self.old: dict[str, Value] = {} if before is None else {v.name: v for v in before.values}

    def home(self, name: str) -> _Scope:
        """Where a constant of that name belongs: gs does not know to which graph it does."""
        scope: Scope | None = self
        while isinstance(scope, _Scope):
            before = scope.old.get(name)
            if before is not None and before.role is not Role.CAPTURE:
                return scope
            scope = scope.parent
        return self


class _Restorer:
    """Makes the graphs of one scope of names: those of the model, or those of a function."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._gs = surgeon()

    def graph(
        self, made: Any, opsets: dict[str, int], names: Names, parent: Scope | None, before: Graph | None
    ) -> Scope:
        """A graph; `before` is what it was made of, if anything."""
        graph = Graph(made.name or "", opsets, names)
        scope = _Scope(graph, parent, before)
        for tensor in self._inputs(made, before):
            graph.inputs.append(self._define(scope, tensor, Role.INPUT))
        pending: list[tuple[int, Any, list[Value | None]]] = []
        for order, node in enumerate(made.nodes):
            results = [None if t.is_empty() else self._define(scope, t, Role.RESULT) for t in node.outputs]
            if not self._constant(scope, node, results, order):
                pending.append((order, node, results))
        for _, node, _ in pending:  # before any body is looked into, where they are used as well
            for tensor in node.inputs:
                if isinstance(tensor, self._gs.Constant):
                    self._operand(scope, tensor, "")
        known = {} if before is None else {_results(op.outputs): op for op in before.ops}
        ops = [self._op(scope, *node, known) for node in pending]
        exports = [self._operand(scope, tensor, made.name) for tensor in made.outputs]
        graph.populate(scope.own, ops)
        for value in exports:
            if value is None:
                raise ModelError(f"graph {made.name!r} has an output without a name")
            graph.set_output(len(graph.outputs), value)
        graph.extras = _graph_note(scope, made, before)
        if before is not None:
            scope.keep(value.name for value in before.kept)
        names.used.update(scope.values)
        return scope

    def _inputs(self, made: Any, before: Graph | None) -> list[Any]:
        """The inputs, and in their old places those with defaults, which are constants to gs."""
        inputs = list(made.inputs)
        defaults = [v for v in before.inputs if v.tensor is not None] if before is not None else []
        if defaults and before is not None:
            tensors = made.tensors()
            listed = {t.name for t in inputs}
            for place, value in enumerate(before.inputs):
                constant = tensors.get(value.name)
                if value in defaults and isinstance(constant, self._gs.Constant) and value.name not in listed:
                    inputs.insert(min(place, len(inputs)), constant)
        return inputs

    # -- values -----------------------------------------------------------------------------------------------------

    def _define(self, scope: _Scope, tensor: Any, role: Role) -> Value:
        before = scope.old.get(tensor.name)
        value = Value(tensor.name, role)
        if isinstance(tensor, self._gs.Constant):
            value.tensor = tensor_of(tensor, None if before is None else before.tensor)
            if before is not None and before.tensor is value.tensor:
                value.spelling, value.declared = before.spelling, before.declared
        else:
            value.declared = self._declared(tensor, before)
        return scope.define(value)

    def _declared(self, tensor: Any, before: Value | None) -> Declared | None:
        declared = None if before is None else before.declared
        known = declared.type if declared is not None else None if before is None else before.type
        if signature_of(tensor) == signature(known):
            return declared
        type_ = type_of(tensor, self._model.symbol)
        return None if type_ is None else Declared(type_)

    def _operand(self, scope: _Scope, tensor: Any, user: str) -> Value | None:
        if tensor.is_empty():
            return None
        value = scope.find(tensor.name)
        if value is None and isinstance(tensor, self._gs.Constant):
            self._define(scope.home(tensor.name), tensor, Role.CONST)
            value = scope.find(tensor.name)
        if value is None:
            raise ModelError(f"{user!r} takes {tensor.name!r}, which nothing makes")
        return value

    # -- nodes ------------------------------------------------------------------------------------------------------

    def _constant(self, scope: _Scope, node: Any, results: list[Value | None], order: int) -> bool:
        """Make the result of a Constant node a constant; False if the node is another one."""
        if node.op != "Constant" or _domain(node) or node.inputs or len(node.attrs) != 1 or len(results) != 1:
            return False
        ((name, given),) = node.attrs.items()
        result = results[0]
        if result is None:
            return False
        before = scope.old.get(result.name)
        if before is not None and is_node(before) and self._unchanged(before.spelling.node.attrs.get(name), given):
            result.tensor = before.tensor
            result.spelling = ConstantNote(before.spelling.node, before.spelling.tensor, float(order))
        else:
            tensor = isinstance(given, self._gs.Constant)
            attr = Attr.of(tensor_of(given, None)) if tensor else attribute_of(node.name or node.op, name, given)
            result.tensor = constant_tensor({name: attr})
        result.role = Role.RESULT if result.tensor is None else Role.CONST
        return result.tensor is not None

    def _unchanged(self, before: Attr | None, given: Any) -> bool:
        if before is None:
            return False
        if isinstance(before.value, Tensor):
            return isinstance(given, self._gs.Constant) and tensor_of(given, before.value) is before.value
        return is_plain(before) and bool(plain_value(before) == given)

    def _op(
        self, scope: _Scope, order: int, node: Any, results: list[Value | None], known: dict[tuple[str, ...], Op]
    ) -> Op:
        label = node.name or node.op
        operands = [self._operand(scope, tensor, label) for tensor in node.inputs]
        before = known.get(_results(results))
        if before is not None and (before.op_type != node.op or before.domain != _domain(node)):
            before = None
        captures: dict[Value, Value] = {}
        old = {} if before is None else before.attrs
        attrs = self.attributes(scope, label, node.attrs, old, captures)
        overload = "" if before is None else before.overload
        op = Op(node.op, operands, results, attrs, _domain(node), node.name or "", overload)
        op.captures = captures
        op.order = float(order)
        if before is not None:
            op.source, op.entry = before.source, before.entry
            if list(attrs.items()) == list(old.items()):
                op.attrs = old  # one object, by which the writer sees that nothing changed
        return op

    def attributes(
        self, scope: Scope, label: str, given: dict[str, Any], known: dict[str, Attr], captures: dict[Value, Value]
    ) -> dict[str, Attr]:
        """Attributes; those that are as they were (or that gs does not have) are taken from the known ones."""
        attrs: dict[str, Attr] = {}
        for name, before in known.items():
            if name in given:
                attrs[name] = self._attribute(scope, label, name, given[name], before, captures)
            elif not before.ref and before.kind not in KNOWN:
                attrs[name] = before
        for name, value in given.items():
            if name not in attrs:
                attrs[name] = self._attribute(scope, label, name, value, None, captures)
        return attrs

    def _attribute(
        self, scope: Scope, label: str, name: str, value: Any, before: Attr | None, captures: dict[Value, Value]
    ) -> Attr:
        parts = value if isinstance(value, list) else [value]
        if parts and isinstance(parts[0], (self._gs.Graph, self._gs.ir.tensor.Tensor)):
            made = [self._part(scope, part, old, captures) for part, old in zip(parts, _parts(before, len(parts)))]
            attr = Attr.of(made if isinstance(value, list) else made[0])
            same_kind = before is not None and before.kind is attr.kind and not before.ref
            attr.raw = before.raw if same_kind and before is not None else None
            return before if same_kind and before is not None and before.value == attr.value else attr
        if before is not None and not before.ref and self._unchanged(before, value):
            return before
        attr = attribute_of(label, name, value)
        same = before is not None and (before.ref, before.kind) == (attr.ref, attr.kind) and attr.ref
        return before if same and before is not None else attr

    def _part(self, scope: Scope, value: Any, before: Any, captures: dict[Value, Value]) -> Tensor | Graph:
        if not isinstance(value, self._gs.Graph):
            return tensor_of(value, before if isinstance(before, Tensor) else None)
        inner = before if isinstance(before, Graph) else None
        body = self.graph(value, scope.graph.opsets, scope.graph.names, scope, inner)
        captures.update(body.captures)
        return body.graph


def _parts(before: Attr | None, count: int) -> Sequence[Any]:
    """The tensors or graphs of an attribute; as many None if there are not as many."""
    if before is None or before.ref:
        return [None] * count
    parts = before.value if isinstance(before.value, tuple) else (before.value,)
    return parts if len(parts) == count else [None] * count


def _results(values: Iterable[Value | None]) -> tuple[str, ...]:
    return tuple("" if v is None else v.name for v in values)


def _graph_note(scope: Scope, made: Any, before: Graph | None) -> GraphNote:
    """What the file said of the graph, with the values that stand for those it spoke of."""
    old = before.extras if before is not None else None
    doc = made.doc_string or ""
    if not isinstance(old, GraphNote):
        note = GraphNote(Source(b""))
        note.name = made.name or ""
        return with_text(note, {10: doc}) if doc else note
    note = with_text(old, {10: doc}) if text_field(old, 10) != doc else copy(old)
    by_name = scope.values
    note.listed = [v for was in old.listed if (v := by_name.get(was.name)) is not None]
    again = [(place, was, by_name.get(declared_name(raw)), raw) for place, was, raw in old.repeats]
    note.repeats = [(place, now, raw) for place, was, now, raw in again if was is None or now is not None]
    return note
