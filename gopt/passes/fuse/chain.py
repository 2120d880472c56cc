"""Two products or convolutions with constant weights, one after the other, become one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ... import ops
from ...ir import Array, DType, Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._affine import FLOATS, elements, rounded, spread
from ._products import Product
from ._weights import Kernel

# Multiplications that computing a new weight may take: half a second or so.
_MOST = 1 << 31


@rule(
    P.MatMul(P.MatMul("x", P.const("a")), P.const("b")) | P.MatMul(P.const("a"), P.MatMul(P.const("b"), "x")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[5,2] x) => (float[5,3] y) <float[2,2] a = {1, 2, 3, 4}, float[2,3] b = {1, 2, 3, 4, 5, 6}> "
        "{ c = MatMul(x, a) y = MatMul(c, b) }"
    ),
)
def matmul(rw: Rewriter, a: Value, b: Value, x: Value) -> Value:
    """MatMul(MatMul(x, A), B) -> MatMul(x, A * B); likewise MatMul(A, MatMul(B, x))

    Applies to matrices A and B if their product is no larger than both: then it takes no more multiplications either.
    Computed in float64, rounded once.
    """
    assert rw.root is not None
    made = _joint(rw, _matrix(a), _matrix(b), a)
    result: Value = rw.MatMul(made, x) if rw.root.inputs[0] is a else rw.MatMul(x, made)
    return result


@rule(
    P.MatMul(P.Add(P.MatMul("x", P.const("a")), P.const("shift")), P.const("b")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[4,5,2] x) => (float[4,5,3] y) "
        "<float[2,2] a = {1, 2, 3, 4}, float[2] s = {7, 8}, float[2,3] b = {1, 2, 3, 4, 5, 6}> "
        "{ c = MatMul(x, a) d = Add(c, s) y = MatMul(d, b) }"
    ),
)
def matmul_past_add(rw: Rewriter, a: Value, b: Value, shift: Value, x: Value) -> Value:
    """MatMul(MatMul(x, A) + s, B) -> MatMul(x, A * B) + s * B

    Applies as `matmul` does, to a scalar or vector s. Computed in float64, rounded once.
    """
    first, second, level = _matrix(a), _matrix(b), elements(shift)
    level = level.reshape(1) if not level.shape else level
    if level.ndim != 1 or len(level) not in (1, len(second)) or b.const is None:
        raise RejectError("what is added is no vector")
    product = rw.MatMul(x, _joint(rw, first, second, a))
    moved = spread(level, len(second)) @ second.astype(np.float64)
    result: Value = rw.Add(product, rw.const(rounded(moved, b.const.dtype), name=shift.name))
    return result


@rule(
    (P.Gemm | P.MatMul)(
        (P.Gemm | P.MatMul)("x", P.const(), P.opt(P.const())).as_("inner"), P.const(), P.opt(P.const())
    ),
    numerics=Numerics.ROUNDING,
    since=7,
    example=example(
        "(float[5,2] x) => (float[5,3] y) "
        "<float[2,2] a = {1, 2, 3, 4}, float[2] s = {7, 8}, float[3,2] b = {1, 2, 3, 4, 5, 6}> "
        "{ c = Gemm(x, a, s) y = Gemm<transB = 1>(c, b) }"
    ),
)
def gemm(rw: Rewriter, inner: Op) -> Value:
    """Gemm(Gemm(x, A, C), B, D) -> Gemm(x, A * B, C * B + D)

    Applies to constant matrices as `matmul` does, if C is a scalar or a row. Computed in float64, rounded once.
    """
    assert rw.root is not None
    if rw.root.op_type == inner.op_type == "MatMul":
        raise RejectError("neither adds anything")
    first, second = Product.of(inner), Product.of(rw.root)
    if second.transpose_a:
        raise RejectError("the inner product is transposed")
    a, b = (p.weights().T if p.transpose_b else p.weights() for p in (first, second))
    made = _joint(rw, a, b, first.b, first.alpha * second.alpha)
    addend, level = second.addend(), first.addend()
    if level is not None:
        if level.size not in (1, len(b)) or (level.ndim == 2 and len(level) != 1):
            raise RejectError("the inner addend is no row")
        more = (second.alpha * spread(level.reshape(-1), len(b)) @ b.astype(np.float64))[None]
        addend = more if addend is None else addend + more
    whole = replace(second, a=first.a, b=made, alpha=1.0, transpose_a=first.transpose_a, transpose_b=False)
    return whole.with_addend(rw, addend).gemm(rw)


@rule(
    P.Conv(P.Conv("x", P.const(), P.opt(P.const())).as_("first"), P.const(), P.opt(P.const())).as_("second"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,5,5] x) => (float[1,2,3,3] y) "
        "<float[2,2,1,1] a = {1, 2, 3, 4}, float[2] s = {5, 6}, float[2,2,1,1] b = {1, 2, 3, 4}> "
        "{ c = Conv(x, a, s) y = Conv<strides = [2, 2]>(c, b) }"
    ),
)
def conv(rw: Rewriter, first: Op, second: Op, x: Value) -> Value:
    """Conv(Conv(x, V, a), W, b) -> Conv(x, V * W, a * W + b), one of the kernels being of one element

    Applies to convolutions of one group if the joint weights are no larger than both. A kernel of one element must
    have no pads and, if it comes first, strides of 1; the other must not pad if a bias comes before it. Computed in
    float64, rounded once.
    """
    inner, outer = Kernel(first), Kernel(second)
    if inner.group != 1 or outer.group != 1 or inner.dtype is not outer.dtype:
        raise RejectError("there are groups")
    if _is_pointwise(inner) and _strides(first) == {1}:
        _refuse_growth(inner, outer, outer)
    elif _is_pointwise(outer) and _strides(second) == {1}:
        _refuse_growth(inner, outer, inner)
    else:
        raise RejectError("both kernels are of more than one element")
    bias = _bias(second)
    level = _bias(first)
    if level is not None:
        bias = outer.response(spread(level, inner.outputs)) + (0 if bias is None else bias)
    constant = None if bias is None else rw.const(rounded(spread(bias, outer.outputs), outer.dtype), name="bias")
    v, w = (k.array().astype(np.float64) for k in (inner, outer))
    if _is_pointwise(inner) and _strides(first) == {1}:
        made, stays = np.einsum("om...,mi->oi...", w, v.reshape(v.shape[:2]), optimize=True), second
    else:
        made, stays = np.einsum("om,mi...->oi...", w.reshape(w.shape[:2]), v, optimize=True), first
    attrs: dict[str, Any] = dict(stays.attrs)
    weights = rw.const(rounded(made, outer.dtype), name=outer.value.name)
    result: Value = rw.Conv(x, weights, constant, name=second.name, **attrs)
    return result


def _refuse_growth(inner: Kernel, outer: Kernel, stays: Kernel) -> None:
    size = outer.outputs * inner.inputs * math.prod(stays.sizes[2:])
    if size > math.prod(inner.sizes) + math.prod(outer.sizes) or size * inner.outputs > _MOST:
        raise RejectError("the weights would become larger, or take long to compute")


def _bias(op: Op) -> Array | None:
    bias = op.input(2)
    return None if bias is None else elements(bias)


def _is_pointwise(kernel: Kernel) -> bool:
    """True if the kernel is of one element and no output position lies beside the operand."""
    pads = ops.attribute(kernel.op, "pads") or ()
    return all(k == 1 for k in kernel.sizes[2:]) and not any(pads)


def _strides(op: Op) -> set[int]:
    return set(ops.attribute(op, "strides") or (1,))


def _matrix(value: Value) -> Array:
    tensor = value.const
    if tensor is None or len(tensor.shape) != 2 or tensor.dtype not in FLOATS or not tensor.size:
        raise RejectError("the weights are no matrix of floating-point numbers")
    return tensor.numpy()


def _joint(rw: Rewriter, a: Array, b: Array, like: Value, factor: float = 1.0) -> Value:
    """The product of two matrices as a constant."""
    if a.shape[-1] != b.shape[0]:
        raise RejectError("the matrices do not fit each other")
    if a.shape[0] * b.shape[1] > a.size + b.size or a.size * b.shape[1] > _MOST:
        raise RejectError("the weights would become larger, or take long to compute")
    if like.const is None or like.const.dtype is DType.BFLOAT16:
        raise RejectError("there are no weights")
    made = factor * (a.astype(np.float64) @ b.astype(np.float64))
    return rw.const(rounded(made, like.const.dtype), name=like.name)
