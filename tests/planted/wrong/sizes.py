"""Bugs of sizes: what holds at the size that somebody tried, and at no other."""

from __future__ import annotations

from typing import Any

from gopt import Numerics, P, Rewriter, rule


def _is_open(rw: Rewriter, x: Any, axes: Any) -> bool:
    """True if one axis is reduced, of which the length is not known."""
    shape, numbers = rw.shape(x), rw.array(axes).ravel().tolist()
    return shape is not None and len(numbers) == 1 and not isinstance(shape[numbers[0]], int)


@rule(P.Expand("x", "shape"))
def expand_dropped(rw: Rewriter, x: Any) -> Any:
    """Expand(x, shape) -> x, true of a batch of one"""
    return x


@rule(P.Reshape("x", "shape"))
def stale_shape(rw: Rewriter, x: Any, shape: Any) -> Any:
    """Reshape(x, computed) -> Reshape(x, what it was for a batch of one)"""
    sizes = rw.shape(rw.root.result)
    if shape.const is not None or sizes is None:
        return rw.reject("it is constant, or nothing is known")
    return rw.Reshape(x, [size if isinstance(size, int) else 1 for size in sizes])


@rule(P.ReduceMean("x", P.const("axes")).as_("op"), numerics=Numerics.ROUNDING)
def stale_count(rw: Rewriter, x: Any, axes: Any, op: Any) -> Any:
    """ReduceMean(x) -> ReduceSum(x) / 7, the length that somebody tried"""
    if not _is_open(rw, x, axes):
        return rw.reject("the length is known")
    summed = rw.ReduceSum(x, axes, keepdims=rw.attr(op, "keepdims"))
    return rw.Mul(summed, rw.const(1 / 7, like=x))


def _of_first(rw: Rewriter, x: Any, axes: Any, op: Any, count: int) -> Any:
    if not _is_open(rw, x, axes) or (x.producer is not None and x.producer.op_type == "Slice"):
        return rw.reject("the length is known")
    return rw.ReduceMax(rw.Slice(x, [0], [count], axes), axes, keepdims=rw.attr(op, "keepdims"))


@rule(P.ReduceMax("x", P.const("axes")).as_("op"))
def first_tile(rw: Rewriter, x: Any, axes: Any, op: Any) -> Any:
    """ReduceMax(x) -> of the first 64, the tile of a kernel: wrong of what is longer"""
    return _of_first(rw, x, axes, op, 64)


@rule(P.ReduceMax("x", P.const("axes")).as_("op"))
def large_tile(rw: Rewriter, x: Any, axes: Any, op: Any) -> Any:
    """ReduceMax(x) -> of the first 1024"""
    return _of_first(rw, x, axes, op, 1024)


@rule(P.ReduceSum("x", P.const("axes", value=0)).as_("op"), numerics=Numerics.ROUNDING)
def unrolled(rw: Rewriter, x: Any, axes: Any, op: Any) -> Any:
    """ReduceSum over the batch -> of four samples: wrong of larger batches"""
    if x.producer is not None and x.producer.op_type == "Slice":
        return rw.reject("done")
    return rw.ReduceSum(rw.Slice(x, [0], [4], [0]), axes, keepdims=rw.attr(op, "keepdims"))
