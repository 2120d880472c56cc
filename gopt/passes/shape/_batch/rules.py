"""How elementwise operators and products carry the samples of a batch on; what other rules ask of an op."""

from __future__ import annotations

from collections.abc import Sequence

from .... import ops
from ....ir import Op, Value
from ....ops import attribute
from ....ops.versions import CHANGED
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


def only_first(w: Walk, op: Op) -> Along:
    """The layout of the first operand; no other may depend on samples.

    Raises:
        Refusal: one does.
    """
    only(w, op, (0,))
    found = w.layout(op.inputs[0])
    assert found is not None
    return found


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
    only(w, op, (left, right))
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


def only(w: Walk, op: Op, slots: Sequence[int]) -> None:
    """See that no other operands depend on samples.

    Raises:
        Refusal: one does.
    """
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
