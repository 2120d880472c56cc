"""Ranks that a value may have, and ranks that its users insist on.

An operator that is given another rank than it takes stops the model with an error. So a branch that would lead there is
taken in no run that has a result.
"""

from __future__ import annotations

from ...ir import Op, Role, TensorType, Value
from ...ops import attribute, ints, is_current, opdef, operands

_DEEPEST = 12
# Operators whose first result has as many dims as the first operand.
_SAME = frozenset(
    (
        "Cast",
        "Clip",
        "Dropout",
        "Identity",
        "LogSoftmax",
        "Pad",
        "PRelu",
        "Slice",
        "Softmax",
        "Transpose",
    )
)


def possible(value: Value | None, depth: int = 0) -> frozenset[int] | None:
    """The ranks that a value may have; None if it may have any.

    Looks through branches, where the rank depends on the one that is taken: Squeeze in one and Identity in the other.
    """
    while value is not None and value.role is Role.CAPTURE and value.outer is not value:
        value = value.outer
    if value is None:
        return None
    if isinstance(value.type, TensorType) and value.type.shape is not None:
        return frozenset((len(value.type.shape),))
    op = value.producer
    if op is None or op.domain or depth > _DEEPEST or not is_current(op):
        return None
    if op.op_type == "If":
        place = op.outputs.index(value)
        parts = [possible(b.outputs[place], depth + 1) if place < len(b.outputs) else None for b in op.bodies]
        return frozenset().union(*(p for p in parts if p is not None)) if parts and None not in parts else None
    added = _added(op)
    before = None if added is None else possible(op.input(0), depth + 1)
    return None if before is None or added is None else frozenset(r + added for r in before)


def demanded(value: Value | None, depth: int = 0) -> int | None:
    """The rank without which an op that runs whenever the value is computed stops the model; None if there is none."""
    if value is None or value.graph is None or depth > _DEEPEST:
        return None
    for op, slot in value.uses:
        if slot == 0 or (isinstance(slot, int) and slot in (5, 6)):
            rank = _taken_by(op, slot, depth)
            if rank is not None:
                return rank
    return None


def _taken_by(op: Op, slot: int, depth: int) -> int | None:
    """The rank that an op insists on in a slot, by itself or because its result is insisted on.

    Only where both the operator's clause and ONNX Runtime do: some runtimes take a vector for a row of Gemm.
    """
    if op.domain or not is_current(op) or not any(v is not None and v.is_needed for v in op.outputs):
        return None
    if op.op_type in ("LSTM", "GRU", "RNN"):
        return 3
    if slot != 0:
        return None
    if op.op_type in ("Conv", "ConvTranspose"):
        weight = op.input(1)
        known = None if weight is None else weight.type
        return known.rank if isinstance(known, TensorType) else None
    if op.op_type in ("MaxPool", "AveragePool"):
        kernel = attribute(op, "kernel_shape")
        return None if kernel is None else len(kernel) + 2
    if op.op_type == "Transpose":
        perm = attribute(op, "perm")
        return None if perm is None else len(perm)
    added = _added(op)
    after = None if added is None else demanded(op.outputs[0], depth + 1)
    return None if after is None or added is None else after - added


def _added(op: Op) -> int | None:
    """By how much the rank of the first result exceeds that of the first operand; None if that is not known."""
    if op.op_type in ("Squeeze", "Unsqueeze"):
        axes = ints(op, "axes")
        if axes is None:
            return None
        return len(axes) if op.op_type == "Unsqueeze" else -len(axes) or None  # no axes: all dims of 1
    if op.op_type in _SAME:
        return 0
    known = opdef(op)
    return 0 if known is not None and known.elementwise and len(operands(op)) == 1 else None
