"""Operators that look at or change a shape and leave the elements alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ir import Array, Dim, DType, Op, Shape, Symbol, TensorType, Type
from .contents import IntEntries, dims, entries, length, numbers, shape_slice, sizes_in
from .evaluate import Call, NoKernel
from .registry import kernel, shape_rule
from .shapes import axis_of, broadcast, fresh, tensor, typed
from .sizes import product, quotient
from .view import attribute, operands

SCALAR_INT64 = TensorType(DType.INT64, ())


@shape_rule("Identity")
def _identity(op: Op) -> Sequence[Type | None]:
    first = op.inputs[0]
    if first is None:
        return (None,)
    return (first.type if first.type is not None else tensor(first),)


@kernel("Identity")
def _identity_kernel(call: Call) -> Array:
    return call[0]


@shape_rule("Shape")
def _shape(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None or data.shape is None:
        return (TensorType(DType.INT64, (Symbol(),)),)
    count = len(data.shape[shape_slice(op)]) if op.attrs else len(data.shape)
    return (TensorType(DType.INT64, (count,)),)


@kernel("Shape")
def _shape_kernel(call: Call) -> Array:
    return np.array(call[0].shape[shape_slice(call.op)], np.int64)


@shape_rule("Size")
def _size(op: Op) -> Sequence[Type | None]:
    return (SCALAR_INT64,)


@kernel("Size")
def _size_kernel(call: Call) -> Array:
    return np.array(call[0].size, np.int64)


# -- Reshape, Flatten --------------------------------------------------------------------------------------------------


@shape_rule("Reshape")
def _reshape(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None,)
    wanted = sizes_in(operands(op)[1])
    if wanted is None:
        return (TensorType(data.dtype),)
    allowzero = "allowzero" in op.attrs and bool(attribute(op, "allowzero"))
    return (typed(data, data.dtype, reshaped(data.shape, wanted, allowzero)),)


def reshaped(shape: Shape | None, wanted: IntEntries, allowzero: bool) -> Shape:
    """The shape that Reshape gives. A symbol among `wanted` is a size, and taken for the one that it stands for.

    (That a size happens to be 0 at run time, and is then read as "copy the dim", is left out of account, as it is by
    every runtime that infers shapes: the tensor is empty then.)

    Raises:
        ValueError: the number of elements would change.
    """
    result: list[Dim | None] = []
    for axis, size in enumerate(wanted):
        if size is None or (type(size) is int and size < 0):
            result.append(None)
        elif size == 0 and not allowzero:
            result.append(Symbol() if shape is None else shape[axis])
        else:
            result.append(size)
    if shape is None:
        return dims(tuple(result))
    before = product(shape)
    unknown = [axis for axis, d in enumerate(result) if d is None]
    if not unknown and isinstance(before, int):  # a lone symbol can be computed as well
        unknown = [axis for axis, d in enumerate(result) if not isinstance(d, int)]
    if len(unknown) == 1:
        axis = unknown[0]
        rest = product(d for i, d in enumerate(result) if d is not None and i != axis)
        # A size of 0 on either side leaves the wildcard open.
        if before != 0 and rest != 0:
            result[axis] = quotient(before, rest)
    return dims(tuple(result))


@kernel("Reshape")
def _reshape_kernel(call: Call) -> Array:
    data, wanted = call[0], call.ints(1) or ()
    if not call.attribute("allowzero"):
        wanted = tuple(data.shape[axis] if size == 0 else size for axis, size in enumerate(wanted))
    return data.reshape(wanted)


@shape_rule("Flatten")
def _flatten(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None,)
    if data.shape is None:
        return (TensorType(data.dtype, fresh(2)),)
    axis = _flatten_axis(attribute(op, "axis"), len(data.shape))
    return (typed(data, data.dtype, (product(data.shape[:axis]), product(data.shape[axis:]))),)


def _flatten_axis(axis: int, rank: int) -> int:
    return axis if axis == rank else axis_of(axis, rank)


@kernel("Flatten")
def _flatten_kernel(call: Call) -> Array:
    data = call[0]
    axis = _flatten_axis(call.attribute("axis"), data.ndim)
    return data.reshape(int(np.prod(data.shape[:axis], dtype=np.int64)), -1 if data.size else _tail(data, axis))


def _tail(data: Array, axis: int) -> int:
    return int(np.prod(data.shape[axis:], dtype=np.int64))


# -- Squeeze, Unsqueeze ------------------------------------------------------------------------------------------------


@shape_rule("Squeeze")
def _squeeze(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None,)
    given = operands(op)
    axes = numbers(given[1]) if len(given) > 1 else None
    shape = data.shape
    if axes is None:
        if len(given) > 1 and given[1] is not None:
            count = length(given[1])
            return (TensorType(data.dtype, fresh(len(shape) - count) if shape is not None and count else None),)
        if shape is None or not all(isinstance(d, int) for d in shape):
            return (TensorType(data.dtype),)  # a symbol may turn out to be 1
        return (typed(data, data.dtype, tuple(d for d in shape if d != 1)),)
    if shape is None:
        return (TensorType(data.dtype),)
    if not axes and not all(isinstance(d, int) and d != 1 for d in shape):
        return (TensorType(data.dtype),)  # by the clause nothing is squeezed; some runtimes squeeze all they can
    rank = len(shape)
    dropped = [axis_of(a, rank) for a in axes]
    if any(isinstance(shape[a], int) and shape[a] != 1 for a in dropped):
        raise ValueError("a squeezed dim is not 1")
    return (TensorType(data.dtype, tuple(d for a, d in enumerate(shape) if a not in dropped)),)


@kernel("Squeeze")
def _squeeze_kernel(call: Call) -> Array:
    axes = call.ints(1)
    if axes == () and 1 in call[0].shape:
        raise NoKernel("runtimes differ in what no axes mean")
    return call[0].squeeze(axes)


@shape_rule("Unsqueeze")
def _unsqueeze(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None,)
    shape = data.shape
    given = operands(op)[1]
    axes = numbers(given)
    if axes is None:
        count = length(given)
        return (TensorType(data.dtype, None if shape is None or count is None else fresh(len(shape) + count)),)
    if shape is None:
        return (TensorType(data.dtype),)
    if len(axes) == 1:
        axis = axis_of(axes[0], len(shape) + 1)
        return (TensorType(data.dtype, (*shape[:axis], 1, *shape[axis:])),)
    rank = len(shape) + len(axes)
    added = {axis_of(a, rank) for a in axes}
    if len(added) != len(axes):
        raise ValueError("an axis is named twice")
    left = iter(shape)
    return (TensorType(data.dtype, tuple(1 if a in added else next(left) for a in range(rank))),)


@kernel("Unsqueeze")
def _unsqueeze_kernel(call: Call) -> Array:
    return np.expand_dims(call[0], call.ints(1) or ())


# -- Expand, ConstantOfShape -------------------------------------------------------------------------------------------


@shape_rule("Expand")
def _expand(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None,)
    wanted = entries(op.inputs[1])
    if wanted is None:
        return (TensorType(data.dtype),)
    return (typed(data, data.dtype, broadcast(data.shape, dims(wanted))),)


@kernel("Expand")
def _expand_kernel(call: Call) -> Array:
    data = call[0]
    shape = np.broadcast_shapes(data.shape, call.ints(1) or ())
    return np.asarray(np.broadcast_to(data, shape), order="C")


@shape_rule("ConstantOfShape")
def _constant_of_shape(op: Op) -> Sequence[Type | None]:
    filler = attribute(op, "value")
    dtype = DType.FLOAT if filler is None else filler.dtype
    wanted = entries(op.inputs[0])
    return (TensorType(dtype, None if wanted is None else dims(wanted)),)


@kernel("ConstantOfShape")
def _constant_of_shape_kernel(call: Call) -> Array:
    filler = call.attribute("value")
    shape = call.ints(0) or ()
    if filler is None:
        return np.zeros(shape, np.float32)
    return np.full(shape, filler.numpy().reshape(-1)[0], filler.dtype.numpy)
