"""Sizes after convolutions and pools."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper

from gopt.ir import Attr, AttrKind, Symbol, TensorType
from gopt.ops.sizes import as_size, product, total

from .making import F32, I64, U8, ints, make, shape_of, typed, types, unknown

N, H = Symbol("n"), Symbol("h")


def actual(op_type: str, shapes: list[tuple[int, ...]], attrs: dict[str, Any]) -> tuple[int, ...]:
    """The shape that ONNX Runtime computes; inputs are ones."""
    names = [f"i{k}" for k in range(len(shapes))]
    node = helper.make_node(op_type, names, ["y"], **attrs)
    inputs = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in zip(names, shapes)]
    output = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "g", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: np.ndarray[Any, Any] = session.run(None, {n: np.ones(s, np.float32) for n, s in zip(names, shapes)})[0]
    return found.shape


CONVS: list[dict[str, Any]] = [
    {},
    {"strides": [2, 3]},
    {"pads": [1, 0, 2, 1], "dilations": [2, 1]},
    {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    {"auto_pad": "SAME_LOWER", "strides": [3, 1]},
    {"auto_pad": "VALID", "strides": [2, 2]},
    {"group": 2, "kernel_shape": [3, 3]},
]


@pytest.mark.parametrize("attrs", CONVS, ids=str)
@pytest.mark.parametrize("size", [(9, 8), (7, 7)], ids=str)
def test_conv_as_the_runtime_has_it(attrs: dict[str, Any], size: tuple[int, int]) -> None:
    group = attrs.get("group", 1)
    shapes = [(2, 4, *size), (6, 4 // group, 3, 3)]
    expected = actual("Conv", shapes, attrs)
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in attrs.items()}
    assert shape_of(make("Conv", *(typed(*s) for s in shapes), **given)) == expected


TRANSPOSED: list[dict[str, Any]] = [
    {},
    {"strides": [2, 3], "output_padding": [1, 2]},
    {"pads": [1, 0, 2, 1], "dilations": [2, 1]},
    {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    {"output_shape": [18, 17], "strides": [2, 2]},
    {"group": 2},
]


@pytest.mark.parametrize("attrs", TRANSPOSED, ids=str)
def test_conv_transpose_as_the_runtime_has_it(attrs: dict[str, Any]) -> None:
    shapes = [(2, 4, 9, 8), (4, 3, 3, 3)]
    expected = actual("ConvTranspose", shapes, attrs)
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in attrs.items()}
    assert shape_of(make("ConvTranspose", *(typed(*s) for s in shapes), **given)) == expected


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER"])
def test_a_transposed_kernel_shorter_than_its_stride(mode: str) -> None:
    """By the operator's text sizes are multiplied by the strides; the runtime has one column less."""
    shapes, attrs = [(1, 2, 2, 4), (2, 1, 2, 1)], {"auto_pad": mode, "strides": [2, 2]}
    assert actual("ConvTranspose", shapes, attrs) == (1, 1, 4, 7)
    found = shape_of(make("ConvTranspose", *(typed(*s) for s in shapes), auto_pad=mode, strides=(2, 2)))
    assert unknown(found) == [False, False, False, True]
    assert found is not None
    assert found[2] == 4


POOLS: list[dict[str, Any]] = [
    {"kernel_shape": [2, 3]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [1, 1], "strides": [2, 2], "pads": [0, 0, 0, 0], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "VALID"},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "VALID", "ceil_mode": 1},
]


@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("attrs", POOLS, ids=str)
@pytest.mark.parametrize("size", [(9, 8), (7, 10)], ids=str)
def test_pools_as_the_runtime_has_them(op_type: str, attrs: dict[str, Any], size: tuple[int, int]) -> None:
    expected = actual(op_type, [(2, 3, *size)], attrs)
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in attrs.items()}
    found = shape_of(make(op_type, typed(2, 3, *size), opset=19, **given))
    assert found is not None
    # What runtimes may see in another way is left open, the rest is right.
    assert all(isinstance(f, Symbol) or f == e for f, e in zip(found, expected))
    if "ceil_mode" not in attrs:
        assert found == expected


def test_symbolic_sizes() -> None:
    w = typed(8, 3, 3, 3)
    same = shape_of(make("Conv", typed(N, 3, H, H), w, pads=(1, 1, 1, 1)))
    assert same == (N, 8, H, H)
    halved = shape_of(make("Conv", typed(N, 3, H, 8), w, pads=(1, 1, 1, 1), strides=(2, 2)))
    pooled = shape_of(make("MaxPool", typed(N, 8, H, 8), kernel_shape=(3, 3), pads=(1, 1, 1, 1), strides=(2, 2)))
    assert halved == pooled
    assert unknown(halved) == [True, False, True, False]
    doubled = shape_of(make("ConvTranspose", typed(N, 3, H, H), typed(3, 5, 2, 2), strides=(2, 2)))
    assert doubled == (N, 5, product((H, 2)), product((H, 2)))
    assert shape_of(make("Conv", typed(N, 3, H), typed(8, 3, 3))) == (N, 8, as_size(total((H, -2))))


def test_unknown_weights_and_inputs() -> None:
    x = typed(N, 3, 9, 9)
    assert unknown(shape_of(make("Conv", x, ...))) == [True] * 4
    assert shape_of(make("Conv", x, ..., kernel_shape=(3, 3)))[2:] == (7, 7)  # type: ignore[index]
    assert unknown(shape_of(make("Conv", TensorType(F32), typed(8, 3, 3, 3)))) == [True] * 4
    assert types(make("Conv", ..., typed(8, 3, 3, 3))) == [None]


def test_malformed_convolutions_have_no_type() -> None:
    x, w = typed(1, 3, 9, 9), typed(8, 3, 3, 3)
    for attrs in ({"strides": (1,)}, {"strides": (0, 1)}, {"pads": (1, 1)}, {"kernel_shape": (3,)}):
        assert types(make("Conv", x, w, **attrs)) == [None]
    op = make("Conv", x, w)
    op.attrs["auto_pad"] = Attr(AttrKind.STRING, None, ref="padding")
    assert types(op) == [None]


def test_integer_convolutions() -> None:
    x, w = typed(N, 3, 9, 9, dtype=U8), typed(8, 3, 3, 3, dtype=U8)
    found = types(make("ConvInteger", x, w))[0]
    assert str(found) == "int32[n,8,7,7]"
    zero = typed(dtype=U8)
    operands = (x, typed(), zero, w, typed(), zero, typed(), zero)
    assert str(types(make("QLinearConv", *operands))[0]) == "uint8[n,8,7,7]"


def test_pools_with_indices_and_global_ones() -> None:
    found = types(make("MaxPool", typed(N, 3, 8), kernel_shape=(2,), strides=(2,), outputs=2))
    assert found == [typed(N, 3, 4), TensorType(I64, (N, 3, 4))]
    assert shape_of(make("GlobalAveragePool", typed(N, 3, H, 7))) == (N, 3, 1, 1)
    assert shape_of(make("MaxUnpool", typed(1, 1, 2, 2), ..., kernel_shape=(2, 2), strides=(2, 2))) == (1, 1, 4, 4)
    asked = ints(1, 1, 5, 5)
    assert shape_of(make("MaxUnpool", typed(1, 1, 2, 2), ..., asked, kernel_shape=(2, 2))) == (1, 1, 5, 5)
    assert shape_of(make("MaxRoiPool", typed(1, 3, 9, 9), typed(N, 5), pooled_shape=(2, 2))) == (N, 3, 2, 2)
