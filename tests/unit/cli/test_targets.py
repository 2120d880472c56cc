"""`gopt check --target`, and `gopt run --target`."""

from __future__ import annotations

import json
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
    assert cli("run", "--target", "trt10", "--level", "static", model, "--overwrite").status == 0


def test_run_says_what_is_left_in_the_way(cli: Cli, strange: Path) -> None:
    done = cli("run", "--target", "trt10", "--level", "static", strange)
    assert done.status == 5
    assert "before: 2 in the way for trt10; after: not static for trt10: 2 nodes are in the way" in done.out


def test_the_part_in_the_way_is_found(cli: Cli, strange: Path) -> None:
    done = cli("reduce", "--target", "tensorrt", "--level", "static", strange, "--json")
    assert done.status == 0, done.err
    assert (done.json["ops_before"], done.json["ops_after"], done.json["complete"]) == (2, 1, True)
    assert [n.op_type for n in onnx.load(done.json["output"]).graph.node] == ["BitwiseNot"]
    assert cli("reduce", "--target", "tensorrt", "--level", "static", strange).status == 2  # the file is there


def test_there_is_nothing_to_reduce(cli: Cli, model: Path) -> None:
    done = cli("reduce", "--target", "tensorrt", "--level", "static", model)
    assert (done.status, "there is nothing to reduce" in done.err) == (2, True)


def test_profiles_are_checked(cli: Cli, model: Path) -> None:
    done = cli("run", "--target", "trt10", "--level", "static", model, "--profile", "n=1:2:4", "--json")
    assert done.status == 0, done.err
    profile = json.loads((model.with_name("model.trt10") / "profile.json").read_text())
    assert profile["symbols"] == {"n": {"min": 1, "opt": 2, "max": 4}}
    assert cli("check", "--target", "trt10", model, "--profile", "n=4:2:1").status == 2


def test_a_file_that_is_no_model(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "no.onnx"
    path.write_bytes(b"no model at all")
    for command in ("check", "reduce", "run"):
        assert cli(command, "--target", "tensorrt", path).status == 3


def test_a_level_that_cannot_be_tried_is_an_error_only_where_it_is_asked_for(
    cli: Cli, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPT_TENSORRT_PYTHON", "/there/is/none")
    for arguments in (("check",), ("run",), ("reduce", "-o", model.with_name("r.onnx"))):
        done = cli(*arguments, "--target", "tensorrt", "--level", "built", model)
        assert (done.status, "pip install tensorrt-rtx" in done.err) == (7, True)
    assert not model.with_name("model.trt10").exists()
    assert "pip install tensorrt-rtx" in cli("run", "--target", "tensorrt", model).out


@pytest.mark.parametrize("text", ["q=1", "N=", "N=4:2:1", "N=0"])
def test_profiles_that_are_wrong(cli: Cli, model: Path, text: str) -> None:
    for command in ("check", "run"):
        done = cli(command, "--target", "tensorrt", "--level", "static", "--profile", text, model)
        assert (done.status, done.err.startswith("gopt: error: --profile:")) == (2, True)
        assert "Traceback" not in done.err
        assert not model.with_name("model.tensorrt").exists()
        assert not model.with_name("model.trt10").exists()
