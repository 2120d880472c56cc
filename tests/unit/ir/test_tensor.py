"""Constant tensors: every element type survives packing, and nothing is copied to be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gopt.ir import ArrayTensor, BufferTensor, DType, FileTensor, dtype_of
from gopt.ir.tensor import pack, unpack

FIXED = [d for d in DType if d.bits]


@pytest.mark.parametrize("dtype", FIXED, ids=lambda d: d.name)
@pytest.mark.parametrize("count", [0, 1, 3, 8])
def test_packing_round_trips(dtype: DType, count: int) -> None:
    array = (np.arange(count) % 2).astype(dtype.numpy)
    data = bytes(pack(array, dtype))
    assert len(data) == dtype.storage_bytes(count)
    again = unpack(data, dtype, (count,))
    assert again.dtype == dtype.numpy
    assert again.tobytes() == array.tobytes()
    assert dtype_of(again) is dtype


@pytest.mark.parametrize("dtype", [DType.INT4, DType.INT2])
def test_signed_codes_are_sign_extended(dtype: DType) -> None:
    low = -(1 << (dtype.bits - 1))
    array = np.array([low, -1, 0], np.int8).astype(dtype.numpy)
    assert unpack(pack(array, dtype), dtype, (3,)).astype(int).tolist() == [low, -1, 0]


def test_a_buffer_is_shared_and_read_only() -> None:
    data = np.arange(4, dtype=np.float32).tobytes()
    array = BufferTensor(DType.FLOAT, (2, 2), memoryview(data)).numpy()
    assert np.shares_memory(array, np.frombuffer(data, np.uint8))
    with pytest.raises(ValueError):
        array[0, 0] = 1


def test_a_part_of_a_file_at_any_offset(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"xyz" + np.arange(5, dtype=np.int64).tobytes() + b"tail")
    tensor = FileTensor(DType.INT64, (5,), path, 3, 40)
    assert tensor.numpy().tolist() == [0, 1, 2, 3, 4]
    assert tensor.nbytes == 40


def test_strings_are_bytes() -> None:
    tensor = ArrayTensor(np.array([["a", "é"]]))
    assert tensor.dtype is DType.STRING
    assert tensor.numpy().tolist() == [[b"a", "é".encode()]]
    assert tensor.nbytes == 3
    with pytest.raises(TypeError):
        tensor.raw()
