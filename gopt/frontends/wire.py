"""The protobuf wire format, read and written by hand.

A protobuf library copies every weight several times, and its objects cost more to read than the bytes that they were
made of: scanning the fields of a node here takes about 1.1 us, asking a parsed NodeProto for them 1.8 us. So messages
are scanned in place; what is not looked into is passed on as an extent of the source it came from.

Source: Protocol Buffers encoding, https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterable, Iterator
from io import FileIO
from pathlib import Path

from ..errors import ModelError
from .limits import limits

Buffer = bytes | mmap.mmap
"""What is scanned: indexing gives an int, slicing gives bytes."""

VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = range(6)
_UINT64 = (1 << 64) - 1
_MAX_NUMBER = (1 << 29) - 1
# Up to this size reading a file costs no more than mapping it, and what is read can't change any more.
_READ_WHOLE = 1 << 16
# Pieces of at least this size go from file to file without passing through the map, whose pages would count as ours.
_COPY_BY_KERNEL = 1 << 20


class Damaged(ModelError):
    """The bytes are not what the format demands."""


class Odd(Exception):
    """The bytes are legal, but nobody writes them this way; protobuf can bring them into the usual form."""


class Source:
    """The bytes of a model: a mapped file, or bytes in memory.

    Attributes:
        buf: for scanning.
        view: for slices that share memory.
    """

    __slots__ = ("_fd", "buf", "view")

    def __init__(self, buf: Buffer, fd: int = -1) -> None:
        self.buf = buf
        self.view = memoryview(buf)
        self._fd = fd

    @staticmethod
    def open(path: Path) -> Source:
        """Map a file, or read it if it is small.

        Raises:
            OSError: it cannot be opened.
            ModelError: it is no regular file.
        """
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not keep us waiting
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise ModelError("it is no regular file")
            if status.st_size > _READ_WHOLE:
                return Source(mmap.mmap(fd, 0, access=mmap.ACCESS_READ), fd)
            with FileIO(fd, closefd=False) as file:
                data = file.readall()
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        return Source(data)

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def write(self, start: int, end: int, out: FileIO) -> None:
        """Append a part of the source to a file."""
        if self._fd >= 0 and end - start >= _COPY_BY_KERNEL:
            copy_range(self._fd, start, end - start, out)
        else:
            write_all(out, self.view[start:end])


class Extent:
    """A part of a source."""

    __slots__ = ("end", "source", "start")

    def __init__(self, source: Source, start: int, end: int) -> None:
        self.source = source
        self.start = start
        self.end = end

    def copy(self) -> bytes:
        """A copy of the part."""
        return self.source.buf[self.start : self.end]


class Chunks:
    """A message under way: pieces in order, and their total length. Neighbouring extents grow together."""

    __slots__ = ("_last", "parts", "size")

    def __init__(self) -> None:
        self.parts: list[bytes | memoryview | Extent] = []
        self.size = 0
        self._last: Extent | None = None

    def data(self, data: bytes | memoryview) -> None:
        """Append bytes; they are not copied."""
        self.parts.append(data)
        self.size += len(data)
        self._last = None

    def extent(self, source: Source, start: int, end: int) -> None:
        """Append a part of a source."""
        last = self._last
        self.size += end - start
        if last is not None and last.end == start and last.source is source:
            last.end = end
        else:
            self._last = last = Extent(source, start, end)
            self.parts.append(last)

    def extend(self, other: Chunks) -> None:
        """Append all of another message; that one must not be used any more."""
        self.parts += other.parts
        self.size += other.size
        self._last = None

    def text(self, number: int, text: str) -> None:
        """Append a string field."""
        self.data(string_field(number, text))

    def message(self, number: int, message: Chunks) -> None:
        """Append a message field."""
        self.data(encode_varint(number << 3 | BYTES) + encode_varint(message.size))
        self.extend(message)

    def join(self) -> bytes:
        """All in one piece."""
        return b"".join(p.source.view[p.start : p.end] if isinstance(p, Extent) else p for p in self.parts)

    def write(self, out: FileIO) -> None:
        """Append all to a file."""
        small: list[bytes | memoryview] = []
        for part in self.parts:
            size = part.end - part.start if isinstance(part, Extent) else len(part)
            if size < _COPY_BY_KERNEL:
                small.append(part.source.view[part.start : part.end] if isinstance(part, Extent) else part)
                continue
            write_all(out, b"".join(small))
            small.clear()
            if isinstance(part, Extent):
                part.source.write(part.start, part.end, out)
            else:
                write_all(out, part)
        write_all(out, b"".join(small))


def write_all(out: FileIO, data: bytes | memoryview) -> None:
    """Append bytes to an unbuffered file, however many calls that takes."""
    view = memoryview(data)
    while len(view):
        view = view[out.write(view) :]


def copy_range(source: int, offset: int, length: int, out: FileIO) -> None:
    """Append a part of an open file to another file; the data stay in the kernel.

    Raises:
        ModelError: the file ends before.
    """
    end = offset + length
    while offset < end:
        try:
            done = os.sendfile(out.fileno(), source, offset, end - offset)
        except OSError:  # some file systems cannot; errors of reading or writing proper come again below
            piece = os.pread(source, min(end - offset, 8 << 20), offset)
            write_all(out, piece)
            done = len(piece)
        if not done:
            raise ModelError("a file that the model's data come from became shorter")
        offset += done


# -- reading ------------------------------------------------------------------------------------------------------


def varint(buf: Buffer, pos: int) -> tuple[int, int]:
    """An unsigned number and the position behind it.

    Raises:
        Damaged: it has more than ten bytes.
        IndexError: the buffer ends inside.
    """
    byte = buf[pos]
    pos += 1
    if byte < 128:
        return byte, pos
    result = byte & 127
    shift = 7
    while True:
        byte = buf[pos]
        pos += 1
        result |= (byte & 127) << shift
        if byte < 128:
            return result & _UINT64, pos
        shift += 7
        if shift > 63:
            raise Damaged("a number has more than ten bytes")


def signed(number: int) -> int:
    """An unsigned 64-bit number read as two's complement."""
    return number - (1 << 64) if number >> 63 else number


def fields(buf: Buffer, pos: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """The fields of the message in `buf[pos:end]`.

    Yields:
        Field number, wire type, and the positions of the field, of its value, and behind it. The value of one of type
        BYTES is what follows the length.

    Raises:
        Damaged: a field reaches beyond the end, or has no legal number or type.
        Odd: a group, which no ONNX message has.
    """
    while pos < end:
        start = pos
        tag, pos = varint(buf, pos)
        number, kind = tag >> 3, tag & 7
        if not 0 < number <= _MAX_NUMBER:
            raise Damaged(f"there is no field number {number}")
        if kind == BYTES:
            length, pos = varint(buf, pos)
            stop = pos + length
        elif kind == VARINT:
            stop = varint(buf, pos)[1]
        elif kind == FIXED32:
            stop = pos + 4
        elif kind == FIXED64:
            stop = pos + 8
        elif kind in (GROUP, END_GROUP):
            raise Odd("a group")
        else:
            raise Damaged(f"there is no wire type {kind}")
        if stop > end:
            raise Damaged("it ends in the middle of a field")
        yield number, kind, start, pos, stop
        pos = stop


def text(data: bytes) -> str:
    """A string field's value.

    Raises:
        Damaged: it is not UTF-8, or too long.
    """
    if len(data) > limits().name:
        raise Damaged(f"a name of {len(data)} bytes: {data[:40]!r}... (--input-limit name=BYTES)")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Damaged(f"a name is not UTF-8: {data[:40]!r}") from None


# -- writing ------------------------------------------------------------------------------------------------------


def encode_varint(number: int) -> bytes:
    """A number as a varint; a negative one in ten bytes."""
    if 0 <= number < 128:
        return _SMALL[number]
    number &= _UINT64
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


_SMALL = [bytes([k]) for k in range(128)]


def bytes_field(number: int, data: bytes) -> bytes:
    """A field of type BYTES."""
    return encode_varint(number << 3 | BYTES) + encode_varint(len(data)) + data


def string_field(number: int, text: str) -> bytes:
    """A string field; surrogate escapes become the bytes that they stand for."""
    return bytes_field(number, text.encode("utf-8", "surrogateescape"))


def int_field(number: int, value: int) -> bytes:
    """An integer field."""
    return encode_varint(number << 3 | VARINT) + encode_varint(value)


def repeated_ints(number: int, values: Iterable[int]) -> bytes:
    """A repeated integer field, unpacked, as proto2 writes it."""
    tag = encode_varint(number << 3 | VARINT)
    return b"".join(tag + encode_varint(v) for v in values)
