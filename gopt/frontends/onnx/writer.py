"""Models, written: as bytes, or to a file that appears only when it is complete."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path

from ...errors import ModelError, UsageError
from ...ir import FileTensor, Function, Model, Tensor
from ..wire import Chunks, bytes_field, int_field, string_field
from .attributes import encode_attribute
from .external import DataFile
from .graphwriter import Encoder, Fields, infos
from .models import (
    F_ATTRIBUTE,
    F_DEFAULT,
    F_DOMAIN,
    F_INFO,
    F_INPUT,
    F_NAME,
    F_NODE,
    F_OPSET,
    F_OUTPUT,
    F_OVERLOAD,
    FUNCTION,
    GRAPH,
    IR_VERSION,
    OPSET,
)
from .nodes import STANDARD_DOMAINS
from .notes import ModelNote

MAX_MESSAGE = (1 << 31) - 1
"""Bytes that protobuf can read."""
_SPILL = 1024


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model to a file; what was there before is replaced once the new file is complete.

    External data that lie in the folder of `path` or below stay there; others are gathered in `NAME.data` beside it. So
    are the larger constants of a model that is too large for one message.

    Raises:
        UsageError: `path` is something else than a file, or its folder does not exist.
        ModelError: the model is too large even without its constants.
        OSError: it cannot be written, or external data cannot be read.
    """
    target = Path(path)
    folder = target.parent
    if not folder.is_dir():
        raise UsageError(f"{target}: there is no folder {folder}")
    if target.exists() and not target.is_file():
        raise UsageError(f"{target}: it exists and is no regular file")
    home = folder.resolve()
    name = _data_name(model, home, target.name)
    chunks, data = _encode(model, home, name)
    temporary = folder / f".{target.name}.{secrets.token_hex(4)}"
    beside = temporary.with_name(temporary.name + ".data")
    try:
        if data.size:
            with FileIO(beside, "x") as file:
                data.write(file)
                os.fsync(file.fileno())
        with FileIO(temporary, "x") as file:
            chunks.write(file)
            os.fsync(file.fileno())  # a rename must not reach the disk before what it names
        if data.size:
            beside.replace(folder / name)
        temporary.replace(target)
    except BaseException:
        for left in (temporary, beside):
            with suppress(OSError):
                left.unlink()
        raise


def to_bytes(model: Model) -> bytes:
    """The model as one message; external data stay where they are.

    Raises:
        ModelError: it is too large for one message (2 GB).
    """
    chunks = encode_model(model, Encoder(model.ir_version))
    if chunks.size > MAX_MESSAGE:
        raise ModelError(f"the model takes {chunks.size} bytes, and a message must not have more than {MAX_MESSAGE}")
    return chunks.join()


def _encode(model: Model, home: Path, name: str) -> tuple[Chunks, DataFile]:
    for spill in (None, _SPILL):
        data = DataFile(name)
        chunks = encode_model(model, Encoder(model.ir_version, home, data, spill))
        if chunks.size <= MAX_MESSAGE:
            return chunks, data
    raise ModelError(f"the model takes {chunks.size} bytes even without its constants; {MAX_MESSAGE} are possible")


def _data_name(model: Model, home: Path, name: str) -> str:
    """A name for the external data beside the model that no file has which the model reads."""
    tensors: Iterator[Tensor | None] = (value.tensor for graph in model.graphs() for value in graph.values)
    taken = {tensor.path for tensor in tensors if isinstance(tensor, FileTensor)}
    candidate, number = f"{name}.data", 0
    while home / candidate in taken:
        number += 1
        candidate = f"{name}.{number}.data"
    return candidate


def encode_model(model: Model, encoder: Encoder) -> Chunks:
    """A ModelProto."""
    note = model.extras if isinstance(model.extras, ModelNote) else None
    message = Fields(note)
    message.at(IR_VERSION).data(int_field(IR_VERSION, model.ir_version))
    message.at(GRAPH).message(GRAPH, encoder.graph(model.graph))
    _opsets(message.at(OPSET), OPSET, model.opsets, note)
    for function in model.functions.values():
        message.at(FUNCTION).message(FUNCTION, _function(function, encoder, model.opsets))
    return message.whole()


def _function(function: Function, encoder: Encoder, opsets: dict[str, int]) -> Chunks:
    note = function.extras if isinstance(function.extras, ModelNote) else None
    graph = function.graph
    constants = graph.constants
    imports = dict(graph.opsets)
    if any(value.spelling is None for value in constants):
        imports.setdefault("", opsets.get("", 1))  # for the Constant nodes that they become
    known = {} if note is None else note.known
    message = Fields(note)
    _string(message.at(F_NAME), F_NAME, function.name, known)
    message.at(F_INPUT).data(b"".join([string_field(F_INPUT, v.name) for v in graph.inputs]))
    message.at(F_OUTPUT).data(b"".join([string_field(F_OUTPUT, v.name) for v in graph.outputs]))
    message.at(F_ATTRIBUTE).data(b"".join([string_field(F_ATTRIBUTE, name) for name in function.attributes]))
    encoder.nodes(message.at(F_NODE), graph, constants, F_NODE)
    _opsets(message.at(F_OPSET), F_OPSET, imports, note)
    _string(message.at(F_DOMAIN), F_DOMAIN, function.domain, known)
    for name, attr in function.defaults.items():
        default = encode_attribute(name, attr, encoder.tensor, encoder.graph)
        message.at(F_DEFAULT).message(F_DEFAULT, default)
    message.at(F_INFO).data(b"".join([bytes_field(F_INFO, raw) for raw in infos(graph)]))
    _string(message.at(F_OVERLOAD), F_OVERLOAD, function.overload, known)
    return message.whole()


def _string(chunks: Chunks, number: int, now: str, known: dict[int, str]) -> None:
    """Append a name or domain in the spelling of the file, unless it is another one now."""
    before = known.get(number)
    if before is not None and (before == now or (number == F_DOMAIN and not now and before in STANDARD_DOMAINS)):
        chunks.text(number, before)
    elif now:
        chunks.text(number, now)


def _opsets(chunks: Chunks, number: int, opsets: dict[str, int], note: ModelNote | None) -> None:
    """Append the imports; those of the file as they were as long as their version is the same."""
    same = note is not None and note.opsets == opsets
    written: set[str] = set()
    for domain, start, end in note.imports if note is not None else ():
        if note is not None and (same or opsets.get(domain) == note.opsets[domain]):
            chunks.extent(note.source, start, end)
            written.add(domain)
    for domain, version in opsets.items():
        if not same and domain not in written:
            chunks.data(bytes_field(number, string_field(1, domain) + int_field(2, version)))
