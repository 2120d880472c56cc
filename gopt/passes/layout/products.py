"""Products of matrices between Reshapes that merge leading dims and part them again: a MatMul does both itself."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...ir import Op, Shape, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._shapes import RESHAPES, infers, is_private, known_shape, reshaped

_RESHAPES = P.op(*RESHAPES)
_flat = _RESHAPES("x", ...).as_("flat").shared()


@rule(
    _RESHAPES(P.MatMul(_flat, "w").as_("product"), ...).as_("outer")
    | _RESHAPES(P.Gemm(_flat, "w", P.opt("c"), transA=0, alpha=1.0).as_("product"), ...).as_("outer"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[N,3,4] x, float[4,5] w) => (float[N,3,5] y) <int64[2] flat = {-1, 4}, int64[3] wide = {-1, 3, 5}> "
        "{ a = Reshape(x, flat) p = MatMul(a, w) y = Reshape(p, wide) }"
    ),
)
def rows(rw: Rewriter, outer: Op, product: Op, flat: Op, x: Value, w: Value, c: Value | None) -> Value:
    """Reshape(Gemm(Reshape(x), W, c)) -> MatMul(x, W) + c, likewise of MatMul; maybe MatMul(Reshape(x), W)

    Applies if the second Reshape parts the rows of the product alone, and there are fewer ops afterwards: no bias, or
    one for the columns, and no other use of the first Reshape but by such products. Where x does not have just those
    rows it is reshaped to them. A weight that is transposed must be constant. Runtimes may add the terms in another
    order.
    """
    matrix, weight, after = known_shape(flat.result), known_shape(w), known_shape(outer.result)
    is_transposed = product.op_type == "Gemm" and ops.attribute(product, "transB") == 1
    if len(matrix) != 2 or len(weight) != 2 or len(after) < 3 or after[-1] != weight[0 if is_transposed else 1]:
        raise RejectError("it is not the rows of a matrix that are parted")
    rows = reshaped(rw, x, (*after[:-1], matrix[-1]), infers(flat) or infers(outer))
    if rows is not x and (c is not None or not is_private(flat.result)):
        raise RejectError("there would be as many ops")
    if c is not None:
        _check_bias(rw, product, flat, c)
    if is_transposed:
        if w.const is None:
            raise RejectError("the weight is transposed, and not constant")
        w = rw.const(np.ascontiguousarray(rw.array(w).T), name=w.name)
    result: Value = rw.MatMul(rows, w, name=product.name)
    if c is not None:
        result = rw.Add(result, c)
    return result


def _check_bias(rw: Rewriter, product: Op, flat: Op, c: Value) -> None:
    """Raise RejectError unless an Add can do what the Gemm does with its bias, and the Reshape before it goes."""
    shape = known_shape(c)
    if rw.attr(product, "beta") != 1.0 or len(shape) > 2 or (len(shape) == 2 and shape[0] != 1):
        raise RejectError("the bias is scaled, or not for the columns")
    for use in flat.result.uses:
        if use.op.op_type not in ("Gemm", "MatMul") or use.slot != 0 or not is_private(use.op.result):
            raise RejectError("the first Reshape is used elsewhere")
        if use.op.result.uses[0].op.op_type not in RESHAPES:
            raise RejectError("another product of the first Reshape needs it")
    if flat.result.is_output:
        raise RejectError("the first Reshape is an output")


@rule(
    _RESHAPES(
        P.MatMul(_RESHAPES("a", ...).as_("left").shared(), _RESHAPES("b", ...).as_("right").shared()).as_("product"),
        ...,
    ).as_("outer"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[N,2,3,4] a, float[N,2,4,5] b) => (float[N,2,3,5] y) "
        "<int64[3] left = {-1, 3, 4}, int64[3] right = {-1, 4, 5}, int64[4] wide = {-1, 2, 3, 5}> "
        "{ p = Reshape(a, left) q = Reshape(b, right) m = MatMul(p, q) y = Reshape(m, wide) }"
    ),
)
def batches(rw: Rewriter, outer: Op, product: Op, left: Op, right: Op, a: Value, b: Value) -> Value:
    """Reshape(MatMul(Reshape(a), Reshape(b))) -> MatMul(a, b)

    Applies if the Reshapes merge the leading dims of a and b, which must be the same, and part them again: the same
    matrices are multiplied. Runtimes may add the terms in another order.
    """
    first, second = known_shape(a), known_shape(b)
    if min(len(first), len(second)) < 3 or first[:-2] != second[:-2]:
        raise RejectError("the leading dims differ")
    if not _keeps_matrices(left, first) or not _keeps_matrices(right, second):
        raise RejectError("other dims are merged than the leading ones")
    if known_shape(outer.result) != (*first[:-1], second[-1]):
        raise RejectError("the leading dims are not parted as they were")
    result: Value = rw.MatMul(a, b, name=product.name)
    return result


def _keeps_matrices(reshape: Op, before: Shape) -> bool:
    """True if the last two dims, and at least one before them, come out as they go in."""
    after = known_shape(reshape.result)
    return len(after) == 3 and after[-2:] == before[-2:]
