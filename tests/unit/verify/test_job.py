"""What the worker does, without the process around it: models in ONNX Runtime, compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from gopt.verify.job import Job
from gopt.verify.sessions import Unverified

Compare = Callable[..., Any]
HEAD = '<ir_version: 8, opset_import: ["": 18]>'
AFFINE = "g (float[B,N] x) => (float[B,N] y) { two = Constant<value_float = 2.0>()  m = Mul(x, two)  y = Relu(m) }"


@pytest.fixture
def compared(save: Any, tmp_path: Path) -> Compare:
    """Runs and compares two models (text, proto or file)."""

    def compare(original: Any, candidate: Any, exact: bool = False, extra: bool = False, further: bool = True) -> Any:
        first, second = (
            m if isinstance(m, Path) else save(m, f"{k}.onnx") for k, m in enumerate((original, candidate))
        )
        (tmp_path / "data").mkdir(exist_ok=True)
        job = Job(tmp_path / "data", lambda message: None)
        job.prepare({"model": first, "seconds": 30, "seeds": 2, "tries": 200, "further": further})
        return SimpleNamespace(**job.check({"model": second, "seconds": 30, "exact": exact, "extra": extra}))

    return compare


def test_rounding_passes_unless_exactness_is_demanded(compared: Compare) -> None:
    other = AFFINE.replace("2.0", "2.0000005")
    assert compared(AFFINE, other).equal
    assert "bit-equal" in compared(AFFINE, other, exact=True).reason


def test_a_size_baked_in_is_caught(compared: Compare) -> None:
    text = "g (float[B,8] x) => (float[M] y) { s = Constant<value_ints = [-1]>()  y = Reshape(x, s) }"
    found = compared(text, text.replace("[-1]", "[8]"))
    assert not found.equal
    assert "B=2" in found.reason


def test_a_declared_size_baked_in_is_caught(compared: Compare) -> None:
    assert compared(AFFINE, AFFINE.replace("B,N", "1,N")).equal is False


def test_nan_where_there_was_nan(compared: Compare) -> None:
    text = "g (float[50] x) => (float[50] y) { s = Sqrt(x)  y = Neg(s) }"
    assert compared(text, text, exact=True).equal
    assert not compared(text, text.replace("Sqrt", "Abs")).equal


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        ("g (float[B,N] z) => (float[B,N] y) { y = Relu(z) }", "input 'x' is gone"),
        ("g (float[B,N] x) => (float[B,N] z) { z = Relu(x) }", "output 'y' is gone"),
        ("g (float[B,N] x) => (float[B,N] y, float[B,N] z) { y = Relu(x)  z = Neg(x) }", "new output 'z'"),
        ("g (float[B,N] x, float w) => (float[B,N] y) { z = Relu(x)  y = Mul(z, w) }", "new input 'w'"),
        ("g (double[B,N] x) => (double[B,N] y) { y = Relu(x) }", "input 'x': tensor(float) became tensor(double)"),
        ("g (float[B,N] x) => (float[B,N] y) { y = other.Relu(x) }", "cannot load"),
    ],
)
def test_the_interface_is_compared(compared: Compare, candidate: str, reason: str) -> None:
    found = compared("g (float[B,N] x) => (float[B,N] y) { y = Relu(x) }", candidate)
    assert not found.equal
    assert reason in found.reason


def test_extra_outputs_where_they_are_wanted(compared: Compare) -> None:
    text = "g (float[B,N] x) => (float[B,N] y) { m = Neg(x)  y = Relu(m) }"
    assert compared(text, text.replace("(float[B,N] y)", "(float[B,N] m, float[B,N] y)"), extra=True).equal


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("g (float[N] x) => (float[N] y) { y = acme.Magic(x) }", "cannot load"),
        ("g (float[2] x) => (float[3] y) { s = Constant<value_ints = [3]>()  y = Reshape(x, s) }", "does not run"),
        (
            "g (float[N] x) => (float[3] y) { s = Constant<value_ints = [1,1,99991]>() y = Reshape(x, s) }",
            "none of the",
        ),
    ],
)
def test_what_cannot_be_run_is_unverified(compared: Compare, text: str, reason: str) -> None:
    with pytest.raises(Unverified, match=reason):
        compared(text, text)


def test_an_index_range_that_nothing_tells_is_found_by_trying(compared: Compare) -> None:
    text = """g (int64[6] i, float[3] x) => (float[6] y) { m = Add(x, x) k = NonZero(m) n = Shape(k)
              t = ConstantOfShape(n)  z = Constant<value_ints = [0]>()  r = Gather<axis = 1>(t, i)
              q = ReduceSum(r, z)  y = Squeeze(q, z) }"""
    assert compared(text, text).equal


def test_random_operators_are_seeded(compared: Compare) -> None:
    text = """g (float[B,8] x) => (float[B,8] y) { r = RandomNormalLike(x)  s = RandomNormalLike(x)
              t = Add(r, x)  y = Sub(t, s) }"""
    found = compared(text, text.replace("t = Add(r, x)", "u = Identity(x)  t = Add(r, u)"), exact=True)
    assert found.equal
    assert "random operators were given seeds" in found.notes
    assert not compared(text, text.replace("s = RandomNormalLike(x)", "s = Identity(r)")).equal


@pytest.mark.parametrize("dtype", ["FLOAT16", "BFLOAT16", "DOUBLE", "INT4", "FLOAT8E4M3FN", "BOOL", "STRING"])
def test_element_types(compared: Compare, dtype: str) -> None:
    kind = TensorProto.DataType.Value(dtype)
    to = TensorProto.FLOAT if dtype != "STRING" else kind
    nodes = [helper.make_node("Cast", ["x"], ["f"], to=to), helper.make_node("Cast", ["f"], ["y"], to=kind)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, [3, "N"])],
        [helper.make_tensor_value_info("y", kind, [3, "N"]), helper.make_tensor_value_info("f", to, [3, "N"])],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    found = compared(proto, proto, exact=True)
    assert found.equal, found.reason


def test_sequences_and_optionals(compared: Compare) -> None:
    text = """g (seq(float[N]) s, optional(float[N]) o) => (seq(float[N]) t, bool h)
              { t = SequenceErase(s)  h = OptionalHasElement(o) }"""
    assert compared(text, text).equal
    other = text.replace("t = SequenceErase(s)", "t = Identity(s)")
    assert "3 elements" not in compared(text, text).reason
    assert "2 elements became 3" in compared(text, other).reason


@pytest.mark.parametrize("dtype", ["float", "bfloat16", "string"])
def test_large_outputs_go_through_files(
    compared: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    monkeypatch.setattr("gopt.verify.job._LARGE", 8)
    text = (
        f"g ({dtype}[5,4] x, {dtype}[1] z) => ({dtype}[4,5] y, {dtype}[1] z2) {{ y = Transpose(x)  z2 = Identity(z) }}"
    )
    assert compared(text, text, exact=True, further=False).equal
    other = text.replace("Transpose(x)", "Transpose<perm=[0,1]>(x)").replace("4,5", "5,4")
    assert not compared(text, other, further=False).equal
    assert len(list((tmp_path / "data").iterdir())) == {"float": 4, "bfloat16": 4, "string": 0}[dtype]


def test_external_data_beside_random_operators(compared: Compare, tmp_path: Path) -> None:
    proto = onnx.parser.parse_model(
        HEAD + "g (float[4] x) => (float[4] y) { r = RandomNormalLike(x)  t = Add(r, w)  y = Add(t, x) }"
    )
    proto.graph.initializer.append(
        helper.make_tensor("w", TensorProto.FLOAT, [4], np.ones(4, "<f4").tobytes(), raw=True)
    )
    onnx.save(proto, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    assert compared(tmp_path / "m.onnx", tmp_path / "m.onnx", exact=True).equal
