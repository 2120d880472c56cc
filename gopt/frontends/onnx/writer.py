"""Models, written: as bytes, or to a file that appears only when it is complete."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import ModelError, UsageError
from ...ir import Function, Model
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
from .placing import Draft, place

MAX_MESSAGE = (1 << 31) - 1
"""Bytes that protobuf can read."""
_SPILL = 1024


def save(model: Model, path: str | os.PathLike[str], made: Path | None = None) -> None:
    """Write a model to a file; what was there before is replaced once the new file is complete.

    External data are gathered in one new file beside it that holds nothing else, `NAME.data`; so are the larger
    constants of a model that is too large for one message. Only a model that is saved over the file that it was loaded
    from keeps its files of data, if all that is in them is in use.

    Args:
        model: stays as it is.
        path: a file, there or not, in a folder that is there.
        made: another file of that folder, to which the very same model was saved; it is moved, with its data.

    Raises:
        UsageError: `path` is something else than a file, or the model has its data there, or its folder does not exist.
        ModelError: the model is too large even without its constants.
        OSError: it cannot be written, or external data cannot be read.
    """
    target = Path(path)
    folder = target.parent
    if not folder.is_dir():
        raise UsageError(f"{target}: there is no folder {folder}")
    if target.exists() and not target.is_file():
        raise UsageError(f"{target}: it exists and is no regular file")
    read = model.extras.files if isinstance(model.extras, ModelNote) else frozenset()
    if target.resolve() in read:
        raise UsageError(f"{target}: the model has its data in that file")
    ready = None if made is None else made.with_name(f"{made.name}.data")
    if made is not None and ready is not None and not ready.exists():
        with Draft(place(target, read)) as draft:
            draft.put(made)
        return
    chunks, data = _encode(model, f"{target.name}.data")
    if data.size and _stays(model, target, data):
        chunks, data = encode_model(model, Encoder(model.ir_version)), DataFile("")

    def message(name: str) -> Chunks:
        return chunks if name == data.name or not data.size else _encode(model, name)[0]

    with Draft(place(target, read | data.files), ready) as draft:
        if not data.size:
            draft.put(draft.write(message("").write))
        else:
            draft.put_both(message, data)


def _stays(model: Model, target: Path, data: DataFile) -> bool:
    """True if a model is saved over itself, and its data and nothing else are in files beside it."""
    over_itself = model.path is not None and target.exists() and model.path.exists() and target.samefile(model.path)
    return over_itself and data.lies_in(target.parent.resolve())


def to_bytes(model: Model) -> bytes:
    """The model as one message; external data stay where they are.

    Raises:
        ModelError: it is too large for one message (2 GB).
    """
    chunks = encode_model(model, Encoder(model.ir_version))
    if chunks.size > MAX_MESSAGE:
        raise ModelError(f"the model takes {chunks.size} bytes, and a message must not have more than {MAX_MESSAGE}")
    return chunks.join()


def _encode(model: Model, name: str) -> tuple[Chunks, DataFile]:
    for spill in (None, _SPILL):
        data = DataFile(name)
        chunks = encode_model(model, Encoder(model.ir_version, data, spill))
        if chunks.size <= MAX_MESSAGE:
            return chunks, data
    raise ModelError(f"the model takes {chunks.size} bytes even without its constants; {MAX_MESSAGE} are possible")


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
