"""What a Slice takes, and what part of a value a Slice, Split or Gather gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ... import ops
from ...ir import Array, Op, Value
from ...rewrite import RejectError, Rewriter
from ._shapes import axis_of, counted, known_shape

END = np.iinfo(np.int64).max
"""An end that no dim reaches."""
_FAR = (1 << 31) - 1
"""Exporters write "to the end" as this number or a larger one."""
_MANY = 1 << 16

Bounds = tuple[int, int, int]
"""Start, end and step."""


def sliced(op: Op, x: Value | None) -> dict[int, Bounds]:
    """The bounds of each axis that a Slice cuts; axes are counted from the front, all ends that are far are `END`.

    Raises:
        RejectError: they are not known.
    """
    starts, ends = ops.ints(op, "starts"), ops.ints(op, "ends")
    axes, steps = _optional(op, "axes"), _optional(op, "steps")
    if starts is None or ends is None:
        raise RejectError("the bounds are not constant")
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise RejectError("the parameters do not fit together")
    shape = known_shape(x)
    counted(axes, len(shape))
    parts = {
        axis % len(shape): _plain(shape[axis], start, end, step)
        for axis, start, end, step in zip(axes, starts, ends, steps)
    }
    return {axis: bounds for axis, bounds in parts.items() if bounds not in ((0, END, 1), (0, shape[axis], 1))}


def _optional(op: Op, name: str) -> tuple[int, ...] | None:
    found = ops.ints(op, name)
    if found is None and ops.has_operand(op, name):
        raise RejectError(f"the {name} are not constant")
    return found


def _plain(size: object, start: int, end: int, step: int) -> Bounds:
    """Bounds from 0 to the size where that is known and the step positive; else only a far end is changed."""
    if step > 0 and isinstance(size, int):
        start, end, _ = slice(start, end).indices(size)
        return start, max(start, end), step
    return start, END if step > 0 and end >= _FAR else end, step


def only_axis(op: Op, x: Value | None) -> tuple[int, Bounds]:
    """The one axis of a Slice, and its bounds.

    Raises:
        RejectError: there are several, or they are not known.
    """
    parts = sliced(op, x)
    if len(parts) != 1:
        raise RejectError("not one axis is sliced")
    return next(iter(parts.items()))


def make_slice(rw: Rewriter, x: Value, parts: dict[int, Bounds], name: str = "") -> Value:
    """A Slice of some axes."""
    axes = sorted(parts)
    starts, ends, steps = ([parts[a][k] for a in axes] for k in range(3))
    result: Value = rw.Slice(x, starts, ends, axes, steps if any(s != 1 for s in steps) else None, name=name)
    return result


def indices_of(value: Value | None) -> Array:
    """The elements of a constant operand of indices.

    Raises:
        RejectError: it is not constant, or very long.
    """
    tensor = None if value is None else value.const
    if tensor is None or tensor.size > _MANY:
        raise RejectError("the indices are not constant, or very many")
    return tensor.numpy()


@dataclass(frozen=True, slots=True)
class Piece:
    """A contiguous part of a value along an axis; a negative bound counts from the end, `END` is the end."""

    source: Value
    axis: int
    start: int
    end: int

    def joined(self, other: Piece) -> Piece | None:
        """Both parts as one; None if the other does not begin where this one ends.

        Where the size is not known, any of the bounds may lie beyond it: then x[a:b] and x[b:c] are x[a:c] still if the
        numbers ascend, and x[:-k] and x[-k:] are x.
        """
        if (self.source, self.axis, self.end) != (other.source, other.axis, other.start):
            return None
        ascending = 0 <= self.start <= self.end <= other.end
        if not ascending and not (self.start == 0 and self.end < 0 and other.end == END):
            return None
        return Piece(self.source, self.axis, self.start, other.end)

    @property
    def is_whole(self) -> bool:
        """True if it is all of the value."""
        return self.start == 0 and (self.end == END or self.end == known_shape(self.source)[self.axis])


def piece_of(value: Value) -> Piece:
    """The part of another value that a Slice of one axis, a Split, or a Gather of successive indices gave.

    Raises:
        RejectError: it is no such part.
    """
    op = value.producer
    if op is None or op.domain or op.op_type not in ("Slice", "Split", "Gather"):
        raise RejectError("it is no part of another value")
    x = op.inputs[0]
    assert x is not None
    if op.op_type == "Slice":
        axis, (start, end, step) = only_axis(op, x)
        if step != 1:
            raise RejectError("elements are left out")
        return Piece(x, axis, start, end)
    axis = axis_of(op, x)
    if op.op_type == "Split":
        sizes = split_sizes(op)
        place = op.outputs.index(value)
        start = sum(sizes[:place])
        return Piece(x, axis, start, start + sizes[place])
    start, end = successive(op, x, axis)
    return Piece(x, axis, start, end)


def split_sizes(op: Op) -> list[int]:
    """The sizes of the parts of a Split.

    Raises:
        RejectError: one is not known.
    """
    listed = ops.ints(op, "split")
    if listed is not None and len(listed) == len(op.outputs):
        return list(listed)
    axis = axis_of(op, op.inputs[0])
    sizes = [known_shape(v)[axis] for v in op.outputs if v is not None]
    known = [s for s in sizes if isinstance(s, int)]
    if len(known) < len(op.outputs):
        raise RejectError("the sizes of the parts are not known")
    return known


def successive(op: Op, x: Value, axis: int) -> tuple[int, int]:
    """First index and the one after the last of a Gather of successive indices.

    Raises:
        RejectError: they are not successive, or not a list.
    """
    indices = indices_of(op.inputs[1])
    if indices.ndim != 1 or not indices.size:
        raise RejectError("it is no list of indices")
    size = known_shape(x)[axis]
    if isinstance(size, int):
        indices = np.where(indices < 0, indices + size, indices)
    first = int(indices[0])
    if first < 0 or np.any(indices != np.arange(first, first + indices.size)):
        raise RejectError("the indices are not successive")
    return first, first + indices.size


def operand_of(xs: Sequence[Value], axis: int, first: int, last: int) -> tuple[int, int]:
    """Which operand of a Concat holds the elements from `first` to `last`, and what to add to their indices there.

    Both count from the front, or both (negative) from the end. The operand that stands at the other end may have any
    size: what is out of its range is out of range of all.

    Raises:
        RejectError: no single one holds them all, or that is not known.
    """
    backwards = last < 0
    low, high = (-last - 1, -first - 1) if backwards else (first, last)
    places = list(range(len(xs)))[:: -1 if backwards else 1]
    passed = 0
    for place in places:
        size = known_shape(xs[place])[axis]
        if passed <= low <= high and (place == places[-1] or (isinstance(size, int) and high < passed + size)):
            return place, passed if backwards else -passed
        if not isinstance(size, int):
            break
        passed += size
    raise RejectError("it is not known to lie in one operand")
