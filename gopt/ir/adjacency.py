"""Where the edges live: the bipartite networkx multigraph of ops and values, and all reading of it.

This file alone touches networkx's adjacency. An edge between a value and an op has the operand (or result) slot as its
key, a captured value the key `Capture("capture", body, inner)`. All nodes and edges share one read-only empty dict as
their data, so that a reader of `Adjacency.nx` can change nothing through it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Any

import networkx

from ..errors import GraphError
from .names import Names
from .node import Capture, Op, Role, Slot, Use, Value

_NO_DATA: MappingProxyType[str, Any] = MappingProxyType({})
_by_order = attrgetter("order")
_HOLLOW = 1 << 12
"""Bytes of a dict of one entry from which on its many removed ones, which are passed over each time, are too many."""


class Adjacency:
    """Ops, values and the edges between them; `Graph` adds the edits.

    Attributes:
        names: names in use.
        kept: values that something outside the dataflow refers to by name (a quantization annotation): they stay.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self.kept: dict[Value, None] = {}
        self._g = networkx.MultiDiGraph()
        self._node = self._g._node
        self._succ: dict[Any, dict[Any, dict[Any, Any]]] = self._g._succ
        self._pred: dict[Any, dict[Any, dict[Any, Any]]] = self._g._pred
        self._ops: dict[Op, None] = {}
        self._with_bodies: dict[Op, None] = {}
        self._exported: dict[Value, int] = {}
        self._sorted: tuple[Op, ...] | None = None

    # -- reading ----------------------------------------------------------------------------------------------------

    @property
    def nx(self) -> networkx.MultiDiGraph:
        """A live, read-only networkx view: nodes are Op and Value objects, edge keys are slots."""
        return networkx.graphviews.generic_graph_view(self._g)

    def op_graph(self) -> networkx.DiGraph:
        """The op-only projection, a new graph: an edge where one op takes (or captures) a result of another."""
        projected: networkx.DiGraph = networkx.DiGraph()
        projected.add_nodes_from(self.ops)
        for op in self.ops:
            projected.add_edges_from((producer, op) for producer in self.producers(op))
        return projected

    @property
    def ops(self) -> tuple[Op, ...]:
        """All ops, producers before users, in the order of their position hints where dataflow leaves a choice.

        Raises:
            GraphError: the graph has a cycle.
        """
        if self._sorted is None:
            self._sorted = tuple(self._toposort())
        return self._sorted

    @property
    def values(self) -> Iterator[Value]:
        """All values, in the order in which they came into the graph."""
        return (n for n in self._node if isinstance(n, Value))

    @property
    def constants(self) -> list[Value]:
        """All constant values of this scope."""
        return [v for v in self.values if v.role is Role.CONST]

    def __len__(self) -> int:
        """Number of ops."""
        return len(self._ops)

    def __contains__(self, node: object) -> bool:
        return node in self._node

    def producer(self, value: Value) -> Op | None:
        """The op whose result `value` is."""
        for op in self._pred[value]:
            return op  # type: ignore[no-any-return]
        return None

    def producers(self, op: Op) -> Iterator[Op]:
        """The ops of this graph whose results `op` takes or captures."""
        for value in self._pred[op]:
            yield from self._pred[value]

    def uses(self, value: Value) -> list[Use]:
        """All uses of `value` by ops of this graph."""
        return [Use(op, slot) for op, slots in self._succ[value].items() for slot in slots]

    def use_count(self, value: Value) -> int:
        """Number of uses of `value` by ops of this graph."""
        return sum(map(len, self._succ[value].values()))

    def has_one_use(self, value: Value) -> bool:
        """True if exactly one operand slot of one op takes `value`."""
        users = self._succ[value]
        return len(users) == 1 and len(next(iter(users.values()))) == 1

    def needs(self, value: Value) -> bool:
        """True if an op of this graph uses `value`, it is exported, or kept."""
        return bool(self._succ[value]) or value in self._exported or value in self.kept

    def users(self, value: Value) -> Collection[Op]:
        """The ops that use `value`, each once."""
        return self._succ[value].keys()

    def exports(self, value: Value) -> bool:
        """True if `value` is among the outputs."""
        return value in self._exported

    @property
    def owners(self) -> tuple[Op, ...]:
        """The ops that have bodies."""
        return tuple(self._with_bodies)

    # -- for Graph ------------------------------------------------------------------------------------------------

    def _enter(self, op: Op) -> None:
        """Bring in an op that has no edges yet."""
        op.graph = self  # type: ignore[assignment]
        self._node[op] = _NO_DATA
        self._succ[op] = {}
        self._pred[op] = {}
        self._ops[op] = None

    def _leave(self, op: Op) -> None:
        """Take out an op, its edges and its results, which nobody uses."""
        for value in op.outputs:
            if value is not None:
                self._detach(value)
        for value in tuple(self._pred[op]):
            self._forget(value, op)
        del self._node[op], self._succ[op], self._pred[op], self._ops[op]
        self._with_bodies.pop(op, None)
        op.graph = None

    def _attach(self, value: Value) -> None:
        if value.graph is self:
            return
        if value.graph is not None:
            raise GraphError(f"{value!r} belongs to another graph")
        if not value.name:
            value.name = self.names.fresh("const" if value.role is Role.CONST else "value")
        value.graph = self  # type: ignore[assignment]
        self._node[value] = _NO_DATA
        self._succ[value] = {}
        self._pred[value] = {}

    def _detach(self, value: Value) -> None:
        for source in self._pred[value]:
            del self._succ[source][value]
        del self._node[value], self._succ[value], self._pred[value]
        value.graph = None

    def _edge(self, source: Op | Value, target: Op | Value, key: Slot) -> None:
        keys = self._succ[source].get(target)
        if keys is None:
            keys = {}
            self._succ[source][target] = keys
            self._pred[target][source] = keys
        keys[key] = _NO_DATA

    def _link(self, op: Op, slot: Slot, value: Value) -> None:
        if value.graph is not self:
            if value.graph is not None or value.role is not Role.CONST:
                raise GraphError(f"operand {value!r} of {op.label} is not in the same graph")
            value.name = self.names.fresh(value.name or "const")
            self._attach(value)
        self._edge(value, op, slot)

    def _link_all(self, ops: Sequence[Op]) -> bool:
        """Link the operands and captures of ops whose results are attached; True if producers come before users."""
        succ, pred = self._succ, self._pred
        done: set[Op] = set()
        in_order = True
        for op in ops:
            uses = pred[op]
            for slot, value in enumerate(op.inputs):
                if value is None:
                    continue
                keys = uses.get(value)
                if keys is not None:
                    keys[slot] = _NO_DATA
                elif value.graph is self:
                    uses[value] = succ[value][op] = {slot: _NO_DATA}
                else:
                    raise GraphError(f"operand {value!r} of {op.label} is not in the same graph")
            if op.bodies:
                self._with_bodies[op] = None
                for inner, outer in op.captures.items():
                    self._link(op, capture_key(inner), outer)
            if in_order:
                for value in uses:
                    for producer in pred[value]:
                        in_order = in_order and producer in done
            done.add(op)
        return in_order

    def _unlink(self, op: Op, slot: Slot, value: Value) -> None:
        keys = self._succ[value][op]
        del keys[slot]
        if not keys:
            del self._pred[op][value]
            self._forget(value, op)

    def _forget(self, value: Value, op: Op) -> None:
        """Strike an op off the users of a value."""
        users = self._succ[value]
        del users[op]
        if len(users) == 1 and users.__sizeof__() > _HOLLOW:
            self._succ[value] = dict(users)

    def _fill(self, values: Iterable[Value], ops: Sequence[Op]) -> None:
        """Bring many values and ops into an empty graph at once; `Graph.populate` says what they must be."""
        node, succ, pred = self._node, self._succ, self._pred
        for value in values:
            if value.graph is not None or not value.name:
                self._attach(value)
                continue
            value.graph = self  # type: ignore[assignment]
            node[value] = _NO_DATA
            succ[value] = {}
            pred[value] = {}
        for op in ops:
            if op.graph is not None:
                raise GraphError(f"{op.label} is in a graph already")
            op.graph = self  # type: ignore[assignment]
            node[op] = _NO_DATA
            pred[op] = {}
            results = succ[op] = {}
            for slot, result in enumerate(op.outputs):
                if result is not None:
                    if pred[result]:
                        raise GraphError(f"{result!r} is the result of two ops")
                    pred[result][op] = results[result] = {slot: _NO_DATA}
        in_order = self._link_all(ops)
        self._ops.update(dict.fromkeys(ops))
        self._sorted = tuple(ops) if in_order else tuple(self._toposort())

    def _toposort(self) -> list[Op]:
        done: set[Op] = set()
        result: list[Op] = []
        pred = self._pred
        for start in sorted(self._ops, key=_by_order):
            if start in done:
                continue
            if all([p in done for v in pred[start] for p in pred[v]]):  # noqa: C419 - short, nearly always all true
                done.add(start)
                result.append(start)
                continue
            stack = [start]
            open_: dict[Op, None] = {}
            while stack:
                op = stack[-1]
                waiting = [p for v in pred[op] for p in pred[v] if p not in done]
                if not waiting or op in done:
                    stack.pop()
                    open_.pop(op, None)
                    if op not in done:
                        done.add(op)
                        result.append(op)
                    continue
                open_[op] = None
                for producer in waiting:
                    if producer in open_:
                        raise GraphError(f"cyclic graph: {producer.label} depends on its own result")
                stack.extend(reversed(waiting))
        return result


def capture_key(inner: Value) -> Capture:
    """Edge key of a captured value.

    Raises:
        GraphError: it lies in no body.
    """
    if inner.graph is None:
        raise GraphError(f"captured {inner!r} is in no body")
    return Capture("capture", inner.graph, inner)


def dead_ops(graph: Adjacency, seeds: Sequence[Op]) -> list[Op]:
    """The ops among `seeds`, and above them, that no export and no living op needs; users before producers.

    Costs no more than the ops that it returns and their operands.
    """
    dead: dict[Op, None] = {}
    todo = list(reversed(seeds))
    while todo:
        op = todo.pop()
        if op in dead or op.graph is not graph:
            continue
        if any(v is not None and (v in graph._exported or _lives(graph._succ[v], dead)) for v in op.outputs):
            continue
        dead[op] = None
        todo.extend(graph.producers(op))
    return list(dead)


def _lives(users: Collection[Op], dead: Collection[Op]) -> bool:
    """True if a user is not dead; of many it is enough to count them."""
    return len(users) > len(dead) or any(user not in dead for user in users)
