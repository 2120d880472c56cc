"""Small models from text: constants that are declared, but not given, are drawn at random from their names."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

_FLOATS = {
    onnx.TensorProto.FLOAT: np.float32,
    onnx.TensorProto.FLOAT16: np.float16,
    onnx.TensorProto.DOUBLE: np.float64,
}


def made(graph: str, opset: int = 18) -> onnx.ModelProto:
    """The model around the text of a graph.

    A constant of floats without elements gets random ones, always the same for the same name: around 0, or between 0.5
    and 1.5 where the name begins with `var`.
    """
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\nplanted {graph}')
    made_by_nodes = {name for node in model.graph.node for name in node.output}
    given = {tensor.name for tensor in model.graph.initializer}
    for info in list(model.graph.value_info):
        if info.name in made_by_nodes or info.name in given:
            continue
        shape = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        dtype = _FLOATS[info.type.tensor_type.elem_type]
        model.graph.initializer.append(numpy_helper.from_array(_drawn(info.name, shape).astype(dtype), info.name))
        model.graph.value_info.remove(info)
    onnx.checker.check_model(model, full_check=True)
    return model


def _drawn(name: str, shape: list[int]) -> np.ndarray:
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]))
    if name.startswith("var"):
        return rng.uniform(0.5, 1.5, shape)
    return rng.standard_normal(shape) * 0.5
