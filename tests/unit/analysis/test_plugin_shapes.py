"""Shape rules that a plugin brings for operators of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

import gopt
from gopt.analysis import infer
from gopt.errors import UsageError
from gopt.frontends.text import parse
from gopt.ir import DType, Symbol, TensorType
from gopt.ops import definitions
from gopt.ops import registry as operators
from gopt.passes import load_plugin

TEXT = """<ir_version: 8, opset_import: ["": 18, "com.acme": 1]>
g (float[N,3] x) => (float y) { a = com.acme.Gadget(x) s = Shape(a) y = Reshape(a, s) }"""
RULE = """
from gopt import TensorType, shape_rule
@shape_rule("Gadget", domain="com.acme")
def gadget(op):
    x = op.inputs[0].type
    return [TensorType(x.dtype, (*x.shape, FACTOR))]
"""


@pytest.fixture(autouse=True)
def own_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "_others", dict(operators._others))


def write(folder: Path, factor: object) -> Path:
    path = folder / "acme_shapes.py"
    path.write_text(RULE.replace("FACTOR", str(factor)))
    return path


def test_results_of_an_operator_that_a_plugin_knows(tmp_path: Path) -> None:
    assert load_plugin(write(tmp_path, 7)) == []
    model = parse(TEXT)
    infer(model)
    type_ = model.graph.outputs[0].type
    assert isinstance(type_, TensorType)
    assert type_.dtype is DType.FLOAT
    assert type_.shape is not None
    assert isinstance(type_.shape[0], Symbol)
    assert type_.shape[1:] == (3, 7)
    done = gopt.run(parse(TEXT), verify=False)
    assert [op.op_type for op in done.model.graph.ops] == ["Gadget"]


def test_a_plugin_may_be_loaded_again(tmp_path: Path) -> None:
    load_plugin(write(tmp_path, 7))
    load_plugin(write(tmp_path, 7))


def test_a_rule_that_raises_says_nothing(tmp_path: Path) -> None:
    load_plugin(write(tmp_path, "1 // 0"))
    model = parse(TEXT)
    infer(model)
    assert model.graph.ops[0].result.type is None


def test_no_second_rule_for_an_operator(tmp_path: Path) -> None:
    path = write(tmp_path, 7)
    path.write_text(RULE.replace('"Gadget", domain="com.acme"', '"Relu"'))
    with pytest.raises(UsageError, match="line 3: ValueError: Relu has two entries"):
        load_plugin(path)
    assert sum(d.name == "Relu" for d in definitions()) == 1
