"""The graph of one scope, and the few edits that change it.

The edges of a networkx graph are the single truth on who produces and who uses what; `adjacency.py` keeps them. Each
edit here keeps operand tuples, captures, names and exports in step with them, counts, and tells listeners.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Protocol

from ..errors import GraphError
from .adjacency import Adjacency, capture_key
from .names import Names
from .node import Attr, Capture, Op, Role, Value, _bodies
from .tensor import Tensor
from .types import Type
from .wide import put_operand


class Listener(Protocol):
    """Told of each edit after it was made."""

    def added(self, op: Op) -> None:
        """An op was linked into the graph."""

    def removed(self, op: Op) -> None:
        """An op was taken out of the graph; its operand tuple is still readable."""

    def operand_changed(self, op: Op, old: Value | None) -> None:
        """An operand or capture of the op now is another value than `old`; None where a result is no output now."""


class Graph(Adjacency):
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
        super().__init__(Names() if names is None else names)
        self.name = name
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.owner = owner
        self.opsets: dict[str, int] = {} if opsets is None else opsets
        self.version = 0
        self.dirty: dict[Op, None] = {}
        self.listeners: list[Listener] = []
        self.extras: Any = None

    # -- reading ----------------------------------------------------------------------------------------------------

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
        self._enter(op)
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
                self._link(op, capture_key(inner), outer)
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
        self._fill(values, ops)
        self.dirty.update(dict.fromkeys(ops))
        self.version += 1
        for listener in self.listeners:
            for op in ops:
                listener.added(op)

    def remove(self, op: Op) -> None:
        """Unlink an op together with its results.

        Raises:
            GraphError: a result is still used or exported.
        """
        for value in op.outputs:
            if value is not None and self.needs(value):
                raise GraphError(f"{value!r}, a result of {op.label}, is still used")
        self._leave(op)
        self.dirty.pop(op, None)
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
        if self.needs(value):
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
                put_operand(op, slot, new)
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
        if self.needs(value):
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
            home._link(self.owner, capture_key(inner), outer)
            home._operand_changed(self.owner, None)
        self._edited()
        return inner

    def drop(self, value: Value) -> None:
        """Take out a constant or capture (or stray value) that nobody uses.

        Raises:
            GraphError: it is used, exported, a formal input or the result of an op.
        """
        if self.needs(value) or self.producer(value) is not None or value.role is Role.INPUT:
            raise GraphError(f"{value!r} is still used")
        if value.role is Role.CAPTURE and self.owner is not None:
            outer = self.owner.captures.pop(value)
            if self.owner.graph is not None:
                self.owner.graph._unlink(self.owner, capture_key(value), outer)
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

    # -- bookkeeping -------------------------------------------------------------------------------------------------

    def _unexport(self, value: Value) -> None:
        self._exported[value] -= 1
        if self._exported[value]:
            return
        del self._exported[value]
        if self.listeners and (producer := self.producer(value)) is not None:
            for listener in self.listeners:
                listener.operand_changed(producer, None)

    def _edited(self) -> None:
        self.version += 1
        self._sorted = None

    def _operand_changed(self, op: Op, old: Value | None) -> None:
        self.dirty[op] = None
        self._edited()
        for listener in self.listeners:
            listener.operand_changed(op, old)
