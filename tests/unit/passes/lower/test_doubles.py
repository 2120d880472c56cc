"""`lower.doubles`: what TensorRT computes in single precision, said so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import gopt
from gopt.api.targets import make
from gopt.errors import VerificationError
from gopt.ir import DType, TensorType
from tests.unit.passes.clean.rewriting import Rewritten, rewrite


def doubles(text: str, passes: str = "lower.doubles", **options: object) -> Rewritten:
    return rewrite(text, passes, runs=False, **options)  # type: ignore[arg-type]


def of_doubles(done: Rewritten) -> list[str]:
    """The ops other than casts that have operands or results of type double."""

    def wide(op: object) -> bool:
        values = (*op.inputs, *op.outputs)  # type: ignore[attr-defined]
        types = [v.type for v in values if v is not None]
        return any(isinstance(t, TensorType) and t.dtype is DType.DOUBLE for t in types)

    return [op.op_type for graph in done.model.graphs() for op in graph.ops if op.op_type != "Cast" and wide(op)]


CHAIN = """(double[2,3] x) => (double y) <double[3,2] w = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}>
{ a = MatMul(x, w) b = Tanh(a) y = Neg(b) }"""


def test_a_chain_is_computed_in_single_precision() -> None:
    done = doubles(CHAIN, "lower.doubles,clean")
    assert done.ops == ["Cast", "MatMul", "Tanh", "Neg", "Cast"]
    assert done.fired[:3] == ["doubles"] * 3
    assert of_doubles(done) == []
    assert done.ctx.ledger.facts["coarsest"] == "FLOAT"


def test_it_is_done_once() -> None:
    done = doubles(CHAIN, "lower.doubles,clean,lower.doubles")
    assert done.fired.count("doubles") == 3


def test_numbers_that_are_made_of_others() -> None:
    text = """(int64[3] i, float16[3] h, int8[3] b) => (double y, int64 k)
    { d = Cast<to = 11>(i) e = Cast<to = 11>(h) f = Cast<to = 11>(b) s = Shape(i)
      c = ConstantOfShape<value = double[1] {2.5}>(s) y = Sum(d, e, f, c) k = Cast<to = 7>(y) }"""
    done = doubles(text, "lower.doubles,clean")
    assert of_doubles(done) == []
    assert "ConstantOfShape" in done.ops


def test_an_attribute_that_names_the_type() -> None:
    done = doubles("(float[3,3] x) => (double y) { e = EyeLike<dtype = 11>(x) y = Add(e, e) }")
    assert of_doubles(done) == []
    assert done.op("EyeLike").attr("dtype") == DType.FLOAT


def test_constants_beyond_the_range_stay_finite() -> None:
    text = "(double[4] x) => (double y) <double[4] c = {1e300, -1e300, 1e-300, 2}> { y = Max(x, c) }"
    done = doubles(text, edit=with_infinity)
    constant = done.op("Max").inputs[1]
    assert constant is not None
    assert constant.const is not None
    ends = np.finfo(np.float32)
    assert constant.const.numpy().tolist() == [ends.max, ends.min, 0.0, np.inf]


def with_infinity(model: onnx.ModelProto) -> None:
    array = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    array[3] = np.inf
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(array, "c"))


def test_bodies() -> None:
    text = """(double[2] x, int64 n) => (double y) <double[2] w = {0.5, 2}>
    { y = Loop(n, "", x) <body = b (int64 i, bool c, double[2] s) => (bool d, double[2] t)
      { d = Identity(c) m = Mul(s, w) t = Add(m, x) }> }"""
    done = doubles(text)
    assert of_doubles(done) == ["Loop"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("(float[3] x) => (float y) { y = Exp(x) }", id="floats"),
        pytest.param("(double[3] x) => (float y) { y = Cast<to = 1>(x) }", id="a cast to floats"),
        pytest.param("(double[3] x) => (int64 y) { y = Shape(x) }", id="no elements"),
        pytest.param("(float[3] x) => (double y) { y = RandomNormalLike<dtype = 11>(x) }", id="random"),
    ],
)
def test_what_is_left(text: str) -> None:
    assert doubles(text).fired == []


def test_the_numbers_are_judged_as_single_precision(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(
        onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> g {CHAIN.replace("y)", "[2,2] y)")}'), path
    )
    result = gopt.run(path, "lower.doubles,clean", output=tmp_path / "o.onnx")
    assert result.verification is not None
    assert result.verification.ok
    assert 1e-9 < result.verification.max_rel < 1e-5
    assert result.repair is None


def test_where_single_precision_is_not_enough_it_is_left_and_told(tmp_path: Path) -> None:
    """Differences of large numbers: the engine would compute nonsense, and the user is to know."""
    path = tmp_path / "m.onnx"
    text = """<ir_version: 8, opset_import: ["": 17]> g (double[3] x) => (double[3] y) <double big = {1e12}>
    { a = Add(x, big) y = Sub(a, big) }"""
    onnx.save(onnx.parser.parse_model(text), path)
    with pytest.raises(VerificationError):
        gopt.run(path, "lower.doubles", output=tmp_path / "o.onnx", on_mismatch="abort")
    made = make(path, "tensorrt", output=tmp_path / "out", level="static", skip=("fold", "fuse", "clean"))
    assert made.result.repair is not None
    assert "double precision" in made.verdict.facts["types"]
