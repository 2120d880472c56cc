"""Options that change sizes of inputs: they become a pass at the beginning of the pipeline."""

from __future__ import annotations

import re
from typing import Any

import click

from ..errors import UsageError
from .options import together

SHAPES = together(
    click.option(
        "--input-shape",
        "--input-shapes",
        "--overwrite-input-shape",
        "input_shapes",
        multiple=True,
        metavar="INPUT:1,3,224,224",
        help="Fix the shape of an input (? leaves a dim as it is).",
    ),
    click.option(
        "--dim", "dims", multiple=True, metavar="NAME=SIZE", help="Fix a named dim, or one dim of an input (x.0=4)."
    ),
    click.option(
        "--freeze",
        multiple=True,
        metavar="INPUT=VALUE",
        help="Make an input a constant: a number, a list 1,2,3, or @file.npy.",
    ),
)
# The last separator counts: many input names end in ":0".
_SHAPE = re.compile(r"(.+)[:=]\s*\[?((?:[-+\w?]+)(?:\s*[,x]\s*[-+\w?]+)*)\]?")


def with_shapes(passes: Any, given: dict[str, Any]) -> list[Any]:
    """Take the options of SHAPES out of `given`; the pipeline with the passes that they ask for around it.

    Raises:
        UsageError: an option is malformed, or a shape is given twice.
    """
    texts, dims, freeze = (tuple(given.pop(name)) for name in ("input_shapes", "dims", "freeze"))
    shapes: dict[str, str] = {}
    for text in texts:
        found = _SHAPE.fullmatch(text.strip())
        if found is None:
            raise UsageError(f"--input-shape: {text!r} is not INPUT:SIZE,SIZE,...")
        name, sizes = found[1].strip(), re.sub(r"\s*[,x]\s*", "x", found[2])
        if shapes.setdefault(name, sizes) != sizes:
            raise UsageError(f"--input-shape: {name} is given twice")
    if not (shapes or dims or freeze):
        return [passes]
    from ..passes.shape.declare import Declare
    from ..passes.shape.fix import Fix

    return [Fix(shapes, dims, freeze), passes, Declare()]
