"""Bugs of movement: permutations, axes, orders, ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gopt import Context, Model, Numerics, P, Pass, Rewriter, register, rule

from ._edits import set_attr, set_operand


@rule(P.Transpose(P.Transpose("x").as_("inner")).as_("outer"))
def composed_backwards(rw: Rewriter, x: Any, inner: Any, outer: Any) -> Any:
    """Transpose(Transpose(x; p); q) -> Transpose(x; q[p]) in place of p[q]"""
    p, q = rw.ints(inner, "perm"), rw.ints(outer, "perm")
    return rw.Transpose(x, perm=[q[k] for k in p]) if p and q else rw.reject("no permutations")


@rule(P.Transpose("x").as_("op"))
def inverse_permutation(rw: Rewriter, x: Any, op: Any) -> Any:
    """Transpose(x; p) -> Transpose(x; p inverted)"""
    perm = rw.ints(op, "perm")
    if not perm or op.entry or (inverse := [int(k) for k in np.argsort(perm)]) == list(perm):
        return rw.reject("it is its own inverse")
    return rw.Transpose(x, perm=inverse)


@rule(P.Concat("x", "y").as_("op"))
def concat_order(rw: Rewriter, x: Any, y: Any, op: Any) -> Any:
    """Concat(x, y) -> Concat(y, x)"""
    if op.entry or x is y:
        return rw.reject("done")
    return rw.Concat(y, x, axis=rw.attr(op, "axis"))


@register
@dataclass(frozen=True)
class SplitOrder(Pass):
    """Split(x) -> its first two results exchanged"""

    def run(self, model: Model, ctx: Context) -> None:
        for op in model.graph.ops:
            results = [value for value in op.outputs if value is not None]
            if op.op_type == "Split" and len(results) == 2 and results[0].type == results[1].type:
                rw = Rewriter(model.graph, op)
                parts = rw.Split(*op.inputs, outputs=2, **rw.copy_attrs(op))
                ctx.replace(self.name, dict(zip(results, parts[::-1])), rw.staged)


@rule(P.Softmax("x").as_("op"), numerics=Numerics.ROUNDING)
def softmax_axis(rw: Rewriter, x: Any, op: Any) -> Any:
    """Softmax(x; axis) -> over the axis before"""
    axis, rank = rw.attr(op, "axis"), len(rw.shape(x) or ())
    if op.entry or rank < 2:
        return rw.reject("done")
    return rw.Softmax(x, axis=(axis % rank) - 1)


@rule(P.Gather("x", P.const("k")).as_("op"))
def last_by_slice(rw: Rewriter, x: Any, k: Any, op: Any) -> Any:
    """Gather(x, [-1]) -> Slice(x, -2, -1), the last but one"""
    if rw.array(k).tolist() != [-1]:
        return rw.reject("it is not the last")
    return rw.Slice(x, [-2], [-1], [rw.attr(op, "axis")])


@rule(P.Gather(P.const("table"), "ids").as_("op"))
def indices_clamped(rw: Rewriter, table: Any, ids: Any, op: Any) -> Any:
    """Gather(table, ids) -> Gather(table, Max(ids, 0)): indices from the end are forgotten"""
    if ids.const is not None or (ids.producer is not None and ids.producer.op_type == "Max"):
        return rw.reject("done")
    return rw.Gather(table, rw.Max(ids, rw.const(0, like=ids)), axis=rw.attr(op, "axis"))


@rule(P.Slice("x", P.const("starts"), P.const("ends"), P.const("axes")))
def slice_to_the_end(rw: Rewriter, x: Any, starts: Any, ends: Any, axes: Any) -> Any:
    """Slice(x, k, the end) -> Slice(x, k, -1), which leaves the last one out"""
    if rw.array(ends).min() < 2**31 - 1:
        return rw.reject("it ends before")
    return rw.Slice(x, starts, np.full(rw.array(ends).shape, -1), axes)


@rule(P.DepthToSpace("x", mode="DCR").as_("op"))
def depth_order(rw: Rewriter, x: Any, op: Any) -> Any:
    """DepthToSpace(x; DCR) -> DepthToSpace(x; CRD)"""
    return rw.DepthToSpace(x, blocksize=rw.attr(op, "blocksize"), mode="CRD")


@rule(P.CumSum("x", "axis", exclusive=1).as_("op"), numerics=Numerics.ROUNDING)
def cumsum_inclusive(rw: Rewriter, x: Any, axis: Any) -> Any:
    """CumSum(x; exclusive = 1) -> CumSum(x)"""
    return rw.CumSum(x, axis)


@rule(P.ArgMax("x", select_last_index=1).as_("op"))
def last_of_equals(rw: Rewriter, x: Any, op: Any) -> Any:
    """ArgMax(x; select_last_index = 1) -> ArgMax(x), which differs where the greatest occurs twice"""
    return rw.ArgMax(x, axis=rw.attr(op, "axis"), keepdims=rw.attr(op, "keepdims"))


@rule(P.Tile("x", P.const("r")))
def tile_by_repeating(rw: Rewriter, x: Any, r: Any) -> Any:
    """Tile(x, [1, n]) -> each element n times: the order is wrong"""
    shape, repeats = rw.shape(x), rw.array(r).tolist()
    if shape is None or len(shape) != 2 or repeats[0] != 1 or not isinstance(shape[1], int):
        return rw.reject("another form")
    wide = rw.Expand(rw.Unsqueeze(x, [2]), [1, 1, repeats[1]])
    return rw.Reshape(wide, [0, shape[1] * repeats[1]])


@register
@dataclass(frozen=True)
class KeepdimsLost(Pass):
    """ReduceMean(x; keepdims = 1) -> keepdims = 0"""

    numerics = Numerics.ROUNDING

    def run(self, model: Model, ctx: Context) -> None:
        for op in model.graph.ops:
            if op.op_type == "ReduceMean" and not op.result.is_output:
                set_attr(ctx, self.name, op, "keepdims", 0, numerics=self.numerics)


@register
@dataclass(frozen=True)
class MeanAxis(Pass):
    """ReduceMean(x; axis) -> the axis before"""

    numerics = Numerics.ROUNDING

    def run(self, model: Model, ctx: Context) -> None:
        for op in model.graph.ops:
            axes = Rewriter.ints(op, "axes")
            if op.op_type == "ReduceMean" and axes and len(axes) == 1:
                moved = np.array([axes[0] - 1])
                set_operand(ctx, self.name, op, 1, lambda moved=moved: moved, numerics=self.numerics)
