"""How layers carry the samples of a batch on: convolutions, normalizations, reductions, recurrent ones, attention."""

from __future__ import annotations

from collections.abc import Sequence

from .... import ops
from ....ir import Op
from ....ops import attribute
from ....ops.contents import numbers
from .edits import Drop
from .layout import Along, Refusal
from .rules import axis_of, beside, current, everywhere, only, only_first
from .walk import Walk, rule

_SAMPLES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "STFT", "Col2Im", "AffineGrid"), (0,)),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool", "GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool"), (0,)),
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization", "DepthToSpace", "SpaceToDepth", "LRN"), (0,)),
    "GridSample": (0, 1),
    "DeformConv": (0, 2, 4),
}


@rule(*_SAMPLES)
def samples(w: Walk, op: Op) -> Sequence[Along | None]:
    """Axis 0 counts samples."""
    if op.op_type != "GroupNormalization":
        current(op)
    slots = _SAMPLES[op.op_type]
    only(w, op, slots)
    layouts = [w.layout(op.input(slot)) for slot in slots]
    found = next(along for along in layouts if along is not None)
    if found.axis != 0:
        raise Refusal(f"the batch lies along axis {found.axis}, where it has something else")
    for slot, along in zip(slots, layouts):
        if op.input(slot) is not None and along is None:
            w.spread(op, slot, found)
        elif along is not None and along != found:
            raise Refusal("it combines values in which the samples lie in different places")
    if op.op_type == "MaxPool" and op.output(1) is not None:
        raise Refusal("its indices count through the whole batch")
    return everywhere(op, found)


@rule("BatchNormalization")
def batchnorm(w: Walk, op: Op) -> Sequence[Along | None]:
    """In inference a map of the elements, with constants along axis 1."""
    current(op)
    along = only_first(w, op)
    if along.axis == 1:
        raise Refusal("the batch lies along the axis of channels")
    return [along]


@rule("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")
def layernorm(w: Walk, op: Op) -> Sequence[Along | None]:
    """Normalizes over all axes from one on."""
    along = only_first(w, op)
    if along.axis >= axis_of(op, w.rank(op.inputs[0])):
        raise Refusal("it normalizes over the samples")
    return everywhere(op, along)


@rule("Softmax", "LogSoftmax", "Hardmax", "LpNormalization", "TopK", "CumSum", "ArgMax", "ArgMin", "Trilu", "DFT",
      "MeanVarianceNormalization", shapes=[])  # fmt: skip
def along_axes(w: Walk, op: Op) -> Sequence[Along | None]:
    """What these mix lies along axes that are not the batch's."""
    along = only_first(w, op)
    rank = w.rank(op.inputs[0])
    mixed = _mixed(op, rank)
    if along.axis in mixed:
        raise Refusal(f"it works along axis {along.axis}, along which the samples lie")
    if op.op_type in ("ArgMax", "ArgMin") and not attribute(op, "keepdims"):
        along = along.on(along.axis - (mixed[0] < along.axis))
    return everywhere(op, along)


def _mixed(op: Op, rank: int) -> list[int]:
    """The axes along which elements meet."""
    kind = op.op_type
    if kind in ("Softmax", "LogSoftmax", "Hardmax"):
        axis = axis_of(op, rank)
        return [axis] if op.opset >= 13 else list(range(axis, rank))
    if kind in ("CumSum", "DFT"):
        given = ops.operands(op)
        found = numbers(given[1 if kind == "CumSum" else 2]) if len(given) > 1 else None
        if kind == "DFT" and len(given) < 3:
            return [rank - 2, rank - 1]
        if not found:
            raise Refusal("its axis is not known")
        return [found[0] % rank, *([rank - 1] if kind == "DFT" else [])]
    if kind == "Trilu":
        return [rank - 2, rank - 1]
    if kind == "MeanVarianceNormalization":
        return [int(a) % rank for a in attribute(op, "axes") or (0, 2, 3)]
    return [axis_of(op, rank)]


@rule("ReverseSequence")
def reverse(w: Walk, op: Op) -> Sequence[Along | None]:
    """Each sample has a length of its own, or all have one."""
    batch, time = (int(attribute(op, name)) % w.rank(op.inputs[0]) for name in ("batch_axis", "time_axis"))
    data, lengths = w.layout(op.inputs[0]), w.layout(op.inputs[1])
    if data is None and lengths is not None:
        data = lengths.on(batch)
        w.spread(op, 0, data)
    if data is None or data.axis == time:
        raise Refusal("it reverses the samples")
    if data.axis != batch:
        if lengths is not None:
            raise Refusal("each sample has a length of its own")
    elif lengths is None:
        w.spread(op, 1, data.on(0))
    elif lengths != data.on(0):
        raise Refusal("it combines values in which the samples lie in different places")
    return [data]


_REDUCTIONS = ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")


@rule(*(f"Reduce{kind}" for kind in _REDUCTIONS), shapes=[1])
def reduction(w: Walk, op: Op) -> Sequence[Along | None]:
    """The axes that are reduced must not hold the batch."""
    along = only_first(w, op)
    rank = w.rank(op.inputs[0])
    axes = w.operand(op, 1)
    found = numbers(axes)
    if axes is not None and found is None:
        raise Refusal("its axes are not known")
    if not found and attribute(op, "noop_with_empty_axes"):
        return [along]
    reduced = {a % rank for a in found} if found else set(range(rank))
    if along.axis in reduced:
        raise Refusal("it reduces over the samples")
    return [along if attribute(op, "keepdims") else along.on(along.axis - sum(a < along.axis for a in reduced))]


# -- recurrent ---------------------------------------------------------------------------------------------------------


@rule("LSTM", "GRU", "RNN")
def recurrent(w: Walk, op: Op) -> Sequence[Along | None]:
    """Samples lie along axis 1 of the sequence and of the states (axis 0 with layout 1)."""
    current(op)
    first = 0 if attribute(op, "layout") else 1
    state = first
    only(w, op, (0, 4, 5, 6))
    data = w.layout(op.inputs[0])
    if data is not None and data.axis != first:
        raise Refusal("the samples lie along the axis of the sequence" if data.axis < 2 else "they lie in the features")
    for slot in (4, 5, 6):
        along = w.layout(op.input(slot))
        if along is not None:
            here = along.on(first)
            if along.axis != (0 if slot == 4 else state) or (data is not None and here != data):
                raise Refusal("samples of its states are not those of the sequence")
            data = here
    assert data is not None
    if w.layout(op.inputs[0]) is None:
        w.spread(op, 0, data)
    for slot in (6, 5, 4):
        value = op.input(slot)
        if value is None or w.layout(value) is not None:
            continue
        if slot > 4 and value.const is not None and not value.const.numpy().any():
            w.edit(Drop(op, slot))  # it begins with zeros anyway
        else:
            w.spread(op, slot, data.on(0 if slot == 4 else state))
    every = data.on(0 if first == 0 else 2)
    return [every, data.on(state), data.on(state)][: len(op.outputs)]


@rule("Attention")
def attention(w: Walk, op: Op) -> Sequence[Along | None]:
    """Axis 0 of queries, keys, values and caches; a mask is broadcast."""
    found = samples_at_zero(w, op, (0, 1, 2, 4, 5))
    mask = op.input(3)
    if mask is not None:
        own = w.layout(mask)
        place = found.on(w.rank(mask) - 4)
        if own is not None and own != place:
            raise Refusal("it combines values in which the samples lie in different places")
        if own is None:
            beside(w, op, 3, mask, place)
    return everywhere(op, found)


def samples_at_zero(w: Walk, op: Op, slots: Sequence[int]) -> Along:
    """See that all these operands have the samples along axis 0, or give it to them."""
    found = next((a for slot in slots if (a := w.layout(op.input(slot))) is not None), None)
    if found is None or found.axis:
        raise Refusal("the samples do not lie along axis 0")
    for slot in slots:
        along = w.layout(op.input(slot))
        if along is not None and along != found:
            raise Refusal("it combines values in which the samples lie in different places")
        if op.input(slot) is not None and along is None:
            w.spread(op, slot, found)
    return found
