"""Kernels of Resize: which pixels a resized axis takes, and how it mixes them (ONNX operator Resize, "coordinate")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from ..ir import Array
from .evaluate import Call, NoKernel
from .registry import kernel
from .shapes import axis_of

_Axis = tuple[int, int, Fraction]
"""Its size, the size it becomes, and the scale."""


@kernel("Resize")
def _resize(call: Call) -> Array:
    data = call[0]
    given = call.attribute("axes")
    axes = range(data.ndim) if given is None else [axis_of(a, data.ndim) for a in given]
    if call.op.opset < 11 or call.attribute("antialias"):
        raise NoKernel("filters are left to the runtime")
    if call.attribute("keep_aspect_ratio_policy") not in (None, "stretch"):
        raise NoKernel("kept ratios are left to the runtime")
    resized = {axis: size for axis, size in zip(axes, _sizes(call, data, axes)) if size[2] != 1 or size[0] != size[1]}
    if call.attribute("mode") == "nearest":
        for axis, size in resized.items():
            data = np.take(data, _nearest(call, size), axis)
        return data
    if data.dtype not in (np.float32, np.float64):
        raise NoKernel("interpolation of numbers of this type is left to the runtime")
    mix = {"linear": _linear, "cubic": _cubic}.get(call.attribute("mode"))
    if mix is None or len(resized) > 3 or (mix is _cubic and len(resized) > 2):
        raise NoKernel("it is no interpolation that runtimes know")
    found = data.astype(np.float64)
    for axis, size in resized.items():
        found = np.moveaxis(np.tensordot(mix(call, size), found, (1, axis)), 0, axis)
    return found.astype(data.dtype)


def _sizes(call: Call, data: Array, axes: Sequence[int]) -> list[_Axis]:
    """What becomes of each axis that is listed.

    Raises:
        NoKernel: it is not said, or an axis has no elements.
    """
    scales, sizes = call.get(2), call.ints(3)
    before = [data.shape[axis] for axis in axes]
    if 0 in before or (sizes and 0 in sizes):
        raise NoKernel("there are no elements")
    if sizes:
        return [(n, after, Fraction(after, n)) for n, after in zip(before, sizes)]
    if scales is None or scales.size != len(axes):
        raise NoKernel("neither scales nor sizes")
    given = [Fraction(s) for s in scales.reshape(-1).tolist()]
    return [(n, int(n * s), s) for n, s in zip(before, given)]


def _coordinates(call: Call, axis: _Axis, real: Callable[[float], np.floating], multiply: bool) -> Array:
    """Where the elements of a resized axis lie on the old one, computed as a runtime might.

    Args:
        real: the type that it computes in.
        multiply: it multiplies by the reciprocal of the scale.
    """
    before, after, scale = axis
    mode = call.attribute("coordinate_transformation_mode")
    if mode == "align_corners":
        if before * scale != after:  # onnx's reference counts with the fraction that the scale gives, runtimes do not
            raise NoKernel("corners of a size that is not whole are left to the runtime")
        step = real(before - 1) / real(max(after - 1, 1))
        places = np.arange(after).astype(type(step))
        exact: Array = places * step if multiply else places * real(before - 1) / real(max(after - 1, 1))
        return exact
    if mode not in ("half_pixel", "pytorch_half_pixel", "asymmetric"):
        raise NoKernel("coordinates are left to the runtime")
    factor = real(float(scale))
    half = real(0.0 if mode == "asymmetric" else 0.5)
    places = np.arange(after).astype(type(factor)) + half
    found = (places * (real(1) / factor) if multiply else places / factor) - half
    return np.zeros_like(found) if mode == "pytorch_half_pixel" and after <= 1 else found


def _nearest(call: Call, axis: _Axis) -> Array:
    """The element that each one of the resized axis is a copy of.

    Raises:
        NoKernel: runtimes may differ, for that depends on how they round.
    """
    before, _, scale = axis
    mode = call.attribute("nearest_mode")
    if scale.denominator == 1 and (call.attribute("coordinate_transformation_mode"), mode) in _REPEATING:
        return np.repeat(np.arange(before), scale.numerator)
    rounds: dict[str, Callable[[Array], Array]] = {
        "floor": np.floor,
        "ceil": np.ceil,
        "round_prefer_floor": lambda x: np.ceil(x - x.dtype.type(0.5)),
        "round_prefer_ceil": lambda x: np.floor(x + x.dtype.type(0.5)),
    }
    if mode not in rounds:
        raise NoKernel(f"{mode!r} is no way to round")
    ways = [_coordinates(call, axis, real, multiply) for real in (np.float32, np.float64) for multiply in (False, True)]
    found = [np.clip(rounds[mode](way), 0, before - 1).astype(np.int64) for way in ways]
    if any(np.any(way != found[0]) for way in found):
        raise NoKernel("which pixel is nearest depends on how the runtime rounds")
    return found[0]


# Enlarged by a whole factor, each pixel is repeated in all of these modes.
_REPEATING = frozenset(
    (("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"), ("half_pixel", "round_prefer_ceil"))
)


def _linear(call: Call, axis: _Axis) -> Array:
    """A matrix that mixes each element of the resized axis of the two around it."""
    before, after, _ = axis
    at = np.clip(_coordinates(call, axis, np.float32, False).astype(np.float64), 0, before - 1)
    low = np.floor(at).astype(np.int64)
    matrix = np.zeros((after, before))
    rows = np.arange(after)
    np.add.at(matrix, (rows, low), 1 - (at - low))
    np.add.at(matrix, (rows, np.minimum(low + 1, before - 1)), at - low)
    return matrix


def _cubic(call: Call, axis: _Axis) -> Array:
    """A matrix that mixes each element of the resized axis of the four around it."""
    before, after, _ = axis
    a = float(call.attribute("cubic_coeff_a"))
    at = _coordinates(call, axis, np.float32, False).astype(np.float64)
    low = np.floor(at)
    matrix = np.zeros((after, before))
    for step in (-1, 0, 1, 2):
        place = low + step
        far = np.abs(at - place)
        near = ((a + 2) * far - (a + 3)) * far * far + 1
        weight = np.where(far <= 1, near, ((a * far - 5 * a) * far + 8 * a) * far - 4 * a)
        if call.attribute("exclude_outside"):
            weight = np.where((place < 0) | (place >= before), 0, weight)
        np.add.at(matrix, (np.arange(after), np.clip(place, 0, before - 1).astype(np.int64)), weight)
    return matrix / matrix.sum(1, keepdims=True) if call.attribute("exclude_outside") else matrix
