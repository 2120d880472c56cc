"""`gopt check`: what of a model a target does not take, and how far its own tools take the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ExitCode
from .options import json_flag, model_argument
from .targets import TARGET_OPTIONS, target_options
from .text import columns, emit, emit_json, printable, seconds, size

if TYPE_CHECKING:
    from ..backends import Blocker, Verdict

SHOWN = 40
"""Rows that the table has at most without --all."""
WIDTH = 160
"""Letters of a reason without --all."""


@click.command("check", epilog="Example: gopt check --target tensorrt model.onnx")
@model_argument
@click.option("--target", "target_name", required=True, metavar="NAME", help="What the model is meant for.")
@TARGET_OPTIONS
@click.option("--all", "in_full", is_flag=True, help="Print every row of a long table.")
@json_flag
def command(model: Path, target_name: str, in_full: bool, as_json: bool, **given: Any) -> int:
    """List what of MODEL a target does not take, and the pass that would cure it; nothing is written.

    The exit status is 5 if there is anything. Without --level, the target's own tools are asked as far as they are
    installed; a level that is asked for and cannot be tried is an error (exit status 7).
    """
    from ..api.targets import check

    found = check(model, target_name, **target_options(given))
    if as_json:
        emit_json({"model": str(model), "target": target_name, **found.as_dict()})
    else:
        emit("\n".join(lines(model, target_name, found, in_full)))
    return int(ExitCode.OK if found.ok else ExitCode.ILLEGAL_FOR_TARGET)


def lines(model: Path, target: str, found: Verdict, in_full: bool = False) -> Iterator[str]:
    """A verdict as text."""
    yield printable(f"{model}: {summary(target, found)}")
    yield from more_lines(found)
    yield from blocker_lines(found.blockers, in_full)
    if found.missing:
        yield f"  {found.missing}"


def summary(target: str, found: Verdict) -> str:
    """One line: how far it came."""
    facts = [_fact(name, value) for name, value in found.facts.items() if not isinstance(value, dict)]
    more = f" ({', '.join(facts)})" if facts else ""
    if found.ok:
        return f"{found.level} for {target}{more}"
    count = len(found.blockers)
    in_the_way = "1 node is" if count == 1 else f"{count:,} nodes are"
    reached = f"; level {found.level} is reached" if found.level else ""
    return f"not {found.tried} for {target}: {in_the_way} in the way{reached}{more}"


def _fact(name: str, value: Any) -> str:
    if name == "bytes":
        return size(value)
    if isinstance(value, float):
        return f"{name.removeprefix('seconds ')} in {seconds(value)}"
    return f"{value:,} {name}" if isinstance(value, int) else str(value)


def more_lines(found: Verdict) -> Iterator[str]:
    """Facts that need lines of their own: the sizes that an engine was built for."""
    for name, value in found.facts.items():
        if isinstance(value, dict):
            spans = [
                f"{k} {':'.join(map(str, v.values()))}" if isinstance(v, dict) else f"{k} {v}" for k, v in value.items()
            ]
            yield printable(f"  {name}: {', '.join(spans)}")


def blocker_lines(blockers: list[Blocker], in_full: bool = False) -> Iterator[str]:
    """A row for each blocker, and the passes that would cure some."""
    if not blockers:
        return
    shown = blockers if in_full else blockers[:SHOWN]
    wide = None if in_full else WIDTH
    yield from columns([[b.node or "the model", b.reason[:wide], cure(b)] for b in shown])
    if len(shown) < len(blockers):
        yield f"  ... and {len(blockers) - len(shown):,} more (--all shows them)"
    remedies = Counter(b.remedy for b in blockers if b.remedy)
    if remedies:
        yield "  cured by " + ", ".join(f"{name} ({count})" for name, count in remedies.items())


def cure(blocker: Blocker) -> str:
    """The last column of a row."""
    words = [blocker.remedy, blocker.hint]
    if blocker.origin and blocker.origin != (blocker.node,):
        words.append(f"from {', '.join(blocker.origin[:3])}")
    return "; ".join(w for w in words if w) or "nothing known"
