"""Gather, Scatter, and selection by index or value."""

from __future__ import annotations

import numpy as np
import pytest

from gopt import ops
from gopt.ir import DType, Symbol, TensorType

from .making import BOOL, F32, I64, compute, ints, make, results, shape_of, typed, types, unknown

N, M = Symbol("n"), Symbol("m")
X = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_gather() -> None:
    assert shape_of(make("Gather", typed(N, 4), np.array(0), axis=1)) == (N,)
    assert shape_of(make("Gather", typed(N, 4), typed(M, 2, dtype=I64), axis=-1)) == (N, M, 2)
    assert shape_of(make("Gather", typed(N, 4), ...)) is None
    assert compute(make("Gather", X, np.array(-1), axis=1)).tolist() == [3, 7, 11]
    assert compute(make("Gather", X, ints(-3, 2))).tolist() == [X[0].tolist(), X[2].tolist()]
    assert compute(make("Gather", np.array([b"a", b"b"], object), np.array(1))).item() == b"b"
    with pytest.raises(ops.NoKernel):
        results(make("Gather", X, ints(3)))
    with pytest.raises(ops.NoKernel):
        results(make("Gather", X, ints(-4)))


def test_gather_elements() -> None:
    picks = np.array([[0, -1], [2, 1]])
    assert compute(make("GatherElements", X, picks, axis=1)).tolist() == [[0, 3], [6, 5]]
    assert compute(make("GatherElements", X, picks, axis=0)).tolist() == [[0, 9], [8, 5]]
    assert shape_of(make("GatherElements", typed(N, 4), typed(M, 1, dtype=I64))) == (M, 1)
    with pytest.raises(ops.NoKernel):
        results(make("GatherElements", X, np.array([[4]]), axis=1))


def test_gather_nd() -> None:
    assert compute(make("GatherND", X, np.array([[0, 1], [-1, -1]]))).tolist() == [1, 11]
    assert compute(make("GatherND", X, np.array([[2]]))).tolist() == [[8, 9, 10, 11]]
    assert compute(make("GatherND", X, np.array([[1], [2], [0]]), batch_dims=1)).tolist() == [1, 6, 8]
    assert compute(make("GatherND", X, np.zeros((0, 2), np.int64))).shape == (0,)
    assert shape_of(make("GatherND", typed(N, 4, 5), typed(M, 1, dtype=I64), batch_dims=1)) == (M, 5)
    assert shape_of(make("GatherND", typed(N, 4), typed(2, M, dtype=I64))) is None
    assert types(make("GatherND", typed(4), typed(2, 3, dtype=I64))) == [None]


def test_compress() -> None:
    flags = np.array([True, False, True])
    assert compute(make("Compress", X, flags, axis=0)).tolist() == [X[0].tolist(), X[2].tolist()]
    assert compute(make("Compress", X, flags)).tolist() == [0, 2]
    assert shape_of(make("Compress", typed(N, 4), flags, axis=1)) == (N, 2)
    assert unknown(shape_of(make("Compress", typed(N, 4), typed(4, dtype=BOOL), axis=1))) == [True, True]


@pytest.mark.parametrize(
    ("reduction", "expected"), [("none", 9), ("add", 16), ("mul", 189), ("max", 9), ("min", 3)]
)  # fmt: skip
def test_scatter_where_an_index_occurs_twice(reduction: str, expected: int) -> None:
    x = np.full(3, 3, np.int64)
    updates = np.array([4, 9]) if reduction != "mul" else np.array([7, 9])
    assert compute(make("ScatterElements", x, ints(1, -2), updates, reduction=reduction)).tolist() == [3, expected, 3]
    found = compute(make("ScatterND", x, np.array([[1], [-2]]), updates, reduction=reduction))
    assert found.tolist() == [3, expected, 3]


def test_scatter() -> None:
    found = compute(make("ScatterElements", X, np.array([[1, 3]]), np.array([[-1, -2]], np.float32), axis=1))
    assert found[0].tolist() == [0, -1, 2, -2]
    assert np.array_equal(found[1:], X[1:])
    assert compute(make("Scatter", X, np.array([[2]]), np.array([[-1]], np.float32), opset=9))[2, 0] == -1
    found = compute(make("ScatterND", X, np.array([[1]]), np.zeros((1, 4), np.float32)))
    assert found[1].tolist() == [0] * 4
    assert types(make("ScatterND", typed(N, 4), ..., ...)) == [typed(N, 4)]
    with pytest.raises(ops.NoKernel):
        results(make("ScatterElements", X, np.array([[4]]), np.zeros((1, 1), np.float32), axis=1))
    with pytest.raises(ops.NoKernel):
        results(make("ScatterND", X, np.array([[3]]), np.zeros((1, 4), np.float32)))


def test_a_scatter_does_not_write_into_its_operand() -> None:
    before = X.copy()
    results(make("ScatterND", X, np.array([[0]]), np.ones((1, 4), np.float32)))
    assert np.array_equal(before, X)


def test_one_hot() -> None:
    values = np.array([2, 5], np.float32)
    found = compute(make("OneHot", ints(1, -1, 3), np.array(3), values))
    assert found.tolist() == [[2, 5, 2], [2, 2, 5], [2, 2, 2]]
    assert compute(make("OneHot", ints(1, 0), np.array([2.0]), values, axis=0)).tolist() == [[2, 5], [5, 2]]
    assert shape_of(make("OneHot", typed(N, 4, dtype=I64), np.array(7), values, axis=1)) == (N, 7, 4)
    assert unknown(shape_of(make("OneHot", typed(4, dtype=I64), typed(dtype=I64), values))) == [False, True]


@pytest.mark.parametrize(
    ("first", "limit", "step"), [(0, 5, 1), (5, 0, -2), (0, 0, 1), (3, 1, 1), (-4, 4, 3), (0.0, 1.0, 0.25)]
)
def test_range(first: float, limit: float, step: float) -> None:
    op = make("Range", np.array(first), np.array(limit), np.array(step))
    expected = np.arange(first, limit, step)
    assert np.array_equal(compute(op), expected)
    assert shape_of(op) == expected.shape


def test_range_of_a_size() -> None:
    count = typed(dtype=I64)
    assert unknown(shape_of(make("Range", np.array(0), count, np.array(1)))) == [True]
    assert types(make("Range", np.array(0), np.array(5), np.array(0))) == [None]
    with pytest.raises(ops.NoKernel):
        results(make("Range", np.array(0), np.array(5), np.array(0)))


def test_a_range_whose_length_depends_on_rounding_is_left_alone() -> None:
    first, limit, step = (np.array(v, np.float32) for v in (0.0, 1.0, 0.1))
    op = make("Range", first, limit, step)  # 10 in single precision, 9.9999998 steps in double
    assert shape_of(op) == (10,) or unknown(shape_of(op)) == [True]
    big = [np.array(v, np.float32) for v in (0.0, 16777216.0, 0.1)]
    assert unknown(shape_of(make("Range", *big))) == [True]


def test_eye_like() -> None:
    assert np.array_equal(compute(make("EyeLike", X, k=1)), np.eye(3, 4, 1, dtype=np.float32))
    assert types(make("EyeLike", typed(N, 4), dtype=7)) == [TensorType(I64, (N, 4))]


def test_non_zero() -> None:
    assert compute(make("NonZero", np.array([[0, 1], [2, 0]]))).tolist() == [[0, 1], [1, 0]]
    assert unknown(shape_of(make("NonZero", typed(2, 3)))) == [False, True]
    # A scalar gives (0, n) by the text and (1, n) elsewhere.
    assert unknown(shape_of(make("NonZero", typed()))) == [True, True]
    with pytest.raises(ops.NoKernel):
        results(make("NonZero", np.array(3)))


def test_two_results_of_non_zero_do_not_look_alike() -> None:
    a, b = (shape_of(make("NonZero", typed(2, 3))) for _ in range(2))
    assert a != b


def test_unique_ties_its_results_together() -> None:
    y, first, inverse, counts = types(make("Unique", typed(N, 4), outputs=4, axis=0))
    assert isinstance(y, TensorType)
    assert isinstance(first, TensorType)
    assert y.shape is not None
    assert first.shape == y.shape[:1]
    assert counts == first
    assert inverse == TensorType(I64, (N,))
    assert y.shape[1] == 4


def test_top_k() -> None:
    x = np.array([1, 3, 3, 2], np.float32)
    values, places = results(make("TopK", x, ints(3), outputs=2))
    assert (values.tolist(), places.tolist()) == ([3, 3, 2], [1, 2, 3])
    values, places = results(make("TopK", x, ints(2), outputs=2, largest=0))
    assert (values.tolist(), places.tolist()) == ([1, 2], [0, 3])
    values, places = results(make("TopK", X, outputs=2, opset=1, k=1, axis=0))
    assert places.tolist() == [[2, 2, 2, 2]]
    values, places = results(make("TopK", np.array([0, 255], np.uint8), ints(1), outputs=2))
    assert places.tolist() == [1]
    with pytest.raises(ops.NoKernel):
        results(make("TopK", np.array([1, np.nan], np.float32), ints(1), outputs=2))
    with pytest.raises(ops.NoKernel):
        results(make("TopK", x, ints(5), outputs=2))
    assert [t.shape for t in types(make("TopK", typed(N, 4), ints(2), outputs=2)) if isinstance(t, TensorType)] == [
        (N, 2),
        (N, 2),
    ]
    assert unknown(shape_of(make("TopK", typed(N, 4), typed(1, dtype=I64), outputs=2))) == [True, True]


def test_tensor_scatter() -> None:
    cache, update = np.zeros((2, 4, 1), np.float32), np.ones((2, 2, 1), np.float32)
    found = compute(make("TensorScatter", cache, update, ints(1, 3), opset=24, mode="circular"))
    assert found[..., 0].tolist() == [[0, 1, 1, 0], [1, 0, 0, 1]]
    with pytest.raises(ops.NoKernel):
        results(make("TensorScatter", cache, update, ints(1, 3), opset=24))


def test_types_follow_the_data_operand() -> None:
    for op_type in ("Gather", "GatherElements", "GatherND"):
        found = types(make(op_type, TensorType(DType.BFLOAT16, (3, 3)), typed(2, 2, dtype=I64)))[0]
        assert isinstance(found, TensorType)
        assert found.dtype is DType.BFLOAT16
        assert types(make(op_type, ..., typed(2, 2, dtype=I64))) == [None]
    assert types(make("OneHot", ..., np.array(3), typed(2))) == [TensorType(F32)]
