"""`lower.quantized`: the same numbers in floats, or the floats that were meant."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from gopt.ir import TensorType
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


SCALES = """float xs = {0.5}, TYPE xz = {2}, float ws = {0.25}, TYPE wz = {1}, float ys = {0.125}, TYPE yz = {3}"""


def lowered(text: str, dtype: str = "uint8", **options: object) -> Rewritten:
    """A graph with operators of the runtime, lowered; the same numbers come out."""
    head = '<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]> g '
    done = rewrite(head + text.replace("SCALES", SCALES).replace("TYPE", dtype), "lower.quantized", **options)  # type: ignore[arg-type]
    left = [op.op_type for op in done.model.graph.ops if op.domain or op.op_type.startswith("QLinear")]
    assert left == []
    return done


RUNTIME = {
    "add": "y = com.microsoft.QLinearAdd(a, xs, xz, b, ws, wz, ys, yz)",
    "product": "y = com.microsoft.QLinearMul(a, xs, xz, b, ws, wz, ys, yz)",
    "sigmoid": "y = com.microsoft.QLinearSigmoid(a, xs, xz, ys, yz)",
    "leaky": "y = com.microsoft.QLinearLeakyRelu<alpha = 0.3>(a, xs, xz, ys, yz)",
    "concat": "y = com.microsoft.QLinearConcat<axis = 1>(ys, yz, a, xs, xz, b, ws, wz)",
    "choice": "y = com.microsoft.QLinearWhere(c, a, xs, xz, b, ws, wz, ys, yz)",
    "softmax": "y = com.microsoft.QLinearSoftmax<axis = -1, opset = 13>(a, xs, xz, ys, yz)",
    "gemm": "y = com.microsoft.QGemm<transB = 1>(a, xs, xz, w, ws, wz, k, ys, yz)",
    "gemm of floats": "y = com.microsoft.QGemm<transB = 1, alpha = 0.5>(a, xs, xz, w, ws, wz, k)",
    "to float": "y = com.microsoft.MatMulIntegerToFloat(a, v, xs, ws, xz, wz, f)",
    "ends": "d = com.microsoft.DequantizeLinear(a, xs, xz) y = com.microsoft.QuantizeLinear(d, ys, yz)",
    "product of matrices": "y = QLinearMatMul(a, xs, xz, v, ws, wz, ys, yz)",
}


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("name", RUNTIME)
def test_operators_of_the_runtime(name: str, dtype: str) -> None:
    rng = np.random.default_rng(3)
    low, high = (0, 255) if dtype == "uint8" else (-128, 127)
    a, b = (rng.integers(low, high, (2, 3)).astype(dtype) for _ in range(2))
    text = f"""(TYPE[2,3] a, TYPE[2,3] b, bool[2,3] c) => ({"float" if "float" in name else "TYPE"} y)
    <SCALES, TYPE[2,3] w = {{1, 2, 3, 4, 5, 6}}, TYPE[3,2] v = {{1, 2, 3, 4, 5, 6}}, int32[2] k = {{7, -9}},
    float[2] f = {{1, 2}}> {{ {RUNTIME[name]} }}"""
    lowered(text, dtype, feeds={"a": a, "b": b, "c": a > 3})


def test_a_product_that_is_quantized_on_its_way() -> None:
    text = """(float[2,3] x, float[2] b) => (float y) <SCALES, uint8[3,2] w = {1, 2, 3, 4, 5, 6}>
    { y = com.microsoft.DynamicQuantizeMatMul(x, w, ws, wz, b) }"""
    assert "MatMul" in lowered(text).ops


def test_pools_and_convolutions_of_the_runtime() -> None:
    text = """(uint8[1,2,4,4] x) => (uint8 y)
    <SCALES, uint8[2,2,2,2] w = {1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8}>
    { c = com.microsoft.QLinearConv(x, xs, xz, w, ws, wz, ys, yz)
      p = com.microsoft.QLinearAveragePool<kernel_shape = [2,2]>(c, ys, yz, xs, xz)
      y = com.microsoft.QLinearGlobalAveragePool(p, xs, xz, ys, yz) }"""
    done = lowered(text)
    assert {"Conv", "AveragePool", "GlobalAveragePool"} <= set(done.ops)


def test_channels_that_come_last_are_left() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]> g (uint8[1,4,4,2] x) => (uint8 y)
    <float s = {0.5}, uint8 z = {3}> { y = com.microsoft.QLinearGlobalAveragePool<channels_last = 1>(x, s, z, s, z) }"""
    assert rewrite(text, "lower.quantized.runtime", runs=False).fired == []


CHAIN = """(float[1,2,8,8] f) => (float y)
<SCALES, TYPE[3,2,3,3] w = {%s}, int32[3] k = {5, -6, 7}, int64[3] flat = {0, 3, -1},
float[4] by = {1, 1, 2, 2}>
{ x = QuantizeLinear(f, xs, xz) c = QLinearConv(x, xs, xz, w, ws, wz, ys, yz, k) MIDDLE
  y = DequantizeLinear(m, ys, yz) }"""


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize(
    "middle",
    [
        pytest.param("r = Reshape(c, flat) m = Transpose<perm = [0,2,1]>(r)", id="moves"),
        pytest.param("m = MaxPool<kernel_shape = [2,2]>(c)", id="pool"),
        pytest.param('m = Resize<mode = "nearest">(c, "", by)', id="nearest"),
        pytest.param('m = Resize<mode = "linear">(c, "", by)', id="linear"),
        pytest.param(
            "a, b, d = Split<axis = 1>(c) e = Transpose(b) g = Transpose(e) m = Concat<axis = 1>(d, a, g)", id="parts"
        ),
    ],
)
def test_what_lies_between_quantized_operators_becomes_floats(middle: str, dtype: str) -> None:
    """The same numbers, to the bit; no value of 8 bits is left that a device would have to hold."""
    numbers = ", ".join(map(str, np.random.default_rng(0).integers(0, 100, 54)))
    done = lowered((CHAIN % numbers).replace("MIDDLE", middle), dtype)
    types = {v.type.dtype.name for v in done.model.graph.values if isinstance(v.type, TensorType) and v.const is None}
    assert types <= {"FLOAT", "INT32", "INT64"}


def test_one_scale_for_each_column() -> None:
    text = """(float[2,3] f) => (float y) <float s = {0.5}, int8 z = {3}, int8[3,2] w = {1, 2, 3, 4, 5, 6},
    float[2] ws = {0.25, 0.5}, int8[2] wz = {0, 1}>
    { x = QuantizeLinear(f, s, z) m = QLinearMatMul(x, s, z, w, ws, wz, s, z) y = DequantizeLinear(m, s, z) }"""
    done = rewrite(text, "lower.quantized")
    assert not {"QLinearMatMul", "QuantizeLinear", "DequantizeLinear"} & set(done.ops)


def test_symmetric_levels_are_multiplied_as_quantized_numbers() -> None:
    """So TensorRT finds a product of 8 bits between QuantizeLinear and DequantizeLinear."""
    text = """(float[2,3] f) => (float y) <float s = {0.5}, int8 z = {0}, int8[3,2] w = {1, 2, 3, 4, 5, 6}>
    { x = QuantizeLinear(f, s, z) m = QLinearMatMul(x, s, z, w, s, z, s, z) y = DequantizeLinear(m, s, z) }"""
    done = rewrite(text, "lower.quantized")
    operands = [v.producer.op_type for v in done.op("MatMul").inputs if v is not None and v.producer is not None]
    assert operands == ["DequantizeLinear", "DequantizeLinear"]


def test_biases_of_32_bits_become_floats() -> None:
    text = """(float[2,3] x) => (float y) <int32[3] k = {5, -6, 7}, float[3] s = {0.5, 0.25, 2}, int32[3] z = {0, 0, 0}>
    { b = DequantizeLinear<axis = 0>(k, s, z) y = Add(x, b) }"""
    assert rewrite(text, "lower.quantized").ops == ["Add"]


def test_levels_of_a_dynamic_range_that_go_elsewhere() -> None:
    text = "(float[2,3] x) => (uint8 y, float s, uint8 z) { y, s, z = DynamicQuantizeLinear(x) }"
    assert "DynamicQuantizeLinear" not in rewrite(text, "lower.quantized").ops


@pytest.mark.parametrize("zero", ["az", '""'])
def test_sums_of_integers(zero: str) -> None:
    text = f"""(uint8[2,3] a, int8[3,2] b) => (int32 y) <uint8 az = {{7}}, int8[2] bz = {{1, -2}}>
    {{ y = MatMulInteger(a, b, {zero}, bz) }}"""
    assert "MatMulInteger" not in rewrite(text, "lower.quantized").ops
    text = f"""(uint8[1,2,4,4] a, int8[3,2,2,2] b) => (int32 y) <uint8 az = {{7}}>
    {{ y = ConvInteger<pads = [1,1,1,1]>(a, b, {zero}) }}"""
    assert "ConvInteger" not in rewrite(text, "lower.quantized").ops


def test_results_are_judged_as_levels_where_levels_are_said_in_floats() -> None:
    done = rewrite(PAIR.replace("TYPE", "uint8").replace("ZERO", "128"), "lower.quantized")
    assert done.ctx.ledger.facts == {"coarsest": "INT8"}
    assert rewrite(PAIR.replace("TYPE", "int8").replace("ZERO", "0"), "lower.quantized").ctx.ledger.facts == {}


def test_symmetric_constants_stay_quantized_only_where_they_are_multiplied() -> None:
    text = """(float[2,3] x) => (float y, float z) <float s = {0.5}, int8[3,3] w = {1, -2, 3, 4, -5, 6, 7, 8, 9}>
    { a = DequantizeLinear(w, s) y = MatMul(x, a) b = DequantizeLinear(w, s) c = Neg(b) z = ReduceSum(c) }"""
    assert rewrite(text, "lower.quantized").ops.count("DequantizeLinear") == 1


@pytest.mark.parametrize(("dtype", "zero"), [("uint16", 700), ("int16", 0)])
def test_levels_of_16_bits(dtype: str, zero: int) -> None:
    """TensorRT has none, symmetric or not."""
    text = PAIR.replace("TYPE", dtype).replace("ZERO", str(zero)).replace("0.5", "0.001")
    assert rewrite(text, "lower.quantized.pairs", opset=21).ops == ["Div", "Round", "Clip", "Mul"]


@pytest.mark.parametrize("dtype", [onnx.TensorProto.UINT4, onnx.TensorProto.UINT8])
def test_weights_in_blocks(dtype: int) -> None:
    rng = np.random.default_rng(0)

    def weights(model: onnx.ModelProto) -> None:
        for name, shape in (("w", [7, 4]), ("z", [2, 4])):
            numbers = rng.integers(0, 15, shape).reshape(-1).tolist()
            model.graph.initializer.append(onnx.helper.make_tensor(name, dtype, shape, numbers))

    text = """(float[2,7] x) => (float[2,4] y) <float[2,4] s = {0.5, 2, 1, 3, 4, 5, 6, 7}>
    { v = DequantizeLinear<axis = 0, block_size = 4>(w, s, z) y = MatMul(x, v) }"""
    assert rewrite(text, "lower.quantized.pairs", opset=21, edit=weights).ops == ["MatMul"]
