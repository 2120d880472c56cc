"""Slice, Pad, CenterCropPad."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gopt import ops
from gopt.ir import Symbol, TensorType
from gopt.ops.sizes import total

from .making import I64, compute, ints, make, results, shape_of, typed, types, unknown

N = Symbol("n")
FAR = 2**63 - 1


def test_a_full_slice_keeps_the_symbol() -> None:
    x = typed(N, 4)
    assert types(make("Slice", x, ints(0), ints(FAR), ints(0))) == [x]
    assert types(make("Slice", x, ints(0), ints(2**31 - 1), ints(0))) == [x]
    assert types(make("Slice", x, ints(-1), ints(-FAR - 1), ints(0), ints(-1))) == [x]
    assert types(make("Slice", x, opset=9, starts=(0,), ends=(FAR,))) == [x]


def test_runtimes_differ_in_backward_slices_with_a_far_end() -> None:
    """By the text such an end is clamped to the last element; ONNX Runtime takes everything down to the first."""
    for far in (2**31 - 1, FAR):
        assert unknown(shape_of(make("Slice", typed(3), ints(-1), ints(far), ints(0), ints(-1)))) == [True]
        assert unknown(shape_of(make("Slice", typed(3), ints(far), ints(far), ints(0), ints(-1)))) == [True]
        assert unknown(shape_of(make("Slice", typed(N), ints(far), ints(far), ints(0), ints(-1)))) == [True]
        with pytest.raises(ops.NoKernel):
            results(make("Slice", np.arange(3), ints(-1), ints(far), ints(0), ints(-1)))


def test_equal_slices_of_a_symbol_are_equal() -> None:
    a = shape_of(make("Slice", typed(N), ints(1), ints(FAR), ints(0)))
    b = shape_of(make("Slice", typed(N), ints(1), ints(FAR), ints(0)))
    c = shape_of(make("Slice", typed(N), ints(2), ints(FAR), ints(0)))
    assert a == b
    assert a != (N,)
    assert a != c


def test_slice_without_axes_takes_the_first() -> None:
    assert shape_of(make("Slice", typed(5, 6, 7), ints(1, 2), ints(3, -1))) == (2, 3, 7)
    assert shape_of(make("Slice", typed(5, 6, 7), ints(1), ints(3), ints(-1))) == (5, 6, 2)


def test_slice_with_computed_bounds() -> None:
    one = TensorType(I64, (1,))
    assert unknown(shape_of(make("Slice", typed(5, 6), one, ints(9), ints(1)))) == [False, True]
    assert unknown(shape_of(make("Slice", typed(5, 6), ints(0), ints(9), one))) == [True, True]
    assert unknown(shape_of(make("Slice", typed(5, 6), one, one))) == [True, False]
    assert unknown(shape_of(make("Slice", typed(5, 6), ..., ...))) == [True, True]


def test_malformed_slices() -> None:
    assert types(make("Slice", typed(5), ints(0), ints(3), ints(0), ints(0))) == [None]
    assert types(make("Slice", typed(5), ints(0, 0), ints(3), ints(0))) == [None]
    assert types(make("Slice", typed(5), ints(0), ints(3), ints(1))) == [None]
    with pytest.raises(ops.NoKernel):
        results(make("Slice", np.zeros(5), ints(0), ints(3), ints(0), ints(0)))


bounds = st.integers(-12, 12) | st.sampled_from([FAR, -FAR - 1])


@given(st.integers(0, 8), bounds, bounds, st.integers(-3, 3).filter(bool))
def test_slices_of_one_axis(size: int, start: int, end: int, step: int) -> None:
    """By the operator's text: negative bounds count from the end, then bounds are clamped."""
    x = np.arange(size)
    first = start + size if start < 0 else start
    last = end + size if end < 0 else end
    low, high = (0, size) if step > 0 else (-1, size - 1)
    op = make("Slice", x, ints(start), ints(end), ints(0), ints(step))
    if step < 0 and (first < 0 or end >= 2**31 - 1):  # runtimes differ
        with pytest.raises(ops.NoKernel):
            results(op)
        return
    first, last = min(max(first, low), high), min(max(last, low), high)
    assert compute(op).tolist() == [x[i] for i in range(first, last, step)]


# Pad


def test_pad_sizes() -> None:
    assert shape_of(make("Pad", typed(N, 4), ints(1, 0, 0, 2))) == (total((N, 1)), 6)
    assert types(make("Pad", typed(N, 4), ints(0, 0, 0, 0))) == [typed(N, 4)]
    assert shape_of(make("Pad", typed(N, 4), ints(1, 1), None, ints(-1))) == (N, 6)
    assert shape_of(make("Pad", typed(N, 4), opset=2, pads=(0, 1, 0, 1))) == (N, 6)
    assert shape_of(make("Pad", typed(3), opset=1, paddings=(1, 1))) == (5,)
    assert unknown(shape_of(make("Pad", typed(3, 4), TensorType(I64, (4,))))) == [True, True]
    assert unknown(shape_of(make("Pad", typed(3, 4), ints(1, 1), None, TensorType(I64, (1,))))) == [True, True]
    assert types(make("Pad", typed(N, 4), ints(1, 0))) == [None]


def test_pad_modes() -> None:
    x = np.arange(4, dtype=np.float32)
    pads = ints(2, 1)
    assert compute(make("Pad", x, pads)).tolist() == [0, 0, 0, 1, 2, 3, 0]
    assert compute(make("Pad", x, pads, np.array(9, np.float32))).tolist() == [9, 9, 0, 1, 2, 3, 9]
    assert compute(make("Pad", x, pads, mode="edge")).tolist() == [0, 0, 0, 1, 2, 3, 3]
    assert compute(make("Pad", x, pads, mode="reflect")).tolist() == [2, 1, 0, 1, 2, 3, 2]
    assert compute(make("Pad", x, pads, mode="wrap")).tolist() == [2, 3, 0, 1, 2, 3, 0]
    assert compute(make("Pad", x, opset=2, pads=(1, 0), value=5.0)).tolist() == [5, 0, 1, 2, 3]


def test_negative_pads_crop() -> None:
    x = np.arange(6, dtype=np.float32)
    assert compute(make("Pad", x, ints(-1, -2))).tolist() == [1, 2, 3]
    assert compute(make("Pad", x, ints(-1, 2))).tolist() == [1, 2, 3, 4, 5, 0, 0]
    for pads in (ints(-4, -4), ints(-7, 3)):
        with pytest.raises(ops.NoKernel):
            results(make("Pad", x, pads))
    with pytest.raises(ops.NoKernel):  # runtimes differ
        results(make("Pad", x, ints(-1, 1), mode="edge"))
    with pytest.raises(ops.NoKernel):
        results(make("Pad", x, ints(6, 0), mode="reflect"))


def test_pad_of_other_types() -> None:
    assert compute(make("Pad", np.array([True]), ints(1, 0))).tolist() == [False, True]
    assert compute(make("Pad", np.array([b"a"], object), ints(0, 1))).tolist() == [b"a", b""]


def test_center_crop_pad() -> None:
    x = np.arange(5)
    assert compute(make("CenterCropPad", x, ints(3))).tolist() == [1, 2, 3]
    assert compute(make("CenterCropPad", x, ints(2))).tolist() == [1, 2]
    assert compute(make("CenterCropPad", x + 1, ints(8))).tolist() == [0, 1, 2, 3, 4, 5, 0, 0]
    assert compute(make("CenterCropPad", x, ints(4))).tolist() == [0, 1, 2, 3]
    assert shape_of(make("CenterCropPad", typed(N, 5, 6), ints(2, 9), axes=(0, -1))) == (2, 5, 9)
