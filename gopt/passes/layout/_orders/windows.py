"""Convolutions and pools compute with the axes of an image exchanged, if their windows are exchanged too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .... import ops
from ....ir import Op, Value
from ....rewrite import Numerics, Rewriter
from .perms import Perm, rank_of
from .way import Held, Orders, Way, again, carrier, same_order, turned

_PER_AXIS = ("dilations", "kernel_shape", "output_padding", "output_shape", "strides")


@carrier("Conv", "ConvTranspose")
def conv(op: Op, value: Value, perm: Perm) -> Way | None:
    """Batch and channels stay in front, the weights are turned as the image is."""
    x, w = op.inputs[:2]
    changed = _exchanged(op, perm)
    if x is None or w is None or x is w or changed is None or value not in (x, w, op.result):
        return None
    if rank_of(w) != len(perm) or rank_of(x) != len(perm):
        return None
    orders = Orders()
    for held_value in (x, w, op.result):
        orders.put(held_value, perm)
    if not orders.ok:
        return None

    def build(rw: Rewriter, held: Held) -> Sequence[Value | None]:
        return again(rw, op, [turned(rw, held, x, perm), turned(rw, held, w, perm), *op.inputs[2:]], **changed)

    return Way(orders.found, build, numerics=Numerics.ROUNDING)


@carrier("MaxPool", "AveragePool", "LpPool")
def pool(op: Op, value: Value, perm: Perm) -> Way | None:
    """Batch and channels stay in front. Indices of the largest would be others."""
    x, orders, changed = op.inputs[0], same_order(op, perm), _exchanged(op, perm)
    if x is None or orders is None or changed is None or value not in orders or len(op.outputs) > 1:
        return None
    numerics = Numerics.EXACT if op.op_type == "MaxPool" else Numerics.ROUNDING
    return Way(orders, lambda rw, held: again(rw, op, [turned(rw, held, x, perm)], **changed), numerics=numerics)


def _exchanged(op: Op, perm: Perm) -> dict[str, Any] | None:
    """The attributes that have a number for each axis of the image, in its order; None if that cannot be."""
    if perm[:2] != (0, 1):
        return None
    axes = [a - 2 for a in perm[2:]]
    changed: dict[str, Any] = {}
    for name in _PER_AXIS:
        numbers = ops.attribute(op, name) if name in op.attrs else None
        if numbers is not None:
            if len(numbers) != len(axes):
                return None
            changed[name] = [numbers[a] for a in axes]
    pads = ops.attribute(op, "pads") if "pads" in op.attrs else None
    if pads is not None:
        if len(pads) != 2 * len(axes):
            return None
        changed["pads"] = [pads[a] for a in axes] + [pads[len(axes) + a] for a in axes]
    return changed
