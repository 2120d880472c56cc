"""`gopt dump`: values that a model computes, as a .npz file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import FORCE, Assignment, Bytes, InputShape, input_options, json_flag, model_argument
from .parts import SELECTION, free, selection
from .progress import progress
from .text import columns, emit, emit_json, note, printable, size

if TYPE_CHECKING:
    from ..api.dumping import Dump


@click.command("dump", epilog="Example: gopt dump model.onnx -o values.npz --all --inputs x=photo.npy")
@model_argument
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE.npz", help="Where the values go."
)
@SELECTION
@click.option(
    "--inputs",
    multiple=True,
    type=Assignment("file.npy", Path),
    metavar="NAME=FILE.npy",
    help="Run on this data; inputs that are not given are random.",
)
@click.option(
    "--dim",
    "verify_dim",
    multiple=True,
    type=Assignment("size", int),
    metavar="NAME=SIZE",
    help="Size of a dynamic dim.",
)
@click.option(
    "--input-shape",
    "verify_shape",
    multiple=True,
    type=InputShape(),
    metavar="INPUT:1,3,224,224",
    help="Shape of an input.",
)
@click.option(
    "--memory",
    type=Bytes(),
    default="1GB",
    show_default=True,
    help="How much the values of one run may take; the model runs as often as that needs.",
)
@click.option(
    "--timeout",
    "verify_timeout",
    type=click.FloatRange(min=0.1),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="Time for finding inputs, and for each run.",
)
@FORCE
@json_flag
def command(model: Path, output: Path, memory: int, force: bool, as_json: bool, **given: Any) -> None:
    """Run MODEL in ONNX Runtime, its optimizations off, and write values that it computes to a .npz file.

    Without a selection these are its outputs. numpy.load reads the file; in it, values have the names that they have in
    MODEL. Types that numpy lacks (bfloat16 ...) are stored as unsigned integers of their width.
    """
    from ..api.dumping import dump

    target = free(output, model, force)
    with progress() as tell:
        result = dump(model, target, selection(given), memory=memory, progress=tell, **input_options(given))
    for name, why in result.left_out.items():
        note(f"warning: {name!r} was left out: {why}")
    emit_json({"model": str(model), **asdict(result)}) if as_json else emit("\n".join(lines(model, result)))


def lines(model: Path, result: Dump) -> Iterator[str]:
    """What was written, as text."""
    yield printable(f"{model} -> {result.output}")
    rows = [[v.member, f"{v.type}[{','.join(map(str, v.shape))}]", size(v.bytes)] for v in result.values]
    yield from columns(rows, right=[2])
    yield ""
    total = sum(v.bytes for v in result.values)
    facts = [_count(len(result.values), "value"), size(total), _count(result.runs, "run")]
    facts += [f"{name}={extent}" for name, extent in result.dims.items()]
    yield f"  {printable(', '.join(facts))}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"
