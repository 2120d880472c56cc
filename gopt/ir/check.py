"""Invariants of the IR, checked whole: for tests, `verify-each` and after foreign code has had the graph."""

from __future__ import annotations

from ..errors import GraphError
from .graph import Graph
from .model import Model
from .node import Capture, Op, Role, Slot, Value


def check(model: Model) -> None:
    """Check every graph of a model.

    Raises:
        GraphError: an invariant is broken; the message names the op or value.
    """
    for graph in (model.graph, *(f.graph for f in model.functions.values())):
        _check_scope(graph, frozenset())


def _check_scope(graph: Graph, outer_names: frozenset[str]) -> None:
    names = _check_names(graph, outer_names)
    for op in graph.ops:  # also raises on a cycle
        _check_op(graph, op)
    for value in graph.values:
        _check_value(graph, value)
    for value in (*graph.inputs, *graph.outputs):
        if value.graph is not graph:
            raise GraphError(f"{value!r}, an input or output of {graph.name!r}, is not in the graph")
    for op in graph.owners:
        for body in op.bodies:
            if body.owner is not op:
                raise GraphError(f"a body of {op.label} has another owner")
            _check_scope(body, outer_names | names)


def _check_names(graph: Graph, outer_names: frozenset[str]) -> frozenset[str]:
    seen: set[str] = set()
    for value in graph.values:
        if value.role is Role.CAPTURE:
            continue
        if not value.name:
            raise GraphError(f"a value of {graph.name!r} has no name")
        if value.name in seen or value.name in outer_names:
            raise GraphError(f"two values are named {value.name!r}")
        seen.add(value.name)
    return frozenset(seen)


def _check_op(graph: Graph, op: Op) -> None:
    if op.graph is not graph:
        raise GraphError(f"{op.label} says that it is in another graph")
    expected: set[tuple[int, Slot]] = {(id(v), k) for k, v in enumerate(op.inputs) if v is not None}
    expected |= {(id(o), Capture("capture", i.graph, i)) for i, o in op.captures.items() if i.graph is not None}
    edges = graph.nx.in_edges(op, keys=True)
    if {(id(v), key) for v, _, key in edges} != expected:
        raise GraphError(f"operands of {op.label} differ from its edges")
    results = {(id(v), k) for k, v in enumerate(op.outputs) if v is not None}
    if {(id(v), key) for _, v, key in graph.nx.out_edges(op, keys=True)} != results:
        raise GraphError(f"results of {op.label} differ from its edges")


def _check_value(graph: Graph, value: Value) -> None:
    if value.graph is not graph:
        raise GraphError(f"{value!r} says that it is in another graph")
    producers = graph.nx.in_degree(value)
    if producers != (value.role is Role.RESULT):
        raise GraphError(f"{value!r} ({value.role.name}) has {producers} producers")
    if value.role is Role.CONST and value.tensor is None:
        raise GraphError(f"constant {value!r} has no data")
    if value.role is Role.CAPTURE and (graph.owner is None or value not in graph.owner.captures):
        raise GraphError(f"{value!r} captures nothing")
