"""Hypothesis strategy for small random models: mixed elementwise, movement, product and normalisation ops.

Sizes are kept equal along a path so that most draws are valid; constants take neutral elements more often than chance
would, duplicates and identities occur, interior values are exported, constants are shared, one dim may be symbolic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

SHAPE = (2, 4, 3, 3)
UNARY = ("Relu", "Neg", "Abs", "Sigmoid", "Identity", "Sqrt", "Exp", "Tanh")
BINARY = ("Add", "Sub", "Mul", "Div", "Max", "Min")
CONSTANT_SHAPES = ((), (1,), (3,), (4, 1, 1), (1, 4, 1, 1), SHAPE)


class Builder:
    """Collects nodes and weights."""

    def __init__(self, batch: str | int) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []
        self.values = ["x"]
        self.batch = batch

    def weight(self, array: Any) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def ints(self, *numbers: int) -> str:
        name = f"i{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(numbers, np.int64), name))
        return name

    def node(self, op_type: str, *inputs: str, **attrs: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, list(inputs), [name], name=f"n{len(self.nodes)}", **attrs))
        return name


def _constant(draw: Any, builder: Builder) -> str:
    shape = draw(st.sampled_from(CONSTANT_SHAPES))
    kind = draw(st.sampled_from(["zeros", "ones", "random"]))
    if kind == "zeros":
        return builder.weight(np.zeros(shape))
    if kind == "ones":
        return builder.weight(np.ones(shape))
    return builder.weight(np.random.default_rng(draw(st.integers(0, 99))).uniform(0.5, 2, shape))


def _step(draw: Any, builder: Builder) -> str:
    x = draw(st.sampled_from(builder.values[-4:]))
    y = draw(st.sampled_from(builder.values[-4:]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    kind = draw(st.integers(0, 11))
    if kind <= 1:
        op_type = draw(st.sampled_from(UNARY))
        return builder.node(op_type, builder.node("Abs", x)) if op_type in ("Sqrt",) else builder.node(op_type, x)
    if kind <= 4:
        op_type = draw(st.sampled_from(BINARY))
        constant = _constant(draw, builder)
        if op_type == "Div":
            constant = builder.weight(rng.uniform(0.5, 2, draw(st.sampled_from(CONSTANT_SHAPES))))
        operands = (constant, x) if op_type != "Div" and draw(st.booleans()) else (x, constant)
        return builder.node(op_type, *operands)
    if kind == 5:
        return builder.node(draw(st.sampled_from(["Add", "Mul", "Max"])), x, y)
    if kind == 6:
        weight = builder.weight(rng.normal(0, 0.3, (4, 4, 3, 3)))
        inputs = (x, weight, builder.weight(rng.normal(size=4))) if draw(st.booleans()) else (x, weight)
        return builder.node("Conv", *inputs, pads=[1, 1, 1, 1])
    if kind == 7:
        parameters = [builder.weight(rng.uniform(0.5, 1.5, 4)) for _ in range(4)]
        return builder.node("BatchNormalization", x, *parameters)
    if kind == 8:
        return builder.node("Transpose", builder.node("Transpose", x, perm=[0, 2, 3, 1]), perm=[0, 3, 1, 2])
    if kind == 9:
        return builder.node("Reshape", builder.node("Reshape", x, builder.ints(0, -1)), builder.ints(-1, *SHAPE[1:]))
    if kind == 10:
        return builder.node("Clip", x, builder.weight(-1.0), builder.weight(draw(st.sampled_from([0.5, 6.0]))))
    folded = builder.node("Add", _constant(draw, builder), _constant(draw, builder))
    return builder.node("Mul", x, folded)


@st.composite
def models(draw: Any) -> ModelProto:
    """A model with one input `x` and one to three outputs."""
    builder = Builder(draw(st.sampled_from(["N", SHAPE[0]])))
    for _ in range(draw(st.integers(1, 9))):
        builder.values.append(_step(draw, builder))
    exported = [builder.values[-1]]
    if len(builder.values) > 3 and draw(st.booleans()):
        exported.append(builder.values[-3])
    shape = [builder.batch, *SHAPE[1:]]
    outputs = [
        helper.make_tensor_value_info(v, TensorProto.FLOAT, [None] * 4) for v in dict.fromkeys(exported) if v != "x"
    ]
    graph = helper.make_graph(
        builder.nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], outputs, builder.weights
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
