"""A walk through a copy of a model: for each value, where the samples lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from .... import analysis, ops
from ....errors import GoptError
from ....ir import Dim, Graph, Model, Op, Role, TensorType, Value
from ....ops.contents import entries
from .edits import Edit, Maker, Materialize, same_for_all
from .layout import Along, Refusal, shape_of

T = TypeVar("T")
Rule = Callable[["Walk", Op], Sequence[Along | None]]
RULES: dict[str, Rule] = {}
SHAPE_SLOTS: dict[str, frozenset[int]] = {}
"""Operands that hold sizes, axes or bounds: they may be computed from the batch size."""


def rule(*names: str, shapes: Sequence[int] = ()) -> Callable[[Rule], Rule]:
    """The rule of these operators of the standard domain; `shapes`: slots that may hold the batch size."""

    def decorate(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
            SHAPE_SLOTS[name] = frozenset(shapes)
        return function

    return decorate


FALLBACKS: dict[str, Rule] = {}


def fallback(*names: str) -> Callable[[Rule], Rule]:
    """What is tried for these operators where their rule refuses."""

    def decorate(function: Rule) -> Rule:
        FALLBACKS.update(dict.fromkeys(names, function))
        return function

    return decorate


class Walk:
    """One attempt.

    Attributes:
        was: the batch size that the model has.
        probe: the one that it has during the walk, of which no other size is likely to be a multiple.
        at: where the samples lie, of values that depend on them.
        sized: values that depend on how many samples there are, but on no sample.
        old: types with the old batch size.
        edits: what was found to be necessary.
        decisions, options: what was chosen, of how many possibilities.
    """

    def __init__(self, model: Model, was: int, probe: int, decisions: Sequence[int]) -> None:
        self.was, self.probe = was, probe
        self.maker = Maker(model, probe, probe=True)
        self.at: dict[Value, Along] = {}
        self.sized: dict[Value, None] = {}
        self.old = {value: value.type for graph in model.graphs() for value in graph.values}
        self.edits: list[Edit] = []
        self.decisions: list[int] = []
        self.options: list[int] = []
        self.progress = 0
        self._given = decisions
        self._due: dict[Value, int] = {}
        self._now = 0

    # -- what rules ask ------------------------------------------------------------------------------------------------

    def layout(self, value: Value | None) -> Along | None:
        """Where the samples lie in a value, None if it depends on none."""
        return None if value is None else self.at.get(_outer(value))

    def is_sized(self, value: Value | None) -> bool:
        """True if a value depends on how many samples there are."""
        return value is not None and _outer(value) in self.sized

    def shape(self, value: Value | None) -> tuple[Dim, ...]:
        """The shape that a value had.

        Raises:
            Refusal: its rank is unknown.
        """
        if value is None:
            raise Refusal("an operand is absent")
        found = shape_of(self.old.get(value, value.type))
        if found is None and value.const is not None:
            found = value.const.shape
        if found is None:
            raise Refusal(f"the rank of {value.name} is not known")
        return found

    def rank(self, value: Value | None) -> int:
        """The rank of a value."""
        return len(self.shape(value))

    def old_entries(self, value: Value | None) -> tuple[Dim | None, ...] | None:
        """What an integer operand held."""
        if value is None:
            return None
        if value.const is not None:
            return entries(value)
        type_ = self.old.get(_outer(value))
        return type_.elements if isinstance(type_, TensorType) else None  # type: ignore[return-value]

    def operand(self, op: Op, slot: int) -> Value | None:
        """An operand by the newest schema's slots."""
        given = ops.operands(op)
        return given[slot] if slot < len(given) else None

    def choose(self, possible: Sequence[T]) -> T:
        """One of several possibilities; if it leads nowhere, another attempt takes the next."""
        number = len(self.decisions)
        pick = self._given[number] if number < len(self._given) else 0
        self.decisions.append(pick)
        self.options.append(len(possible))
        self._now |= 1 << number
        return possible[pick]

    def edit(self, edit: Edit) -> None:
        """Note a change, and make it in the copy."""
        self.edits.append(edit)
        edit.make(self.maker, edit.op)

    def spread(self, op: Op, slot: int, along: Along, single: bool = False) -> None:
        """Give an operand that is the same for all samples the size that the batch asks for.

        Raises:
            Refusal: it has another size, or differs from sample to sample.
        """
        value = op.inputs[slot]
        assert value is not None
        dim = self.shape(value)[along.axis]
        along.numbers()
        if dim != along.size(self.was):
            raise Refusal(f"{value.name} has {dim} elements along axis {along.axis}, which is not the batch")
        if self.was > 1 and not self._alike(value, along):
            raise Refusal(f"{value.name} holds something else for each sample")
        self.edit(Materialize(op, slot, along, self.was, single))

    def _alike(self, value: Value, along: Along, depth: int = 32) -> bool:
        """True if all samples see the same of a value that depends on none of them."""
        if value.const is not None:
            return same_for_all(value.const.numpy(), along, self.was)
        op = value.producer
        definition = None if op is None else ops.opdef(op)
        if op is None or definition is None or along.times != 1 or not depth:
            return False
        if op.op_type != "Expand" and not definition.elementwise:
            return False
        for operand in op.inputs[:1] if op.op_type == "Expand" else op.inputs:
            axis = along.axis - self.rank(value) + self.rank(operand)
            if operand is None or axis < 0 or self.shape(operand)[axis] == 1:
                continue
            if not self._alike(operand, along.on(axis), depth - 1):
                return False
        return True

    def expected(self, value: Value, along: Along) -> tuple[Dim, ...]:
        """The shape that a value has now, if the samples lie so.

        Raises:
            Refusal: that contradicts the shape that it had.
        """
        dims = list(self.shape(value))
        if not 0 <= along.axis < len(dims) or dims[along.axis] != along.size(self.was):
            raise Refusal(f"the batch does not lie along axis {along.axis} of {value.name} {list(dims)}")
        dims[along.axis] = along.size(self.probe)
        return tuple(dims)

    def fits(self, op: Op, along: Along) -> bool:
        """True if the first result of an op by itself is of the shape that it has if the samples lie so."""
        expected, shape = self.expected(op.result, along), self.inferred(op)
        if shape is None or len(shape) != len(expected) or shape[along.axis] != expected[along.axis]:
            return False
        return all(map(_agree, shape, expected))

    def inferred(self, op: Op) -> tuple[Dim, ...] | None:
        """The shape of the first result of an op as it is now."""
        for value in op.outputs:
            if value is not None:
                value.type = None
        analysis.infer_op(op)
        return shape_of(next((v.type for v in op.outputs if v is not None), None))

    # -- the walk ------------------------------------------------------------------------------------------------------

    def enter(self, value: Value, along: Along | None, choices: int) -> None:
        """Say where the samples lie in an input."""
        if along is not None:
            type_ = self.old[value]
            assert isinstance(type_, TensorType)
            self.at[value] = along
            value.type = TensorType(type_.dtype, self.expected(value, along))
        self._due[value] = choices

    def graph(self, graph: Graph) -> None:
        """All ops of a graph, in order."""
        outside = total = self._now
        for op in graph.ops:
            self._now = outside
            operands = [v for v in (*op.inputs, *op.captures.values()) if v is not None]
            for value in operands:
                self._now |= self._due.get(_outer(value), 0)
            try:
                self._op(op, operands)
            except Refusal as refusal:
                raise self._placed(refusal, op) from None
            except (GoptError, ArithmeticError, LookupError, TypeError, ValueError) as error:
                raise self._placed(Refusal(f"it is not understood ({error})"), op) from error
            for result in op.outputs:
                if result is not None:
                    self._due[result] = self._now
            total |= self._now
            self.progress += 1
        self._now = total

    def _placed(self, refusal: Refusal, op: Op) -> Refusal:
        text = str(refusal)
        label = op.label
        made = refusal if text.startswith(label) or refusal.progress else Refusal(f"{label}: {text}")
        made.choices = refusal.choices | self._now
        made.progress = max(refusal.progress, self.progress, 1)
        return made

    def _op(self, op: Op, operands: Sequence[Value]) -> None:
        batched = [v for v in operands if self.layout(v) is not None]
        if not batched:
            if any(map(self.is_sized, operands)):
                self._sizes(op)
            return
        slots = SHAPE_SLOTS.get(op.op_type, frozenset())
        for slot, value in enumerate(op.inputs):
            if self.is_sized(value) and slot not in slots and not op.bodies:
                raise Refusal(f"it computes with the batch size ({value.name if value is not None else ''})")
        known = RULES.get(op.op_type) if not op.domain else None
        if known is None:
            definition = ops.opdef(op)
            if definition is None or not definition.elementwise:
                raise Refusal("nothing is known of what it does to the samples of a batch")
            known = RULES["Add"]
        results = list(op.outputs)
        layouts = self._layouts(known, op)
        if op.graph is not None and not op.bodies:
            self.inferred(op)
        for k, value in enumerate(results):
            if value is None:
                continue
            # An op that was replaced handed its name on; its successor's result stands where its own stood.
            now = self.maker.stands.get(value, value)
            if now is not value:
                self.old[now] = self.old[value]
            self._settle(value, now, layouts[k] if k < len(layouts) else None)

    def _layouts(self, known: Rule, op: Op) -> Sequence[Along | None]:
        count = len(self.edits)
        try:
            return known(self, op)
        except Refusal as refusal:
            again = FALLBACKS.get(op.op_type)
            if again is None or len(self.edits) > count:
                raise
            try:
                return again(self, op)
            except Refusal:
                raise refusal from None

    def _settle(self, value: Value, now: Value, along: Along | None) -> None:
        old = self.old.get(value)
        self._due[now] = self._now
        if along is None:
            if value not in self.sized:
                now.type = old
            return
        expected = self.expected(value, along)
        shape = shape_of(now.type)
        if shape is not None and (len(shape) != len(expected) or not all(map(_agree, shape, expected))):
            raise Refusal(f"its result would be of shape {list(shape)}, not {list(expected)}")
        assert isinstance(old, TensorType)
        now.type = TensorType(old.dtype, expected)
        self.at[now] = along

    def _sizes(self, op: Op) -> None:
        """An op that depends on no sample, but on how many there are."""
        if op.bodies:
            raise Refusal("control flow that depends on the batch size")
        for value in op.outputs:
            if value is not None:
                value.type = None
        analysis.infer_op(op)
        for value in op.outputs:
            if value is None:
                continue
            old, new = self.old.get(value), value.type
            before, after = shape_of(old), shape_of(new)
            if before is not None and after is not None and before != after:
                self.at[value] = self._uniform(op, before, after)
                continue
            same = (
                isinstance(old, TensorType)
                and isinstance(new, TensorType)
                and old.elements is not None
                and None not in old.elements
                and old.elements == new.elements
            )
            if not same:
                self.sized[value] = None

    def _uniform(self, op: Op, before: tuple[Dim, ...], after: tuple[Dim, ...]) -> Along:
        """Where the batch lies in what a size made: all samples see the same of it."""
        differ = [k for k, (a, b) in enumerate(zip(before, after)) if a != b]
        size = before[differ[0]] if len(differ) == 1 and len(before) == len(after) else None
        if op.op_type not in ("ConstantOfShape", "Expand", "Tile") or not isinstance(size, int) or size % self.was:
            raise Refusal("what it makes depends on how many samples there are")
        inner = size // self.was
        if after[differ[0]] != inner * self.probe:
            raise Refusal("what it makes depends on how many samples there are")
        if op.op_type != "ConstantOfShape":
            data = self.shape(op.inputs[0])
            axis = differ[0] - (len(before) - len(data))
            per_sample = 1 if op.op_type == "Expand" else inner
            if (axis >= 0 and data[axis] != per_sample) or (op.op_type == "Expand" and inner != 1):
                raise Refusal("what it makes depends on how many samples there are")
        return Along(differ[0], 1, inner)


def _outer(value: Value) -> Value:
    while value.role is Role.CAPTURE and value.outer is not value:
        value = value.outer
    return value


def _agree(a: Dim, b: Dim) -> bool:
    return a == b if isinstance(a, int) and isinstance(b, int) else True
