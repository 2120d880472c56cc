"""Signal processing: Fourier transforms, windows, mel weights. Shapes, and kernels of what only makes constants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ir import Array, Dim, DType, Op, Symbol, TensorType, Type
from .contents import entry, size_in
from .evaluate import Call, NoKernel
from .registry import kernel, shape_rule
from .shapes import axis_of, fresh, tensor
from .sizes import floor_div, total
from .view import attribute, operands


@shape_rule("DFT")
def _dft(op: Op) -> Sequence[Type | None]:
    given = operands(op)
    data = tensor(given[0])
    if data is None or data.shape is None:
        return (None if data is None else TensorType(data.dtype),)
    shape = list(data.shape)
    inverse, onesided = attribute(op, "inverse"), attribute(op, "onesided")
    real = bool(inverse and onesided)
    # What an inverse one-sided transform gives was settled late, runtimes differ.
    shape[-1] = Symbol() if real else 2
    axis: Dim | None = -2
    if len(given) > 2 and given[2] is not None:
        axis = entry(given[2])
    if not isinstance(axis, int):
        return (TensorType(data.dtype, (*fresh(len(shape) - 1), shape[-1])),)
    place = axis_of(axis, len(shape))
    size = shape[place] if len(given) < 2 or given[1] is None else size_in(given[1])
    if real:
        shape[place] = Symbol()
    else:
        shape[place] = total((floor_div(size, 2), 1)) if onesided else size
    return (TensorType(data.dtype, tuple(shape)),)


@shape_rule("STFT")
def _stft(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None,)
    step, window = entry(op.inputs[1]), tensor(op.input(2))
    length: Dim | None = None
    if op.input(3) is not None:
        length = size_in(op.input(3))
    elif window is not None and window.shape:
        length = window.shape[0]
    batch: Dim = data.shape[0] if data.shape else Symbol()
    frames: Dim = Symbol()
    if data.shape and isinstance(length, int) and isinstance(step, int) and step > 0 and isinstance(data.shape[1], int):
        frames = max((data.shape[1] - length) // step + 1, 0)
    bins: Dim = Symbol()
    if length is not None:
        bins = total((floor_div(length, 2), 1)) if attribute(op, "onesided") else length
    return (TensorType(data.dtype, (batch, frames, bins, 2)),)


@shape_rule("HannWindow", "HammingWindow", "BlackmanWindow")
def _window(op: Op) -> Sequence[Type | None]:
    return (TensorType(DType(attribute(op, "output_datatype")), (size_in(op.inputs[0]),)),)


# Coefficients of the cosine terms (ONNX HannWindow, HammingWindow, BlackmanWindow), rounded as ONNX Runtime has them:
# the ends of a window are hardly more than that rounding. 0.42 is what single precision makes of 0.5 - 0.08.
_COSINES = {
    name: tuple(float(np.float32(c)) for c in terms)
    for name, terms in {
        "HannWindow": (0.5, -0.5),
        "HammingWindow": (25 / 46, -21 / 46),
        "BlackmanWindow": (np.float32(0.5) - np.float32(0.08), -0.5, 0.08),
    }.items()
}


@kernel("HannWindow", "HammingWindow", "BlackmanWindow")
def _window_kernel(call: Call) -> Array:
    dtype = _inexact(call)
    size = int(call[0].reshape(-1)[0])
    period = size if call.attribute("periodic") else size - 1
    if size and not period:
        raise NoKernel("a window of one element, which runtimes divide by 0 for")
    angle = 2 * np.pi * np.arange(size) / max(period, 1)
    result = sum(c * np.cos(k * angle) for k, c in enumerate(_COSINES[call.op.op_type]))
    return np.asarray(result).astype(dtype.numpy)


def _inexact(call: Call) -> DType:
    """The element type of what is computed by cosines or logarithms and then cast.

    Raises:
        NoKernel: integers; where the truth is whole, runtimes fall on either side of it before they cut it off.
    """
    dtype = DType(call.attribute("output_datatype"))
    if not dtype.is_float:
        raise NoKernel("a window of integers")
    return dtype


@shape_rule("MelWeightMatrix")
def _mel_weights(op: Op) -> Sequence[Type | None]:
    rows = total((floor_div(size_in(op.inputs[1]), 2), 1))
    return (TensorType(DType(attribute(op, "output_datatype")), (rows, size_in(op.inputs[0]))),)
