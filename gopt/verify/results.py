"""What verification and repair hand back, and the limits that they work under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Any, Protocol

from ..errors import VerificationError


class Status(StrEnum):
    """How a verification ended."""

    OK = "ok"
    FAILED = "failed"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the child process may use.

    Attributes:
        timeout: seconds for making inputs and running the original; a candidate gets at least ten times as long as the
            original took.
        memory: bytes of data that the child may allocate; None: four fifths of what the machine has free.
        tries: how many assignments of dynamic dims are tried at most.
    """

    timeout: float = 120.0
    memory: int | None = None
    tries: int = 400


@dataclass(frozen=True, slots=True)
class Verification:
    """What is known about a candidate's numbers.

    Attributes:
        status: ok; failed: the candidate computes something else, or does not run where the original does; unverified:
            nothing is known, `reason` says why.
        max_abs: largest absolute error met in any output.
        max_rel: largest error relative to the largest magnitude of its output.
        cases: the assignments of dynamic dims that were run ({} for a model without any).
        runs: how many times each model ran.
        reason: why it is not ok; empty if it is.
        seconds: wall clock from the question to the answer.
        notes: what weakens an `ok` (a dim for which only one size ran, an output that is NaN throughout).
        doubtful: it failed where ties break otherwise, which a rewrite that rounds may be excused with.
    """

    status: Status
    max_abs: float = 0.0
    max_rel: float = 0.0
    cases: tuple[dict[str, int], ...] = ()
    runs: int = 0
    reason: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    doubtful: bool = False

    @property
    def ok(self) -> bool:
        """True if the numbers were compared and agree."""
        return self.status is Status.OK

    def require(self) -> Verification:
        """Itself, unless it failed.

        Raises:
            VerificationError: the status is `failed`.
        """
        if self.status is Status.FAILED:
            raise VerificationError(self.summary())
        return self

    def summary(self) -> str:
        """One line for a person."""
        if self.status is Status.UNVERIFIED:
            return f"not verified: {self.reason}"
        if self.status is Status.FAILED:
            return f"verification failed: {self.reason}"
        sizes = f", {len(self.cases)} sets of dims" if len(self.cases) > 1 else ""
        error = (
            f"largest error {self.max_abs:.2g} ({self.max_rel:.2g} of the largest value)" if self.max_abs else "equal"
        )
        return f"verified: {error}, {self.runs} run{'s' if self.runs != 1 else ''}{sizes}"

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`; an infinite error is null."""
        return {
            "status": str(self.status),
            "max_abs": self.max_abs if isfinite(self.max_abs) else None,
            "max_rel": self.max_rel if isfinite(self.max_rel) else None,
            "cases": list(self.cases),
            "runs": self.runs,
            "reason": self.reason,
            "seconds": round(self.seconds, 4),
            "notes": list(self.notes),
        }


class LedgerEntry(Protocol):
    """What bisection reads of an entry of the ledger (`gopt.rewrite`)."""

    @property
    def rule(self) -> str:
        """Name of the rule."""

    @property
    def key(self) -> str:
        """Rule and names of the outputs replaced; the same from run to run."""

    @property
    def numerics(self) -> int:
        """0 if the rewrite promises bit-equal results, 2 if it may round."""


class LedgerLike(Protocol):
    """What bisection reads of a ledger."""

    @property
    def entries(self) -> Sequence[LedgerEntry]:
        """All rewrites of the run, in order."""


@dataclass(frozen=True, slots=True)
class Guilty:
    """A rewrite that changes what the model computes.

    Attributes:
        rule: the rule's name.
        key: the entry's stable key; empty when the whole rule was left out.
        number: place of the entry in the ledger of the run in which it was found, from 1.
        found: the failed verification of the shortest failing prefix.
        scope: what was left out for it: "entry" or "rule".
        rounds: it promises equality over the reals alone.
    """

    rule: str
    key: str
    number: int
    found: Verification
    scope: str = "entry"
    rounds: bool = False

    def summary(self) -> str:
        """One line for a person."""
        what = (
            f"rewrite {self.number} ({self.key})" if self.scope == "entry" else f"rule {self.rule} (all its rewrites)"
        )
        return f"{what}: {self.found.reason}"

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "rule": self.rule,
            "key": self.key,
            "number": self.number,
            "scope": self.scope,
            "found": self.found.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Bisection:
    """Which rewrite is the first after which the model is wrong.

    Attributes:
        guilty: that rewrite; None if no prefix of the ledger fails, or the empty one does.
        entries: entries of the whole ledger.
        checks: how many models were verified.
        whole: the verification with all rewrites.
        reason: why there is no guilty one; empty if there is.
    """

    guilty: Guilty | None
    entries: int
    checks: int
    whole: Verification
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "guilty": self.guilty.to_json() if self.guilty else None,
            "entries": self.entries,
            "checks": self.checks,
            "whole": self.whole.to_json(),
            "reason": self.reason,
        }


class Delivered(StrEnum):
    """Which model a repair ends with."""

    REPAIRED = "repaired"
    ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done about a mismatch.

    Attributes:
        delivered: the rewritten model without the guilty rewrites, or the original.
        path: the file with that model.
        guilty: what was left out, in the order in which it was found.
        skip: keys and rule names left out; what to replay with.
        ledger: ledger of the delivered model, as `replay` returned it; None for the original.
        verification: of the delivered model (for the original: of the last candidate).
        checks: how many models were verified on the way.
        reason: why the original is delivered; empty for a repaired model.
    """

    delivered: Delivered
    path: Path
    guilty: tuple[Guilty, ...]
    skip: frozenset[str]
    ledger: Any
    verification: Verification
    checks: int
    reason: str = ""

    def summary(self) -> str:
        """One line for a person."""
        names = "; ".join(g.summary() for g in self.guilty)
        if self.delivered is Delivered.ORIGINAL:
            return f"the ORIGINAL model is delivered: {self.reason}" + (f" (guilty: {names})" if names else "")
        return f"left out: {names}"

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "delivered": str(self.delivered),
            "guilty": [g.to_json() for g in self.guilty],
            "skip": sorted(self.skip),
            "verification": self.verification.to_json(),
            "checks": self.checks,
            "reason": self.reason,
        }
