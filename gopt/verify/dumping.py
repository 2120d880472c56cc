"""Values that a model computes, written to a .npz file. Used by the worker process only."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..ir import Array
from .inner import Inside
from .job import Job
from .sessions import Unverified, brief

# What a name of a member of a zip file cannot hold (NUL, other control characters, halves of surrogate pairs), what
# would be read as something else (a backslash; ".npy" at the end, which numpy.load takes off), and what escapes.
_ESCAPED = re.compile(r"[%\\\x00-\x1f\x7f\ud800-\udfff]|\.(?=npy$)|(?:(?<=/)|^)\.\.(?=/|$)")
_LONGEST = 30_000
"""Bytes of a name; zip files can hold 65,535."""


class Dumping:
    """Runs the original once more for each group of values."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._inside: Inside | None = None

    def sizes(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """How many elements the tensors named have on the inputs of the first run; none if that cannot be known."""
        names: list[str] = request["names"]
        inside, feed = self._ready()
        try:
            session, made = inside.shapes(names)
            shapes = session.run(feed, request["seconds"])
            counts = {name: int(np.prod(shapes[m], dtype=np.float64)) for name, m in zip(names, made)}
        except Exception as error:
            return {"counts": {}, "why": brief(error)}
        return {"counts": counts}

    def write(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Compute some values and append them to a file.

        Raises:
            Unverified: the model does not run with these as outputs; nothing was written.
        """
        inside, feed = self._ready()
        try:
            values = inside.session(request["names"]).run(feed, request["seconds"])
        except MemoryError:
            raise
        except Exception as error:
            raise Unverified(brief(error)) from error
        written = []
        with zipfile.ZipFile(request["file"], "a", allowZip64=True) as archive:
            taken = set(archive.namelist())
            for name in list(values):
                written += list(_members(archive, taken, name, values.pop(name)))
        return {"written": written}

    def _ready(self) -> tuple[Inside, dict[str, Any]]:
        original = self._job.original
        if original is None:
            raise Unverified("the model has not run")
        if self._inside is None:
            self._inside = Inside(original.path, original.random)
        run = original.runs[0]
        return self._inside, original.feed(run.case, run.seed)


def _members(archive: zipfile.ZipFile, taken: set[str], name: str, value: Any) -> Iterator[dict[str, Any]]:
    """Write a value: a tensor, or each element of a sequence as `name[0]` ...; says what was written."""
    if isinstance(value, (list, tuple)) and all(isinstance(v, np.ndarray) for v in value):
        for k, item in enumerate(value):
            yield from _members(archive, taken, f"{name}[{k}]", item)
        return
    if not isinstance(value, np.ndarray):
        yield {"name": name, "why": "it is no tensor" if value is not None else "it is absent"}
        return
    array = storable(value)
    member = escaped(name)
    while f"{member}.npy" in taken:
        member += "%"
    taken.add(f"{member}.npy")
    with archive.open(zipfile.ZipInfo(f"{member}.npy"), "w", force_zip64=True) as file:
        np.lib.format.write_array(file, array, allow_pickle=False)
    yield {"name": name, "member": member, "type": str(value.dtype), "shape": list(value.shape), "bytes": array.nbytes}


def escaped(name: str) -> str:
    """The key of a value in a .npz file: its name, but for what a zip file or numpy would misread, as %XX."""
    found = _ESCAPED.sub(lambda m: "".join(f"%{ord(c):02X}" for c in m[0]), name)
    data = found.encode()
    return found if len(data) <= _LONGEST else data[:_LONGEST].decode("utf-8", "ignore") + "%..."


def storable(array: Array) -> Array:
    """An array that a .npy file holds without pickles: text as such, types that numpy lacks by their bits."""
    if array.dtype.kind == "O":
        texts: Sequence[str] = [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in array.flat]
        return np.array(texts, np.str_).reshape(array.shape)
    if array.dtype.isbuiltin != 1 and array.dtype.kind not in "SU":
        return array.view(f"u{array.dtype.itemsize}")
    return array
