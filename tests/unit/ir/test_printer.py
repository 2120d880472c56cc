"""Text of models: what it looks like, and that it is read again as the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from gopt.errors import ModelError
from gopt.frontends.onnx import load
from gopt.frontends.text import parse
from gopt.ir import (
    ArrayTensor,
    Declared,
    DType,
    Graph,
    MapType,
    Model,
    Op,
    OptionalType,
    Role,
    SequenceType,
    SparseTensorType,
    Symbol,
    TensorType,
    Value,
)
from gopt.ir.printer import identifier, quoted, to_text, type_text

EXAMPLE = """\
<ir_version: 8, opset_import: ["" : 17, "acme" : 1]>
g (float[N,2] x, float[2] w = {1, 0.5}) => (float[N,?] y, z) <int64[3] k = {1, -2, 3}, bool flag = {1}> {
  [add] s = Add (x, w)
  "t/0", "" = Dropout (s, "", flag)
  y = acme.Act:fast <alpha = 0.5, beta = 2.0, axis = 1, mode = "a\\"b", pads = [0, 1], none: ints = []> ("t/0", k)
  z = If (flag) <then_branch = small () => (float[2] a) {
      a = Relu (w)
    }, else_branch = other () => (c) <float[2] c = {0, 0}> {
    }>
}
<domain: "acme", overload: "fast", opset_import: ["" : 17]>
Act <mode, alpha = 0.5> (a, b) => (c) {
  k = Constant <value = float {2}> ()
  t = LeakyRelu <alpha: float = @alpha> (a)
  c = Mul (t, k)
}
"""


def test_text_is_read_and_printed_alike() -> None:
    assert to_text(parse(EXAMPLE)) == EXAMPLE
    assert to_text(parse(EXAMPLE), elide=None) == EXAMPLE


def test_a_graph_alone() -> None:
    model = parse(EXAMPLE)
    assert to_text(model.graph) in EXAMPLE
    assert to_text(model.graph.owners[0].bodies[0]) == "small () => (float[2] a) {\n  a = Relu (w)\n}\n"


def test_long_lists_of_constants_take_lines_of_their_own() -> None:
    weights = ", ".join(f"float[4] weight_number_{k} = {{1, 2, 3, 4}}" for k in range(4))
    text = to_text(parse(f"g () => (float[4] weight_number_0) <{weights}> {{ }}"))
    assert text.splitlines()[1] == "g () => (float[4] weight_number_0) <"
    assert text.splitlines()[2] == "  float[4] weight_number_0 = {1, 2, 3, 4},"
    assert text.splitlines()[5:] == ["  float[4] weight_number_3 = {1, 2, 3, 4}", "> {", "}"]
    assert to_text(parse(text)) == text


def test_elision() -> None:
    model = parse("g () => (float[3] w) <float[3] w = {1, 2, 3}> { }")
    assert "{1, 2, 3}" in to_text(model, elide=3)
    elided = to_text(model, elide=2)
    assert "float[3] w = {...}" in elided
    with pytest.raises(ModelError, match="elided"):
        parse(elided)


def test_inferred_types_as_comments() -> None:
    model = parse("g (float[N] x) => (float[N] y) { y = Relu (x) }")
    op = model.graph.ops[0]
    assert "y = Relu (x)  # ?\n" in to_text(model, types=True)
    op.result.type = TensorType(DType.FLOAT, (model.symbol("N"),))
    text = to_text(model, types=True)
    assert "y = Relu (x)  # float[N]\n" in text
    assert to_text(parse(text)) == to_text(model)


def one_constant(array: np.ndarray, dtype: DType | None = None) -> Model:  # type: ignore[type-arg]
    graph = Graph("g", {"": 21})
    graph.set_output(0, graph.attach(Value("c", Role.CONST, ArrayTensor(array, dtype))))
    return Model(graph)


@pytest.mark.parametrize("dtype", list(DType)[1:], ids=lambda d: d.name)
def test_elements_of_every_type_are_read_as_they_were(dtype: DType) -> None:
    if dtype is DType.STRING:
        array = np.array([b"a", b'"\\\n#', "ü".encode()], object)
    else:
        array = np.array([1, 0, 1, 1, 0], np.float32).astype(dtype.numpy)
    model = one_constant(array, dtype)
    found = parse(to_text(model, elide=None)).graph.constants[0].tensor
    assert found is not None
    assert found.dtype is dtype
    assert list(map(str, found.numpy())) == list(map(str, array))


def test_numbers_at_the_edge() -> None:
    for array in (
        np.array([0.1, -0.0, 1e-30, 3.4028235e38, np.inf, -np.inf, np.nan, 16777217], np.float32),
        np.array([0.1, 1e300, 2**53 + 1.0]),
        np.array([2**63 - 1, -(2**63)], np.int64),
        np.array([2**64 - 1], np.uint64),
        np.array([1 + 2j, -np.inf * 1j], np.complex64),
    ):
        found = parse(to_text(one_constant(array), elide=None)).graph.constants[0].tensor
        assert found is not None
        np.testing.assert_array_equal(found.numpy(), array)
        assert found.numpy().tobytes() == array.tobytes() or np.isnan(array).any()


def test_attributes_of_every_printable_kind() -> None:
    graph = Graph("g", {"": 21})
    values = {
        "f": 1.0,
        "g": float("nan"),
        "h": float("-inf"),
        "i": -(2**63),
        "s": 'a"\\b\nc',
        "fs": [1.0, 0.1, float("inf")],
        "ss": ["a", ""],
        "t": np.zeros((0, 2), np.float32),
    }
    op = graph.add(Op("Op"))
    for name, value in values.items():
        graph.set_attr(op, name, value)
    graph.set_output(0, op.result)
    text = to_text(Model(graph))
    assert 'f = 1.0, g = nan, h = -inf, i = -9223372036854775808, s = "a' in text
    again = parse(text)
    assert to_text(again) == text
    found = again.graph.ops[0]
    assert found.attr("s") == values["s"]
    assert found.attr("t").shape == (0, 2)


def test_types() -> None:
    n = Symbol("n.1")
    tensor = TensorType(DType.FLOAT16, (2, n, Symbol()))
    cases = {
        tensor: 'float16[2,"n.1",?]',
        TensorType(DType.INT4, ()): "int4",
        TensorType(DType.BOOL): "bool[]",
        SequenceType(tensor): 'seq(float16[2,"n.1",?])',
        OptionalType(TensorType(DType.INT64, (1,))): "optional(int64[1])",
        MapType(DType.STRING, TensorType(DType.FLOAT, ())): "map(string, float)",
        SparseTensorType(DType.FLOAT, (3,)): "sparse_tensor(float[3])",
        None: "",
    }
    graph = Graph("g", {"": 21})
    for k, (type_, text) in enumerate(cases.items()):
        assert type_text(type_) == text
        value = graph.add_input(Value(f"x{k}"))
        value.declared = Declared(type_)
    text = to_text(Model(graph))
    assert to_text(parse(text)) == text


def test_names_that_need_quotes() -> None:
    assert identifier("abc_1") == "abc_1"
    for name in ("", "a.b", "1a", "ü", "float", "seq", "nan", 'a"b'):
        assert identifier(name) == quoted(name)
    graph = Graph("a graph", {"": 21})
    for name in ("float", "a/b:0", "nan", "x y", "#", '"'):
        value = graph.add_input(Value(name))
        graph.set_output(len(graph.outputs), graph.add(Op("Relu", [value], [Value(f"{name}!")], name=name)).result)
    text = to_text(Model(graph))
    assert to_text(parse(text)) == text


@pytest.mark.parametrize("name", ["", "float", "nan", "nan_1", "inf.x", "NaN", "1", "a.b"])
def test_bodies_get_names_that_the_parser_takes(name: str) -> None:
    model = parse("g (bool c, float x) => (float y) { y = If (c) <then_branch = b () => (r) { r = Relu (x) }> }")
    model.graph.owners[0].bodies[0].name = name
    text = to_text(model)
    assert to_text(parse(text)) == text


def test_captured_values_go_by_their_outermost_name() -> None:
    inner = "then_branch = b () => (r) { r = If (c) <then_branch = d () => (s) { s = Relu (x) }> }"
    model = parse(f"g (bool c, float x) => (float y) {{ y = If (c) <{inner}> }}")
    model.graph.rename(model.graph.inputs[1], "other")
    assert "s = Relu (other)" in to_text(model)


# -- reading --------------------------------------------------------------------------------------------------------


def test_a_text_without_header() -> None:
    model = parse("g (float[2] x) => (float[2] y) { y = Relu (x) }")
    assert (model.ir_version, model.opsets) == (10, {"": 21})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "g",
        "g () => () { y = Relu (x) }",
        "\ud800",
        "g (float[1] w = {1e999}) => () { }",
        "<ir_version: 99999999999999999999> g () => () { }",
    ],
)
def test_texts_that_are_refused(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


CASES = Path(onnx.__file__).parent / "backend" / "test" / "data"


def test_backend_cases_print_stably() -> None:
    for path in sorted((CASES / "node").glob("*/*.onnx"))[::9]:
        text = to_text(load(path), elide=None)
        assert to_text(parse(text), elide=None) == text, path.parent.name
