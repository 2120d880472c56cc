"""Shapes of ONNX Runtime's own operators, as ONNX Runtime gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from gopt.analysis import infer
from gopt.frontends.onnx import load
from gopt.ir import TensorType

R = np.random.default_rng(3)


def f32(*shape: int) -> np.ndarray[Any, Any]:
    return R.standard_normal(shape).astype(np.float32)


def u8(*shape: int) -> np.ndarray[Any, Any]:
    return R.integers(0, 200, shape).astype(np.uint8)


ONE, ZERO, U0 = np.float32(0.1), np.zeros(1, np.float32), np.uint8(3)
CASES: dict[str, tuple[list[Any], dict[str, Any], int]] = {
    "Gelu": ([f32(2, 3)], {}, 1),
    "FastGelu": ([f32(2, 3)], {}, 1),
    "QuickGelu": ([f32(2, 3)], {"alpha": 1.7}, 1),
    "BiasGelu": ([f32(2, 3), f32(3)], {}, 1),
    "SkipLayerNormalization": ([f32(2, 4, 8), f32(2, 4, 8), f32(8)], {}, 1),
    "FusedMatMul": ([f32(2, 5, 3), f32(2, 5, 4)], {"transA": 1}, 1),
    "DynamicQuantizeMatMul": ([f32(2, 5, 3), u8(3, 4), ONE.reshape(1), U0.reshape(1)], {}, 1),
    "MatMulIntegerToFloat": ([u8(2, 5, 3), u8(3, 4), ONE.reshape(1), ONE.reshape(1)], {}, 1),
    "QLinearAdd": ([u8(2, 1, 3), ONE, U0, u8(4, 3), ONE, U0, ONE, U0], {}, 1),
    "QLinearSigmoid": ([u8(2, 3), ONE, U0, ONE, U0], {}, 1),
    "QuantizeLinear": ([f32(2, 3), ONE, U0], {}, 1),
    "DequantizeLinear": ([u8(2, 3), ONE, U0], {}, 1),
    "Attention": ([f32(2, 4, 8), f32(8, 24), f32(24)], {"num_heads": 2}, 1),
    "MultiHeadAttention": ([f32(2, 4, 8), f32(2, 6, 8), f32(2, 6, 8)], {"num_heads": 2}, 1),
    "FusedConv": ([f32(1, 2, 7, 5), f32(4, 2, 3, 3)], {"activation": "Relu", "strides": [2, 1]}, 1),
    "FusedGemm": ([f32(3, 2), f32(3, 4)], {"transA": 1, "activation": "Relu"}, 1),
    "QGemm": ([u8(2, 3), ONE, U0, u8(3, 4), ONE, U0, None, ONE, U0], {}, 1),
    "QLinearConcat": ([ONE, U0, u8(2, 3), ONE, U0, u8(2, 4), ONE, U0], {"axis": 1}, 1),
    "QLinearAveragePool": ([u8(1, 2, 7, 5), ONE, U0, ONE, U0], {"kernel_shape": [3, 2]}, 1),
    "QLinearGlobalAveragePool": ([u8(1, 2, 7, 5), ONE, U0, ONE, U0], {}, 1),
    "QLinearConv": ([u8(1, 2, 7, 5), ONE, U0, u8(4, 2, 3, 3), ONE, U0, ONE, U0], {}, 1),
    "DynamicQuantizeLSTM": (
        [f32(5, 1, 3), u8(1, 3, 16), u8(1, 4, 16), f32(1, 32), *[None] * 4, *[ONE.reshape(1), U0.reshape(1)] * 2],
        {"hidden_size": 4},
        3,
    ),
}


@pytest.mark.parametrize("op_type", CASES)
def test_shapes_agree_with_the_runtime(op_type: str) -> None:
    arrays, attributes, count = CASES[op_type]
    names = ["" if a is None else f"i{k}" for k, a in enumerate(arrays)]
    inputs, initializers = [], []
    for k, (name, array) in enumerate(zip(names, arrays, strict=True)):
        if array is None:
            continue
        if k == 0:
            inputs.append(
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            )
        else:
            initializers.append(onnx.numpy_helper.from_array(np.asarray(array), name))
    outputs = [f"o{k}" for k in range(count)]
    node = helper.make_node(op_type, names, outputs, domain="com.microsoft", **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        inputs,
        [helper.make_tensor_value_info(o, TensorProto.UNDEFINED, None) for o in outputs],
        initializers,
    )
    for output in graph.output:
        output.ClearField("type")
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    results = ort.InferenceSession(proto).run(None, {"i0": np.asarray(arrays[0])})
    model = load(proto)
    infer(model)
    for value, result in zip(model.graph.outputs, results, strict=True):
        type_ = value.type
        assert isinstance(type_, TensorType)
        assert (type_.dtype.numpy, type_.shape) == (result.dtype, result.shape)
