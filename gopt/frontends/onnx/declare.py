"""New declarations for values of a model that was read from a file; what else the file says of them stays."""

from __future__ import annotations

from copy import copy

from ...ir import Declared, Graph, Type, Value
from ..wire import bytes_field, fields, string_field
from .notes import GraphNote
from .types import encode_type


def declare(value: Value, type_: Type | None) -> None:
    """Let a value be declared with a type; documentation and metadata of the old declaration are kept."""
    raw = None if value.declared is None else value.declared.raw
    if raw is None:
        value.declared = Declared(type_)
        return
    kept = b"".join(raw[at:stop] for number, _, at, _, stop in fields(raw, 0, len(raw)) if number > 2)
    said = b"" if type_ is None else bytes_field(2, encode_type(type_))
    # Another class than what a file declared: the writer takes it in place of the file's own message.
    value.declared = Declared(type_, string_field(1, value.name) + said + kept) if kept else Declared(type_)


def drop_repeats(graph: Graph) -> None:
    """Forget what value_info says a second time of values (outputs, mostly)."""
    note = graph.extras
    if isinstance(note, GraphNote) and note.repeats:
        graph.extras = changed = copy(note)
        changed.repeats = [entry for entry in note.repeats if entry[1] is None]
