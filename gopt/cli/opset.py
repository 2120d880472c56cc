"""`gopt opset`: what it takes to bring a model to another opset, without doing it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ExitCode, UsageError
from .options import json_flag, model_argument
from .text import columns, emit, emit_json, printable

if TYPE_CHECKING:
    from ..passes.opset.plan import Plan


@click.command("opset", epilog="Example: gopt opset model.onnx --to 19")
@model_argument
@click.option("--to", type=click.IntRange(min=1), metavar="N", help="The opset wanted; without it, all are tried.")
@json_flag
def command(model: Path, to: int | None, as_json: bool) -> int:
    """Tell which nodes of MODEL another opset would change, and which stand in its way; nothing is written.

    The exit status is 5 if --to is out of reach. `gopt run --target-opset N` converts.
    """
    from ..api import load
    from ..frontends.onnx.standard import newest_opset
    from ..ops import NotAvailable
    from ..passes.opset.plan import survey

    loaded = load(model)
    try:
        plans = [survey(loaded, version) for version in ([to] if to else range(newest_opset(), 0, -1))]
    except NotAvailable as error:
        raise UsageError(str(error)) from None
    if to is None:
        data: dict[str, Any] = {"model": str(model), "opset": plans[0].before, "opsets": [row(p) for p in plans]}
        emit_json(data) if as_json else emit("\n".join(overview(plans)))
        return int(ExitCode.OK)
    emit_json({"model": str(model), **as_data(plans[0])}) if as_json else emit("\n".join(in_full(plans[0])))
    return int(ExitCode.ILLEGAL_FOR_TARGET if plans[0].blockers else ExitCode.OK)


def overview(plans: list[Plan]) -> Iterator[str]:
    """A line per opset."""
    yield f"opset {plans[0].before}"
    rows = [["to", "nodes that change", "in the way", ""]]
    for found in plans:
        kinds = dict.fromkeys(b.op.op_type for b in found.blockers)
        rows.append([str(found.to), f"{len(found.steps):,}", f"{len(found.blockers):,}", ", ".join(kinds)])
    yield from columns(rows, right=[0, 1, 2])


def in_full(found: Plan) -> Iterator[str]:
    """Every node that changes, and every one in the way."""
    yield f"opset {found.before} -> {found.to}, IR version {found.ir_version}"
    if found.steps:
        yield f"{_nodes(len(found.steps))} to change"
        rows = [[s.op.label, "->", ", ".join(o.op_type for o in s.made.staged), _promise(s)] for s in found.steps]
        yield from columns(rows)
    if found.blockers:
        yield f"{_nodes(len(found.blockers))} in the way"
        for blocker in found.blockers:
            yield f"  {printable(str(blocker))}"
    else:
        yield "it can be reached"


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count:,} nodes"


def _promise(step: Any) -> str:
    return str(step.made.numerics.name.lower())


def row(found: Plan) -> dict[str, Any]:
    """One opset in plain types."""
    return {"to": found.to, "changes": len(found.steps), "blocking": [str(b) for b in found.blockers]}


def as_data(found: Plan) -> dict[str, Any]:
    """A plan in plain types."""
    return {
        "opset": found.before,
        "to": found.to,
        "ir_version": found.ir_version,
        "reachable": not found.blockers,
        "changes": [
            {
                "node": s.op.label,
                "op_type": s.op.op_type,
                "into": [o.op_type for o in s.made.staged],
                "numerics": _promise(s),
            }
            for s in found.steps
        ],
        "blocking": [
            {"node": b.op.label, "op_type": b.op.op_type, "function": b.where, "reason": b.reason}
            for b in found.blockers
        ],
    }
