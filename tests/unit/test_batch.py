"""`gopt batch`: one failure never stops the rest, and a second call goes on where the first ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gopt.api.batch import read_list, run
from gopt.cli import main
from gopt.errors import ModelError, UsageError
from gopt.frontends import onnx as frontend
from gopt.frontends.text import parse

MODEL = """<ir_version: 8, opset_import: ["": 17]>
g (float[N,4] x) => (float[N,4] y) { a = Relu(x) y = Relu(a) }"""


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    frontend.save(parse(MODEL), tmp_path / "good.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    models = tmp_path / "models.txt"
    models.write_text("bad.onnx\n# a remark\n\ngood.onnx --input-shape x:2,4\n")
    return models


def test_a_failure_does_not_stop_the_rest(listed: Path, tmp_path: Path) -> None:
    bad, good = run(listed, tmp_path / "out", ["--no-verify"])
    assert (bad.state, bad.status) == ("bad input", 3)
    assert "bad.onnx" in bad.summary
    assert (good.state, good.status) == ("ok", 0)
    assert (tmp_path / "out" / "good" / "good.opt.onnx").exists()
    assert "rewrites" in (tmp_path / "out" / "good" / "log.txt").read_text()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [r["state"] for r in summary["results"]] == ["bad input", "ok"]


def test_what_went_well_is_not_done_again(listed: Path, tmp_path: Path) -> None:
    run(listed, tmp_path / "out", ["--no-verify"])
    told: list[str] = []
    run(listed, tmp_path / "out", ["--no-verify"], tell=told.append)
    assert len(told) == 1
    assert told[0].startswith("1 of 2:")
    run(listed, tmp_path / "out", ["--no-verify", "--exact"], tell=told.append)
    assert len(told) == 3


def test_what_went_well_and_was_removed_is_done_again(listed: Path, tmp_path: Path) -> None:
    listed.write_text("good.onnx\n")
    run(listed, tmp_path / "out", ["--no-verify"])
    (tmp_path / "out" / "good" / "good.opt.onnx").unlink()
    told: list[str] = []
    run(listed, tmp_path / "out", ["--no-verify"], tell=told.append)
    assert len(told) == 1


def test_what_a_target_refuses_is_told_with_its_reason(tmp_path: Path) -> None:
    frontend.save(parse(MODEL.replace("Relu", "Acos")), tmp_path / "acos.onnx")
    (tmp_path / "models.txt").write_text("acos.onnx\n")
    (found,) = run(tmp_path / "models.txt", tmp_path / "out", ["--no-verify", "--target", "rknn", "--level", "static"])
    assert (found.state, found.status) == ("refused", 5)
    assert "no kernel on the board" in found.summary


def test_time_ends_one_model(listed: Path, tmp_path: Path) -> None:
    listed.write_text("good.onnx\n")
    (found,) = run(listed, tmp_path / "out", timeout=0.01)
    assert (found.state, found.status) == ("time", None)


def test_two_of_one_name_get_folders_of_their_own(tmp_path: Path) -> None:
    models = tmp_path / "models.txt"
    models.write_text("a/best.onnx\n'b c/best.onnx' --dim N=1\n")
    first, second = read_list(models)
    assert (first.name, second.name) == ("best", "best-2")
    assert second.model == tmp_path / "b c" / "best.onnx"
    assert second.options == ("--dim", "N=1")


def test_lists_that_make_no_sense(tmp_path: Path) -> None:
    models = tmp_path / "models.txt"
    with pytest.raises(ModelError, match="No such file"):
        read_list(models)
    models.write_text("# nothing\n")
    with pytest.raises(UsageError, match="names no model"):
        read_list(models)
    models.write_text("a.onnx 'open\n")
    with pytest.raises(UsageError, match=r"models.txt:1: No closing quotation"):
        read_list(models)


def test_the_command_takes_options_of_run(listed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["batch", "--models", str(listed), "-o", str(tmp_path / "out"), "--no-verify", "--skip", "fuse"])
    assert status == 1
    assert "1 of 2 went well" in capsys.readouterr().out


def test_modules_beside_the_models_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frontend.save(parse(MODEL), tmp_path / "good.onnx")
    for name in ("json", "numpy", "gopt", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')")
    (tmp_path / "models.txt").write_text("good.onnx\n")
    monkeypatch.chdir(tmp_path)
    (found,) = run(tmp_path / "models.txt", tmp_path / "out", ["--no-verify"])
    assert found.state == "ok"
    assert not (tmp_path / "pwned").exists()


def test_names_of_folders_stay_in_the_output(tmp_path: Path) -> None:
    (tmp_path / "models.txt").write_text("..\n../..\n\x1b[2J.onnx\na/...\n")
    assert [item.name for item in read_list(tmp_path / "models.txt")] == [
        "model",
        "model-2",
        "_[2J",
        "model-3",
    ]
