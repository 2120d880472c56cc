"""`gopt run`: what it writes, what it prints, what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from .conftest import Cli


def op_types(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def test_without_options_the_default_runs_and_a_file_beside_the_model_is_written(cli: Cli, model: Path) -> None:
    done = cli("run", model)
    assert done.status == 0, done.err
    assert op_types(model.with_name("model.opt.onnx")) == ["Relu", "HardSwish"]
    assert "model.opt.onnx" in done.out
    assert "verified" in done.out
    assert sorted(p.name for p in model.parent.iterdir()) == ["model.onnx", "model.opt.onnx"]


def test_the_table_says_what_changed(cli: Cli, model: Path) -> None:
    out = cli("run", model, "--no-verify", "--passes", "clean").out
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.split()}
    assert lines["ops"][:2] == ["6", "3"]
    assert lines["Identity"][:2] == ["1", "0"]
    assert "Relu" not in lines
    assert lines["rewrites"] == ["3"]
    assert "not verified: --no-verify" in out


def test_json_is_one_object_with_everything(cli: Cli, model: Path) -> None:
    data = cli("run", model, "--json").json
    assert data["ops_before"]["Identity"] == 1
    assert "Identity" not in data["ops_after"]
    assert data["verification"]["status"] == "ok"
    assert data["repair"] is None
    assert sum(data["rewrites"].values()) == 4
    assert set(data["seconds"]) == {"load", "optimize", "save", "verify"}
    assert data["bytes_before"] == model.stat().st_size
    assert data["bytes_after"] == Path(data["output"]).stat().st_size


def test_an_existing_file_is_not_replaced_unasked(cli: Cli, model: Path, tmp_path: Path) -> None:
    target = tmp_path / "there.onnx"
    target.write_text("precious")
    refused = cli("run", model, "-o", target, "--no-verify")
    assert refused.status == 2
    assert refused.err.startswith("gopt: error: ")
    assert target.read_text() == "precious"
    assert cli("run", model, "-o", target, "--no-verify", "--force").status == 0
    assert op_types(target) == ["Relu", "HardSwish"]


def test_the_input_is_replaced_only_when_that_is_said_twice(cli: Cli, model: Path) -> None:
    before = model.read_bytes()
    assert cli("run", model, "-o", model, "--no-verify").status == 2
    assert model.read_bytes() == before
    assert cli("run", model, "-o", model, "--force", "--no-verify").status == 0
    assert op_types(model) == ["Relu", "HardSwish"]


def test_limit_and_skip(cli: Cli, model: Path) -> None:
    assert cli("run", model, "--no-verify", "--json", "--limit", 0).json["rewrites"] == {}
    limited = cli("run", model, "--no-verify", "--json", "--limit", 1, "-f")
    assert sum(limited.json["rewrites"].values()) == 1
    assert "limit" in limited.err
    without = cli("run", model, "--no-verify", "--json", "--skip", "clean", "-f").json
    assert "Identity" in without["ops_after"]


def test_a_single_rewrite_can_be_left_out_by_its_key(cli: Cli, model: Path) -> None:
    entries = cli("explain", model, "--json").json["entries"]
    key = next(e["key"] for e in entries if any("copy" in b["label"] for b in e["before"]))
    after = cli("run", model, "--no-verify", "--json", "--skip", key).json["ops_after"]
    assert after["Identity"] == 1


def test_a_wrong_rewrite_is_found_and_left_out(cli: Cli, model: Path, wrong: Path) -> None:
    done = cli("run", model, "--plugin", wrong, "--passes", "wrong,clean", "--json")
    assert done.status == 0, done.err
    assert [g["rule"] for g in done.json["repair"]["guilty"]] == ["wrong.negate"]
    assert done.json["verification"]["status"] == "ok"
    assert "wrong.negate" in done.err
    assert op_types(Path(done.json["output"])) == ["Relu", "HardSigmoid", "Mul"]


def test_a_mismatch_can_abort(cli: Cli, model: Path, wrong: Path) -> None:
    done = cli("run", model, "--plugin", wrong, "--passes", "wrong", "--on-mismatch", "abort")
    assert done.status == 4
    assert done.err.startswith("gopt: error: verification failed")
    assert not model.with_name("model.opt.onnx").exists()


def test_a_mismatch_can_be_a_warning(cli: Cli, model: Path, wrong: Path) -> None:
    done = cli("run", model, "--plugin", wrong, "--passes", "wrong", "--on-mismatch", "warn")
    assert done.status == 0
    assert "warning: verification failed" in done.err
    assert "Neg" in op_types(model.with_name("model.opt.onnx"))


BROKEN = """
from gopt import P, rule


@rule(P.Relu("x"))
def stumble(rw, x):
    return x.no_such_attribute


@rule(P.Mul("x", "y"))
def swap(rw, x, y):
    return rw.Mul(y, x)
"""


def test_a_rule_that_fails_is_left_out_and_named(cli: Cli, model: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "broken.py"
    plugin.write_text(BROKEN)
    arguments = ["run", model, "--plugin", plugin, "--passes", "broken,clean", "--no-verify"]
    done = cli(*arguments, "--json")
    assert done.status == 0, done.err
    assert list(done.json["failed"]) == ["broken.stumble", "broken.swap"]
    assert "rewrite loop" in done.json["failed"]["broken.swap"]
    assert "warning: broken.stumble was left out" in done.err
    assert "Identity" not in done.json["ops_after"]
    strict = cli(*arguments, "--on-mismatch", "abort", "-f")
    assert strict.status == 6
    assert "broken.stumble" in strict.err


def test_compare_each_names_the_pass(cli: Cli, model: Path, wrong: Path) -> None:
    done = cli("run", model, "--plugin", wrong, "--passes", "wrong", "--compare-each", "--verify-each")
    assert done.status == 4
    assert "after wrong" in done.err
    assert cli("run", model, "--compare-each", "--no-verify").status == 2


def test_dump_and_timing(cli: Cli, model: Path, tmp_path: Path) -> None:
    done = cli("run", model, "--no-verify", "--passes", "clean", "--dump", tmp_path / "dumps", "--timing")
    assert done.status == 0, done.err
    assert len(list((tmp_path / "dumps").iterdir())) >= 2
    assert "clean" in done.err


def test_quiet_prints_nothing(cli: Cli, model: Path) -> None:
    done = cli("run", model, "--no-verify", "-q")
    assert (done.status, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["run"], 2),
        (["run", "MODEL", "--nonsense"], 2),
        (["run", "MODEL", "--max-growth", "much"], 2),
        (["run", "MODEL", "--verify-dim", "n"], 2),
        (["run", "MODEL", "--passes", "nonsense"], 2),
        (["run", "MODEL", "--passes", "clean,"], 2),
        (["run", "MODEL", "--skip", "nonsense"], 2),
        (["run", "MODEL", "--inputs", "nonsense=x.npy"], 2),
        (["run", "MODEL", "--plugin", "missing.py"], 2),
        (["run", "missing.onnx"], 3),
        (["run", "MODEL", "-o", "no/such/folder/out.onnx"], 2),
        (["run", "MODEL", "-o", "/dev/null", "--force"], 2),
        (["nonsense"], 2),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(
    cli: Cli, model: Path, arguments: list[str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    done = cli(*(str(model) if a == "MODEL" else a for a in arguments))
    assert done.status == status, done.err
    assert done.err.startswith("gopt: error: ")
    assert "Traceback" not in done.err
    assert done.out == ""
    assert [p.name for p in model.parent.iterdir()] == ["model.onnx"]


def test_verification_takes_sizes_and_data(cli: Cli, model: Path, tmp_path: Path) -> None:
    import numpy as np

    np.save(tmp_path / "x.npy", np.ones((5, 4), np.float32))
    with_data = cli("run", model, "--inputs", f"x={tmp_path / 'x.npy'}", "--json")
    assert with_data.json["verification"]["runs"] == 1
    by_name = cli("run", model, "--verify-dim", "n=9", "--json", "-f").json["verification"]
    by_shape = cli("run", model, "--verify-shape", "x:9,4", "--json", "-f").json["verification"]
    assert by_name["cases"] == by_shape["cases"] == [{"n": 9}]


def test_exact_leaves_out_what_rounds(cli: Cli, model: Path) -> None:
    entries = cli("explain", model, "--exact", "--json").json["entries"]
    assert {e["numerics"] for e in entries} <= {"exact"}


def test_the_console_script_runs_in_a_process_of_its_own(model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gopt", "run", str(model), "-o", str(tmp_path / "out.onnx"), "--no-verify"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONHASHSEED": "7"})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    again = [*command[:-2], str(tmp_path / "again.onnx"), "--no-verify"]
    subprocess.run(again, check=True, capture_output=True, env=os.environ | {"PYTHONHASHSEED": "11"})
    assert (tmp_path / "out.onnx").read_bytes() == (tmp_path / "again.onnx").read_bytes()
