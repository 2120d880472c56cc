"""Plans for pools, Pad and Resize."""

from __future__ import annotations

from typing import Any

import numpy as np

from .core import NoPlanError, Plan, Rng, Shape, Slot, ints, need_rank, pick, planner


@planner("Pad")
def _pad(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    """Nothing, spatial axes, or any axes."""
    if not shape:
        raise NoPlanError
    rank, kind = len(shape), rng.random()
    first = rank if kind < 0.25 else 2 if kind < 0.85 else 0
    pads = [[int(rng.integers(0, 2)) if k >= first else 0 for k in range(rank)] for _ in range(2)]
    operand = tuple(d - b - a for d, b, a in zip(shape, *pads))
    if min(operand) < 1:
        raise NoPlanError
    value = np.array(rng.choice([0.0, 0.0, 1.0, -1e30]))
    return Plan([Slot(operand), Slot((2 * rank,), ints(*pads[0], *pads[1])), Slot((), value, required=False)])


@planner("MaxPool", "AveragePool")
def _pool(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    need_rank(shape, 3, 4, 5)
    spatial, kind = len(shape) - 2, rng.random()
    if kind < 0.25:
        return Plan([Slot(shape)], {"kernel_shape": [1] * spatial})
    attrs: dict[str, Any] = {"kernel_shape": [3] * spatial, "pads": [1] * (2 * spatial)}
    if kind < 0.5:
        return Plan([Slot(shape)], attrs)
    attrs["pads"] = [0] * (2 * spatial)
    return Plan([Slot((*shape[:2], *(d + 2 for d in shape[2:])))], attrs)


@planner("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    need_rank(shape, 3, 4, 5)
    if any(d != 1 for d in shape[2:]):
        raise NoPlanError
    return Plan([Slot((*shape[:2], *(int(rng.integers(1, 4)) for _ in shape[2:])))])


@planner("Resize", "Upsample")
def _resize(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    """By one, or to twice the size of the last axes; by scales or (not for Upsample) by sizes."""
    need_rank(shape, 3, 4)
    modes = ["nearest", "linear", "cubic"] if len(shape) == 4 else ["nearest", "linear"]
    attrs: dict[str, Any] = {"mode": fixed.get("mode", pick(rng, modes))}
    scales = np.ones(len(shape), np.float32)
    if rng.random() < 0.3 and all(d % 2 == 0 for d in shape[2:]):
        scales[2:] = 2
    operand = tuple(int(d / s) for d, s in zip(shape, scales))
    if rng.random() < 0.3:
        attrs["coordinate_transformation_mode"] = pick(
            rng, ["asymmetric", "align_corners", "half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn"]
        )
    if rng.random() < 0.25:
        return Plan([Slot(operand), None, None, Slot(scales.shape, ints(*shape))], attrs)
    return Plan([Slot(operand), None, Slot(scales.shape, scales)], attrs)
