"""`gopt bisect`: find the rewrite that breaks a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import ExitCode
from .options import INPUTS, PIPELINE, input_options, json_flag, model_argument, pipeline_options
from .progress import progress
from .shapes import SHAPES, with_shapes
from .text import emit, emit_json, printable


@click.command("bisect", epilog="Example: gopt bisect model.onnx --passes fold,fuse")
@model_argument
@PIPELINE
@SHAPES
@INPUTS
@json_flag
def command(model: Path, as_json: bool, **given: Any) -> int:
    """Find the first rewrite after which MODEL computes something else, by running ever smaller parts of the ledger.

    Nothing is written. Exit status 4 if there is such a rewrite, or if nothing could be verified.
    """
    from .. import api

    given["passes"] = with_shapes(given["passes"], given)
    with progress() as tell:
        found = api.bisect(model, progress=tell, **pipeline_options(given), **input_options(given))
    if as_json:
        emit_json(found.to_json())
    else:
        emit(f"{found.entries} rewrites, {found.checks} models verified")
        if found.guilty is None:
            emit(printable(f"no rewrite is guilty: {found.reason}"))
        else:
            emit(printable(f"guilty: {found.guilty.summary()}"))
            emit(printable(f"leave it out with: --skip '{found.guilty.key or found.guilty.rule}'"))
    return int(ExitCode.OK if found.whole.ok else ExitCode.VERIFICATION)
