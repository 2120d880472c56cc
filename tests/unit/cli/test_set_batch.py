"""`gopt set-batch`: what it writes, what it tells, what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import onnx.parser
import pytest

from .conftest import Cli

HEAD = '<ir_version: 8, opset_import: ["": 17]>\n'
GOOD = "g (float[N,2,3] x) => (float[N,6] y) { s = Constant<value_ints = [N, 6]>() y = Reshape(x, s) }"
MIXED = "g (float[N,4] x) => (float[N,4] y) { y = Softmax<axis = 0>(x) }"


def written(path: Path, text: str, size: int) -> Path:
    path.write_bytes(onnx.parser.parse_model(HEAD + text.replace("N", str(size))).SerializeToString())
    return path


def shapes(path: Path) -> dict[str, list[Any]]:
    graph = onnx.load(path).graph
    return {
        v.name: [d.dim_value or d.dim_param for d in v.type.tensor_type.shape.dim]
        for v in [*graph.input, *graph.output]
    }


@pytest.fixture
def baked(tmp_path: Path) -> Path:
    return written(tmp_path / "baked.onnx", GOOD, 1)


def test_a_baked_batch_becomes_another_one(cli: Cli, baked: Path) -> None:
    done = cli("set-batch", baked, "--batch", 4)
    assert done.status == 0, done.err
    assert shapes(baked.with_name("baked.b4.onnx")) == {"x": [4, 2, 3], "y": [4, 6]}
    assert "4 samples at once were compared with the results of 1 at a time" in done.out
    assert "axis of the samples in outputs: y 0" in done.out


def test_a_baked_batch_becomes_symbolic(cli: Cli, baked: Path, tmp_path: Path) -> None:
    done = cli("set-batch", baked, "--batch", "batch", "-o", tmp_path / "out.onnx", "--json")
    assert done.status == 0, done.err
    assert shapes(tmp_path / "out.onnx") == {"x": ["batch", 2, 3], "y": ["batch", 6]}
    assert done.json["batch"]["axes"] == {"x": 0}
    assert done.json["verification"]["status"] == "ok"


def test_what_mixes_samples_is_named_and_nothing_written(cli: Cli, tmp_path: Path) -> None:
    refused = cli("set-batch", written(tmp_path / "m.onnx", MIXED, 1), "--batch", 4)
    assert refused.status == 2
    assert "Softmax 'y': it works along axis 0, along which the samples lie" in refused.err
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


def test_a_second_export_says_what_to_change(cli: Cli, baked: Path, tmp_path: Path) -> None:
    other = written(tmp_path / "other.onnx", GOOD, 2)
    assert cli("set-batch", baked, "--batch", 3, "--like", other, "-o", tmp_path / "out.onnx").status == 0
    assert shapes(tmp_path / "out.onnx") == {"x": [3, 2, 3], "y": [3, 6]}
    assert cli("set-batch", baked, "--batch", 3, "--like", other, "--no-verify").status == 2


def test_what_two_exports_do_not_show_the_numbers_do(cli: Cli, tmp_path: Path) -> None:
    model, other = (written(tmp_path / f"{size}.onnx", MIXED, size) for size in (1, 2))
    failed = cli("set-batch", model, "--batch", 3, "--like", other)
    assert failed.status == 4
    assert "the batch size cannot be changed" in failed.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1.onnx", "2.onnx"]


def test_requests_that_make_no_sense(cli: Cli, baked: Path) -> None:
    for options in (("--batch", 0), ("--batch", 2, "--axis", "z=0"), ("--batch", 2, "--was", 3), ()):
        refused = cli("set-batch", baked, *options)
        assert refused.status == 2
        assert refused.err.startswith("gopt: error: ")


def test_other_commands_can_tell_about_it(cli: Cli, baked: Path) -> None:
    assert "shape.batch" in cli("explain", baked, "--passes", "set-batch:to=3").out
    assert cli("bisect", baked, "--passes", "set-batch:to=3").status == 0
