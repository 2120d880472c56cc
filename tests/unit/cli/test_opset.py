"""`gopt opset`, and `gopt run --target-opset`."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from .conftest import Cli


@pytest.fixture
def flips(tmp_path: Path) -> Path:
    """A model of opset 18 with an operator that no older one can say, and one that is said otherwise."""
    path = tmp_path / "flips.onnx"
    text = """<ir_version: 8, opset_import: ["": 18]> g (int32[3] x, float[3] f) => (int32[3] y, float[3] z)
        { y = BitwiseNot(x) z = Mish(f) }"""
    onnx.save(onnx.parser.parse_model(text), path)
    return path


def test_what_is_in_the_way_is_listed(cli: Cli, flips: Path) -> None:
    done = cli("opset", flips, "--to", 17)
    assert done.status == 5
    assert "1 node to change\n  Mish 'z'  ->  Softplus, Tanh, Mul  rounding" in done.out
    assert "BitwiseNot 'y': the standard domain has no BitwiseNot at version 17" in done.out
    data = cli("opset", flips, "--to", 17, "--json").json
    assert (data["opset"], data["to"], data["reachable"]) == (18, 17, False)
    assert data["changes"] == [
        {"node": "Mish 'z'", "op_type": "Mish", "into": ["Softplus", "Tanh", "Mul"], "numerics": "rounding"}
    ]
    assert [(b["node"], b["op_type"], b["function"]) for b in data["blocking"]] == [
        ("BitwiseNot 'y'", "BitwiseNot", "")
    ]


def test_what_can_be_reached(cli: Cli, flips: Path) -> None:
    done = cli("opset", flips, "--to", 20)
    assert (done.status, done.out.splitlines()[-1]) == (0, "it can be reached")
    rows = {row["to"]: row for row in cli("opset", flips, "--json").json["opsets"]}
    assert not rows[18]["blocking"]
    assert not rows[21]["blocking"]
    assert len(rows[17]["blocking"]) == 1
    assert "BitwiseNot" in cli("opset", flips).out


def test_there_is_no_such_opset(cli: Cli, flips: Path) -> None:
    assert cli("opset", flips, "--to", 99).status == 2


def test_run_converts_first(cli: Cli, model: Path) -> None:
    done = cli("run", model, "--target-opset", 13, "--json")
    assert done.status == 0, done.err
    made = onnx.load(model.with_name("model.opt.onnx"))
    assert [(o.domain, o.version) for o in made.opset_import] == [("", 13)]
    assert "HardSwish" not in [n.op_type for n in made.graph.node]  # which opset 13 has not
    assert done.json["verification"]["status"] == "ok"


def test_run_writes_nothing_if_something_is_in_the_way(cli: Cli, flips: Path) -> None:
    done = cli("run", flips, "--target-opset", 13)
    assert done.status == 5
    assert "BitwiseNot 'y'" in done.err
    assert len(done.err.splitlines()) == 1
    assert not flips.with_name("flips.opt.onnx").exists()


def test_run_that_cannot_be_verified_at_that_opset_writes_nothing(cli: Cli, model: Path) -> None:
    done = cli("run", model, "--target-opset", 27, "--on-mismatch", "repair")
    assert done.status in (0, 4)  # 4 as long as ONNX Runtime does not take it
    assert model.with_name("model.opt.onnx").exists() is (done.status == 0)
