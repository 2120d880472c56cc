"""Resize and Upsample: shape rules."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ..ir import Dim, Op, Shape, Symbol, TensorType, Type, Value
from .contents import dims, entries, length
from .registry import shape_rule
from .shapes import axis_of, fresh, tensor, typed
from .sizes import derive, product
from .view import attribute, operands


@shape_rule("Upsample")
def _upsample(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None or data.shape is None:
        return (None if data is None else TensorType(data.dtype),)
    if "width_scale" in op.attrs:  # Upsample 1
        factors = (1.0, 1.0, attribute(op, "height_scale"), attribute(op, "width_scale"))
        return (typed(data, data.dtype, _scaled(data.shape, range(len(data.shape)), factors)),)
    return (typed(data, data.dtype, _by_scales(data.shape, range(len(data.shape)), operands(op)[1])),)


@shape_rule("Resize")
def _resize(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None or data.shape is None:
        return (None if data is None else TensorType(data.dtype),)
    rank = len(data.shape)
    if op.opset < 11:  # X, scales
        return (typed(data, data.dtype, _by_scales(data.shape, range(rank), op.inputs[1])),)
    axes = attribute(op, "axes")
    axes = range(rank) if axes is None else [axis_of(a, rank) for a in axes]
    sizes = op.input(3)
    if sizes is not None and length(sizes) != 0:
        return (typed(data, data.dtype, _by_sizes(op, data.shape, axes, sizes)),)
    if attribute(op, "coordinate_transformation_mode") == "tf_crop_and_resize":
        # The operator's text multiplies by the extent of the region of interest, runtimes do not.
        return (TensorType(data.dtype, fresh(rank)),)
    return (typed(data, data.dtype, _by_scales(data.shape, axes, op.input(2))),)


def _by_scales(shape: Shape, axes: Sequence[int], scales: Value | None) -> Shape:
    constant = None if scales is None else scales.const
    if constant is None or constant.size != len(axes):
        return tuple(Symbol() if axis in axes else d for axis, d in enumerate(shape))
    return _scaled(shape, axes, constant.numpy().reshape(-1).tolist())


def _scaled(shape: Shape, axes: Sequence[int], factors: Sequence[float]) -> Shape:
    result = list(shape)
    for axis, factor in zip(axes, factors):
        result[axis] = scaled(result[axis], factor)
    return dims(result)


def scaled(size: Dim, factor: float) -> Dim:
    """floor(size * factor) (ONNX Resize), unless single and double precision disagree about it."""
    if factor == 1:
        return size
    if factor == int(factor):
        return product((size, int(factor)))
    if not isinstance(size, int):
        return derive("scaled", size, *Fraction(factor).as_integer_ratio())
    with np.errstate(all="ignore"):
        single = int(np.floor(np.float32(size) * np.float32(factor)))
    return single if single == int(size * factor) else Symbol()


def _by_sizes(op: Op, shape: Shape, axes: Sequence[int], sizes: Value) -> Shape:
    found = entries(sizes)
    result = list(shape)
    policy = attribute(op, "keep_aspect_ratio_policy")
    if found is None or len(found) != len(axes):
        for axis in axes:
            result[axis] = Symbol()
        return tuple(result)
    if policy not in (None, "stretch"):
        return _kept_ratio(shape, axes, found, policy)
    for axis, size in zip(axes, found):
        result[axis] = Symbol() if size is None else size
    return dims(result)


def _kept_ratio(shape: Shape, axes: Sequence[int], sizes: Sequence[Dim | None], policy: str) -> Shape:
    """`keep_aspect_ratio_policy`: one scale for all axes, the smallest or largest, sizes rounded half up."""
    result = list(shape)
    pairs = [(shape[axis], size) for axis, size in zip(axes, sizes)]
    ratios = [Fraction(s, n) for n, s in pairs if isinstance(n, int) and isinstance(s, int) and n]
    for axis in axes:
        size = result[axis]
        result[axis] = Symbol()
        if len(ratios) == len(axes) and isinstance(size, int):
            exact = size * (min(ratios) if policy == "not_larger" else max(ratios))
            if exact.denominator != 2:  # halves are rounded as the runtime's arithmetic has it
                result[axis] = round(exact)
    return tuple(result)
