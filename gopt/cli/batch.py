"""`gopt batch`: many models, each in a process of its own."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import ExitCode
from .options import json_flag
from .progress import progress
from .text import columns, emit, emit_json, note, printable, seconds


@click.command(
    "batch",
    context_settings={"ignore_unknown_options": True},
    epilog="Example: gopt batch --models models.txt -o results --target rknn --platform rk3588",
)
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="A list: a model a line, with options of its own behind it; # begins a remark.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where all goes.")
@click.option("--timeout", type=click.FloatRange(min=1), default=1800.0, show_default=True, help="Seconds per model.")
@click.option("--again", is_flag=True, help="Do what is done again; else only what is new or failed.")
@json_flag
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF gopt run]...")
def command(models: Path, output: Path, timeout: float, again: bool, as_json: bool, options: tuple[str, ...]) -> int:
    """Run `gopt run` on each model of a list; one failure never stops the rest.

    Everything that `gopt run` takes can be given here for all models, and in the list for one. DIR gets a folder for
    each model with its results, a log and result.json, and summary.json. A second call goes on where the first ended.
    The exit status is 1 if a model failed.
    """
    from ..api.batch import run

    with progress() as tell:

        def report(what: str) -> None:
            if tell is not None:
                tell(what)
            else:
                note(what)

        results = run(models, output, options, timeout=timeout, again=again, tell=report)
    if as_json:
        emit_json({"results": [r.as_dict() for r in results]})
    else:
        rows = [[r.state, r.name, seconds(r.seconds), r.summary] for r in results]
        failed = sum(r.status != 0 for r in results)
        emit(
            "\n".join(
                [*columns(rows), "", f"{len(results) - failed} of {len(results)} went well; {printable(str(output))}"]
            )
        )
    return int(ExitCode.OK) if all(r.status == 0 for r in results) else 1
