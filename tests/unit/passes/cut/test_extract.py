"""A part of a model, between named values."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from gopt.errors import UsageError
from gopt.frontends.onnx import load, save, to_proto
from gopt.frontends.text import parse
from gopt.ir import Model
from gopt.ir.check import check
from gopt.passes import run_pipeline

TEXT = """<ir_version: 8, opset_import: ["": 17]>
g (float[N,4] x, bool c, float[4] d) => (float[N,4] y, float[N,4] z)
<float[4] w = {1,2,3,4}, float[4] u = {5,6,7,8}, float[4] d = {1,1,1,1}> {
  a = Mul(x, w)
  b = Relu(a)
  s = Add(b, u)
  e = If(c) <then_branch = t () => (float[N,4] q) { q = Neg(s) },
             else_branch = f () => (float[N,4] r) { r = Mul(b, w) }>
  y = Sin(e)
  z = Add(a, d)
}"""


def extracted(options: str, text: str = TEXT) -> Model:
    model = parse(text)
    run_pipeline(model, f"extract:{options}")
    check(model)
    onnx.checker.check_model(to_proto(model), full_check=True)
    return model


def interface(model: Model) -> tuple[list[str], list[str], list[str]]:
    """Inputs, outputs, and constants."""
    graph = model.graph
    return [v.name for v in graph.inputs], [v.name for v in graph.outputs], [v.name for v in graph.constants]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("inputs=a;outputs=b", (["a"], ["b"], [])),
        ("outputs=b", (["x"], ["b"], ["w"])),
        ("inputs=b;outputs=s", (["b"], ["s"], ["u"])),
        ("inputs=s+b+c;outputs=y", (["s", "b", "c"], ["y"], ["w"])),
        ("inputs=b+c;outputs=e", (["b", "c"], ["e"], ["w", "u"])),
        ("outputs=z+b", (["x", "d"], ["z", "b"], ["w"])),
        ("inputs=a+c", (["a", "c", "d"], ["y", "z"], ["w", "u"])),
        ("inputs=w+x;outputs=a", (["w", "x"], ["a"], [])),
        ("inputs=b+x;outputs=s", (["b", "x"], ["s"], ["u"])),
        ("inputs=a+d;outputs=z", (["a", "d"], ["z"], [])),
    ],
)
def test_the_part_between(options: str, expected: Any) -> None:
    assert interface(extracted(options)) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("inputs=b;outputs=y", "the outputs also need the input 'c'"),
        ("inputs=c", "the outputs also need the input 'x'"),
        ("inputs=w", "the outputs also need the inputs 'x', 'c'"),
        ("outputs=bb", "there is no value 'bb'; did you mean 'b'"),
        ("inputs=q;outputs=y", "value 'q' lies in a body of If 'e'"),
        ("inputs=a;outputs=a", "can't be both an input and an output"),
        ("outputs=x", "is an input"),
        ("outputs=w", "is a constant"),
    ],
)
def test_what_cannot_be_cut_is_an_error_of_one_line(options: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        extracted(options)
    assert "\n" not in str(error.value)


def test_something_must_be_named() -> None:
    with pytest.raises(UsageError, match="needs inputs, outputs, or both"):
        run_pipeline(parse(TEXT), "extract")


def test_an_input_of_unknown_type_is_refused() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "acme": 1]>
    g (float[N,4] x) => (float[N,4] y) { a = acme.Odd(x)  y = Neg(a) }"""
    with pytest.raises(UsageError, match="nothing is known of the type of 'a'"):
        extracted("inputs=a", text)


def test_the_default_of_an_input_comes_along() -> None:
    model = extracted("inputs=a;outputs=z")
    default = model.graph.inputs[1]
    assert default.name == "d"
    assert default.tensor is not None


def test_a_value_of_which_another_result_is_needed_becomes_an_input() -> None:
    text = """<ir_version: 8, opset_import: ["": 17]> g (float[2,4] x) => (float[2,2] y) {
      p, q = Split<axis = 1>(x)  n = Neg(p)  y = Add(n, q) }"""
    model = extracted("inputs=p+x", text)
    proto = to_proto(model)
    assert [v.name for v in proto.graph.input] == ["p", "x"]
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    p, x = np.ones((2, 2), np.float32), np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_array_equal(session.run(None, {"p": p, "x": x})[0], x[:, 2:] - 1)


def test_types_of_inputs_are_inferred_and_never_those_of_value_info() -> None:
    text = """<ir_version: 8, opset_import: ["": 17]>
    g (float[N,4] x) => (float[N,4] y) <float[7] a> { a = Neg(x)  y = Sin(a) }"""
    (value,) = load(to_proto(extracted("inputs=a", text))).graph.inputs
    assert value.declared is not None
    assert str(value.declared.type) == "float[N,4]"


def test_what_is_known_of_the_elements_of_an_input_is_forgotten() -> None:
    text = """<ir_version: 8, opset_import: ["": 17]>
    g (float[2,6] x) => (float[3,4] y) <int64[2] a = {3, 2}, int64[2] b = {1, 2}> {
      s = Mul(a, b)  n = Neg(x)  y = Reshape(n, s) }"""
    model = parse(text)
    run_pipeline(model, "extract:inputs=s+x,@default")
    assert [v.name for v in model.graph.inputs] == ["s", "x"]
    assert [len(v.uses) for v in model.graph.inputs] == [1, 1]
    assert not model.graph.constants


def test_functions_that_are_called_come_along_and_others_go() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "local": 1]>
    g (float[3] x) => (float[3] y) { a = local.f(x)  y = local.k(a) }
    <domain: "local", opset_import: ["": 17, "local": 1]> f (a) => (b) { b = local.h(a) }
    <domain: "local", opset_import: ["": 17]> h (a) => (b) { b = Neg(a) }
    <domain: "local", opset_import: ["": 17]> k (a) => (b) { b = Sin(a) }"""
    model = parse(text)
    run_pipeline(model, "extract:outputs=a")
    assert [name for _, name, _ in model.functions] == ["f", "h"]
    assert model.opsets == {"": 17, "local": 1}


def test_metadata_stay_and_annotations_of_what_went_go() -> None:
    nodes = [helper.make_node("Mul", ["x", "w"], ["a"]), helper.make_node("Mul", ["a", "u"], ["y"])]
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in ("x", "y")]
    weights = [numpy_helper.from_array(np.ones(2, np.float32), n) for n in ("w", "u", "scale_w", "scale_u")]
    graph = helper.make_graph(nodes, "g", [info[0]], [info[1]], weights)
    for name in ("w", "u"):
        annotation = graph.quantization_annotation.add(tensor_name=name)
        annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value=f"scale_{name}")
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, doc_string="about")
    helper.set_model_props(proto, {"author": "somebody"})
    model = load(proto)
    run_pipeline(model, "extract:inputs=a")
    check(model)
    result = to_proto(model)
    assert [a.tensor_name for a in result.graph.quantization_annotation] == ["u"]
    assert [t.name for t in result.graph.initializer] == ["u", "scale_u"]
    assert result.doc_string == "about"
    assert result.metadata_props[0].value == "somebody"


def test_names_may_hold_commas() -> None:
    nodes = [helper.make_node("Neg", ["x"], ["a,b"]), helper.make_node("Add", ["a,b", "x"], ["y"])]
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in ("x", "y")]
    graph = helper.make_graph(nodes, "g", [info[0]], [info[1]])
    model = load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))
    run_pipeline(model, 'extract:inputs="a,b"+x')
    assert interface(model)[0] == ["a,b", "x"]
    model = parse(TEXT)
    run_pipeline(model, 'extract:inputs="b, c";outputs="e"')
    assert interface(model)[:2] == (["b", "c"], ["e"])


@pytest.mark.parametrize("ir_version", [3, 8])
def test_weights_of_old_files_are_no_inputs(ir_version: int) -> None:
    nodes = [helper.make_node("Mul", ["x", "w"], ["a"]), helper.make_node("Mul", ["a", "u"], ["y"])]
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in ("x", "w", "u", "y")]
    weights = [numpy_helper.from_array(np.ones(2, np.float32), n) for n in ("w", "u")]
    inputs = info[:3] if ir_version < 4 else info[:1]
    graph = helper.make_graph(nodes, "g", inputs, info[3:], weights)
    model = load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=ir_version))
    run_pipeline(model, "extract:inputs=a")
    check(model)
    proto = to_proto(model)
    onnx.checker.check_model(proto)
    assert [v.name for v in proto.graph.input] == (["a", "u"] if ir_version < 4 else ["a"])
    assert [t.name for t in proto.graph.initializer] == ["u"]


OPENED: list[str] | None = None
HOOKED = False


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if OPENED is not None and event == "open":
        OPENED.append(str(arguments[0]))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All files that the process opens, in Python or through its functions."""
    global HOOKED
    if not HOOKED:  # a hook cannot be taken away again
        sys.addaudithook(_note)
        HOOKED = True
    names: list[str] = []
    monkeypatch.setattr(sys.modules[__name__], "OPENED", names)
    return names


def test_external_data_that_are_not_needed_are_not_read(tmp_path: Path, opened: list[str]) -> None:
    """Loading opens each file once, to see what it is and how long; only what is kept is opened again, and read."""
    arrays = {name: np.full((64, 64), k, np.float32) for k, name in enumerate(("first", "second"))}
    nodes = [helper.make_node("MatMul", ["x", "first"], ["a"]), helper.make_node("MatMul", ["a", "second"], ["y"])]
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 64]) for n in ("x", "y")]
    weights = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    for tensor in weights:
        onnx.external_data_helper.set_external_data(tensor, f"{tensor.name}.bin")
    proto = helper.make_model(helper.make_graph(nodes, "g", [info[0]], [info[1]], weights), ir_version=8)
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    onnx.save(proto, tmp_path / "in" / "model.onnx")
    model = load(tmp_path / "in" / "model.onnx")
    opened.clear()
    run_pipeline(model, "extract:inputs=a")
    save(model, tmp_path / "out" / "part.onnx")
    assert {Path(name).name for name in opened if name.endswith(".bin")} == {"second.bin"}
    part = onnx.load(tmp_path / "out" / "part.onnx")
    np.testing.assert_array_equal(numpy_helper.to_array(part.graph.initializer[0]), arrays["second"])
    assert (tmp_path / "out" / "part.onnx.data").stat().st_size < 2 * arrays["second"].nbytes
