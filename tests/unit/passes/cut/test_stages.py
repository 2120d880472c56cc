"""Stages that, run one after the other, equal the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from gopt import analysis
from gopt.errors import UsageError
from gopt.frontends.onnx import to_bytes
from gopt.frontends.text import parse
from gopt.passes import run_pipeline
from gopt.passes.cut.extract import Extract
from gopt.passes.cut.stages import Stage, stages_at, stages_balanced

BRANCHES = """<ir_version: 8, opset_import: ["": 17]>
g (float[N,4] x, bool c) => (float[N,4] y, float[N,4] early, int64[2] s)
<float[4] w = {1,2,3,4}> {
  a = Mul(x, w)  early = Sin(a)  b = Relu(a)  s = Shape(b)
  e = If(c) <then_branch = t () => (float[N,4] q) { q = Add(b, w) },
             else_branch = f () => (float[N,4] r) { r = Mul(a, w) }>
  d = Add(e, b)  seq = SequenceConstruct(d, a)  one = Constant<value_int = 1>()  last = SequenceAt(seq, one)
  m = Add(last, d)  y = Add(m, x)
}"""
FEED = {"x": np.arange(12, dtype=np.float32).reshape(3, 4) - 5, "c": np.array(True)}


def planned(at: list[list[str]] | int, text: str = BRANCHES) -> list[Stage]:
    model = parse(text)
    analysis.infer(model)
    return stages_balanced(model, at) if isinstance(at, int) else stages_at(model, at)


def run(data: bytes, feed: dict[str, Any]) -> dict[str, Any]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feed)))


@pytest.mark.parametrize(
    "at",
    [
        [["b"]],
        [["a"], ["e"]],
        [["s"], ["d"], ["m"]],
        [["a", "e"]],
        [["early"]],
        [["seq"]],
        [["last"], ["m"]],
        2,
        3,
        5,
        9,
    ],
    ids=str,
)
def test_the_stages_in_order_equal_the_whole(at: Any) -> None:
    values = dict(FEED)
    stages = planned(at)
    for stage in stages:
        part = parse(BRANCHES)
        run_pipeline(part, [Extract(stage.inputs, stage.outputs)])
        assert len(part.graph) == stage.ops
        made = run(to_bytes(part), {name: values[name] for name in stage.inputs})
        assert tuple(made) == stage.outputs
        values.update(made)
    assert sum(stage.ops for stage in stages) == len(parse(BRANCHES).graph)
    for name, expected in run(to_bytes(parse(BRANCHES)), FEED).items():
        np.testing.assert_array_equal(values[name], expected)


def test_what_a_stage_takes_and_gives() -> None:
    first, second, third = planned([["a"], ["e"]])
    assert first == Stage(("x",), ("a",), 1)
    assert second == Stage(("c", "a"), ("b", "e"), 2)
    assert (third.inputs, third.outputs) == (("x", "a", "b", "e"), ("y", "early", "s"))


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ([["bb"]], "there is no value 'bb'"),
        ([["q"]], "value 'q' lies in a body of If 'e'"),
        ([["x"]], "value 'x' is an input: nothing comes before it"),
        ([["w"]], "value 'w' is a constant: nothing comes before it"),
        ([["d"], ["a"]], "stage 2 would be empty: what 'a' needs is in stages before it"),
        ([["y", "early", "s"]], "the last stage would be empty: after 'y', 'early', 's' nothing is left"),
        (11, "the outputs need 10 ops only: too few for 11 stages"),
        (1, "into two stages at least"),
    ],
    ids=str,
)
def test_what_cannot_be_split_is_an_error(at: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        planned(at)


def test_a_value_that_leads_nowhere_is_no_place_to_cut() -> None:
    text = '<ir_version: 8, opset_import: ["": 17]> g (float[3] x) => (float[3] y) { y = Neg(x)  dead = Sin(x) }'
    with pytest.raises(UsageError, match="no output of the model depends on it"):
        planned([["dead"]], text)


def test_a_balanced_cut_is_narrow() -> None:
    """Wide between the products of each pair, narrow between the pairs."""
    text = """<ir_version: 8, opset_import: ["": 17]>
    g (float[4,64] x, float[64,512] u, float[512,64] v) => (float[4,64] y) {
      a = MatMul(x, u)  b = Relu(a)  c = MatMul(b, v)  n = Relu(c)
      d = MatMul(n, u)  e = Relu(d)  f = MatMul(e, v)  y = Relu(f) }"""
    assert [stage.outputs for stage in planned(2, text)] == [("n",), ("y",)]
