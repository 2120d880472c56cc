"""`gopt split`: a model in stages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .options import FORCE, INPUTS, input_options, json_flag, model_argument
from .parts import NO_VERIFY, verified
from .progress import progress
from .text import columns, emit, emit_json, printable, size

if TYPE_CHECKING:
    from ..api.cutting import Split


@click.command("split", epilog="Example: gopt split model.onnx -o stages --at features")
@model_argument
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="Where the stages go."
)
@click.option("--at", multiple=True, metavar="NAME,NAME", help="A stage ends where these values are computed.")
@click.option("--stages", type=click.IntRange(min=2), metavar="N", help="Cut into N stages of about equal work.")
@FORCE
@NO_VERIFY
@INPUTS
@json_flag
def command(
    model: Path,
    output: Path,
    at: tuple[str, ...],
    stages: int | None,
    force: bool,
    no_verify: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Write MODEL as stages that compute, one after the other, what it computes; stages.json says what each takes.

    --at can be given several times, one for each cut in the order of the data. What else later stages need is handed
    on as well. --stages finds the cuts: about equal work, and few bytes to hand on.
    """
    from ..api.cutting import split

    if bool(at) == bool(stages):
        raise UsageError("where is the model to be split? Give --at, or --stages")
    with progress() as tell:
        result = split(
            model,
            output,
            at=[(names,) for names in at],
            stages=stages or 0,
            force=force,
            verify=not no_verify,
            progress=tell,
            **input_options(given),
        )
    emit_json(as_data(model, result)) if as_json else emit("\n".join(lines(model, result)))


def lines(model: Path, result: Split) -> Iterator[str]:
    """The stages as text."""
    yield printable(f"{model} -> {result.folder}")
    for stage in result.stages:
        yield printable(f"{stage.file}: {stage.ops:,} op{'s' if stage.ops != 1 else ''}, {size(stage.bytes)}")
        yield from columns([["takes", ", ".join(stage.inputs)], ["gives", ", ".join(stage.outputs)]])
        yield from verified(stage.verification)


def as_data(model: Path, result: Split) -> dict[str, Any]:
    """The same in plain types."""
    return {
        "model": str(model),
        "folder": str(result.folder),
        "inputs": list(result.inputs),
        "outputs": list(result.outputs),
        "stages": [
            stage.to_json()
            | {
                "bytes": stage.bytes,
                "verification": None if stage.verification is None else stage.verification.to_json(),
            }
            for stage in result.stages
        ],
    }
