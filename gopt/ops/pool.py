"""Pooling: shapes only, it is left to the runtime."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import DType, Op, Symbol, TensorType, Type
from .contents import dims, entries
from .registry import shape_rule
from .shapes import fresh, tensor, typed
from .spatial import grown, parameters, slid
from .view import attribute


@shape_rule("MaxPool", "AveragePool", "LpPool")
def _pool(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None,)
    kernel: Sequence[int] | None = attribute(op, "kernel_shape")
    if data.shape is None:
        shape = None if kernel is None else fresh(len(kernel) + 2)
    elif kernel is None:  # LpPool 1 does not ask for it
        shape = (*data.shape[:2], *fresh(len(data.shape) - 2))
    else:
        shape = (*data.shape[:2], *slid(data.shape[2:], parameters(op, kernel)))
    result = typed(data, data.dtype, shape)
    return (result,) if len(op.outputs) == 1 else (result, TensorType(DType.INT64, shape))


@shape_rule("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def _global_pool(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None or data.shape is None:
        return (None if data is None else TensorType(data.dtype),)
    return (TensorType(data.dtype, (*data.shape[:2], *(1,) * (len(data.shape) - 2))),)


@shape_rule("MaxUnpool")
def _max_unpool(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None,)
    kernel: Sequence[int] = attribute(op, "kernel_shape")
    rank = len(kernel) + 2
    asked = op.input(2)
    if asked is not None:
        found = entries(asked)
        if found is None or len(found) != rank:
            return (TensorType(data.dtype, fresh(rank)),)
        return (TensorType(data.dtype, dims(found)),)
    if data.shape is None:
        return (TensorType(data.dtype, fresh(rank)),)
    window = parameters(op, kernel)
    return (TensorType(data.dtype, (*data.shape[:2], *grown(data.shape[2:], window, (0,) * len(kernel)))),)


@shape_rule("MaxRoiPool")
def _max_roi_pool(op: Op) -> Sequence[Type | None]:
    data, rois = tensor(op.inputs[0]), tensor(op.inputs[1])
    if data is None:
        return (None,)
    count = rois.shape[0] if rois is not None and rois.shape else Symbol()
    channels = data.shape[1] if data.shape is not None else Symbol()
    return (TensorType(data.dtype, (count, channels, *dims(attribute(op, "pooled_shape")))),)
