"""Values for inputs, read from text or files and brought into the declared element type."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ...errors import UsageError
from ...frontends.arrays import read_array
from ...ir import Array, Dim, DType

_WORDS = {"true": True, "false": False, "nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


def given(name: str, text: str) -> Array:
    """The array that a text stands for: a number, a word, a list (`1,2,3` or `[[1,2],[3,4]]`), or `@file.npy`.

    Raises:
        UsageError: it is none of these, or the file cannot be read.
    """
    if text.startswith("@"):
        return read_array(name, text[1:])
    try:
        array = np.array(_parsed(text.strip()))
    except ValueError:
        raise UsageError(f"input {name!r}: {text!r} is no list whose rows are equally long") from None
    if array.dtype.kind in "OV":
        raise UsageError(f"input {name!r}: {text!r} is no number, list of numbers, or @file.npy")
    return array


def _parsed(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for attempt in (text, f"[{text}]"):
        try:
            return json.loads(attempt)
        except (ValueError, RecursionError):
            continue
    return text.split(",") if "," in text else text


def fitted(name: str, array: Array, dtype: DType) -> Array:
    """An array as an element type, if all elements are in its range.

    Raises:
        UsageError: they are not, or they are of another kind.
    """
    what = f"input {name!r} is of type {dtype.name.lower()}"
    if dtype is DType.STRING:
        if array.dtype.kind not in "US":
            array = array.astype(str)
        items = [s if isinstance(s, bytes) else str(s).encode() for s in array.ravel().tolist()]
        return np.array(items, object).reshape(array.shape)
    if dtype is DType.UNDEFINED:
        raise UsageError(f"input {name!r} is of an unknown type")
    want = dtype.numpy
    if array.dtype == want:
        return array
    if array.dtype.kind not in "biuf":
        raise UsageError(f"{what}, which {_shown(array)} is not")
    with np.errstate(all="ignore"):
        made = array.astype(want)
    if dtype.is_integer or dtype is DType.BOOL:
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UsageError(f"{what}, which {_shown(array)} is not")
        lossless = made.astype(np.float64) == array.astype(np.float64)
        if not np.all(lossless):
            raise UsageError(f"{what}, which {_shown(array[~lossless])} is not")
    elif dtype.is_float:
        over = np.isfinite(array) & ~np.isfinite(made.astype(np.float64))
        if np.any(over):
            raise UsageError(f"{what}, for which {_shown(array[over])} is too large")
    return made


def fill(name: str, array: Array, shape: tuple[Dim, ...] | None) -> Array:
    """An array in the shape of its input: one number becomes all elements.

    Raises:
        UsageError: it is one number, and it is not known how many are needed.
    """
    if array.ndim or not shape:
        return array
    sizes = [dim for dim in shape if isinstance(dim, int)]
    if len(sizes) < len(shape):
        raise UsageError(f"input {name!r} has {len(shape)} dims, not all of known size: give a list or a file")
    return np.full(sizes, array)


def _shown(array: Array) -> str:
    first = array.ravel()[0] if array.size else array
    return repr(first.item() if isinstance(first, np.generic) else first)
