"""Comparison of outputs: NaN, tolerances, exactness, nested values, names."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from gopt.ir import DType
from gopt.verify import Comparer, Comparison, Tolerance
from gopt.verify import compare as module

NAN, INF = float("nan"), float("inf")


def compared(x: Any, y: Any, **options: Any) -> Comparison:
    into = Comparison()
    Comparer(**options).outputs({"y": x}, {"y": y}, into)
    return into


def floats(*values: float, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    return np.array(values).astype(dtype)


def test_nan_equals_nan_and_infinities_their_like() -> None:
    x = floats(NAN, INF, -INF, 1)
    assert compared(x, x.copy()).equal
    assert compared(x, x.copy(), exact=True).equal


@pytest.mark.parametrize("other", [floats(0, INF, 1), floats(NAN, -INF, 1), floats(NAN, INF, NAN), floats(NAN, 5, 1)])
def test_a_non_finite_value_that_differs_is_a_mismatch(other: np.ndarray[Any, Any]) -> None:
    found = compared(floats(NAN, INF, 1), other)
    assert not found.equal
    assert found.max_abs == INF


def test_any_nan_is_as_good_as_another_even_when_exact() -> None:
    quiet = np.array([0x7FC00000, 0x3F800000], np.uint32).view(np.float32)
    other = np.array([0xFFC00123, 0x3F800000], np.uint32).view(np.float32)
    assert compared(quiet, other, exact=True).equal


def test_the_error_allowed_is_scaled_by_the_largest_value() -> None:
    assert compared(floats(1000, 0), floats(1000, 0.05)).equal
    found = compared(floats(1, 0), floats(1, 0.05))
    assert not found.equal
    assert found.max_abs == pytest.approx(0.05)
    assert "at [1]" in found.reasons[0]


def test_exact_demands_every_bit() -> None:
    x = floats(1, 2)
    y = np.nextafter(x, floats(9, 9)).astype(np.float32)
    assert compared(x, y).equal
    assert not compared(x, y, exact=True).equal
    assert not compared(floats(0.0), floats(-0.0), exact=True).equal
    assert compared(floats(0.0), floats(-0.0)).equal


def test_the_coarsest_type_of_the_model_decides() -> None:
    x, y = floats(1, 1), floats(1, 1.005)
    assert not compared(x, y).equal
    assert compared(x, y, coarsest=DType.FLOAT16).equal
    assert not compared(x.astype(np.float64), y.astype(np.float64), coarsest=DType.DOUBLE).equal
    assert compared(x, y, tolerance=Tolerance(0.1, 0)).equal


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2])
def test_narrow_floats(dtype: Any) -> None:
    x = floats(1, -2, 3, dtype=dtype)
    assert compared(x, x.copy(), exact=True).equal
    assert not compared(x, floats(1, -2, -3, dtype=dtype)).equal


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_, ml_dtypes.int4])
def test_integers_are_compared_exactly(dtype: Any) -> None:
    x = np.array([1, 0, 1]).astype(dtype)
    assert compared(x, x.copy()).equal
    found = compared(x, np.array([1, 1, 1]).astype(dtype))
    assert "1 of 3 elements differ, at [1]" in found.reasons[0]


def test_strings_are_compared_exactly() -> None:
    x = np.array([["a", "ü"]], object)
    assert compared(x, x.copy()).equal
    assert not compared(x, np.array([["a", "u"]], object)).equal


def test_type_and_shape_must_agree() -> None:
    assert not compared(floats(1), floats(1, dtype=np.float64)).equal
    assert not compared(floats(1), floats(1).reshape(1, 1)).equal
    assert not compared(floats(), floats().reshape(0, 2)).equal
    assert compared(floats(), floats()).equal


def test_complex_numbers() -> None:
    x = np.array([1 + 2j, NAN], np.complex64)
    assert compared(x, x.copy(), exact=True).equal
    assert not compared(x, np.array([1 - 2j, NAN], np.complex64)).equal


def test_nested_values() -> None:
    x = [floats(1), {1: 2.0, 2: floats(3)}, None, "a"]
    assert compared(x, [floats(1), {2: floats(3), 1: 2.0}, None, "a"]).equal
    assert not compared(x, x[:3]).equal
    assert not compared(x, [floats(1), {1: 2.0, 3: floats(3)}, None, "a"]).equal
    assert not compared(x, [floats(1), {1: 2.5, 2: floats(3)}, None, "a"]).equal
    assert not compared(x, [floats(1), {1: 2.0, 2: floats(3)}, floats(1), "a"]).equal
    assert not compared(x, [floats(1), {1: 2.0, 2: floats(3)}, None, "b"]).equal


@pytest.mark.parametrize(
    ("names", "extra", "equal"),
    [("ab", False, True), ("ba", False, False), ("a", False, False), ("abc", False, False), ("acb", True, True)],
)
def test_names_of_outputs(names: str, extra: bool, equal: bool) -> None:
    into = Comparison()
    Comparer(extra=extra).outputs({n: floats(1) for n in "ab"}, {n: floats(1) for n in names}, into)
    assert into.equal is equal


def test_an_output_without_finite_values_is_noted() -> None:
    assert compared(floats(NAN, INF), floats(NAN, INF)).notes == ["output 'y' has no finite value"]


def test_large_tensors_are_compared_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    x = np.arange(10, dtype=np.float32)
    y = x.copy()
    y[8] = 0
    found = compared(x, y)
    assert found.max_abs == 8
    assert "at [8]" in found.reasons[0]
    assert "at [9]" in compared(np.arange(10), np.array([*range(9), 0])).reasons[0]
