"""Movement of elements that NPUs leave to the CPU (ONNX operators Tile, Slice, Pad, SpaceToDepth, Trilu)."""

from __future__ import annotations

import numpy as np

from ...ir import ArrayTensor, DType, Op, Value
from ...ops import operands
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example

_COPIES = 16
"""Copies that are put together at most; more make more layers than a Tile is worth."""


@rule(
    P.Tile("x", P.const("repeats")),
    example=example("(float[2,3,4,4] x) => (float[2,6,4,4] y) <int64[4] r = {1, 2, 1, 1}> { y = Tile(x, r) }"),
)
def tile(rw: Rewriter, x: Value, repeats: Value) -> Value:
    """Tile(x, n along one axis) -> Concat(x, ..., x)

    Applies where one axis alone is repeated, at most 16 times. Exact.
    """
    counts = [int(n) for n in rw.array(repeats)]
    repeated = [axis for axis, n in enumerate(counts) if n != 1]
    if len(repeated) != 1 or not 2 <= counts[repeated[0]] <= _COPIES:
        raise RejectError("not one axis is repeated, or too often")
    result: Value = rw.Concat(*([x] * counts[repeated[0]]), axis=repeated[0])
    return result


@rule(
    P.Slice("x", ...).as_("op"),
    numerics=Numerics.FINITE,
    example=example(
        "(float[1,3,8,8] x) => (float[1,3,4,8] y) <int64[1] s = {0}, int64[1] e = {8}, int64[1] a = {2}, "
        "int64[1] t = {2}> { y = Slice(x, s, e, a, t) }"
    ),
)
def every_other(rw: Rewriter, x: Value, op: Op) -> Value:
    """Slice(x, start, step) along H or W -> Conv(x[start:], 1; groups = C, strides)

    Applies to images of floats of known sizes whose rows or columns are taken in steps from 2 to 8: a depthwise
    convolution with a window of one element and a weight of 1. Exact for finite numbers.
    """
    shape, dtype = rw.shape(x), rw.dtype(x)
    if shape is None or len(shape) != 4 or not all(isinstance(dim, int) for dim in shape):
        raise RejectError("it is no image of known size")
    if dtype not in (DType.FLOAT, DType.FLOAT16):
        raise RejectError("it is not in floating point")
    starts, steps = rw.ints(op, "starts"), rw.ints(op, "steps")
    ends, axes = rw.ints(op, "ends"), rw.ints(op, "axes")
    if starts is None or ends is None or steps is None:
        raise RejectError("the bounds are not constant")
    axes = tuple(a % 4 for a in (axes if axes is not None else range(len(starts))))
    strides, begins, cut = [1, 1], list(starts), list(ends)
    for place, (axis, step) in enumerate(zip(axes, steps)):
        if step == 1:
            continue
        if axis < 2 or not 2 <= step <= 8:
            raise RejectError("the step is not one over rows or columns, from 2 to 8")
        taken = range(shape[axis])[starts[place] : ends[place] : step]
        if not len(taken):
            raise RejectError("nothing is taken")
        strides[axis - 2], begins[place], cut[place] = step, taken[0], taken[-1] + 1
    if strides == [1, 1]:
        raise RejectError("there are no steps")
    whole = all(range(shape[a])[b:c] == range(shape[a]) for a, b, c in zip(axes, begins, cut))
    part = x if whole else rw.Slice(x, begins, cut, list(axes))
    kept = rw.shape(part)
    channels = shape[1] if kept is None else kept[1]
    weight = rw.const(np.ones((channels, 1, 1, 1)), like=x)
    result: Value = rw.Conv(part, weight, group=channels, kernel_shape=[1, 1], strides=strides)
    return result


@rule(
    P.Pad("x", P.const("pads"), ...).as_("op"),
    example=example(
        "(float[1,3,4,8] x) => (float[1,3,4,8] y) <int64[8] p = {0, 0, 0, -2, 0, 0, 0, 2}> { y = Pad(x, p) }"
    ),
)
def crop(rw: Rewriter, x: Value, op: Op) -> Value:
    """Pad(x, pads below 0) -> Pad(Slice(x)), what is cut off first

    Applies where sizes are known and no more is cut off than there is; in modes other than constant, where nothing is
    added. Exact.
    """
    pads, shape = rw.ints(op, "pads"), rw.shape(x)
    if pads is None or shape is None or not all(isinstance(dim, int) for dim in shape):
        raise RejectError("pads or sizes are unknown")
    axes = rw.ints(op, "axes")
    axes = tuple(a % len(shape) for a in (axes if axes is not None else range(len(shape))))
    count = len(axes)
    if min(pads, default=0) >= 0 or len(pads) != 2 * count:
        raise RejectError("nothing is cut off")
    if rw.attr(op, "mode") != "constant" and max(pads) > 0:
        raise RejectError("what is added is made of what is there")
    cut = [(min(a, 0), min(b, 0)) for a, b in zip(pads[:count], pads[count:])]
    ends = [shape[axis] + after for axis, (_, after) in zip(axes, cut)]
    if any(end < -before for end, (before, _) in zip(ends, cut)):
        raise RejectError("more is cut off than there is")
    kept: Value = rw.Slice(x, [-before for before, _ in cut], ends, list(axes))
    if max(pads) <= 0:
        return kept
    whole = [0] * (2 * len(shape))
    for place, axis in enumerate(axes):
        whole[axis], whole[axis + len(shape)] = max(pads[place], 0), max(pads[place + count], 0)
    result: Value = rw.Pad(kept, whole, (*operands(op), None)[2])
    return result


@rule(
    P.SpaceToDepth("x").as_("op"),
    example=example("(float[1,3,4,6] x) => (float[1,12,2,3] y) { y = SpaceToDepth<blocksize = 2>(x) }"),
)
def space_to_depth(rw: Rewriter, x: Value, op: Op) -> Value:
    """SpaceToDepth(x) -> Reshape(Transpose(Reshape(x)))

    Applies where all sizes are known. Exact.
    """
    shape, block = rw.shape(x), rw.attr(op, "blocksize")
    if shape is None or len(shape) != 4 or not all(isinstance(dim, int) for dim in shape):
        raise RejectError("the sizes are unknown")
    n, c, h, w = shape
    split = rw.Reshape(x, [n, c, h // block, block, w // block, block])
    turned = rw.Transpose(split, perm=[0, 3, 5, 1, 2, 4])
    result: Value = rw.Reshape(turned, [n, c * block * block, h // block, w // block])
    return result


@rule(
    P.ConstantOfShape("sizes").as_("op"),
    example=example("(float[2,3] x) => (float[2,3] y) { s = Shape(x) z = ConstantOfShape(s) y = Sub(x, z) }"),
)
def filled(rw: Rewriter, sizes: Value, op: Op) -> Value:
    """ConstantOfShape(sizes) -> ConstantOfShape(sizes; value = 0)

    Writes down the default of the attribute, which compilers look at. Exact.
    """
    if "value" in op.attrs:
        raise RejectError("the value is given")
    result: Value = rw.ConstantOfShape(sizes, value=ArrayTensor(np.zeros(1, np.float32)))
    return result


@rule(
    P.Trilu("x", P.opt(P.const("k"))).as_("op"),
    numerics=Numerics.FINITE,
    example=example("(float[2,4,4] x) => (float[2,4,4] y) { y = Trilu(x) }"),
)
def trilu(rw: Rewriter, x: Value, k: Value | None, op: Op) -> Value:
    """Trilu(x) -> x M, M being 1 in the triangle and 0 elsewhere

    Applies to floats whose matrices have known sizes. Exact for finite numbers.
    """
    shape = rw.shape(x)
    if shape is None or len(shape) < 2 or not all(isinstance(dim, int) for dim in shape[-2:]):
        raise RejectError("the sizes are unknown")
    if rw.dtype(x) not in (DType.FLOAT, DType.FLOAT16, DType.DOUBLE):
        raise RejectError("it is not in floating point")
    diagonal = 0 if k is None else int(rw.array(k).item())
    cut = np.triu if rw.attr(op, "upper") else np.tril
    result: Value = rw.Mul(x, rw.const(cut(np.ones(shape[-2:]), diagonal), like=x))
    return result
