"""Normalizations, and pools over all of an image: the axis of the channels may stand elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .... import ops
from ....ir import Op, Value
from ....rewrite import Numerics, RejectError, Rewriter
from ...fuse._affine import batch_norm_affine, rounded
from .perms import Perm, rank_of
from .way import Build, Held, Way, again, carrier, same_order, turned


@carrier("BatchNormalization")
def batchnorm(op: Op, value: Value, perm: Perm) -> Way | None:
    """A factor and a shift per channel where the channels are not on axis 1."""
    x = op.inputs[0]
    orders = same_order(op, perm)
    if x is None or orders is None or value not in orders or len(perm) < 2 or len(op.outputs) > 1:
        return None
    if perm[1] == 1:
        return Way(orders, lambda rw, held: again(rw, op, [turned(rw, held, x, perm), *op.inputs[1:]]))
    dtype = Rewriter.dtype(x)
    if dtype is None or any(v is None or v.const is None for v in op.inputs[1:5]):
        return None
    try:
        affine = batch_norm_affine(op)
    except RejectError:
        return None
    factor, shift = affine.scale, affine.shift
    if factor is None or shift is None:
        return None
    dims = (-1, *(1,) * (len(perm) - 1 - perm.index(1)))

    def build(rw: Rewriter, held: Held) -> Sequence[Value | None]:
        data = turned(rw, held, x, perm)
        scaled = rw.Mul(data, rw.const(rounded(np.reshape(factor, dims), dtype), name="scale"))
        return [rw.Add(scaled, rw.const(rounded(np.reshape(shift, dims), dtype), name="shift"), name=op.name)]

    return Way(orders, build, more=1, numerics=Numerics.ROUNDING)


@carrier("LayerNormalization", "RMSNormalization")
def trailing(op: Op, value: Value, perm: Perm) -> Way | None:
    """The axes that are normalised stay the last ones, in their order."""
    x, orders = op.inputs[0], same_order(op, perm)
    axis = ops.attribute(op, "axis")
    rank = len(perm)
    if x is None or orders is None or value not in orders or not -rank <= axis < rank:
        return None
    if any(result is not None and result.is_needed for result in op.outputs[1:]):
        return None
    first = axis % rank
    if perm[first:] != tuple(range(first, rank)) or any((rank_of(v) or 0) > rank - first for v in op.inputs[1:]):
        return None
    return Way(orders, lambda rw, held: again(rw, op, [turned(rw, held, x, perm), *op.inputs[1:]]))


@carrier("InstanceNormalization")
def instance(op: Op, value: Value, perm: Perm) -> Way | None:
    """Batch and channels stay in front."""
    x, orders = op.inputs[0], same_order(op, perm)
    if x is None or orders is None or value not in orders or perm[:2] != (0, 1):
        return None
    return Way(
        orders,
        lambda rw, held: again(rw, op, [turned(rw, held, x, perm), *op.inputs[1:]]),
        numerics=Numerics.ROUNDING,
    )


@carrier("GlobalAveragePool", "GlobalMaxPool")
def global_pool(op: Op, value: Value, perm: Perm) -> Way | None:
    """A reduction of the image's axes, wherever they stand."""
    x, orders = op.inputs[0], same_order(op, perm)
    if x is None or orders is None or value not in orders or len(perm) < 3:
        return None
    axes = sorted(perm.index(a) for a in range(2, len(perm)))
    kind = "ReduceMean" if op.op_type == "GlobalAveragePool" else "ReduceMax"
    numerics = Numerics.ROUNDING if kind == "ReduceMean" else Numerics.FINITE
    return Way(orders, _reduced(kind, op, x, perm, axes), numerics=numerics)


def _reduced(kind: str, op: Op, x: Value, perm: Perm, axes: list[int]) -> Build:
    return lambda rw, held: [rw.op(kind, turned(rw, held, x, perm), axes, keepdims=1, name=op.name)]
