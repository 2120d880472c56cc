"""ONNX's backend test cases, as data: models, inputs and expected outputs, which the onnx package carries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import onnx
from onnx import numpy_helper

FOLDERS = ("node", "simple", "pytorch-converted", "pytorch-operator")


@dataclass(frozen=True)
class BackendCase:
    """One case: a folder with `model.onnx` and data sets."""

    path: Path

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def model(self) -> Path:
        return self.path / "model.onnx"

    def data_sets(self) -> Iterator[tuple[list[Any], list[Any]]]:
        """Inputs and expected outputs of each data set, in the order of the graph's."""
        proto = onnx.load(self.model, load_external_data=False)
        for folder in sorted(self.path.glob("test_data_set_*")):
            inputs = _read(folder, "input", [i.type for i in proto.graph.input])
            yield inputs, _read(folder, "output", [o.type for o in proto.graph.output])


@cache
def backend_cases(folders: tuple[str, ...] = FOLDERS) -> tuple[BackendCase, ...]:
    """The cases with data, by name; none where the onnx package was installed without them."""
    root = Path(onnx.__file__).parent / "backend" / "test" / "data"
    found = [BackendCase(path.parent) for folder in folders for path in (root / folder).glob("*/model.onnx")]
    return tuple(sorted(found, key=lambda c: c.name))


def _read(folder: Path, kind: str, types: list[onnx.TypeProto]) -> list[Any]:
    files = sorted(folder.glob(f"{kind}_*.pb"), key=lambda p: int(re.findall(r"\d+", p.name)[-1]))
    return [_value(path.read_bytes(), type_) for path, type_ in zip(files, types)]


def _value(data: bytes, type_: onnx.TypeProto) -> Any:
    kind = type_.WhichOneof("value")
    if kind == "sequence_type":
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if kind == "optional_type":
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return numpy_helper.to_array(onnx.TensorProto.FromString(data))
