"""Constants that stand in a body and outside of it, or in several bodies of one op, are kept once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial

from ...ir import Graph, Model, Op, Role, Tensor, Value
from ...rewrite import Context, Origin
from ..base import Pass, option, register
from .duplicates import equal_tensors, head

_Change = tuple[Sequence[Origin], Sequence[Op]]
_Known = dict[Hashable, list[Value]]


@register
@dataclass(frozen=True)
class Shared(Pass):
    """a constant w inside of a body and outside of it -> the body captures w

    Applies to constants of at least `least` bytes that are equal in type, shape and every byte: one of a body that
    equals one of a graph around it is captured from there, and what several bodies of one op have in common moves to
    the graph of the op. What a body exports stays. Exact.
    """

    least: int = option(1024, help="bytes from which on a constant is worth it")

    def run(self, model: Model, ctx: Context) -> None:
        """Outer graphs first, so that what moves out of a body is found by the bodies further in."""
        known: dict[Graph, _Known] = {}
        for graph in tuple(model.graphs()):
            if graph.owner is None and not graph.owners:
                continue
            for value in self._large(graph):
                if (twin := _outside(graph, value, known)) is not None:
                    ctx.edit(self.name, [value.name], partial(_capture, value, twin))
                else:
                    known.setdefault(graph, {}).setdefault(_kind(value), []).append(value)
            for op in graph.owners:
                for alike in self._common(op):
                    ctx.edit(self.name, [v.name for v in alike], partial(_move, graph, alike, known))

    def _large(self, graph: Graph) -> list[Value]:
        return [
            v
            for v in graph.values
            if v.role is Role.CONST and _tensor(v).nbytes >= self.least and not v.is_output and v not in graph.kept
        ]

    def _common(self, op: Op) -> list[list[Value]]:
        """Equal constants of different bodies of an op, in groups."""
        if len(op.bodies) < 2:
            return []
        groups: list[list[Value]] = []
        by_kind: dict[Hashable, list[list[Value]]] = {}
        for body in op.bodies:
            for value in self._large(body):
                alike = by_kind.setdefault(_kind(value), [])
                group = next((g for g in alike if equal_tensors(_tensor(g[0]), _tensor(value))), None)
                if group is None:
                    group = []
                    alike.append(group)
                    groups.append(group)
                group.append(value)
        return [group for group in groups if len({id(v.graph) for v in group}) > 1]


def _tensor(value: Value) -> Tensor:
    assert value.tensor is not None
    return value.tensor


def _kind(value: Value) -> Hashable:
    tensor = _tensor(value)
    return (tensor.dtype, tensor.shape, head(tensor))


def _outside(graph: Graph, value: Value, known: dict[Graph, _Known]) -> Value | None:
    """An equal constant of a graph around."""
    owner = graph.owner
    while owner is not None and owner.graph is not None:
        around = owner.graph
        for twin in known.get(around, {}).get(_kind(value), ()):
            if twin.graph is around and equal_tensors(_tensor(twin), _tensor(value)):
                return twin
        owner = around.owner
    return None


def _capture(value: Value, twin: Value) -> _Change:
    graph = value.graph
    assert graph is not None
    graph.replace_uses(value, graph.capture(twin))
    graph.drop(value)
    return (), ()


def _move(graph: Graph, alike: Sequence[Value], known: dict[Graph, _Known]) -> _Change:
    made = graph.add_const(_tensor(alike[0]), alike[0].name, alike[0].type)
    known.setdefault(graph, {}).setdefault(_kind(made), []).append(made)
    for value in alike:
        _capture(value, made)
    return (), ()
