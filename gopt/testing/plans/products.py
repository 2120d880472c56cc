"""Plans for convolutions, products of matrices, and normalizations."""

from __future__ import annotations

from typing import Any

from .core import NoPlanError, Plan, Rng, Shape, Slot, need_rank, pick, planner


@planner("Conv")
def _conv(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    need_rank(shape, 3, 4, 5)
    group = int(fixed.get("group", pick(rng, [g for g in (1, 2, 4) if shape[1] % g == 0])))
    inputs = group * int(rng.integers(1, 3))
    kernel = tuple(int(k) for k in rng.choice([1, 3], len(shape) - 2))
    pads = [k // 2 for k in kernel] * 2
    weight = Slot((shape[1], inputs // group, *kernel))
    operand = Slot((shape[0], inputs, *shape[2:]))
    attrs: dict[str, Any] = {"group": group, "pads": pads}
    choice = rng.random()
    if choice < 0.4:  # unpadded, on a larger operand
        operand = Slot((shape[0], inputs, *(d + k - 1 for d, k in zip(shape[2:], kernel))))
        attrs["pads"] = [0] * len(pads)
    elif choice < 0.55:
        operand = Slot((shape[0], inputs, *(2 * d - 1 for d in shape[2:])))
        attrs["strides"] = [2] * len(kernel)
    elif choice < 0.65:
        attrs = {"group": group, "auto_pad": pick(rng, ["SAME_UPPER", "SAME_LOWER"])}
    return Plan([operand, weight, Slot(shape[1:2], required=False)], attrs)


@planner("ConvTranspose")
def _conv_transpose(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    need_rank(shape, 3, 4, 5)
    group = int(fixed.get("group", pick(rng, [g for g in (1, 2) if shape[1] % g == 0])))
    inputs = group * int(rng.integers(1, 3))
    kernel = (3,) * (len(shape) - 2)
    slots: list[Slot | None] = [Slot((shape[0], inputs, *shape[2:])), Slot((inputs, shape[1] // group, *kernel))]
    return Plan([*slots, Slot(shape[1:2], required=False)], {"group": group, "pads": [1] * (2 * len(kernel))})


@planner("MatMul")
def _matmul(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    inner = int(rng.integers(1, 6))
    if shape and rng.random() < 0.15:
        vector, matrix = Slot((inner,)), (*shape[:-1], inner, shape[-1])
        if rng.random() < 0.5:
            return Plan([vector, Slot(matrix)])
        return Plan([Slot((*shape, inner)), vector])
    if len(shape) < 2:
        raise NoPlanError
    batched = shape[:-2] if rng.random() < 0.3 else ()
    return Plan([Slot((*shape[:-1], inner)), Slot((*batched, inner, shape[-1]))])


@planner("Gemm")
def _gemm(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    need_rank(shape, 2)
    inner = int(rng.integers(1, 6))
    flip = {k: int(fixed.get(k, rng.integers(2))) for k in ("transA", "transB")}
    a, b = (shape[0], inner), (inner, shape[1])
    attrs: dict[str, Any] = {**flip, "alpha": float(rng.choice([1.0, 0.5])), "beta": float(rng.choice([1.0, 2.0]))}
    bias = pick(rng, [shape, shape[1:], (1, shape[1]), (), (shape[0], 1)])
    slots: list[Slot | None] = [Slot(a[::-1] if flip["transA"] else a), Slot(b[::-1] if flip["transB"] else b)]
    return Plan([*slots, Slot(bias, required=False)], attrs)


@planner("BatchNormalization")
def _batchnorm(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    if len(shape) < 2:
        raise NoPlanError
    channel = shape[1:2]
    return Plan([Slot(shape), Slot(channel), Slot(channel), Slot(channel), Slot(channel, positive=True)])


@planner("InstanceNormalization")
def _instance_norm(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    need_rank(shape, 3, 4, 5)
    return Plan([Slot(shape), Slot(shape[1:2]), Slot(shape[1:2])])


@planner("LayerNormalization")
def _layer_norm(shape: Shape, fixed: dict[str, Any], rng: Rng) -> Plan:
    if not shape:
        raise NoPlanError
    return Plan([Slot(shape), Slot(shape[-1:]), Slot(shape[-1:], required=False)])
