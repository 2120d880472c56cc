"""Slice, Pad and CenterCropPad: windows of a tensor, smaller or larger than it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ir import Array, Dim, Op, Symbol, TensorType, Type
from .bounds import bounds, is_size
from .contents import dims, entries, numbers
from .evaluate import Call, NoKernel
from .registry import kernel, shape_rule
from .shapes import axis_of, fresh, tensor, typed
from .sizes import as_size, ceil_div, derive, difference, maximum, minimum, total
from .view import attribute, operands

_BEYOND = (1 << 31) - 1  # what exporters write for "to the end", 32- or 64-bit


@shape_rule("Slice")
def _slice(op: Op) -> Sequence[Type | None]:
    given = operands(op)
    data = tensor(given[0])
    if data is None or data.shape is None:
        return (None if data is None else TensorType(data.dtype),)
    rank = len(data.shape)
    starts, ends = entries(given[1]), entries(given[2])
    axes: Sequence[int] | None = numbers(given[3]) if len(given) > 3 else None
    if axes is None:
        known = starts or ends
        if (len(given) > 3 and given[3] is not None) or known is None:
            return (TensorType(data.dtype, fresh(rank)),)
        axes = range(len(known))
    steps: Sequence[Dim | None] = (1,) * len(axes)
    if len(given) > 4 and given[4] is not None:
        steps = entries(given[4]) or (None,) * len(axes)
    starts, ends = starts or (None,) * len(axes), ends or (None,) * len(axes)
    if not len(axes) == len(starts) == len(ends) == len(steps):
        raise ValueError("starts, ends, axes and steps of different lengths")
    shape = list(data.shape)
    for axis, start, end, step in zip(axes, starts, ends, steps):
        place = axis_of(axis, rank)
        shape[place] = sliced(shape[place], start, end, step)
    return (typed(data, data.dtype, tuple(shape)),)


def sliced(size: Dim, start: Dim | None, end: Dim | None, step: Dim | None) -> Dim:
    """How many elements of a dim a slice takes (ONNX Slice-13: out-of-range bounds are clamped).

    Raises:
        ValueError: the step is 0.
    """
    if step == 0:
        raise ValueError("a step of 0")
    if not isinstance(step, int) or start is None or end is None:
        return Symbol()
    if isinstance(start, int) and isinstance(end, int):
        if isinstance(size, int):
            if disputed(size, start, end, step):
                return Symbol()
            return len(range(*slice(start, end, step).indices(size)))
        everything = (step == 1 and start == 0 and end >= _BEYOND) or (
            step == -1 and (start == -1 or start >= _BEYOND) and end <= -_BEYOND
        )
        if everything:
            return size
        if start == end and step > 0:
            return 0
    if step < 0:
        return derive("slice", size, start, end, step)
    first, last = _clamped(start, size), _clamped(end, size)
    if first is None or last is None:
        return derive("slice", size, start, end, step)
    return as_size(ceil_div(difference(last, first), step))


def _clamped(bound: Dim, size: Dim) -> Dim | None:
    """Where a bound of a forward slice lies; None if it is not known whether it counts from the end."""
    if is_size(bound):
        return size if type(bound) is int and bound >= _BEYOND else minimum(bound, size)
    high = bounds(bound)[1]
    return None if high is None or high >= 0 else maximum(total((size, bound)), 0)


def disputed(size: int, start: int, end: int, step: int) -> bool:
    """Whether runtimes differ in what a slice takes; only backward slices do.

    A start before the first element is clamped to it by the operator's text and takes nothing in numpy. An end of
    INT32_MAX or INT64_MAX is clamped to the last element by the text; ONNX Runtime takes it as "to the end", that is
    everything down to the first element.
    """
    return step < 0 and (start < -size or end >= _BEYOND)


@kernel("Slice")
def _slice_kernel(call: Call) -> Array:
    data, starts, ends = call[0], call.ints(1) or (), call.ints(2) or ()
    axes = call.ints(3) or tuple(range(len(starts)))
    steps = call.ints(4) or (1,) * len(starts)
    if not len(axes) == len(starts) == len(ends) == len(steps) or 0 in steps:
        raise NoKernel("starts, ends, axes and steps that do not fit together")
    index = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps):
        place = axis_of(axis, data.ndim)
        if disputed(data.shape[place], start, end, step):
            raise NoKernel("a backward slice with bounds out of range: runtimes differ")
        index[place] = slice(start, end, step)
    return np.asarray(data[tuple(index)], order="C")


# -- Pad ---------------------------------------------------------------------------------------------------------------


@shape_rule("Pad")
def _pad(op: Op) -> Sequence[Type | None]:
    given = operands(op)
    data = tensor(given[0])
    if data is None or data.shape is None:
        return (None if data is None else TensorType(data.dtype),)
    shape = list(data.shape)
    axes: Sequence[int] | None = numbers(given[3]) if len(given) > 3 else None
    if axes is None:
        if len(given) > 3 and given[3] is not None:
            return (TensorType(data.dtype, fresh(len(shape))),)
        axes = range(len(shape))
    pads = entries(given[1]) or (None,) * (2 * len(axes))
    if len(pads) != 2 * len(axes):
        raise ValueError("two pads an axis are needed")
    for axis, before, after in zip(axes, pads, pads[len(axes) :]):
        place = axis_of(axis, len(shape))
        shape[place] = Symbol() if before is None or after is None else total((shape[place], before, after))
    return (typed(data, data.dtype, dims(shape)),)


@kernel("Pad")
def _pad_kernel(call: Call) -> Array:
    data, pads = call[0], call.ints(1) or ()
    axes = call.ints(3)
    axes = tuple(range(data.ndim)) if axes is None else tuple(axis_of(a, data.ndim) for a in axes)
    mode = call.attribute("mode")
    if len(pads) != 2 * len(axes) or len(set(axes)) != len(axes):
        raise NoKernel("two pads an axis are needed")
    widths = [(0, 0)] * data.ndim
    for place, axis in enumerate(axes):
        widths[axis] = (pads[place], pads[place + len(axes)])
    if mode == "constant":
        return pad_constant(data, widths, call.get(2))
    if any(min(w) < 0 or (max(w) > 0 and not n) for w, n in zip(widths, data.shape)):
        raise NoKernel(f"negative pads in mode {mode}: runtimes differ")
    if mode == "reflect" and any(max(w) >= max(n, 1) for w, n in zip(widths, data.shape)):
        raise NoKernel("reflection of more than there is")
    if mode == "wrap" and any(max(w) > n for w, n in zip(widths, data.shape)):
        raise NoKernel("wrapping more than once")
    return np.pad(data, widths, mode=mode)


def pad_constant(data: Array, widths: Sequence[tuple[int, int]], filler: Array | None = None) -> Array:
    """The array with a border of one value (default 0, or the empty string); negative widths crop."""
    shape = [n + a + b for n, (a, b) in zip(data.shape, widths)]
    if any(n + min(a, 0) + min(b, 0) < 0 for n, (a, b) in zip(data.shape, widths)):
        raise NoKernel("pads crop more than there is")
    value = filler.reshape(-1)[0] if filler is not None else b"" if data.dtype.kind == "O" else data.dtype.type(0)
    result = np.full(shape, value, data.dtype)
    inner = [slice(max(a, 0), max(a, 0) + n + min(a, 0) + min(b, 0)) for n, (a, b) in zip(data.shape, widths)]
    kept = [slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(data.shape, widths)]
    if all(s.stop > s.start for s in inner):
        result[tuple(inner)] = data[tuple(kept)]
    return result


# -- CenterCropPad -----------------------------------------------------------------------------------------------------


@shape_rule("CenterCropPad")
def _center_crop_pad(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None or data.shape is None:
        return (None if data is None else TensorType(data.dtype),)
    shape = list(data.shape)
    axes = attribute(op, "axes")
    axes = range(len(shape)) if axes is None else axes
    wanted = entries(op.inputs[1]) or (None,) * len(axes)
    if len(wanted) != len(axes):
        raise ValueError("a size an axis is needed")
    for axis, size in zip(axes, wanted):
        shape[axis_of(axis, len(shape))] = Symbol() if size is None else size
    return (typed(data, data.dtype, dims(shape)),)


@kernel("CenterCropPad")
def _center_crop_pad_kernel(call: Call) -> Array:
    data, wanted = call[0], call.ints(1) or ()
    axes = call.attribute("axes")
    axes = range(data.ndim) if axes is None else axes
    widths = [(0, 0)] * data.ndim
    for axis, size in zip(axes, wanted, strict=True):
        place = axis_of(axis, data.ndim)
        missing = size - data.shape[place]
        # An odd remainder is padded at the end, and cropped at the end.
        before = missing // 2 if missing >= 0 else -(-missing // 2)
        widths[place] = (before, missing - before)
    return pad_constant(data, widths)
