"""Ops with thousands of operands, and values with thousands of users: edits that touch one of them cost one."""

from __future__ import annotations

from typing import Any

import pytest

from gopt.ir import Graph, Model, Op, Value
from gopt.ir.check import check
from gopt.ir.wide import WIDE, WideOp, put_operand
from gopt.rewrite import Context, P, Rewriter, apply_rules, rule
from gopt.rewrite.driver import Driver


def wide(count: int, source: Value | None = None) -> tuple[Graph, Op, list[Op]]:
    """x -> `count` Identities -> Sum."""
    graph = Graph("g", {"": 17})
    value = graph.add_input(source or Value("x"))
    copies = [graph.add(Op("Identity", [value])) for _ in range(count)]
    total = graph.add(Op("Sum", [copy.result for copy in copies]))
    graph.set_output(0, total.result)
    return graph, total, copies


@rule(P.Identity("x"))
def copies(rw: Rewriter, x: Value) -> Any:
    """Identity(x) -> x"""
    return x


@pytest.mark.parametrize("count", [3, WIDE - 1, WIDE, 3 * WIDE])
def test_operands_are_replaced_one_by_one(count: int) -> None:
    graph, total, found = wide(count)
    for copy in found:
        graph.replace_uses(copy.result, graph.inputs[0])
        graph.remove(copy)
    assert isinstance(total, WideOp) is (count >= WIDE)
    assert total.inputs == (graph.inputs[0],) * count
    assert total.input(count - 1) is graph.inputs[0]
    assert total.input(count) is None
    assert graph.inputs[0].use_count == count
    check(Model(graph))


def test_a_wide_op_is_edited_like_any_other() -> None:
    graph, total, found = wide(WIDE + 5)
    x = graph.inputs[0]
    graph.replace_uses(found[7].result, x)
    assert isinstance(total, WideOp)
    before = total.inputs
    graph.set_operand(total, 3, x)
    graph.set_operand(total, WIDE + 4, None)
    graph.replace_uses(found[9].result, x)
    assert before[3] is found[3].result, "what was given out does not change"
    assert len(total.inputs) == WIDE + 4
    assert [k for k, v in enumerate(total.inputs) if v is x] == [3, 7, 9]
    check(Model(graph))
    graph.set_output(0, x)
    graph.remove(total)
    assert graph.users(x) == set(found)


def test_the_tuple_is_made_once() -> None:
    _, total, _ = wide(WIDE)
    put_operand(total, 0, Value("y"))
    assert total.inputs is total.inputs
    assert isinstance(total.inputs, tuple)


def test_many_users_are_not_asked_for_each_that_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [0]
    push = Driver._push

    def counted(self: Driver, op: Op) -> None:
        asked[0] += 1
        push(self, op)

    monkeypatch.setattr(Driver, "_push", counted)
    counts = []
    for size in (500, 1000):
        graph, total, _ = wide(size)
        asked[0] = 0
        from gopt.ir import Model

        context = Context(Model(graph))
        assert apply_rules(context, [copies]) == size
        assert total.inputs == (graph.inputs[0],) * size
        counts.append(asked[0])
    assert counts[1] < 2.5 * counts[0]


def test_what_used_a_value_of_many_is_forgotten() -> None:
    graph, total, found = wide(1000)
    x = graph.inputs[0]
    graph.set_output(0, x)
    graph.remove(total)
    for copy in found[:-1]:
        graph.remove(copy)
    assert x.has_one_use
    assert graph._succ[x].__sizeof__() < 1000, "a dict of one entry that had a thousand is slow to look into"
    assert graph.users(x) == {found[-1]}
    assert graph.nx.out_degree(x) == 1
