"""`gopt expose`: intermediate values as outputs of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .options import FORCE, INPUTS, input_options, json_flag, model_argument
from .parts import NO_VERIFY, OUTPUT, SELECTION, free, rewrite, selection


@click.command("expose", epilog="Example: gopt expose model.onnx -o exposed.onnx --op-type Conv --value hidden")
@model_argument
@OUTPUT
@SELECTION
@FORCE
@NO_VERIFY
@INPUTS
@json_flag
def command(model: Path, output: Path, force: bool, no_verify: bool, as_json: bool, **given: Any) -> None:
    """Make values that MODEL computes on its way outputs of it, after those that it has, in dataflow order.

    Their types and shapes are inferred; what MODEL says of them is not believed. Several options select the union.
    """
    chosen = selection(given)
    if chosen is None:
        raise UsageError("what is to be exposed? Give --value, --node, --op-type, --regex or --all")
    rewrite(model, free(output, model, force), chosen, no_verify, as_json, input_options(given))
