"""Runs a pipeline over a model.

Rules that stand side by side share one worklist. In a group that is repeated, a step that has nothing to do because the
model is as it left it is not run, and rules start from the ops touched since they last ran.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Any

from .. import analysis
from ..errors import GoptError, GraphError, ModelError, PassError, ResourceError, RewriteLoopError
from ..ir import Graph, Model, Op, Role, Value
from ..ops import NotAvailable, complaint, newest
from ..rewrite import Context, Driver, Entry, rule_index
from .instruments import Instrument
from .pipeline import Loop, PassStep, Pipeline, RuleStep, Step, as_pipeline
from .report import PassRun, Report

MAX_REPETITIONS = 100
"""Repetitions of a group without a number that may leave no fewer ops; control flow in a row takes some per branch."""


def run_pipeline(
    model: Model,
    pipeline: str | Pipeline | Sequence[Any],
    ctx: Context | None = None,
    instruments: Sequence[Instrument] = (),
) -> Report:
    """Rewrite `model` in place.

    Args:
        model: the model.
        pipeline: text, a `Pipeline`, or passes and rules.
        ctx: ledger and limits of the run; the context's model must be `model`.
        instruments: told before and after each step, and of each rewrite.

    Raises:
        UsageError: the pipeline does not exist as written, or a pass refused its options.
        RewriteLoopError: rules, or the passes of a group, undo each other for ever.
        PassError: a pass raised something else; it names the pass.
        ModelError: an op is not what its operator's schema says; no runtime would take the model.
    """
    ctx = Context(model) if ctx is None else ctx
    _check_ops(model)
    return _Run(model, as_pipeline(pipeline), ctx, instruments).all()


def _check_ops(model: Model) -> None:
    """Passes rely on what the schemas say, and know nothing of versions that are yet to come."""
    for graph in (model.graph, *(f.graph for f in model.functions.values())):
        version = graph.opsets.get("", 0)
        if version > newest():
            raise ModelError(f"opset {version} is newer than {newest()}, the newest that gopt knows")
    for graph in model.graphs():
        for op in graph.ops:
            if problem := complaint(op):
                raise ModelError(f"{op.label}: {problem}")


class _Run:
    """The state of one run."""

    def __init__(self, model: Model, pipeline: Pipeline, ctx: Context, instruments: Sequence[Instrument]) -> None:
        self.model = model
        self.ctx = ctx
        self.steps = pipeline.steps()
        self.instruments = instruments
        self.report = Report(str(pipeline), model.count_ops())
        self._count = self.report.ops_before
        self._now = self._state()  # only steps change the model, so that it is looked at once after each
        self.touched = _Touched(model) if any(isinstance(s, Loop) for s in self.steps) else None
        self._types: tuple[tuple[int, ...], frozenset[str]] = ((), frozenset())
        self._inferred: tuple[int, ...] = ()
        self._clean: dict[int, tuple[int, ...]] = {}
        self._mark: dict[int, int] = {}

    def all(self) -> Report:
        start = perf_counter()
        told = [i.rewrite for i in self.instruments if type(i).rewrite is not Instrument.rewrite]

        def tell(entry: Entry) -> None:
            for hook in told:
                hook(entry, self.model)

        if told:
            self.ctx.ledger.listeners.append(tell)
        try:
            for instrument in self.instruments:
                instrument.start(self.model, self.report.pipeline)
            for step in self.steps:
                self._step(step, 1)
        finally:
            if told:
                self.ctx.ledger.listeners.remove(tell)
            if self.touched is not None:
                self.touched.leave()
        self.report.limited = self.ctx.ledger.exhausted
        self.report.ops_after = self._count
        self.report.seconds = perf_counter() - start
        for instrument in self.instruments:
            instrument.finish(self.model, self.report)
        return self.report

    def _step(self, step: Step, repetition: int) -> None:
        if self.ctx.ledger.exhausted:
            return
        if isinstance(step, Loop):
            self._loop(step)
        elif self._clean.get(id(step)) != self._now and not self._is_idle(step):
            self._timed(step, repetition)

    def _is_idle(self, step: Step) -> bool:
        """True in a group for a pass whose kind of ops the model does not hold."""
        needs = step.pass_.needs if isinstance(step, PassStep) and self.touched is not None else ()
        if not needs:
            return False
        if self._types[0] != self._now:
            self._types = (self._now, frozenset(op.op_type for graph in self.model.graphs() for op in graph.ops))
        return self._types[1].isdisjoint(needs)

    def _loop(self, loop: Loop) -> None:
        repetition = in_vain = 0
        while repetition < loop.times if loop.times is not None else in_vain < MAX_REPETITIONS:
            repetition += 1
            before, first, ops = self._now, len(self.report.runs), self._count
            for step in loop.steps:
                self._step(step, repetition)
            if self._now == before or self.ctx.ledger.exhausted:
                return
            in_vain += self._count >= ops
        if loop.times is None:
            raise RewriteLoopError(_still_changing(loop, self.report.runs[first:]))

    def _timed(self, step: RuleStep | PassStep, repetition: int) -> None:
        before, ops, entries = self._now, self._count, len(self.ctx.ledger.entries)
        for instrument in self.instruments:
            instrument.before(step.name, self.model)
        self._infer()
        start = perf_counter()
        self._guarded(step)
        seconds = perf_counter() - start
        after = self._now = self._state()
        # Rules are at their fixed point now; of a pass that changed something that is not known.
        if isinstance(step, RuleStep) or after == before:
            self._clean[id(step)] = after
        made = self.ctx.ledger.entries[entries:]
        done = dict(Counter(e.rule for e in made)) if made else {}
        if after != before:
            self._count = self.model.count_ops()
        number = len(self.report.runs) + 1
        run = PassRun(number, step.name, repetition, seconds, ops, self._count, done, after != before)
        self.report.runs.append(run)
        for instrument in self.instruments:
            instrument.after(run, self.model)

    def _infer(self) -> None:
        """Bring the types up to date, so that no pass has to."""
        if self._inferred == self._now:
            return
        self._inferred = self._now
        start = perf_counter()
        retyped = analysis.infer(self.model)
        if self.touched is not None:
            self.touched.log.extend(retyped)
        self.report.inference += perf_counter() - start

    def _guarded(self, step: RuleStep | PassStep) -> None:
        """Run a step; whatever it raises comes out as an error of gopt that names it."""
        guilty = step.name if isinstance(step, PassStep) else ""
        try:
            if isinstance(step, RuleStep):
                self._rules(step)
            else:
                step.pass_.run(self.model, self.ctx)
                for graph in self.model.graphs():
                    _ = graph.ops  # sorted now, for later: a cycle is to be this pass's error, and not one of the next
        except (GraphError, NotAvailable) as error:
            raise PassError(f"{step.name}: {error}", guilty) from error
        except GoptError:
            raise
        except MemoryError as error:
            raise ResourceError(f"{step.name}: out of memory") from error
        except Exception as error:
            raise PassError(f"{step.name} failed: {type(error).__name__}: {error}", guilty) from error

    def _rules(self, step: RuleStep) -> None:
        index = rule_index(tuple(step.rules))
        seeds = None
        if self.touched is not None and id(step) in self._mark:
            seeds = self.touched.since(self._mark[id(step)])
        driver = Driver(self.ctx, index)
        driver.run(seeds)
        if self.touched is not None:
            self.touched.watch()
            self.touched.log.extend(driver.retyped)
            self._mark[id(step)] = len(self.touched.log)

    def _state(self) -> tuple[int, ...]:
        """Differs whenever the model was changed in between (versions alone may add up alike when graphs go)."""
        return (self.model.version, len(self.model.functions), len(self.ctx.ledger.entries))


class _Touched:
    """A graph listener that writes down which ops rules should look at again."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.log: list[Op] = []
        self._graphs: dict[Graph, None] = {}
        self.watch()
        self.log.clear()

    def watch(self) -> None:
        """Listen to graphs that are new too; all their ops count as touched."""
        for graph in self.model.graphs():
            if graph not in self._graphs:
                self._graphs[graph] = None
                graph.listeners.append(self)
                self.log.extend(graph.ops)

    def leave(self) -> None:
        for graph in self._graphs:
            graph.listeners.remove(self)

    def added(self, op: Op) -> None:
        self.log.append(op)

    def removed(self, op: Op) -> None:
        self.log.append(op)

    def operand_changed(self, op: Op, old: Value | None) -> None:
        self.log.append(op)
        if old is not None and (producer := old.producer) is not None:
            self.log.append(producer)

    def since(self, mark: int) -> list[Op]:
        """Ops touched after the log had `mark` entries."""
        self.watch()
        seeds: dict[Op, None] = {}
        for op in dict.fromkeys(self.log[mark:]):
            seeds[op] = None
            if op.graph is None:
                # What it took may have become single-use, which is what a match inside of a larger one waits for.
                seeds.update((u, None) for v in op.inputs if v is not None for u in _around(v))
        return list(seeds)


def _around(value: Value) -> Iterable[Op]:
    if value.graph is None or value.role not in (Role.RESULT, Role.CONST):
        return ()
    users = tuple(value.graph.users(value)) if value.has_one_use else ()
    producer = value.producer
    return users if producer is None else (producer, *users)


def _still_changing(loop: Loop, runs: Sequence[PassRun]) -> str:
    guilty = [f"{r.name} ({', '.join(r.rewrites)})" if r.rewrites else r.name for r in runs if r.changed]
    return f"{loop.name} still changes the model after {MAX_REPETITIONS} repetitions: {'; '.join(guilty)}"
