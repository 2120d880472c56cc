"""Tensors all of whose elements are one number, whatever their size."""

from __future__ import annotations

import numpy as np

from ...ir import Dim, Op, Role, Value
from ...ops import attribute, operands
from ...ops.contents import entries
from ...ops.shapes import tensor

_DEEPEST = 16
_LARGEST = 1 << 22
# Operators whose results hold elements of the first operand only.
_MOVES = frozenset(
    (
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "Reshape",
        "Slice",
        "Split",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    )
)


def is_zero(value: Value | None, depth: int = 0) -> bool:
    """True if every element of a tensor of floats provably is 0 (not -0): a constant, or made from zeros by moves.

    Sees through Expand, Tile, Slice, Reshape, Gather, Concat and their like, ConstantOfShape, and into captures.
    """
    value = _outermost(value)
    if value is None or depth > _DEEPEST:
        return False
    constant = value.const
    if constant is not None:
        return constant.dtype.is_float and constant.size <= _LARGEST and not _any_bit(constant.raw())
    op = value.producer
    if op is None or op.domain:
        return False
    if op.op_type == "ConstantOfShape":
        filler = attribute(op, "value")
        return filler is None or (filler.dtype.is_float and not _any_bit(filler.raw()))
    if op.op_type == "Concat":
        return all(is_zero(v, depth + 1) for v in dict.fromkeys(op.inputs))
    return op.op_type in _MOVES and is_zero(op.input(0), depth + 1)


def filler(value: Value | None, depth: int = 0) -> Dim | None:
    """The size that every element of an integer tensor provably is; None if they differ or are not known."""
    value = _outermost(value)
    if value is None or depth > _DEEPEST:
        return None
    constant = value.const
    if constant is not None:
        if not constant.dtype.is_integer or not 0 < constant.size <= _LARGEST:
            return None
        first = int(constant.numpy().flat[0])
        return first if bool((constant.numpy() == first).all()) else None
    known = entries(value)
    if known and known[0] is not None and all(k == known[0] for k in known):
        return known[0]
    op = value.producer
    if op is None or op.domain:
        return None
    if op.op_type == "ConstantOfShape":
        number = attribute(op, "value")
        return int(number.item()) if number is not None and number.dtype.is_integer else None
    if op.op_type in _MOVES or (op.op_type == "Cast" and _keeps_integers(op)):
        return filler(operands(op)[0], depth + 1)
    return None


def _keeps_integers(op: Op) -> bool:
    """True if a Cast is one between 32 and 64 bits, which no size that fits a tensor notices."""
    types = [tensor(v) for v in (op.input(0), op.outputs[0])]
    return all(t is not None and t.dtype.is_integer and t.dtype.bits >= 32 for t in types)


def _outermost(value: Value | None) -> Value | None:
    while value is not None and value.role is Role.CAPTURE and value.outer is not value:
        value = value.outer
    return value


def _any_bit(raw: memoryview | bytes) -> bool:
    return bool(np.frombuffer(raw, np.uint8).any())
