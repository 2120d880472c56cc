"""Options about targets, and what `gopt run --target` prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .options import Assignment, together
from .text import printable

if TYPE_CHECKING:
    from ..api.targets import Made
    from ..backends import Blocker

TARGET_OPTIONS = together(
    click.option(
        "-O",
        "--target-option",
        multiple=True,
        type=Assignment("value", str),
        metavar="NAME=VALUE",
        help="An option of the target.",
    ),
    click.option(
        "--profile",
        multiple=True,
        metavar="DIM=MIN:OPT:MAX",
        help="Sizes of a dynamic dim that an engine is built for; the same as -O profile=...",
    ),
    click.option(
        "--nms",
        type=click.Choice(["keep", "cut", "efficientnms"]),
        help="What to do with NonMaxSuppression; -O nms=...",
    ),
    click.option("--platform", metavar="NAME", help="The chip that a model is for: rk3588, ...; -O platform=..."),
    click.option("--dtype", metavar="NAME", help="The type that it computes in: fp16, int8; -O dtype=..."),
    click.option("--dataset", metavar="FILE", help="What int8 is calibrated with: a list of files; -O dataset=..."),
    click.option("--quant-algorithm", metavar="NAME", help="How it is calibrated; -O quant-algorithm=..."),
    click.option("--source", metavar="FILE", help="An onnx_source.yaml: mean, std, colours; -O source=..."),
    click.option("--level", default="", metavar="NAME", help="How far its tools are asked; as far as they are there."),
    click.option(
        "--target-timeout",
        type=click.FloatRange(min=1),
        default=600.0,
        show_default=True,
        metavar="SECONDS",
        help="Time for the target's own tools.",
    ),
)


def target_options(given: dict[str, Any]) -> dict[str, Any]:
    """Take the options of TARGET_OPTIONS out of `given`, as arguments for `gopt.api.targets`.

    Raises:
        UsageError: an option is given twice.
    """
    options: dict[str, str] = {}
    for name, value in given.pop("target_option"):
        if options.setdefault(name, value) != value:
            raise UsageError(f"--target-option: {name} is given twice")
    profile, nms = given.pop("profile"), given.pop("nms")
    if profile:
        options["profile"] = ",".join([*options.get("profile", "").split(","), *profile]).strip(",")
    for name in ("platform", "dtype", "dataset", "quant_algorithm", "source"):
        value, option = given.pop(name), name.replace("_", "-")
        if value is not None and options.setdefault(option, value) != value:
            raise UsageError(f"--{option} is given twice")
    if nms is not None and options.setdefault("nms", nms) != nms:
        raise UsageError("--nms is given twice")
    return {"options": options, "level": given.pop("level"), "target_timeout": given.pop("target_timeout")}


def named_passes() -> bool:
    """True if --passes was given, which takes the place of the target's own pipeline."""
    source = click.get_current_context().get_parameter_source("passes")
    return source is click.core.ParameterSource.COMMANDLINE


def growth_for(model: Path, given: int) -> int:
    """How much constants may grow: where that is not said, so much as 8 bits become 32."""
    source = click.get_current_context().get_parameter_source("max_growth")
    if source is click.core.ParameterSource.COMMANDLINE or not model.is_file():
        return given
    return max(given, 4 * model.stat().st_size)


def lines(made: Made, target: str) -> Iterator[str]:
    """What the target says, and the files."""
    from .check import blocker_lines, more_lines, summary

    yield ""
    yield f"  before: {_count(made.before)} for {target}; after: {summary(target, made.verdict)}"
    yield from more_lines(made.verdict)
    yield from blocker_lines(made.verdict.blockers)
    if made.settled:
        sizes = ", ".join(f"{name}={size}" for name, size in made.settled.items())
        yield printable(f"  made for {sizes} alone: the target does not take these dims as dynamic ones here")
    if made.verdict.missing:
        yield f"  {made.verdict.missing}"
    yield from ("  wrote " + printable(str(path)) for path in made.files)


def _count(blockers: list[Blocker]) -> str:
    return "nothing in the way" if not blockers else f"{len(blockers)} in the way"


def as_data(made: Made, target: str) -> dict[str, Any]:
    """The same in plain types."""
    return {
        "target": target,
        "settled": made.settled,
        "before": [b.as_dict() for b in made.before],
        **made.verdict.as_dict(),
        "files": [str(path) for path in made.files],
    }
