"""Inputs that the user gives: read without pickles, brought into the declared element type."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..frontends.arrays import read_array
from ..ir import Array, DType, dtype_of
from .inputs import InputSpec


def loaded(name: str, value: Array | str | Path) -> Array:
    """The array for an input, in a form that `np.save` writes without pickles.

    Raises:
        UsageError: the file is no plain .npy file, or ONNX has no such element type.
    """
    if not isinstance(value, np.ndarray):
        value = read_array(name, value)
    if value.dtype.kind == "O":
        return np.array([s.decode() if isinstance(s, bytes) else str(s) for s in value.ravel()], np.str_).reshape(
            value.shape
        )
    if value.dtype.isbuiltin != 1 and value.dtype.kind not in "SU":
        try:
            is_extended = dtype_of(value) in DType
        except TypeError:
            raise UsageError(f"input {name!r}: ONNX has no element type for {value.dtype}") from None
        return value.view(f"u{value.dtype.itemsize}") if is_extended and value.dtype.kind != "V" else value
    return value


def fit(spec: InputSpec, array: Array) -> Array:
    """A user's array as the declared element type.

    Raises:
        UsageError: element type or shape contradict the declaration.
    """
    want = spec.dtype
    if spec.kind not in {"tensor", "optional"} or spec.nested:
        raise UsageError(f"input {spec.name!r} is a {spec.kind}: it cannot be given as one array")
    if want is DType.STRING:
        if array.dtype.kind not in "SUO":
            raise UsageError(f"input {spec.name!r} is declared as strings, given as {array.dtype}")
        array = np.array(
            [s.decode() if isinstance(s, bytes) else str(s) for s in array.ravel().tolist()], object
        ).reshape(array.shape)
    elif array.dtype != want.numpy:
        # numpy writes bfloat16 and its kin as opaque bytes of the same width.
        if array.dtype.kind in "Vu" and array.dtype.itemsize == want.numpy.itemsize and want.numpy.kind not in "iub":
            array = array.view(want.numpy)
        else:
            raise UsageError(f"input {spec.name!r} is declared as {want.name.lower()}, given as {array.dtype}")
    if spec.dims is not None and len(spec.dims) != array.ndim:
        raise UsageError(f"input {spec.name!r} has {len(spec.dims)} dims, the given array {list(array.shape)}")
    for axis, (dim, size) in enumerate(zip(spec.dims or (), array.shape)):
        if isinstance(dim, int) and dim != size:
            raise UsageError(f"input {spec.name!r}: axis {axis} is declared as {dim}, given as {size}")
    return array
