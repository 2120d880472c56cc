"""Options that change the sizes of inputs: `--input-shape`, `--dim`, `--freeze`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

from .conftest import Cli


def shapes(path: Path) -> dict[str, list[Any]]:
    graph = onnx.load(path).graph
    return {
        v.name: [d.dim_value or d.dim_param for d in v.type.tensor_type.shape.dim]
        for v in [*graph.input, *graph.output]
    }


@pytest.mark.parametrize(
    "option",
    [
        ("--input-shape", "x:3,4"),
        ("--overwrite-input-shape", "x:3,4"),
        ("--input-shapes", "x=3x4"),
        ("--input-shape", "x:[3, 4]"),
        ("--dim", "n=3"),
        ("--dim", "x.0=3"),
    ],
)
def test_sizes_are_fixed_and_verified_at_these(cli: Cli, model: Path, option: tuple[str, str]) -> None:
    done = cli("run", model, *option, "--json")
    assert done.status == 0, done.err
    assert shapes(model.with_name("model.opt.onnx")) == {"x": [3, 4], "y": [3, 4], "z": [3, 4]}
    found = done.json["verification"]
    assert (found["status"], found["cases"]) == ("ok", [{"n": 3}])
    assert done.json["rewrites"]["shape.fix"] == 1


def test_an_input_is_frozen(cli: Cli, model: Path) -> None:
    done = cli("run", model, "--dim", "n=2", "--freeze", "x=0.5", "--json")
    assert done.status == 0, done.err
    assert shapes(model.with_name("model.opt.onnx")) == {"y": [2, 4], "z": [2, 4]}
    assert done.json["ops_after"] == {}
    assert done.json["verification"]["status"] == "ok"


def test_what_cannot_be_is_told_and_nothing_written(cli: Cli, model: Path) -> None:
    for options in (("--dim", "m=2"), ("--input-shape", "x"), ("--input-shape", "x:3,5"), ("--freeze", "x=[1,2]")):
        refused = cli("run", model, *options)
        assert refused.status == 2
        assert refused.err.startswith("gopt: error: ")
    twice = cli("run", model, "--input-shape", "x:3,4", "--input-shape", "x:2,4")
    assert "x is given twice" in twice.err
    assert [p.name for p in model.parent.iterdir()] == ["model.onnx"]


def test_other_commands_take_the_same_options(cli: Cli, model: Path) -> None:
    assert "shape.fix" in cli("explain", model, "--dim", "n=3").out
    assert cli("bisect", model, "--dim", "n=3").status == 0
