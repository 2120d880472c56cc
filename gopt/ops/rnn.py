"""Recurrent layers: LSTM, GRU, RNN; shapes only."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import Dim, Op, Symbol, TensorType, Type
from .contents import dims
from .registry import shape_rule
from .shapes import tensor
from .view import attribute


@shape_rule("LSTM", "GRU", "RNN")
def _recurrent(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None,) * len(op.outputs)
    length, batch = data.shape[:2] if data.shape is not None else (Symbol(), Symbol())
    directions = 2 if attribute(op, "direction") == "bidirectional" else 1
    hidden = _hidden(op)
    if attribute(op, "layout"):
        batch, length = length, batch
        every = TensorType(data.dtype, (batch, length, directions, hidden))
        last = TensorType(data.dtype, (batch, directions, hidden))
    else:
        every = TensorType(data.dtype, (length, directions, batch, hidden))
        last = TensorType(data.dtype, (directions, batch, hidden))
    return (every, last, last) if op.op_type == "LSTM" else (every, last)


def _hidden(op: Op) -> Dim:
    """The hidden size: the attribute, or the last dim of the recurrence weight."""
    given: int | None = attribute(op, "hidden_size")
    if given:
        return dims((given,))[0]
    weight = tensor(op.inputs[2])
    return weight.shape[-1] if weight is not None and weight.shape else Symbol()
