"""What the commands that cut models share: their options, and how they show a new interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .inspect import type_text
from .options import together
from .progress import progress
from .text import columns, emit, emit_json, printable, size

if TYPE_CHECKING:
    from ..api import Result
    from ..ir import Value
    from ..passes.cut.expose import Expose

SELECTION = together(
    click.option("--value", multiple=True, metavar="NAME", help="A value by its name."),
    click.option("--node", multiple=True, metavar="NAME", help="All results of the nodes of that name."),
    click.option(
        "--op-type", multiple=True, metavar="TYPE", help="All results of ops of a type, as Conv or acme::Odd."
    ),
    click.option("--regex", multiple=True, metavar="TEXT", help="Results whose name holds a match."),
    click.option("--all", "all_", is_flag=True, help="All results."),
)
NO_VERIFY = click.option("--no-verify", is_flag=True, help="Do not run the models to compare their outputs.")
OUTPUT = click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Where the result goes."
)


def selection(given: dict[str, Any]) -> Expose | None:
    """Take the options of SELECTION out of `given`; None if none was used."""
    from ..passes.cut.expose import Expose

    lists = {name: tuple(given.pop(name)) for name in ("value", "node", "op_type", "regex")}
    all_ = bool(given.pop("all_"))
    return Expose(**lists, all=all_) if all_ or any(lists.values()) else None


def with_exposed(passes: Any, names: tuple[str, ...]) -> Any:
    """The pipeline, with values exposed before anything else is done."""
    if not names:
        return passes
    from ..passes.cut.expose import Expose

    return [Expose(names), passes]


def free(target: Path, source: Path, force: bool) -> Path:
    """The file to write; the input is never replaced.

    Raises:
        UsageError: it exists and may not be replaced, or is the input.
    """
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"{target} is the input")
    if target.exists() and not force:
        raise UsageError(f"{target} exists; --force replaces it")
    return target


def rewrite(model: Path, output: Path, cut: Any, no_verify: bool, as_json: bool, options: dict[str, Any]) -> None:
    """Run the pass `cut` alone, and print what came of it."""
    from .. import api

    with progress() as tell:
        result = api.run(
            model, [cut], output=output, verify=not no_verify, on_mismatch="abort", progress=tell, **options
        )
    if as_json:
        emit_json(as_data(model, result))
    else:
        emit("\n".join(lines(model, result)))


def lines(model: Path, result: Result) -> Iterator[str]:
    """The new model as text."""
    yield printable(f"{model} -> {result.output}")
    graph = result.model.graph
    rows = [["inputs" if not k else "", *port] for k, port in enumerate(map(_port, graph.inputs))]
    rows += [["outputs" if not k else "", *port] for k, port in enumerate(map(_port, graph.outputs))]
    yield from columns(rows)
    before, after = sum(result.ops_before.values()), sum(result.ops_after.values())
    yield from columns(
        [["ops", f"{before:,} -> {after:,}"], ["bytes", f"{size(result.bytes_before)} -> {size(result.bytes_after)}"]]
    )
    yield from verified(result.verification)


def verified(found: Any) -> Iterator[str]:
    """What is known of the numbers."""
    if found is None:
        yield "  not verified: --no-verify"
        return
    yield f"  {printable(found.summary())}"
    yield from (f"    {printable(remark)}" for remark in found.notes)


def as_data(model: Path, result: Result) -> dict[str, Any]:
    """The same in plain types."""
    graph = result.model.graph
    return {
        "model": str(model),
        "output": str(result.output),
        "inputs": [dict(zip(("name", "type"), _port(v))) for v in graph.inputs],
        "outputs": [dict(zip(("name", "type"), _port(v))) for v in graph.outputs],
        "ops_before": result.ops_before,
        "ops_after": result.ops_after,
        "bytes_before": result.bytes_before,
        "bytes_after": result.bytes_after,
        "seconds": result.seconds,
        "verification": None if result.verification is None else result.verification.to_json(),
    }


def _port(value: Value) -> list[str]:
    return [value.name, type_text(value.declared.type if value.declared is not None else value.type)]
