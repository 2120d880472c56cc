"""How quantizers bring sums of integers back to floats: a bias in the sums' own scale, a cast, a product of scales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....ir import Array, DType, Op, Value
from ....ops import attribute


@dataclass(frozen=True)
class Scaled:
    """What a sum of integers comes to.

    Attributes:
        op: the Mul whose result is in the scale of the model.
        scale: the constant factor among its scales.
        bias: what was added, in the scale of the model; None if nothing was.
    """

    op: Op
    scale: Array
    bias: Array | None


def single_user(value: Value, op_type: str) -> Op | None:
    """The only op that takes a value, if it is of this type."""
    if not value.has_one_use or value.is_output:
        return None
    op = value.uses[0].op
    return op if op.op_type == op_type and not op.domain else None


def scaled_result(op: Op, scale: Value) -> Scaled | None:
    """Mul(Cast(op), scale * t), or Mul(Cast(op + b), scale * t) with b being floor(bias / (scale * t)) or so."""
    value = op.result
    added = None
    if (add := single_user(value, "Add")) is not None:
        added = next((v for v in add.inputs if v is not value), None)
        if added is None:
            return None
        value = add.result
    cast = single_user(value, "Cast")
    if cast is None or attribute(cast, "to") != DType.FLOAT:
        return None
    mul = single_user(cast.result, "Mul")
    if mul is None:
        return None
    both = next((v for v in mul.inputs if v is not cast.result), None)
    factor = None if both is None else _factor(both, scale)
    if factor is None or (factor.size > 1 and op.op_type != "MatMulInteger"):
        return None
    if added is None:
        return Scaled(mul, factor, None)
    bias = _bias(added, scale, factor)
    return None if bias is None else Scaled(mul, factor, bias.reshape(-1))


def _factor(both: Value, scale: Value) -> Array | None:
    """The constant t in scale * t: one number, or one for each column."""
    made = both.producer
    if made is None or made.op_type != "Mul" or made.domain or scale not in made.inputs:
        return None
    by = next((v for v in made.inputs if v is not scale), None)
    if by is None or by.const is None or (by.const.size != 1 and len(by.const.shape) != 1):
        return None
    found = by.const.numpy().astype(np.float32)
    return found.reshape(()) if found.size == 1 else found


def _bias(added: Value, scale: Value, factor: Array) -> Array | None:
    """The constant that was divided by the scales, rounded and reshaped."""
    value, rounded = added, False
    for _ in range(4):
        op = value.producer
        if op is None or op.domain:
            return None
        first = op.inputs[0]
        if first is None:
            return None
        if op.op_type in ("Floor", "Round", "Cast", "Reshape", "Unsqueeze"):
            rounded = rounded or op.op_type in ("Floor", "Round")
            value = first
            continue
        if op.op_type != "Div" or not rounded or first.const is None or op.inputs[1] is None:
            return None
        again = _factor(op.inputs[1], scale)
        same = again is not None and np.array_equal(again, factor)
        return first.const.numpy().astype(np.float32) if same else None
    return None
