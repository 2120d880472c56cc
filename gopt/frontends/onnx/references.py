"""Names by which fields that the IR does not interpret refer to values: those must stay, used or not."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from copy import copy

from ...ir import Model
from ..wire import BYTES, Buffer, fields, text
from .notes import GraphNote, ModelNote

ANNOTATION = 14
"""Field of a graph."""
TRAINING_INFO = 20
"""Field of a model."""


def annotated(buf: Buffer, start: int, end: int) -> Iterator[str]:
    """The names of the quantization parameters in a TensorAnnotation.

    The annotated tensor itself is not among them: it may go, and the annotation then says nothing.
    """
    for number, kind, _, at, stop in fields(buf, start, end):
        if number == 2 and kind == BYTES:
            yield from _strings(buf, at, stop, 2)


def trained(buf: Buffer, start: int, end: int) -> Iterator[str]:
    """All names that a TrainingInfoProto may take from the main graph: in its bindings, and of its nodes' operands."""
    for number, kind, _, at, stop in fields(buf, start, end):
        if kind == BYTES and number in (1, 2):
            yield from _operands(buf, at, stop)
        elif kind == BYTES and number in (3, 4):
            yield from _strings(buf, at, stop, 1)
            yield from _strings(buf, at, stop, 2)


def _operands(buf: Buffer, start: int, end: int) -> Iterator[str]:
    """The names of the operands of all nodes in a GraphProto, and of its outputs."""
    for number, kind, _, at, stop in fields(buf, start, end):
        if kind == BYTES and number == 12:
            yield from _strings(buf, at, stop, 1)
        elif kind == BYTES and number == 1:
            yield from _strings(buf, at, stop, 1)
            for inner, wire, _, first, last in fields(buf, at, stop):
                if inner == 5 and wire == BYTES:
                    yield from _bodies(buf, first, last)


def _bodies(buf: Buffer, start: int, end: int) -> Iterator[str]:
    for number, kind, _, at, stop in fields(buf, start, end):
        if kind == BYTES and number in (6, 11):
            yield from _operands(buf, at, stop)


def _strings(buf: Buffer, start: int, end: int, wanted: int) -> Iterator[str]:
    for number, kind, _, at, stop in fields(buf, start, end):
        if number == wanted and kind == BYTES:
            yield text(buf[at:stop])


def forget_references(model: Model, stays: Collection[str]) -> None:
    """Drop what refers to values of the main graph that are about to go, so that `Graph.kept` keeps none of them.

    Annotations of other tensors than those in `stays` go, and the training information unless all that it takes stays.
    """
    graph, note = model.graph, model.extras
    if isinstance(note, ModelNote):
        buf = note.source.buf
        spans = [(n, b, e, *_content(buf, b, e)) for n, b, e in note.rest if n == TRAINING_INFO]
        if any(name not in stays for *_, at, stop in spans for name in trained(buf, at, stop)):
            note = model.extras = copy(note)
            note.rest = [field for field in note.rest if field[0] != TRAINING_INFO]
            spans = []
        needed = {name for *_, at, stop in spans for name in trained(buf, at, stop)}
    else:
        needed = set()
    if isinstance(graph.extras, GraphNote):
        note_of_graph = graph.extras = copy(graph.extras)
        buf = note_of_graph.source.buf
        rest = []
        for number, begin, end in note_of_graph.rest:
            if number == ANNOTATION:
                at, stop = _content(buf, begin, end)
                if not any(name in stays for name in _strings(buf, at, stop, 1)):
                    continue
                needed.update(annotated(buf, at, stop))
            rest.append((number, begin, end))
        note_of_graph.rest = rest
    for value in [v for v in graph.kept if v.name not in needed]:
        del graph.kept[value]


def _content(buf: Buffer, begin: int, end: int) -> tuple[int, int]:
    """Where the value of a field begins and ends."""
    ((_, _, _, at, stop),) = fields(buf, begin, end)
    return at, stop
