"""Where candidates lie while they are judged, and how the one that is delivered takes its place."""

from __future__ import annotations

import secrets
import shutil
import stat
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from ..errors import UsageError
from ..frontends import onnx as frontend
from ..frontends.onnx.placing import lock, sweep
from ..ir import FileTensor, Model


class Workshop:
    """Writes models for a run; what is left of them goes when it ends.

    A candidate is a hidden file beside the output, where a rename makes it the output, its external data with it; where
    there will be no output, it lies in a temporary folder. What killed runs for the same output left behind goes first.

    Attributes:
        target: the output file; None if there will be none.
    """

    def __init__(self, target: Path | None = None) -> None:
        self.target = None if target is None else _checked(target)
        self._folder: Path | None = None
        self._made: Path | None = None
        self._held = ExitStack()
        if self.target is not None:
            sweep(self.target)

    def __enter__(self) -> Workshop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()
        if self._made is not None:
            self._made.unlink(missing_ok=True)
            _data(self._made).unlink(missing_ok=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def folder(self) -> Path:
        """A temporary folder, made when first asked for."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="gopt-"))
        return self._folder

    @property
    def made(self) -> Path:
        """The candidate written last.

        Raises:
            RuntimeError: there is none.
        """
        if self._made is None:
            raise RuntimeError("no model was written")
        return self._made

    def keep(self, model: Model) -> Path:
        """Write the original of a run that began with a model in memory."""
        path = self.folder / "original.onnx"
        frontend.save(model, path)
        return path

    def write(self, model: Model) -> Path:
        """Write a candidate in place of the last one."""
        if self._made is None:
            if self.target is None:
                self._made = self.folder / "candidate.onnx"
            else:
                self._made = self.target.with_name(f".{self.target.name}.{secrets.token_hex(4)}.onnx")
        self._held.close()
        _data(self._made).unlink(missing_ok=True)
        frontend.save(model, self._made)
        for file in (self._made, _data(self._made)):
            if self.target is not None and file.exists():  # held against other runs that sweep
                lock(self._held.enter_context(file.open("rb")).fileno())
        return self._made

    def publish(self, model: Model) -> None:
        """Put the model that was written last as a candidate, or none was, into its place.

        Raises:
            RuntimeError: there is no place.
            OSError: it cannot be written.
        """
        if self.target is None:
            raise RuntimeError("the result has no place to go to")
        frontend.save(model, self.target, self._made)


def _data(path: Path) -> Path:
    """Where the frontend puts what does not fit into a model file."""
    return path.with_name(f"{path.name}.data")


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


def model_bytes(path: Path, model: Model) -> int:
    """Bytes of a model's files: its own, and what it takes from external ones."""
    parts = {
        (tensor.path, tensor.offset): tensor.length
        for graph in model.graphs()
        for value in graph.values
        if isinstance(tensor := value.tensor, FileTensor)
    }
    return path.stat().st_size + sum(parts.values())
