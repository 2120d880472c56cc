"""The axes of reductions, and how many elements they or values hold."""

from __future__ import annotations

import math

from ... import ops
from ...ir import Op, Value
from ...rewrite import RejectError
from ._affine import shape_of

# Up to so many numbers an op less outweighs a kernel that takes two to ten times as long for each (measured).
_FEW = 2048


def reduced_axes(op: Op) -> tuple[int, ...]:
    """The axes that a Reduce* reduces, from the front, in order.

    Raises:
        RejectError: they are not known, or there are none.
    """
    data = op.input(0)
    shape = None if data is None else shape_of(data)
    if shape is None:
        raise RejectError("the rank is not known")
    axes = ops.ints(op, "axes")
    if axes is None and ops.has_operand(op, "axes"):
        raise RejectError(f"the axes of {op.label} are not constant")
    if not axes:
        if ops.attribute(op, "noop_with_empty_axes") or not shape:
            raise RejectError(f"{op.label} reduces nothing")
        return tuple(range(len(shape)))
    if not all(-len(shape) <= a < len(shape) for a in axes):
        raise RejectError(f"{op.label} has axes out of range")
    return tuple(sorted({a % len(shape) for a in axes}))


def count(value: Value, axes: tuple[int, ...]) -> int:
    """How many elements of `value` lie along some axes.

    Raises:
        RejectError: that is not known, or none.
    """
    shape = shape_of(value)
    sizes = [None] if shape is None else [shape[a] for a in axes]
    known = [d for d in sizes if isinstance(d, int)]
    if len(known) < len(sizes) or not math.prod(known):
        raise RejectError("the number of elements is not known")
    return math.prod(known)


def trailing(axes: tuple[int, ...], rank: int) -> bool:
    """True if the axes are the last ones."""
    return axes == tuple(range(rank - len(axes), rank))


def refuse_many(x: Value) -> None:
    """Raise RejectError unless a value is known to have few elements."""
    shape = shape_of(x)
    sizes = [d for d in shape or () if isinstance(d, int)]
    if shape is None or len(sizes) < len(shape) or math.prod(sizes) > _FEW:
        raise RejectError("ONNX Runtime would take longer for what may be many numbers")
