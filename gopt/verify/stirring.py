"""A model each of whose results is a rounding error away from what it was. Used by the worker process only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..ir import Array, DType

STEPS = {DType.DOUBLE: 2.0**-52, DType.FLOAT: 2.0**-23, DType.FLOAT16: 2.0**-10, DType.BFLOAT16: 2.0**-7}
"""The distance of the next number, relative to a number."""
# fmt: off
_UNROUNDED = frozenset((
    "Abs", "Ceil", "Clip", "Concat", "Constant", "DepthToSpace", "Dropout", "Expand", "Flatten", "Floor", "Gather",
    "GatherElements", "GatherND", "GlobalMaxPool", "Identity", "Max", "MaxPool", "Min", "Neg", "Pad", "ReduceMax",
    "ReduceMin", "Relu", "Reshape", "Round", "Sign", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose",
    "Unsqueeze", "Where",
))
# fmt: on


def stirred(model: Any, path: Path) -> bytes:
    """The model with a factor of about 1 behind every op that rounds, in the main graph.

    Args:
        model: the protobuf model, which is changed.
        path: where it lies.
    """
    import onnx
    from onnx import numpy_helper

    graph, rng = model.graph, np.random.default_rng(11)
    known = _types(path)
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    nodes = []
    for node in list(graph.node):
        nodes.append(node)
        if node.op_type in _UNROUNDED:
            continue
        for slot, name in enumerate(node.output):
            factor = _factor(known.get(name), rng)
            if factor is None:
                continue
            before, by = _fresh(f"{name} unstirred", taken), _fresh(f"{name} stirring", taken)
            node.output[slot] = before
            graph.initializer.append(numpy_helper.from_array(factor, by))
            nodes.append(onnx.helper.make_node("Mul", [before, by], [name]))
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    return bytes(model.SerializeToString())


def _types(path: Path) -> dict[str, tuple[DType, int]]:
    """Element type of values, and size of the last dim, 1 where that is not known."""
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(onnx.load(path, load_external_data=False)).graph
    except Exception:  # a model that inference rejects may still run
        return {}
    found = {}
    for info in [*graph.value_info, *graph.output]:
        tensor = info.type.tensor_type
        if tensor.elem_type in STEPS:
            dims = [d.dim_value for d in tensor.shape.dim]
            found[info.name] = DType(tensor.elem_type), dims[-1] if dims and dims[-1] > 0 else 1
    return found


def _factor(type_: tuple[DType, int] | None, rng: np.random.Generator) -> Array | None:
    """Numbers around 1 for the last dim, or one for all."""
    if type_ is None or type_[0] is DType.BFLOAT16:
        return None
    dtype, count = type_
    signs = rng.choice([-1.0, 1.0], () if count == 1 else count)
    return np.asarray(1 + STEPS[dtype] * signs, dtype.numpy)


def _fresh(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "'"
    taken.add(name)
    return name
