"""The examples do what they say."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import gopt
from gopt.cli import main

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CUSTOM = EXAMPLES / "custom_pass.py"
BROKEN = EXAMPLES / "broken_pass.py"
SURGERY = EXAMPLES / "graphsurgeon_script.py"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A hard swish written out, behind two Identity nodes; the second factor of one has another slope."""
    path = tmp_path / "model.onnx"
    nodes = [
        helper.make_node("Identity", ["x"], ["a"], name="mark"),
        helper.make_node("Identity", ["a"], ["b"], name="mark_again"),
        helper.make_node("HardSigmoid", ["b"], ["gate"], name="gate", alpha=1 / 6, beta=0.5),
        helper.make_node("Mul", ["b", "gate"], ["y"], name="swish"),
        helper.make_node("HardSigmoid", ["b"], ["steeper"], name="steeper", alpha=0.2, beta=0.5),
        helper.make_node("Mul", ["b", "steeper"], ["z"], name="no_swish"),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in "xyz"]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def op_types(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def test_the_rule_and_the_pass_run_by_name(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    passes = "custom_pass.bypass:types=Identity,custom_pass"
    assert main(["run", str(model), "-o", str(out), "--plugin", str(CUSTOM), "--passes", passes, "-q"]) == 0
    assert sorted(op_types(out)) == ["HardSigmoid", "HardSwish", "Mul"]


def test_the_rule_waits_for_its_opset(model: Path) -> None:
    older = onnx.load(model)
    older.opset_import[0].version = 13
    onnx.save(older, model)
    result = gopt.run(model, "custom_pass", plugins=[CUSTOM], verify=False)
    assert "HardSwish" not in result.ops_after


def test_the_rule_passes_the_generated_tests() -> None:
    assert main(["test-pass", str(CUSTOM), "--cases", "10"]) == 0


def test_it_is_a_script_too(model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("custom_pass_script", CUSTOM)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, script)
    spec.loader.exec_module(script)
    monkeypatch.setattr(sys, "argv", ["custom_pass.py", str(model)])
    script.main()
    out = capsys.readouterr().out
    assert "hard_swish" in out
    assert "verified" in out
    assert "HardSwish" in op_types(model.with_name("model.opt.onnx"))


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The model of `make demo`."""
    spec = importlib.util.spec_from_file_location("make_demo_model", EXAMPLES / "make_demo_model.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    path = tmp_path / "demo.onnx"
    monkeypatch.setattr(sys, "argv", ["make_demo_model.py", str(path)])
    maker.main()
    return path


def test_the_demo_model_is_optimized_and_verified(demo: Path) -> None:
    result = gopt.run(demo)
    assert result.verification is not None
    assert result.verification.ok
    assert result.repair is None
    assert "BatchNormalization" not in result.ops_after
    weights = [np.asarray(v.const.numpy()) for v in result.model.graph.constants if v.const is not None]
    assert all(np.isfinite(w).all() for w in weights if w.dtype.kind == "f")


def test_the_wrong_rule_is_found_and_left_out(demo: Path) -> None:
    result = gopt.run(demo, "broken_pass,@default", plugins=[BROKEN])
    assert result.verification is not None
    assert result.verification.ok
    assert result.repair is not None
    assert {guilty.rule for guilty in result.repair.guilty} == {"broken_pass.distribute"}
    assert result.ledger.by_rule() == gopt.run(demo).ledger.by_rule()


def test_random_models_show_that_the_wrong_rule_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test-pass", str(BROKEN), "--cases", "10"]) == 4
    assert "FAILED" in capsys.readouterr().out


def test_a_graphsurgeon_script_runs_as_a_pass(demo: Path) -> None:
    pytest.importorskip("onnx_graphsurgeon")
    result = gopt.run(demo, f'bridge.graphsurgeon:script="{SURGERY}:drop_copies"')
    assert result.failed == {}
    assert result.verification is not None
    assert result.verification.ok
    assert result.repair is None
    gone = {"Dropout": 1, "Identity": 1}
    assert result.ops_after == {t: n for t, n in result.ops_before.items() if t not in gone}
