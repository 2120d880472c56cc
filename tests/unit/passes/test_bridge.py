"""GraphSurgeon functions run as a pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import parser

from gopt.errors import PassError, UsageError
from gopt.frontends.onnx import load
from gopt.ir import Model
from gopt.ir.check import check
from gopt.passes import VerifyEach, run_pipeline
from gopt.rewrite import Context, Ledger

pytest.importorskip("onnx_graphsurgeon")

SCRIPT = """
import onnx_graphsurgeon as gs

def drop_neg(graph):
    for node in graph.nodes:
        if node.op == "Neg":
            for user in list(node.outputs[0].outputs):
                user.inputs[user.inputs.index(node.outputs[0])] = node.inputs[0]
    graph.cleanup()

def other(graph):
    copy = graph.copy()
    copy.name = "other"
    return copy

def broken(graph):
    x = 1
    return x / 0

def dangling(graph):
    graph.nodes[0].inputs = [gs.Variable("nowhere")]

number = 3
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "my edits.py"
    path.write_text(SCRIPT)
    return path


def model() -> Model:
    text = """<ir_version: 10, opset_import: ["" : 18]>
        g (float[2,3] x) => (float[2,3] y) { h = Exp(x) n = Neg(h) y = Sin(n) }"""
    return load(parser.parse_model(text))


def test_a_function_edits_the_model(script: Path) -> None:
    it = model()
    ctx = Context(it)
    report = run_pipeline(it, f'(graphsurgeon:script="{script}:drop_neg")*3', ctx, [VerifyEach()])
    check(it)
    assert [op.op_type for op in it.graph.ops] == ["Exp", "Sin"]
    assert [v.name for v in it.graph.outputs] == ["y"]
    assert report.runs[0].changed
    (first, *_) = ctx.ledger.entries
    assert first.rule == "bridge.graphsurgeon"
    assert [o.label for o in first.before] == ["Neg 'n'", "Sin 'y'"]
    assert first.after == ("Sin 'y'",)
    # What the function left alone is still the op of the input model.
    exp, sin = it.graph.ops
    assert (exp.entry, sin.entry) == (0, 1)


def test_a_function_may_return_another_graph(script: Path) -> None:
    it = model()
    run_pipeline(it, f'graphsurgeon:script="{script}:other"')
    assert it.graph.name == "other"
    assert [op.op_type for op in it.graph.ops] == ["Exp", "Neg", "Sin"]


def test_the_ledger_may_forbid_it(script: Path) -> None:
    it = model()
    run_pipeline(it, f'graphsurgeon:script="{script}:drop_neg"', Context(it, Ledger(limit=0)))
    assert len(it.graph) == 3


def test_what_is_wrong_is_said(script: Path, tmp_path: Path) -> None:
    def attempt(value: str, exact: bool = False) -> None:
        it = model()
        run_pipeline(it, f'graphsurgeon:script="{value}"', Context(it, exact=exact))

    with pytest.raises(PassError, match="line 18: ZeroDivisionError: division by zero"):
        attempt(f"{script}:broken")
    with pytest.raises(PassError, match=r"left no valid graph.*nowhere"):
        attempt(f"{script}:dangling")
    with pytest.raises(UsageError, match="defines no function 'number'"):
        attempt(f"{script}:number")
    with pytest.raises(UsageError, match="defines no function 'absent'"):
        attempt(f"{script}:absent")
    with pytest.raises(UsageError, match=r"is not FILE\.py:FUNCTION"):
        attempt(str(script))
    with pytest.raises(UsageError, match="no such file"):
        attempt(f"{tmp_path}/none.py:f")
    with pytest.raises(UsageError, match="leave out --exact"):
        attempt(f"{script}:drop_neg", exact=True)
    with pytest.raises(UsageError, match="needs the option script"):
        run_pipeline(model(), "bridge.graphsurgeon")
