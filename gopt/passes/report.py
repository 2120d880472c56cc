"""What a run of a pipeline did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class PassRun:
    """One step of a pipeline, run once.

    Attributes:
        number: position among the runs, from 1.
        name: the pass, or the selections whose rules ran together, joined by commas.
        repetition: which repetition of the group around it this was, from 1; 1 outside of groups.
        seconds: wall time.
        ops_before, ops_after: ops in all graphs of the model.
        rewrites: commits by rule, in order of first commit.
        changed: whether the model was changed, by whatever means.
    """

    number: int
    name: str
    repetition: int
    seconds: float
    ops_before: int
    ops_after: int
    rewrites: dict[str, int]
    changed: bool

    @property
    def total(self) -> int:
        """Number of commits."""
        return sum(self.rewrites.values())


@dataclass(slots=True)
class Report:
    """The runs of one pipeline, in order.

    Attributes:
        pipeline: its canonical text.
        ops_before, ops_after: ops in all graphs of the model.
        seconds: wall time of the whole.
        inference: wall time of type inference between the steps, a part of `seconds`.
        runs: each step as often as it ran; a step is not run again while nothing changed since it last ran.
        limited: True if the ledger's limit ended the run.
    """

    pipeline: str
    ops_before: int = 0
    ops_after: int = 0
    seconds: float = 0.0
    inference: float = 0.0
    runs: list[PassRun] = field(default_factory=list)
    limited: bool = False

    @property
    def rewrites(self) -> dict[str, int]:
        """Commits by rule, in order of first commit."""
        total: Counter[str] = Counter()
        for run in self.runs:
            total.update(run.rewrites)
        return dict(total)

    @property
    def total(self) -> int:
        """Number of commits."""
        return sum(run.total for run in self.runs)

    def by_pass(self) -> dict[str, PassRun]:
        """The runs of each name added up: seconds, rewrites, and `repetition` as the number of runs."""
        merged: dict[str, PassRun] = {}
        for run in self.runs:
            known = merged.get(run.name)
            if known is None:
                merged[run.name] = PassRun(
                    run.number, run.name, 1, run.seconds, run.ops_before, run.ops_after, run.rewrites, run.changed
                )
                continue
            merged[run.name] = PassRun(
                known.number,
                run.name,
                known.repetition + 1,
                known.seconds + run.seconds,
                known.ops_before,
                known.ops_after + run.ops_after - run.ops_before,
                dict(Counter(known.rewrites) + Counter(run.rewrites)),
                known.changed or run.changed,
            )
        return merged

    def as_dict(self) -> dict[str, Any]:
        """The report in plain types, for JSON."""
        return {
            "pipeline": self.pipeline,
            "ops_before": self.ops_before,
            "ops_after": self.ops_after,
            "seconds": self.seconds,
            "inference": self.inference,
            "limited": self.limited,
            "rewrites": self.rewrites,
            "passes": [
                {
                    "name": run.name,
                    "repetition": run.repetition,
                    "seconds": run.seconds,
                    "ops_before": run.ops_before,
                    "ops_after": run.ops_after,
                    "rewrites": run.rewrites,
                    "changed": run.changed,
                }
                for run in self.runs
            ],
        }
