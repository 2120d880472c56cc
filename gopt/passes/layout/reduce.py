"""Reductions whose dims of 1 come or go behind them, and reductions of reductions."""

from __future__ import annotations

from typing import Any

from ... import ops
from ...ir import Op, Shape, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._shapes import RESHAPES, counted, known_shape, without

_REDUCTIONS = tuple(
    f"Reduce{name}" for name in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
)
_ARGUMENTS = ("ArgMax", "ArgMin")
_reduced = P.op(*_REDUCTIONS, *_ARGUMENTS)("x", ...).as_("reduction")


@rule(
    P.op(*RESHAPES)(_reduced, ...).as_("reshape"),
    example=example(
        "(float[N,3,4] x) => (float[N,4] y) <int64[1] axis = {1}> { a = ReduceMax(x, axis) y = Squeeze(a, axis) }"
    ),
)
def keepdims(rw: Rewriter, reshape: Op, reduction: Op, x: Value) -> Value:
    """Squeeze(ReduceSum(x, axes, keepdims=1), axes) -> ReduceSum(x, axes, keepdims=0), Unsqueeze the other way round

    Applies to every Reduce operator, ArgMax and ArgMin, and to Reshape and Flatten that do the same, if all axes that
    are reduced come or go and no others. Exact: the numbers are the same.
    """
    axes = _axes(reduction, x)
    kept = rw.attr(reduction, "keepdims")
    if not _takes(reshape, axes, known_shape(x), kept):
        raise RejectError("other axes come or go than those that are reduced")
    return _again(rw, reduction, x, None, 1 - kept)


def _takes(reshape: Op, axes: tuple[int, ...], before: Shape, kept: int) -> bool:
    """True if the op removes (if they are kept) or puts back just these axes of size 1."""
    listed = ops.ints(reshape, "axes") if reshape.op_type in ("Squeeze", "Unsqueeze") else None
    if reshape.op_type == ("Squeeze" if kept else "Unsqueeze") and listed:
        return counted(listed, len(before)) == axes
    bare = tuple(1 if k in axes else d for k, d in enumerate(before))
    return known_shape(reshape.result) == (without(bare, axes) if kept else bare)


def _axes(reduction: Op, x: Value) -> tuple[int, ...]:
    """The axes that are reduced, counted from the front.

    Raises:
        RejectError: they are not known, or there are none.
    """
    rank = len(known_shape(x))
    if reduction.op_type in _ARGUMENTS:
        return counted((ops.attribute(reduction, "axis"),), rank)
    axes = ops.ints(reduction, "axes")
    if axes is None and ops.has_operand(reduction, "axes"):
        raise RejectError("the axes are not constant")
    if not axes and ops.attribute(reduction, "noop_with_empty_axes"):
        raise RejectError("nothing is reduced")
    return counted(axes or range(rank), rank)


def _again(rw: Rewriter, reduction: Op, x: Value, axes: tuple[int, ...] | None, kept: int) -> Value:
    """The same reduction over other axes (None: the same), with or without its dims of 1."""
    attrs: dict[str, Any] = {n: a for n, a in reduction.attrs.items() if n not in ("axes", "keepdims")} | {
        "keepdims": kept
    }
    result: Value
    if reduction.op_type in _ARGUMENTS:
        result = rw.op(reduction.op_type, x, name=reduction.name, **attrs)
    elif axes is None:
        result = rw.op(reduction.op_type, x, *ops.operands(reduction)[1:], name=reduction.name, **attrs)
    else:
        result = rw.op(reduction.op_type, x, list(axes), name=reduction.name, **attrs)
    return result


@rule(
    P.ReduceMax(P.ReduceMax("x", ...).as_("inner"), ...).as_("outer")
    | P.ReduceMin(P.ReduceMin("x", ...).as_("inner"), ...).as_("outer"),
    numerics=Numerics.FINITE,
    example=example(
        "(float[N,3,4] x) => (float[N] y) <int64[1] last = {2}, int64[1] axis = {1}> "
        "{ a = ReduceMax<keepdims = 0>(x, last) y = ReduceMax<keepdims = 0>(a, axis) }"
    ),
)
def extremes(rw: Rewriter, outer: Op, inner: Op, x: Value) -> Value:
    """ReduceMax(ReduceMax(x, a), b) -> ReduceMax(x, a + b), likewise ReduceMin

    Applies if the dims of 1 are kept by both or by neither. Equal but for NaN, which some runtimes pass over, and the
    sign of zero.
    """
    return _merged(rw, outer, inner, x)


@rule(
    P.ReduceSum(P.ReduceSum("x", ...).as_("inner"), ...).as_("outer")
    | P.ReduceMean(P.ReduceMean("x", ...).as_("inner"), ...).as_("outer")
    | P.ReduceProd(P.ReduceProd("x", ...).as_("inner"), ...).as_("outer"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[N,3,4] x) => (float[N] y) <int64[1] last = {2}, int64[1] axis = {1}> "
        "{ a = ReduceSum<keepdims = 0>(x, last) y = ReduceSum<keepdims = 0>(a, axis) }"
    ),
)
def sums(rw: Rewriter, outer: Op, inner: Op, x: Value) -> Value:
    """ReduceSum(ReduceSum(x, a), b) -> ReduceSum(x, a + b), likewise ReduceMean and ReduceProd

    Applies if the dims of 1 are kept by both or by neither; a mean of equally many numbers each is the mean of all. Not
    to means of integers, which are rounded each time. Numbers are added or multiplied in another order.
    """
    dtype = rw.dtype(x)
    if outer.op_type == "ReduceMean" and (dtype is None or not dtype.is_float):
        raise RejectError("a mean of integers is rounded")
    return _merged(rw, outer, inner, x)


def _merged(rw: Rewriter, outer: Op, inner: Op, x: Value) -> Value:
    kept = rw.attr(inner, "keepdims")
    if rw.attr(outer, "keepdims") != kept:
        raise RejectError("one keeps its dims of 1, the other does not")
    first, second = _axes(inner, x), _axes(outer, inner.result)
    rank = len(known_shape(x))
    left = range(rank) if kept else [a for a in range(rank) if a not in first]
    return _again(rw, outer, x, counted({*first, *(left[a] for a in second)}, rank), kept)
