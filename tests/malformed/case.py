"""What a case is, and small helpers that the families of cases share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass(frozen=True)
class Case:
    """One file from a stranger.

    Attributes:
        family: what the case is counted under.
        name: what is wrong with it.
        data: the bytes of the model.
        setup: makes what lies around the model; gets the model's folder, beside which lies `outside/secret.bin`.
        refused: no command may accept it.
        accepted: every command must.
        verify: `gopt run` verifies; damage found by chance is mostly run without, as that takes a second.
        argv: the one command that it goes through, instead of those that take a model.
        leaves: what that command may make.
    """

    family: str
    name: str
    data: bytes
    setup: Callable[[Path], None] | None = field(default=None, repr=False)
    refused: bool = False
    accepted: bool = False
    verify: bool = True
    argv: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()


def info(name: str, shape: list[int | str] | None = None, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    """The declaration of a value; of two floats by default."""
    return helper.make_tensor_value_info(name, kind, [2] if shape is None else shape)


def model_of(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto] | None = None,
    outputs: list[onnx.ValueInfoProto] | None = None,
    weights: list[TensorProto] | None = None,
    functions: list[onnx.FunctionProto] | None = None,
    opset: int = 21,
) -> onnx.ModelProto:
    """A model from x to y, two floats each, unless told otherwise."""
    graph = helper.make_graph(nodes, "g", inputs or [info("x")], outputs or [info("y")], weights or [])
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid("f", 1)] if functions else [])]
    return helper.make_model(graph, ir_version=10, opset_imports=opsets, functions=functions or [])


def node(kind: str, takes: str, gives: str, **attributes: Any) -> onnx.NodeProto:
    """A node; operands and results are separated by blanks."""
    return helper.make_node(kind, takes.split(), gives.split(), **attributes)


def weight(name: str, array: object, dtype: Any = np.float32) -> TensorProto:
    """An initializer."""
    return numpy_helper.from_array(np.array(array, dtype), name)


def sample() -> onnx.ModelProto:
    """A small model that runs, with something of everything."""
    branch = helper.make_graph([node("Sum", "s w", "r")], "then", [], [info("r", [1, 1, 2])], value_info=[info("q")])
    other = helper.make_graph([node("Neg", "s", "r")], "else", [], [info("r", [1, 1, 2])])
    typed = helper.make_tensor("t", TensorProto.INT64, [3], [1, 1, 2])
    nodes = [
        node("Constant", "", "k", value=numpy_helper.from_array(np.ones((1, 1, 1), np.float32))),
        node("Conv", "x k", "s", name="conv", pads=[0, 0], group=1, auto_pad="NOTSET", strides=[1]),
        node("If", "c", "i", then_branch=branch, else_branch=other),
        node("Reshape", "i t", "m"),
        helper.make_node("F", ["m"], ["y"], domain="f"),
    ]
    nodes[1].metadata_props.add(key="k", value="v")
    function = helper.make_function("f", "F", ["a"], ["b"], [node("Relu", "a", "b")], [helper.make_opsetid("", 21)])
    proto = model_of(
        nodes,
        [info("x", [1, 1, 2]), info("c", [], TensorProto.BOOL)],
        [info("y", [1, 1, 2])],
        [weight("w", [3, 4]), typed],
        [function],
    )
    proto.graph.value_info.append(info("s", [1, 1, 2]))
    proto.metadata_props.add(key="k", value="v")
    proto.producer_name = "p"
    return proto
