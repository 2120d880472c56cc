"""The wire format: numbers, fields, and messages put together from pieces."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from gopt.errors import ModelError
from gopt.frontends import wire
from gopt.frontends.onnx import load
from gopt.frontends.onnx.tensors import decode_varints
from gopt.frontends.wire import Chunks, Damaged, Odd, Source

NUMBERS = [0, 1, 127, 128, 300, 2**31 - 1, 2**31, 2**63 - 1, -1, -(2**31), -(2**63)]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers(number: int) -> None:
    data = wire.encode_varint(number)
    assert data == TensorProto(dims=[number]).SerializeToString()[1:]
    unsigned, end = wire.varint(data, 0)
    assert (wire.signed(unsigned), end) == (number, len(data))


def test_packed_numbers() -> None:
    data = b"".join(map(wire.encode_varint, NUMBERS))
    assert decode_varints(data).tolist() == NUMBERS
    assert decode_varints(b"\x01\x02").tolist() == [1, 2]
    assert decode_varints(b"").tolist() == []


def test_a_number_must_end() -> None:
    with pytest.raises(Damaged):
        wire.varint(b"\xff" * 20, 0)
    with pytest.raises(IndexError):
        wire.varint(b"\xff" * 3, 0)


@pytest.mark.parametrize("data", [b"\x80", b"\x01\x80", b"\xff" * 11 + b"\x01", b"\x01" + b"\x80" * 2000 + b"\x01"])
def test_packed_numbers_of_a_tensor_must_end(data: bytes) -> None:
    tensor = TensorProto(name="w", dims=[data.count(b"\x01")], data_type=TensorProto.INT64).SerializeToString()
    tensor += wire.bytes_field(7, data)
    graph = wire.bytes_field(5, tensor)
    with pytest.raises(ModelError, match="in the middle of a number"):
        load(b"\x08\x0a" + wire.bytes_field(7, graph))


def test_fields_of_all_types() -> None:
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [300], np.arange(300.0))
    data = tensor.SerializeToString() + b"\xf9\x07" + bytes(8) + b"\xfd\x07" + bytes(4)  # field 127
    found = list(wire.fields(data, 0, len(data)))
    assert [(number, kind) for number, kind, *_ in found] == [(1, 0), (2, 0), (4, 2), (8, 2), (127, 1), (127, 5)]
    assert b"".join(data[start:end] for _, _, start, _, end in found) == data
    assert data[found[2][3] : found[2][4]] == np.arange(300, dtype="<f4").tobytes()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\x0b\x0c", Odd),
        (b"\x0e", Damaged),
        (b"\x00\x00", Damaged),
        (b"\x0a\x05abc", Damaged),
        (b"\x0d\x00\x00", Damaged),
        (b"\x09\x00\x00", Damaged),
        (b"\x0a" + b"\xff" * 9 + b"\x01", Damaged),
        (b"\xf8\xff\xff\xff\xff\x01\x00", Damaged),
    ],
)
def test_fields_that_are_none(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        list(wire.fields(data, 0, len(data)))


def test_neighbouring_extents_grow_together() -> None:
    source = Source(b"0123456789")
    chunks = Chunks()
    for start in (2, 3, 4, 7, 8, 0):
        chunks.extent(source, start, start + 1)
    assert len(chunks.parts) == 3
    assert (chunks.join(), chunks.size) == (b"234780", 6)
    outer = Chunks()
    outer.message(1, chunks)
    outer.text(2, "ü")
    assert outer.join() == b"\x0a\x06234780\x12\x02\xc3\xbc"
    assert outer.size == 12


@pytest.mark.parametrize("in_kernel", [True, False])
def test_large_pieces_go_from_file_to_file(in_kernel: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.arange(3 << 18, dtype=np.uint32).tobytes()
    (tmp_path / "in").write_bytes(data)
    source = Source.open(tmp_path / "in")
    assert source.view[:8] == data[:8]
    chunks = Chunks()
    chunks.data(b"ab")
    chunks.extent(source, 5, len(data))
    chunks.data(memoryview(data)[: 2 << 20])
    chunks.extent(source, 0, 7)

    def refuse(*_: object) -> int:
        raise OSError(22, "not on this file system")

    if not in_kernel:
        monkeypatch.setattr(os, "sendfile", refuse)
    with FileIO(tmp_path / "out", "w") as out:
        chunks.write(out)
    expected = b"ab" + data[5:] + data[: 2 << 20] + data[:7]
    assert (tmp_path / "out").read_bytes() == expected == chunks.join()


def test_a_file_that_became_shorter(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"12345")
    source, out = FileIO(tmp_path / "in"), FileIO(tmp_path / "out", "w")
    with source, out, pytest.raises(ModelError, match="shorter"):
        wire.copy_range(source.fileno(), 2, 10, out)


def test_protobuf_reads_what_is_written() -> None:
    entry = onnx.StringStringEntryProto.FromString(wire.string_field(1, "k") + wire.string_field(2, "\udcff"))
    assert entry.key == "k"
    assert entry.SerializeToString().endswith(b"\xff")
    assert TensorProto.FromString(wire.repeated_ints(1, NUMBERS)).dims == NUMBERS
    assert TensorProto.FromString(wire.int_field(2, 7)).data_type == 7
