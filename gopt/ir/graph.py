"""The graph: a bipartite networkx multigraph of ops and values, and the few edits that change it.

The edges of the networkx graph are the single truth on who produces and who uses what. This file alone touches its
adjacency: an edge between a value and an op has the operand (or result) slot as its key, a captured value the key
`Capture("capture", body, inner)`. All edges and nodes share one read-only empty dict as their data, so that a reader of
`Graph.nx` can change nothing through it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Protocol

import networkx

from ..errors import GraphError
from .names import Names
from .node import Attr, Capture, Op, Role, Slot, Use, Value, _bodies
from .tensor import Tensor
from .types import Type

_NO_DATA: MappingProxyType[str, Any] = MappingProxyType({})
_by_order = attrgetter("order")


class Listener(Protocol):
    """Told of each edit after it was made."""

    def added(self, op: Op) -> None:
        """An op was linked into the graph."""

    def removed(self, op: Op) -> None:
        """An op was taken out of the graph; its operand tuple is still readable."""

    def operand_changed(self, op: Op, old: Value | None) -> None:
        """An operand or capture of the op now is another value than `old`."""


class Graph:
    """Ops and values of one scope: the main graph, the body of an If/Loop/Scan, or a local function.

    Attributes:
        name: the graph's name.
        inputs: formal inputs, overridable ones (with a default tensor) included.
        outputs: exported values; the same value may stand here more than once while a rewrite is under way.
        owner: for a body the op that it belongs to, else None.
        opsets: domain -> imported version; one dict shared by a model's graph and all its bodies.
        names: names in use, shared likewise.
        version: counts edits of this graph (bodies count their own).
        kept: values that something outside the dataflow refers to by name (a quantization annotation): they stay.
        dirty: ops whose types must be inferred (again), in the order in which they became so.
        extras: wire fields that the IR does not interpret, kept for saving.
    """

    def __init__(
        self, name: str = "", opsets: dict[str, int] | None = None, names: Names | None = None, owner: Op | None = None
    ) -> None:
        self.name = name
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.owner = owner
        self.opsets: dict[str, int] = {} if opsets is None else opsets
        self.names = Names() if names is None else names
        self.version = 0
        self.kept: dict[Value, None] = {}
        self.dirty: dict[Op, None] = {}
        self.listeners: list[Listener] = []
        self.extras: Any = None
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

    def walk(self) -> Iterator[Graph]:
        """This graph and all bodies below it, outer before inner."""
        yield self
        for op in self.owners:
            for body in op.bodies:
                yield from body.walk()

    # -- edits ------------------------------------------------------------------------------------------------------

    def add(self, op: Op) -> Op:
        """Link a detached op; its detached results and constant operands come into the graph and get names.

        Raises:
            GraphError: the op is attached already, or an operand or result belongs to another graph.
        """
        if op.graph is not None:
            raise GraphError(f"{op.label} is in a graph already")
        for value in op.outputs:
            if value is not None and value.graph is not None:
                raise GraphError(f"result {value!r} of {op.label} has a producer already")
        op.graph = self
        self._node[op] = _NO_DATA
        self._succ[op] = {}
        self._pred[op] = {}
        self._ops[op] = None
        if op.order < 0:
            op.order = float(len(self._ops))
        for slot, value in enumerate(op.inputs):
            if value is not None:
                self._link(op, slot, value)
        for slot, value in enumerate(op.outputs):
            if value is not None:
                if not value.name:
                    value.name = self.names.fresh(f"{op.op_type.lower()}_out")
                self._attach(value)
                self._edge(op, value, slot)
        if op.bodies:
            self._with_bodies[op] = None
            for inner, outer in op.captures.items():
                self._link(op, _capture_key(inner), outer)
        self.dirty[op] = None
        self._edited()
        for listener in self.listeners:
            listener.added(op)
        return op

    def populate(self, values: Iterable[Value], ops: Sequence[Op]) -> None:
        """Fill an empty graph: `attach` and `add`, quicker for many.

        Args:
            values: detached and named; all that the ops take, results and captures included.
            ops: detached, in the order of their position hints.

        Raises:
            GraphError: the graph is not empty, a value or op belongs to a graph, an operand is not among the values,
                two ops have one result, or there is a cycle.
        """
        if self._ops:
            raise GraphError(f"graph {self.name!r} is not empty")
        node, succ, pred = self._node, self._succ, self._pred
        for value in values:
            if value.graph is not None or not value.name:
                self._attach(value)
                continue
            value.graph = self
            node[value] = _NO_DATA
            succ[value] = {}
            pred[value] = {}
        for op in ops:
            if op.graph is not None:
                raise GraphError(f"{op.label} is in a graph already")
            op.graph = self
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
        self.dirty.update(dict.fromkeys(ops))
        self._edited()
        self._sorted = tuple(ops) if in_order else tuple(self._toposort())
        for listener in self.listeners:
            for op in ops:
                listener.added(op)

    def remove(self, op: Op) -> None:
        """Unlink an op together with its results.

        Raises:
            GraphError: a result is still used or exported.
        """
        for value in op.outputs:
            if value is not None and (self._succ[value] or value in self._exported):
                raise GraphError(f"{value!r}, a result of {op.label}, is still used")
        for value in op.outputs:
            if value is not None:
                self._detach(value)
        for value in tuple(self._pred[op]):
            del self._succ[value][op]
        del self._node[op], self._succ[op], self._pred[op], self._ops[op]
        self._with_bodies.pop(op, None)
        self.dirty.pop(op, None)
        op.graph = None
        self._edited()
        for listener in self.listeners:
            listener.removed(op)

    def set_operand(self, op: Op, slot: int, value: Value | None) -> None:
        """Put another value into an operand slot; None omits it, trailing omitted slots are dropped."""
        old = op.input(slot)
        if old is value and slot < len(op.inputs):
            return
        operands = list(op.inputs) + [None] * (slot + 1 - len(op.inputs))
        operands[slot] = value
        while operands and operands[-1] is None:
            operands.pop()
        if old is not None:
            self._unlink(op, slot, old)
        op.inputs = tuple(operands)
        if value is not None:
            self._link(op, slot, value)
        self._operand_changed(op, old)

    def set_attr(self, op: Op, name: str, value: Any) -> None:
        """Set (or with None remove) an attribute. Bodies are not replaced this way: make a new op.

        Raises:
            GraphError: the attribute holds a graph.
        """
        attr = None if value is None else Attr.of(value)
        if tuple(_bodies(a for a in (attr, op.attrs.get(name)) if a is not None)):
            raise GraphError(f"attribute {name!r} of {op.label} holds a graph")
        op.attrs = {k: a for k, a in op.attrs.items() if k != name} | ({} if attr is None else {name: attr})
        self._operand_changed(op, None)

    def drop_output(self, op: Op, slot: int) -> None:
        """Omit a result that nobody uses; trailing omitted ones are dropped.

        Raises:
            GraphError: the result is used or exported.
        """
        value = op.outputs[slot]
        if value is None:
            return
        if self._succ[value] or value in self._exported:
            raise GraphError(f"{value!r}, a result of {op.label}, is still used")
        self._detach(value)
        results = list(op.outputs)
        results[slot] = None
        while results and results[-1] is None:
            results.pop()
        op.outputs = tuple(results)
        self._edited()

    def replace_uses(self, old: Value, new: Value, keep: Collection[Op] = ()) -> None:
        """Make every export of `old`, and every use by an op that is not in `keep`, captures included, one of `new`."""
        for op, slot in self.uses(old):
            if op in keep:
                continue
            self._unlink(op, slot, old)
            if isinstance(slot, Capture):
                op.captures[slot.inner] = new
            else:
                op.inputs = (*op.inputs[:slot], new, *op.inputs[slot + 1 :])
            self._link(op, slot, new)
            self._operand_changed(op, old)
        if old in self._exported:
            for index, value in enumerate(self.outputs):
                if value is old:
                    self.set_output(index, new)

    def set_output(self, index: int, value: Value) -> None:
        """Export another value in place of output `index` (one past the end adds an output)."""
        if value.graph is None:
            self._attach(value)
        if index < len(self.outputs):
            self._unexport(self.outputs[index])
            self.outputs[index] = value
        else:
            self.outputs.append(value)
        self._exported[value] = self._exported.get(value, 0) + 1
        self._edited()

    def remove_output(self, index: int) -> None:
        """Export one value less."""
        self._unexport(self.outputs.pop(index))
        self._edited()

    def add_input(self, value: Value) -> Value:
        """Append a formal input; its role becomes INPUT."""
        value.role = Role.INPUT
        self._attach(value)
        self.inputs.append(value)
        self._edited()
        return value

    def remove_input(self, value: Value) -> None:
        """Take out a formal input that nobody uses.

        Raises:
            GraphError: it is used or exported.
        """
        if self._succ[value] or value in self._exported:
            raise GraphError(f"input {value!r} is still used")
        self.inputs.remove(value)
        self._detach(value)
        self._edited()

    def add_const(self, tensor: Tensor, name: str = "", type_: Type | None = None) -> Value:
        """A new constant value in this scope; `name` is a hint, made unique."""
        value = Value(self.names.fresh(name or "const"), Role.CONST, tensor, type_)
        self._attach(value)
        self._edited()
        return value

    def attach(self, value: Value) -> Value:
        """Bring a detached constant (or a value without producer) into this scope under its own name."""
        self._attach(value)
        self._edited()
        return value

    def capture(self, outer: Value) -> Value:
        """The value that stands inside this body for `outer`, a value of an enclosing graph; made when first asked for.

        Raises:
            GraphError: `outer` lies in no enclosing graph.
        """
        if outer.graph is self:
            return outer
        if self.owner is None:
            raise GraphError(f"{outer!r} is not in a graph that encloses {self.name!r}")
        home = self.owner.graph
        if home is not None and outer.graph is not home:
            outer = home.capture(outer)
        for inner, known in self.owner.captures.items():
            if known is outer and inner.graph is self:
                return inner
        inner = Value(outer.name, Role.CAPTURE, None, outer.type)
        self._attach(inner)
        self.owner.captures[inner] = outer
        if home is not None:
            home._link(self.owner, _capture_key(inner), outer)
            home._operand_changed(self.owner, None)
        self._edited()
        return inner

    def drop(self, value: Value) -> None:
        """Take out a constant or capture (or stray value) that nobody uses.

        Raises:
            GraphError: it is used, exported, a formal input or the result of an op.
        """
        if self.needs(value) or self._pred[value] or value.role is Role.INPUT:
            raise GraphError(f"{value!r} is still used")
        if value.role is Role.CAPTURE and self.owner is not None:
            outer = self.owner.captures.pop(value)
            if self.owner.graph is not None:
                self.owner.graph._unlink(self.owner, _capture_key(value), outer)
                self.owner.graph._edited()
        self._detach(value)
        self._edited()

    def rename(self, value: Value, name: str) -> None:
        """Give a value a name that is free in the model.

        Raises:
            GraphError: the name is taken.
        """
        if name == value.name:
            return
        if name in self.names.used:
            raise GraphError(f"the name {name!r} is taken")
        self.names.claim(name)
        value.name = name
        self._edited()

    def swap_names(self, a: Value, b: Value) -> None:
        """Exchange the names of two values of this scope: so a replacement carries on the name of what it replaces."""
        a.name, b.name = b.name, a.name
        self._edited()

    # -- adjacency --------------------------------------------------------------------------------------------------

    def _attach(self, value: Value) -> None:
        if value.graph is self:
            return
        if value.graph is not None:
            raise GraphError(f"{value!r} belongs to another graph")
        if not value.name:
            value.name = self.names.fresh("const" if value.role is Role.CONST else "value")
        value.graph = self
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
                    self._link(op, _capture_key(inner), outer)
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
            del self._succ[value][op], self._pred[op][value]

    def _unexport(self, value: Value) -> None:
        self._exported[value] -= 1
        if not self._exported[value]:
            del self._exported[value]

    def _edited(self) -> None:
        self.version += 1
        self._sorted = None

    def _operand_changed(self, op: Op, old: Value | None) -> None:
        self.dirty[op] = None
        self._edited()
        for listener in self.listeners:
            listener.operand_changed(op, old)

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


def _capture_key(inner: Value) -> Capture:
    if inner.graph is None:
        raise GraphError(f"captured {inner!r} is in no body")
    return Capture("capture", inner.graph, inner)


def dead_ops(graph: Graph, seeds: Sequence[Op]) -> list[Op]:
    """The ops among `seeds`, and above them, that no export and no living op needs; users before producers.

    Costs no more than the ops that it returns and their operands.
    """
    dead: dict[Op, None] = {}
    todo = list(reversed(seeds))
    while todo:
        op = todo.pop()
        if op in dead or op.graph is not graph:
            continue
        if any(
            v is not None and (v in graph._exported or any(u not in dead for u in graph._succ[v])) for v in op.outputs
        ):
            continue
        dead[op] = None
        todo.extend(graph.producers(op))
    return list(dead)
