"""How a saved model takes its place: it and its external data at once, or not at all.

Two files cannot be exchanged in one step, and a model names the file of its data. So new data lie under a hidden name
until a model that calls them so has replaced the old one; then they get the name that they are to have, by way of a
link. Whenever a run is ended, what is there is the old model with its data or the new one with its own.
"""

from __future__ import annotations

import mmap
import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, suppress
from io import FileIO
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from ..wire import Chunks, bytes_field
from .external import DataFile

try:
    import fcntl
except ImportError:  # on Windows: what a killed run leaves stays
    fcntl = None  # type: ignore[assignment]

_STALE = 10.0  # seconds; a file that is just being made may have no lock yet
_LINKS = 8


class Place(NamedTuple):
    """Where a model goes, and its external data.

    Attributes:
        target: the model file.
        data: the file beside it that gets the data.
        shared: the model that is there now has its data in that file.
        old: other files of data of the model that is there now.
    """

    target: Path
    data: Path
    shared: bool
    old: tuple[Path, ...]


def place(target: Path, taken: Collection[Path]) -> Place:
    """Find the file for external data: `NAME.data`, or `NAME.1.data` ... where another one is in the way.

    Args:
        target: the model file.
        taken: files that the new model is made from, links followed; they stay.

    Raises:
        OSError: the model that is there cannot be read.
    """
    chosen: Path | None = None
    shared, old = False, []
    home = target.parent.resolve()
    for name in _names(target.name):
        file = target.with_name(name)
        there = os.path.lexists(file)
        ours = there and home / name not in taken and (_refers(target, name) or _was_linked(file, target))
        if ours and chosen is not None:
            old.append(file)
        elif (not there or ours) and chosen is None:
            chosen, shared = file, ours
        if not there:
            break
    assert chosen is not None
    return Place(target, chosen, shared, tuple(old))


def _names(name: str) -> Iterator[str]:
    yield f"{name}.data"
    number = 1
    while True:
        yield f"{name}.{number}.data"
        number += 1


def _refers(model: Path, name: str) -> bool:
    """True if a model file has external data in the file of that name beside it."""
    if not model.is_file() or not model.stat().st_size:
        return False
    entry = bytes_field(2, name.encode("utf-8", "surrogateescape"))
    with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(entry) >= 0


def _was_linked(file: Path, target: Path) -> bool:
    """True for a link that `Draft.put_both` made before it was killed."""
    return file.is_symlink() and _hidden(target).fullmatch(os.readlink(file)) is not None


def _hidden(target: Path) -> re.Pattern[str]:
    """What hidden files beside an output are called."""
    return re.compile(rf"\.+{re.escape(target.name)}\.[0-9a-f]{{8}}(\.[a-z0-9.]+)?")


class Draft:
    """The files of a model under way, hidden beside its place; what is left of them goes in the end."""

    def __init__(self, where: Place, ready: Path | None = None) -> None:
        """Begin; `ready` is a file beside the place that holds the external data already."""
        self.where = where
        self._token = secrets.token_hex(4)
        self._ready = ready
        self._open = ExitStack()

    def __enter__(self) -> Draft:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        for suffix in ("", ".data", ".first", ".link"):
            with suppress(OSError):
                self._hidden(suffix).unlink()

    def _hidden(self, suffix: str) -> Path:
        return self.where.target.with_name(f".{self.where.target.name}.{self._token}{suffix}")

    def write(self, write: Callable[[FileIO], None], suffix: str = "") -> Path:
        """Make a hidden file.

        Raises:
            OSError: it cannot be written.
        """
        path = self._hidden(suffix)
        file = self._open.enter_context(FileIO(path, "x"))
        lock(file.fileno())  # as long as it is open, so until it is in its place: so nobody sweeps it away
        write(file)
        os.fsync(file.fileno())  # a rename must not reach the disk before what it names
        return path

    def put(self, model: Path) -> None:
        """Put a model without external data into place.

        Raises:
            OSError: that is not possible; the old files are whole then.
        """
        model.replace(self.where.target)
        self._remove((*self.where.old, *([self.where.data] if self.where.shared else [])))

    def put_both(self, model: Callable[[str], Chunks], data: DataFile) -> None:
        """Put a model and its external data into place.

        Args:
            model: the message, given the name of the file of external data.
            data: the external data.

        Raises:
            OSError: something cannot be written; the old files are whole then.
        """
        ready = self._ready
        if ready is None or ready.stat().st_size != data.size:
            ready = self.write(data.write, ".data")
        new = self.write(model(self.where.data.name).write)
        if not self.where.shared or not self._exchange(new, ready, model):
            self._both(new, ready)
        self._remove(self.where.old)

    def _both(self, new: Path, data: Path) -> None:
        """Rename one after the other: where no model has its data in that file, or the file system knows no links."""
        try:
            data.replace(self.where.data)
            new.replace(self.where.target)
        except BaseException:
            if new.exists() and not data.exists() and not self.where.shared:
                self.where.data.unlink(missing_ok=True)
            raise

    def _exchange(self, new: Path, data: Path, model: Callable[[str], Chunks]) -> bool:
        """Replace model and data so that what is there is whole at each moment; False if there are no links."""
        link = self._hidden(".link")
        try:
            link.symlink_to(data.name)
        except OSError:
            return False
        first = self.write(model(data.name).write, ".first")
        target, final = self.where.target, self.where.data
        steps = ((link, final), (new, target), (data, final))
        try:
            first.replace(target)
            _rename(steps)
        except BaseException:
            if not first.exists():  # the new model is there: an interrupt must not leave it with a hidden file of data
                _rename(steps)
            raise
        return True

    def _remove(self, files: Collection[Path]) -> None:
        for file in files:
            with suppress(OSError):
                file.unlink()


def _rename(steps: Collection[tuple[Path, Path]]) -> None:
    """Do those of the steps that were not done yet."""
    for source, to in steps:
        if os.path.lexists(source):
            source.replace(to)


def lock(descriptor: int) -> bool:
    """Mark a file as one that a running process made; False if another process did."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def sweep(target: Path) -> None:
    """Remove what runs for the same output left behind that were killed: hidden files beside it that nobody holds."""
    ours = _hidden(target)
    with suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            if ours.fullmatch(entry.name):
                with suppress(OSError):
                    _sweep(Path(entry.path), target)


def _sweep(path: Path, target: Path) -> None:
    """Remove a file unless it is new, a running process holds it, or the model that is there has its data in it."""
    if time.time() - path.lstat().st_mtime < _STALE:
        return
    if path.is_symlink():
        path.unlink()
    elif path.is_file():
        with path.open("rb") as file:
            if lock(file.fileno()) and not _serves(path, target):
                path.unlink()


def _serves(path: Path, target: Path) -> bool:
    links = (f for f in map(target.with_name, islice(_names(target.name), _LINKS)) if f.is_symlink())
    return _refers(target, path.name) or any(link.resolve() == path.resolve() for link in links)
