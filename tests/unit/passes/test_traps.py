"""What optimizers of ONNX models are known to get wrong, through `@default`: the numbers stay.

Each model runs before and after; `left` are the ops that must be there still.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from gopt.frontends.onnx import load, to_bytes
from gopt.ir.check import check
from gopt.passes import run_pipeline
from gopt.rewrite import Context, Numerics
from tests.unit.passes.clean.rewriting import compare, make_feeds, parse, rewrite

DEFAULT = "@default"
ODD = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, -3.0, 1e-42, 2.5], "f")


def test_a_clip_below_zero_then_relu() -> None:
    text = "(float[4] x) => (float[4] y) <float l = {-2}, float h = {-1}> { a = Clip(x, l, h) y = Relu(a) }"
    done = rewrite(text, DEFAULT)
    assert (done.outputs["y"] == 0).all()


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
def test_a_neutral_constant_that_broadcasts(op: str) -> None:
    element = 1 if op == "Mul" else 0
    text = f"(float[4] x) => (float[3,4] y) <float[3,1] c = {{{element}, {element}, {element}}}> {{ y = {op}(x, c) }}"
    assert rewrite(text, DEFAULT).outputs["y"].shape == (3, 4)


def test_random_numbers_are_not_merged() -> None:
    text = "(float[9] x) => (float[9] y) { a = RandomNormalLike(x) b = RandomNormalLike(x) y = Sub(a, b) }"
    assert rewrite(text, DEFAULT, runs=False).ops == ["RandomNormalLike", "RandomNormalLike", "Sub"]


def test_a_default_that_a_caller_may_override() -> None:
    def override(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.full(4, 2, "f"), "k"))

    text = "(float[4] x, float[4] k) => (float[4] y) <float c = {3}> { a = Mul(k, c) y = Mul(x, a) }"
    done = rewrite(text, DEFAULT, edit=override)
    assert "k" in [v.name for v in done.model.graph.inputs]
    assert any(v is not None and v.name == "k" for op in done.model.graph.ops for v in op.inputs)


CONV = "float[2,2,1,1] w = {1, 2, 3, 4}, float[2] b = {5, 6}, float k = {2}"


@pytest.mark.parametrize(
    "text",
    [
        f"(float[1,2,3,3] x) => (float y, float a) <{CONV}> {{ a = Conv(x, w, b) y = Mul(a, k) }}",
        f"(float[1,2,3,3] x) => (float y) <{CONV}> {{ a = Conv(x, w, b) c = Mul(a, k) s = Sin(a) y = Add(c, s) }}",
        f"(float[1,2,3,3] x) => (float y) <{CONV}> {{ a = Conv(x, w, b) y = Mul(a, a) }}",
    ],
)
def test_a_convolution_whose_result_others_see(text: str) -> None:
    assert "Conv" in rewrite(text, DEFAULT).ops


@pytest.mark.parametrize("declared", [[-1, 4], [2, -1], [0, 0], [3, 5], [7], []])
def test_dims_that_are_declared_wrongly(declared: list[int]) -> None:
    text = "(float[2,4] x) => (float[2,4] y) <int64[2] s = {4, 2}, int64[2] t = {2, 4}, float one = {1}> "
    proto = parse(text + "{ a = Reshape(x, s) b = Mul(a, one) c = Reshape(b, t) d = Relu(c) y = Add(d, d) }")
    for name in ("a", "b", "c", "d"):
        proto.graph.value_info.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, declared))
    before = proto.SerializeToString()
    model = load(before)
    run_pipeline(model, DEFAULT, ctx := Context(model))
    check(model)
    del proto.graph.value_info[:]
    numerics = max((e.numerics for e in ctx.ledger.entries), default=Numerics.EXACT)
    compare(proto.SerializeToString(), to_bytes(model), make_feeds(proto, finite=True), numerics)


def test_sequences() -> None:
    text = """(float[2] x, float[2] z) => (float[2] y) <int64 i = {-1}> {
        s = SequenceConstruct(x, z) a = SequenceAt(s, i) b = SequenceAt(s, i) y = Add(a, b) }"""
    rewrite(text, DEFAULT)


def test_a_reshape_to_zero_below_version_14() -> None:
    text = "(float[2,0] x) => (float[N,M] y) <int64[2] s = {0, 0}> { a = Identity(x) y = Reshape(a, s) }"
    for opset in (11, 13, 17):
        assert rewrite(text, DEFAULT, opset).outputs["y"].shape == (2, 0)


@pytest.mark.parametrize(
    "body",
    [
        "a = Mul(x, k) y = Mul(a, k)",
        "a = Mul(x, k) b = Mul(x, k) y = Add(a, b)",
        "a = Add(x, k) y = Add(a, k)",
        "a = MatMul(x, w) y = Mul(a, k)",
        "a = MatMul(x, w) b = Transpose(a) y = Mul(b, k)",
        "a = MatMul(x, w) y = MatMul(a, w)",
        "a = MatMul(x, w) b = MatMul(x, w) y = Add(a, b)",
        "a = Mul(x, r) y = Reciprocal(a)",
    ],
)
def test_constants_of_sixteen_bits_do_not_overflow(body: str) -> None:
    def fill(model: onnx.ModelProto) -> None:
        used = {name for node in model.graph.node for name in node.input}
        given = {"k": np.array(4e4, "e"), "w": np.full((4, 4), 4e4, "e"), "r": np.array(1e-7, "e")}
        for name in used & given.keys():
            model.graph.initializer.append(onnx.numpy_helper.from_array(given[name], name))

    done = rewrite(f"(float16[3,4] x) => (float16 y) {{ {body} }}", DEFAULT, edit=fill, runs=False)
    for value in done.model.graph.values:
        if value.const is not None:
            assert np.isfinite(value.const.numpy().astype("f")).all()


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
@pytest.mark.parametrize(
    "body", ["a = Div(x, c) y = Mul(a, c)", "a = Mul(x, c) y = Div(a, d)", "a = Div(x, c) y = Div(a, d)"]
)
def test_division_of_integers(dtype: str, body: str) -> None:
    rewrite(f"({dtype}[9] x) => ({dtype}[9] y) <{dtype} c = {{2}}, {dtype} d = {{3}}> {{ {body} }}", DEFAULT)


@pytest.mark.parametrize("fmod", [0, 1])
def test_remainders(fmod: int) -> None:
    text = (
        f"(int64[9] x) => (int64[9] y) <int64 c = {{-4}}> {{ a = Mod<fmod={fmod}>(x, c) y = Mod<fmod={fmod}>(a, c) }}"
    )
    rewrite(text, DEFAULT)


@pytest.mark.parametrize("constant", ["inf", "-inf", "nan", "0"])
@pytest.mark.parametrize(
    "body",
    [
        "a = Mul(x, k) y = Mul(a, c)",
        "a = Add(x, k) y = Sub(a, k)",
        "a = Mul(x, k) b = Mul(x, c) y = Add(a, b)",
        "a = Div(x, k) y = Div(a, c)",
        "a = MatMul(x, w) y = Mul(a, k)",
        "a = MatMul(x, w) b = Transpose(a) y = Add(b, k)",
        "a = Max(x, k) y = Min(a, k)",
        "a = Div(c, x) y = Mul(a, k)",
    ],
)
def test_constants_that_are_no_numbers(body: str, constant: str) -> None:
    weights = "float[2,2] w = {1, 2, 3, 4}" if "w)" in body else "float[1] unused = {0}"
    text = f"(float[2,2] x) => (float y) <float k = {{{constant}}}, float c = {{2}}, {weights}> {{ {body} }}"
    rewrite(text, DEFAULT)


POWERS = [
    "y = Pow(x, two)",
    "a = Pow(x, half) y = Pow(a, two)",
    "a = Pow(x, two) y = Pow(a, half)",
    "a = Sqrt(x) y = Mul(a, a)",
    "a = Mul(x, x) y = Sqrt(a)",
    "a = Pow(x, three) y = Pow(a, half)",
]


@pytest.mark.parametrize("body", POWERS)
def test_powers_of_negative_numbers(body: str) -> None:
    text = f"(float[8] x) => (float y) <float two = {{2}}, float half = {{0.5}}, float three = {{3}}> {{ {body} }}"
    x = np.array([-3, -1, -0.5, 0, 0.25, 1, 4, 9], "f")
    rewrite(text, DEFAULT, feeds={"x": x})


@pytest.mark.parametrize(
    "body",
    [
        "a = Max(x, z) y = Max(a, x)",
        "a = Min(x, z) y = Max(a, z)",
        "a = Max(x, k) y = Min(a, l)",
        "a = Relu(x) y = Min(a, k)",
    ],
)
def test_extremes_of_what_is_no_number(body: str) -> None:
    """Where a rewrite promises to keep NaN, it does; it says so where it does not."""
    text = f"(float[8] x, float[8] z) => (float y) <float k = {{1}}, float l = {{2}}> {{ {body} }}"
    feeds: dict[str, Any] = {"x": ODD, "z": ODD[::-1].copy()}
    rewrite(text, DEFAULT, feeds=feeds, exact=True)
    rewrite(text, DEFAULT, feeds={k: np.nan_to_num(v) for k, v in feeds.items()})
