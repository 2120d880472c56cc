"""Normalizations (Softmax and its kin are activations)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ir import Array, DType, Op, TensorType, Type
from .evaluate import Call, NoKernel
from .numeric import widened
from .registry import define, kernel, shape_rule
from .shapes import axis_of, same_as_first, tensor, typed
from .view import attribute

for _name in (
    "GroupNormalization",
    "InstanceNormalization",
    "LpNormalization",
    "LRN",
    "MeanVarianceNormalization",
    "RMSNormalization",
):
    define(_name, infer=same_as_first)


@shape_rule("BatchNormalization")
def _batch_norm(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if len(op.outputs) == 1:
        return (data,)
    # Training: running (and, before 14, saved) statistics, each of the shape that the mean or variance given has.
    mean, variance = tensor(op.inputs[3]), tensor(op.inputs[4])
    return (data, mean, variance, mean, variance)


@kernel("BatchNormalization")
def _batch_norm_kernel(call: Call) -> Array:
    x, scale, bias, mean, variance = (widened(call[slot]) for slot in range(5))
    if not x.ndim:
        raise NoKernel("a scalar has no channels")
    along = (-1, *(1,) * (x.ndim - 2)) if x.ndim > 1 else (1,)
    scale, bias, mean, variance = (a.reshape(along) for a in (scale, bias, mean, variance))
    epsilon = variance.dtype.type(call.attribute("epsilon"))
    return np.asarray((x - mean) / np.sqrt(variance + epsilon) * scale + bias).astype(call[0].dtype, copy=False)


@kernel("InstanceNormalization")
def _instance_norm_kernel(call: Call) -> Array:
    x, scale, bias = (widened(call[slot]) for slot in range(3))
    axes = tuple(range(2, x.ndim))
    along = (-1, *(1,) * (x.ndim - 2))
    centred = x - x.mean(axes, keepdims=True)
    spread = np.sqrt((centred * centred).mean(axes, keepdims=True) + x.dtype.type(call.attribute("epsilon")))
    return np.asarray(centred / spread * scale.reshape(along) + bias.reshape(along)).astype(call[0].dtype, copy=False)


@shape_rule("LayerNormalization")
def _layer_norm(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None or len(op.outputs) == 1:
        return (data,)
    stash = DType(attribute(op, "stash_type"))
    if data.shape is None:
        return (data, TensorType(stash), TensorType(stash))
    axis = axis_of(attribute(op, "axis"), len(data.shape))
    kept = typed(data, stash, (*data.shape[:axis], *(1,) * (len(data.shape) - axis)))
    return (data, kept, kept)


@kernel("LayerNormalization")
def _layer_norm_kernel(call: Call) -> tuple[Array, ...]:
    x, scale, bias = call[0], call[1], call.get(2)
    stash = DType(call.attribute("stash_type")).numpy
    axes = tuple(range(axis_of(call.attribute("axis"), x.ndim), x.ndim))
    wide = x.astype(stash) if stash.itemsize > x.dtype.itemsize else widened(x)
    mean = wide.mean(axes, keepdims=True)
    centred = wide - mean
    inverse = 1 / np.sqrt((centred * centred).mean(axes, keepdims=True) + wide.dtype.type(call.attribute("epsilon")))
    result = centred * inverse * widened(scale)
    if bias is not None:
        result = result + widened(bias)
    return tuple(np.asarray(a).astype(t) for a, t in ((result, x.dtype), (mean, stash), (inverse, stash)))


@kernel("RMSNormalization")
def _rms_norm_kernel(call: Call) -> Array:
    x, scale = call[0], call[1]
    axes = tuple(range(axis_of(call.attribute("axis"), x.ndim), x.ndim))
    wide = widened(x)
    spread = np.sqrt((wide * wide).mean(axes, keepdims=True) + wide.dtype.type(call.attribute("epsilon")))
    return np.asarray(wide / spread * widened(scale)).astype(x.dtype, copy=False)
