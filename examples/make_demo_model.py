"""Make the model that `make demo` optimizes: a small convolutional net with the clutter that exporters leave behind.

    python examples/make_demo_model.py demo.onnx

The weights come from a seeded generator, so the file is the same on every machine and in every run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

CHANNELS = 16
CLASSES = 10


class Builder:
    """Collects nodes and weights; each method returns the name of the value that it made."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(2024)
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def op(self, op_type: str, *inputs: str, **attributes: object) -> str:
        """Append a node with one output."""
        output = f"{op_type.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, list(inputs), [output], name=f"node_{output}", **attributes))
        return output

    def weight(self, array: np.ndarray) -> str:
        """Append an initializer."""
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def constant(self, value: object, dtype: type = np.float32) -> str:
        """Append a Constant node."""
        return self.op("Constant", value=numpy_helper.from_array(np.array(value, dtype)))

    def normal(self, *shape: int) -> str:
        """Append an initializer of small random numbers."""
        return self.weight((self.rng.standard_normal(shape) * 0.2).astype(np.float32))

    def conv(self, x: str, w: str, *, kernel: int = 3) -> str:
        """A convolution that keeps the image's size."""
        return self.op("Conv", x, w, kernel_shape=[kernel, kernel], pads=[kernel // 2] * 4)

    def batchnorm(self, x: str) -> str:
        """BatchNormalization as inference sees it: four vectors per channel."""
        scale, bias, mean = (self.rng.standard_normal(CHANNELS).astype(np.float32) for _ in range(3))
        var = self.rng.uniform(0.5, 1.5, CHANNELS).astype(np.float32)
        return self.op("BatchNormalization", x, *(self.weight(v) for v in (scale, bias, mean, var)))


def build() -> onnx.ModelProto:
    """The demo model: input [batch, 3, 32, 32], output [batch, 10]."""
    b = Builder()
    x = _stem(b, _preprocess(b, "image"))
    x = _twins(b, x)
    x = _block(b, x)
    logits = _head(b, x)
    b.nodes.append(helper.make_node("Softmax", [logits], ["probabilities"], name="node_probabilities", axis=1))
    graph = helper.make_graph(
        b.nodes,
        "demo",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 32, 32])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", CLASSES])],
        b.weights,
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="gopt-demo"
    )


def _preprocess(b: Builder, image: str) -> str:
    """Scaling written as arithmetic on constants, a multiplication by one and a cast to the type that it has."""
    spread = b.op("Mul", b.constant(255.0), b.constant(0.25))
    x = b.op("Mul", b.op("Div", image, spread), b.constant(1.0))
    return b.op("Cast", x, to=TensorProto.FLOAT)


def _stem(b: Builder, x: str) -> str:
    """Pad, Conv, BatchNormalization, Relu, and an Identity that a framework left."""
    pads = b.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
    x = b.op("Conv", b.op("Pad", x, pads), b.normal(CHANNELS, 3, 3, 3), kernel_shape=[3, 3])
    return b.op("Identity", b.op("Relu", b.batchnorm(x)))


def _twins(b: Builder, x: str) -> str:
    """Two branches that compute the same thing, added up."""
    weight = b.normal(CHANNELS, CHANNELS, 3, 3)
    left, right = (b.op("Relu", b.conv(x, weight)) for _ in range(2))
    return b.op("Add", left, right)


def _block(b: Builder, x: str) -> str:
    """A residual block: Conv with a channelwise scale and shift, Conv with BatchNormalization, inference Dropout."""
    y = b.op("Mul", b.conv(x, b.normal(CHANNELS, CHANNELS, 1, 1), kernel=1), b.normal(1, CHANNELS, 1, 1))
    y = b.op("Relu", b.op("Add", y, b.normal(CHANNELS, 1, 1)))
    y = b.batchnorm(b.conv(y, b.normal(CHANNELS, CHANNELS, 3, 3)))
    y = b.op("Dropout", b.op("Relu", b.op("Add", y, x)), b.constant(0.5))
    return b.op("Add", y, b.constant(0.0))


def _head(b: Builder, x: str) -> str:
    """Pooling, a flatten spelled through the tensor's own shape, and a linear layer as MatMul and Add."""
    pooled = b.op("GlobalAveragePool", x)
    batch = b.op("Gather", b.op("Shape", pooled), b.constant(0, np.int64), axis=0)
    shape = b.op("Concat", b.op("Unsqueeze", batch, b.constant([0], np.int64)), b.constant([-1], np.int64), axis=0)
    return b.op("Add", b.op("MatMul", b.op("Reshape", pooled, shape), b.normal(CHANNELS, CLASSES)), b.normal(CLASSES))


def main() -> None:
    """Write the model to the path that the command line names."""
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/make_demo_model.py OUTPUT.onnx")
    model = build()
    onnx.checker.check_model(model, full_check=True)
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    print(f"{path}: {len(model.graph.node)} nodes, {len(model.graph.initializer)} weights")


if __name__ == "__main__":
    main()
