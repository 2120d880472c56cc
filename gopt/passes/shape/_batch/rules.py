"""How operators carry the samples of a batch on: elementwise ones, products, those that work sample by sample."""

from __future__ import annotations

from collections.abc import Sequence

from .... import ops
from ....ir import Op, Value
from ....ops import attribute
from ....ops.contents import numbers
from ....ops.versions import CHANGED
from .edits import Drop
from .layout import Along, Refusal
from .walk import Walk, rule


def current(op: Op) -> None:
    """See that an op means what its operator means today.

    Raises:
        Refusal: it does not.
    """
    if op.op_type in CHANGED and not ops.is_current(op):
        raise Refusal("it is in training mode, or of a version that computes something else")


def axis_of(op: Op, rank: int, name: str = "axis") -> int:
    """An axis attribute, counted from the left."""
    axis = attribute(op, name)
    return int(axis) % rank if rank else 0


def everywhere(op: Op, along: Along | None) -> Sequence[Along | None]:
    """The same layout for all results."""
    return [along] * len(op.outputs)


# -- elementwise -------------------------------------------------------------------------------------------------------


@rule("Add", "Where", "Identity", "Dropout", "Clip", "Cast", "CastLike", "PRelu", "Mean", "Max", "Min", "Sum")
def elementwise(w: Walk, op: Op) -> Sequence[Along | None]:
    """All operands are broadcast, numpy-wise."""
    current(op)
    slots = range(1 if op.op_type in ("Dropout", "CastLike") else len(op.inputs))
    return everywhere(op, broadcast(w, op, slots, w.rank(op.result)))


def broadcast(w: Walk, op: Op, slots: Sequence[int], rank: int, last: int = 0) -> Along | None:
    """Where the samples lie after broadcasting operands, `last` axes at the right aside, which only have to exist.

    Raises:
        Refusal: samples of one operand would meet other samples.
    """
    found: Along | None = None
    for slot in slots:
        along = w.layout(op.input(slot))
        if along is None:
            continue
        here = along.on(along.axis + rank - w.rank(op.inputs[slot]))
        if found is not None and here != found:
            raise Refusal("it combines values in which the samples lie in different places")
        found = here
    if found is None:
        return None
    for slot in slots:
        value = op.input(slot)
        if value is not None and w.layout(value) is None:
            beside(w, op, slot, value, found.on(found.axis - rank + w.rank(value)))
    if last and found.axis >= rank - last:
        return found
    size = w.shape(op.result)[found.axis] if op.outputs and op.outputs[0] is not None else None
    if size != found.size(w.was):
        raise Refusal("it spreads the batch axis over something else")
    return found


def beside(w: Walk, op: Op, slot: int, value: Value, along: Along) -> None:
    """Let an operand that is the same for all samples stand beside one with a batch along an axis of it."""
    if along.axis < 0:
        return
    dim = w.shape(value)[along.axis]
    if dim == 1:
        return
    w.spread(op, slot, along, single=along.times == 1)


@rule("QuantizeLinear", "DequantizeLinear")
def quantized(w: Walk, op: Op) -> Sequence[Along | None]:
    """Scale and zero point are one number each, or run along an axis that is not the batch's."""
    along = only_first(w, op)
    scale = op.input(1)
    rank = w.rank(scale)
    if attribute(op, "block_size"):
        raise Refusal("it is quantized in blocks")
    if rank == 1 and w.shape(scale) != (1,) and axis_of(op, w.rank(op.inputs[0])) == along.axis:
        raise Refusal("each sample has a scale of its own")
    return everywhere(op, along)


# -- products ----------------------------------------------------------------------------------------------------------


@rule("MatMul", "MatMulInteger", "QLinearMatMul")
def matmul(w: Walk, op: Op) -> Sequence[Along | None]:
    """Rows of the left and columns of the right operand stay apart; what is summed over must not hold the batch."""
    left, right = (0, 3) if op.op_type == "QLinearMatMul" else (0, 1)
    a, b = op.inputs[left], op.inputs[right]
    _only(w, op, (left, right))
    ra, rb = w.rank(a), w.rank(b)
    la, lb = w.layout(a), w.layout(b)
    if (la is not None and la.axis == ra - 1) or (lb is not None and lb.axis == max(rb - 2, 0)):
        raise Refusal("it sums over the samples")
    if ra == 1 or rb == 1:
        if la is not None:
            return [la]
        assert lb is not None
        return [lb if lb.axis < rb - 2 else lb.on(lb.axis - 1)]
    rank = max(ra, rb)
    places = [along.on(along.axis + rank - r) for along, r in ((la, ra), (lb, rb)) if along is not None]
    if len(set(places)) > 1:
        raise Refusal("it multiplies each sample with each other one")
    found = places[0]
    if found.axis < rank - 2:
        for slot, value in ((left, a), (right, b)):
            if value is not None and w.layout(value) is None:
                beside(w, op, slot, value, found.on(found.axis - rank + w.rank(value)))
    return [found]


def _only(w: Walk, op: Op, slots: Sequence[int]) -> None:
    for slot, value in enumerate(op.inputs):
        if slot not in slots and w.layout(value) is not None:
            raise Refusal(f"operand {slot} ({value.name if value else ''}) differs from sample to sample")


@rule("Gemm")
def gemm(w: Walk, op: Op) -> Sequence[Along | None]:
    """As a matrix product; the summand is broadcast to it."""
    la, lb = w.layout(op.inputs[0]), w.layout(op.inputs[1])
    turned_a, turned_b = (bool(attribute(op, name)) for name in ("transA", "transB"))
    if (la is not None and la.axis == int(not turned_a)) or (lb is not None and lb.axis == int(turned_b)):
        raise Refusal("it sums over the samples")
    if la is not None and lb is not None:
        raise Refusal("it multiplies each sample with each other one")
    found = la.on(0) if la is not None else lb.on(1) if lb is not None else None
    addend = op.input(2)
    if addend is None:
        return [found]
    shift = 2 - w.rank(addend)
    own = w.layout(addend)
    if own is not None and own.on(own.axis + shift) != found:
        raise Refusal("it combines values in which the samples lie in different places")
    if own is None and found is not None:
        beside(w, op, 2, addend, found.on(found.axis - shift))
    return [found]


@rule("Einsum")
def einsum(w: Walk, op: Op) -> Sequence[Along | None]:
    """The letter of the batch must be in the result, and nowhere for anything else."""
    equation = str(attribute(op, "equation")).replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if not arrow or "." in equation:
        raise Refusal(f"the equation {equation} is not followed")
    letters = {
        (terms[k][along.axis], along.on(0))
        for k, value in enumerate(op.inputs)
        if (along := w.layout(value)) is not None
    }
    if len(letters) != 1:
        raise Refusal("it combines values in which the samples lie in different places")
    ((letter, along),) = letters
    if letter not in right:
        raise Refusal("it sums over the samples")
    for slot, (term, value) in enumerate(zip(terms, op.inputs)):
        if term.count(letter) > 1:
            raise Refusal("it takes a diagonal of the batch")
        if value is not None and letter in term and w.layout(value) is None:
            w.spread(op, slot, along.on(term.index(letter)))
    return [along.on(right.index(letter))]


# -- sample by sample --------------------------------------------------------------------------------------------------

# Operators for which axis 0 counts samples, and the operands that have it.
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
    _only(w, op, slots)
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


def only_first(w: Walk, op: Op) -> Along:
    """The layout of the first operand; no other may depend on samples.

    Raises:
        Refusal: one does.
    """
    _only(w, op, (0,))
    found = w.layout(op.inputs[0])
    assert found is not None
    return found


@rule("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")
def layernorm(w: Walk, op: Op) -> Sequence[Along | None]:
    """Normalizes over all axes from one on."""
    along = only_first(w, op)
    if along.axis >= axis_of(op, w.rank(op.inputs[0])):
        raise Refusal("it normalizes over the samples")
    return everywhere(op, along)


@rule("Softmax", "LogSoftmax", "Hardmax", "LpNormalization", "TopK", "CumSum", "ArgMax", "ArgMin", "Trilu", "DFT",
      "MeanVarianceNormalization", "ReverseSequence", shapes=[])  # fmt: skip
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
    if kind == "ReverseSequence":
        raise Refusal("each sample has a length of its own")
    return [axis_of(op, rank)]


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
    _only(w, op, (0, 4, 5, 6))
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
