"""`gopt set-batch`: another batch size, also where the exporter baked it in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .options import FORCE, INPUTS, Assignment, input_options, json_flag, model_argument
from .progress import progress
from .run import as_data, destination, table, warnings
from .text import emit, emit_json, note, printable

if TYPE_CHECKING:
    from ..api import Result

_FIRST = "(inline,fold,clean)*"


@click.command("set-batch", epilog="Example: gopt set-batch model.onnx --batch 8 -o model8.onnx")
@model_argument
@click.option(
    "--batch", required=True, metavar="N|NAME", help="The new batch size: a number, or a name for any number."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="MODEL.bN.onnx by default.")
@FORCE
@click.option(
    "--axis",
    "axes",
    multiple=True,
    type=Assignment("axis", str),
    metavar="INPUT=AXIS",
    help="Where the samples lie in an input, or none; by default the first axis, or one that fits.",
)
@click.option("--was", type=click.IntRange(min=1), metavar="N", help="The batch size that is baked in.")
@click.option(
    "--like",
    type=click.Path(path_type=Path),
    metavar="OTHER",
    help="Learn what to change from an export of the same model with another batch size.",
)
@click.option("--first", metavar="TEXT", help=f"What runs before; {_FIRST} by default, nothing with --like.")
@click.option("--no-verify", is_flag=True, help="Do not compare the result on several samples with single ones.")
@INPUTS
@json_flag
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    model: Path,
    batch: str,
    output: Path | None,
    force: bool,
    axes: tuple[tuple[str, str], ...],
    was: int | None,
    like: Path | None,
    first: str | None,
    no_verify: bool,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Give MODEL another batch size: reshapes, expansions, slices and initial states follow.

    Every op must keep the samples of a batch apart; one that mixes them, or of which that is not known, is named and
    nothing written. The result on several samples is compared with those of single ones (exit status 4 if it differs).
    """
    from .. import api
    from ..passes.shape.batch import Batch
    from ..passes.shape.declare import Declare

    if like is not None and no_verify:
        raise UsageError("--like rests on the comparison with single samples, which --no-verify forbids")
    before = first if first is not None else "" if like is not None else _FIRST
    stem = model.name.removesuffix(".onnx")
    target = destination(model, output or model.with_name(f"{stem}.b{batch}.onnx"), force)
    passes = [*([before] if before else []), Batch(batch, was, like, dict(axes)), Declare()]
    with progress(not quiet) as tell:
        result = api.run(
            model,
            passes,
            output=target,
            verify=not no_verify,
            on_mismatch="abort",
            progress=tell,
            **input_options(given),
        )
    for line in warnings(result):
        note(f"warning: {line}")
    if as_json:
        emit_json(as_data(model, result) | {"batch": result.ledger.facts.get("rebatch")})
    elif not quiet:
        emit("\n".join([*table(model, result), *where(result)]))


def where(result: Result) -> Iterator[str]:
    """Along which axes the samples lie."""
    found = result.ledger.facts.get("rebatch", {})
    for what, axes in (("inputs", found.get("axes")), ("outputs", found.get("outputs"))):
        if axes:
            places = [f"{name} {'none' if axis is None else axis}" for name, axis in axes.items()]
            yield printable(f"  axis of the samples in {what}: {', '.join(places)}")
