"""The table of steps: functions that put one or a few ops on a sketch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..sketch import Misfit, Sketch

Step = Callable[[Sketch], object]
STEPS: list[tuple[Step, float]] = []


def step(weight: float = 1.0) -> Callable[[Step], Step]:
    """Enter the decorated function into the table; `weight` is how often it is chosen in relation to the others."""

    def decorate(function: Step) -> Step:
        STEPS.append((function, weight))
        return function

    return decorate


def grow(sketch: Sketch, count: int) -> None:
    """Take so many steps, those of the sketch's focus more often; those that find nothing to fit on are left out."""
    weights = np.array([weight * (8 if _home(function) == sketch.focus else 1) for function, weight in STEPS])
    weights /= weights.sum()
    for _ in range(count):
        function, _ = STEPS[int(sketch.rng.choice(len(STEPS), p=weights))]
        try:
            function(sketch)
        except Misfit:
            continue


def _home(function: Step) -> str:
    """The file that a step stands in."""
    return function.__module__.rsplit(".", 1)[-1]


def axis(sketch: Sketch, rank: int) -> int:
    """An axis, now and then counted from the end."""
    if not rank:
        raise Misfit
    found = sketch.number(0, rank - 1)
    return found - rank if sketch.chance(0.3) else found
