"""Plans for elementwise operators that the rule for all others does not fit, reductions, and sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from .core import PLANS, NoPlanError, Plan, Rng, Shape, Slot, broadcastable, ints, pick, planner, signed


@planner("Div")
def _div(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    return Plan([Slot(shape), Slot(broadcastable(shape, rng), positive=True)])


@planner("Sqrt", "Log", "Reciprocal")
def _of_positive(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    return Plan([Slot(shape, positive=True)])


@planner("Clip")
def _clip(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    low = rng.uniform(-1, 1)
    bounds = [low, low + rng.uniform(-0.2, 1)]
    for k, sign in enumerate((-1, 1)):
        if rng.random() < 0.35:
            bounds[k] = sign * pick(rng, [np.inf, float(np.finfo(np.float32).max)])
    return Plan([Slot(shape), *(Slot((), np.asarray(b), required=False) for b in bounds)])


@planner("Cast")
def _cast(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    return Plan([Slot(shape)], {"to": pick(rng, [1, 1, 1, 10, 11, 2, 3, 6, 7])})


@planner("CastLike")
def _cast_like(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    return Plan([Slot(shape), Slot((1,))])


@planner("PRelu")
def _prelu(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    return Plan([Slot(shape), Slot(broadcastable(shape, rng))])


@planner("Where")
def _where(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    form = broadcastable(shape, rng)
    condition = np.full(form, bool(rng.integers(2))) if rng.random() < 0.7 else rng.random(form) < 0.5
    return Plan([Slot(form, np.asarray(condition)), Slot(shape), Slot(broadcastable(shape, rng))])


@planner("BitShift")
def _bit_shift(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    return Plan(
        [Slot(shape), Slot(broadcastable(shape, rng), positive=True)], {"direction": pick(rng, ["LEFT", "RIGHT"])}
    )


@planner("SequenceConstruct", "Sum", "Max", "Min", "Mean")
def _several(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    return Plan([Slot(shape), *(Slot(broadcastable(shape, rng)) for _ in range(int(rng.integers(0, 3))))])


@planner("SequenceAt")
def _sequence_at(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    return Plan([Slot(shape), Slot((), np.array(int(rng.integers(-2, 3)), np.int64))])


@planner("Softmax", "LogSoftmax", "Hardmax")
def _softmax(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    if not shape:
        raise NoPlanError
    return Plan([Slot(shape)], {"axis": signed(int(rng.integers(len(shape))), len(shape), rng)})


def _reduction(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    """Over axes that are 1 in the result, of an operand that is as small there, or larger; or over none at all."""
    if rng.random() < 0.15:
        return Plan([Slot(shape), None], {"keepdims": 1, "noop_with_empty_axes": 1})
    operand = list(shape)
    if set(shape) == {1} and rng.random() < 0.5:  # no axes are all axes
        return Plan([Slot(tuple(int(rng.integers(1, 4)) for _ in shape)), None], {"keepdims": 1})
    if int(fixed.get("keepdims", rng.random() < 0.7)):
        axes = [k for k, d in enumerate(shape) if d == 1 and rng.random() < 0.7]
        keep = 1
    else:
        axes = [int(rng.integers(len(shape) + 1))]
        operand.insert(axes[0], 1)
        keep = 0
    if not axes:
        raise NoPlanError
    if rng.random() < 0.5:
        for axis in axes:
            operand[axis] = int(rng.integers(1, 5))
    given = ints(*(signed(a, len(operand), rng) for a in axes))
    return Plan([Slot(tuple(operand)), Slot(given.shape, given)], {"keepdims": keep})


for _name in ("Max", "Min", "Mean", "Sum", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"):
    PLANS[f"Reduce{_name}"] = _reduction
