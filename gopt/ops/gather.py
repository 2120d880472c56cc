"""Operators that read elements at given indices: Gather, GatherElements, GatherND, Compress."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ir import Array, Op, Symbol, TensorType, Type
from .evaluate import Call, NoKernel
from .registry import kernel, shape_rule
from .shapes import axis_of, tensor
from .view import attribute, constant_operand


@shape_rule("Gather")
def _gather(op: Op) -> Sequence[Type | None]:
    data, picks = tensor(op.inputs[0]), tensor(op.inputs[1])
    if data is None:
        return (None,)
    if data.shape is None or picks is None or picks.shape is None:
        return (TensorType(data.dtype),)
    axis = axis_of(attribute(op, "axis"), len(data.shape))
    return (TensorType(data.dtype, (*data.shape[:axis], *picks.shape, *data.shape[axis + 1 :])),)


@kernel("Gather")
def _gather_kernel(call: Call) -> Array:
    data, picks = call[0], call[1]
    return np.asarray(np.take(data, picks, axis_of(call.attribute("axis"), data.ndim)), data.dtype)


@shape_rule("GatherElements")
def _gather_elements(op: Op) -> Sequence[Type | None]:
    data, picks = tensor(op.inputs[0]), tensor(op.inputs[1])
    return (None if data is None else TensorType(data.dtype, None if picks is None else picks.shape),)


@kernel("GatherElements")
def _gather_elements_kernel(call: Call) -> Array:
    data, picks = call[0], call[1]
    axis = axis_of(call.attribute("axis"), data.ndim)
    if picks.ndim != data.ndim:
        raise NoKernel("data and indices of different ranks")
    # Along the other axes the indices may cover a part of the data only.
    part = tuple(slice(None) if a == axis else slice(n) for a, n in enumerate(picks.shape))
    return np.take_along_axis(data[part], picks.astype(np.int64), axis)


@shape_rule("GatherND")
def _gather_nd(op: Op) -> Sequence[Type | None]:
    data, picks = tensor(op.inputs[0]), tensor(op.inputs[1])
    if data is None:
        return (None,)
    if data.shape is None or picks is None or picks.shape is None:
        return (TensorType(data.dtype),)
    depth = picks.shape[-1]
    if not isinstance(depth, int):
        return (TensorType(data.dtype),)
    start = attribute(op, "batch_dims") + depth
    if start > len(data.shape):
        raise ValueError("more indices than dims")
    return (TensorType(data.dtype, (*picks.shape[:-1], *data.shape[start:])),)


@kernel("GatherND")
def _gather_nd_kernel(call: Call) -> Array:
    data, picks, batch = call[0], call[1], call.attribute("batch_dims")
    if data.shape[:batch] != picks.shape[:batch]:
        raise NoKernel("batch dims differ")
    count = int(np.prod(data.shape[:batch], dtype=np.int64))
    depth = picks.shape[-1]
    flat = data.reshape(count, *data.shape[batch:])
    rows = picks.reshape(count, -1, depth) if picks.size else picks.reshape(count, 0, depth)
    lead = np.arange(count)[:, None]
    found: Array = flat[(lead, *np.moveaxis(rows, -1, 0))]
    return found.reshape(*picks.shape[:-1], *data.shape[batch + depth :])


@shape_rule("Compress")
def _compress(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None,)
    flags = constant_operand(op, 1)
    axis = attribute(op, "axis")
    if axis is None:
        size = Symbol() if flags is None else int(np.count_nonzero(flags))
        return (TensorType(data.dtype, (size,)),)
    if data.shape is None:
        return (TensorType(data.dtype),)
    axis = axis_of(axis, len(data.shape))
    size = Symbol() if flags is None else int(np.count_nonzero(flags))
    return (TensorType(data.dtype, (*data.shape[:axis], size, *data.shape[axis + 1 :])),)


@kernel("Compress")
def _compress_kernel(call: Call) -> Array:
    axis = call.attribute("axis")
    return np.compress(call[1].astype(bool), call[0], None if axis is None else axis_of(axis, call[0].ndim))
