"""Where results are put together before they take their place: an interrupted run leaves the old file whole."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from types import TracebackType

from ..errors import UsageError
from ..frontends import onnx as frontend
from ..ir import FileTensor, Model

_NAME = "model.onnx"


class Workshop:
    """A temporary folder beside the output, so that what is finished there is moved into place by a rename.

    Each model is written into a subfolder of its own and under its final name, which its external data file bears too.

    Attributes:
        target: the output file; None if there will be none.
    """

    def __init__(self, target: Path | None = None) -> None:
        self.target = None if target is None else _checked(target)
        self._folder: Path | None = None
        self._made: Path | None = None
        self._count = 0

    def __enter__(self) -> Workshop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def folder(self) -> Path:
        """The temporary folder, made when first asked for."""
        if self._folder is None:
            target = self.target
            beside = None if target is None else target.parent
            self._folder = Path(tempfile.mkdtemp(prefix="gopt-" if target is None else f".{target.name}.", dir=beside))
        return self._folder

    @property
    def made(self) -> Path:
        """The model file written last.

        Raises:
            RuntimeError: there is none.
        """
        if self._made is None:
            raise RuntimeError("no model was written")
        return self._made

    def write(self, model: Model, *, keep: bool = False) -> Path:
        """Write a model; the one written before goes, unless that was to be kept."""
        if self._made is not None:
            shutil.rmtree(self._made.parent)
            self._made = None
        self._count += 1
        place = self.folder / str(self._count)
        place.mkdir()
        path = place / (_NAME if self.target is None else self.target.name)
        frontend.save(model, path)
        if not keep:
            self._made = path
        return path

    def publish(self) -> int:
        """Move the model written last into place, its data first; returns the bytes of its files. Needs a target."""
        made, target = self.made, self.target
        if target is None:
            raise RuntimeError("the result has no place to go to")
        files = sorted(made.parent.iterdir(), key=lambda file: (file == made, file.name))
        total = sum(file.stat().st_size for file in files)
        for file in files:
            file.replace(target.parent / file.name)
        self._made = None
        return total


def _checked(target: Path) -> Path:
    """The file to write, links followed.

    Raises:
        UsageError: nothing can be put there.
    """
    if target.is_symlink():
        target = target.resolve()
    try:
        if not stat.S_ISREG(target.stat().st_mode):
            raise UsageError(f"output {target}: it exists and is no regular file")
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise UsageError(f"output {target}: there is no folder {target.parent}") from None
    return target


def same_file(a: Path, b: Path) -> bool:
    """True if both paths lead to one file."""
    try:
        return os.path.samefile(a, b)
    except OSError:
        return False


def model_bytes(path: Path, model: Model) -> int:
    """Bytes of a model's files: its own, and what it takes from external ones."""
    parts = {
        (tensor.path, tensor.offset): tensor.length
        for graph in model.graphs()
        for value in graph.values
        if isinstance(tensor := value.tensor, FileTensor)
    }
    return path.stat().st_size + sum(parts.values())
