"""The graph: edits keep edges, operand tuples, names and order consistent."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from gopt.errors import GraphError
from gopt.ir import ArrayTensor, Attr, AttrKind, Graph, Model, Op, Role, TensorType, Value, dead_ops
from gopt.ir.check import check


def const(graph: Graph, number: float = 1.0) -> Value:
    return graph.add_const(ArrayTensor(np.array(number, np.float32)))


def chain(length: int) -> Graph:
    """x -> Neg -> ... -> Neg -> output."""
    graph = Graph("chain", {"": 17})
    value = graph.add_input(Value("x"))
    for _ in range(length):
        value = graph.add(Op("Neg", [value])).result
    graph.set_output(0, value)
    return graph


def owner_with_body(graph: Graph, captured: Value) -> tuple[Op, Value]:
    """An If-like op whose body adds one to a captured value; the op and the stand-in inside."""
    body = Graph("body", graph.opsets, graph.names)
    op = Op("If", [graph.inputs[0]], attrs={"then_branch": Attr(AttrKind.GRAPH, body)})
    inner = body.capture(captured)
    add = body.add(Op("Add", [inner, const(body)]))
    body.set_output(0, add.result)
    graph.add(op)
    return op, inner


def test_edges_are_the_truth() -> None:
    graph = Graph("g", {"": 17})
    x = graph.add_input(Value("x"))
    add = graph.add(Op("Mul", [x, x]))
    assert [(u.op, u.slot) for u in x.uses] == [(add, 0), (add, 1)]
    assert x.use_count == 2
    assert add.result.producer is add
    assert graph.nx.number_of_edges() == 3
    check(Model(graph))


def test_the_networkx_view_cannot_be_changed() -> None:
    graph = chain(2)
    with pytest.raises(nx.NetworkXError):
        graph.nx.add_node("intruder")
    data = next(iter(graph.nx.edges(data=True)))[2]
    with pytest.raises(TypeError):
        data["weight"] = 1
    assert nx.is_directed_acyclic_graph(graph.nx)


def test_op_graph_projects_on_ops() -> None:
    graph = chain(3)
    projected = graph.op_graph()
    assert list(nx.topological_sort(projected)) == list(graph.ops)
    assert projected.number_of_edges() == 2


def test_order_follows_the_hints_where_dataflow_leaves_a_choice() -> None:
    graph = Graph("g", {"": 17})
    x = graph.add_input(Value("x"))
    late, early = Op("Neg", [x]), Op("Abs", [x])
    late.order, early.order = 2.0, 1.0
    graph.add(late)
    graph.add(early)
    assert [op.op_type for op in graph.ops] == ["Abs", "Neg"]
    user = Op("Exp", [late.result])
    user.order = 0.0
    graph.add(user)
    assert [op.op_type for op in graph.ops] == ["Neg", "Exp", "Abs"]


def test_a_cycle_is_named() -> None:
    graph = chain(2)
    first, second = graph.ops
    graph.set_operand(first, 0, second.result)
    with pytest.raises(GraphError, match="cyclic graph"):
        _ = graph.ops


def test_replace_uses_moves_operands_captures_and_exports() -> None:
    graph = chain(1)
    x = graph.inputs[0]
    old = graph.ops[0].result
    owner, inner = owner_with_body(graph, old)
    twice = graph.add(Op("Add", [old, old]))
    graph.replace_uses(old, x)
    assert twice.inputs == (x, x)
    assert owner.captures[inner] is x
    assert inner.outer is x
    assert graph.outputs == [x]
    assert not old.uses
    assert not old.is_output
    check(Model(graph))


def test_replace_uses_can_spare_the_replacement_itself() -> None:
    graph = chain(1)
    old = graph.ops[0].result
    wrapper = graph.add(Op("Abs", [old]))
    graph.replace_uses(old, wrapper.result, keep=[wrapper])
    assert wrapper.inputs == (old,)
    assert graph.outputs == [wrapper.result]


def test_removing_a_used_op_is_refused() -> None:
    graph = chain(2)
    with pytest.raises(GraphError, match="still used"):
        graph.remove(graph.ops[0])
    with pytest.raises(GraphError, match="still used"):
        graph.remove(graph.ops[1])


def test_operands_of_another_graph_are_refused() -> None:
    with pytest.raises(GraphError, match="not in the same graph"):
        chain(1).add(Op("Neg", [chain(1).inputs[0]]))


def test_set_operand_drops_trailing_omitted_slots() -> None:
    graph = chain(1)
    x = graph.inputs[0]
    clip = graph.add(Op("Clip", [x]))
    graph.set_operand(clip, 2, const(graph, 6.0))
    assert clip.inputs[1] is None
    assert len(clip.inputs) == 3
    graph.set_operand(clip, 2, None)
    assert clip.inputs == (x,)
    check(Model(graph))


def test_capture_through_two_scopes_and_back_out() -> None:
    graph = chain(1)
    weight = const(graph, 3.0)
    body = Graph("body", graph.opsets, graph.names)
    owner = Op("If", [graph.inputs[0]], attrs={"then_branch": Attr(AttrKind.GRAPH, body)})
    graph.add(owner)
    deep = Graph("deep", graph.opsets, graph.names)
    inner_owner = Op("If", [], attrs={"then_branch": Attr(AttrKind.GRAPH, deep)})
    body.add(inner_owner)
    stand_in = deep.capture(weight)
    assert stand_in.role is Role.CAPTURE
    assert stand_in.const is weight.tensor
    assert deep.capture(weight) is stand_in
    deep.set_output(0, deep.add(Op("Neg", [stand_in])).result)
    check(Model(graph))
    deep.set_output(0, deep.add_const(ArrayTensor(np.float32(0).reshape(()))))
    deep.remove(deep.ops[0])
    middle = stand_in.outer
    deep.drop(stand_in)
    assert not inner_owner.captures
    body.drop(middle)
    assert not owner.captures
    assert weight.use_count == 0
    check(Model(graph))


def test_dead_ops_finds_what_nobody_needs() -> None:
    graph = chain(3)
    x = graph.inputs[0]
    middle = graph.ops[1]
    side = graph.add(Op("Abs", [middle.result]))
    assert dead_ops(graph, [side]) == [side]
    last = graph.ops[-1] if graph.ops[-1] is not side else graph.ops[-2]
    graph.set_output(0, x)
    assert dead_ops(graph, [last]) == [last]
    assert set(dead_ops(graph, [last, side])) == set(graph.ops)


def test_an_overridable_input_is_not_constant() -> None:
    graph = Graph("g", {"": 17})
    value = graph.add_input(Value("w", tensor=ArrayTensor(np.zeros(2, np.float32))))
    assert value.const is None


def test_names_are_unique_and_swapped() -> None:
    graph = chain(2)
    a, b = (op.result for op in graph.ops)
    names = a.name, b.name
    graph.swap_names(a, b)
    assert (b.name, a.name) == names
    with pytest.raises(GraphError, match="taken"):
        graph.rename(a, b.name)
    check(Model(graph))


def test_listeners_and_versions_see_every_edit() -> None:
    graph = chain(1)
    seen: list[str] = []

    class Recorder:
        def added(self, op: Op) -> None:
            seen.append(f"+{op.op_type}")

        def removed(self, op: Op) -> None:
            seen.append(f"-{op.op_type}")

        def operand_changed(self, op: Op, old: Value | None) -> None:
            seen.append(f"~{op.op_type}")

    graph.listeners.append(Recorder())
    version = graph.version
    op = graph.add(Op("Abs", [graph.inputs[0]]))
    graph.set_operand(op, 0, graph.ops[0].result)
    graph.remove(op)
    assert seen == ["+Abs", "~Abs", "-Abs"]
    assert graph.version > version


def test_drop_output_omits_an_unused_result() -> None:
    graph = chain(1)
    op = graph.add(Op("Dropout", [graph.inputs[0]], outputs=2))
    graph.drop_output(op, 1)
    assert len(op.outputs) == 1
    with pytest.raises(GraphError):
        graph.drop(graph.inputs[0])
    check(Model(graph))


def test_types_compare_by_symbol_identity() -> None:
    from gopt.ir import DType, Symbol

    n = Symbol("N")
    assert TensorType(DType.FLOAT, (n, 3)) == TensorType(DType.FLOAT, (n, 3))
    assert TensorType(DType.FLOAT, (n,)) != TensorType(DType.FLOAT, (Symbol("N"),))
