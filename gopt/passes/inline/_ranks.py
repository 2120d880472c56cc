"""Ranks that a value may have, and ranks that its users insist on.

An operator that is given another rank than it takes stops the model with an error. So a branch that would lead there is
taken in no run that has a result.
"""

from __future__ import annotations

from ...ir import Op, Role, TensorType, Value
from ...ops import attribute, ints, is_current, opdef, operands

Range = tuple[int, int]
"""Fewest and most dims."""
_ANY: Range = (0, 1 << 30)
_DEEPEST = 12
_ALONG_AXIS = frozenset(("ArgMax", "ArgMin", "Gather", "LogSoftmax", "Softmax", "Split"))
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


def demanded(value: Value | None, depth: int = 0) -> Range:
    """The ranks within which ops that run whenever the value is computed take it; others stop the model."""
    low, high = _ANY
    if value is None or value.graph is None or depth > _DEEPEST:
        return low, high
    for op, slot in value.uses:
        if isinstance(slot, int):
            fewest, most = _taken_by(op, slot, depth)
            low, high = max(low, fewest), min(high, most)
    return low, high


def _taken_by(op: Op, slot: int, depth: int) -> Range:
    """The ranks that an op takes in a slot, by itself or because its result is taken on.

    Only what both the operator's clause and ONNX Runtime insist on: the latter takes a vector for a row of Gemm, a
    scalar for a list of one number here and there, and anything empty in a Concat.
    """
    if op.domain or not is_current(op) or not any(v is not None and v.is_needed for v in op.outputs):
        return _ANY
    if op.op_type in ("LSTM", "GRU", "RNN"):
        return (3, 3) if slot in (0, 5, 6) else _ANY
    if slot != 0:
        return _ANY
    fewest = _beyond_axes(op)
    if fewest > 1:
        return fewest, _ANY[1]
    exact = _exactly(op)
    if exact is not None:
        return exact, exact
    if op.op_type == "Gemm":
        return 1, 2
    if op.op_type in ("GlobalAveragePool", "GlobalMaxPool"):
        return 3, _ANY[1]
    added = _added(op)
    if added is None:
        return _ANY
    low, high = demanded(op.outputs[0], depth + 1)
    return max(low - added, 0), high - added


def _exactly(op: Op) -> int | None:
    """The only rank that an op takes as its first operand."""
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
    return None


def _beyond_axes(op: Op) -> int:
    """The least rank that has the axes which an op names; 0 if it names none."""
    if op.op_type in _ALONG_AXIS:
        axes: tuple[int, ...] | None = (attribute(op, "axis"),)
    elif op.op_type.startswith("Reduce") or op.op_type == "Slice":
        axes = ints(op, "axes")
    else:
        return 0
    return max((a + 1 if a >= 0 else -a for a in axes or ()), default=0)


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
