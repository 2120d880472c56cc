"""Ops with thousands of operands: another operand in one slot must not cost a copy of all.

A value with 50,000 users is often an operand of a Sum or Concat whose operands are replaced one by one, and 50,000
copies of 50,000 operands take half a minute. So such an op changes a list, and makes a tuple of it for who asks.
"""

from __future__ import annotations

from typing import Any

from .node import Op, Value

WIDE = 256
"""Operands from which on a list pays."""
_slot: Any = vars(Op)["inputs"]  # what stores the operands of every op; the property below hides it


class WideOp(Op):
    """An op whose operands are stored as a list while they change; what an `Op` becomes when it is edited."""

    __slots__ = ()

    @property
    def inputs(self) -> tuple[Value | None, ...]:
        """Formal operands."""
        found: list[Value | None] | tuple[Value | None, ...] = _slot.__get__(self)
        if isinstance(found, list):
            found = tuple(found)
            _slot.__set__(self, found)
        return found

    @inputs.setter
    def inputs(self, operands: tuple[Value | None, ...]) -> None:
        _slot.__set__(self, operands)


def put_operand(op: Op, slot: int, value: Value) -> None:
    """Store another operand in a slot that is there."""
    if not isinstance(op, WideOp):
        if len(op.inputs) < WIDE:
            op.inputs = (*op.inputs[:slot], value, *op.inputs[slot + 1 :])
            return
        op.__class__ = WideOp
    stored = _slot.__get__(op)
    if isinstance(stored, tuple):
        stored = list(stored)
        _slot.__set__(op, stored)
    stored[slot] = value
