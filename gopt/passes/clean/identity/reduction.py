"""Reductions that have nothing to reduce."""

from __future__ import annotations

from ....ir import Value
from ....ops import has_operand
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ._facts import example, shape_of


@rule(
    P.op("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd")("x", ...),
    example=example("(float[2,3] x) => (float[2,3] y) { a = ReduceSum<noop_with_empty_axes = 1>(x) y = Neg(a) }"),
)
def no_axes(rw: Rewriter, x: Value) -> Value:
    """ReduceSum(x, no axes, noop_with_empty_axes=1) -> x, likewise ReduceMean, ReduceMax, ReduceMin and ReduceProd

    Exact: the attribute's clause says that the result is the operand.
    """
    if rw.attr(rw.root, "noop_with_empty_axes") != 1:
        raise RejectError("no axes are all axes")
    if has_operand(rw.root, "axes") and rw.ints(rw.root, "axes") != ():
        raise RejectError("there may be axes")
    return x


@rule(
    P.op("ReduceMax", "ReduceMin", "ReduceProd")("x", ..., keepdims=1),
    example=example(
        "(float[2,1] x) => (float[2,1] y) <int64[1] axes = {1}> { a = ReduceMax(x, axes) y = Neg(a) }",
    ),
)
def unit_axes(rw: Rewriter, x: Value) -> Value:
    """ReduceMax(x, axes of size 1) -> x, likewise ReduceMin and ReduceProd

    Applies if the dims are kept. Exact: the largest of one number is the number, and so is the product with 1.
    """
    _refuse_more_than_one(rw, x)
    return x


@rule(
    P.op("ReduceSum", "ReduceMean")("x", ..., keepdims=1),
    numerics=Numerics.FINITE,
    example=example(
        "(float[2,1] x) => (float[2,1] y) <int64[1] axes = {1}> { a = ReduceSum(x, axes) y = Neg(a) }",
    ),
)
def sum_over_unit_axes(rw: Rewriter, x: Value) -> Value:
    """ReduceSum(x, axes of size 1) -> x, likewise ReduceMean

    Applies if the dims are kept. Equal but for -0, of which a sum that starts from 0 makes 0.
    """
    _refuse_more_than_one(rw, x)
    return x


def _refuse_more_than_one(rw: Rewriter, x: Value) -> None:
    """Raise RejectError unless every axis that is reduced has a size of 1."""
    shape = shape_of(x)
    if shape is None:
        raise RejectError("the rank is not known")
    axes = rw.ints(rw.root, "axes")
    if axes is None and has_operand(rw.root, "axes"):
        raise RejectError("the axes are not constant")
    if not axes:
        axes = tuple(range(len(shape)))
    if not all(-len(shape) <= a < len(shape) and shape[a] == 1 for a in axes):
        raise RejectError("an axis may have more than one element")
