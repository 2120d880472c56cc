"""Models for a target: what stands in the way, how far its tools take the model, and the run that makes it fit."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import backends
from ..analysis import infer
from ..backends import Blocker, Cut, Target, Verdict
from ..errors import GoptError, MissingComponentError, UsageError
from ..frontends import onnx as frontend
from ..ir import Model, TensorType
from ..passes import Pass, as_pipeline, run_pipeline
from ..passes.cut.extract import Extract
from ..rewrite import Context
from .job import Passes, Result

SECONDS = 600.0


@dataclass(slots=True)
class Made:
    """What `make` did.

    Attributes:
        result: of the run.
        verdict: what the target says of the model that came out.
        before: what stood in the way of the model that went in, by the target's table.
        files: all that was written.
        settled: dynamic dims that were fixed, because the target could not take the model otherwise.
    """

    result: Result
    verdict: Verdict
    before: list[Blocker]
    files: list[Path] = field(default_factory=list)
    settled: dict[str, int] = field(default_factory=dict)


def check(
    model: str | os.PathLike[str],
    target: str | Target,
    options: Mapping[str, str] | None = None,
    *,
    level: str = "",
    target_timeout: float = SECONDS,
) -> Verdict:
    """Say what of a model a target does not take, and how far its own tools take it.

    Args:
        model: a file.
        target: its name.
        options: of the target.
        level: how far to go; "": as far as the tools that are installed go.
        target_timeout: seconds for the target's own tools.

    Raises:
        ModelError: the file is not there or no valid model.
        UsageError: there is no such target, option or level.
        MissingComponentError: the level was asked for, and what it takes is not installed.
        ResourceError: the time was up.
    """
    chosen = backends.target(target, options) if isinstance(target, str) else target
    demanded, level = bool(level), possible(chosen, level)
    loaded = frontend.load(model)
    infer(loaded)
    if level != chosen.levels[0]:
        chosen.cases = cases_of(loaded, Path(model))
    _introduce(chosen, Path(model), loaded, None, ())
    verdict = _prove(chosen, loaded, Path(model), level, target_timeout)
    if demanded:
        _insist(chosen, level, verdict)
    return verdict


def make(
    model: str | os.PathLike[str],
    target: str | Target,
    options: Mapping[str, str] | None = None,
    *,
    passes: Passes | None = None,
    output: str | os.PathLike[str] | None = None,
    level: str = "",
    target_timeout: float = SECONDS,
    settle: bool = True,
    around: Callable[[Any], Any] | None = None,
    **given: Any,
) -> Made:
    """Make a model fit a target: run its preset, write what it wants, and ask its tools.

    Args:
        model: a file.
        target: its name.
        options: of the target.
        passes: what runs; the target's preset by default.
        output: the folder for all that is written; it is made if it is not there.
        level: how far to prove the result.
        target_timeout: seconds for the target's own tools.
        around: puts further passes around the target's own.
        settle: fix dynamic dims at the sizes that blockers name, where nothing else helps.
        given: further arguments of `gopt.run`.

    Raises:
        What `gopt.run` and `check` raise.
    """
    chosen = backends.target(target, options) if isinstance(target, str) else target
    demanded, level = bool(level), possible(chosen, level)
    source = Path(model)
    original = frontend.load(source)
    infer(original)
    before = chosen.check(original)
    folder = source.with_name(f"{source.stem}.{chosen.name}") if output is None else Path(output)
    _examine(folder)
    written = folder / f"{source.stem}.onnx"
    if chosen.approximates and given.get("on_mismatch", "repair") == "repair":
        given["on_mismatch"] = "warn"
    attempts: list[Any] = [chosen.pipeline(), *chosen.fallbacks()] if passes is None else [passes]
    if passes is None and chosen.skips:
        given["skip"] = (*given.get("skip", ()), *chosen.skips)
    cut = chosen.cut(original)
    if cut is not None:
        attempts = [[Extract(outputs=cut.ends), *([a] if isinstance(a, str) else a)] for a in attempts]
    if around is not None:
        attempts = [around(attempt) for attempt in attempts]
    _introduce(chosen, source, original, given.get("inputs"), attempts[0])
    folder.mkdir(exist_ok=True)  # not before all that was asked for is known to make sense
    made = None
    for attempt in attempts:
        tried = _attempt(chosen, source, attempt, written, level, target_timeout, settle, given)
        if made is None or tried.verdict.ok:
            made = tried
        if made.verdict.ok:
            break
    assert made is not None
    if not made.verdict.ok and len(attempts) > 1:
        made = _attempt(chosen, source, attempts[0], written, level, target_timeout, settle, given)
    made.before = before
    if passes is None:
        made.verdict.blockers = [_without_remedy(b) for b in made.verdict.blockers]
    made.files = [written, *chosen.emit(made.result.model, written)]
    if cut is not None:
        made.files.append(_tail(source, cut, written))
    if demanded:
        _insist(chosen, level, made.verdict)
    return made


def _tail(source: Path, cut: Cut, written: Path) -> Path:
    """Write the second part of a model that was cut."""
    model = frontend.load(source)
    run_pipeline(model, as_pipeline([Extract(cut.takes, cut.gives)]), Context(model))
    path = written.with_name(f"{written.stem}.tail.onnx")
    frontend.save(model, path)
    return path


def _attempt(
    target: Target,
    source: Path,
    passes: Any,
    written: Path,
    level: str,
    timeout: float,
    settle: bool,
    given: Mapping[str, Any],
) -> Made:
    """Run a pipeline, again with dims fixed if that is what it takes, and ask the target about the result."""
    from . import run

    result = run(source, passes, output=written, **given)
    infer(result.model)
    settled = dict(pair for b in target.check(result.model) for pair in b.settle) if settle else {}
    if settled:
        result = run(source, _at(passes, settled), output=written, **given)
        infer(result.model)
    if result.verification is not None:
        target.cases = result.verification.cases
    verdict = _prove(target, result.model, written, level, timeout)
    verdict.blockers = _traced(verdict.blockers, result)
    return Made(result, verdict, [], [], settled)


def _at(passes: Passes, sizes: Mapping[str, int]) -> Passes:
    """The pipeline with dims fixed in front."""
    from ..passes.shape.declare import Declare
    from ..passes.shape.fix import Fix

    fixed = Fix(dim=tuple(f"{name}={size}" for name, size in sizes.items()))
    return [fixed, *([passes] if isinstance(passes, str) else passes), Declare()]  # type: ignore[misc]


def _introduce(target: Target, source: Path, original: Model, inputs: Mapping[str, Any] | None, passes: Passes) -> None:
    """Let a target know the model that was given, and how to learn what it computes."""
    from .samples import reference

    given: dict[str, Any] = dict(inputs or {})
    for member in as_pipeline(passes).members:
        if isinstance(member, Pass):
            given |= member.pins(original).values
    target.meet(source, original, lambda sizes, data=None: reference(source, sizes, {**(data or {}), **given}))


def cases_of(model: Model, path: Path) -> tuple[Mapping[str, int], ...]:
    """Sizes of dynamic dims at which a model runs; none if it has no such dims, or that cannot be found out here."""
    types = [value.type for value in model.graph.inputs]
    if all(isinstance(t, TensorType) and t.is_static for t in types):
        return ()
    from ..verify import Limits, Verifier

    try:
        with Verifier.start(path, limits=Limits(timeout=60)) as verifier:
            return verifier.prepare().cases
    except GoptError:
        return ()


def _examine(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"output {folder}: it exists and is no folder")
    if not folder.parent.is_dir():
        raise UsageError(f"output {folder}: there is no folder {folder.parent}")


def possible(target: Target, level: str) -> str:
    """The level to try.

    Raises:
        MissingComponentError: it was asked for and cannot be tried here.
    """
    wanted = target.level(level)
    highest, advice = target.available()
    if wanted not in target.below(highest):
        raise MissingComponentError(f"level {wanted} of target {target.name} cannot be tried: {advice}")
    return wanted


def _insist(target: Target, level: str, verdict: Verdict) -> None:
    """Say no word of higher levels where one was asked for, if it was tried.

    Raises:
        MissingComponentError: it was not, for want of what it takes with this model.
    """
    if verdict.ok and verdict.missing and verdict.tried in target.below(level)[:-1]:
        raise MissingComponentError(f"level {level} of target {target.name} cannot be tried: {verdict.missing}")
    verdict.missing = ""


def _prove(target: Target, model: Model, path: Path, level: str, timeout: float) -> Verdict:
    verdict = target.prove(model, path, level, timeout)
    if level != target.levels[-1]:
        highest, advice = target.available()
        verdict.missing = advice if level == highest else ""
    return verdict


def _without_remedy(blocker: Blocker) -> Blocker:
    """The same after the target's pipeline ran: what would have cured it did not apply."""
    if not blocker.remedy or " " in blocker.remedy:  # a command is no pass
        return blocker
    return replace(blocker, remedy="", hint=blocker.hint or f"{blocker.remedy} does not apply to it")


def _traced(blockers: list[Blocker], result: Result) -> list[Blocker]:
    """The same, with the nodes of the input model that each op came from."""
    ops = {op.label: op for graph in result.model.graphs() for op in graph.ops}
    return [
        replace(b, origin=result.ledger.origins(ops[b.node])) if b.node in ops and not b.origin else b for b in blockers
    ]
