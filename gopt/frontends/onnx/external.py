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
from ..limits import limits, real_folders
from ..wire import Buffer, copy_range, fields, text, write_all

_KEYS = frozenset(("location", "offset", "length", "checksum"))
_ALIGN_LARGE = 4096  # so that a runtime can map it
_LARGE = 1 << 16
_ALIGN_SMALL = 64
_GAP = 1 << 16  # tensors are aligned to no more by anybody


Identity = tuple[int, int]
"""Device and inode of a file."""


class Location(NamedTuple):
    """A part of an external file.

    Attributes:
        path: the file, links followed.
        offset, length: the part, in bytes.
        name: the file as the model names it.
        home: the folder that the name is relative to, and the file in or below it; None if it lies elsewhere.
        identity: which file it was when it was checked.
        blob: it lies among the blobs of a cache, with the model.
    """

    path: Path
    offset: int
    length: int
    name: str
    home: Path | None
    identity: Identity
    blob: bool

    def open(self) -> int:
        """Open the file: the one that was checked, not what a link put in its place leads to.

        Raises:
            ModelError: it is another file now.
            OSError: it cannot be opened.
        """
        fd, status = _open_plain(self.path)
        if (status.st_dev, status.st_ino) != self.identity:
            os.close(fd)
            raise ModelError(f"external data {self.name!r}: the file was exchanged")
        return fd


class _File(NamedTuple):
    """A file that was checked: where it is, links followed, what it is, and whether the model's own folder holds it."""

    path: Path
    size: int
    identity: Identity
    own: bool


_OVERLAP = 4
"""How many times their own size parts of external files may come to together: what is shared is written out."""


class Folder:
    """The folder of a model that is being read: external data may lie in it or below.

    They may lie in folders that the caller names too, and in that of a cache's blobs: there, model and data are links
    into one folder `blobs`, beside the one in which the links are (Hugging Face's cache).

    Attributes:
        used: a tensor with external data was met.
    """

    def __init__(self, path: Path | None, model: Path | None = None) -> None:
        self._path = path
        self._model = model
        self._files: dict[str, _File] = {}
        self._parts: set[tuple[Path, int, int]] = set()
        self._bytes = 0
        self.used = False

    @property
    def files(self) -> frozenset[Path]:
        """The files that were met."""
        return frozenset(file.path for file in self._files.values())

    def anew(self) -> Folder:
        """The same folder for another reading of the model."""
        return Folder(self._path, self._model)

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
        file = self._file(name, tensor)
        offset = _number(found.get("offset", "0"), tensor)
        length = _number(found["length"], tensor) if "length" in found else file.size - offset
        if length < 0 or offset + length > file.size:
            raise ModelError(
                f"external data of tensor {tensor!r}: {name!r} has {file.size} bytes, too few for {length} at {offset}"
            )
        if length != expected:
            raise ModelError(f"external data of tensor {tensor!r}: {length} bytes instead of {expected}")
        self._count(file.path, offset, length)
        assert self._path is not None
        home = self._path.resolve() if file.own else None
        return Location(file.path, offset, length, name, home, file.identity, self._is_blob(file.path))

    def _count(self, path: Path, offset: int, length: int) -> None:
        if (path, offset, length) in self._parts:
            return
        self._parts.add((path, offset, length))
        self._bytes += length
        if self._bytes > _OVERLAP * sum({file.path: file.size for file in self._files.values()}.values()):
            raise ModelError(f"external data overlap: tensors share {path.name!r} more than {_OVERLAP} times over")

    def _file(self, name: str, tensor: str) -> _File:
        known = self._files.get(name)
        if known is None:
            try:
                known = self._files[name] = self._checked(name)
            except (ModelError, OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                raise ModelError(f"external data of tensor {tensor!r}: {name!r}: {reason}") from None
        return known

    def _checked(self, name: str) -> _File:
        if self._path is None:
            raise ModelError("the model was not read from a file, so there is no folder to look in")
        allowed = real_folders(limits().folders)
        windows = PureWindowsPath(name)
        if not allowed or not name:
            if not name or PurePosixPath(name).is_absolute() or windows.drive or windows.root:
                raise ModelError("it must be a relative path (--allow-external FOLDER permits others)")
            if ".." in PurePosixPath(name).parts or ".." in windows.parts:
                raise ModelError(_OUTSIDE)
        if name.endswith(("/", "/.")):
            raise ModelError("it names a folder")
        home = self._path.resolve()
        path = Path(os.path.realpath(home / name, strict=True))
        own, permitted = path.is_relative_to(home), any(map(path.is_relative_to, allowed))
        if not own and not permitted and not self._is_blob(path):
            raise ModelError(_OUTSIDE)
        fd, status = _open_plain(path)
        os.close(fd)
        if status.st_nlink > 1 and not permitted:
            raise ModelError("the file has other names (hard links); --allow-external FOLDER permits what lies there")
        # What is named in another way than downwards from the model would lead elsewhere in the result.
        own = own and not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
        return _File(path, status.st_size, (status.st_dev, status.st_ino), own)

    def _is_blob(self, path: Path) -> bool:
        """True if a file lies in the folder of blobs into which the model itself is a link."""
        if self._model is None or not self._model.is_symlink():
            return False
        blobs = Path(os.path.realpath(self._model)).parent
        return (
            blobs.name == "blobs"
            and path.parent == blobs
            and self._path is not None
            and (self._path.resolve().is_relative_to(blobs.parent))
        )


_OUTSIDE = "it leads outside of the model's folder (--allow-external FOLDER permits another)"


def _open_plain(path: Path) -> tuple[int, os.stat_result]:
    """Open a regular file without following any link; `path` is absolute and has none, unless one was put there since.

    Raises:
        ModelError: it is something else than a regular file.
        OSError: it cannot be opened, or a link is on the way.
    """
    common = os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    flags = os.O_RDONLY | common | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if os.open in os.supports_dir_fd and hasattr(os, "O_DIRECTORY"):
        through = common | os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY)
        folder = os.open(path.anchor, through)
        try:
            for part in path.parts[1:-1]:
                inner = os.open(part, through, dir_fd=folder)
                os.close(folder)
                folder = inner
            if not stat.S_ISREG(os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise ModelError("it is no regular file")  # opening a device may do something
            fd = os.open(path.name, flags, dir_fd=folder)
        finally:
            os.close(folder)
    else:
        fd = os.open(path, flags)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise ModelError("it is no regular file")
    return fd, status


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

    @property
    def files(self) -> set[Path]:
        """The files that the data come from."""
        return {tensor.path for _, tensor in self._tensors if isinstance(tensor, FileTensor)}

    def lies_in(self, home: Path) -> bool:
        """True if these data are all that is in some files below a folder, which a model there calls by their names."""
        return all(
            isinstance(place := getattr(tensor, "location", None), Location) and place.home == home
            for _, tensor in self._tensors
        ) and all(map(self._covers, self.files))

    def _covers(self, file: Path) -> bool:
        """True if all bytes of a file are among the data, up to what tensors are aligned by."""
        parts = [t for _, t in self._tensors if isinstance(t, FileTensor) and t.path == file]
        at = 0
        for offset, length in sorted((part.offset, part.length) for part in parts):
            if offset - at >= _GAP:
                return False
            at = max(at, offset + length)
        return file.stat().st_size - at < _GAP

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
                source = tensor.open()
                try:
                    copy_range(source, tensor.offset, tensor.length, out)
                finally:
                    os.close(source)
            else:
                write_all(out, tensor.raw())
            at = offset + tensor.nbytes
