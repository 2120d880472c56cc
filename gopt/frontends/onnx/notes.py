"""What the reader notes on ops, values and graphs, for the writer: where in the file they lie, and what they said."""

from __future__ import annotations

from copy import copy
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

from ...ir import Attr, Tensor, Value
from ..wire import Source, fields, string_field
from .tensors import Wire

Rest = list[tuple[int, int, int]]
"""Fields that the IR does not interpret: number, start and end, by number."""


class NodeNote:
    """A node as read, and afterwards (as `Op.source`) how it was written.

    Attributes:
        source: where it lies.
        start, body, end: where its field begins, its message begins, and both end.
        op_type, domain, overload, name: as in the file, but the standard domain is "".
        inputs, outputs: names of operands and results; "" is omitted.
        attrs: attributes; once the op is made, those of the op.
        bodies: there are graphs among the attributes.
        external: a tensor among the attributes has external data.
    """

    __slots__ = (
        "attrs",
        "bodies",
        "body",
        "domain",
        "end",
        "external",
        "inputs",
        "name",
        "op_type",
        "outputs",
        "overload",
        "source",
        "start",
    )

    source: Source
    start: int
    body: int
    end: int
    op_type: str
    domain: str
    overload: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attrs: dict[str, Attr]
    bodies: bool
    external: bool


class ConstantNote:
    """How a constant was written that is a Constant node (`Value.spelling`).

    Attributes:
        node: the node.
        tensor: its tensor.
        order: its place among the nodes.
    """

    __slots__ = ("node", "order", "tensor")

    def __init__(self, node: NodeNote, tensor: Tensor, order: float) -> None:
        self.node = node
        self.tensor = tensor
        self.order = order


class InitializerNote:
    """How a constant (or the default of an input) was written that is an initializer (`Value.spelling`).

    Attributes:
        wire: its message.
        start: where its field begins.
        order: its place among the initializers of its kind.
        sparse: it is a sparse initializer.
    """

    __slots__ = ("order", "sparse", "start", "wire")

    def __init__(self, wire: Wire, start: int, order: int, sparse: bool = False) -> None:
        self.wire = wire
        self.start = start
        self.order = order
        self.sparse = sparse


class GraphNote:
    """What a graph says besides its nodes and values (`Graph.extras`).

    Attributes:
        source: where it lies.
        name: its name, None if it gives none.
        rest: fields that the IR does not interpret.
        listed: all inputs, with the constants that are listed among them (IR versions before 4).
        outputs: declarations of the outputs: name and message.
        repeats: further declarations in value_info: place, value (None if there is no such value) and message.
    """

    __slots__ = ("listed", "name", "outputs", "repeats", "rest", "source")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.name: str | None = None
        self.rest: Rest = []
        self.listed: list[Value] = []
        self.outputs: list[tuple[str, bytes]] = []
        self.repeats: list[tuple[int, Value | None, bytes]] = []


class ModelNote:
    """What a model or function says besides its graph (`Model.extras`, `Function.extras`).

    Attributes:
        source: where it lies.
        rest: fields that the IR does not interpret.
        opsets: the imports that were read.
        imports: each import: domain, start and end of its field.
        files: those that external data lie in.
        known: names and domain of a function as they were spelled, by field number.
    """

    __slots__ = ("files", "imports", "known", "opsets", "rest", "source")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.rest: Rest = []
        self.opsets: dict[str, int] = {}
        self.imports: list[tuple[str, int, int]] = []
        self.files: frozenset[Path] = frozenset()
        self.known: dict[int, str] = {}


N = TypeVar("N", GraphNote, ModelNote)


def text_field(note: GraphNote | ModelNote | None, number: int) -> str:
    """The text of a string field among those that are not interpreted; "" if there is none."""
    found = ""
    if note is not None:
        for field, start, end in note.rest:
            if field == number:
                ((_, _, _, at, stop),) = fields(note.source.buf, start, end)
                found = note.source.buf[at:stop].decode("utf-8", "surrogateescape")
    return found


def with_text(note: N, texts: dict[int, str]) -> N:
    """A copy of a note that says other things in some of its string fields; "" removes one."""
    changed = copy(note)
    pieces = [(n, note.source.buf[start:end]) for n, start, end in note.rest if n not in texts]
    pieces += [(n, string_field(n, text)) for n, text in texts.items() if text]
    pieces.sort(key=lambda piece: piece[0])
    imports: list[tuple[str, int, int]] = note.imports if isinstance(note, ModelNote) else []
    parts = [data for _, data in pieces] + [note.source.buf[start:end] for _, start, end in imports]
    ends: list[int] = list(accumulate(len(part) for part in parts))
    spans: list[tuple[int, int]] = list(zip([0, *ends], ends))
    changed.source = Source(b"".join(parts))
    changed.rest = [(number, start, end) for (number, _), (start, end) in zip(pieces, spans)]
    if isinstance(changed, ModelNote):
        places = spans[len(pieces) :]
        changed.imports = [(domain, start, end) for (domain, _, _), (start, end) in zip(imports, places)]
    return changed
