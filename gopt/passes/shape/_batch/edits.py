"""What has to be changed in a model for another batch size, independent of which one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .... import analysis, ops
from ....errors import GraphError
from ....ir import Array, ArrayTensor, DType, Graph, Model, Op, Role, TensorType, Value
from ....ops.view import spelled_as_attribute
from ....rewrite.context import operands_of, release
from .layout import Along, Refusal, Size, Times, shape_of

_HUGE = np.iinfo(np.int64).max
_LARGE = 1 << 18  # bytes from which a constant is not written down for each sample, but repeated when the model runs


@dataclass(slots=True)
class Edit(ABC):
    """One change of one op.

    Attributes:
        op: what is changed.
        slot: the operand, as the newest schema counts.
    """

    op: Op
    slot: int

    @abstractmethod
    def make(self, maker: Maker, op: Op) -> None:
        """Make the change, in the model of `maker`."""


@dataclass(slots=True)
class SetSizes(Edit):
    """An operand that holds sizes becomes these."""

    entries: tuple[Size, ...]

    def make(self, maker: Maker, op: Op) -> None:
        """Write numbers if the batch size is one, -1 where Reshape can work it out, else compute them."""
        for move in spelled_as_attribute(op):
            if move.slot == self.slot:
                maker.graph(op).set_attr(op, move.name, list(maker.numbers(op, self.entries)))
                return
        old = op.input(self.slot)
        constant = None if old is None else old.const
        type_ = None if old is None else old.type
        dtype = constant.dtype if constant is not None else type_.dtype if isinstance(type_, TensorType) else None
        scalar = constant is not None and not constant.shape
        maker.operand(op, self.slot, maker.sizes(op, self.entries, dtype=dtype, scalar=scalar))


@dataclass(slots=True)
class Materialize(Edit):
    """An operand that is the same for all samples gets as many elements along an axis as the batch asks for."""

    along: Along
    was: int
    single: bool = False

    def make(self, maker: Maker, op: Op) -> None:
        """Repeat a constant, or expand what is computed."""
        value = op.inputs[self.slot]
        assert value is not None
        maker.operand(op, self.slot, maker.spread(op, value, self.along, self.was, self.single))


@dataclass(slots=True)
class Drop(Edit):
    """An operand is omitted."""

    def make(self, maker: Maker, op: Op) -> None:
        """Omit it."""
        maker.operand(op, self.slot, None)


@dataclass(slots=True)
class AsReshape(Edit):
    """The op becomes a Reshape of its first operand."""

    entries: tuple[Size, ...]

    def make(self, maker: Maker, op: Op) -> None:
        """Put a Reshape in its place."""
        data = op.inputs[0]
        assert data is not None
        made = maker.add(op, "Reshape", [data, maker.sizes(op, self.entries, "Reshape")], {})
        maker.instead(op, made)


@dataclass(slots=True)
class SetIndex(Edit):
    """Constant indices: those of the first sample, and for each further one a step."""

    axis: int
    base: Array
    step: Array

    def make(self, maker: Maker, op: Op) -> None:
        """Write them down, or count the samples when the model runs."""
        graph = maker.graph(op)
        place = [-1 if k == self.axis else 1 for k in range(self.base.ndim)]
        if maker.batch is not None:
            made = self.base + np.arange(maker.batch).reshape(place) * self.step
            maker.operand(op, self.slot, maker.constant(graph, made))
            return
        number = maker.add(op, "Squeeze", [maker.size(graph), maker.constant(graph, np.array([0], np.int64))], {})
        ends = [maker.constant(graph, np.array(n, np.int64)) for n in (0, 1)]
        counts = maker.add(op, "Range", [ends[0], number, ends[1]], {})
        counts = maker.add(op, "Reshape", [counts, maker.constant(graph, np.array(place, np.int64))], {})
        counts = maker.add(op, "Mul", [counts, maker.constant(graph, self.step)], {})
        base = maker.constant(graph, self.base)
        maker.operand(op, self.slot, maker.add(op, "Add", [base, counts], {}))


@dataclass(slots=True)
class SetInts(Edit):
    """An attribute of integers becomes these; `slot` means nothing."""

    name: str = ""
    entries: tuple[Size, ...] = ()
    single: bool = False

    def make(self, maker: Maker, op: Op) -> None:
        """Write the numbers."""
        numbers = maker.numbers(op, self.entries)
        maker.graph(op).set_attr(op, self.name, numbers[0] if self.single else list(numbers))


@dataclass(slots=True)
class Maker:
    """Makes edits in a model.

    Attributes:
        model: what is changed.
        batch: the new size; None for a symbolic one.
        source: an input and its axis that have it.
        gone, came: ops that were removed and made.
        stands: what stands in the place of values of ops that went.
        probe: only types matter: constants that would be large are not made.
    """

    model: Model
    batch: int | None
    source: tuple[Value, int] | None = None
    gone: list[Op] = field(default_factory=list)
    came: list[Op] = field(default_factory=list)
    probe: bool = False
    stands: dict[Value, Value] = field(default_factory=dict)
    _size: Value | None = None

    @staticmethod
    def graph(op: Op) -> Graph:
        """The graph of an op.

        Raises:
            GraphError: it has none.
        """
        if op.graph is None:
            raise GraphError(f"{op.label} is in no graph")
        return op.graph

    def numbers(self, op: Op, entries: Sequence[Size], kind: str = "") -> tuple[int, ...]:
        """Sizes as plain numbers.

        Raises:
            Refusal: the batch size is symbolic and this cannot be written down.
        """
        if self.batch is not None:
            return tuple(e if isinstance(e, int) else e.at(self.batch) for e in entries)
        unknown = [e for e in entries if isinstance(e, Times)]
        if (kind or op.op_type) == "Reshape" and len(unknown) == 1 and not unknown[0].plus and -1 not in entries:
            return tuple(e if isinstance(e, int) else -1 for e in entries)
        if unknown:
            raise Refusal(f"{op.label}: a symbolic batch size cannot be written here")
        return tuple(e for e in entries if isinstance(e, int))

    def sizes(
        self, op: Op, entries: Sequence[Size], kind: str = "", dtype: DType | None = None, scalar: bool = False
    ) -> Value:
        """Sizes as an operand: a constant, or computed from the shape of an input.

        Raises:
            Refusal: it would have to be computed in a form that is not known.
        """
        graph = self.graph(op)
        try:
            array = np.array(self.numbers(op, entries, kind), np.int32 if dtype is DType.INT32 else np.int64)
            return self.constant(graph, array.reshape(()) if scalar else array)
        except Refusal:
            if dtype is DType.INT32 or scalar:
                raise
            parts: list[Value] = []
            for entry in entries:
                if isinstance(entry, int):
                    parts.append(self.constant(graph, np.array([entry], np.int64)))
                    continue
                part = self.size(graph)
                for kind, number, neutral in (("Mul", entry.factor, 1), ("Add", entry.plus, 0)):
                    if number != neutral:
                        operand = self.constant(graph, np.array([number], np.int64))
                        part = self.add(op, kind, [part, operand], {})
                parts.append(part)
            return parts[0] if len(parts) == 1 else self.add(op, "Concat", parts, {"axis": 0})

    def size(self, graph: Graph) -> Value:
        """The batch size when the model runs, int64[1], as seen from a graph."""
        if self._size is None:
            if self.source is None:
                raise GraphError("no input has the batch size")
            value, axis = self.source
            home = self.model.graph
            shape = self._new(home, "Shape", [value], {})
            index = self.constant(home, np.array([axis], np.int64))
            self._size = self._new(home, "Gather", [shape, index], {"axis": 0})
        return graph.capture(self._size)

    def constant(self, graph: Graph, array: Array, dtype: DType | None = None) -> Value:
        """A constant in a graph."""
        tensor = ArrayTensor(array, dtype)
        return graph.add_const(
            tensor, "sizes" if array.dtype == np.int64 else "", TensorType(tensor.dtype, array.shape)
        )

    def add(self, op: Op, kind: str, operands: Sequence[Value | None], attributes: dict[str, Any]) -> Value:
        """A new op beside `op`."""
        return self._new(self.graph(op), kind, operands, attributes, op.order)

    def add_op(self, op: Op, operands: Sequence[Any], attributes: dict[str, Any]) -> Op:
        """A new op like `op`, with other operands and attributes, of as many results."""
        graph = self.graph(op)
        outputs = len(op.outputs)
        made = ops.make(op.op_type, operands, attributes, opsets=graph.opsets, outputs=outputs, name=op.name)
        for slot, value in enumerate(op.outputs):
            if value is None:
                made.outputs = (*made.outputs[:slot], None, *made.outputs[slot + 1 :])
        made.order = op.order
        graph.add(made)
        analysis.infer_op(made)
        self.came.append(made)
        return made

    def _new(
        self,
        graph: Graph,
        kind: str,
        operands: Sequence[Value | None],
        attributes: dict[str, Any],
        order: float = 0.0,
    ) -> Value:
        made = ops.make(kind, operands, attributes, opsets=graph.opsets)
        made.order = order
        graph.add(made)
        analysis.infer_op(made)
        self.came.append(made)
        return made.result

    def operand(self, op: Op, slot: int, value: Value | None) -> None:
        """Put another value into a slot; a constant that nobody else uses goes."""
        graph = self.graph(op)
        old = op.input(slot)
        graph.set_operand(op, slot, value)
        if old is not None:
            release(graph, {old: None})

    def instead(self, op: Op, value: Value) -> None:
        """Put a value in the place of the only result of an op, which goes."""
        self.stand(op, op.result, value)
        self.leave(op)

    def stand(self, op: Op, old: Value, value: Value) -> None:
        """Put a value in the place of a result of an op."""
        graph = self.graph(op)
        graph.replace_uses(old, value)
        graph.swap_names(old, value)
        value.declared = old.declared
        self.stands[old] = value

    def leave(self, op: Op) -> None:
        """Take out an op whose results nobody uses any more."""
        graph, operands = self.graph(op), operands_of(op)
        graph.remove(op)
        release(graph, operands)
        self.gone.append(op)

    def spread(self, op: Op, value: Value, along: Along, was: int, single: bool) -> Value:
        """`value` with as many elements along an axis as the batch asks for; `single`: one, to be broadcast.

        Raises:
            Refusal: it is computed in a way that cannot be repeated.
        """
        graph = self.graph(op)
        constant = value.const
        shape = shape_of(value.type)
        if self.probe and self.batch is not None and not single:
            assert shape is not None
            dims = list(shape)
            dims[along.axis] = along.size(self.batch)
            dtype = value.type.dtype if isinstance(value.type, TensorType) else DType.FLOAT
            return graph.add_input(Value(graph.names.fresh("spread"), Role.INPUT, None, TensorType(dtype, tuple(dims))))
        if constant is not None:
            one = _one_sample(constant.numpy(), along, was)
            small = self.batch is not None and one.nbytes * self.batch <= _LARGE
            if not single and self.batch is not None and (small or along.outer != 1):
                return self.constant(graph, _repeated(one, along, self.batch), constant.dtype)
            value = self.constant(graph, one, constant.dtype) if was > 1 else value
        elif was > 1:
            bounds = [self.constant(graph, np.array([n], np.int64)) for n in (0, 1, along.axis)]
            value = self.add(op, "Slice", [value, *bounds], {})
        if single:
            return value
        rank = len(shape) if shape is not None else 0
        sizes: list[Size] = [1] * rank
        sizes[along.axis] = Times(1)
        if along.times == 1:
            return self.add(op, "Expand", [value, self.sizes(op, sizes, "Expand")], {})
        if along.outer != 1:
            raise Refusal(f"{op.label}: {value.name} cannot be repeated for each sample")
        return self.add(op, "Tile", [value, self.sizes(op, sizes, "Tile")], {})


def _split(array: Array, along: Along, was: int) -> Array:
    """The array with the axis as three: outer, samples, inner."""
    before, after = array.shape[: along.axis], array.shape[along.axis + 1 :]
    outer, inner = along.numbers()
    return array.reshape(*before, outer, was, inner, *after)


def _one_sample(array: Array, along: Along, was: int) -> Array:
    """What one sample sees of a constant."""
    parts = np.take(_split(array, along, was), [0], axis=along.axis + 1)
    return parts.reshape(*array.shape[: along.axis], -1, *array.shape[along.axis + 1 :])


def _repeated(one: Array, along: Along, batch: int) -> Array:
    parts = np.repeat(_split(one, along, 1), batch, axis=along.axis + 1)
    return parts.reshape(*one.shape[: along.axis], -1, *one.shape[along.axis + 1 :])


def same_for_all(array: Array, along: Along, was: int) -> bool:
    """True if all samples see the same of a constant."""
    parts = _split(array, along, was)
    first = np.take(parts, [0], axis=along.axis + 1)
    return bool(np.all((parts == first) | ((parts != parts) & (first != first))))


END = int(_HUGE)
"""A slice's end that is beyond all ends."""
