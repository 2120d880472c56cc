"""Ops that work along an axis which a batch of one was merged into: the batch gets an axis of its own around them.

What was exported for one sample often drops the axis of the batch: (1, T) -> (T), then slices or sums over T. With more
samples that axis holds B*T elements, sample after sample. Around such an op it becomes (B, T), and is merged again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .... import ops
from ....ir import Dim, Op, Value
from ....ops import attribute
from ....ops.contents import numbers
from ....ops.view import spelled_as_attribute
from .edits import Edit, Maker
from .layout import Along, Refusal, Size, Times
from .movement import places, sizes
from .walk import Walk, fallback

_BY_ATTRIBUTE = (
    *("Softmax", "LogSoftmax", "Hardmax", "LpNormalization", "Concat", "Split", "Gather", "ArgMax", "ArgMin", "TopK"),
)
_REDUCTIONS = tuple(
    f"Reduce{kind}" for kind in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
)  # fmt: skip


@dataclass(slots=True)
class Apart(Edit):
    """An op works on operands in which the batch has an axis of its own; `slot` means nothing.

    Attributes:
        split: the shape of each operand that holds samples, by slot.
        axes: operands that hold axes, by slot.
        attributes: those that hold axes.
        merged: the shape of each result as it was.
    """

    split: dict[int, tuple[Size, ...]]
    axes: dict[int, tuple[int, ...]]
    attributes: dict[str, Any]
    merged: list[tuple[Size, ...] | None]

    def make(self, maker: Maker, op: Op) -> None:
        """Put reshapes around the op."""
        operands: list[Any] = list(ops.operands(op))
        for slot, entries in self.split.items():
            operands[slot] = maker.add(op, "Reshape", [operands[slot], maker.sizes(op, entries, "Reshape")], {})
        for slot, axes in self.axes.items():
            operands += [None] * (slot + 1 - len(operands))
            scalar = op.op_type == "CumSum"
            operands[slot] = axes[0] if scalar else list(axes)
        moved = {move.name for move in spelled_as_attribute(op)}
        attributes = {name: attr for name, attr in op.attrs.items() if name not in moved} | self.attributes
        made = maker.add_op(op, operands, attributes)
        results = list(op.outputs)
        for old, new, entries_ in zip(results, made.outputs, self.merged):
            if old is not None and new is not None and entries_ is not None:
                maker.stand(op, old, maker.add(op, "Reshape", [new, maker.sizes(op, entries_, "Reshape")], {}))
        maker.leave(op)


@fallback(*_BY_ATTRIBUTE, *_REDUCTIONS, "Slice", "CumSum")
def apart(w: Walk, op: Op) -> Sequence[Along | None]:
    """Give the batch an axis of its own around the op.

    Raises:
        Refusal: it is not merged with another one, or more than the samples is not known.
    """
    slots = [k for k, v in enumerate(op.inputs) if w.layout(v) is not None]
    layouts = [along for k in slots if (along := w.layout(op.inputs[k])) is not None]
    along = layouts[0]
    if w.was != 1 or any(a.axis != along.axis or a.outer != 1 for a in layouts):
        raise Refusal("the samples lie in different places")
    if all(a.inner == 1 for a in layouts):
        raise Refusal("nothing but the samples lies there")
    if op.op_type == "Concat" and len(slots) < len(op.inputs):
        raise Refusal("it puts something beside the samples of the batch")
    if op.op_type != "Concat" and slots != [0]:
        raise Refusal("more than one operand differs from sample to sample")
    split = {k: _split(w.shape(op.inputs[k]), along.axis) for k in slots}
    axes, attributes = _axes(w, op, along.axis)
    found: list[Along | None] = []
    merged: list[tuple[Size, ...] | None] = []
    for value in op.outputs:
        place = None if value is None else _merged(w, op, value, along.axis)
        found.append(place)
        merged.append(None if place is None else sizes(w.shape(value), place, None, None))
    w.edit(Apart(op, 0, split, axes, attributes, merged))
    return found


def _split(shape: Sequence[Dim], axis: int) -> tuple[Size, ...]:
    made: list[Size] = [dim if isinstance(dim, int) else -1 for dim in shape]
    if made.count(-1) > 1 or 0 in made:
        raise Refusal("sizes that it needs are not known")
    made.insert(axis, Times(1))
    return tuple(made)


def _merged(w: Walk, op: Op, value: Value, axis: int) -> Along:
    """Where the samples lie once the batch is merged into an axis of the result again."""
    shape = w.shape(value)
    if len(shape) == w.rank(op.inputs[0]):
        return Along(axis, 1, shape[axis])
    if not shape:
        raise Refusal("its result has no axis for the samples")
    return w.choose(places(w, [*shape[:axis], 1, *shape[axis:]], Along(axis), shape))


def _axes(w: Walk, op: Op, axis: int) -> tuple[dict[int, tuple[int, ...]], dict[str, Any]]:
    """The axes of the op behind a new one, as operands and attributes."""
    rank = w.rank(op.inputs[0])

    def moved(given: Sequence[int]) -> tuple[int, ...]:
        return tuple(a % rank + (a % rank >= axis) for a in given)

    if op.op_type in _BY_ATTRIBUTE:
        if op.op_type == "Gather" and w.rank(op.inputs[1]) > 1:
            raise Refusal("it picks by more than one index")
        return {}, {"axis": moved([int(attribute(op, "axis"))])[0]}
    slot = 3 if op.op_type == "Slice" else 1
    operand = w.operand(op, slot)
    found = numbers(operand)
    if operand is not None and found is None:
        raise Refusal("its axes are not known")
    if op.op_type == "Slice":
        starts = w.old_entries(w.operand(op, 1))
        if any(w.is_sized(w.operand(op, k)) for k in (1, 2, 4)) or starts is None:
            raise Refusal("its bounds depend on the batch size")
        found = found or tuple(range(len(starts)))
    elif not found:
        if op.op_type == "CumSum" or attribute(op, "noop_with_empty_axes"):
            raise Refusal("its axes are not known")
        found = tuple(range(rank))
    return {slot: moved(found)}, {}
