"""Names by which fields that the IR does not interpret refer to values: those must stay, used or not."""

from __future__ import annotations

from collections.abc import Iterator

from ..wire import BYTES, Buffer, fields, text


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
