"""Integer tensors whose elements are a number for each axis times the place on it: ranges, and sums of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ... import ops
from ...ir import Array, Dim, DType, Op, Shape, Value
from ...ops.contents import entry
from ...ops.shapes import tensor
from ...ops.symbolic import difference, product, total
from ._shapes import RESHAPES, removed_ones

_WIDE = (DType.INT32, DType.INT64)
"""Element types in which places and sizes do not overflow."""
_DEEPEST = 16
_MANY = 1 << 12


@dataclass(frozen=True, slots=True)
class Progression:
    """`first + steps[0] * i + steps[1] * j + ...` in place (i, j, ...); an axis of size 1 has a step of 0."""

    shape: Shape
    first: Dim
    steps: tuple[Dim, ...]

    def is_counting(self) -> bool:
        """True if the elements in their order are 0, 1, 2, ..."""
        wanted: Dim = 1
        for dim, step in zip(self.shape[::-1], self.steps[::-1]):
            if dim != 1 and step != wanted:
                return False
            wanted = product((wanted, dim))
        return self.first == 0

    def scaled(self, by: Dim) -> Progression:
        """All elements times a number."""
        return Progression(self.shape, product((by, self.first)), tuple(product((by, s)) for s in self.steps))

    def plus(self, other: Progression) -> Progression | None:
        """The sum with another one of the same shape; None if that has another shape."""
        if self.shape != other.shape:
            return None
        return Progression(self.shape, total((self.first, other.first)), tuple(map(_add, self.steps, other.steps)))

    def minus(self, other: Progression) -> Progression:
        """The difference to another one of the same shape."""
        return Progression(
            self.shape, difference(self.first, other.first), tuple(map(difference, self.steps, other.steps))
        )


def _add(a: Dim, b: Dim) -> Dim:
    return total((a, b))


def progression(value: Value | None, depth: int = 0) -> Progression | None:
    """What is known of an integer tensor as a progression along its axes; None if it is not known to be one."""
    type_ = tensor(value)
    if value is None or type_ is None or type_.shape is None or type_.dtype not in _WIDE or depth > _DEEPEST:
        return None
    if value.const is not None:
        return _of_array(value.const.numpy()) if value.const.size <= _MANY else None
    if all(d == 1 for d in type_.shape) and (number := entry(value)) is not None:
        return Progression(type_.shape, number, (0,) * len(type_.shape))
    op = value.producer
    if op is None or op.domain:
        return None
    if op.op_type == "Range":
        first, step = entry(op.inputs[0]), entry(op.inputs[2])
        return None if first is None or step is None else Progression(type_.shape, first, (step,))
    if op.op_type in ("Cast", "Identity"):
        return progression(op.inputs[0], depth + 1)
    if op.op_type in ("Gather", "GatherElements"):  # wherever one takes from what is the same everywhere
        found = progression(op.inputs[0], depth + 1)
        alike = found is not None and all(step == 0 for step in found.steps)
        return Progression(type_.shape, found.first, (0,) * len(type_.shape)) if found is not None and alike else None
    if op.op_type in RESHAPES or op.op_type == "Expand":
        return _moved(op, progression(ops.operands(op)[0], depth + 1), type_.shape)
    if op.op_type in ("Add", "Sub", "Mul"):
        a, b = (progression(v, depth + 1) for v in op.inputs)
        return None if a is None or b is None else _combined(op.op_type, a, b, type_.shape)
    return None


def _of_array(array: Array) -> Progression | None:
    if not array.size:
        return None
    first = int(array.flat[0])
    steps = tuple(
        int(array[tuple(int(k == axis) for k in range(array.ndim))]) - first if size > 1 else 0
        for axis, size in enumerate(array.shape)
    )
    found = first + sum(
        (np.arange(n) * s).reshape(-1, *[1] * (array.ndim - k - 1)) for k, (n, s) in _numbered(array, steps)
    )
    return (
        Progression(array.shape, first, steps) if np.array_equal(array, np.broadcast_to(found, array.shape)) else None
    )


def _numbered(array: Array, steps: tuple[int, ...]) -> list[tuple[int, tuple[int, int]]]:
    return list(enumerate(zip(array.shape, steps)))


def _moved(op: Op, found: Progression | None, shape: Shape) -> Progression | None:
    """The progression with dims of 1 put in, taken out, or expanded."""
    if found is None:
        return None
    if op.op_type == "Expand":
        return spread(found, shape)
    before = found.shape
    if len(shape) >= len(before):
        new = removed_ones(shape, before)
        if new is None:
            return None
        steps = iter(found.steps)
        return Progression(shape, found.first, tuple(0 if k in new else next(steps) for k in range(len(shape))))
    gone = removed_ones(before, shape)
    if gone is None:
        return None
    return Progression(shape, found.first, tuple(s for k, s in enumerate(found.steps) if k not in gone))


def spread(found: Progression | None, shape: Shape) -> Progression | None:
    """The progression broadcast to a shape; None if it has no such."""
    if found is None:
        return None
    lead = len(shape) - len(found.shape)
    if lead < 0 or any(s != 0 and a not in (1, b) for a, s, b in zip(found.shape, found.steps, shape[lead:])):
        return None
    steps = (*[0] * lead, *(0 if d == 1 else s for d, s in zip(found.shape, found.steps)))
    return Progression(shape, found.first, steps)


def _combined(op_type: str, a: Progression, b: Progression, shape: Shape) -> Progression | None:
    left, right = spread(a, shape), spread(b, shape)
    if left is None or right is None:
        return None
    if op_type == "Mul":
        if any(s != 0 for s in left.steps):
            left, right = right, left
        if any(s != 0 for s in left.steps):
            return None
        return right.scaled(left.first)
    if op_type == "Add":
        return left.plus(right)
    return left.minus(right)
