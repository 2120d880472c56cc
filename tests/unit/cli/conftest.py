"""A small model in a folder of its own, and the command line as a function."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from gopt.cli import main


class Outcome:
    """Exit status and what was printed."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """`cli("run", path)` runs the command as the console script does."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        status = main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return call


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """x [n, 4] -> Mul by one -> Identity -> Relu -> y, with a hard swish beside it and an unused node."""
    path = tmp_path / "model.onnx"
    nodes = [
        helper.make_node("Mul", ["x", "one"], ["scaled"], name="times_one"),
        helper.make_node("Identity", ["scaled"], ["same"], name="copy"),
        helper.make_node("Relu", ["same"], ["y"], name="act"),
        helper.make_node("HardSigmoid", ["x"], ["gate"], name="gate", alpha=1 / 6, beta=0.5),
        helper.make_node("Mul", ["gate", "x"], ["z"], name="swish"),
        helper.make_node("Neg", ["x"], ["unused"], name="dead"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("y", "z")],
        [numpy_helper.from_array(np.ones(1, np.float32), "one")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


WRONG = '''
"""A rule that changes the numbers, and one that does not."""
from gopt import P, rule


@rule(P.Relu("x"))
def negate(rw, x):
    """Relu(x) -> Neg(x), which is wrong"""
    return rw.Neg(x)


@rule(P.Abs(P.Abs("x")))
def abs_abs(rw, x):
    """Abs(Abs(x)) -> Abs(x)"""
    return rw.Abs(x)
'''


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """A plugin with a wrong rule, `wrong.negate`, and a right one, `wrong.abs_abs`."""
    path = tmp_path / "wrong.py"
    path.write_text(WRONG)
    return path
