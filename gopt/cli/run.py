"""`gopt run`: optimize a model, verify it, write it, and say what changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ExitCode, UsageError
from .options import FORCE, INPUTS, PIPELINE, input_options, json_flag, model_argument, pipeline_options
from .parts import with_exposed
from .progress import progress
from .shapes import SHAPES, with_shapes
from .targets import TARGET_OPTIONS, growth_for, named_passes, target_options
from .targets import as_data as target_data
from .targets import lines as target_lines
from .text import change, columns, emit, emit_json, note, printable, seconds, size

if TYPE_CHECKING:
    from ..api import Result
    from ..passes import Instrument


@click.command("run", epilog="Example: gopt run --passes fold,fuse model.onnx -o smaller.onnx")
@model_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the result goes; MODEL.opt.onnx beside the model by default, a folder MODEL.TARGET for a target.",
)
@FORCE
@PIPELINE
@click.option("--target", "target_name", metavar="NAME", help="Make the model fit: tensorrt, trt-rtx, ...")
@TARGET_OPTIONS
@SHAPES
@click.option("--target-opset", type=click.IntRange(min=1), metavar="N", help="Convert to this opset first.")
@click.option("--no-verify", is_flag=True, help="Do not run the models to compare their outputs.")
@click.option(
    "--on-mismatch",
    type=click.Choice(["repair", "abort", "warn"]),
    default="repair",
    show_default=True,
    help="If the outputs differ: leave out the guilty rewrite, write nothing (exit status 4), or write it anyway.",
)
@click.option("--expose", multiple=True, metavar="NAME", help="Make a value inside of MODEL an output too.")
@INPUTS
@click.option("--dump", type=click.Path(path_type=Path), metavar="DIR", help="Write the graph as text after each pass.")
@click.option("--verify-each", is_flag=True, help="Check the graph's invariants after each pass.")
@click.option("--compare-each", is_flag=True, help="Run the model and compare after each pass.")
@click.option("--timing", is_flag=True, help="Write the time of each pass to stderr.")
@json_flag
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    model: Path,
    output: Path | None,
    force: bool,
    target_name: str | None,
    no_verify: bool,
    on_mismatch: Any,
    expose: tuple[str, ...],
    dump: Path | None,
    verify_each: bool,
    compare_each: bool,
    timing: bool,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> int:
    """Rewrite MODEL by the passes named, verify the result, write it, and print what changed.

    \b
    --passes takes families (fold), files (fuse.conv), rules (fuse.conv.batchnorm), options (pass:option=value),
    groups run until nothing changes ((fold,fuse)*), and presets (@default). `gopt passes` lists them.
    """
    from .. import api

    if compare_each and no_verify:
        raise UsageError("--compare-each runs the models, --no-verify forbids it")
    wanted = target_options(given)
    if target_name is None and wanted["options"]:
        raise UsageError("--target-option is for --target")
    passes, opset = given["passes"], given.pop("target_opset")
    shapes = {name: given.pop(name) for name in ("input_shapes", "dims", "freeze")}

    def around(chosen: Any) -> Any:
        return with_shapes(with_opset(with_exposed(chosen, expose), opset), dict(shapes))

    given["passes"] = around(passes)
    arguments: dict[str, Any] = {
        "output": destination(model, output, force, target_name),
        "verify": not no_verify,
        "on_mismatch": on_mismatch,
        "instruments": instruments(dump, verify_each, timing),
        "compare_each": compare_each,
        **pipeline_options(given),
        **input_options(given),
    }
    if target_name is not None:
        arguments["max_growth"] = growth_for(model, arguments["max_growth"])
        if not named_passes():
            arguments["passes"], arguments["around"] = None, around
    made = None
    with progress(not quiet) as tell:
        if target_name is None:
            result = api.run(model, progress=tell, **arguments)
        else:
            from ..api.targets import make

            made = make(model, target_name, progress=tell, **wanted, **arguments)
            result = made.result
    for line in warnings(result):
        note(f"warning: {line}")
    if as_json:
        emit_json(as_data(model, result) | ({} if made is None else target_data(made, str(target_name))))
    elif not quiet:
        emit("\n".join([*table(model, result), *(() if made is None else target_lines(made, str(target_name)))]))
    return int(ExitCode.OK if made is None or made.verdict.ok else ExitCode.ILLEGAL_FOR_TARGET)


def with_opset(passes: Any, target: int | None) -> Any:
    """The pipeline with the conversion to an opset in front: what follows makes nothing that the opset lacks."""
    if target is None:
        return passes
    from ..passes.opset.convert import Convert

    return [Convert(target), passes]


def destination(model: Path, output: Path | None, force: bool, for_target: str | None = None) -> Path:
    """The file to write; the folder, where the model is made for a target.

    Raises:
        UsageError: it exists and may not be replaced.
    """
    if for_target is not None:
        folder = model.with_name(f"{model.name.removesuffix('.onnx')}.{for_target}") if output is None else output
        if folder.is_dir() and any(folder.iterdir()) and not force:
            raise UsageError(f"{folder} exists; --force replaces what is in it")
        return folder
    target = model.with_name(f"{model.name.removesuffix('.onnx')}.opt.onnx") if output is None else output
    if not target.exists():
        return target
    if target.exists() and model.exists() and target.samefile(model):
        if not force:
            raise UsageError(f"{target} is the input; -o {target} --force replaces it")
    elif not force:
        raise UsageError(f"{target} exists; --force replaces it")
    return target


def instruments(dump: Path | None, verify_each: bool, timing: bool) -> list[Instrument]:
    """Onlookers that the options ask for."""
    if not (dump or verify_each or timing):
        return []
    from ..passes import DumpWhenChanged, Timing, VerifyEach

    found: list[Instrument] = []
    if dump:
        found.append(DumpWhenChanged(dump))
    if verify_each:
        found.append(VerifyEach())
    if timing:
        found.append(Timing(sys.stderr))
    return found


def warnings(result: Result) -> Iterator[str]:
    """What a person should not miss."""
    for name, message in result.failed.items():
        yield f"{name} was left out: {message}"
    if result.repair is not None:
        yield result.repair.summary()
    elif result.verification is not None and not result.verification.ok:
        yield result.verification.summary()
    if result.report.limited:
        yield f"the limit of {result.ledger.limit} rewrites ended the run"


def table(model: Path, result: Result) -> Iterator[str]:
    """What changed."""
    yield printable(f"{model} -> {result.output}")
    before, after = sum(result.ops_before.values()), sum(result.ops_after.values())
    rows = [["", "before", "after", ""], ["ops", f"{before:,}", f"{after:,}", change(before, after)]]
    types = sorted({*result.ops_before, *result.ops_after})
    for kind in types:
        old, new = result.ops_before.get(kind, 0), result.ops_after.get(kind, 0)
        if old != new:
            rows.append([f"  {kind}", f"{old:,}", f"{new:,}", change(old, new)])
    old, new = result.bytes_before, result.bytes_after
    rows.append(["bytes", size(old), size(new), change(old, new)])
    yield from columns(rows, right=[1, 2, 3])
    yield ""
    rewrites = result.ledger.by_rule()
    rows = [["rewrites", f"{sum(rewrites.values()):,}"]]
    rows += [[f"  {rule}", f"{count:,}"] for rule, count in sorted(rewrites.items(), key=lambda r: (-r[1], r[0]))]
    yield from columns(rows, right=[1])
    yield ""
    yield "  " + ", ".join(f"{what} {seconds(spent)}" for what, spent in result.seconds.items())
    if result.verification is None:
        yield "  not verified: --no-verify"
        return
    yield f"  {printable(result.verification.summary())}"
    for remark in result.verification.notes:
        yield f"    {printable(remark)}"
    if result.repair is not None:
        yield f"  {printable(result.repair.summary())}"


def as_data(model: Path, result: Result) -> dict[str, Any]:
    """The same in plain types."""
    return {
        "model": str(model),
        "output": str(result.output),
        "pipeline": result.report.pipeline,
        "ops_before": result.ops_before,
        "ops_after": result.ops_after,
        "bytes_before": result.bytes_before,
        "bytes_after": result.bytes_after,
        "rewrites": result.ledger.by_rule(),
        "limited": result.report.limited,
        "seconds": result.seconds,
        "verification": None if result.verification is None else result.verification.to_json(),
        "failed": result.failed,
        "repair": None if result.repair is None else result.repair.to_json(),
        "passes": result.report.as_dict()["passes"],
    }
