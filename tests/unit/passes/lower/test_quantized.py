"""`lower.quantized`: the same numbers in floats, or the floats that were meant."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.passes.clean.rewriting import Rewritten, rewrite

DYNAMIC = """(float[1,2,5,5] x) => (float y) <uint8[3,2,2,2] w =
{1, 9, 3, 4, 5, 6, 7, 8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1, 2, 3, 4, 5, 6},
float ws = {0.25}, uint8 wz = {5}>
{ q, s, z = DynamicQuantizeLinear(x) i = ConvInteger(q, w, z, wz) MIDDLE }"""
SCALED = "f = Cast<to = 1>(i) both = Mul(s, ws) y = Mul(f, both)"


def dynamic(middle: str = SCALED, **options: object) -> Rewritten:
    to = options.pop("to", "numbers")
    return rewrite(DYNAMIC.replace("MIDDLE", middle), f"lower.quantized.dynamic:to={to}", **options)  # type: ignore[arg-type]


def test_the_same_numbers() -> None:
    done = dynamic()
    assert done.fired == ["quantized.dynamic"]
    assert not {"DynamicQuantizeLinear", "ConvInteger"} & set(done.ops)


def test_a_sum_that_goes_on_as_integers() -> None:
    middle = "b = Constant<value = int32 {7}>() k = Add(i, b) y = Cast<to = 1>(k)"
    done = dynamic(middle)
    assert done.fired == ["quantized.dynamic"]
    assert done.ops.count("Cast") == 2


@pytest.mark.parametrize(
    "x", [np.zeros((1, 2, 5, 5)), np.full((1, 2, 5, 5), 3.0), -np.arange(50.0).reshape(1, 2, 5, 5)]
)
def test_unusual_ranges(x: np.ndarray) -> None:  # type: ignore[type-arg]
    assert dynamic(sizes={"x": x.astype(np.float32)}).fired == ["quantized.dynamic"]


def test_in_floats() -> None:
    done = dynamic(to="float", runs=False)
    assert done.ops == ["Conv"]
    weight = done.op("Conv").inputs[1]
    assert weight is not None
    assert weight.const is not None
    assert weight.const.numpy().reshape(-1)[:2].tolist() == [(1 - 5) * 0.25, (9 - 5) * 0.25]


def test_in_floats_with_a_bias_in_the_scale_of_the_sums() -> None:
    middle = """both = Mul(s, ws) bias = Constant<value = float[3] {1.0, 2.0, 3.0}>() d = Div(bias, both) r = Floor(d)
    k = Cast<to = 6>(r) shape = Constant<value = int64[4] {1, 3, 1, 1}>() b = Reshape(k, shape) a = Add(i, b)
    f = Cast<to = 1>(a) y = Mul(f, both)"""
    done = dynamic(middle, to="float", runs=False)
    assert done.ops == ["Conv"]
    assert [v.const.numpy().tolist() for v in done.op("Conv").inputs[2:] if v and v.const] == [[1.0, 2.0, 3.0]]


def test_in_floats_only_where_the_scales_are_known() -> None:
    assert dynamic("f = Cast<to = 1>(i) y = Mul(f, s)", to="float").fired == []


def test_levels_that_are_used_elsewhere_are_left() -> None:
    assert dynamic(SCALED + " n = Cast<to = 1>(q) m = ReduceSum(n)").fired == []


def test_a_product() -> None:
    text = """(float[2,3] x) => (float y) <int8[3,2] w = {1, -2, 3, 4, -5, 6}> { q, s, z = DynamicQuantizeLinear(x)
    i = MatMulInteger(q, w, z) f = Cast<to = 1>(i) y = Mul(f, s) }"""
    done = rewrite(text, "lower.quantized.dynamic")
    assert done.fired == ["quantized.dynamic"]
    assert "MatMul" in done.ops


PAIR = """(float[2,3] x) => (float y) <float s = {0.5}, TYPE z = {ZERO}>
{ q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }"""


@pytest.mark.parametrize(("dtype", "zero"), [("uint8", 128), ("uint8", 0), ("int8", 3)])
def test_levels_of_other_kinds_are_rounded_in_floats(dtype: str, zero: int) -> None:
    done = rewrite(PAIR.replace("TYPE", dtype).replace("ZERO", str(zero)), "lower.quantized.pairs")
    assert done.ops == ["Div", "Round", "Clip", "Mul"]


def test_symmetric_levels_are_left() -> None:
    assert rewrite(PAIR.replace("TYPE", "int8").replace("ZERO", "0"), "lower.quantized.pairs").fired == []


def test_levels_at_the_edges_of_a_model() -> None:
    text = """(uint8[2] x, float[2] f) => (float y, uint8 g) <float s = {0.5}, uint8 z = {3}>
    { y = DequantizeLinear(x, s, z) g = QuantizeLinear(f, s, z) }"""
    done = rewrite(text, "lower.quantized.pairs")
    assert not {"QuantizeLinear", "DequantizeLinear"} & set(done.ops)


@pytest.mark.parametrize("axis", [0, 1])
def test_weights_by_channel(axis: int) -> None:
    text = f"""(float[2,2] x) => (float y)
    <uint8[2,2] w = {{1, 2, 3, 4}}, float[2] s = {{0.5, 2}}, uint8[2] z = {{3, 1}}>
    {{ v = DequantizeLinear<axis = {axis}>(w, s, z) y = Add(x, v) }}"""
    assert rewrite(text, "lower.quantized.pairs").ops == ["Add"]


def test_a_quantized_convolution_becomes_floats() -> None:
    text = """(uint8[1,1,4,4] x) => (uint8 y) <float xs = {0.5}, uint8 xz = {2}, uint8[1,1,2,2] w = {1, 2, 3, 4},
    float ws = {0.25}, uint8 wz = {1}, float ys = {0.5}, uint8 yz = {3}, int32[1] b = {4}>
    { y = QLinearConv(x, xs, xz, w, ws, wz, ys, yz, b) }"""
    done = rewrite(text, "lower.quantized")
    assert "Conv" in done.ops
    assert not {"QLinearConv", "QuantizeLinear", "DequantizeLinear"} & set(done.ops)


def test_the_lstm_of_the_quantizer() -> None:
    rng = np.random.default_rng(0)
    w = ", ".join(map(str, rng.integers(0, 255, 24)))
    r = ", ".join(map(str, rng.integers(0, 255, 16)))
    text = f"""<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]> g (float[3,1,3] x) => (float[3,1,1,2] y)
    <uint8[1,3,8] w = {{{w}}}, uint8[1,2,8] r = {{{r}}}, float[1] s = {{0.01}}, uint8[1] z = {{128}}>
    {{ y = com.microsoft.DynamicQuantizeLSTM<hidden_size = 2>(x, w, r, "", "", "", "", "", s, z, s, z) }}"""
    done = rewrite(text, "lower.quantized.lstm", runs=False)
    assert done.ops == ["LSTM"]
    weight = done.op("LSTM").inputs[1]
    assert weight is not None
    assert weight.const is not None
    assert weight.const.shape == (1, 8, 3)
    assert rewrite(text.replace(', "com', ', "com'), "lower", runs=False).fired == []  # only when named in full
