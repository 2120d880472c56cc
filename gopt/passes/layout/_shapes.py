"""Symbolic shapes as rules about data movement need them: which axes came or went, what a Reshape has to be told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ... import ops
from ...ir import Dim, Op, Shape, Value
from ...ops.contents import entries
from ...ops.shapes import tensor
from ...rewrite import RejectError, Rewriter

RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
"""Operators that keep elements and their order, and change the shape alone."""


def known_shape(value: Value | None) -> Shape:
    """The symbolic shape of a value.

    Raises:
        RejectError: its rank is not known.
    """
    found = tensor(value)
    if found is None or found.shape is None:
        raise RejectError("the rank is not known")
    return found.shape


def counted(axes: Iterable[int], rank: int) -> tuple[int, ...]:
    """Axes in ascending order, counted from the front.

    Raises:
        RejectError: one lies outside the rank, or is there twice.
    """
    found = sorted(a + rank if a < 0 else a for a in axes)
    if any(not 0 <= a < rank for a in found) or len(set(found)) < len(found):
        raise RejectError(f"these are no axes of rank {rank}")
    return tuple(found)


def without(shape: Sequence[Dim], axes: Sequence[int]) -> Shape:
    """A shape less some axes."""
    return tuple(d for k, d in enumerate(shape) if k not in axes)


def removed_ones(before: Shape, after: Shape) -> tuple[int, ...] | None:
    """Axes of size 1 without which `before` is `after`; None if there are no such."""
    axes = []
    place = 0
    for axis, dim in enumerate(before):
        if place < len(after) and after[place] == dim:
            place += 1
        elif dim == 1:
            axes.append(axis)
        else:
            return None
    return tuple(axes) if place == len(after) else None


def target_of(before: Shape, after: Shape, may_infer: bool = False) -> list[int] | None:
    """What to tell a Reshape (without `allowzero`) that makes shape `after` of `before`; None if it can't be said.

    A dim that the operand has in the same place is copied (0), one other unknown dim is inferred (-1). Runtimes cannot
    infer a dim beside one that turns out to be 0; both appear together only where `may_infer` says that this is no
    worse than before.
    """
    target = []
    for axis, dim in enumerate(after):
        if isinstance(dim, int) and dim > 0:
            target.append(dim)
        else:
            is_copy = axis < len(before) and before[axis] == dim
            if not is_copy and isinstance(dim, int):
                return None
            target.append(0 if is_copy else -1)
    inferred = target.count(-1)
    if inferred > 1 or (inferred and 0 in target and not may_infer):
        return None
    return target


def infers(op: Op) -> bool:
    """True if a Reshape infers a dim beside others that may be 0: then it fails for empty operands itself."""
    if op.op_type != "Reshape":
        return False
    wanted = entries(ops.operands(op)[1])
    return wanted is not None and -1 in wanted and not all(isinstance(d, int) and d for d in wanted)


def reshaped(rw: Rewriter, x: Value, after: Shape, may_infer: bool = False) -> Value:
    """`x` in another shape of as many elements, by one op: Unsqueeze or Squeeze if dims of 1 come or go, or Reshape.

    Raises:
        RejectError: the shape of x is not known, or it cannot be said how to come from there to the other.
    """
    before = known_shape(x)
    if before == after:
        return x
    result: Value
    if len(after) > len(before) and (axes := removed_ones(after, before)):
        result = rw.Unsqueeze(x, list(axes))
    elif len(after) < len(before) and (axes := removed_ones(before, after)):
        result = rw.Squeeze(x, list(axes))
    else:
        target = target_of(before, after, may_infer)
        if target is None:
            raise RejectError("the shape cannot be written down")
        result = rw.Reshape(x, target)
    return result


def axis_of(op: Op, x: Value | None) -> int:
    """The attribute `axis` of an op, counted from the front of its operand.

    Raises:
        RejectError: the rank is not known.
    """
    return counted((ops.attribute(op, "axis"),), len(known_shape(x)))[0]


def is_squeeze(reshape: Op, axis: int, wide: Shape) -> bool:
    """True if the op does what a Squeeze of one axis of size 1 does to a value of shape `wide`."""
    listed = ops.ints(reshape, "axes") if reshape.op_type == "Squeeze" else None
    if listed and counted(listed, len(wide)) == (axis,):
        return True
    return known_shape(reshape.result) == without(wide, (axis,))


def is_unsqueeze(reshape: Op, axis: int, wide: Shape) -> bool:
    """True if the op does what an Unsqueeze of one axis does that makes `wide`."""
    listed = ops.ints(reshape, "axes") if reshape.op_type == "Unsqueeze" else None
    if listed and counted(listed, len(wide)) == (axis,):
        return True
    return known_shape(reshape.result) == wide


def is_private(value: Value) -> bool:
    """True if one operand of one op is all that the value is there for."""
    return value.has_one_use and not value.is_output
