"""How much a model moves by rounding alone: what a rewrite may be excused with. Used by the worker process only.

Asked only where outputs differ by more than rounding mostly makes, or on inputs on which more may be expected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ir import Array, dtype_of
from .compare import Comparer, Comparison, Suspect, parts_of
from .inner import Inside
from .sessions import Session, seeded
from .stirring import STEPS, stirred
from .styles import Style

if TYPE_CHECKING:
    from .original import Original, Run

FACTOR = 16.0
"""How many times further than in the few trials made here rounding may move a number."""
_TRIALS = 2
_LONG = 3.0
_LARGE = 1 << 29
"""Seconds of a run, and bytes of a file, from which on nothing is tried."""


@dataclass(slots=True)
class Moved:
    """Largest changes in some trials: by tensor, and by position along an axis."""

    errors: dict[str, float] = field(default_factory=dict)
    parts: dict[tuple[str, int], Array] = field(default_factory=dict)

    def note(self, trial: Comparison) -> None:
        """Take in what one trial showed."""
        for where, error in trial.errors.items():
            self.errors[where] = max(self.errors.get(where, 0.0), error)
        for place, errors in trial.parts.items():
            self.parts[place] = np.maximum(self.parts.get(place, 0.0), errors)

    def explains(self, suspect: Suspect, found: Comparison) -> bool:
        """True if rounding may have done it."""
        where, place = suspect.where, (suspect.where, suspect.axis)
        if where not in self.errors:
            return True  # it is no output of the original: nothing is known of it
        if suspect.parts is None:
            return found.errors[where] <= FACTOR * self.errors[where]
        if place not in self.parts:
            return True
        return bool((found.parts[place] <= FACTOR * self.parts[place])[suspect.parts].all())


@dataclass(slots=True)
class Noise:
    """What is known of the rounding of one original.

    Attributes:
        original: the model.
        seconds: time for one run.
        told: is told that trials begin, in case that the process does not survive them.
        trusting: nothing is tried; whatever may be rounding is.
        forgiving: ties may break either way.
        doubtful: what was confirmed last is so only if ties may not.
    """

    original: Original
    seconds: float
    told: Callable[[], None]
    trusting: bool = False
    forgiving: bool = False
    doubtful: bool = False
    _known: dict[tuple[int, bool], Moved] = field(default_factory=dict)
    _special: dict[int, frozenset[str]] = field(default_factory=dict)

    def confirmed(self, run: Run, found: Comparison) -> list[str]:
        """What is to be said of the suspects of a run that rounding does not explain."""
        self.doubtful = False
        if not found.suspects or self.trusting or self._is_large():
            return []
        self.told()
        tied = run.style is Style.STEPS
        reasons = self._unexplained(run, found, moving=not tied or self.forgiving)
        if reasons and run.style is not Style.PLAIN and self._meets_special(run):
            return []
        self.doubtful = bool(reasons) and tied and not self._unexplained(run, found, moving=True)
        return reasons

    def _is_large(self) -> bool:
        """True if trials would take much time or memory."""
        return self.original.seconds > _LONG or self.original.path.stat().st_size > _LARGE

    def _unexplained(self, run: Run, found: Comparison, moving: bool) -> list[str]:
        moved = self._moved(run, moving)
        return [suspect.why for suspect in found.suspects if not moved.explains(suspect, found)]

    def _moved(self, run: Run, moving: bool) -> Moved:
        """How outputs change as the runtime rewrites the model and, if asked, as its numbers are moved."""
        key = id(run), moving
        if key not in self._known:
            self._known[key] = moved = Moved()
            moved.note(self._compared(run, run.expected))
            for outputs in self._others(run, moving):
                moved.note(self._compared(run, outputs))
        return self._known[key]

    def _compared(self, run: Run, outputs: Mapping[str, Any]) -> Comparison:
        found = Comparison()
        Comparer(self.original.coarsest).outputs(run.expected, outputs, found)
        for name, value in run.expected.items():
            where, other = f"output {name!r}", outputs.get(name)
            if isinstance(value, np.ndarray):
                found.errors.setdefault(where, 0.0)
                if isinstance(other, np.ndarray) and other.shape == value.shape and np.isfinite(found.errors[where]):
                    for _ in parts_of(where, value, other, found):
                        pass
        return found

    def _others(self, run: Run, moving: bool) -> Iterator[dict[str, Any]]:
        """Outputs of trials: the model as the runtime rewrites it, inputs or all results a rounding error away."""
        feed = self.original.feed(run.case, run.seed, run.style)
        trials: dict[str, list[Mapping[str, Any]]] = {"rewritten": [feed]}
        if moving:
            trials["as written"] = [moved for k in range(_TRIALS) if (moved := _moved(feed, k)) is not feed]
            trials["stirred"] = [feed]
        for how, feeds in trials.items():
            try:
                session = self._load(how) if feeds else None
                for values in feeds:
                    assert session is not None
                    yield session.run(values, self.seconds)
            except Exception:  # the runtime's own rewriting may fail; then it says nothing
                continue

    def _load(self, how: str) -> Session:
        path, random = self.original.path, self.original.random
        folder = path.resolve().parent
        if how == "stirred":
            return Session(stirred(Inside(path, random).model, path), folder)
        if random:
            return Session(seeded(path, random), folder, optimized=how == "rewritten")
        return Session(path, optimized=how == "rewritten")

    def _meets_special(self, run: Run) -> bool:
        """True if NaN or infinity occurs where it does not in the first run: most rewrites promise nothing then.

        What is always there, and minus infinity, is of masks, with which rewrites have to be right.
        """
        return not self._specials(run) <= self._specials(self.original.runs[0])

    def _specials(self, run: Run) -> frozenset[str]:
        """Values that hold NaN or infinity."""
        if id(run) not in self._special:
            found: frozenset[str] = frozenset()
            try:
                inside = Inside(self.original.path, self.original.random)
                made = {n: None for node in inside.model.graph.node for n in node.output if n}
                values = inside.session(made).run(self.original.feed(run.case, run.seed, run.style), self.seconds)
                found = frozenset(name for name, value in values.items() if _is_special(value))
            except Exception:  # it does not run with all these outputs
                pass
            self._special[id(run)] = found
        return self._special[id(run)]


def _is_special(value: Any) -> bool:
    if not isinstance(value, np.ndarray) or value.dtype.hasobject or not dtype_of(value).is_float:
        return False
    wide = value.astype(np.float64)
    return bool((np.isnan(wide) | np.isposinf(wide)).any())


def finite(values: Mapping[str, Any]) -> bool:
    """True if no float among the tensors is NaN or an infinity."""
    arrays = [v for v in values.values() if isinstance(v, np.ndarray) and not v.dtype.hasobject]
    return all(bool(np.isfinite(a.astype(np.float64)).all()) for a in arrays if dtype_of(a).is_float)


def _moved(values: Mapping[str, Any], trial: int) -> Mapping[str, Any]:
    """The same with each float a rounding error away; itself if there are no floats."""
    rng = np.random.default_rng([trial, 7])
    made, any_moved = dict(values), False
    for name, value in values.items():
        step = STEPS.get(dtype_of(value)) if isinstance(value, np.ndarray) and not value.dtype.hasobject else None
        if step is not None:
            factor: Array = 1 + step * rng.choice([-1.0, 1.0], value.shape)
            made[name] = np.asarray((value.astype(np.float64) * factor).astype(value.dtype))
            any_moved = True
    return made if any_moved else values
