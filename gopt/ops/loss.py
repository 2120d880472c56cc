"""Losses; shapes only."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import Op, TensorType, Type
from .registry import shape_rule
from .shapes import tensor
from .view import attribute


@shape_rule("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")
def _loss(op: Op) -> Sequence[Type | None]:
    scores, target = tensor(op.inputs[0]), tensor(op.inputs[1])
    if scores is None:
        return (None,) * len(op.outputs)
    if attribute(op, "reduction") != "none":
        return (TensorType(scores.dtype, ()), scores)
    return (TensorType(scores.dtype, None if target is None else target.shape), scores)
