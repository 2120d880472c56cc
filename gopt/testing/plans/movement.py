"""Plans for operators that move elements about and compute nothing."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .core import NoPlanError, Plan, Rng, Shape, Slot, broadcastable, ints, pick, planner, signed


@planner("Reshape")
def _reshape(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    operand = pick(rng, [shape, (prod(shape),), (1, *shape), shape[::-1]])
    target = list(shape)
    for k, (a, b) in enumerate(zip(operand, shape)):
        if a == b and rng.random() < 0.2:
            target[k] = 0
    if target and rng.random() < 0.5:
        target[int(rng.integers(len(target)))] = -1
    return Plan([Slot(operand), Slot((len(shape),), ints(*target))])


@planner("Flatten")
def _flatten(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    if len(shape) != 2:
        raise NoPlanError
    if rng.random() < 0.5:
        return Plan([Slot(shape)], {"axis": signed(1, 2, rng)})
    axis = pick(rng, [1, -2])
    return Plan([Slot((*shape, 1))], {"axis": axis})


@planner("Squeeze")
def _squeeze(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    axis = int(rng.integers(len(shape) + 1))
    return Plan([Slot((*shape[:axis], 1, *shape[axis:])), Slot((1,), ints(signed(axis, len(shape) + 1, rng)))])


@planner("Unsqueeze")
def _unsqueeze(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    ones = [k for k, d in enumerate(shape) if d == 1]
    if not ones:
        raise NoPlanError
    axis = pick(rng, ones)
    return Plan([Slot(shape[:axis] + shape[axis + 1 :]), Slot((1,), ints(signed(axis, len(shape), rng)))])


@planner("Transpose")
def _transpose(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    perm = tuple(fixed.get("perm") or (int(p) for p in rng.permutation(len(shape))))
    if rng.random() < 0.2 and not fixed.get("perm"):
        perm = tuple(range(len(shape)))
    if len(perm) != len(shape):
        raise NoPlanError
    operand = [0] * len(shape)
    for k, p in enumerate(perm):
        operand[p] = shape[k]
    return Plan([Slot(tuple(operand))], {"perm": list(perm)} if perm else {})


@planner("Expand")
def _expand(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    target = shape
    operand = broadcastable(shape, rng)
    if rng.random() < 0.4:
        operand, target = shape, broadcastable(shape, rng)
    return Plan([Slot(operand), Slot((len(target),), ints(*target))])


@planner("Tile")
def _tile(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    repeats = [int(rng.choice([1, 1, d])) for d in shape]
    return Plan([Slot(tuple(d // r for d, r in zip(shape, repeats))), Slot((len(shape),), ints(*repeats))])


@planner("Slice")
def _slice(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    """Up to the end of an axis, from its start twice out of three times; backwards now and then."""
    if not shape:
        raise NoPlanError
    axis, more = int(rng.integers(len(shape))), int(rng.choice([0, 0, 2]))
    operand = (*shape[:axis], shape[axis] + more, *shape[axis + 1 :])
    begin, end, step = more, pick(rng, [np.iinfo(np.int64).max, shape[axis] + more]), 1
    if rng.random() < 0.15:
        begin, end, step = -1, -shape[axis] - 1, -1
    elif rng.random() < 0.2:
        begin = -shape[axis]
    axis = signed(axis, len(shape), rng)
    return Plan([Slot(operand), *(Slot((1,), ints(int(b))) for b in (begin, end, axis, step))])


@planner("Concat")
def _concat(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    if not shape:
        raise NoPlanError
    axis = int(fixed.get("axis", rng.integers(len(shape))))
    attrs = {"axis": signed(axis, len(shape), rng)}
    if shape[axis] < 2 or rng.random() < 0.3:
        return Plan([Slot(shape)], attrs)
    first = int(rng.integers(0, shape[axis]))
    parts = [(*shape[:axis], n, *shape[axis + 1 :]) for n in (first, shape[axis] - first)]
    return Plan([Slot(p) for p in parts], attrs)


@planner("Split")
def _split(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    if not shape:
        raise NoPlanError
    axis = int(rng.integers(len(shape)))
    return Plan([Slot(shape), None], {"axis": signed(axis, len(shape), rng), "num_outputs": 1})


@planner("DepthToSpace", "SpaceToDepth")
def _blocks(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    if len(shape) != 4:
        raise NoPlanError
    return Plan([Slot(shape)], {"blocksize": 1})
