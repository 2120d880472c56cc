"""Resize and Upsample."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper

from gopt import ops
from gopt.ir import Symbol, TensorType
from gopt.ops.sizes import product

from .making import I64, compute, ints, make, results, shape_of, typed, types, unknown

N, H = Symbol("n"), Symbol("h")


def floats(*numbers: float) -> np.ndarray[Any, Any]:
    return np.array(numbers, np.float32)


def test_scales() -> None:
    assert shape_of(make("Resize", typed(N, 3, H, 5), None, floats(1, 1, 2, 0.5))) == (N, 3, product((H, 2)), 2)
    assert shape_of(make("Resize", typed(N, 3, 4, 5), None, floats(2, 3), axes=(3, 2))) == (N, 3, 12, 10)
    assert shape_of(make("Resize", typed(1, 3, 4, 5), floats(1, 1, 2, 2), opset=10)) == (1, 3, 8, 10)
    assert shape_of(make("Upsample", typed(1, 3, 4, 5), floats(1, 1, 2, 2), opset=9)) == (1, 3, 8, 10)
    assert shape_of(make("Upsample", typed(1, 3, 4, 5), opset=7, scales=(1.0, 1.0, 2.0, 2.0))) == (1, 3, 8, 10)
    assert unknown(shape_of(make("Resize", typed(N, 3, 4, 5), None, typed(4)))) == [True] * 4


def test_equal_scales_of_a_symbol_give_equal_sizes() -> None:
    a, b = (shape_of(make("Resize", typed(N, 3, H, H), None, floats(1, 1, 0.5, 0.5))) for _ in range(2))
    assert a == b
    assert a is not None
    assert a[2] is a[3]
    assert a[2] is not H


def test_sizes() -> None:
    assert shape_of(make("Resize", typed(N, 3, 4, 5), None, None, ints(0, 3, 8, 9))) == (0, 3, 8, 9)
    assert shape_of(make("Resize", typed(N, 3, 4, 5), None, None, ints(7, 9), axes=(2, 3))) == (N, 3, 7, 9)
    assert unknown(shape_of(make("Resize", typed(N, 3, 4, 5), None, None, TensorType(I64, (2,)), axes=(2, 3)))) == [
        True,
        False,
        True,
        True,
    ]
    # An empty tensor stands for no sizes.
    assert shape_of(make("Resize", typed(1, 4), None, floats(1, 2), ints(), opset=11)) == (1, 8)


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
@pytest.mark.parametrize("wanted", [(7, 9), (3, 20), (8, 8)])
def test_aspect_ratio_policies_as_the_runtime_has_them(policy: str, wanted: tuple[int, int]) -> None:
    node = helper.make_node("Resize", ["x", "", "", "s"], ["y"], axes=[2, 3], keep_aspect_ratio_policy=policy)
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, 1, 5, 6))
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    sizes = helper.make_tensor("s", onnx.TensorProto.INT64, (2,), wanted)
    graph = helper.make_graph([node], "g", [x], [y], [sizes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": np.zeros((1, 1, 5, 6), np.float32)})[0].shape
    attrs = {"axes": (2, 3), "keep_aspect_ratio_policy": policy}
    found = shape_of(make("Resize", typed(1, 1, 5, 6), None, None, ints(*wanted), **attrs))
    assert found is not None
    assert all(isinstance(f, Symbol) or f == e for f, e in zip(found, expected))
    if policy == "stretch":
        assert found == expected


def test_scales_whose_product_depends_on_rounding_are_left_open() -> None:
    third = float(np.float32(1 / 3))
    found = shape_of(make("Resize", typed(3, 9), None, floats(third, third)))
    assert found is not None
    # 3 * 0.33333334 is 1.0 in single and a bit more in double precision: 1 both ways.
    assert found[0] == 1
    # 10 * 0.69999999 is 7.0 in single precision.
    assert unknown(shape_of(make("Resize", typed(10), None, floats(0.7)))) == [True]


def test_cropping_leaves_the_sizes_open() -> None:
    attrs = {"coordinate_transformation_mode": "tf_crop_and_resize"}
    assert unknown(shape_of(make("Resize", typed(1, 4), floats(0, 0, 1, 1), floats(1, 2), **attrs))) == [True, True]


def test_enlarging_by_whole_factors() -> None:
    x = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    expected = x.repeat(2, 2).repeat(3, 3)
    for attrs in (
        {},
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"},
    ):
        assert np.array_equal(compute(make("Resize", x, None, floats(1, 1, 2, 3), **attrs)), expected)
        assert np.array_equal(compute(make("Resize", x, None, None, ints(1, 1, 4, 6), **attrs)), expected)
    for attrs in ({"mode": "linear", "antialias": 1}, {"coordinate_transformation_mode": "half_pixel_symmetric"}):
        with pytest.raises(ops.NoKernel):
            results(make("Resize", x, None, floats(1, 1, 1.5, 3), **attrs))
    assert types(make("Resize", ..., None, floats(1, 2))) == [None]


def by_the_runtime(x: np.ndarray[Any, Any], sizes: tuple[int, ...], attrs: dict[str, Any]) -> np.ndarray[Any, Any]:
    node = helper.make_node("Resize", ["x", "", "", "s"], ["y"], **attrs)
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "g",
        [info("x", 1, x.shape)],
        [info("y", 1, None)],
        [onnx.numpy_helper.from_array(np.array(sizes, np.int64), "s")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: np.ndarray[Any, Any] = session.run(None, {"x": x})[0]
    return found


@pytest.mark.parametrize("coordinates", ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"])
@pytest.mark.parametrize("sizes", [(5, 9), (2, 3), (1, 1), (14, 6), (7, 4)])
def test_interpolation(coordinates: str, sizes: tuple[int, int]) -> None:
    x = np.random.default_rng(0).standard_normal((1, 2, 7, 4)).astype(np.float32)
    modes: tuple[dict[str, Any], ...] = (
        {"mode": "linear"},
        {"mode": "cubic"},
        {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1},
        {"mode": "nearest", "nearest_mode": "floor"},
        {"mode": "nearest", "nearest_mode": "ceil"},
        {"mode": "nearest", "nearest_mode": "round_prefer_floor"},
        {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
    )
    for mode in modes:
        attrs = {**mode, "coordinate_transformation_mode": coordinates}
        try:
            found = compute(make("Resize", x, None, None, ints(1, 2, *sizes), **attrs))
        except ops.NoKernel:
            assert attrs["mode"] == "nearest"
            continue
        assert np.allclose(found, by_the_runtime(x, (1, 2, *sizes), attrs), atol=1e-5), attrs


def test_the_nearest_of_two_that_are_as_near_is_left_to_the_runtime() -> None:
    attrs = {"coordinate_transformation_mode": "align_corners", "nearest_mode": "floor"}
    x = np.arange(4, dtype=np.float32)
    with pytest.raises(ops.NoKernel):
        results(make("Resize", x, None, None, ints(38), **attrs))
