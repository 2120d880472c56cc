"""Shapes and movement that the target lacks, said in operators that it has; see `_newer`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir import Dim, DType, Op, Shape
from ...ops import NotAvailable, attribute
from ...ops.bounds import bounds
from ...ops.contents import entries
from ...ops.symbolic import exact_quotient
from ._stage import Results, Stage


def shape(rw: Stage, op: Op) -> Results:
    """Shape(x, start, end) -> Slice(Shape(x), start, end)"""
    start, end = attribute(op, "start"), attribute(op, "end")
    last = (1 << 63) - 1 if end is None else end
    return rw.Slice(rw.Shape(rw.operand(0)), [start], [last], [0])


def trilu(rw: Stage, op: Op) -> Results:
    """Trilu(x, k) -> Where(column - row >= k, x, 0), for the lower triangle Where(column - row <= k, x, 0)"""
    x, k = rw.operand(0), rw.optional(1)
    sizes = rw.Shape(x)
    zero, one = rw.const(0, DType.INT64), rw.const(1, DType.INT64)
    rows, columns = (rw.Range(zero, rw.Gather(sizes, rw.const(n, DType.INT64)), one) for n in (-2, -1))
    away = rw.Sub(columns, rw.Unsqueeze(rows, [1]))
    k = zero if k is None else rw.Reshape(k, rw.const([], DType.INT64))
    beyond = rw.Less(away, k) if attribute(op, "upper") else rw.Greater(away, k)
    return rw.Where(beyond, rw.scalar(0, x), x)


def reshape(rw: Stage, op: Op) -> Results:
    """Reshape that takes 0 for a size (`allowzero`, since 14) -> Reshape that takes it for the operand's own size

    The same where no entry can be 0: with a -1 among them 0 is not permitted; and where an entry is 0 only if the
    operand's own size is. A last entry of which neither is known becomes -1, the size that is left; for an operand
    without elements that is refused by runtimes.
    """
    x, shape = rw.operand(0), rw.operand(1)
    found, own = entries(shape), rw.type(x).shape
    if not attribute(op, "allowzero") or found is None or shape.const is not None:
        raise NotAvailable("Reshape to a size of 0")
    open_ = [] if -1 in found else [k for k, e in enumerate(found) if not _is_safe(e, own, k)]
    if len(open_) > 1:
        raise NotAvailable("Reshape to sizes that may be 0")
    if open_:
        where, rest = rw.const(open_, DType.INT64), rw.const([-1], DType.INT64)
        shape = rw.ScatterElements(shape, where, rest)
    return rw.Reshape(x, shape)


def _is_safe(entry: Dim | None, own: Shape | None, place: int) -> bool:
    """True if an entry of a shape is 0 only where the operand's own dim at its place is."""
    if entry is None or entry == 0:
        return False
    low = bounds(entry)[0]
    if low is not None and low > 0:
        return True
    return own is not None and place < len(own) and exact_quotient(own[place], entry) is not None


def resize(rw: Stage, op: Op) -> Results:
    """Resize of some axes (since 18) -> Resize of all, the others by 1"""
    x, axes = rw.operand(0), attribute(op, "axes")
    scales, sizes = rw.optional(2), rw.optional(3)
    if axes is None or attribute(op, "keep_aspect_ratio_policy") != "stretch" or rw.optional(1) is not None:
        raise NotAvailable("this form of Resize")
    rank = rw.rank(x)
    keywords: dict[str, Any] = {n: attribute(op, n) for n in _RESIZE}
    where = rw.const([a % rank for a in axes], DType.INT64)
    if sizes is not None:
        sizes = rw.ScatterElements(rw.shape_of(x), where, sizes)
        scales = None
    elif scales is not None and scales.const is not None:
        spread = np.ones(rank, np.float32)
        spread[list(axes)] = scales.const.numpy().reshape(-1)
        scales = rw.const(spread, name="scales")
    else:
        scales = rw.ScatterElements(rw.const([1] * rank, DType.FLOAT), where, scales)
    return rw.Resize(x, None, scales, sizes, **keywords)


_RESIZE = (
    "antialias",
    "coordinate_transformation_mode",
    "cubic_coeff_a",
    "exclude_outside",
    "extrapolation_value",
    "mode",
    "nearest_mode",
)


def scatter_elements(rw: Stage, op: Op) -> Results:
    """ScatterElements below 11 is called Scatter, and above it the other way round"""
    if attribute(op, "reduction") not in (None, "none"):
        raise NotAvailable("Scatter that reduces")
    name = "ScatterElements" if rw.version >= 11 else "Scatter"
    return rw.op(name, *(rw.operand(k) for k in range(3)), axis=attribute(op, "axis"))
