"""Random operators: shape rules. They are never folded, merged or repeated; Dropout is while it is not training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ir import Array, DType, Op, Symbol, TensorType, Type
from .contents import dims
from .evaluate import Call
from .registry import kernel, shape_rule
from .shapes import tensor
from .view import attribute


@shape_rule("RandomNormal", "RandomUniform", random=True)
def _random(op: Op) -> Sequence[Type | None]:
    return (TensorType(DType(attribute(op, "dtype")), dims(attribute(op, "shape"))),)


@shape_rule("RandomNormalLike", "RandomUniformLike", "Bernoulli", random=True)
def _random_like(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    dtype = attribute(op, "dtype")
    if dtype is None:
        return (data,)
    return (TensorType(DType(dtype), None if data is None else data.shape),)


@shape_rule("Multinomial", random=True)
def _multinomial(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    batch = data.shape[0] if data is not None and data.shape else Symbol()
    return (TensorType(DType(attribute(op, "dtype")), dims((batch, attribute(op, "sample_size")))),)


@shape_rule("Dropout", random=True)
def _dropout(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None, None)
    return (data, TensorType(DType.BOOL if op.opset >= 10 else data.dtype, data.shape))


@kernel("Dropout")
def _dropout_kernel(call: Call) -> tuple[Array, ...]:
    """Before version 12 the mask is "not filled" in inference."""
    data = call[0]
    return (data, np.ones(data.shape, bool)) if call.op.opset >= 12 else (data,)
