"""`gopt extract`: a part of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .options import FORCE, VERIFY, input_options, json_flag, model_argument
from .parts import NO_VERIFY, OUTPUT, free, rewrite


@click.command("extract", epilog="Example: gopt extract model.onnx -o head.onnx --inputs features --outputs y")
@model_argument
@OUTPUT
@click.option("--inputs", "taken", multiple=True, metavar="NAME,NAME", help="What the part takes.")
@click.option("--outputs", "given_out", multiple=True, metavar="NAME,NAME", help="What the part gives.")
@FORCE
@NO_VERIFY
@VERIFY
@json_flag
def command(
    model: Path,
    output: Path,
    taken: tuple[str, ...],
    given_out: tuple[str, ...],
    force: bool,
    no_verify: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Write the part of MODEL that computes the values --outputs from the values --inputs.

    Without --outputs it gives what MODEL gives, without --inputs it takes those inputs of MODEL that it needs. Inputs
    with a default come along. The part is run on what MODEL computes for its inputs, and must give what MODEL gives.
    """
    from ..passes.cut.extract import Extract

    if not (taken or given_out):
        raise UsageError("what is to be extracted? Give --inputs, --outputs or both")
    rewrite(model, free(output, model, force), Extract(taken, given_out), no_verify, as_json, input_options(given))
