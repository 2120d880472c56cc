"""Reshape and its kin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gopt import ops
from gopt.ir import ArrayTensor, DType, SequenceType, Symbol, TensorType
from gopt.ops.sizes import product

from .making import F32, I64, compute, ints, make, results, shape_of, typed, types, unknown

N, M = Symbol("n"), Symbol("m")
X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("dims", "target", "expected"),
    [
        ((2, 3, 4), (4, 6), (4, 6)),
        ((2, 3, 4), (0, -1), (2, 12)),
        ((2, 3, 4), (-1,), (24,)),
        ((N, 3, 4), (0, -1), (N, 12)),
        ((N, 3, 4), (-1, 12), (N, 12)),
        ((N, 3, M), (-1, 3), (product((N, M)), 3)),
        ((N, 3, 4), (-1,), (product((N, 12)),)),
        ((N, 4), (0, 2, 2), (N, 2, 2)),
        ((2, 0), (-1, 2), (None, 2)),
        ((), (1, 1), (1, 1)),
        ((1,), (), ()),
    ],
)
def test_reshape_sizes(dims: Any, target: tuple[int, ...], expected: tuple[Any, ...]) -> None:
    found = shape_of(make("Reshape", typed(*dims), ints(*target)))
    assert found is not None
    assert len(found) == len(expected)
    assert all(e is None or f == e for f, e in zip(found, expected))


def test_reshape_that_cannot_be_gives_no_type() -> None:
    assert types(make("Reshape", typed(2, 3), ints(5, -1))) == [None]


def test_reshape_reads_zero_as_zero_when_asked() -> None:
    assert shape_of(make("Reshape", typed(2, 0), ints(0, 7), allowzero=1)) == (0, 7)
    assert compute(make("Reshape", np.zeros((0, 3)), ints(3, 0), allowzero=1)).shape == (3, 0)


def test_reshape_with_a_computed_shape_knows_the_rank() -> None:
    op = make("Reshape", typed(2, 3), TensorType(I64, (4,)))
    assert unknown(shape_of(op)) == [True] * 4
    assert shape_of(make("Reshape", typed(2, 3), ...)) is None


def test_reshape_1_has_its_shape_as_attribute() -> None:
    op = make("Reshape", X, opset=1, shape=(0, -1))
    assert shape_of(op) == (2, 12)
    assert compute(op).shape == (2, 12)


@pytest.mark.parametrize(("axis", "expected"), [(0, (1, 24)), (1, (2, 12)), (-1, (6, 4)), (3, (24, 1))])
def test_flatten(axis: int, expected: tuple[int, int]) -> None:
    assert compute(make("Flatten", X, axis=axis)).shape == expected
    assert shape_of(make("Flatten", typed(2, 3, 4), axis=axis)) == expected


def test_flatten_of_symbols_and_of_nothing() -> None:
    assert shape_of(make("Flatten", typed(N, 3, 4))) == (N, 12)
    assert compute(make("Flatten", np.zeros((0, 3, 2), np.float32))).shape == (0, 6)
    assert compute(make("Flatten", np.zeros((), np.float32), axis=0)).shape == (1, 1)


def test_squeeze() -> None:
    assert shape_of(make("Squeeze", typed(1, N, 1), ints(-1))) == (1, N)
    assert shape_of(make("Squeeze", typed(1, N, 1), opset=11, axes=(0, 2))) == (N,)
    assert shape_of(make("Squeeze", typed(1, 5, 1))) == (5,)
    # Without axes a symbol may or may not be squeezed.
    assert shape_of(make("Squeeze", typed(1, N, 1))) is None
    assert shape_of(make("Squeeze", typed(1, N), TensorType(I64, (1,)))) not in (None, (1,))
    assert types(make("Squeeze", typed(2, 3), ints(0))) == [None]
    assert compute(make("Squeeze", X.reshape(1, 2, 1, 12), ints(0, -2))).shape == (2, 12)


def test_squeeze_of_an_empty_list_of_axes_is_left_open() -> None:
    """By the clause nothing is squeezed; ONNX Runtime squeezes all that it can."""
    assert shape_of(make("Squeeze", typed(2, 3), ints())) == (2, 3)
    assert shape_of(make("Squeeze", typed(1, 3), ints())) is None
    assert shape_of(make("Squeeze", typed(N, 3), ints())) is None
    assert shape_of(make("Squeeze", typed(1, 3), opset=11, axes=())) is None
    assert shape_of(make("Squeeze", typed(1, 3), TensorType(I64, (0,)))) is None
    with pytest.raises(ops.NoKernel):
        compute(make("Squeeze", np.zeros((1, 3), np.float32), ints()))


def test_unsqueeze() -> None:
    assert shape_of(make("Unsqueeze", typed(N, 3), ints(0, -1))) == (1, N, 3, 1)
    assert shape_of(make("Unsqueeze", typed(N, 3), opset=11, axes=(1,))) == (N, 1, 3)
    assert shape_of(make("Unsqueeze", typed(), ints(0))) == (1,)
    assert unknown(shape_of(make("Unsqueeze", typed(N, 3), TensorType(I64, (2,))))) == [True] * 4
    assert types(make("Unsqueeze", typed(N, 3), ints(0, 0))) == [None]
    assert compute(make("Unsqueeze", X, ints(-1, 1))).shape == (2, 1, 3, 4, 1)


def test_expand() -> None:
    assert shape_of(make("Expand", typed(3, 1), ints(2, 1, 4))) == (2, 3, 4)
    assert shape_of(make("Expand", typed(N, 1), ints(1, 4))) == (N, 4)
    assert shape_of(make("Expand", typed(1), ints(0))) == (0,)
    op = make("Expand", typed(3, N), TensorType(I64, (2,)))
    assert unknown(shape_of(op)) == [False, True]
    found = compute(make("Expand", np.array([[1], [2]], np.int64), ints(2, 3)))
    assert found.tolist() == [[1, 1, 1], [2, 2, 2]]


def test_constant_of_shape() -> None:
    assert compute(make("ConstantOfShape", ints(2, 3))).dtype == np.float32
    op = make("ConstantOfShape", ints(2), value=ArrayTensor(np.array([7], np.int64)))
    assert compute(op).tolist() == [7, 7]
    assert compute(make("ConstantOfShape", ints())).shape == ()
    assert types(make("ConstantOfShape", TensorType(I64, (3,))))[0].rank == 3  # type: ignore[union-attr]


def test_shape_and_size() -> None:
    assert compute(make("Shape", X)).tolist() == [2, 3, 4]
    assert compute(make("Shape", X, start=-2)).tolist() == [3, 4]
    assert compute(make("Shape", X, start=1, end=-1)).tolist() == [3]
    assert compute(make("Shape", X, start=2, end=1)).tolist() == []
    assert compute(make("Shape", X, start=-9, end=9)).tolist() == [2, 3, 4]
    assert compute(make("Size", X)).item() == 24
    assert types(make("Size", ...)) == [TensorType(I64, ())]
    assert types(make("Shape", typed(N, 3))) == [TensorType(I64, (2,), (N, 3))]


def test_identity_keeps_every_kind_of_type() -> None:
    sequence = SequenceType(TensorType(F32, (N,)))
    assert types(make("Identity", sequence)) == [sequence]
    assert types(make("Identity", X)) == [TensorType(F32, (2, 3, 4))]
    text = np.array([b"a", b"b"], object)
    assert compute(make("Identity", text)).tolist() == [b"a", b"b"]


def test_kernels_refuse_what_is_malformed() -> None:
    for op in (make("Reshape", X, ints(5)), make("Reshape", X, ints(0, 0, 0, 0)), make("Squeeze", X, ints(0))):
        with pytest.raises(ops.NoKernel):
            results(op)


def test_kernels_take_types_that_numpy_lacks() -> None:
    array = np.arange(6).astype(DType.BFLOAT16.numpy).reshape(2, 3)
    assert compute(make("Reshape", array, ints(3, 2))).dtype == array.dtype
    assert compute(make("Expand", array[:1], ints(2, 3))).dtype == array.dtype
