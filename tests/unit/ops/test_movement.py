"""Transpose, Concat, Split, Tile, blocks."""

from __future__ import annotations

import numpy as np
import pytest

from gopt import ops
from gopt.ir import Symbol, TensorType
from gopt.ops.sizes import product, total

from .making import I64, compute, ints, make, results, shape_of, typed, types, unknown

N, M = Symbol("n"), Symbol("m")
X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def test_transpose() -> None:
    assert shape_of(make("Transpose", typed(N, 3, 4))) == (4, 3, N)
    assert shape_of(make("Transpose", typed(N, 3, 4), perm=(0, 2, 1))) == (N, 4, 3)
    assert types(make("Transpose", typed(N, 3), perm=(0, 0))) == [None]
    found = compute(make("Transpose", X, perm=(2, 0, 1)))
    assert np.array_equal(found, X.transpose(2, 0, 1))
    assert found.flags.c_contiguous
    assert compute(make("Transpose", np.array(3.0))).shape == ()


def test_concat_adds_sizes_and_merges_the_others() -> None:
    assert shape_of(make("Concat", typed(N, 2), typed(3, M), axis=1)) == (3, total((2, M)))
    assert shape_of(make("Concat", typed(N, 2), typed(N, 3), axis=-1)) == (N, 5)
    assert shape_of(make("Concat", typed(N, 2), axis=0)) == (N, 2)
    assert unknown(shape_of(make("Concat", typed(4, 2), ..., axis=1))) == [False, True]
    assert types(make("Concat", typed(2, 2), typed(3, 2), axis=1)) == [None]
    assert types(make("Concat", typed(2, 2), typed(2), axis=0)) == [None]
    assert shape_of(make("Concat", typed(1, 2), typed(1, 3), opset=1)) == (1, 5)  # axis defaults to 1 there
    assert compute(make("Concat", X, X, axis=-1)).shape == (2, 3, 8)


def test_split_into_given_sizes() -> None:
    op = make("Split", typed(N, 6), ints(1, 2, 3), outputs=3, axis=1)
    assert [t.shape for t in types(op) if isinstance(t, TensorType)] == [(N, 1), (N, 2), (N, 3)]
    found = results(make("Split", X, ints(1, 3), outputs=2, axis=-1))
    assert [a.shape for a in found] == [(2, 3, 1), (2, 3, 3)]
    found = results(make("Split", X, opset=11, outputs=2, axis=-1, split=(1, 3)))
    assert [a.shape for a in found] == [(2, 3, 1), (2, 3, 3)]
    with pytest.raises(ops.NoKernel):
        results(make("Split", X, ints(1, 4), outputs=2, axis=-1))


def test_split_evenly() -> None:
    assert [a.shape[0] for a in results(make("Split", np.zeros(7), outputs=3, num_outputs=3))] == [3, 3, 1]
    assert [a.shape[0] for a in results(make("Split", np.zeros(6), outputs=3, opset=13))] == [2, 2, 2]
    # Before version 18 the parts must be equal.
    assert types(make("Split", typed(7), outputs=3, opset=13)) == [None] * 3
    with pytest.raises(ops.NoKernel):
        results(make("Split", np.zeros(7), outputs=3, opset=13))


def test_split_of_a_symbol() -> None:
    first, second = types(make("Split", typed(N), outputs=2, num_outputs=2))
    assert first != second  # the last part may be smaller
    first, second = types(make("Split", typed(N), outputs=2, opset=13))
    assert first == second
    first, second = types(make("Split", typed(product((N, 4))), outputs=2, opset=13))
    assert first == typed(product((N, 2)))


def test_tile() -> None:
    assert shape_of(make("Tile", typed(N, 3), ints(2, 1))) == (product((2, N)), 3)
    assert unknown(shape_of(make("Tile", typed(N, 3), TensorType(I64, (2,))))) == [True, True]
    assert types(make("Tile", typed(N, 3), ints(2))) == [None]
    assert np.array_equal(compute(make("Tile", X, ints(1, 2, 0))), np.tile(X, (1, 2, 0)))
    # The second operand of Tile 1 is one number, which must not be read as a list of repeats.
    assert types(make("Tile", typed(2), ints(2), ints(0), opset=1)) == [None]


def test_blocks_are_each_others_inverse() -> None:
    x = np.arange(2 * 8 * 2 * 3, dtype=np.float32).reshape(2, 8, 2, 3)
    wide = compute(make("DepthToSpace", x, blocksize=2))
    assert wide.shape == (2, 2, 4, 6)
    assert np.array_equal(compute(make("SpaceToDepth", wide, blocksize=2)), x)
    assert wide[0, 0, 0, :2].tolist() == [x[0, 0, 0, 0], x[0, 2, 0, 0]]
    crossed = compute(make("DepthToSpace", x, blocksize=2, mode="CRD"))
    assert crossed[0, 0, 0, :2].tolist() == [x[0, 0, 0, 0], x[0, 1, 0, 0]]
    assert shape_of(make("DepthToSpace", typed(N, 8, M, 3), blocksize=2)) == (N, 2, product((M, 2)), 6)
    assert types(make("SpaceToDepth", typed(N, 8, 3, 4), blocksize=2)) == [None]


def test_trilu() -> None:
    x = np.arange(1, 13).reshape(3, 4)
    for k in (-4, -1, 0, 2, 9):
        assert np.array_equal(compute(make("Trilu", x, np.array(k))), np.triu(x, k))
        assert np.array_equal(compute(make("Trilu", x, np.array(k), upper=0)), np.tril(x, k))
    assert np.array_equal(compute(make("Trilu", x)), np.triu(x))


def test_reverse_sequence() -> None:
    x = np.arange(12).reshape(4, 3)
    found = compute(make("ReverseSequence", x, ints(4, 2, 1)))
    assert found.T.tolist() == [[9, 6, 3, 0], [4, 1, 7, 10], [2, 5, 8, 11]]
    found = compute(make("ReverseSequence", x, ints(1, 2, 3, 0), batch_axis=0, time_axis=1))
    assert found.tolist() == [[0, 1, 2], [4, 3, 5], [8, 7, 6], [9, 10, 11]]
