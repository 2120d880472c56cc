"""`gopt explain`: the ledger of a run, whole or for one node."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .options import PIPELINE, json_flag, model_argument, pipeline_options
from .shapes import SHAPES, with_shapes
from .text import emit, emit_json, printable

if TYPE_CHECKING:
    from ..ir import Model, Op
    from ..rewrite import Entry, Ledger


@click.command("explain", epilog="Example: gopt explain model.onnx /layer1/conv1/Conv")
@model_argument
@click.argument("name", required=False, metavar="[NODE_OR_VALUE]")
@PIPELINE
@SHAPES
@json_flag
def command(model: Path, name: str | None, as_json: bool, **given: Any) -> None:
    """Tell which rewrites a run makes, in order; nothing is written.

    With the name of a node or value, of the model or of the result: what became of it and what it came from.
    """
    from ..api import apply, load

    given["passes"] = with_shapes(given["passes"], given)
    loaded = load(model)
    known = places(loaded)
    _, ledger = apply(loaded, **pipeline_options(given))
    if name is None:
        entries, story = list(ledger.entries), [f"{len(ledger.entries)} rewrites"]
        origins: list[str] = []
    else:
        entries, origins, story = history(name, known, loaded, ledger)
    if as_json:
        emit_json({"name": name, "story": story, "origins": origins, "entries": [entry_data(e) for e in entries]})
        return
    for entry in entries:
        emit(printable(str(entry)))
    for line in story:
        emit(printable(line))


def places(model: Model) -> dict[str, list[str]]:
    """Labels of the ops that a name stands for: a node's name, its label, or a value that it makes."""
    found: dict[str, list[str]] = {}
    for graph in model.graphs():
        for op in graph.ops:
            for name in dict.fromkeys(names_of(op)):
                found.setdefault(name, []).append(op.label)
        for value in (*graph.constants, *graph.inputs):
            found.setdefault(value.name, [])
    return found


def names_of(op: Op) -> Iterable[str]:
    """Names under which an op can be asked for."""
    yield op.label
    if op.name:
        yield op.name
    yield from (v.name for v in op.outputs if v is not None)


def history(
    name: str, known: dict[str, list[str]], after: Model, ledger: Ledger
) -> tuple[list[Entry], list[str], list[str]]:
    """Entries that lead to and from what is called `name`, labels of the input model that it came from, and a summary.

    Raises:
        UsageError: neither the model nor the result has such a name.
    """
    results = [op for graph in after.graphs() for op in graph.ops if name in names_of(op)]
    labels = known.get(name)
    if labels is None and not results:
        raise UsageError(f"neither the model nor the result has a node or value named {name!r}{_close(name, known)}")
    forward = descendants(labels or [], ledger)
    backward = ancestors([op.entry for op in results], ledger)
    numbers = sorted({*forward, *backward})
    entries = [ledger.entries[number - 1] for number in numbers]
    origins = list(dict.fromkeys(label for op in results for label in ledger.origins(op)))
    story = []
    alive = {op.label for graph in after.graphs() for op in graph.ops if not op.entry or op.entry in forward}
    for label in labels or []:
        became = [op for graph in after.graphs() for op in graph.ops if op.entry in forward]
        if not forward:
            story.append(f"{label} was not touched" if label in alive else f"{label} is gone")
        elif became:
            story.append(f"{label} became part of {', '.join(dict.fromkeys(op.label for op in became))}")
        else:
            story.append(f"{label} is gone: {_end(entries)}")
    made = [(op.label, ", ".join(ledger.origins(op))) for op in results if op.entry]
    story += [f"{label} of the result came from {origin or 'constants alone'}" for label, origin in made]
    if not story:
        story.append(f"{name} is a constant or an input; no op makes it")
    return entries, origins, story


def descendants(labels: list[str], ledger: Ledger) -> dict[int, None]:
    """Numbers of the entries that took the ops of the input model with these labels, or what came of them."""
    found: dict[int, None] = {}
    wanted = set(labels)
    for entry in ledger.entries:  # in order: an entry takes only what earlier ones made
        if any((o.label in wanted if not o.entry else o.entry in found) for o in entry.before):
            found[entry.number] = None
    return found


def ancestors(numbers: list[int], ledger: Ledger) -> dict[int, None]:
    """Numbers of the entries that these ones rest on, themselves included; 0 is the input model."""
    found: dict[int, None] = {}
    todo = [n for n in numbers if n]
    while todo:
        number = todo.pop()
        if number not in found:
            found[number] = None
            todo += [o.entry for o in ledger.entries[number - 1].before if o.entry]
    return found


def entry_data(entry: Entry) -> dict[str, Any]:
    """An entry of the ledger in plain types."""
    return {
        "number": entry.number,
        "rule": entry.rule,
        "key": entry.key,
        "before": [{"label": o.label, "entry": o.entry} for o in entry.before],
        "after": list(entry.after),
        "constants": entry.constants,
        "numerics": entry.numerics.name.lower(),
    }


def _end(entries: list[Entry]) -> str:
    last = entries[-1] if entries else None
    if last is None:
        return "it was not needed"
    return f"its result became a constant (#{last.number})" if last.constants else f"#{last.number} left it out"


def _close(name: str, known: dict[str, list[str]]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, list(known)[:20000], n=3)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
