"""Which values are never below zero.

Of integers Relu and Clip alone make sure of it: the rest may overflow, as the absolute value of -128 does in 8 bits.
"""

from __future__ import annotations

import numpy as np

from ... import ops
from ...ir import Op, Value
from ._affine import dtype_of

# fmt: off
NEVER_NEGATIVE = (
    "Abs", "Exp", "HardSigmoid", "ReduceL1", "ReduceL2", "ReduceSumSquare", "Sigmoid", "Softmax", "Softplus", "Sqrt",
)
# Of operands that are not; of the first one alone, or of all of them.
_FIRST = frozenset((
    "AveragePool", "Expand", "Flatten", "Gather", "GlobalAveragePool", "GlobalMaxPool", "Identity", "MaxPool",
    "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze",
))
_ALL = frozenset(("Add", "Concat", "Max", "Mul"))
# fmt: on
_DEEPEST = 4
_MANY = 1 << 16


def never_negative(value: Value | None, depth: int = _DEEPEST) -> bool:
    """True if no element can be below zero, whatever the model is fed (it may be no number)."""
    if value is None:
        return False
    constant = value.const
    if constant is not None:
        return 0 < constant.size <= _MANY and bool(np.all(constant.numpy() >= 0))
    op = value.producer
    if op is None or op.domain or not depth or not ops.is_current(op):
        return False
    if op.op_type == "Relu" or (op.op_type == "Clip" and _clips_at_zero(op)):
        return True
    dtype = dtype_of(value)
    if dtype is None or not dtype.is_float:
        return False
    return op.op_type in NEVER_NEGATIVE or _is_square(op) or _keeps(op, depth)


def _clips_at_zero(clip: Op) -> bool:
    """True if no bound is below zero: an upper one below the lower one wins."""
    _, low, high = (*ops.operands(clip), None, None)[:3]
    return low is not None and all(v is None or (v.const is not None and never_negative(v)) for v in (low, high))


def _is_square(op: Op) -> bool:
    if op.op_type == "Mul":
        return op.inputs[0] is op.inputs[1]
    if op.op_type != "Pow":
        return False
    exponent = ops.constant_operand(op, 1)
    return exponent is not None and exponent.size == 1 and exponent.reshape(-1)[0] == 2


def _keeps(op: Op, depth: int) -> bool:
    if op.op_type in _FIRST:
        return never_negative(op.input(0), depth - 1)
    return op.op_type in _ALL and all(never_negative(v, depth - 1) for v in op.inputs)
