"""Inputs that hold sizes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import onnx
import pytest

from gopt.analysis import infer
from gopt.api.targets import make
from gopt.backends.tensorrt import emit
from gopt.backends.tensorrt.builder import interpreter, module_for
from gopt.backends.tensorrt.profiles import derive, input_shapes, parse_spans
from gopt.backends.tensorrt.sizing import sizing_inputs
from gopt.backends.tensorrt.target import TensorRT10
from gopt.frontends.text import parse
from gopt.ir import Model

RANGE = """(float[N,3] x, int64 n, int64[2] s) => (float[a] y, float[b,c] z) <int64 zero = {0}, int64 one = {1}>
{ r = Range(zero, n, one) y = Cast<to = 1>(r) t = ReduceSum<keepdims = 0>(x) z = Expand(t, s) }"""


def model(text: str) -> Model:
    parsed = parse(f'<ir_version: 8, opset_import: ["": 17]> g {text}')
    infer(parsed)
    return parsed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(RANGE, {"n": 1, "s": 2}, id="range and shape"),
        pytest.param("(float[4] x, int64[1] i) => (float y) { y = Gather(x, i) }", {}, id="indices"),
        pytest.param("(float[4] x, int64[1] k) => (float y, int64 i) { y, i = TopK(x, k) }", {"k": 1}, id="top k"),
        pytest.param(
            """(float[6] x, int32[1] n) => (float y) <int64[1] two = {2}>
            { w = Cast<to = 7>(n) m = Div(w, two) s = Concat<axis = 0>(m, two) y = Reshape(x, s) }""",
            {"n": 1},
            id="computed",
        ),
        pytest.param(
            "(float[6] x, int64[2] s) => (int64 y) { t = Shape(s) y = Mul(t, t) }", {}, id="only its own shape"
        ),
        pytest.param(
            """(float[2] x, bool c, int64[1] n) => (float y) { y = If(c)
            <then_branch = a () => (float p) { p = Expand(x, n) }, else_branch = b () => (float q) { q = Neg(x) }> }""",
            {"n": 1},
            id="in a branch",
        ),
        pytest.param("(float[4] x, float n) => (float y) { y = Mul(x, n) }", {}, id="floats"),
    ],
)
def test_which_inputs_hold_sizes(text: str, expected: dict[str, int]) -> None:
    assert sizing_inputs(model(text)) == expected


def test_ranges_of_what_they_hold() -> None:
    found = derive(model(RANGE), parse_spans(["n=2:8:32", "s[1]=5"]), [{"N": 2}], held=[{"s": [3, 4]}, {"s": [1, 9]}])
    assert found.values == {"n": ((2,), (8,), (32,)), "s": ((1, 5), (3, 5), (3, 5))}
    assert found.symbols["s[0]"] == (1, 3, 3)
    assert found.guessed == ()
    assert found.fixed().values["n"] == ((8,), (8,), (8,))
    assert derive(model(RANGE), parse_spans(["s=4:5:6"])).values["s"] == ((4, 4), (5, 5), (6, 6))
    assert set(derive(model(RANGE), {}).guessed) == {"N", "n", "s[0]", "s[1]"}


def test_shapes_at_which_a_model_runs() -> None:
    assert input_shapes(model(RANGE), {"N": 7, "other": 1}) == {"x": (7, 3), "n": (), "s": (2,)}


def test_they_are_written(tmp_path: Path) -> None:
    profile = derive(model(RANGE), parse_spans(["N=1:2:4", "n=2:8:32", "s=4:5:6"]))
    emit.write(tmp_path, tmp_path / "m.onnx", profile, TensorRT10.flavor, ())
    assert "--optShapes=x:2x3,n:8,s:5x5" in (tmp_path / "trtexec.sh").read_text()
    assert json.loads((tmp_path / "profile.json").read_text())["values"]["n"] == {"min": [2], "opt": [8], "max": [32]}
    options = json.loads((tmp_path / "onnxruntime.json").read_text())["providers"][0][1]
    assert options["trt_profile_max_shapes"] == "x:4x3,n:32,s:6x6"
    assert "set_shape_input" in (tmp_path / "build_engine.py").read_text()


@pytest.mark.skipif(not module_for(""), reason="TensorRT is not installed: pip install 'gopt-onnx[tensorrt]'")
def test_such_a_model_is_built(tmp_path: Path) -> None:
    onnx.save(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> g {RANGE}'), tmp_path / "m.onnx")
    made = make(tmp_path / "m.onnx", "trt-rtx", {"profile": "n=2:8:32"}, output=tmp_path / "out")
    assert (made.verdict.level, made.verdict.blockers) == ("built", [])
    symbols = made.verdict.facts["profile"]
    assert symbols["n"] == {"min": 2, "opt": 8, "max": 32}
    assert symbols["s[0]"]["max"] < 64, "it holds what it held when the model ran"
    subprocess.run([interpreter(), str(tmp_path / "out" / "build_engine.py")], check=True, timeout=120)
