"""`gopt rknn`: the environment in which Rockchip's toolkit runs, and what was measured with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..errors import ExitCode
from .options import json_flag
from .progress import progress
from .text import columns, emit, emit_json, note, printable


@click.group("rknn", epilog="Example: gopt rknn setup && gopt run --target rknn model.onnx")
def command() -> None:
    """Make and look at the environment in which Rockchip's toolkit (rknn-toolkit2) runs.

    The toolkit pins old versions of numpy, onnx and protobuf, so it lives apart from gopt, in the user's data folder,
    or where the variable GOPT_RKNN_ENV says.
    """


@command.command("setup", epilog="Example: gopt rknn setup --torch none")
@click.option("--python", metavar="PATH", help="The Python that it is made with, 3.9 to 3.12; looked for by default.")
@click.option(
    "--torch",
    type=click.Choice(["cpu", "default", "none"]),
    default="none",
    show_default=True,
    help="PyTorch without CUDA (GOPT_TORCH_INDEX may name an index), as pip finds it, or none: only gdq needs it.",
)
@click.option("--renew", is_flag=True, help="Remove what is there and begin anew.")
@json_flag
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def setup(python: str | None, torch: Any, renew: bool, as_json: bool, quiet: bool) -> None:
    """Make the environment with pip, or leave it alone if it is complete."""
    from ..backends.rknn import environment

    with progress(not quiet) as tell:

        def report(what: str) -> None:
            if tell is not None:
                tell(what)
            elif not quiet:
                note(what)

        made = environment.setup(python, torch, renew=renew, tell=report)
    if as_json:
        emit_json({"toolkit": made.toolkit, "folder": str(made.folder)})
    elif not quiet:
        emit(f"rknn-toolkit2 {made.toolkit} is ready in {printable(str(made.folder))}")


@command.command("doctor", epilog="Example: gopt rknn doctor")
@json_flag
def doctor(as_json: bool) -> int:
    """Say what is there and what is missing; the exit status is 7 if anything is."""
    from ..backends.rknn import environment

    findings = environment.doctor()
    if as_json:
        emit_json({"findings": [f.as_dict() for f in findings]})
    else:
        emit("\n".join(columns([["ok" if f.ok else "--", f.what, f.found, f.remedy] for f in findings])))
    return int(ExitCode.OK if all(f.ok for f in findings) else ExitCode.MISSING_COMPONENT)


@command.command("survey", epilog="Example: gopt rknn survey --platform rk3588 -o placement.json")
@click.option("--platform", "platforms", multiple=True, required=True, metavar="NAME", help="A chip; may be repeated.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The tables; those of other chips stay."
)
@json_flag
def survey(platforms: tuple[str, ...], output: Path, as_json: bool) -> None:
    """Measure where the toolkit puts each operator, and write the tables that `gopt check` asks.

    About 500 small models are converted for each chip, which takes a minute or two.
    """
    from ..backends.rknn import environment, survey

    found = environment.find()
    tables = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    counts = {}
    with progress() as tell:
        for name in platforms:
            tables = survey.merged(tables, name, survey.survey(found, name, tell=tell), found.toolkit)
            survey.write(tables, output)
            counts[name] = survey.counts(tables["platforms"][name])
            if not as_json:
                emit(f"{name}: " + ", ".join(f"{count} {where}" for where, count in counts[name].items()))
    if as_json:
        emit_json({"output": str(output), "operators": counts})
