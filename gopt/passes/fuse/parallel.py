"""Sums of products or convolutions of one operand become one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ... import ops
from ...ir import Array, Op, Value
from ...rewrite import Numerics, P, Pattern, RejectError, Rewriter, rule
from ..example import example
from ._affine import FLOATS, elements, rounded, spread
from ._pads import own_pads
from ._products import Product
from ._weights import Kernel

_SUM = P.Add | P.Sub
_product = (P.Gemm | P.MatMul)("x", P.const(), P.opt(P.const()))


def _term(weights: str, bias: str) -> Pattern:
    product = P.MatMul("x", P.const(weights))
    return product | P.Add(product, P.const(bias))


@rule(
    _SUM(_term("v", "c"), _term("w", "d")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3,2] x) => (float[3,2] y) "
        "<float[2,2] v = {1, 2, 3, 4}, float[2,2] w = {5, 6, 7, 8}, float[2] d = {9, 10}> "
        "{ a = MatMul(x, v) b = MatMul(x, w) c = Add(b, d) y = Sub(a, c) }"
    ),
)
def matmul(rw: Rewriter, x: Value, v: Value, w: Value, c: Value | None, d: Value | None) -> Value:
    """MatMul(x, V) + MatMul(x, W) -> MatMul(x, V + W); likewise differences, and with constants added to the products

    Applies to weights of one shape, and added constants of one shape. Computed in float64, rounded once.
    """
    root, first, second = rw.root, v.const, w.const
    assert root is not None
    if first is None or second is None or first.shape != second.shape or first.dtype is not second.dtype:
        raise RejectError("the weights differ in shape")
    if first.dtype not in FLOATS:
        raise RejectError("they are no floating-point numbers")
    sign = -1.0 if root.op_type == "Sub" else 1.0
    result: Value = rw.MatMul(x, rw.const(rounded(elements(v) + sign * elements(w), first.dtype), name=v.name))
    levels = [s * elements(e) for s, e in ((1.0, c), (sign, d)) if e is not None]
    if len({level.shape for level in levels}) > 1:
        raise RejectError("the constants differ in shape")
    if levels:
        result = rw.Add(result, rw.const(rounded(np.asarray(sum(levels)), first.dtype), name="bias"))
    return result


@rule(
    P.Gemm("x", P.const(), _product.as_("inner")).as_("outer")
    | _SUM(P.Gemm("x", P.const(), P.opt(P.const())).as_("outer"), _product.as_("inner"))
    | P.Sub(P.MatMul("x", P.const()).as_("outer"), P.Gemm("x", P.const(), P.opt(P.const())).as_("inner")),
    numerics=Numerics.ROUNDING,
    since=7,
    example=example(
        "(float[3,2] x) => (float[3,2] y) "
        "<float[2,2] v = {1, 2, 3, 4}, float[2,2] w = {5, 6, 7, 8}, float[2] d = {9, 10}> "
        "{ a = Gemm(x, v, d) b = Gemm<transB = 1>(x, w) y = Add(a, b) }"
    ),
)
def gemm(rw: Rewriter, outer: Op, inner: Op) -> Value:
    """Gemm(x, V, Gemm(x, W, C)) -> Gemm(x, V + W, C); likewise sums and differences of the two

    Applies to constant weights and addends if x is transposed in both or in neither. Computed in float64, rounded once.
    """
    root = rw.root
    assert root is not None
    first, second = Product.of(outer), Product.of(inner)
    factor = first.beta if root is outer else -1.0 if root.op_type == "Sub" else 1.0
    if first.transpose_a is not second.transpose_a or first.dtype is not second.dtype:
        raise RejectError("the factors differ")
    v, w = (p.alpha * _stored(p).astype(np.float64) for p in (first, second))
    if v.shape != w.shape:
        raise RejectError("the weights differ in shape")
    made = rw.const(rounded(v + factor * w, first.dtype), name=first.b.name)
    addends = [None if root is outer else first.addend(), second.addend()]
    levels = [s * a for s, a in zip((1.0, factor), addends) if a is not None]
    addend = np.asarray(sum(levels)) if levels else None
    if addend is not None and addend.size > max(level.size for level in levels):
        raise RejectError("the constant would become larger")
    whole = replace(first, b=made, c=None, alpha=1.0, transpose_b=False)
    return whole.with_addend(rw, addend).gemm(rw)


def _stored(product: Product) -> Array:
    return product.weights().T if product.transpose_b else product.weights()


@rule(
    _SUM(
        P.Conv("x", P.const(), P.opt(P.const())).as_("left"),
        P.Conv("x", P.const(), P.opt(P.const())).as_("right"),
    ),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,1,4,4] x) => (float[1,1,4,4] y) "
        "<float[1,1,3,3] v = {1, 2, 3, 4, 5, 6, 7, 8, 9}, float[1,1,1,1] w = {2}> "
        "{ a = Conv<pads = [1, 1, 1, 1]>(x, v) b = Conv(x, w) y = Add(a, b) }"
    ),
)
def conv(rw: Rewriter, x: Value, left: Op, right: Op) -> Value:
    """Conv(x, V, b) + Conv(x, W, c) -> Conv(x, V + W, b + c); likewise differences

    Applies to convolutions alike in strides, dilations and groups, W being no larger than V along any axis: it is set
    into zeros so that the pads match (RepVGG, arXiv:2101.03697, section 3.3). Computed in float64, rounded once.
    """
    root = rw.root
    assert root is not None
    signs = (1.0, -1.0 if root.op_type == "Sub" else 1.0)
    one, two = Kernel(left), Kernel(right)
    if one.dtype is not two.dtype or one.group != two.group or one.sizes[:2] != two.sizes[:2]:
        raise RejectError("the convolutions differ in groups, channels or type")
    spatial = one.rank - 2
    if any(_filled(left, n, spatial) != _filled(right, n, spatial) for n in ("strides", "dilations")):
        raise RejectError("the convolutions differ in strides or dilations")
    outer = one if sum(one.sizes) >= sum(two.sizes) else two
    weights = sum(s * _set_into(k, outer) for s, k in zip(signs, (one, two)))
    biases = [s * spread(elements(b), k.outputs) for s, k in zip(signs, (one, two)) if (b := k.op.input(2)) is not None]
    bias = rw.const(rounded(np.asarray(sum(biases)), one.dtype), name="bias") if biases else None
    attrs: dict[str, Any] = dict(outer.op.attrs)
    made = rw.const(rounded(np.asarray(weights), one.dtype), name=outer.value.name)
    result: Value = rw.Conv(x, made, bias, name=outer.op.name, **attrs)
    return result


def _filled(op: Op, name: str, spatial: int) -> tuple[int, ...]:
    return tuple(ops.attribute(op, name) or (1,) * spatial)


def _set_into(kernel: Kernel, outer: Kernel) -> Array:
    """The weights with zeros around them, as a kernel of the size of another that reads the operand with its pads."""
    array: Array = kernel.array().astype(np.float64)
    spatial = kernel.rank - 2
    mode, their_mode = ((ops.attribute(k.op, "auto_pad") or "NOTSET") for k in (kernel, outer))
    if kernel.sizes == outer.sizes and mode == their_mode != "NOTSET":
        return array
    dilations = _filled(kernel.op, "dilations", spatial)
    inner_pads, outer_pads = own_pads(kernel.op, spatial), own_pads(outer.op, spatial)
    widths = [(0, 0), (0, 0)]
    for k in range(spatial):
        before, after = (outer_pads[k + n] - inner_pads[k + n] for n in (0, spatial))
        if min(before, after) < 0 or before % dilations[k] or after % dilations[k]:
            raise RejectError("the pads do not match")
        before, after = before // dilations[k], after // dilations[k]
        if array.shape[2 + k] + before + after != outer.sizes[2 + k]:
            raise RejectError("the kernels do not match")
        widths.append((before, after))
    return np.pad(array, widths)
