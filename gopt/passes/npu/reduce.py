"""Reductions that NPUs lack or leave to the CPU, by others (ONNX operators ReduceSumSquare, ReduceMax, ...)."""

from __future__ import annotations

from functools import reduce

from ...ir import DType, Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._types import FLOATS

_PARTS = 8
"""The longest axis that is multiplied up part by part."""


def _axes(rw: Rewriter, op: Op, rank: int | None = None) -> tuple[int, ...]:
    """The axes that are reduced, none negative."""
    x = op.input(0)
    shape = None if x is None else rw.shape(x)
    if shape is None or (rank is not None and len(shape) != rank):
        raise RejectError("the rank is unknown or another")
    axes = rw.ints(op, "axes")
    if axes is None and len(op.inputs) > 1 and op.inputs[1] is not None:
        raise RejectError("the axes are not constant")
    if not axes:
        if rw.attr(op, "noop_with_empty_axes"):
            raise RejectError("nothing is reduced")
        return tuple(range(len(shape)))
    return tuple(sorted(axis % len(shape) for axis in axes))


def _sum(rw: Rewriter, x: Value, op: Op, axes: tuple[int, ...]) -> Value:
    result: Value = rw.ReduceSum(x, list(axes), keepdims=rw.attr(op, "keepdims"))
    return result


@rule(
    P.ReduceSumSquare("x", ...).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3,4,4] x) => (float[2,1,4,4] y) { y = ReduceSumSquare<axes = [1]>(x) }", opset=13),
)
def sum_square(rw: Rewriter, x: Value, op: Op) -> Value:
    """ReduceSumSquare(x) -> ReduceSum(x x)

    Rounds the squares.
    """
    return _sum(rw, rw.Mul(x, x), op, _axes(rw, op))


@rule(
    P.ReduceL1("x", ...).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3,4,4] x) => (float[2,1,4,4] y) { y = ReduceL1<axes = [1]>(x) }", opset=13),
)
def l1(rw: Rewriter, x: Value, op: Op) -> Value:
    """ReduceL1(x) -> ReduceSum(Abs(x))

    Adds up in the order that ReduceSum takes.
    """
    return _sum(rw, rw.Abs(x), op, _axes(rw, op))


@rule(
    P.ReduceLogSum("x", ...).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3,4,4] x) => (float[2,1,4,4] y) { y = ReduceLogSum<axes = [1]>(x) }", opset=13),
)
def log_sum(rw: Rewriter, x: Value, op: Op) -> Value:
    """ReduceLogSum(x) -> Log(ReduceSum(x))

    Rounds the sum, as the definition does.
    """
    result: Value = rw.Log(_sum(rw, x, op, _axes(rw, op)))
    return result


@rule(
    P.ReduceProd("x", ...).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3,4,4] x) => (float[2,1,4,4] y) { y = ReduceProd<axes = [1]>(x) }", opset=13),
)
def product(rw: Rewriter, x: Value, op: Op) -> Value:
    """ReduceProd(x; an axis) -> the product of the parts of Split(x; that axis)

    Applies to floats and one axis of a known size from 2 to 8. Rounds in another order.
    """
    axes, shape = _axes(rw, op), rw.shape(x) or ()
    size = shape[axes[0]] if len(axes) == 1 else None
    if rw.dtype(x) not in FLOATS or not isinstance(size, int) or not 2 <= size <= _PARTS:
        raise RejectError("it is not in floating point, or there is not one short axis")
    parts = rw.Split(x, [1] * size, axis=axes[0], outputs=size)
    result: Value = reduce(lambda a, b: rw.Mul(a, b), parts)
    return result if rw.attr(op, "keepdims") else rw.Squeeze(result, list(axes))


@rule(
    P.ReduceMax("x", ...).as_("op"),
    numerics=Numerics.FINITE,
    example=example("(float[2,3,4,4] x) => (float[2,3,1,1] y) { y = ReduceMax<axes = [2, 3]>(x) }", opset=13),
)
def spatial_max(rw: Rewriter, x: Value, op: Op) -> Value:
    """ReduceMax(x; H, W) -> GlobalMaxPool(x)

    Applies to images of floats [N,C,H,W] that are not empty, keeping dims. Exact but for NaN, which pools pass over.
    """
    if rw.dtype(x) not in (DType.FLOAT, DType.FLOAT16) or not rw.attr(op, "keepdims") or _axes(rw, op, 4) != (2, 3):
        raise RejectError("it is no maximum of images")
    _not_empty(rw, x)
    result: Value = rw.GlobalMaxPool(x)
    return result


@rule(
    P.ReduceMax("x", ...).as_("op"),
    numerics=Numerics.FINITE,
    example=example("(float[2,3,4,4] x) => (float[2,1,4,4] y) { y = ReduceMax<axes = [1]>(x) }", opset=13),
)
def channel_max(rw: Rewriter, x: Value, op: Op) -> Value:
    """ReduceMax(x; C) -> Transpose(MaxPool(Transpose(x)))

    Applies to images of floats [N,C,H,W] of known sizes, keeping dims: channels and rows change places, and a window
    that covers all channels goes over the columns one by one. Exact but for NaN.
    """
    if rw.dtype(x) not in (DType.FLOAT, DType.FLOAT16) or not rw.attr(op, "keepdims") or _axes(rw, op, 4) != (1,):
        raise RejectError("it is no maximum over channels")
    channels = _not_empty(rw, x)[1]
    turned = rw.Transpose(x, perm=[0, 2, 1, 3])
    pooled = rw.MaxPool(turned, kernel_shape=[channels, 1], strides=[channels, 1])
    result: Value = rw.Transpose(pooled, perm=[0, 2, 1, 3])
    return result


def _not_empty(rw: Rewriter, x: Value) -> tuple[int, ...]:
    shape = rw.shape(x) or ()
    if not all(isinstance(dim, int) and dim > 0 for dim in shape):
        raise RejectError("the sizes are unknown")
    return shape
