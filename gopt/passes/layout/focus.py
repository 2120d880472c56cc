"""Slices that take every k-th row and column, put together: SpaceToDepth, and the order of channels that is left."""

from __future__ import annotations

from math import isqrt

import numpy as np

from ...ir import DType, Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._shapes import axis_of, is_private, known_shape
from ._slices import END, indices_of, sliced


@rule(
    P.Concat(P.each("xs")),
    example=example(
        "(float[N,1,4,6] x) => (float[N,4,2,3] y) <int64[2] a = {2, 3}, int64[2] k = {2, 2}, int64[2] e = {4, 6}, "
        "int64[2] s = {0, 0}, int64[2] t = {0, 1}, int64[2] u = {1, 0}, int64[2] v = {1, 1}> "
        "{ p = Slice(x, s, e, a, k) q = Slice(x, u, e, a, k) r = Slice(x, t, e, a, k) z = Slice(x, v, e, a, k) "
        "y = Concat<axis = 1>(p, q, r, z) }"
    ),
)
def space_to_depth(rw: Rewriter, xs: tuple[Value, ...]) -> Value:
    """Concat(x[i::k, j::k] for all i, j) -> SpaceToDepth(x, k), with a Gather of its channels for another order

    Applies to rank 4, the last two axes and all k * k beginnings, each once; the sizes must be multiples of k, or the
    slices would not be of one size. Exact.
    """
    size = isqrt(len(xs))
    if size < 2 or size * size != len(xs) or axis_of(rw.root, xs[0]) != 1:
        raise RejectError("they are not k * k values along the channels")
    starts, source = [], None
    for x in xs:
        op = x.producer
        if op is None or op.op_type != "Slice" or not is_private(x) or source not in (None, op.inputs[0]):
            raise RejectError("they are not all slices of one value, for it alone")
        source = op.inputs[0]
        starts.append(_start(sliced(op, source), known_shape(source), size))
    assert source is not None
    channels = known_shape(source)[1]
    if rw.dtype(source) not in (DType.FLOAT, DType.DOUBLE) or len(set(starts)) < len(starts):
        raise RejectError("the type is one that runtimes do not take, or one slice is there twice")
    result: Value = rw.SpaceToDepth(source, blocksize=size)
    order = np.array([i * size + j for i, j in starts])
    if np.all(order == np.arange(len(order))):
        return result
    if not isinstance(channels, int):
        raise RejectError("the number of channels is not known")
    indices = (order[:, None] * channels + np.arange(channels)).reshape(-1)
    found: Value = rw.Gather(result, rw.const(indices, name="channels"), axis=1)
    return found


def _start(parts: dict[int, tuple[int, int, int]], shape: tuple[object, ...], size: int) -> tuple[int, int]:
    """Where a slice begins that takes every k-th row and column of a value of rank 4.

    Raises:
        RejectError: it is no such slice.
    """
    if len(shape) != 4 or set(parts) != {2, 3}:
        raise RejectError("it is not rows and columns that are sliced")
    for axis, (start, end, step) in parts.items():
        if step != size or not 0 <= start < size or end not in (END, shape[axis]):
            raise RejectError("it is not every k-th row and column to the end")
    return parts[2][0], parts[3][0]


@rule(
    P.Conv(P.Gather("x", P.const("channels"), axis=1).as_("gather").shared(), P.const("w"), P.opt("b"), group=1).as_(
        "conv"
    ),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[N,2,3,3] x) => (float[N,1,3,3] y) <int64[2] c = {1, 0}, float[1,2,1,1] w = {2, 3}> "
        "{ a = Gather<axis = 1>(x, c) y = Conv(a, w) }"
    ),
)
def into_conv(rw: Rewriter, conv: Op, x: Value, channels: Value, w: Value, b: Value | None) -> Value:
    """Conv(Gather(x, order of channels), W) -> Conv(x, W in the order before)

    Applies if the Gather takes each channel once. The terms are added in another order.
    """
    order = indices_of(channels)
    count = known_shape(x)[1] if len(known_shape(x)) > 1 else None
    if order.ndim != 1 or count != order.size:
        raise RejectError("it does not take each channel once")
    order = np.where(order < 0, order + order.size, order)
    if np.any(np.sort(order) != np.arange(order.size)):
        raise RejectError("it does not take each channel once")
    weights = np.ascontiguousarray(rw.array(w)[:, np.argsort(order)])
    found: Value = rw.Conv(x, rw.const(weights, name=w.name), b, name=conv.name, **rw.copy_attrs(conv))
    return found
