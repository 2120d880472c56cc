"""`gopt compare`: how two models differ, in structure and in numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ExitCode
from .inspect import describe
from .options import INPUTS, input_options, json_flag
from .progress import progress
from .text import change, columns, emit, emit_json, printable, size

if TYPE_CHECKING:
    from ..verify import Verification


@click.command("compare", epilog="Example: gopt compare model.onnx model.opt.onnx --inputs x=photo.npy")
@click.argument("a", type=click.Path(path_type=Path), metavar="A")
@click.argument("b", type=click.Path(path_type=Path), metavar="B")
@INPUTS
@click.option("--rtol", type=click.FloatRange(min=0), help="Error allowed, as a part of an output's largest value.")
@click.option("--atol", type=click.FloatRange(min=0), help="Error allowed in addition.")
@click.option("--exact", is_flag=True, help="Demand the same bits.")
@click.option("--no-run", is_flag=True, help="Compare the structure only.")
@json_flag
def command(
    a: Path,
    b: Path,
    rtol: float | None,
    atol: float | None,
    exact: bool,
    no_run: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Compare the models A (the reference) and B: ops by type, interface, bytes, and their outputs on the same inputs.

    Exit status 4 if the outputs differ, or if nothing could be found out about them.
    """
    from ..api import load

    left, right = (describe(load(path), path, 0) for path in (a, b))
    found: Verification | None = None
    if not no_run:
        from ..verify import Tolerance, verify

        allowed = None if rtol is None and atol is None else Tolerance(rtol or 0.0, atol or 0.0)
        with progress() as tell:
            if tell is not None:
                tell("running both models")
            found = verify(a, b, exact=exact, tolerance=allowed, **input_options(given))
    if as_json:
        emit_json({"a": left, "b": right, "verification": None if found is None else found.to_json()})
    else:
        emit("\n".join(lines(left, right, found)))
    return int(ExitCode.OK if found is None or found.ok else ExitCode.VERIFICATION)


def lines(left: dict[str, Any], right: dict[str, Any], found: Verification | None) -> Iterator[str]:
    """The differences as text."""
    rows = [["", "A", "B", ""], _row("ops", left["ops_total"], right["ops_total"])]
    for kind in sorted({*left["ops"], *right["ops"]}):
        old, new = left["ops"].get(kind, 0), right["ops"].get(kind, 0)
        if old != new:
            rows.append(_row(f"  {kind}", old, new))
    rows.append(_row("constants", left["constants"], right["constants"]))
    for what in ("constant_bytes", "bytes"):
        old, new = left[what], right[what]
        rows.append([what.replace("_", " "), size(old), size(new), change(old, new)])
    yield from columns(rows, right=[1, 2, 3])
    yield ""
    for what in ("ir_version", "opsets", "inputs", "outputs"):
        yield from _interface(what, left[what], right[what])
    if found is not None:
        yield f"  {printable(found.summary())}"
        yield from (f"    {printable(remark)}" for remark in found.notes)


def _row(what: str, old: int, new: int) -> list[str]:
    return [what, f"{old:,}", f"{new:,}", change(old, new)]


def _interface(what: str, old: Any, new: Any) -> Iterator[str]:
    if old == new:
        return
    yield f"  {what} differ"
    yield f"    A: {printable(_text(old))}"
    yield f"    B: {printable(_text(new))}"


def _text(what: Any) -> str:
    if isinstance(what, dict):
        return ", ".join(f"{k} {v}" for k, v in what.items())
    if isinstance(what, list):
        return ", ".join(f"{p['name']} {p['type']}" for p in what)
    return str(what)
