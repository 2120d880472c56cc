"""The Python face: load, run, save, verify, and what they leave untouched."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import gopt
from gopt import Model, P, rule
from gopt.errors import ModelError, UsageError, VerificationError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """x [n, 3] -> Mul by a weight -> Identity -> Relu -> y."""
    path = tmp_path / "model.onnx"
    nodes = [
        helper.make_node("Mul", ["x", "w"], ["a"], name="scale"),
        helper.make_node("Identity", ["a"], ["b"], name="copy"),
        helper.make_node("Relu", ["b"], ["y"], name="act"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(np.array([1, 2, 3], np.float32), "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@rule(P.Relu("x"), name="here.negate")
def negate(rw: gopt.Rewriter, x: object) -> object:
    """Relu(x) -> Neg(x), which is wrong"""
    return rw.Neg(x)


def op_types(model: Model) -> list[str]:
    return [op.op_type for op in model.graph.ops]


def test_a_file_is_optimized_in_memory(path: Path) -> None:
    before = path.read_bytes()
    result = gopt.run(path, verify=False)
    assert op_types(result.model) == ["Mul", "Relu"]
    assert result.ops_before == {"Mul": 1, "Identity": 1, "Relu": 1}
    assert result.ops_after == {"Mul": 1, "Relu": 1}
    assert len(result.ledger.entries) == 1
    assert result.verification is None
    assert result.output is None
    assert result.bytes_before == len(before)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_verification_is_the_default(path: Path, tmp_path: Path) -> None:
    result = gopt.run(path, output=tmp_path / "out.onnx")
    assert result.verification is not None
    assert result.verification.ok
    assert result.bytes_after == (tmp_path / "out.onnx").stat().st_size
    assert gopt.verify(path, tmp_path / "out.onnx").ok


def test_a_model_in_memory_is_rewritten_in_place(path: Path) -> None:
    model = gopt.load(path)
    result = gopt.run(model, "clean")
    assert result.model is model
    assert op_types(model) == ["Mul", "Relu"]
    assert result.verification is not None
    assert result.verification.ok


def test_load_and_save_change_nothing(path: Path, tmp_path: Path) -> None:
    gopt.save(gopt.load(path), tmp_path / "copy.onnx")
    assert onnx.load(tmp_path / "copy.onnx") == onnx.load(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy.onnx", "model.onnx"]


def test_a_wrong_rule_is_left_out(path: Path, tmp_path: Path) -> None:
    result = gopt.run(path, [negate, "clean"], output=tmp_path / "out.onnx")
    assert result.repair is not None
    assert [g.rule for g in result.repair.guilty] == ["here.negate"]
    assert result.verification is not None
    assert result.verification.ok
    assert op_types(result.model) == ["Mul", "Relu"]
    assert [e.rule for e in result.ledger.entries] == list(result.report.rewrites)
    assert gopt.verify(path, tmp_path / "out.onnx").ok


def test_a_model_in_memory_is_repaired_too(path: Path) -> None:
    result = gopt.run(gopt.load(path), [negate, "clean"])
    assert result.repair is not None
    assert op_types(result.model) == ["Mul", "Relu"]


def test_abort_raises_and_writes_nothing(path: Path, tmp_path: Path) -> None:
    with pytest.raises(VerificationError):
        gopt.run(path, [negate], output=tmp_path / "out.onnx", on_mismatch="abort")
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_the_input_can_be_the_output(path: Path) -> None:
    result = gopt.run(path, output=path, verify=False)
    assert [n.op_type for n in onnx.load(path).graph.node] == ["Mul", "Relu"]
    assert op_types(result.model) == ["Mul", "Relu"]


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.onnx"
    (tmp_path / "real.onnx").write_bytes(b"old")
    link.symlink_to("real.onnx")
    gopt.run(path, output=link, verify=False)
    assert link.is_symlink()
    assert len(onnx.load(tmp_path / "real.onnx").graph.node) == 2


@pytest.mark.parametrize("was_on", [True, False])
def test_the_garbage_collector_is_as_before(path: Path, was_on: bool) -> None:
    try:
        gc.enable() if was_on else gc.disable()
        gopt.run(path, verify=False)
        assert gc.isenabled() == was_on
        assert gc.get_freeze_count() == 0
    finally:
        gc.enable()


def test_errors_have_their_kinds(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        gopt.load(tmp_path / "missing.onnx")
    with pytest.raises(ModelError):
        gopt.run(tmp_path / "missing.onnx")
    with pytest.raises(UsageError):
        gopt.run(path, "no_such_pass")
    with pytest.raises(UsageError):
        gopt.run(path, output=tmp_path / "missing" / "out.onnx")
    with pytest.raises(UsageError):
        gopt.run(path, on_mismatch="shrug")  # type: ignore[arg-type]


def test_verify_is_a_function_and_a_package(path: Path) -> None:
    import gopt.verify
    from gopt.verify import Verification

    assert isinstance(gopt.verify(path, path), Verification)
    assert gopt.verify.Verification is Verification


def test_the_public_names_are_there_and_come_late() -> None:
    for name in gopt.__all__:
        assert getattr(gopt, name) is not None
    assert set(gopt.__all__) <= set(dir(gopt))
    with pytest.raises(AttributeError):
        _ = gopt.nonsense  # type: ignore[attr-defined]
    code = "import sys, gopt; sys.exit(any(m in sys.modules for m in ('numpy', 'networkx', 'onnx', 'click')))"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ).returncode == 0
