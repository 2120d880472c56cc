"""With NVIDIA's own parser and builder: `pip install gopt-onnx[tensorrt]`; no GPU is needed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import onnx
import pytest

from gopt.api.reducing import reduce
from gopt.api.targets import check, make
from gopt.backends.tensorrt.builder import RTX, Builder, interpreter, module_for
from gopt.errors import MissingComponentError, ResourceError

pytestmark = pytest.mark.skipif(
    not module_for(""), reason="TensorRT is not installed: pip install 'gopt-onnx[tensorrt]'"
)


def saved(path: Path, text: str, opset: int = 17) -> Path:
    onnx.save(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> g {text}'), path)
    return path


RELU = "(float[batch,4] x) => (float[batch,4] y) { y = Relu(x) }"
BROKEN = "(float[2,2] x) => (float y) { a = Abs(x) b = Exp(a) d = Det(b) y = Neg(d) }"


def test_a_model_is_built(tmp_path: Path) -> None:
    found = check(saved(tmp_path / "m.onnx", RELU), "trt-rtx", {"profile": "batch=1:2:4"})
    assert (found.level, found.ok) == ("built", True)
    assert found.facts["bytes"] > 1000
    assert found.facts["profile"]["batch"] == {"min": 1, "opt": 2, "max": 4}


def test_the_parser_names_the_node(tmp_path: Path) -> None:
    found = check(saved(tmp_path / "m.onnx", BROKEN), "trt-rtx")
    assert (found.level, found.tried, found.ok) == ("", "built", False)
    assert [(b.node, b.rule, b.evidence) for b in found.blockers] == [("Det 'd'", "parsed", "reported")]


def test_a_failing_build_is_reduced(tmp_path: Path) -> None:
    found = reduce(saved(tmp_path / "m.onnx", BROKEN), "trt-rtx", output=tmp_path / "r.onnx")
    assert (found.ops_before, found.ops_after, found.complete) == (4, 1, True)
    assert [n.op_type for n in onnx.load(tmp_path / "r.onnx").graph.node] == ["Det"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("(float[N,1,3] x) => (float[N,3] y) { s = Squeeze(x) y = Softmax(s) }", id="squeeze"),
        pytest.param("(float[2,8,1] x) => (float[2,8,2] y) { y = DFT<axis = 1>(x) }", id="dft"),
        pytest.param(
            "(uint8[1,4,4,3] x) => (float[1,3,4,4] y) { t = Transpose<perm = [0,3,1,2]>(x) y = Cast<to = 1>(t) }",
            id="uint8",
        ),
        pytest.param(
            """(float[2,3] x) => (float[2,3] y) <float s = {0.5}, uint8 z = {128}>
            { q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) y = Relu(d) }""",
            id="unsigned",
        ),
        pytest.param(
            """(float[2,3] x) => (float[2,2] y) <int8[3,2] w = {1, -2, 3, 4, -5, 6}>
            { q, s, z = DynamicQuantizeLinear(x) i = MatMulInteger(q, w, z) f = Cast<to = 1>(i) y = Mul(f, s) }""",
            id="dynamic",
        ),
        pytest.param(
            """(float[2,3] x, float[3] s) => (float[2,3] y, float[2,1] m)
            { y, m, d = LayerNormalization<axis = 1>(x, s) }""",
            id="norm",
        ),
    ],
)
def test_models_that_are_built_once_they_are_lowered(text: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", text)
    made = make(path, "trt-rtx", output=tmp_path / "out")
    assert (made.verdict.level, made.verdict.blockers) == ("built", [])
    assert made.result.verification is not None
    assert made.result.verification.ok


def test_a_loop_that_counts_is_built(tmp_path: Path) -> None:
    text = """(float[n,2] x) => (float[2] y, float[n,2] z) <int64 i = {0}, float[2] init = {0, 0}>
    { shape = Shape<start = 0, end = 1>(x) flat = Constant<value = int64[0] {}>() len = Reshape(shape, flat)
      c = Less(i, len)
      k, y, z = Loop("", c, i, init) <body = b (int64 turn, bool go, int64 j, float[2] s)
      => (bool on, int64 j2, float[2] t, float[2] u)
      { one = Constant<value = int64 {1}>() j2 = Add(j, one) row = Gather(x, j) t = Add(s, row) u = Mul(t, t)
        on = Less(j2, len) }> }"""
    path = saved(tmp_path / "m.onnx", text)
    assert not check(path, "trt-rtx").ok
    made = make(path, "trt-rtx", output=tmp_path / "out")
    assert (made.verdict.level, made.verdict.blockers) == ("built", [])


def test_the_build_script_builds(tmp_path: Path) -> None:
    made = make(saved(tmp_path / "m.onnx", RELU), "trt-rtx", output=tmp_path / "out")
    script = next(f for f in made.files if f.name == "build_engine.py")
    subprocess.run([interpreter(), str(script)], check=True, timeout=120)
    assert (tmp_path / "out" / "m.engine").stat().st_size > 1000
    assert json.loads((tmp_path / "out" / "profile.json").read_text())["inputs"]["x"]


def test_the_time_is_limited(tmp_path: Path) -> None:
    with Builder(RTX) as builder, pytest.raises(ResourceError, match="was not done"):
        builder.ask(saved(tmp_path / "m.onnx", RELU), "built", timeout=0.0)


def test_a_level_that_is_not_there_is_demanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gopt.backends.tensorrt.builder.module_for", lambda _: "")
    path = saved(tmp_path / "m.onnx", RELU)
    assert check(path, "trt-rtx").missing.startswith("pip install tensorrt-rtx")
    with pytest.raises(MissingComponentError, match="pip install tensorrt-rtx"):
        check(path, "trt-rtx", level="built")


def test_a_layer_whose_states_alone_are_used_in_a_branch(tmp_path: Path) -> None:
    text = """(bool c, float[4,1,3] x, float[1,8,3] w, float[1,8,2] r, float[1,1,2] e) => (float[1,1,2] y)
    { y = If(c) <then_branch = a () => (float[1,1,2] p) { z, p = LSTM<hidden_size = 2>(x, w, r) },
      else_branch = b () => (float[1,1,2] q) { q = Neg(e) }> }"""
    path = saved(tmp_path / "m.onnx", text)
    assert [b.remedy for b in check(path, "trt-rtx").blockers if b.op_type == "If"] == ["lower.recurrent"]
    made = make(path, "trt-rtx", output=tmp_path / "out")
    assert (made.verdict.level, made.verdict.blockers) == ("built", [])


def test_a_detector_that_is_cut_is_built(tmp_path: Path) -> None:
    """TensorRT for RTX has no NonMaxSuppression: what comes before it is built, the rest is for other runtimes."""
    text = """(float[batch,6,4] x, float[batch,2,6] s) => (int64[n,3] chosen) <int64 most = {3}, float overlap = {0.5}>
    { boxes = Abs(x) scores = Sigmoid(s) chosen = NonMaxSuppression(boxes, scores, most, overlap) }"""
    path = saved(tmp_path / "m.onnx", text)
    assert not make(path, "trt-rtx", output=tmp_path / "whole").verdict.ok
    made = make(path, "trt-rtx", {"nms": "cut"}, output=tmp_path / "out")
    assert (made.verdict.level, made.verdict.blockers) == ("built", [])
    assert (tmp_path / "out" / "m.tail.onnx").is_file()


def test_what_stands_in_does_not_judge_what_it_lacks(tmp_path: Path) -> None:
    """TensorRT for RTX has no NonZero, TensorRT 10 has."""
    path = saved(tmp_path / "m.onnx", "(float[2,3] x) => (int64[2,n] y) { y = NonZero(x) }")
    if module_for("10") != RTX:
        pytest.skip("TensorRT 10 itself is installed")
    found = check(path, "trt10")
    assert (found.level, found.tried, found.ok, found.blockers) == ("static", "static", True, [])
    assert found.missing.startswith("NonZero: TensorRT for RTX does not take it")
    made = make(path, "trt10", output=tmp_path / "out")
    assert made.verdict.ok
    with pytest.raises(MissingComponentError, match="level built of target trt10 cannot be tried: NonZero"):
        check(path, "trt10", level="built")
