"""How to feed an operator so that its result has a wanted shape: operand shapes, attributes, data of constants.

A plan works from the result upwards, as a pattern is written: asked for a result shape, it says what each operand must
be. Operators without a plan count as elementwise; a model that turns out not to run is thrown away by the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from ..ir import Array

Shape = tuple[int, ...]
Rng = np.random.Generator


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
    """Operands by slot, and attributes."""

    slots: list[Slot]
    attrs: dict[str, Any] = field(default_factory=dict)


class NoPlanError(Exception):
    """No operands give a result of the wanted shape."""


Planner = Callable[[Shape, dict[str, Any], Rng], Plan]
_PLANS: dict[str, Planner] = {}


def plan(op_type: str, shape: Shape, fixed: dict[str, Any], rng: Rng, operands: int) -> Plan:
    """A plan for a result of `shape`, given the attributes that the pattern fixes.

    Raises:
        NoPlanError: there is none.
    """
    planner = _PLANS.get(op_type)
    if planner is not None:
        return planner(shape, fixed, rng)
    return Plan([Slot(_broadcastable(shape, rng) if k else shape) for k in range(max(operands, 1))])


def _planner(*op_types: str) -> Callable[[Planner], Planner]:
    def decorate(function: Planner) -> Planner:
        for op_type in op_types:
            _PLANS[op_type] = function
        return function

    return decorate


def _broadcastable(shape: Shape, rng: Rng) -> Shape:
    """A shape that broadcasts into `shape` without enlarging it: the same, a scalar, per-channel or trailing forms."""
    forms: list[Shape] = [shape, (), (1,), shape[-1:], (1,) * len(shape)]
    if len(shape) >= 2:
        forms += [(shape[1],) + (1,) * (len(shape) - 2), (1, shape[1]) + (1,) * (len(shape) - 2)]
    return forms[int(rng.integers(len(forms)))]


def _ints(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


def _need_rank(shape: Shape, *ranks: int) -> None:
    if len(shape) not in ranks:
        raise NoPlanError


@_planner("Div")
def _div(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    return Plan([Slot(shape), Slot(_broadcastable(shape, rng), positive=True)])


@_planner("Sqrt", "Log", "Reciprocal")
def _of_positive(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    return Plan([Slot(shape, positive=True)])


@_planner("Clip")
def _clip(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    low = rng.uniform(-1, 1)
    bounds = np.float32(low), np.float32(low + rng.uniform(-0.2, 1))
    return Plan([Slot(shape), *(Slot((), np.array(b), required=False) for b in bounds)])


@_planner("Conv")
def _conv(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    _need_rank(shape, 3, 4, 5)
    groups = [g for g in (1, 2, 4) if shape[1] % g == 0]
    group = int(fixed.get("group", rng.choice(groups)))
    inputs = group * int(rng.integers(1, 3))
    kernel = tuple(int(k) for k in rng.choice([1, 3], len(shape) - 2))
    pads = [k // 2 for k in kernel] * 2
    weight = Slot((shape[1], inputs // group, *kernel))
    operand = Slot((shape[0], inputs, *shape[2:]))
    if rng.random() < 0.5:  # unpadded, on a larger operand
        operand = Slot((shape[0], inputs, *(d + k - 1 for d, k in zip(shape[2:], kernel))))
        pads = [0] * len(pads)
    return Plan([operand, weight, Slot(shape[1:2], required=False)], {"group": group, "pads": pads})


@_planner("ConvTranspose")
def _conv_transpose(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    _need_rank(shape, 3, 4, 5)
    group = int(fixed.get("group", rng.choice([g for g in (1, 2) if shape[1] % g == 0])))
    inputs = group * int(rng.integers(1, 3))
    kernel = (3,) * (len(shape) - 2)
    slots = [Slot((shape[0], inputs, *shape[2:])), Slot((inputs, shape[1] // group, *kernel))]
    return Plan([*slots, Slot(shape[1:2], required=False)], {"group": group, "pads": [1] * (2 * len(kernel))})


@_planner("MatMul")
def _matmul(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    if len(shape) < 2:
        raise NoPlanError
    inner = int(rng.integers(1, 6))
    batched = shape[:-2] if rng.random() < 0.3 else ()
    return Plan([Slot((*shape[:-1], inner)), Slot((*batched, inner, shape[-1]))])


@_planner("Gemm")
def _gemm(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    _need_rank(shape, 2)
    inner = int(rng.integers(1, 6))
    flip = {k: int(fixed.get(k, rng.integers(2))) for k in ("transA", "transB")}
    a, b = (shape[0], inner), (inner, shape[1])
    attrs: dict[str, Any] = {**flip, "alpha": float(rng.choice([1.0, 0.5])), "beta": float(rng.choice([1.0, 2.0]))}
    biases: list[Shape] = [shape, shape[1:], (1, shape[1]), (), (shape[0], 1)]
    bias = biases[int(rng.integers(len(biases)))]
    slots = [Slot(a[::-1] if flip["transA"] else a), Slot(b[::-1] if flip["transB"] else b)]
    return Plan([*slots, Slot(bias, required=False)], attrs)


@_planner("BatchNormalization")
def _batchnorm(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    if len(shape) < 2:
        raise NoPlanError
    channel = shape[1:2]
    return Plan([Slot(shape), Slot(channel), Slot(channel), Slot(channel), Slot(channel, positive=True)])


@_planner("LayerNormalization")
def _layer_norm(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    if not shape:
        raise NoPlanError
    return Plan([Slot(shape), Slot(shape[-1:]), Slot(shape[-1:], required=False)])


@_planner("Pad")
def _pad(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    _need_rank(shape, 3, 4, 5)
    spatial = len(shape) - 2
    before = [int(rng.integers(0, 2)) for _ in range(spatial)]
    after = [int(rng.integers(0, 2)) for _ in range(spatial)]
    operand = (*shape[:2], *(d - b - a for d, b, a in zip(shape[2:], before, after)))
    if min(operand) < 1:
        raise NoPlanError
    value = np.float32(rng.choice([0.0, 0.0, 1.0]))
    pads = _ints(0, 0, *before, 0, 0, *after)
    return Plan([Slot(operand), Slot((2 * len(shape),), pads), Slot((), np.array(value), required=False)])


@_planner("MaxPool", "AveragePool")
def _pool(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    _need_rank(shape, 3, 4, 5)
    spatial = len(shape) - 2
    attrs: dict[str, Any] = {"kernel_shape": [3] * spatial, "pads": [1] * (2 * spatial)}
    operand = shape
    if rng.random() < 0.6:
        attrs["pads"] = [0] * (2 * spatial)
        operand = (*shape[:2], *(d + 2 for d in shape[2:]))
    return Plan([Slot(operand)], attrs)


@_planner("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    _need_rank(shape, 3, 4, 5)
    if any(d != 1 for d in shape[2:]):
        raise NoPlanError
    return Plan([Slot((*shape[:2], *(int(rng.integers(1, 4)) for _ in shape[2:])))])


@_planner("Reshape")
def _reshape(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    target = list(shape)
    if target and rng.random() < 0.5:
        target[int(rng.integers(len(target)))] = -1
    operands: list[Shape] = [shape, (prod(shape),), (1, *shape), shape[::-1]]
    return Plan([Slot(operands[int(rng.integers(len(operands)))]), Slot((len(shape),), _ints(*target))])


@_planner("Flatten")
def _flatten(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    _need_rank(shape, 2)
    operand = shape if rng.random() < 0.5 else (*shape, 1)
    return Plan([Slot(operand)], {"axis": 1})


@_planner("Squeeze")
def _squeeze(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    axis = int(rng.integers(len(shape) + 1))
    return Plan([Slot((*shape[:axis], 1, *shape[axis:])), Slot((1,), _ints(axis))])


@_planner("Unsqueeze")
def _unsqueeze(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    ones = [k for k, d in enumerate(shape) if d == 1]
    if not ones:
        raise NoPlanError
    axis = int(rng.choice(ones))
    return Plan([Slot(shape[:axis] + shape[axis + 1 :]), Slot((1,), _ints(axis))])


@_planner("Transpose")
def _transpose(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    perm = tuple(fixed.get("perm") or (int(p) for p in rng.permutation(len(shape))))
    if len(perm) != len(shape):
        raise NoPlanError
    operand = [0] * len(shape)
    for k, p in enumerate(perm):
        operand[p] = shape[k]
    return Plan([Slot(tuple(operand))], {"perm": list(perm)} if perm else {})


@_planner("Expand")
def _expand(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    return Plan([Slot(_broadcastable(shape, rng)), Slot((len(shape),), _ints(*shape))])


@_planner("Tile")
def _tile(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    repeats = [int(rng.choice([1, d])) for d in shape]
    return Plan([Slot(tuple(d // r for d, r in zip(shape, repeats))), Slot((len(shape),), _ints(*repeats))])


@_planner("Slice")
def _slice(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    if not shape:
        raise NoPlanError
    axis, more = int(rng.integers(len(shape))), int(rng.choice([0, 0, 2]))
    operand = (*shape[:axis], shape[axis] + more, *shape[axis + 1 :])
    ends = [np.iinfo(np.int64).max, shape[axis] + more]
    bounds = _ints(more), _ints(ends[int(rng.integers(2))]), _ints(axis), _ints(1)
    return Plan([Slot(operand), *(Slot((1,), b) for b in bounds)])


@_planner("Concat")
def _concat(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    if not shape:
        raise NoPlanError
    axis = int(fixed.get("axis", rng.integers(len(shape))))
    if shape[axis] < 2 or rng.random() < 0.3:
        return Plan([Slot(shape)], {"axis": axis})
    first = int(rng.integers(1, shape[axis]))
    parts = [(*shape[:axis], n, *shape[axis + 1 :]) for n in (first, shape[axis] - first)]
    return Plan([Slot(p) for p in parts], {"axis": axis})


@_planner("Cast")
def _cast(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    return Plan([Slot(shape)], {"to": 1})


@_planner("Where")
def _where(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    condition = np.full(_broadcastable(shape, rng), bool(rng.integers(2)))
    return Plan([Slot(condition.shape, condition), Slot(shape), Slot(_broadcastable(shape, rng))])


def _reduction(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    axis = len(shape) - 1
    if not shape or shape[axis] != 1:
        raise NoPlanError
    operand = (*shape[:axis], int(rng.integers(1, 4)))
    return Plan([Slot(operand), Slot((1,), _ints(axis))], {"keepdims": 1})


for _name in ("Max", "Min", "Mean", "Sum", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"):
    _PLANS[f"Reduce{_name}"] = _reduction
