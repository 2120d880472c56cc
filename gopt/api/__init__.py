"""What a script calls: load, run, save; `verify` is `gopt.verify.verify`. The command line is a face of the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..frontends import onnx as frontend
from ..ir import Array, Model
from ..passes import Instrument, Progress, Report
from ..rewrite import Ledger
from .job import Job, OnMismatch, Passes, Plan, Result, quiet_gc
from .output import Workshop

if TYPE_CHECKING:
    from ..verify import Bisection

__all__ = ["MEGABYTE", "OnMismatch", "Passes", "Result", "apply", "bisect", "load", "run", "save"]

MEGABYTE = 1_000_000


def load(source: str | os.PathLike[str] | bytes | Any) -> Model:
    """Load an ONNX model: a path, the bytes of a file, or a `ModelProto`.

    Raises:
        ModelError: there is no such file, or it is no valid model.
    """
    return frontend.load(source)


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model; an existing file is replaced only once the new one is complete.

    Raises:
        UsageError: `path` is something else than a file, or its folder does not exist.
        OSError: it cannot be written.
    """
    frontend.save(model, path)


def run(
    model: str | os.PathLike[str] | Model,
    passes: Passes = "@default",
    *,
    output: str | os.PathLike[str] | None = None,
    skip: Iterable[str] = (),
    limit: int | None = None,
    exact: bool = False,
    max_growth: int = 10 * MEGABYTE,
    verify: bool = True,
    inputs: Mapping[str, Array | str | Path] | None = None,
    dims: Mapping[str, int] | None = None,
    timeout: float = 120.0,
    on_mismatch: OnMismatch = "repair",
    plugins: Iterable[str | Path] = (),
    instruments: Sequence[Instrument] = (),
    compare_each: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Result:
    """Optimize a model, verify that it still computes the same, and write it.

    Args:
        model: a file, or a model in memory, which is rewritten in place (after a repair `Result.model` is another).
        passes: what runs.
        output: where the result goes; an existing file is replaced. None: it stays in memory.
        skip: families, files, rules, or keys of single rewrites to leave out.
        limit: stop after so many rewrites.
        exact: make bit-exact rewrites only.
        max_growth: bytes by which all rewrites together may enlarge the constants.
        verify: run original and result in ONNX Runtime, in a process of its own, and compare the outputs.
        inputs: data to verify on, arrays or .npy files by name of the input; the rest is random.
        dims: sizes of dynamic dims to verify on, by name or `input.axis`; the rest is found by trying.
        timeout: seconds for finding inputs and running the original.
        on_mismatch: leave out the guilty rewrites, found by bisection ("repair"); raise and write nothing ("abort"); or
            deliver the result as it is ("warn"). A pass that fails is left out too, unless it is "abort".
        plugins: Python files with rules and passes of your own.
        instruments: told before and after each pass.
        compare_each: verify after each pass that changed the model.
        progress: told what begins.

    Raises:
        ModelError: the file is not there or no valid model.
        UsageError: a pass, option or input does not exist.
        PassError: a pass failed and could not be left out.
        VerificationError: the numbers differ and `on_mismatch` is "abort", or `compare_each` found a difference.
        MissingComponentError: verification needs ONNX Runtime, which is not installed.
        OSError: the result cannot be written.
    """
    if on_mismatch not in ("repair", "abort", "warn"):
        raise UsageError(f"on_mismatch is repair, abort or warn, not {on_mismatch!r}")
    plan = Plan.of(passes, skip, limit, exact, max_growth, plugins)
    target = None if output is None else Path(output)
    with quiet_gc(), ExitStack() as stack:
        shop = stack.enter_context(Workshop(target))
        job = Job(plan, model, shop, progress or _silent, strict=on_mismatch == "abort")
        if verify:
            from ..verify import Limits, Verifier

            # After loading: what our own reader refuses never gets to native code.
            settled = job.verifying(inputs, dims)
            verifier = Verifier.start(job.original(), limits=Limits(timeout=timeout), **settled)
            job.verifier = stack.enter_context(verifier)
        if progress is not None:
            instruments = [*instruments, Progress(progress)]
        job.optimize(instruments, compare_each=compare_each)
        return job.finish(on_mismatch)


def apply(
    model: Model,
    passes: Passes = "@default",
    *,
    skip: Iterable[str] = (),
    limit: int | None = None,
    exact: bool = False,
    max_growth: int = 10 * MEGABYTE,
    plugins: Iterable[str | Path] = (),
    instruments: Sequence[Instrument] = (),
) -> tuple[Report, Ledger]:
    """Rewrite a model in memory, in place, and no more: nothing is verified or written. Arguments as of `run`."""
    plan = Plan.of(passes, skip, limit, exact, max_growth, plugins)
    with quiet_gc():
        return plan.apply(model, None, frozenset(), instruments)


def bisect(
    model: str | os.PathLike[str],
    passes: Passes = "@default",
    *,
    skip: Iterable[str] = (),
    limit: int | None = None,
    exact: bool = False,
    max_growth: int = 10 * MEGABYTE,
    inputs: Mapping[str, Array | str | Path] | None = None,
    dims: Mapping[str, int] | None = None,
    timeout: float = 120.0,
    plugins: Iterable[str | Path] = (),
    progress: Callable[[str], None] | None = None,
) -> Bisection:
    """Find the first rewrite after which a model computes something else. Arguments as of `run`."""
    from ..verify import Limits, Verifier
    from ..verify import bisect as search

    plan = Plan.of(passes, skip, limit, exact, max_growth, plugins)
    with quiet_gc(), Workshop() as shop:
        job = Job(plan, model, shop, progress or _silent)
        limits = Limits(timeout=timeout)
        with Verifier.start(job.original(), limits=limits, **job.verifying(inputs, dims)) as verifier:
            return search(verifier, job.replay, progress=progress)


def _silent(_: str) -> None:
    """Tell nobody."""
