"""Onlookers of a run: told before and after each step, and of each rewrite."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from ..errors import GoptError, PassError, VerificationError
from ..ir import Model
from ..rewrite.ledger import Entry
from .report import PassRun, Report


class Instrument:
    """Base of all instruments; every hook does nothing. An instrument reads the model and changes nothing in it."""

    def start(self, model: Model, pipeline: str) -> None:
        """Called before the first step."""

    def before(self, name: str, model: Model) -> None:
        """Called before each step."""

    def after(self, run: PassRun, model: Model) -> None:
        """Called after each step."""

    def rewrite(self, entry: Entry, model: Model) -> None:
        """Called after each rewrite."""

    def finish(self, model: Model, report: Report) -> None:
        """Called after the last step."""


class Timing(Instrument):
    """Writes a line per step: seconds, ops, rewrites."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def after(self, run: PassRun, model: Model) -> None:
        """Write the line."""
        what = f"{run.total} rewrites" if run.rewrites else "changed" if run.changed else "nothing"
        again = f" #{run.repetition}" if run.repetition > 1 else ""
        line = f"{run.seconds * 1e3:9.2f} ms  {run.ops_before:6} -> {run.ops_after:6} ops  {run.name}{again}: {what}"
        print(line, file=self.stream, flush=True)

    def finish(self, model: Model, report: Report) -> None:
        """Write the total."""
        change = f"{report.ops_before:6} -> {report.ops_after:6} ops"
        inference = f"type inference {report.inference * 1e3:.2f} ms"
        line = f"{report.seconds * 1e3:9.2f} ms  {change}  in all, {inference}"
        print(line, file=self.stream, flush=True)


class DumpWhenChanged(Instrument):
    """Writes the model as text into numbered files: the input, then after each step that changed it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def start(self, model: Model, pipeline: str) -> None:
        """Write the input."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.count = 0
        self._dump("input", model)

    def after(self, run: PassRun, model: Model) -> None:
        """Write the result of a step that changed the model."""
        if run.changed:
            self._dump(run.name, model)

    def _dump(self, name: str, model: Model) -> None:
        from ..ir.printer import to_text

        safe = re.sub(r"[^\w.+-]+", "+", name)[:80]
        (self.folder / f"{self.count:03}-{safe}.txt").write_text(to_text(model), encoding="utf-8")
        self.count += 1


class VerifyEach(Instrument):
    """Checks the invariants of the IR after each step that changed the model."""

    def __init__(self, check: Callable[[Model], None] | None = None) -> None:
        self._check = check

    def after(self, run: PassRun, model: Model) -> None:
        """Check.

        Raises:
            PassError: naming the step that left the model broken.
        """
        if not run.changed:
            return
        if self._check is None:
            from ..ir.check import check

            self._check = check
        try:
            self._check(model)
        except GoptError as error:
            raise PassError(f"{run.name} (step {run.number}) left a broken model: {error}") from error


class CompareEach(Instrument):
    """Compares the numbers after each step that changed the model."""

    def __init__(self, compare: Callable[[Model], str]) -> None:
        """`compare` runs the model and says what differs from the original, "" if nothing does."""
        self._compare = compare

    def after(self, run: PassRun, model: Model) -> None:
        """Compare.

        Raises:
            VerificationError: naming the step after which the numbers differ.
        """
        if run.changed and (differs := self._compare(model)):
            raise VerificationError(
                f"after {run.name} (step {run.number}) the model computes something else: {differs}"
            )


class Progress(Instrument):
    """Calls a function with the name of each step as it begins."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def before(self, name: str, model: Model) -> None:
        """Tell."""
        self._tell(name)
