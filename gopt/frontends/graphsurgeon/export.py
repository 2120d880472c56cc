"""Models as `gs.Graph`."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from ...ir import Attr, Function, Graph, Model, Op, Role, Tensor, Value
from ..onnx.nodewriter import in_order, is_node
from ..onnx.notes import ConstantNote, GraphNote, ModelNote, text_field
from .common import KNOWN, Attributes, is_plain, lazy_values, plain_value, signature, surgeon

MODEL_TAG = "_gopt_model"
"""Attribute of a `gs.Graph` that holds the model that it was made of."""


def to_gs(model: Model) -> Any:
    """A model as a `gs.Graph`, like the one that `gs.import_onnx` makes.

    Constants are loaded when they are first looked at. A Constant node of the file is a node here too.

    Raises:
        MissingComponentError: onnx-graphsurgeon is not installed.
    """
    gs = surgeon()
    functions = [_function(f, model.opsets) for f in model.functions.values()]
    note = model.extras if isinstance(model.extras, ModelNote) else None
    graph = gs.Graph(
        **_Exporter(model.opsets, {}).parts(model.graph),
        producer_name=text_field(note, 2),
        producer_version=text_field(note, 3),
        functions=functions,
        ir_version=model.ir_version,
    )
    graph.__dict__[MODEL_TAG] = model
    return graph


def _function(function: Function, opsets: dict[str, int]) -> Any:
    exporter = _Exporter(function.graph.opsets or opsets, {})
    parts = exporter.parts(function.graph)
    attrs: Attributes = OrderedDict((name, None) for name in function.attributes)
    attrs.update(exporter.attributes(function.defaults))
    parts["doc_string"] = text_field(function.extras if isinstance(function.extras, ModelNote) else None, 8)
    made = surgeon().Function(**{**parts, "name": function.name, "domain": function.domain}, attrs=attrs)
    made.overload = function.overload
    return made


class _Exporter:
    """Makes a graph and its bodies.

    Attributes:
        tensors: what was made of each value, those of the graphs outside included.
    """

    def __init__(self, opsets: dict[str, int], tensors: dict[Value, Any]) -> None:
        self._gs = surgeon()
        self._opsets = opsets
        self.tensors = tensors

    def parts(self, graph: Graph) -> dict[str, Any]:
        """The arguments of `gs.Graph` for a graph."""
        import onnx

        inputs = [self.tensor(v) for v in graph.inputs if v.tensor is None]  # gs has no inputs with defaults
        return {
            "nodes": self._nodes(graph),
            "inputs": inputs,
            "outputs": [self.tensor(v) for v in graph.outputs],
            "name": graph.name,
            "doc_string": text_field(graph.extras if isinstance(graph.extras, GraphNote) else None, 10),
            "opset": self._opsets.get(""),
            "import_domains": [onnx.helper.make_opsetid(d, v) for d, v in self._opsets.items()],
        }

    def _nodes(self, graph: Graph) -> list[Any]:
        constants = filter(is_node, graph.constants)
        nodes = in_order(graph.ops, constants)
        return [self._node(n) if isinstance(n, Op) else self._constant_node(n) for n in nodes]

    def _constant_node(self, value: Value) -> Any:
        note: ConstantNote = value.spelling
        return self._gs.Node("Constant", note.node.name, self.attributes(note.node.attrs), [], [self.tensor(value)])

    def _node(self, op: Op) -> Any:
        return self._gs.Node(
            op.op_type,
            op.name,
            self.attributes(op.attrs),
            [self.tensor(v) for v in op.inputs],
            [self.tensor(v) for v in op.outputs],
            op.domain or None,
        )

    def attributes(self, attrs: dict[str, Attr]) -> Attributes:
        """Attributes, as far as gs knows their kinds."""
        return OrderedDict(
            (name, self._attribute(attr)) for name, attr in attrs.items() if attr.ref or attr.kind in KNOWN
        )

    def _attribute(self, attr: Attr) -> Any:
        if attr.ref:
            from onnx_graphsurgeon.util import misc

            return self._gs.Node.AttributeRef(attr.ref, misc.convert_from_onnx_attr_type(int(attr.kind)))
        if is_plain(attr):
            return plain_value(attr)
        if isinstance(attr.value, tuple):
            return [self._part(part) for part in attr.value]
        return self._part(attr.value)

    def _part(self, value: Tensor | Graph) -> Any:
        if isinstance(value, Tensor):
            return self._values("", value)
        return self._gs.Graph(**_Exporter(self._opsets, self.tensors).parts(value))

    def _values(self, name: str, tensor: Tensor) -> Any:
        return self._gs.Constant(name, lazy_values()(tensor, name))

    def tensor(self, value: Value | None) -> Any:
        """The tensor of a value; captured ones are those of the graph outside."""
        if value is None:
            return self._gs.Variable.empty()
        while value.role is Role.CAPTURE and value.outer is not value:
            value = value.outer
        known = self.tensors.get(value)
        if known is None:
            if value.tensor is not None and not is_node(value):
                known = self._values(value.name, value.tensor)
            else:
                declared = value.declared.type if value.declared is not None else value.type
                dtype, shape, kind = signature(declared)
                known = self._gs.Variable(value.name, dtype, None if shape is None else list(shape), kind)
            self.tensors[value] = known
        return known
