"""Constants some elements of which are undefined, until an op that takes none of those.

Buckets of relative positions are computed so: log(0) is cast to an integer, and a Where takes the number that it
should have been. What such a cast gives is up to the processor, so that no constant can stand for it; but one can stand
for what is computed from the other elements alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import GoptError
from ...ir import Array, DType, Op, Value, dtype_of
from ...ops import attribute, evaluate


@dataclass(frozen=True, slots=True)
class Partial:
    """Elements, and a mask of those that are undefined; there they are 1."""

    array: Array
    undefined: Array


# Each element of the result is computed from the elements at its place, as broadcasting has it.
# fmt: off
_ELEMENTWISE = frozenset((
    "Abs", "Add", "Cast", "Clip", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mul",
    "Neg", "Sub", "Sum",
))
# fmt: on
# Each element of the result is an element of the first operand.
_MOVES = frozenset(("Expand", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze"))


def partial_of(op: Op, known: dict[Value, Partial]) -> Partial | None:
    """What is known of the result of an op all of whose operands are constants or in `known`; None if nothing is."""
    if op.domain or len(op.outputs) != 1 or op.outputs[0] is None:
        return None
    operands = [None if v is None else known.get(v) or _whole(v) for v in op.inputs]
    try:
        if op.op_type == "Cast" and operands[0] is not None:
            operands[0] = _without_overflow(operands[0], DType(attribute(op, "to")))
        if any(p is None and v is not None for p, v in zip(operands, op.inputs)):
            return None
        (array,) = evaluate(op, [None if p is None else p.array for p in operands])
        undefined = _undefined(op, operands, array)
    except GoptError:
        return None
    if undefined is None:
        return None
    filled = array.copy()
    filled[undefined] = np.ones((), array.dtype)
    return Partial(filled, undefined)


def _whole(value: Value) -> Partial | None:
    tensor = value.const
    if tensor is None:
        return None
    array = tensor.numpy()
    return Partial(array, np.zeros(array.shape, bool))


def _without_overflow(given: Partial, to: DType) -> Partial:
    """The operand of a Cast, with what an integer type does not hold undefined."""
    source = dtype_of(given.array)
    if not source.is_float or not to.is_integer or to.bits < 8:
        return given
    info = np.iinfo(to.numpy)
    numbers = np.trunc(given.array.astype(np.float64))
    over = ~((numbers >= float(info.min)) & (numbers < float(int(info.max) + 1)))
    array = given.array.copy()
    array[over] = np.ones((), array.dtype)
    return Partial(array, given.undefined | over)


def _undefined(op: Op, operands: Sequence[Partial | None], array: Array) -> Array | None:
    """Which elements of the result are; None if that is not known."""
    masks = [p.undefined for p in operands if p is not None]
    if op.op_type == "Where":
        condition, chosen, other = (p for p in operands if p is not None)
        return np.broadcast_to(
            condition.undefined | np.where(condition.array, chosen.undefined, other.undefined), array.shape
        )
    if op.op_type in _ELEMENTWISE:
        return np.broadcast_to(np.logical_or.reduce(np.broadcast_arrays(*masks)), array.shape)
    if op.op_type in _MOVES and not any(mask.any() for mask in masks[1:]):
        first = operands[0]
        assert first is not None
        arrays = [None if p is None else p.array for p in operands[1:]]
        return evaluate(op, [first.undefined, *arrays])[0]
    return None
