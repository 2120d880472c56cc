"""External data: which files a model may read, and where the data of a saved model go.

Source: ONNX documentation, "External Data"; onnx.proto, TensorProto.external_data.
"""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from ...errors import ModelError
from ...ir import FileTensor, Tensor
from ..wire import Buffer, copy_range, fields, text, write_all

_KEYS = frozenset(("location", "offset", "length", "checksum"))
_ALIGN_LARGE = 4096  # so that a runtime can map it
_LARGE = 1 << 16
_ALIGN_SMALL = 64


class Location(NamedTuple):
    """A part of an external file.

    Attributes:
        path: the file.
        offset, length: the part, in bytes.
        name: the file as the model names it.
        home: the folder that the name is relative to.
    """

    path: Path
    offset: int
    length: int
    name: str
    home: Path


class Folder:
    """The folder of a model that is being read: external data may lie in it or below, nowhere else.

    Attributes:
        used: a tensor with external data was met.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._files: dict[str, tuple[Path, int]] = {}
        self.used = False

    def locate(self, buf: Buffer, entries: list[tuple[int, int]], tensor: str, expected: int) -> Location:
        """The place that the external_data entries of a tensor name.

        Args:
            buf: what holds the entries.
            entries: StringStringEntryProto messages, from where to where.
            tensor: its name, for messages.
            expected: bytes that the tensor must have.

        Raises:
            ModelError: an entry is unknown; the file is missing, not regular, too short or outside of the folder.
        """
        self.used = True
        found: dict[str, str] = {}
        for start, end in entries:
            entry = {n: text(buf[s:e]) for n, _, _, s, e in fields(buf, start, end) if n in (1, 2)}
            key = entry.get(1, "")
            if key not in _KEYS:
                raise ModelError(f"external data of tensor {tensor!r}: unknown key {key!r}")
            found[key] = entry.get(2, "")
        name = found.get("location", "")
        path, size = self._file(name, tensor)
        offset = _number(found.get("offset", "0"), tensor)
        length = _number(found["length"], tensor) if "length" in found else size - offset
        if length < 0 or offset + length > size:
            raise ModelError(
                f"external data of tensor {tensor!r}: {name!r} has {size} bytes, too few for {length} at {offset}"
            )
        if length != expected:
            raise ModelError(f"external data of tensor {tensor!r}: {length} bytes instead of {expected}")
        assert self._path is not None
        return Location(path, offset, length, name, self._path)

    def _file(self, name: str, tensor: str) -> tuple[Path, int]:
        known = self._files.get(name)
        if known is None:
            try:
                known = self._files[name] = self._checked(name)
            except (ModelError, OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                raise ModelError(f"external data of tensor {tensor!r}: {name!r}: {reason}") from None
        return known

    def _checked(self, name: str) -> tuple[Path, int]:
        if self._path is None:
            raise ModelError("the model was not read from a file, so there is no folder to look in")
        parts = PurePosixPath(name).parts
        if not parts or PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or PureWindowsPath(name).root:
            raise ModelError("it must be a relative path")
        if ".." in parts or ".." in PureWindowsPath(name).parts:
            raise ModelError("it leads outside of the model's folder")
        home = self._path.resolve()
        path = Path(os.path.realpath(home / name, strict=True))
        if not path.is_relative_to(home):
            raise ModelError("it leads outside of the model's folder")
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ModelError("it is no regular file")
        return path, status.st_size


def _number(digits: str, tensor: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise ModelError(f"external data of tensor {tensor!r}: {digits[:40]!r} is no offset or length")
    return int(digits)


class DataFile:
    """The external data of a model that is being saved: places are given out first, the data written at the end.

    Attributes:
        name: what the model calls the file.
        size: bytes of all data.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.size = 0
        self._offsets: dict[object, int] = {}
        self._tensors: list[tuple[int, Tensor]] = []

    def put(self, tensor: Tensor) -> int:
        """The place of a tensor's data; the same tensor, or part of a file, has one place."""
        key: object = (tensor.path, tensor.offset, tensor.length) if isinstance(tensor, FileTensor) else id(tensor)
        known = self._offsets.get(key)
        if known is not None:
            return known
        size = tensor.nbytes
        align = _ALIGN_LARGE if size >= _LARGE else _ALIGN_SMALL
        offset = self.size + -self.size % align
        self.size = offset + size
        self._offsets[key] = offset
        self._tensors.append((offset, tensor))
        return offset

    def write(self, out: FileIO) -> None:
        """Write all data to a new file.

        Raises:
            OSError: they cannot be read or written.
            ModelError: a file that they come from became shorter.
        """
        at = 0
        for offset, tensor in self._tensors:
            write_all(out, bytes(offset - at))
            if isinstance(tensor, FileTensor):
                with FileIO(tensor.path, "r") as source:
                    copy_range(source.fileno(), tensor.offset, tensor.length, out)
            else:
                write_all(out, tensor.raw())
            at = offset + tensor.nbytes
