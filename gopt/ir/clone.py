"""Copies of ops and bodies in another graph. Tensors and plain attributes are shared, names are made fresh.

There is no primitive that moves an op between graphs: what is to be moved (an inlined function, the taken branch of an
If) is copied, and the original dies with its graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .graph import Graph
from .node import Attr, AttrKind, Op, Role, Value
from .tensor import ArrayTensor, Tensor

Mapping = dict[Value, Value | None]
"""What stands for each value of the source in the target; None for an omitted optional one."""

Substitute = Callable[[Attr], Attr | None]
"""What stands for an attribute that refers to one of the enclosing function; None to leave it out.

A Constant whose attribute was such a reference becomes a constant value, as frontends make of every Constant.
"""


def clone_ops(source: Graph, target: Graph, mapping: Mapping, substitute: Substitute | None = None) -> list[Op]:
    """Detached copies of all ops of `source`, in dataflow order, for `target`.

    Args:
        source: the graph to copy.
        target: the graph that the copies are meant for; its opsets hold for them, its names are kept unique.
        mapping: values of `target` for the inputs and captures of `source`; gains one for each result and constant.
        substitute: applied to attribute references.

    Raises:
        KeyError: an input or capture of `source` is used and has nothing to stand for it.
    """
    copies = (clone_op(op, target, mapping, substitute) for op in source.ops)
    return [op for op in copies if op is not None]


def clone_op(op: Op, target: Graph, mapping: Mapping, substitute: Substitute | None = None) -> Op | None:
    """A detached copy of one op, None if it became a constant; arguments as for `clone_ops`."""
    captures: dict[Value, Value] = {}
    attrs: dict[str, Attr] = {}
    for name, attr in op.attrs.items():
        copied = _clone_attr(attr, op, target, mapping, captures, substitute)
        if copied is not None:
            attrs[name] = copied
    if op.op_type == "Constant" and not op.domain and (tensor := constant_tensor(attrs)) is not None:
        for value in op.outputs:
            if value is not None:
                mapping[value] = Value(target.names.fresh(value.name), Role.CONST, tensor)
        return None
    inputs = [None if v is None else clone_value(v, target, mapping) for v in op.inputs]
    while inputs and inputs[-1] is None and not op.bodies:  # a Loop must name its trip count and condition
        inputs.pop()
    results = []
    for old in op.outputs:
        new = None
        if old is not None:
            new = Value(target.names.fresh(old.name), type_=old.type)
            mapping[old] = new
        results.append(new)
    made = Op(op.op_type, inputs, results, attrs, op.domain, op.name, op.overload)
    made.captures.update(captures)
    made.imports = target.opsets
    made.entry = op.entry
    return made


def clone_value(value: Value, target: Graph, mapping: Mapping) -> Value | None:
    """What stands for `value` in `target`; a constant that has nothing yet gets a detached copy that shares its tensor.

    Raises:
        KeyError: it is no constant, and nothing stands for it.
    """
    if value not in mapping and value.role is Role.CONST:
        mapping[value] = Value(target.names.fresh(value.name), Role.CONST, value.tensor, value.type)
    return mapping[value]


def constant_tensor(attrs: dict[str, Attr]) -> Tensor | None:
    """The tensor that the attributes of a Constant give (ONNX operator Constant); None for a sparse or unknown one."""
    for name, attr in attrs.items():
        if attr.ref or name not in _CONSTANT:
            continue
        if isinstance(attr.value, Tensor):
            return attr.value
        if name != "value":
            return ArrayTensor(np.array(attr.value, _CONSTANT[name]))
    return None


_CONSTANT: dict[str, Any] = {
    "value": object,
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
    "value_string": str,
    "value_strings": str,
}


def _clone_attr(
    attr: Attr, op: Op, target: Graph, mapping: Mapping, captures: dict[Value, Value], substitute: Substitute | None
) -> Attr | None:
    if attr.ref:
        return attr if substitute is None else substitute(attr)
    if attr.kind is AttrKind.GRAPH:
        return Attr(attr.kind, _clone_body(attr.value, op, target, mapping, captures, substitute))
    if attr.kind is AttrKind.GRAPHS:
        return Attr(attr.kind, tuple(_clone_body(b, op, target, mapping, captures, substitute) for b in attr.value))
    return attr


def _clone_body(
    body: Graph, op: Op, target: Graph, outer: Mapping, captures: dict[Value, Value], substitute: Substitute | None
) -> Graph:
    """A copy of a body of `op` whose captures are those that `outer` maps to; they are noted in `captures`."""
    copy = Graph(body.name, target.opsets, target.names)
    copy.extras = body.extras
    inner: Mapping = {}
    for value in body.inputs:
        inner[value] = copy.add_input(_named_like(value, copy))
    for value in body.values:
        if value.role is Role.CAPTURE:
            stands = clone_value(op.captures[value], target, outer)
            if stands is None:
                inner[value] = None
                continue
            inner[value] = made = copy.attach(Value(stands.name, Role.CAPTURE, None, stands.type))
            captures[made] = stands
        elif value.role is Role.CONST:
            inner[value] = copy.attach(_named_like(value, copy))
    for below in body.ops:
        made_op = clone_op(below, copy, inner, substitute)
        if made_op is None:
            continue
        made_op.order = below.order
        copy.add(made_op)
        for old, new in zip(below.outputs, made_op.outputs):
            if old is not None and new is not None:
                new.declared = old.declared
    for index, value in enumerate(body.outputs):
        result = clone_value(value, copy, inner)
        if result is None:
            raise KeyError(value)
        copy.set_output(index, result)
    return copy


def _named_like(value: Value, graph: Graph) -> Value:
    copy = Value(graph.names.fresh(value.name), value.role, value.tensor, value.type)
    copy.declared = value.declared
    return copy
