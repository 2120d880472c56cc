"""`lower.contrib.attention`, `embedding` and `lower.quantized.blocks`, against ONNX Runtime's own operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from gopt.frontends.onnx import load, to_bytes
from gopt.passes import run_pipeline
from gopt.rewrite import Context

RNG = np.random.default_rng(0)
Arrays = list[Any]


def f32(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


Q, K, V = f32(2, 4, 6), f32(2, 5, 6), f32(2, 5, 8)
OWN = f32(2, 4, 6)
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32)
SHORT = MASK[:, 1:]
W, B = f32(6, 18), f32(18)
TWO = {"num_heads": 2}

CASES: dict[str, tuple[str, Arrays, tuple[int, ...], dict[str, Any]]] = {
    "plain": ("MultiHeadAttention", [Q, K, V], (), TWO),
    "bias": ("MultiHeadAttention", [Q, K, V, f32(20)], (3,), TWO),
    "mask": ("MultiHeadAttention", [Q, K, V, None, MASK], (), TWO),
    "added": ("MultiHeadAttention", [Q, K, V, None, None, f32(1, 2, 4, 5)], (), TWO),
    "mask and added": (
        "MultiHeadAttention",
        [Q, K, V, None, MASK, f32(2, 2, 4, 5)],
        (),
        TWO | {"mask_filter_value": -3.0},
    ),
    "scale": ("MultiHeadAttention", [Q, K, V], (), TWO | {"scale": 0.3}),
    "causal": ("MultiHeadAttention", [Q, OWN, OWN, None, SHORT], (), TWO | {"unidirectional": 1}),
    "packed": ("Attention", [Q, W, B], (1, 2), TWO),
    "packed, mask": ("Attention", [Q, W, B, SHORT], (1, 2), TWO | {"mask_filter_value": -2.0}),
    "packed, causal": ("Attention", [Q, W, B, SHORT], (1, 2), TWO | {"unidirectional": 1}),
    "packed, widths": ("Attention", [Q, f32(6, 20), f32(20)], (1, 2), TWO | {"qkv_hidden_sizes": [6, 6, 8]}),
    "packed, added": ("Attention", [Q, W, B, None, None, f32(2, 2, 4, 4)], (1, 2), TWO),
    "embedding": (
        "EmbedLayerNormalization",
        [
            np.array([[0, 1, 2], [3, 1, 0]], np.int32),
            np.array([[0, 1, 1], [0, 0, 1]], np.int32),
            *[f32(4, 2), f32(5, 2), f32(2, 2), f32(2), f32(2)],
        ],
        (2, 3, 4, 5, 6),
        {},
    ),
    "four bits": (
        "MatMulNBits",
        [f32(4, 30), RNG.integers(0, 256, (3, 2, 8)).astype(np.uint8), f32(6)],
        (1, 2),
        {"K": 30, "N": 3, "bits": 4, "block_size": 16},
    ),
    "zero points": (
        "MatMulNBits",
        [
            f32(4, 30),
            RNG.integers(0, 256, (3, 2, 8)).astype(np.uint8),
            f32(6),
            RNG.integers(0, 256, 3).astype(np.uint8),
        ],
        (1, 2, 3),
        {"K": 30, "N": 3, "bits": 4, "block_size": 16},
    ),
}


def model(op_type: str, operands: Arrays, constant: tuple[int, ...], attributes: dict[str, Any]) -> onnx.ModelProto:
    names = ["" if array is None else f"i{k}" for k, array in enumerate(operands)]
    given = {k: array for k, array in enumerate(operands) if array is not None}
    inputs = [
        helper.make_tensor_value_info(names[k], helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for k, a in given.items()
        if k not in constant
    ]
    weights = [numpy_helper.from_array(a, names[k]) for k, a in given.items() if k in constant]
    results = ["y", "unused"] if op_type == "EmbedLayerNormalization" else ["y"]
    node = helper.make_node(op_type, names, results, domain="com.microsoft", **attributes)
    output = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "g", inputs, [output], weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize("name", CASES)
def test_the_same_numbers(name: str) -> None:
    op_type, operands, constant, attributes = CASES[name]
    made = model(op_type, operands, constant, attributes)
    loaded = load(made)
    run_pipeline(loaded, "lower.contrib,lower.quantized", Context(loaded))
    assert all(not op.domain for op in loaded.graph.ops)
    feeds = {f"i{k}": a for k, a in enumerate(operands) if a is not None and k not in constant}
    (want,), (got,) = (
        ort.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, feeds)
        for data in (made.SerializeToString(), to_bytes(loaded))
    )
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("op_type", "operands", "constant", "attributes"),
    [
        pytest.param("Attention", [Q, W, B, np.array([2, 3], np.int32)], (1, 2), TWO, id="lengths for a mask"),
        pytest.param("Attention", [Q, W, B, None, f32(2, 2, 2, 3, 3)], (1, 2), TWO, id="past"),
        pytest.param("MultiHeadAttention", [Q, K, V], (), {"num_heads": 4}, id="heads that do not divide"),
        pytest.param("MultiHeadAttention", [f32(2, 4, 2, 3, 3)], (), TWO, id="packed in one"),
    ],
)
def test_what_is_left(op_type: str, operands: Arrays, constant: tuple[int, ...], attributes: dict[str, Any]) -> None:
    loaded = load(model(op_type, operands, constant, attributes))
    run_pipeline(loaded, "lower.contrib", Context(loaded))
    assert [op.op_type for op in loaded.graph.ops] == [op_type]
