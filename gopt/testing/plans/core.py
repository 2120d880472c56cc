"""What a plan is, and the table of planners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from ...ir import Array

Shape = tuple[int, ...]
Rng = np.random.Generator
T = TypeVar("T")


@dataclass(slots=True)
class Slot:
    """What an operand must be.

    Attributes:
        shape: its shape.
        data: its elements, for an operand whose value decides the result's shape: it is made constant always.
        positive: its elements are above zero (variances, divisors).
        required: it must be there even if the pattern does not name it.
    """

    shape: Shape
    data: Array | None = None
    positive: bool = False
    required: bool = True


@dataclass(slots=True)
class Plan:
    """Operands by slot (None: omitted), and attributes."""

    slots: list[Slot | None]
    attrs: dict[str, Any] = field(default_factory=dict)


class NoPlanError(Exception):
    """No operands give a result of the wanted shape."""


Planner = Callable[[Shape, dict[str, Any], Rng], Plan]
PLANS: dict[str, Planner] = {}


def plan(op_type: str, shape: Shape, fixed: dict[str, Any], rng: Rng, operands: int) -> Plan:
    """A plan for a result of `shape`, given the attributes that the pattern fixes.

    Operators without a planner count as elementwise.

    Raises:
        NoPlanError: there is none.
    """
    planner = PLANS.get(op_type)
    if planner is not None:
        return planner(shape, fixed, rng)
    return Plan([Slot(broadcastable(shape, rng) if k else shape) for k in range(max(operands, 1))])


def planner(*op_types: str) -> Callable[[Planner], Planner]:
    """Enter the decorated function into the table for these operators."""

    def decorate(function: Planner) -> Planner:
        for op_type in op_types:
            PLANS[op_type] = function
        return function

    return decorate


def broadcastable(shape: Shape, rng: Rng) -> Shape:
    """A shape that broadcasts into `shape` without enlarging it: the same, a scalar, per-channel or trailing forms."""
    forms: list[Shape] = [shape, (), (1,), shape[-1:], (1,) * len(shape)]
    if len(shape) >= 2:
        forms += [(shape[1],) + (1,) * (len(shape) - 2), (1, shape[1]) + (1,) * (len(shape) - 2)]
    return pick(rng, forms)


def pick(rng: Rng, choices: list[T]) -> T:
    """One of them; numpy's own choice makes arrays of what it is given."""
    return choices[int(rng.integers(len(choices)))]


def ints(*numbers: int) -> Array:
    """A constant operand of integers."""
    return np.array(numbers, np.int64)


def signed(axis: int, rank: int, rng: Rng) -> int:
    """An axis, now and then counted from the end."""
    return axis - rank if rng.random() < 0.3 else axis


def need_rank(shape: Shape, *ranks: int) -> None:
    """Raise NoPlanError unless the shape has one of these ranks."""
    if len(shape) not in ranks:
        raise NoPlanError
