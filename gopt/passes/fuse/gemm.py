"""Fusion into Gemm, and of MatMul of matrices into Gemm."""

from __future__ import annotations

from dataclasses import replace

from ... import ops
from ...ir import Op, Value
from ...rewrite import Numerics, OpPattern, P, Pattern, RejectError, Rewriter, rule
from ..example import example
from ._affine import (
    Affine,
    affine_of,
    along,
    batch_norm,
    batch_norm_affine,
    scaling,
    shape_of,
    shifting,
)
from ._products import Product

_GEMM_7 = 7  # before, Gemm broadcasts c on demand only
_gemm = P.Gemm("a", "b", P.opt("c")).as_("op")
_product = (P.Gemm | P.MatMul)("a", "b", P.opt("c")).as_("op")


def _of(data: Pattern) -> OpPattern:
    """A product whose first factor is `data`, with constant weights and addend."""
    return (P.Gemm | P.MatMul)(data, P.const(), P.opt(P.const())).as_("op")


@rule(
    batch_norm(_product),
    numerics=Numerics.ROUNDING,
    since=_GEMM_7,
    example=example(
        "(float[3,2] x) => (float[3,2] y) "
        "<float[2,2] w = {1, 2, 3, 4}, float[2] s = {1, 2}, float[2] t = {3, 4}, float[2] m = {5, 6}, "
        "float[2] v = {7, 8}> "
        "{ a = Gemm(x, w) y = BatchNormalization(a, s, t, m, v) }"
    ),
)
def batchnorm(rw: Rewriter, op: Op) -> Value:
    """BatchNormalization(A * B + C) -> Gemm(A, B * k, C * k + d), x * k + d being what the BatchNormalization does

    Applies to Gemm, and MatMul of matrices, with constant B and C: the channels are the columns. Computed in float64,
    rounded once.
    """
    assert rw.root is not None
    return Product.of(op).then(rw, batch_norm_affine(rw.root)).gemm(rw)


@rule(
    shifting(_gemm),
    numerics=Numerics.ROUNDING,
    since=_GEMM_7,
    example=example(
        "(float[3,2] x) => (float[3,2] y) "
        "<float[2,2] w = {1, 2, 3, 4}, float[2] b = {5, 6}, float[2] c = {7, 8}> "
        "{ a = Gemm(x, w, b) y = Add(a, c) }"
    ),
)
def add(rw: Rewriter, op: Op) -> Value:
    """Gemm(A, B, C) + d -> Gemm(A, B, C + d); likewise - d, and d - Gemm(A, B, C) -> Gemm(A, -B, d - C)

    Applies to constants C and d if d does not enlarge the result. Computed in float64, rounded once.
    """
    assert rw.root is not None
    return Product.of(op).then(rw, affine_of(rw.root, op.result)).gemm(rw)


@rule(
    scaling(_gemm),
    numerics=Numerics.ROUNDING,
    since=_GEMM_7,
    example=example(
        "(float[3,2] x) => (float[3,2] y) "
        "<float[2,2] w = {1, 2, 3, 4}, float[2] b = {5, 6}, float[2] c = {7, 8}> "
        "{ a = Gemm(x, w, b) y = Mul(a, c) }"
    ),
)
def scale(rw: Rewriter, op: Op) -> Value:
    """Gemm(A, B, C) * d -> Gemm(A, B * d, C * d); likewise / d, and Neg

    Applies to constants that vary along the columns alone, if B and C are constant; else to a scalar, which then goes
    into alpha and beta. Computed in float64, rounded once.
    """
    assert rw.root is not None
    return Product.of(op).then(rw, affine_of(rw.root, op.result)).gemm(rw)


@rule(
    P.Add(P.Gemm("a", "b").as_("op"), "c"),
    numerics=Numerics.ROUNDING,
    since=_GEMM_7,
    example=example(
        "(float[3,2] x, float[2] c) => (float[3,2] y) <float[2,2] w = {1, 2, 3, 4}> { a = Gemm(x, w) y = Add(a, c) }"
    ),
)
def add_operand(rw: Rewriter, op: Op, c: Value) -> Value:
    """Gemm(A, B) + c -> Gemm(A, B, c)

    Applies to any c that surely does not enlarge the result.
    """
    return _with_operand(rw, Product.of(op), c)


@rule(
    P.Add(P.MatMul("a", "b").as_("op"), "c"),
    numerics=Numerics.ROUNDING,
    since=_GEMM_7,
    example=example(
        "(float[3,2] x, float[2] c) => (float[3,2] y) <float[2,2] w = {1, 2, 3, 4}> { a = MatMul(x, w) y = Add(a, c) }"
    ),
)
def matmul_add(rw: Rewriter, op: Op, c: Value) -> Value:
    """MatMul(A, B) + c -> Gemm(A, B, c)

    Applies to matrices A and B of floating-point numbers, and any c that surely does not enlarge the result.
    """
    return _with_operand(rw, Product.of(op), c)


@rule(
    P.Add(P.Gemm("a", "b", (P.MatMul | P.Gemm)("p", "q").as_("inner")).as_("op"), "c"),
    numerics=Numerics.ROUNDING,
    since=_GEMM_7,
    example=example(
        "(float[3,2] x, float[3,2] h) => (float[3,2] y) "
        "<float[2,2] w = {1, 2, 3, 4}, float[2] c = {5, 6}> "
        "{ a = MatMul(h, w) b = Gemm(x, w, a) y = Add(b, c) }"
    ),
)
def add_to_addend(rw: Rewriter, op: Op, inner: Op, c: Value) -> Value:
    """Gemm(A, B, MatMul(P, Q)) + c -> Gemm(A, B, Gemm(P, Q, c))

    Applies to matrices and beta 1 if c surely does not enlarge the inner product: recurrent cells add up so.
    """
    outer, product = Product.of(op), Product.of(inner)
    if outer.beta != 1 or not product.surely_takes(c):
        raise RejectError("what is added may enlarge the addend, or be multiplied")
    return replace(outer, c=replace(product, c=c, beta=1.0).gemm(rw)).gemm(rw)


@rule(
    _of(batch_norm("x", "norm")),
    numerics=Numerics.ROUNDING,
    since=_GEMM_7,
    example=example(
        "(float[3,2] x) => (float[3,2] y) "
        "<float[2,2] w = {1, 2, 3, 4}, float[2] s = {1, 2}, float[2] t = {3, 4}, float[2] m = {5, 6}, "
        "float[2] v = {7, 8}> "
        "{ a = BatchNormalization(x, s, t, m, v) y = Gemm(a, w) }"
    ),
)
def batchnorm_before(rw: Rewriter, op: Op, norm: Op, x: Value) -> Value:
    """Gemm(x * k + d, B, C) -> Gemm(x, k * B, C + d * B), the affine map being that of a BatchNormalization

    Applies to constant B and C, and A not transposed: its columns are the channels. Computed in float64, rounded once.
    """
    return _before(rw, op, x, batch_norm_affine(norm))


@rule(
    _of(shifting("x", "inner")),
    numerics=Numerics.ROUNDING,
    since=_GEMM_7,
    example=example(
        "(float[3,2] x) => (float[3,2] y) "
        "<float[2,2] w = {1, 2, 3, 4}, float[2] c = {5, 6}> "
        "{ a = Add(x, c) y = MatMul(a, w) }"
    ),
)
def add_before(rw: Rewriter, op: Op, inner: Op, x: Value) -> Value:
    """Gemm(x + d, B, C) -> Gemm(x, B, C + d * B); likewise x - d and d - x

    Applies to Gemm, and MatMul of matrices, with constant B and C, if d varies along the columns of x alone and does
    not enlarge x. Computed in float64, rounded once.
    """
    return _before(rw, op, x, _per_column(affine_of(inner, x), x))


@rule(
    P.Gemm(scaling("x", "inner"), P.const(), P.opt("c")).as_("op"),
    numerics=Numerics.ROUNDING,
    since=_GEMM_7,
    example=example(
        "(float[3,2] x) => (float[3,2] y) "
        "<float[2,2] w = {1, 2, 3, 4}, float[2] c = {5, 6}> "
        "{ a = Mul(x, c) y = Gemm(a, w) }"
    ),
)
def scale_before(rw: Rewriter, op: Op, inner: Op, x: Value) -> Value:
    """Gemm(x * d, B, C) -> Gemm(x, d * B, C); likewise / d, and Neg

    Applies to a constant B if d varies along the columns of x alone, or is a scalar, and does not enlarge x. Computed
    in float64, rounded once.
    """
    return _before(rw, op, x, _per_column(affine_of(inner, x), x))


@rule(
    P.Gemm("a", "b", P.const("", 0)).as_("op"),
    numerics=Numerics.ROUNDING,
    since=11,
    example=example(
        "(float[3,2] x) => (float[3,2] y) <float[2,2] w = {1, 2, 3, 4}, float[2] b = {0, 0}> { y = Gemm(x, w, b) }"
    ),
)
def zero_bias(rw: Rewriter, op: Op) -> Value:
    """Gemm(A, B, 0) -> Gemm(A, B)

    Applies to zeros throughout; they can't enlarge the result. The sums may be taken in another order.
    """
    product = Product.of(op)
    return replace(product, c=None).gemm(rw)


@rule(
    P.Gemm(P.Transpose("x").as_("inner").shared(), "b", P.opt("c")).as_("op")
    | P.Gemm("a", P.Transpose("x").as_("inner").shared(), P.opt("c")).as_("op"),
    numerics=Numerics.ROUNDING,
    since=_GEMM_7,
    example=example(
        "(float[2,3] x) => (float[3,2] y) <float[2,2] w = {1, 2, 3, 4}> { a = Transpose(x) y = Gemm(a, w) }"
    ),
)
def transpose_operand(rw: Rewriter, op: Op, inner: Op, x: Value) -> Value:
    """Gemm(Transpose(x), B, C) -> Gemm(x, B, C, transA=1); likewise the second factor

    Applies always: factors of a Gemm are matrices. The sums may be taken in another order.
    """
    return _without_transpose(Product.of(op), inner, x).gemm(rw)


@rule(
    P.MatMul(P.Transpose("x").as_("inner"), "b").as_("op") | P.MatMul("a", P.Transpose("x").as_("inner")).as_("op"),
    numerics=Numerics.ROUNDING,
    since=11,
    example=example(
        "(float[2,3] x) => (float[3,2] y) <float[2,2] w = {1, 2, 3, 4}> { a = Transpose(x) y = MatMul(a, w) }"
    ),
)
def transpose_matmul(rw: Rewriter, op: Op, inner: Op, x: Value) -> Value:
    """MatMul(Transpose(x), B) -> Gemm(x, B, transA=1); likewise the second factor

    Applies to matrices of floating-point numbers. The sums may be taken in another order.
    """
    return _without_transpose(Product.of(op), inner, x).gemm(rw)


def _without_transpose(product: Product, inner: Op, x: Value) -> Product:
    if ops.attribute(inner, "perm") not in (None, (1, 0)):
        raise RejectError(f"{inner.label} exchanges nothing")
    if product.a is inner.result:
        product = replace(product, a=x, transpose_a=not product.transpose_a)
    if product.b is inner.result:
        product = replace(product, b=x, transpose_b=not product.transpose_b)
    return product


def _before(rw: Rewriter, op: Op, x: Value, affine: Affine) -> Value:
    """The product of a map of the columns of its first factor."""
    product = replace(Product.of(op), a=x)
    if product.transpose_a and any(m is not None and m.size != 1 for m in (affine.scale, affine.shift)):
        raise RejectError("the first factor is transposed")
    if affine.shift is not None and affine.shift.any():
        addend, more = product.addend(), product.response(affine.shift)
        product = product.with_addend(rw, more if addend is None else addend + more)
    if affine.scale is not None:
        product = replace(product, b=product.scale_rows(rw, affine.scale))
    return product.gemm(rw)


def _per_column(both: Affine, x: Value) -> Affine:
    shape = shape_of(x)
    if shape is None or len(shape) != 2:
        raise RejectError("it is not known to be a matrix")
    return Affine(along(both.scale, shape, 1), along(both.shift, shape, 1))


def _with_operand(rw: Rewriter, product: Product, c: Value) -> Value:
    if not product.surely_takes(c):
        raise RejectError("what is added may enlarge the result")
    return replace(product, c=c, beta=1.0).gemm(rw)
