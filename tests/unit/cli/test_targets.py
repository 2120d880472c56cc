"""`gopt check --target`, and `gopt run --target`."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from .conftest import Cli


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A model with two operators that no TensorRT has."""
    path = tmp_path / "strange.onnx"
    text = """<ir_version: 8, opset_import: ["": 18]> g (int32[3] x, float[2,2] m) => (int32[3] y, float d)
        { y = BitwiseNot(x) d = Det(m) }"""
    onnx.save(onnx.parser.parse_model(text), path)
    return path


def test_what_is_in_the_way_is_listed(cli: Cli, strange: Path) -> None:
    done = cli("check", "--target", "tensorrt", "--level", "static", strange)
    assert done.status == 5
    assert "2 nodes are in the way" in done.out
    assert "BitwiseNot 'y'  the operator is not supported" in done.out
    data = cli("check", "--target", "tensorrt", "--level", "static", strange, "--json").json
    assert (data["target"], data["level"], data["tried"], data["ok"]) == ("tensorrt", "", "static", False)
    assert [b["op_type"] for b in data["blockers"]] == ["BitwiseNot", "Det"]


def test_a_model_that_fits(cli: Cli, model: Path) -> None:
    done = cli("check", "--target", "trt11", "--level", "static", model)
    assert (done.status, done.err) == (0, "")
    assert "static for trt11" in done.out


def test_a_target_that_there_is_not(cli: Cli, model: Path) -> None:
    done = cli("check", "--target", "tensorflow", model)
    assert (done.status, "there is no target 'tensorflow'" in done.err) == (2, True)
    assert cli("check", "--target", "tensorrt", "-O", "colour=red", model).status == 2
    assert cli("run", "-O", "colour=red", model).status == 2


def test_run_writes_a_folder(cli: Cli, model: Path) -> None:
    done = cli("run", "--target", "trt10", "--level", "static", model, "--json")
    assert done.status == 0, done.err
    folder = model.with_name("model.trt10")
    assert (folder / "model.onnx").is_file()
    assert str(folder / "model.onnx") in done.json["files"]
    assert (done.json["level"], done.json["verification"]["status"]) == ("static", "ok")
    assert cli("run", "--target", "trt10", "--level", "static", model).status == 2  # the folder is there
    assert cli("run", "--target", "trt10", "--level", "static", model, "--force").status == 0


def test_run_says_what_is_left_in_the_way(cli: Cli, strange: Path) -> None:
    done = cli("run", "--target", "trt10", "--level", "static", strange)
    assert done.status == 5
    assert "before: 2 in the way for trt10; after: not static for trt10: 2 nodes are in the way" in done.out
