"""How operators that pick and write elements by their indices carry the samples of a batch on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....ir import Array, Op
from ....ops import attribute
from .edits import AsReshape, SetIndex
from .layout import Along, Refusal
from .movement import places, sizes
from .rules import axis_of
from .walk import Walk, rule


@rule("Gather")
def gather(w: Walk, op: Op) -> Sequence[Along | None]:
    """Of each sample the same places, or each sample's own places of something shared."""
    data, index = w.layout(op.inputs[0]), w.layout(op.inputs[1])
    axis, grown = axis_of(op, w.rank(op.inputs[0])), w.rank(op.inputs[1])
    if data is None:
        assert index is not None
        return [index.on(axis + index.axis)]
    if index is not None:
        raise Refusal("each sample picks from all samples")
    if data.axis != axis:
        return [data.on(data.axis if data.axis < axis else data.axis - 1 + grown)]
    if grown and (own := _own_samples(w, op, 1, data, None)) is not None:
        return [Along(axis + own)]
    if grown or w.was > 1 or data.times != 1 or not w.rank(op.result):
        raise Refusal("it takes single samples out of the batch")
    # The only sample of a batch of one, without its axis: with more of them the samples follow each other.
    found = w.choose(places(w, w.shape(op.inputs[0]), data, w.shape(op.result)))
    w.edit(AsReshape(op, 0, sizes(w.shape(op.result), found, None, None)))
    return [found]


@rule("GatherElements", "ScatterElements")
def by_element(w: Walk, op: Op) -> Sequence[Along | None]:
    """All operands have the samples along the same axis, which is not the one that is indexed."""
    slots = range(len(op.inputs))
    found = next(along for slot in slots if (along := w.layout(op.inputs[slot])) is not None)
    if found.axis == axis_of(op, w.rank(op.inputs[0])):
        raise Refusal("it picks from all samples")
    for slot in slots:
        along = w.layout(op.inputs[slot])
        if along is None:
            w.spread(op, slot, found)
        elif along != found:
            raise Refusal("it combines values in which the samples lie in different places")
    return [found]


@rule("GatherND")
def gather_nd(w: Walk, op: Op) -> Sequence[Along | None]:
    """Indexed axes must not hold the batch, unless it is one of the first that both operands share."""
    shared = int(attribute(op, "batch_dims") or 0)
    data, index = w.layout(op.inputs[0]), w.layout(op.inputs[1])
    depth = w.shape(op.inputs[1])[-1]
    if not isinstance(depth, int):
        raise Refusal("how many axes it indexes is not known")
    if data is not None and data.axis < shared:
        if index is None:
            w.spread(op, 1, data)
        elif index != data:
            raise Refusal("it combines values in which the samples lie in different places")
        return [data]
    if data is None:
        assert index is not None
        if index.axis < shared or index.axis == w.rank(op.inputs[1]) - 1:
            raise Refusal("the samples lie in its indices")
        return [index]
    if not shared and index is None and data.axis < depth and (own := _own_samples(w, op, 1, data, depth)) is not None:
        return [Along(own)]
    if data.axis < shared + depth or index is not None:
        raise Refusal("it picks from all samples")
    return [data.on(data.axis - shared - depth + w.rank(op.inputs[1]) - 1)]


@rule("ScatterND")
def scatter_nd(w: Walk, op: Op) -> Sequence[Along | None]:
    """Writes behind the axes that are indexed."""
    data, index, updates = (w.layout(v) for v in op.inputs[:3])
    depth = w.shape(op.inputs[1])[-1]
    if data is not None and index is None and isinstance(depth, int) and data.axis < depth:
        own = _own_samples(w, op, 1, data, depth)
        if own is not None and updates is None:
            w.spread(op, 2, Along(own))
        if own is not None and updates in (None, Along(own)):
            return [data]
    places_ = w.rank(op.inputs[1]) - 1
    found = data or (
        updates.on(updates.axis - places_ + int(depth)) if updates is not None and isinstance(depth, int) else None
    )
    if index is not None or not isinstance(depth, int) or found is None or found.axis < depth:
        raise Refusal("it writes to places that are counted through the whole batch")
    there = found.on(found.axis - depth + places_)
    if updates is not None and updates != there:
        raise Refusal("it combines values in which the samples lie in different places")
    if data is None:
        w.spread(op, 0, found)
    if updates is None:
        w.spread(op, 2, there)
    return [found]


def _own_samples(w: Walk, op: Op, slot: int, data: Along, depth: int | None) -> int | None:
    """The axis of constant indices along which those for sample after sample lie, each of which stays within its own.

    They are made anew for the new batch size. None if they are not like that.

    Args:
        w: the walk.
        op: takes them in `slot`.
        slot: the operand.
        data: where the samples lie in what is indexed.
        depth: how many axes an index has (GatherND); None for indices of the batch's axis (Gather).
    """
    value = op.inputs[slot]
    if data.outer != 1 or not isinstance(data.inner, int) or value is None or value.const is None:
        return None
    array = value.const.numpy()
    column = array if depth is None else array[..., data.axis]
    column = np.where(column < 0, column + w.was * data.inner, column)
    lead = array.ndim if depth is None else array.ndim - 1
    possible = [
        axis for axis in range(lead) if array.shape[axis] == w.was and _is_apart(array, column, axis, data, depth)
    ]
    if not possible:
        return None
    axis = w.choose(possible)
    base = np.take(column if depth is None else array, [0], axis).astype(np.int64)
    if depth is not None:
        base[..., data.axis] = np.take(column, [0], axis)
    step = np.array(data.inner, np.int64)
    if depth is not None:
        step = np.zeros(depth, np.int64)
        step[data.axis] = data.inner
    w.edit(SetIndex(op, slot, axis, base, step))
    return axis


def _is_apart(array: Array, column: Array, axis: int, data: Along, depth: int | None) -> bool:
    """True if the indices along an axis count the samples, and are the same for all of them otherwise."""
    inner = data.numbers()[1]
    counts = np.arange(array.shape[axis]).reshape([-1 if k == axis else 1 for k in range(column.ndim)])
    within = column - counts * inner
    if (within < 0).any() or (within >= inner).any() or (within != np.take(within, [0], axis)).any():
        return False
    if depth is None:
        return True
    others = np.delete(array, data.axis, -1)
    return bool((others == np.take(others, [0], axis)).all())
