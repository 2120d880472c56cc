"""`gopt source`: the files that carry what a network was trained with from training to the board."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import ExitCode, UsageError
from .options import FORCE, json_flag
from .text import emit, emit_json, printable


@click.group("source", epilog="Example: gopt source init && gopt source check training_source.yaml onnx_source.yaml")
def command() -> None:
    """Write and check the chain training_source.yaml -> onnx_source.yaml -> rknn_source.yaml.

    Input size, colour order, preprocessing, padding colour, mean, std and class names must be the same in all of them;
    platform, quantization, optimization level and thresholds may differ. `gopt run --target rknn -O source=FILE` reads
    one and writes the last.
    """


@command.command("init", epilog="Example: gopt source init training_source.yaml --model best.onnx")
@click.argument("training", type=click.Path(path_type=Path), required=False, metavar="[TRAINING_SOURCE.yaml]")
@click.option("--model", type=click.Path(path_type=Path), metavar="FILE.onnx", help="The model that was exported.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where it goes.")
@FORCE
@json_flag
def init(training: Path | None, model: Path | None, output: Path | None, force: bool, as_json: bool) -> None:
    """Write a training_source.yaml to fill in or, with TRAINING_SOURCE and --model, the onnx_source.yaml that follows.

    With --model alone, the sizes in the training_source.yaml are those of the model.
    """
    from ..api.sources import next_source, template

    if training is not None and model is None:
        raise UsageError(
            "the onnx_source.yaml that follows a training_source.yaml describes a model: --model FILE.onnx"
        )
    made = template(model) if training is None else next_source(training, model)  # type: ignore[arg-type]
    kind = "training_source" if training is None else "onnx_source"
    place = output or (training.parent if training is not None else Path()) / f"{kind}.yaml"
    if place.exists() and not force:
        raise UsageError(f"{place} exists; --force replaces it")
    place.write_text(made, encoding="utf-8")
    if as_json:
        emit_json({"kind": kind, "output": str(place)})
    else:
        emit(f"wrote {printable(str(place))}")


@command.command("check", epilog="Example: gopt source check training_source.yaml onnx_source.yaml rknn_source.yaml")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@json_flag
def check(files: tuple[Path, ...], as_json: bool) -> int:
    """Check files of the chain, in its order: each by itself, and each against the one before.

    The exit status is 3 if anything is wrong.
    """
    from ..api.sources import problems

    found = problems(list(files))
    if as_json:
        emit_json({"files": [str(f) for f in files], "ok": not found, "problems": found})
    else:
        emit("\n".join(map(printable, found)) if found else "consistent")
    return int(ExitCode.BAD_INPUT if found else ExitCode.OK)
