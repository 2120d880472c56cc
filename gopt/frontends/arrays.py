"""Arrays from `.npy` files of strangers: no pickles, no sizes that the file does not have, no surprise of a parser."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import UsageError
from ..ir import Array

_MAGIC = b"\x93NUMPY"
_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_array(name: str, path: str | Path) -> Array:
    """The array in a `.npy` file.

    Args:
        name: of the input that it is for, for messages.
        path: the file.

    Raises:
        UsageError: it cannot be read, is none, or holds objects.
    """
    try:
        with Path(path).open("rb") as file:
            why = _trouble(file)
            if not why:
                file.seek(0)
                array: Array = np.load(file, allow_pickle=False)
                return array
    except OSError as error:
        why = error.strerror or str(error)
    except Exception as error:  # the parser of headers is Python's own, and raises whatever it stumbles over
        why = f"{type(error).__name__}: {error}"
    raise UsageError(f"input {name!r}: {path} is not a .npy file that can be read: {' '.join(why.split())[:300]}")


def _trouble(file: BinaryIO) -> str:
    """Why a file is not read; "" if nothing speaks against it."""
    start = file.read(len(_MAGIC))
    if start[:2] == b"PK":
        return "it holds more than one array"
    if start != _MAGIC:
        return "it does not begin as one"
    file.seek(0)
    version = np.lib.format.read_magic(file)
    if version not in _READERS:
        return "" if version == (3, 0) else f"version {version} is not known"
    shape, _, dtype = _READERS[version](file)
    if dtype.hasobject:
        return "it holds objects, which may run code"
    if any(not isinstance(size, int) or size < 0 for size in shape):
        return f"{shape} is no shape"
    left = os.fstat(file.fileno()).st_size - file.tell()
    if prod(shape) * dtype.itemsize > left:
        return f"{left} bytes of data are too few for {str(shape)[:100]}"
    return ""
