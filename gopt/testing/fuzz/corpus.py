"""Failures kept as text that people and `parse` read: the model, with its inputs and what was run on it as comments."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...frontends.onnx import load, to_bytes
from ...frontends.text import parse
from ...ir.printer import to_text
from .finish import Case, Inputs
from .oracle import DEFAULT, Failure


@dataclass(frozen=True, slots=True)
class Kept:
    """A failure read from a file.

    Attributes:
        case: the model and its inputs.
        pipeline: what went wrong.
        exact: it was run with bit-exact rewrites only.
    """

    case: Case
    pipeline: str
    exact: bool


def keep(case: Case, failure: Failure, folder: Path, guilty: str = "") -> Path:
    """Write a failure into a folder; the name of the file begins with that of the guilty rule, if there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{guilty or failure.kind.replace(' ', '-')}-{zlib.crc32(case.data):08x}.onnxtxt"
    head = [
        f"seed: {case.seed}",
        f"pipeline: {failure.pipeline or DEFAULT}",
        f"exact: {int(failure.exact)}",
        f"failure: {' '.join(str(failure).split())}",
        *(f"inputs: {json.dumps({name: _plain(array) for name, array in inputs.items()})}" for inputs in case.feeds),
    ]
    text = "".join(f"# {line}\n" for line in head) + to_text(load(case.data), elide=None)
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path) -> Kept:
    """A failure that was kept.

    Raises:
        ModelError: the text cannot be read.
        KeyError: it does not say what was run.
    """
    text = path.read_text(encoding="utf-8")
    notes: dict[str, str] = {}
    feeds: list[Inputs] = []
    for line in text.splitlines():
        if not line.startswith("# "):
            continue
        key, _, value = line[2:].partition(": ")
        if key == "inputs":
            feeds.append({name: _array(*entry) for name, entry in json.loads(value).items()})
        else:
            notes[key] = value
    return Kept(Case(int(notes["seed"]), to_bytes(parse(text)), tuple(feeds)), notes["pipeline"], notes["exact"] == "1")


def _plain(array: np.ndarray) -> list[object]:
    return [array.dtype.name, list(array.shape), array.reshape(-1).tolist()]


def _array(dtype: str, shape: list[int], data: list[object]) -> np.ndarray:
    return np.array(data, dtype).reshape(shape)
