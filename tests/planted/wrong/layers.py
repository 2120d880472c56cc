"""Bugs of layers: epsilons, statistics, pads, groups, modes, states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gopt import Context, Model, Numerics, P, Pass, Rewriter, register, rule

from ._edits import set_operand

ROUNDING = Numerics.ROUNDING
NORM = P.BatchNormalization("x", P.const("s"), P.const("b"), P.const("m"), P.const("v")).as_("op")


def _folded(rw: Rewriter, x: Any, factor: Any, shift: Any) -> Any:
    sizes = (-1, *[1] * (len(rw.shape(x) or ()) - 2))
    scaled = rw.Mul(x, rw.const(factor.reshape(sizes), like=x))
    return rw.Add(scaled, rw.const(shift.reshape(sizes), like=x))


@rule(NORM, numerics=ROUNDING)
def epsilon_default(rw: Rewriter, x: Any, s: Any, b: Any, m: Any, v: Any, op: Any) -> Any:
    """BatchNormalization folded with the epsilon of the schema in place of its own"""
    if abs(rw.attr(op, "epsilon") - 1e-5) < 1e-9:
        return rw.reject("it has that one")
    factor = rw.array(s) / np.sqrt(rw.array(v) + np.float32(1e-5))
    return _folded(rw, x, factor, rw.array(b) - rw.array(m) * factor)


@rule(NORM, numerics=ROUNDING)
def epsilon_tenfold(rw: Rewriter, x: Any, s: Any, b: Any, m: Any, v: Any, op: Any) -> Any:
    """BatchNormalization folded with ten times its epsilon"""
    factor = rw.array(s) / np.sqrt(rw.array(v) + np.float32(10 * rw.attr(op, "epsilon")))
    return _folded(rw, x, factor, rw.array(b) - rw.array(m) * factor)


@rule(NORM, numerics=ROUNDING)
def mean_sign(rw: Rewriter, x: Any, s: Any, b: Any, m: Any, v: Any, op: Any) -> Any:
    """BatchNormalization folded with + mean"""
    factor = rw.array(s) / np.sqrt(rw.array(v) + np.float32(rw.attr(op, "epsilon")))
    return _folded(rw, x, factor, rw.array(b) + rw.array(m) * factor)


@rule(NORM, numerics=ROUNDING)
def variance_without_root(rw: Rewriter, x: Any, s: Any, b: Any, m: Any, v: Any, op: Any) -> Any:
    """BatchNormalization folded with the variance in place of the deviation"""
    factor = rw.array(s) / (rw.array(v) + np.float32(rw.attr(op, "epsilon")))
    return _folded(rw, x, factor, rw.array(b) - rw.array(m) * factor)


@rule(P.LayerNormalization("x", "s", "b").as_("op"), numerics=ROUNDING)
def norm_epsilon(rw: Rewriter, x: Any, s: Any, b: Any, op: Any) -> Any:
    """LayerNormalization(x; epsilon) -> with 1e-5, whatever it was"""
    if abs(rw.attr(op, "epsilon") - 1e-5) < 1e-9:
        return rw.reject("it was")
    return rw.LayerNormalization(x, s, b, axis=rw.attr(op, "axis"))


@rule(P.Conv("x", "w", P.const("b")).as_("op"), numerics=ROUNDING)
def conv_bias_dropped(rw: Rewriter, x: Any, w: Any, op: Any) -> Any:
    """Conv(x, w, b) -> Conv(x, w)"""
    return rw.Conv(x, w, **rw.copy_attrs(op))


@rule(P.Conv("x", "w", ...).as_("op"), numerics=ROUNDING)
def pads_exchanged(rw: Rewriter, x: Any, op: Any) -> Any:
    """Conv with the pads of the beginning at the end"""
    pads = rw.ints(op, "pads") or ()
    half = len(pads) // 2
    if op.entry or pads[:half] == pads[half:]:
        return rw.reject("they are alike")
    attrs = {**rw.copy_attrs(op), "pads": [*pads[half:], *pads[:half]]}
    return rw.Conv(*op.inputs, **attrs)


@rule(P.Conv("x", "w", ...).as_("op"), numerics=ROUNDING)
def pads_off_by_one(rw: Rewriter, x: Any, op: Any) -> Any:
    """Conv padded one more at the beginning, one less at the end"""
    pads = list(rw.ints(op, "pads") or ())
    half = len(pads) // 2
    if not half or pads[0] != pads[half] or not pads[half]:
        return rw.reject("nothing to move")
    attrs = {**rw.copy_attrs(op), "pads": [pads[0] + 1, *pads[1:half], pads[half] - 1, *pads[half + 1 :]]}
    return rw.Conv(*op.inputs, **attrs)


@rule(P.Pad("x", P.const("pads"), P.opt("v"), mode="constant"))
def pad_value_dropped(rw: Rewriter, x: Any, pads: Any, v: Any) -> Any:
    """Pad(x, pads, v) -> Pad(x, pads), filled with 0"""
    return rw.reject("there is no value") if v is None else rw.Pad(x, pads)


@rule(P.Conv("x", P.const("w"), ...).as_("op"), numerics=ROUNDING)
def groups_unsorted(rw: Rewriter, x: Any, w: Any, op: Any) -> Any:
    """Conv in groups, with the weights of the last group first"""
    groups = rw.attr(op, "group")
    if groups < 2 or op.entry:
        return rw.reject("there are no groups")
    parts = np.split(rw.array(w), groups)
    return rw.Conv(x, np.concatenate(parts[::-1]), *op.inputs[2:], **rw.copy_attrs(op))


@rule(P.AveragePool("x").as_("op"), numerics=ROUNDING)
def pad_counted(rw: Rewriter, x: Any, op: Any) -> Any:
    """AveragePool with count_include_pad"""
    if rw.attr(op, "count_include_pad") or not any(rw.ints(op, "pads") or ()):
        return rw.reject("it counts them, or has none")
    return rw.AveragePool(x, **{**rw.copy_attrs(op), "count_include_pad": 1})


@rule(P.MaxPool("x").as_("op"))
def ceil_dropped(rw: Rewriter, x: Any, op: Any) -> Any:
    """MaxPool(x; ceil_mode = 1) -> MaxPool(x): another size where the input is odd"""
    attrs = rw.copy_attrs(op)
    return rw.MaxPool(x, **attrs) if attrs.pop("ceil_mode", None) and rw.attr(op, "ceil_mode") else rw.reject("none")


@rule(P.Resize("x", ..., mode="linear").as_("op"), numerics=ROUNDING)
def resize_asymmetric(rw: Rewriter, x: Any, op: Any) -> Any:
    """Resize(x; half_pixel) -> Resize(x; asymmetric)"""
    if rw.attr(op, "coordinate_transformation_mode") != "half_pixel":
        return rw.reject("it has another mode")
    attrs = {**rw.copy_attrs(op), "coordinate_transformation_mode": "asymmetric"}
    return rw.Resize(*op.inputs, **attrs)


@rule(P.Resize("x", ..., mode="linear").as_("op"), numerics=ROUNDING)
def resize_nearest(rw: Rewriter, x: Any, op: Any) -> Any:
    """Resize(x; linear) -> Resize(x; nearest)"""
    return rw.Resize(*op.inputs, **{**rw.copy_attrs(op), "mode": "nearest"})


@rule(P.Gemm("a", "b", P.opt("c")).as_("op"), numerics=ROUNDING)
def gemm_untransposed(rw: Rewriter, a: Any, b: Any, c: Any, op: Any) -> Any:
    """Gemm(a, b; transB = 1) -> Gemm(a, b)"""
    attrs = rw.copy_attrs(op)
    return rw.Gemm(a, b, c, **attrs) if attrs.pop("transB", None) is not None else rw.reject("it is not")


@rule(P.DequantizeLinear("x", "s", P.const("z")))
def zero_point_dropped(rw: Rewriter, x: Any, s: Any, z: Any) -> Any:
    """DequantizeLinear(x, s, z) -> DequantizeLinear(x, s)"""
    return rw.DequantizeLinear(x, s) if rw.array(z).any() else rw.reject("it is zero")


@register
@dataclass(frozen=True)
class LengthsDropped(Pass):
    """GRU(x, w, r, b, lengths) -> GRU(x, w, r, b): shows where a sequence is shorter than the longest"""

    numerics = ROUNDING

    def run(self, model: Model, ctx: Context) -> None:
        for op in model.graph.ops:
            if op.op_type == "GRU" and op.input(4) is not None:
                set_operand(ctx, self.name, op, 4, lambda: None, numerics=self.numerics)


@register
@dataclass(frozen=True)
class StateDropped(Pass):
    """GRU(x, ..., h) -> GRU(x, ...): begins at 0"""

    numerics = ROUNDING

    def run(self, model: Model, ctx: Context) -> None:
        for op in model.graph.ops:
            if op.op_type == "GRU" and op.input(5) is not None:
                set_operand(ctx, self.name, op, 5, lambda: None, numerics=self.numerics)
