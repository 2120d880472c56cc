"""One run on its way: load, rewrite, save, verify, and repair by doing it again."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from ..errors import PassError, UsageError, VerificationError
from ..frontends import onnx as frontend
from ..ir import Array, Model
from ..passes import CompareEach, Instrument, Pass, Pipeline, Report, as_pipeline, load_plugin, run_pipeline
from ..rewrite import Context, Ledger
from .output import Workshop, model_bytes

if TYPE_CHECKING:
    from ..verify import Repair, Verification, Verifier

Passes = str | Pipeline | Sequence[Any]
"""A pipeline as text (`"fold,fuse"`), or passes and rules in order."""
OnMismatch = Literal["repair", "abort", "warn"]
Tell = Callable[[str], None]


@dataclass(slots=True)
class Result:
    """What a run made, and what is known about it.

    Attributes:
        model: the rewritten model.
        report: what each pass did.
        ledger: every rewrite.
        verification: of the model delivered; None if it was not asked for.
        repair: what was left out because the numbers differed; None if nothing had to be.
        output: the file written, if any.
        ops_before, ops_after: ops by type, in all graphs; constants do not count.
        bytes_before, bytes_after: of the files, external data included; 0 where there is no file.
        seconds: wall time of load, optimize, save, verify.
        failed: rules and passes that raised an error and were therefore left out, and their messages.
    """

    model: Model
    report: Report
    ledger: Ledger
    verification: Verification | None = None
    repair: Repair | None = None
    output: Path | None = None
    ops_before: dict[str, int] = field(default_factory=dict)
    ops_after: dict[str, int] = field(default_factory=dict)
    bytes_before: int = 0
    bytes_after: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Which rewrites are wanted; `skip` holds the keys of single ones, names are left out of the pipeline already."""

    pipeline: Pipeline
    skip: frozenset[str]
    limit: int | None
    exact: bool
    max_growth: int

    def without(self, name: str) -> Plan:
        """The same without one rule or pass."""
        return replace(self, pipeline=replace(self.pipeline, skip=self.pipeline.skip | {name}))

    @classmethod
    def of(
        cls,
        passes: Passes,
        skip: str | Iterable[str],
        limit: int | None,
        exact: bool,
        max_growth: int,
        plugins: Iterable[str | Path],
    ) -> Plan:
        """Read what was asked for.

        Raises:
            UsageError: a pass, plugin or option does not exist.
        """
        for plugin in plugins:
            load_plugin(plugin)
        skip = (skip,) if isinstance(skip, str) else tuple(skip)
        names = [name for name in skip if "(" not in name]
        return cls(as_pipeline(passes, names), frozenset(skip), limit, exact, max_growth)

    def apply(
        self,
        model: Model,
        limit: int | None,
        skip: frozenset[str],
        instruments: Sequence[Instrument] = (),
        begun: Callable[[Ledger], None] | None = None,
    ) -> tuple[Report, Ledger]:
        """Rewrite `model` in place, with fewer rewrites if `limit` or `skip` says so; `begun` gets the empty ledger."""
        limits = [n for n in (limit, self.limit) if n is not None]
        ledger = Ledger(limit=min(limits, default=None), skip=self.skip | skip)
        if begun is not None:
            begun(ledger)
        ctx = Context(model, ledger, exact=self.exact, max_growth=self.max_growth)
        return run_pipeline(model, self.pipeline, ctx, instruments), ledger


class Job:
    """One run on its way.

    Attributes:
        model: what is rewritten.
        path: the file with the original, if there is one.
        verifier: what judges; None if nothing is to be verified.
        result: what is known so far.
        strict: a pass that fails ends the run.
    """

    def __init__(
        self, plan: Plan, source: str | os.PathLike[str] | Model, shop: Workshop, tell: Tell, strict: bool = False
    ) -> None:
        self.plan, self.shop, self.tell, self.strict = plan, shop, tell, strict
        self._asked = plan.pipeline
        self.path = None if isinstance(source, Model) else Path(source)
        self._original: Path | None = None
        self.verifier: Verifier | None = None
        self.result: Result | None = None
        self.ledger = Ledger()  # of the rewriting under way
        self.seconds: dict[str, float] = {}
        self.tell("loading")
        with self._timed("load"):
            self.model = source if isinstance(source, Model) else frontend.load(source)
        self.ops_before = count_ops(self.model)

    def original(self) -> Path:
        """A file with the model as it was, which a runtime can read; ask before it is rewritten."""
        if self._original is None and self.path is not None and frontend.has_foreign_data(self.model):
            self._original = self.shop.keep(self.model)
        if self._original is not None:
            return self._original
        if self.path is None:
            self.path = self.shop.keep(self.model)
        return self.path

    def verifying(
        self, inputs: Mapping[str, Array | str | Path] | None, dims: Mapping[str, int] | None
    ) -> dict[str, Any]:
        """What the verifier is to be told: data and sizes that are given, and what passes settle about the inputs.

        Raises:
            UsageError: these contradict each other.
        """
        all_inputs, all_dims, frozen = dict(inputs or {}), dict(dims or {}), list[str]()
        for member in self.plan.pipeline.members:
            if not isinstance(member, Pass):
                continue
            pins = member.pins(self.model)
            for name, size in pins.dims.items():
                if all_dims.setdefault(name, size) != size:
                    raise UsageError(f"dim {name!r}: {size} ({member.name}) and {all_dims[name]}")
            for name, array in pins.values.items():
                if name in all_inputs:
                    raise UsageError(f"input {name!r} is given twice: {member.name} makes it a constant")
                all_inputs[name] = array
                frozen.append(name)
        renewed = any(isinstance(m, Pass) and m.new_interface for m in self.plan.pipeline.members)
        return {
            "inputs": all_inputs,
            "dims": all_dims,
            "frozen": frozen,
            "new_interface": renewed,
        }

    def optimize(self, instruments: Sequence[Instrument] = (), *, compare_each: bool = False) -> None:
        """Rewrite the model and write a candidate, if somebody is to judge it.

        Raises:
            PassError: a pass failed and cannot be left out, because there is no file to begin again from.
        """
        self.tell("optimizing")
        if compare_each and self.verifier is not None:
            instruments = [*instruments, CompareEach(partial(self._differs, self.verifier))]
        bytes_before = 0 if self.path is None else model_bytes(self.path, self.model)
        failed: dict[str, str] = {}
        with self._timed("optimize"):
            report, ledger = self._apply(instruments, failed)
        self.result = Result(self.model, report, ledger, ops_before=self.ops_before, seconds=self.seconds)
        self.result.bytes_before, self.result.failed = bytes_before, failed
        if self.verifier is not None:
            self._write(self.model)

    def _apply(self, instruments: Sequence[Instrument], failed: dict[str, str]) -> tuple[Report, Ledger]:
        """Run the pipeline; what fails is left out, by beginning again from the file."""
        while True:
            try:
                return self.plan.apply(self.model, None, frozenset(), instruments, self._begin)
            except PassError as error:
                if self.strict or not error.guilty or error.guilty in failed or self.path is None:
                    raise
                failed[error.guilty] = str(error)
                self.plan = self.plan.without(error.guilty)
                self.model = frontend.load(self.path)

    def finish(self, on_mismatch: OnMismatch) -> Result:
        """Verify, mend, and put the result into its place.

        Raises:
            VerificationError: the numbers differ, and the run is to abort then, or what had to be left out is what the
                run was for.
        """
        result = self.result
        assert result is not None
        if self.verifier is not None:
            self.tell("verifying")
            with self._timed("verify"):
                self._judge(result, self.verifier, on_mismatch)
        self._check_promises(result)
        result.ops_after = count_ops(result.model)
        if self.shop.target is not None:
            self.tell("saving")
            with self._timed("save"):
                self.shop.publish(result.model)
            result.output = self.shop.target
            result.bytes_after = model_bytes(result.output, result.model)
        return result

    def _check_promises(self, result: Result) -> None:
        """See to it that no pass that had to be left out, as a whole or in part, is one that the run was for."""
        if result.report.limited:
            return
        for member in self._asked.members:
            if isinstance(member, Pass) and (why := member.unmet(result.model)):
                causes = list(result.failed.values()) + ([result.repair.summary()] if result.repair else [])
                raise VerificationError("; ".join((why, *causes, "nothing was written")))

    def replay(self, limit: int | None, skip: frozenset[str]) -> tuple[Path, Ledger]:
        """Make the model again from the original; for `gopt.verify.repair` and `bisect`."""
        model = frontend.load(self.original())
        report, ledger = self.plan.apply(model, limit, skip)
        if self.result is not None:
            self.result.model, self.result.report, self.result.ledger = model, report, ledger
        return self.shop.write(model), ledger

    def _judge(self, result: Result, verifier: Verifier, on_mismatch: OnMismatch) -> None:
        from ..verify import Status, repair
        from ..verify.repair import only_exact

        found = result.verification = verifier.check(
            self.shop.made,
            exact=only_exact(result.ledger),
            rebatch=result.ledger.facts.get("rebatch"),
            coarsest=result.ledger.facts.get("coarsest", ""),
        )
        rebatch = result.ledger.facts.get("rebatch")
        if rebatch is not None and not rebatch["proven"] and found.status is Status.UNVERIFIED:
            raise VerificationError(f"the new batch size cannot be verified: {found.reason}; nothing was written")
        if found.status is not Status.FAILED or on_mismatch == "warn":
            return
        if rebatch is not None:
            # To leave out what is wrong would deliver a model that takes another batch than the one asked for.
            raise VerificationError(f"the batch size cannot be changed: {found.summary()}; nothing was written")
        if on_mismatch == "abort":
            raise VerificationError(f"{found.summary()}; nothing was written (gopt bisect finds the guilty rewrite)")
        self.tell("looking for the guilty rewrite")
        mended = result.repair = repair(verifier, self.replay, progress=self.tell)
        result.verification = mended.verification
        if mended.ledger is None:
            result.model, result.ledger = frontend.load(self.original()), Ledger()
            self._write(result.model)

    def _write(self, model: Model) -> None:
        self.tell("saving")
        with self._timed("save"):
            self.shop.write(model)

    def _begin(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def _differs(self, verifier: Verifier, model: Model) -> str:
        """What differs from the original, "" if nothing does or nothing can be known."""
        from ..verify import Status

        facts = self.ledger.facts
        found = verifier.check(self.shop.write(model), rebatch=facts.get("rebatch"), coarsest=facts.get("coarsest", ""))
        return found.reason if found.status is Status.FAILED else ""

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        start = perf_counter()
        yield
        self.seconds[what] = self.seconds.get(what, 0.0) + perf_counter() - start


def count_ops(model: Model) -> dict[str, int]:
    """Ops by type (with its domain, if that is not the standard one), in all graphs."""
    found: Counter[str] = Counter()
    for graph in model.graphs():
        found.update([f"{op.domain}::{op.op_type}" if op.domain else op.op_type for op in graph.ops])
    return dict(found)


@contextmanager
def quiet_gc() -> Iterator[None]:
    """Keep the garbage collector off while graphs grow: it would walk all of them again and again."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            # Moves all that came into the oldest generation unseen, instead of walking it at once.
            gc.freeze()
            gc.unfreeze()
        gc.enable()
