"""Sums: terms that cancel, and factors that terms have in common."""

from __future__ import annotations

import numpy as np

from ...ir import Array, DType, Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._affine import FLOATS, affine_of, dtype_of, rounded, scaling, shape_of

_SUM = P.Add | P.Sub


@rule(
    _SUM(scaling("x", "left"), scaling("x", "right"))
    | _SUM(scaling("x", "left"), "x")
    | P.Sub("x", scaling("x", "right")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3] x) => (float[3] y) <float c = {2}, float d = {3}> { a = Mul(x, c) b = Mul(x, d) y = Add(a, b) }"
    ),
)
def multiples(rw: Rewriter, x: Value, left: Op | None, right: Op | None) -> Value:
    """x * c + x * d -> x * (c + d); likewise / c, Neg, x alone, and differences

    Applies to floating-point numbers if the new constant is no larger than the larger of the two. Computed in float64,
    rounded once.
    """
    dtype, root = dtype_of(x), rw.root
    if dtype not in FLOATS or dtype is None:
        raise RejectError("they are no floating-point numbers")
    assert root is not None
    first, second = (_scale(op, x) for op in (left, right))
    sign = -1.0 if root.op_type == "Sub" else 1.0
    try:
        made: Array = np.asarray(first + sign * second)
    except ValueError:
        raise RejectError("the constants do not broadcast") from None
    if made.size > max(first.size, second.size):
        raise RejectError("the constant would become larger")
    result: Value = rw.Mul(x, rw.const(rounded(made, dtype, is_factor=True), name="scale"))
    return result


@rule(
    _SUM(P.Mul("a", "c").as_("left"), P.Mul("b", "c").as_("right"))
    | _SUM(P.Div("a", "c").as_("left"), P.Div("b", "c").as_("right")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3] x, float[3] z, float[3] c) => (float[3] y) { a = Mul(x, c) b = Mul(c, z) y = Add(a, b) }"
    ),
)
def common_factor(rw: Rewriter, left: Op, right: Op, a: Value, b: Value, c: Value) -> Value:
    """a * c + b * c -> (a + b) * c; likewise differences, and quotients by c

    Applies to floating-point numbers of 32 bits or more: of fewer, a + b might overflow. a and b must be of one known
    shape, or c of one element: the sum is then no larger than the products were.
    """
    root = rw.root
    assert root is not None
    if left is right:
        raise RejectError("there is one product only")
    if dtype_of(a) not in (DType.FLOAT, DType.DOUBLE):
        raise RejectError("the sum may overflow")
    shape = shape_of(a)
    is_one = c.const is not None and c.const.size == 1
    if not is_one and (shape is None or shape != shape_of(b)):
        raise RejectError("the sum may be larger than its terms")
    result: Value = rw.op(left.op_type, rw.op(root.op_type, a, b), c)
    return result


@rule(
    P.Add("x", P.Sub("y", "x")) | P.Sub(P.Add("x", "y"), "x") | P.Sub("x", P.Sub("x", "y")),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x) => (float[3] z) { y = Floor(x) d = Sub(y, x) a = Add(x, d) z = Neg(a) }"),
)
def cancelled(rw: Rewriter, x: Value, y: Value) -> Value:
    """x + (y - x) -> y; likewise (x + y) - x and x - (x - y)

    Applies if y has the type and shape of the result. Rounding in training is often written so: what it adds is
    constant to the gradient. A large x rounds y, which it now does not. No constant may stand for x or y: adding a
    large one and taking it away again rounds on purpose.
    """
    root = rw.root
    assert root is not None
    if x.const is not None or y.const is not None:
        raise RejectError("a constant may be there to round")
    if y.type is None or shape_of(y) is None or y.type != root.result.type:
        raise RejectError("the result may differ from y in shape")
    return y


def _scale(op: Op | None, x: Value) -> Array:
    scale = None if op is None else affine_of(op, x).scale
    return np.ones(()) if scale is None else scale
