"""`gopt reduce`: the smallest part of a model that a target refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .check import blocker_lines, summary
from .options import FORCE, json_flag, model_argument
from .progress import progress
from .targets import TARGET_OPTIONS, target_options
from .text import emit, emit_json, printable


@click.command("reduce", epilog="Example: gopt reduce --target tensorrt model.onnx")
@model_argument
@click.option("--target", "target_name", required=True, metavar="NAME", help="What the model is meant for.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the part goes; MODEL.reduced.onnx beside the model by default.",
)
@FORCE
@TARGET_OPTIONS
@json_flag
def command(model: Path, target_name: str, output: Path | None, force: bool, as_json: bool, **given: Any) -> None:
    """Write the smallest part of MODEL that the target refuses for the same reason.

    Ops are left out as long as the complaint stays the same: what they gave becomes an input. --target-timeout is the
    time for all of it.
    """
    from ..api.reducing import reduce

    file = model.with_name(f"{model.name.removesuffix('.onnx')}.reduced.onnx") if output is None else output
    if file.exists() and not force:
        raise UsageError(f"{file} exists; --force replaces it")
    options = target_options(given)
    timeout = options.pop("target_timeout")
    with progress(not as_json) as tell:
        found = reduce(model, target_name, output=file, timeout=timeout, progress=tell, **options)
    if as_json:
        emit_json(
            {
                "model": str(model),
                "output": str(found.output),
                "ops_before": found.ops_before,
                "ops_after": found.ops_after,
                "tests": found.tests,
                "complete": found.complete,
                **found.verdict.as_dict(),
            }
        )
        return
    emit(printable(f"{model} -> {found.output}: {found.ops_before} -> {found.ops_after} ops, {found.tests} tests"))
    if not found.complete:
        emit("  the time was up: a smaller part may do (--target-timeout)")
    emit(f"  {summary(target_name, found.verdict)}")
    for line in blocker_lines(found.verdict.blockers):
        emit(line)
