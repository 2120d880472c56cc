"""Operators that make indices, ranges and one-hot rows, or select by value."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from ..ir import Array, Dim, DType, Op, Symbol, TensorType, Type, Value
from .contents import entry, known, size_in
from .evaluate import Call, NoKernel
from .registry import kernel, shape_rule
from .shapes import axis_of, tensor, typed
from .sizes import as_size, ceil_div, difference
from .view import attribute, constant_operand, operands


@shape_rule("OneHot")
def _one_hot(op: Op) -> Sequence[Type | None]:
    indices, values = tensor(op.inputs[0]), tensor(op.inputs[2])
    if values is None:
        return (None,)
    if indices is None or indices.shape is None:
        return (TensorType(values.dtype),)
    constant = constant_operand(op, 1)
    # The depth may be given as a float.
    depth = size_in(op.inputs[1]) if constant is None else max(int(constant.reshape(-1)[0]), 0)
    axis = axis_of(attribute(op, "axis"), len(indices.shape) + 1)
    return (TensorType(values.dtype, (*indices.shape[:axis], depth, *indices.shape[axis:])),)


@kernel("OneHot")
def _one_hot_kernel(call: Call) -> Array:
    indices, depth, values = call[0], int(call[1].reshape(-1)[0]), call[2]
    axis = axis_of(call.attribute("axis"), indices.ndim + 1)
    if indices.dtype.kind == "f" and (indices != np.floor(indices)).any():
        raise NoKernel("indices that are not whole")
    # Negative indices count from the end; what is out of range has no hot element.
    rows = np.where(indices < 0, indices + depth, indices)
    column = np.arange(depth).reshape(-1, *(1,) * (indices.ndim - axis))
    return np.asarray(np.where(np.expand_dims(rows, axis) == column, values[1], values[0]), values.dtype)


@shape_rule("Range")
def _range(op: Op) -> Sequence[Type | None]:
    start = next((t for t in map(tensor, op.inputs) if t is not None), None)
    if start is None:
        return (None,)
    return (TensorType(start.dtype, (_range_size(op),)),)


def _range_size(op: Op) -> Dim:
    bounds = [_number(value) for value in op.inputs]
    if None not in bounds:
        count = _count(*bounds)
        return Symbol() if count is None else count
    begin, end, by = entry(op.inputs[0]), entry(op.inputs[1]), entry(op.inputs[2])
    if begin is None or end is None or not isinstance(by, int) or by == 0:
        return Symbol()
    return as_size(ceil_div(difference(end, begin), by) if by > 0 else ceil_div(difference(begin, end), -by))


def _number(value: Value | None) -> Any:
    """The numpy scalar that an operand is known to be, None if it is not."""
    type_, found = tensor(value), known(value)
    if type_ is None or not found or not isinstance(found[0], (int, float)):
        return None
    return type_.dtype.numpy.type(found[0])


def _count(first: Any, limit: Any, step: Any) -> int | None:
    """How many elements a range of these numpy scalars has; None if that depends on how it is rounded."""
    if first.dtype.kind in "iu":
        return len(range(int(first), int(limit), int(step)))
    narrow = np.float64 if first.dtype == np.float64 else np.float32
    exact = ceil((float(limit) - float(first)) / float(step))
    with np.errstate(all="ignore"):
        single = ceil((narrow(limit) - narrow(first)) / narrow(step))
    return max(exact, 0) if exact == single else None


@kernel("Range")
def _range_kernel(call: Call) -> Array:
    first, limit, step = (call[slot].reshape(-1)[0] for slot in range(3))
    dtype = call[0].dtype
    if dtype.kind in "iu":
        return np.array(range(int(first), int(limit), int(step)), dtype)
    count = _count(first, limit, step)
    if count is None:
        raise NoKernel("the number of elements depends on rounding")
    wide = np.dtype(np.float64 if dtype == np.float64 else np.float32)
    return np.asarray(wide.type(first) + np.arange(count, dtype=wide) * wide.type(step)).astype(dtype)


@shape_rule("EyeLike")
def _eye_like(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    dtype = attribute(op, "dtype")
    if dtype is not None:
        return (TensorType(DType(dtype), None if data is None else data.shape),)
    return (data,)


@kernel("EyeLike")
def _eye_like_kernel(call: Call) -> Array:
    data, dtype = call[0], call.attribute("dtype")
    rows, columns = data.shape
    return np.eye(rows, columns, call.attribute("k"), dtype=np.int8).astype(
        data.dtype if dtype is None else DType(dtype).numpy
    )


@shape_rule("NonZero")
def _non_zero(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    # What a scalar gives is told in different ways by the operator's text and by runtimes.
    rank = data.rank if data is not None and data.rank else Symbol()
    return (TensorType(DType.INT64, (rank, Symbol())),)


@kernel("NonZero")
def _non_zero_kernel(call: Call) -> Array:
    data = call[0]
    if not data.ndim:
        raise NoKernel("NonZero of a scalar: runtimes differ")
    if data.dtype.kind == "O":
        raise NoKernel("NonZero of strings")
    return np.array(np.nonzero(data), np.int64)


@shape_rule("Unique")
def _unique(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    counts = TensorType(DType.INT64, (Symbol(),))
    inverse = TensorType(DType.INT64, (Symbol(),))
    if data is None:
        return (None, counts, inverse, counts)
    axis = attribute(op, "axis")
    if axis is None:
        return (TensorType(data.dtype, counts.shape), counts, inverse, counts)
    if data.shape is None:
        return (TensorType(data.dtype), counts, inverse, counts)
    axis = axis_of(axis, len(data.shape))
    found = counts.shape[0] if counts.shape else Symbol()
    inverse = TensorType(DType.INT64, (data.shape[axis],))
    shape = (*data.shape[:axis], found, *data.shape[axis + 1 :])
    return (TensorType(data.dtype, shape), counts, inverse, counts)


@shape_rule("TopK")
def _top_k(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None, None)
    if data.shape is None:
        return (TensorType(data.dtype), TensorType(DType.INT64))
    axis = axis_of(attribute(op, "axis"), len(data.shape))
    shape = (*data.shape[:axis], size_in(operands(op)[1]), *data.shape[axis + 1 :])
    return (typed(data, data.dtype, shape), TensorType(DType.INT64, shape))


@kernel("TopK")
def _top_k_kernel(call: Call) -> tuple[Array, ...]:
    data, count = call[0], int(call[1].reshape(-1)[0])
    axis = axis_of(call.attribute("axis"), data.ndim)
    if data.dtype.kind not in "iub" and np.isnan(data).any():
        raise NoKernel("the place of NaN is open")
    if call.attribute("sorted") == 0:
        raise NoKernel("the order of elements that are not sorted is open")
    if not 0 <= count <= data.shape[axis]:
        raise NoKernel(f"the first {count} of {data.shape[axis]}")
    # Of equal elements the one with the lower index comes first, also from the largest down.
    if call.attribute("largest") in (None, 1):
        order = data.shape[axis] - 1 - np.flip(np.argsort(np.flip(data, axis), axis, kind="stable"), axis)
    else:
        order = np.argsort(data, axis, kind="stable")
    order = order[(slice(None),) * axis + (slice(count),)].astype(np.int64)
    return np.take_along_axis(data, order, axis), order
