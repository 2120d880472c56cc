"""Filling a graph at once does what attaching and adding one by one do."""

from __future__ import annotations

import numpy as np
import pytest

from gopt.errors import GraphError
from gopt.ir import ArrayTensor, Attr, Graph, Model, Op, Role, Value
from gopt.ir.check import check


def parts() -> tuple[list[Value], list[Op]]:
    """s = Add(x, w), t = Add(s, s), u = If(t) with a body that captures s."""
    x, s, t, u = (Value(name) for name in "xstu")
    x.role = Role.INPUT
    w = Value("w", Role.CONST, ArrayTensor(np.float32(1)))
    body = Graph("b")
    inner = Value("s", Role.CAPTURE)
    relu = Op("Relu", [inner], [Value("r")])
    branch = Op("If", [t], [u], {"then_branch": Attr.of(body)})
    branch.captures[inner] = s
    body.populate([inner, *(v for v in relu.outputs if v is not None)], [relu])
    body.set_output(0, relu.result)
    ops = [Op("Add", [x, w], [s]), Op("Add", [s, s], [t]), branch]
    for order, op in enumerate(ops):
        op.order = float(order)
    return [x, w, s, t, u], ops


def filled(ops: list[Op], values: list[Value]) -> Graph:
    graph = Graph("g")
    graph.inputs.append(values[0])
    graph.populate(values, ops)
    return graph


def test_the_same_graph() -> None:
    values, ops = parts()
    graph = filled(ops, values)
    check(Model(graph))
    assert graph.ops == tuple(ops)
    assert list(graph.dirty) == ops
    assert graph.version == 1
    assert graph.owners == (ops[2],)
    assert [(use.op, use.slot) for use in values[2].uses][:3] == [
        (ops[1], 0),
        (ops[1], 1),
        (ops[2], values[2].uses[2].slot),
    ]
    assert values[1].graph is graph
    assert values[3].producer is ops[1]
    values, ops = parts()
    other = Graph("g")
    other.add_input(values[0])
    for op in ops:  # results and constants come along
        other.add(op)
    assert [str(op) for op in other.ops] == [str(op) for op in graph.ops]
    assert other.nx.number_of_edges() == graph.nx.number_of_edges()


def test_ops_out_of_order_are_sorted() -> None:
    values, ops = parts()
    backwards = ops[::-1]
    for order, op in enumerate(backwards):
        op.order = float(order)
    graph = filled(backwards, values)
    check(Model(graph))
    assert graph.ops == tuple(ops)
    assert len(graph) == 3


def test_listeners_are_told() -> None:
    values, ops = parts()
    told: list[Op] = []

    class Listener:
        def added(self, op: Op) -> None:
            told.append(op)

        def removed(self, op: Op) -> None:
            raise AssertionError

        def operand_changed(self, op: Op, old: Value | None) -> None:
            raise AssertionError

    graph = Graph("g")
    graph.listeners.append(Listener())
    graph.populate(values, ops)
    assert told == ops


def test_what_is_refused() -> None:
    values, ops = parts()
    graph = filled(ops, values)
    with pytest.raises(GraphError, match="not empty"):
        graph.populate([], [])
    with pytest.raises(GraphError, match="another graph"):
        Graph().populate(values, [])
    with pytest.raises(GraphError, match="in a graph"):
        Graph().populate([], ops)
    a, b = Value("a"), Value("b")
    with pytest.raises(GraphError, match="cyclic"):
        Graph().populate([a, b], [Op("Neg", [a], [b]), Op("Neg", [b], [a])])
    a, b = Value("a"), Value("b")
    with pytest.raises(GraphError, match="not in the same graph"):
        Graph().populate([b], [Op("Neg", [a], [b])])
    a, b = Value("a"), Value("b")
    with pytest.raises(GraphError, match="two ops"):
        Graph().populate([a, b], [Op("Neg", [a], [b]), Op("Neg", [a], [b])])
