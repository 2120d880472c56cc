"""Operators that put elements in other places by rule: transposition, concatenation, splitting, tiling, blocks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..ir import Array, Dim, Op, Shape, Symbol, TensorType, Type
from .contents import dims, entries
from .evaluate import Call, NoKernel
from .registry import define, kernel, shape_rule
from .shapes import axis_of, fresh, same_as_first, tensor, typed
from .sizes import as_size, ceil_div, difference, merge, product, quotient, scaled_by, total
from .view import attribute, operands


@shape_rule("Transpose")
def _transpose(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None,)
    perm = attribute(op, "perm")
    shape = data.shape
    if shape is None:
        return (TensorType(data.dtype, None if perm is None else fresh(len(perm))),)
    if perm is None:
        return (TensorType(data.dtype, shape[::-1]),)
    if len(perm) != len(shape) or len({axis_of(a, len(shape)) for a in perm}) != len(shape):
        raise ValueError(f"perm {perm} for rank {len(shape)}")
    return (TensorType(data.dtype, tuple(shape[axis] for axis in perm)),)


@kernel("Transpose")
def _transpose_kernel(call: Call) -> Array:
    return np.asarray(call[0].transpose(call.attribute("perm")), order="C")


# -- Concat, Split -----------------------------------------------------------------------------------------------------


@shape_rule("Concat")
def _concat(op: Op) -> Sequence[Type | None]:
    parts = [tensor(v) for v in op.inputs]
    known = [p.shape for p in parts if p is not None and p.shape is not None]
    dtype = next((p.dtype for p in parts if p is not None), None)
    if dtype is None:
        return (None,)
    if not known:
        return (TensorType(dtype),)
    axis = axis_of(_concat_axis(op), len(known[0]))
    return (TensorType(dtype, joined(known, axis, len(known) == len(parts))),)


def _concat_axis(op: Op) -> int:
    """The axis; the text of version 1, not its schema, gives a default."""
    given: int | None = attribute(op, "axis")
    return 1 if given is None and op.opset < 4 else given  # type: ignore[return-value]  # None is malformed, and raises


def joined(shapes: Sequence[Shape], axis: int, complete: bool) -> Shape:
    """The shape of a concatenation; `complete`: no other operand takes part.

    Raises:
        ValueError: the shapes do not fit together.
    """
    first = shapes[0]
    if any(len(s) != len(first) for s in shapes):
        raise ValueError("operands of different ranks")
    result: list[Dim] = list(first)
    for other in shapes[1:]:
        if other[:axis] != first[:axis] or other[axis + 1 :] != first[axis + 1 :]:
            result = [a if i == axis else merge(a, b) for i, (a, b) in enumerate(zip(result, other))]
    result[axis] = total(s[axis] for s in shapes) if complete else Symbol()
    return tuple(result)


@kernel("Concat")
def _concat_kernel(call: Call) -> Array:
    parts = [call[slot] for slot in range(len(call.arrays))]
    return np.concatenate(parts, axis_of(_concat_axis(call.op), parts[0].ndim))


@shape_rule("Split")
def _split(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None,) * len(op.outputs)
    shape = data.shape
    count = len(op.outputs)
    if shape is None:
        return (TensorType(data.dtype),) * count
    axis = axis_of(attribute(op, "axis"), len(shape))
    sizes = _split_sizes(op, shape[axis], count)
    return [typed(data, data.dtype, (*shape[:axis], size, *shape[axis + 1 :])) for size in sizes]


def _split_sizes(op: Op, size: Dim, count: int) -> Sequence[Dim]:
    given = operands(op)
    if len(given) > 1 and given[1] is not None:
        found = entries(given[1])
        if found is None or len(found) < count:
            return fresh(count)
        return dims(found[:count])
    if count == 1 and attribute(op, "num_outputs") in (None, 1):
        return (size,)
    parts = attribute(op, "num_outputs") or count
    if isinstance(size, int):
        return split_evenly(size, parts, strict=op.opset < 18)[:count]
    if op.opset < 18:
        return (quotient(size, parts),) * count
    each = ceil_div(size, parts)
    last = as_size(difference(size, scaled_by(each, parts - 1)))
    return [each if i < parts - 1 else last for i in range(count)]


def split_evenly(size: int, parts: int, strict: bool = False) -> list[int]:
    """Sizes of equal parts of a dim, the last one smaller if need be (ONNX Split-18); `strict`: all must be equal.

    Raises:
        ValueError: the dim cannot be split so.
    """
    each = -(-size // parts)
    last = size - each * (parts - 1)
    if last < 0 or (strict and last != each):
        raise ValueError(f"{size} cannot be split into {parts}")
    return [each] * (parts - 1) + [last]


@kernel("Split")
def _split_kernel(call: Call) -> tuple[Array, ...]:
    data = call[0]
    axis = axis_of(call.attribute("axis"), data.ndim)
    sizes = call.ints(1)
    if sizes is None:
        parts = call.attribute("num_outputs") or len(call.op.outputs)
        sizes = tuple(split_evenly(data.shape[axis], parts, strict=call.op.opset < 18))
    if sum(sizes) != data.shape[axis] or min(sizes, default=0) < 0:
        raise NoKernel("the parts do not make up the whole")
    bounds = np.cumsum((0, *sizes)).tolist()
    index = (slice(None),) * axis
    return tuple(np.asarray(data[(*index, slice(a, b))], order="C") for a, b in pairwise(bounds))


# -- Tile, DepthToSpace, SpaceToDepth ----------------------------------------------------------------------------------


@shape_rule("Tile")
def _tile(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None or data.shape is None:
        return (None if data is None else TensorType(data.dtype),)
    shape = data.shape
    times = entries(op.inputs[1]) if op.opset >= 6 else None
    if times is None:
        return (TensorType(data.dtype, fresh(len(shape))),)
    if len(times) != len(shape):
        raise ValueError("as many repeats as dims are needed")
    return (typed(data, data.dtype, tuple(product(pair) for pair in zip(shape, dims(times)))),)


@kernel("Tile")
def _tile_kernel(call: Call) -> Array:
    data, times = call[0], call.ints(1) or ()
    if len(times) != data.ndim or min(times, default=0) < 0:
        raise NoKernel(f"{times} repeats for rank {data.ndim}")
    return np.tile(data, times)


@shape_rule("DepthToSpace", "SpaceToDepth")
def _blocks(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None,)
    if data.shape is None:
        return (TensorType(data.dtype, fresh(4)),)
    block = attribute(op, "blocksize")
    batch, channels, height, width = data.shape
    if op.op_type == "DepthToSpace":
        shape = (batch, quotient(channels, block * block), product((height, block)), product((width, block)))
    else:
        shape = (batch, product((channels, block * block)), quotient(height, block), quotient(width, block))
    return (TensorType(data.dtype, shape),)


@kernel("DepthToSpace")
def _depth_to_space_kernel(call: Call) -> Array:
    data, block = call[0], call.attribute("blocksize")
    n, c, h, w = data.shape
    if call.attribute("mode") == "CRD":
        split = data.reshape(n, c // block**2, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
    else:
        split = data.reshape(n, block, block, c // block**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    return split.reshape(n, c // block**2, h * block, w * block)


@kernel("SpaceToDepth")
def _space_to_depth_kernel(call: Call) -> Array:
    data, block = call[0], call.attribute("blocksize")
    n, c, h, w = data.shape
    split = data.reshape(n, c, h // block, block, w // block, block).transpose(0, 3, 5, 1, 2, 4)
    return split.reshape(n, c * block**2, h // block, w // block)


# -- Trilu, ReverseSequence --------------------------------------------------------------------------------------------

for _name in ("Trilu", "ReverseSequence"):
    define(_name, infer=same_as_first)


@kernel("Trilu")
def _trilu_kernel(call: Call) -> Array:
    data, k = call[0], call.ints(1) or (0,)
    keep = np.tri(data.shape[-2], data.shape[-1], k[0] - 1 if call.attribute("upper") else k[0], dtype=bool)
    return np.where(~keep if call.attribute("upper") else keep, data, np.zeros((), data.dtype))


@kernel("ReverseSequence")
def _reverse_sequence_kernel(call: Call) -> Array:
    data, lengths = call[0], call.ints(1) or ()
    batch, time = call.attribute("batch_axis"), call.attribute("time_axis")
    result = data.copy()
    source, target = np.moveaxis(data, (batch, time), (0, 1)), np.moveaxis(result, (batch, time), (0, 1))
    for row, length in enumerate(lengths):
        target[row, :length] = source[row, :length][::-1]
    return result
