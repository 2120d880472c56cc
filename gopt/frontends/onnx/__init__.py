"""The ONNX frontend: files to models and back, losslessly.

What the IR does not interpret is kept as the bytes of the file and written again; what no rewrite touched is written as
the bytes it was read from. Neither reading nor writing needs the onnx package or protobuf.
"""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import GraphError, ModelError
from ...ir import Model
from ..limits import limits
from ..wire import Damaged, Odd, Source
from .external import Folder
from .models import read_model
from .tensors import ExternalTensor
from .writer import save, to_bytes

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["has_foreign_data", "load", "save", "to_bytes", "to_proto"]


def load(source: str | os.PathLike[str] | bytes | ModelProto, folder: str | os.PathLike[str] | None = None) -> Model:
    """Load a model.

    Args:
        source: a path; the bytes of a file; or an `onnx.ModelProto`.
        folder: where external data are looked for; by default in the folder of the file, and nowhere for bytes.

    Raises:
        ModelError: there is no such file, or it is no valid model.
    """
    path = Path(source) if isinstance(source, (str, os.PathLike)) else None
    home = Path(folder) if folder is not None else path.parent if path is not None else None
    name = "model" if path is None else str(path)
    try:
        with _no_gc():
            model = _read(_open(path) if path is not None else Source(_bytes(source)), Folder(home, path))
    except OSError as error:
        raise ModelError(_line(f"{name}: {error.strerror or error}")) from None
    except (ModelError, GraphError) as error:
        raise ModelError(_line(f"{name}: {error}")) from None
    model.path = path
    return model


def has_foreign_data(model: Model) -> bool:
    """True if external data lie where only we were permitted to look; runtimes do not read them there."""
    tensors = (value.tensor for graph in model.graphs() for value in graph.values)
    return any(isinstance(t, ExternalTensor) and t.location.home is None and not t.location.blob for t in tensors)


def to_proto(model: Model) -> ModelProto:
    """The model as an `onnx.ModelProto`; external data stay where they are.

    Raises:
        ModelError: it is too large for one message (2 GB).
    """
    import onnx

    proto = onnx.ModelProto()
    proto.ParseFromString(to_bytes(model))
    return proto


_LONGEST_LINE = 1000


def _line(message: str) -> str:
    """A message that may hold names of a file, fit for a terminal."""
    if len(message) > _LONGEST_LINE:
        message = f"{message[: _LONGEST_LINE // 2]} ... {message[-_LONGEST_LINE // 2 :]}"
    return "".join(c if c.isprintable() else " " for c in message)


def _open(path: Path) -> Source:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise ModelError("it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise ModelError("it is no regular file")
    if not status.st_size:
        raise ModelError("the file is empty")
    if status.st_size > limits().file:
        raise ModelError(f"the file has {status.st_size} bytes, more than {limits().file} (--input-limit file=BYTES)")
    return Source.open(path)


def _read(source: Source, folder: Folder) -> Model:
    try:
        return _decode(source, folder)
    except Odd:
        pass
    try:
        return _decode(Source(_usual_form(source)), folder.anew())
    except Odd as odd:
        raise Damaged(f"it is written in a way that can't be read: {odd}") from None


def _decode(source: Source, folder: Folder) -> Model:
    try:
        return read_model(source, folder)
    except IndexError:
        raise Damaged("it ends in the middle of a field") from None
    except UnicodeDecodeError:
        raise Damaged("a name in it is not UTF-8") from None


def _usual_form(source: Source) -> bytes:
    """The same message as protobuf writes it: singular messages in one piece, numbers packed as declared."""
    import onnx
    from google.protobuf.message import DecodeError, EncodeError  # type: ignore[import-untyped]

    try:
        data: bytes = onnx.ModelProto.FromString(source.view).SerializeToString()
    except (DecodeError, EncodeError, ValueError) as error:
        raise Damaged(f"protobuf can't read it: {error}") from None
    return data


def _bytes(source: Any) -> bytes:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if not hasattr(source, "SerializeToString"):
        raise TypeError(f"a model is loaded from a path, bytes or a ModelProto, not from {type(source).__name__}")
    from google.protobuf.message import EncodeError

    try:
        data: bytes = source.SerializeToString()
    except (EncodeError, ValueError) as error:
        raise ModelError(f"protobuf can't serialize it: {error}") from None
    return data


@contextmanager
def _no_gc() -> Iterator[None]:
    """No garbage is made while a graph is built, only objects that the collector would look through again and again."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
