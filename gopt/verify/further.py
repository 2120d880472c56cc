"""Further runs: numbers of other styles, and sizes that are unlike the first ones, as far as time allows.

What they show is judged with care: they go where rounding counts for more, and rewrites need not hold for NaN.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from ..ir.expressions import Dims
from .noise import finite
from .sessions import Session
from .sizes import Variable, unlike
from .styles import Style

if TYPE_CHECKING:
    from .original import Original, Run

_SEED = 100
_SHARE = 0.1
_LEAST = 0.15
"""Seconds that further runs of the original may take: so many, or a share of what went before, if that is more.

These are seconds of the processor, so that what is run does not depend on what else the machine does."""
_PATIENCE, _MARGIN = 0.2, 2.0
"""Seconds on the clock that any run gets, and how many times what is left it gets beside."""
_STYLES = (Style.WIDE, Style.STEPS, Style.STEADY, Style.ODD, Style.WIDE, Style.STEPS, Style.STEADY)
"""In order of what they are worth; where runs take no time, the numbers of a second round differ."""

Plan = list[tuple[Style, int, Dims]]
Make = Callable[[Dims, int, Style, dict[str, Any]], "Run"]
Told = Callable[[Dims], None]


def planned(plan: Sequence[Sequence[Any]]) -> Plan:
    """A plan that was sent as plain data."""
    return [(Style(style), int(seed), dict(case)) for style, seed, case in plan]


def run_further(
    original: Original,
    session: Session,
    free: Sequence[Variable],
    cases: Sequence[Dims],
    began: float,
    make: Make,
    told: Told,
) -> Plan:
    """Run the original some more; what went well is in `original.further` afterwards.

    Args:
        original: the model; its first runs are done.
        session: the same, loaded.
        free: its dynamic dims.
        cases: the assignments that ran.
        began: what the processor had done when the work on the original began.
        make: makes a `Run` of what came out.
        told: is told what is tried, in case that the process does not survive it.

    Returns:
        What to run again, if it has to be.
    """
    left = max(_LEAST, _SHARE * (time.process_time() - began))
    sizes = _Sizes(free, cases, original.effort)
    plan: Plan = []
    for number, style in enumerate(_STYLES):
        for case in sizes.worth_trying(style):
            if left < sizes.expected(case):
                continue
            told(case)
            started = time.process_time()
            outputs = _try(original, session, case, _SEED + number, style, _PATIENCE + _MARGIN * left)
            spent = time.process_time() - started
            left -= spent
            sizes.tried(case, style, spent, outputs is not None)
            if outputs is not None:
                if style is Style.ODD or finite(outputs):
                    original.further.append(make(case, _SEED + number, style, outputs))
                    plan.append((style, _SEED + number, case))
                break
    return plan


def run_again(original: Original, session: Session, plan: Plan, seconds: float, make: Make) -> None:
    """Run what was run before in another process."""
    for style, seed, case in plan:
        outputs = _try(original, session, case, seed, style, seconds)
        if outputs is not None:
            original.further.append(make(case, seed, style, outputs))


def _try(
    original: Original, session: Session, case: Dims, seed: int, style: Style, seconds: float
) -> dict[str, Any] | None:
    try:
        return session.run(original.feed(case, seed, style), seconds)
    except Exception:  # sizes or numbers that the model does not take
        return None


class _Sizes:
    """Which assignments are worth trying: unlike ones until one ran or all failed, then that one or the last known."""

    def __init__(self, free: Sequence[Variable], cases: Sequence[Dims], seconds: float) -> None:
        self._free, self._cases, self._seconds = free, list(cases), seconds
        self._known: dict[tuple[tuple[str, int], ...], float] = {}
        self._failed: list[Dims] = []
        self._settled: Dims = self._cases[-1]

    def worth_trying(self, style: Style) -> Iterator[Dims]:
        """In the order in which they are to be tried."""
        small = style is Style.STEPS
        made = [*unlike(self._free, self._cases, small)] if small or self._settled in self._cases else []
        for case in [*made, self._settled]:
            if case not in self._failed:
                yield case

    def expected(self, case: Dims) -> float:
        """Seconds that a run may take."""
        return self._known.get(_key(case), self._seconds * self._growth(case))

    def tried(self, case: Dims, style: Style, seconds: float, ran: bool) -> None:
        """Learn from a try."""
        if not ran:
            # A known size fails for its numbers, and may do with others.
            self._failed += [] if case in self._cases or _key(case) in self._known else [case]
            return
        self._known[_key(case)] = max(seconds, self._known.get(_key(case), 0.0))
        if style is not Style.STEPS:
            self._settled = case

    def _growth(self, case: Dims) -> float:
        """How much more than the largest of the first ones it is to compute, roughly."""
        return min(
            prod(max(1.0, size / max(known.get(name, 1), 1)) for name, size in case.items()) for known in self._cases
        )


def _key(case: Dims) -> tuple[tuple[str, int], ...]:
    return tuple(case.items())
