"""Elementwise operators compute in any order; what broadcasts is turned with the rest, constants for nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .... import ops
from ....ir import Op, Value
from ....rewrite import Numerics, Rewriter
from .._elementwise import PLACED
from .perms import Perm, rank_of, shape_of
from .way import Build, Held, Orders, Way, again, carrier, same_order, turned

_MAPS = tuple(d.name for d in ops.definitions() if d.elementwise and not d.domain and d.name != "BitCast")
_QUANTIZE = ("QuantizeLinear", "DequantizeLinear")


@carrier(*_MAPS)
def elementwise(op: Op, value: Value, perm: Perm) -> Way | None:
    """All operands of the result's rank in its order; one of a lower rank if that moves none of the axes it lacks."""
    operands = ops.operands(op)
    rank = len(perm) if len(operands) == 1 else rank_of(op.result)
    if rank is None or rank < len(perm) or "broadcast" in op.attrs:
        return None
    lead = rank - len(perm)
    perm = (*range(lead), *(a + lead for a in perm))
    orders = Orders()
    for operand in operands:
        if operand is not None and operand.const is None and not _is_single(operand):
            lower = lowered(perm, rank_of(operand))
            if lower is None:
                return None
            orders.put(operand, lower)
    orders.put(op.result, perm)
    numerics = Numerics.ROUNDING if op.op_type in PLACED else Numerics.EXACT
    return Way(orders.found, _broadcast(op, operands, perm), numerics=numerics) if orders.ok else None


def _is_single(value: Value) -> bool:
    """True if a value has one element whatever the order."""
    shape = shape_of(value)
    return shape is not None and all(d == 1 for d in shape)


def lowered(perm: Perm, rank: int | None) -> Perm | None:
    """The order of an operand of a lower rank, whose axes are the last; None if the others do not stay in front."""
    if rank is None or rank > len(perm):
        return None
    lead = len(perm) - rank
    return tuple(a - lead for a in perm[lead:]) if perm[:lead] == tuple(range(lead)) else None


def _broadcast(op: Op, operands: Sequence[Value | None], perm: Perm) -> Build:
    def build(rw: Rewriter, held: Held) -> Sequence[Value | None]:
        ranks = [rank_of(v) for v in operands if v is not None and v.const is None]
        full = len(perm) in ranks
        return again(rw, op, [None if v is None else _operand(rw, held, v, perm, full) for v in operands])

    return build


def _operand(rw: Rewriter, held: Held, value: Value, perm: Perm, may_shrink: bool) -> Value:
    """What holds an operand; a constant is turned as one of the result's rank, then loses the dims of 1 in front."""
    constant = value.const
    if constant is None:
        return held(value)
    if constant.size == 1:
        return value
    array = constant.numpy()
    array = np.transpose(array.reshape((1,) * (len(perm) - array.ndim) + array.shape), perm)
    while may_shrink and array.ndim and array.shape[0] == 1:
        array = array[0]
    return rw.const(np.ascontiguousarray(array), name=value.name)


@carrier(*_QUANTIZE)
def quantize(op: Op, value: Value, perm: Perm) -> Way | None:
    """One scale for all stays as it is, one per channel belongs to the axis that moves; blocks are left alone."""
    scale = shape_of(op.inputs[1])
    if scale is None or len(scale) > 1 or value not in (op.inputs[0], op.result) or ops.attribute(op, "block_size"):
        return None
    rank = len(perm)
    axis = ops.attribute(op, "axis")
    per_axis = bool(scale) and scale[0] != 1
    if per_axis and (op.opset < 13 or not -rank <= axis < rank):
        return None
    changed = {"axis": perm.index(axis % rank)} if per_axis else {}
    orders = same_order(op, perm)
    x = op.inputs[0]
    if orders is None or x is None:
        return None
    return Way(orders, lambda rw, held: again(rw, op, [turned(rw, held, x, perm), *op.inputs[1:]], **changed))


@carrier("DynamicQuantizeLinear")
def dynamic_quantize(op: Op, value: Value, perm: Perm) -> Way | None:
    """The largest and the smallest element are the same in any order."""
    x = op.inputs[0]
    orders = same_order(op, perm)
    if orders is None or x is None or value not in (x, op.result):
        return None
    return Way(orders, lambda rw, held: again(rw, op, [turned(rw, held, x, perm)]), numerics=Numerics.EXACT)
