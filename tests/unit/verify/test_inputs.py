"""Random inputs: what the model does with them decides what they hold."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from gopt.errors import ModelError, UsageError
from gopt.ir import DType
from gopt.ir.expressions import evaluate, names_in
from gopt.verify.flow import Facts
from gopt.verify.given import fit
from gopt.verify.inputs import InputSpec, feed, specs


def model(text: str, opset: int = 18) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> {text}')


def inputs_of(proto: onnx.ModelProto) -> dict[str, InputSpec]:
    return {spec.name: spec for spec in specs(proto, Facts(proto))}


def drawn(proto: onnx.ModelProto, name: str, seeds: int = 4, **sizes: int) -> np.ndarray[Any, Any]:
    """Elements of one input over some seeds."""
    made = [feed(list(inputs_of(proto).values()), sizes, seed)[name] for seed in range(seeds)]
    return np.concatenate([np.ravel(a) for a in made])


TABLE = "<float[5,2] table = {1,2,3,4,5,6,7,8,9,10}>"


def test_indices_stay_within_the_table() -> None:
    x = drawn(model(f"g (int64[50] i) => (float[50,2] y) {TABLE} {{ y = Gather(table, i) }}"), "i")
    assert x.min() == 0
    assert x.max() == 4


def test_indices_are_followed_through_movement_and_shifts() -> None:
    text = f"""g (int32[50] i) => (float[50,1,2] y) {TABLE} {{
        one = Constant<value_int = 1>()
        two = Constant<value_int = 2>()
        minus = Constant<value_ints = [-1]>()
        c = Cast<to = 7>(i)
        u = Unsqueeze(c, minus)
        d = Mul(u, two)
        s = Sub(d, one)
        y = Gather<axis = 0>(table, s)
    }}"""
    x = drawn(model(text), "i")
    assert (x.min(), x.max()) == (1, 2)  # 0 <= 2 x - 1 < 5


def test_indices_given_as_floats() -> None:
    text = f"g (float[50] i) => (float[50,2] y) {TABLE} {{ c = Cast<to = 7>(i)  y = Gather(table, c) }}"
    x = drawn(model(text), "i")
    assert set(x.tolist()) == {0.0, 1.0, 2.0, 3.0, 4.0}


def test_indices_that_a_body_captures() -> None:
    text = f"""g (int64[50] i, bool b) => (float[50,2] y) {TABLE} {{
        y = If (b) <then_branch = t () => (float[50,2] p) {{ p = Gather(table, i) }},
                    else_branch = e () => (float[50,2] q) {{ r = Gather(table, i)  q = Neg(r) }}>
    }}"""
    assert drawn(model(text), "i").max() == 4


def test_indices_that_come_out_of_a_body_or_go_into_a_loop() -> None:
    text = f"""g (int64[50] i, bool b) => (float[50,2] y) {TABLE} {{
        n = Constant<value_int = 2>()
        k = If (b) <then_branch = t () => (int64[50] p) {{ p = Identity(i) }},
                    else_branch = e () => (int64[50] q) {{ q = Identity(i) }}>
        last, y2 = Loop (n, b, k) <body = body (int64 it, bool go, int64[50] state) =>
            (bool go2, int64[50] state2, float[50,2] row)
            {{ go2 = Identity(go)  state2 = Identity(state)  row = Gather(table, state) }}>
        m = Constant<value_int = 0>()
        y = Gather(y2, m)
    }}"""
    assert drawn(model(text), "i").max() == 4


def test_indices_that_go_into_a_local_function() -> None:
    text = f"""<ir_version: 8, opset_import: ["": 18, "local": 1]>
    g (int64[50] i) => (float[50,2] y) {TABLE} {{ y = local.look(table, i) }}
    <domain: "local", opset_import: ["": 18]> look (t, i) => (y) {{ y = Gather(t, i) }}"""
    proto = onnx.parser.parse_model(text)
    assert inputs_of(proto)["i"].usage.hi is None  # the table is not constant in there: found out by running
    text = text.replace(
        "y = Gather(t, i)",
        "d = Constant<value_int = 3>() v = Constant<value_floats = [0.0, 1.0]>() y = OneHot(i, d, v)",
    )
    assert drawn(onnx.parser.parse_model(text), "i").max() == 2


def test_table_sizes_are_seen_through_movement() -> None:
    text = f"g (int64[50] i) => (float[50,5] y) {TABLE} {{ t = Transpose(table)  y = Gather(t, i) }}"
    assert drawn(model(text), "i").max() == 1
    text = f"g (int64[50] i) => (float[50,2] y) {TABLE} {{ t = Add(table, table)  y = Gather(t, i) }}"
    assert drawn(model(text), "i").max() == 4  # by shape inference


@pytest.mark.parametrize(
    ("text", "lowest", "highest"),
    [
        (
            "g (int64[60] i) => (float[60,4] y) { d = Constant<value_int = 4>()"
            " v = Constant<value_floats = [0.0, 1.0]>()  y = OneHot(i, d, v) }",
            0,
            3,
        ),
        ("g (int64[60] i, float[3,7] x) => (float[60] y) { y = GatherND<batch_dims = 0>(x, i) }", 0, 2),
        ("g (int64[60] i, int64[60] x) => (int64[60] y) { y = Div(x, i) }", 1, 9),
        ("g (uint8[900] i) => (float[900] y) { y = Cast<to = 1>(i) }", 0, 255),
        ("g (int8[900] i) => (float[900] y) { y = Cast<to = 1>(i) }", -128, 127),
        ("g (int64[60] i) => (int64[60] y) { y = Neg(i) }", 0, 9),
    ],
)
def test_ranges_of_integers(text: str, lowest: int, highest: int) -> None:
    x = drawn(model(text), "i")
    assert x.min() >= lowest
    assert x.max() <= highest
    assert x.max() > lowest


def test_overridable_initializers_are_not_constants() -> None:
    proto = model("g (int64[50] i, float[5,2] t) => (float[50,2] y) { y = Gather(t, i) }")
    proto.graph.initializer.append(helper.make_tensor("t", TensorProto.FLOAT, [5, 2], range(10)))
    assert list(inputs_of(proto)) == ["i"]


def test_a_scalar_takes_values_that_the_model_looks_for() -> None:
    proto = model("g (int64 sr) => (bool y) { r = Constant<value_int = 16000>()  y = Equal(sr, r) }")
    assert set(drawn(proto, "sr").tolist()) == {16000}


def test_strings_of_the_model_occur() -> None:
    node = helper.make_node(
        "LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml", keys_strings=["cat", "dog"], values_int64s=[1, 2]
    )
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.STRING, [40])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [40])],
    )
    x = drawn(helper.make_model(graph), "x")
    assert {"cat", "dog"} < set(x.tolist())


def test_lengths_fit_the_padded_axis() -> None:
    proto = model("g (float[3,20] x, int64[3] x_lengths) => (float[3,20] y) { y = Identity(x) }")
    made = feed(list(inputs_of(proto).values()), {}, 0)["x_lengths"]
    assert made[0] == 20
    assert made.min() >= 10


def test_states_are_small_and_seeds_differ() -> None:
    proto = model("g (float[100] h, float[100] x) => (float[100] y) { y = Add(x, h) }")
    assert np.abs(drawn(proto, "h")).max() <= 0.2
    inputs = list(inputs_of(proto).values())
    first, again, other = (feed(inputs, {}, seed)["x"] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.min() < 0 <= other.min()


@pytest.mark.parametrize("dtype", [d for d in DType if d is not DType.UNDEFINED])
def test_every_element_type_can_be_made(dtype: DType) -> None:
    info = helper.make_tensor_value_info("x", int(dtype), [3, "n"])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [info], [info])
    graph.output[0].name = "y"
    spec = specs(proto := helper.make_model(graph), Facts(proto))
    x = feed(spec, {"n": 4}, 0)["x"]
    assert x.shape == (3, 4)
    assert x.dtype == dtype.numpy


def test_sequences_optionals_and_maps() -> None:
    proto = model("g (seq(float[N]) s, optional(float[N]) o) => (seq(float[N]) t) { t = Identity(s) }")
    made = feed(list(inputs_of(proto).values()), {"N": 2, "s.0": 2, "o.0": 2}, 0)
    assert [a.shape for a in made["s"]] == [(2,)] * 3
    assert made["o"].shape == (2,)


def test_an_absurd_size_is_an_error() -> None:
    proto = model("g (float[999999,999999] x) => (float[999999,999999] y) { y = Neg(x) }")
    with pytest.raises(ModelError, match="shape"):
        feed(list(inputs_of(proto).values()), {}, 0)


@pytest.mark.parametrize(
    ("dim", "names"),
    [
        ("batch", ["batch"]),
        ("unk__12", ["unk__12"]),
        ("DynamicDimension.0", ["DynamicDimension.0"]),
        ("batch-1", ["batch-1"]),
        ("time/freq", ["time/freq"]),
        ("past + 1", ["past"]),
        ("past_len + seq_len", ["past_len", "seq_len"]),
        ("2*n", ["n"]),
        ("(n - 1)//2 + 1", ["n"]),
        ("__import__('os')", ["__import__('os')"]),
        ("a ** b", ["a ** b"]),
    ],
)
def test_dims_written_as_arithmetic(dim: str, names: list[str]) -> None:
    assert names_in(dim) == names


def test_the_size_of_an_expression() -> None:
    assert evaluate("(n - 1)//2 + 1", {"n": 7}) == 4
    assert evaluate("n - 9", {"n": 7}) == 0
    assert evaluate("n // m", {"n": 7, "m": 0}) == 0


def test_given_arrays_must_fit() -> None:
    proto = model("g (float[2,N] x, bfloat16[2] b) => (float[2,N] y) { y = Neg(x) }")
    known = inputs_of(proto)
    assert fit(known["x"], np.ones((2, 5), np.float32)).shape == (2, 5)
    assert fit(known["b"], np.zeros(2, np.uint16)).dtype == ml_dtypes.bfloat16
    for bad in (np.ones((2, 5)), np.ones((3, 5), np.float32), np.ones(2, np.float32)):
        with pytest.raises(UsageError):
            fit(known["x"], bad)
