"""Operators that write elements at given indices: ScatterElements, Scatter, ScatterND, TensorScatter."""

from __future__ import annotations

import numpy as np

from ..ir import Array
from .evaluate import Call, NoKernel
from .registry import define, kernel
from .shapes import axis_of, same_as_first

for _name in ("Scatter", "ScatterElements", "ScatterND", "TensorScatter"):
    define(_name, infer=same_as_first)

_REDUCTIONS = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def _write(target: Array, index: tuple[Array, ...], updates: Array, reduction: str | None) -> None:
    """Write in the order of the updates, as runtimes do where an index occurs twice."""
    if reduction in (None, "none"):
        target[index] = updates
    elif reduction in _REDUCTIONS and target.dtype.kind not in "O":
        _REDUCTIONS[reduction].at(target, index, updates)
    else:
        raise NoKernel(f"reduction {reduction} of {target.dtype}")


def _in_range(index: Array, size: int) -> Array:
    """Indices counted from the front.

    Raises:
        IndexError: one is out of bounds.
    """
    if index.size and not (-size <= index.min() and index.max() < size):
        raise IndexError("an index is out of bounds")
    return np.where(index < 0, index + size, index)


@kernel("Scatter", "ScatterElements")
def _scatter_elements_kernel(call: Call) -> Array:
    result, picks, updates = call[0].copy(), call[1].astype(np.int64), call[2]
    axis = axis_of(call.attribute("axis"), result.ndim)
    if picks.shape != updates.shape or picks.ndim != result.ndim:
        raise NoKernel("indices and updates of different shapes")
    index: list[Array] = list(np.indices(picks.shape, sparse=True))
    index[axis] = _in_range(picks, result.shape[axis])
    full = np.broadcast_arrays(*index)
    _write(result, tuple(i.reshape(-1) for i in full), updates.reshape(-1), call.attribute("reduction"))
    return result


@kernel("ScatterND")
def _scatter_nd_kernel(call: Call) -> Array:
    result, picks, updates = call[0].copy(), call[1], call[2]
    depth = picks.shape[-1]
    if updates.shape != picks.shape[:-1] + result.shape[depth:]:
        raise NoKernel("updates of another shape than the indices say")
    columns = np.moveaxis(picks.reshape(-1, depth), -1, 0)
    index = tuple(_in_range(column, size) for column, size in zip(columns, result.shape))
    _write(result, index, updates.reshape(-1, *result.shape[depth:]), call.attribute("reduction"))
    return result


@kernel("TensorScatter")
def _tensor_scatter_kernel(call: Call) -> Array:
    result, update = call[0].copy(), call[1]
    axis = axis_of(call.attribute("axis"), result.ndim)
    starts = call.ints(2) or (0,) * result.shape[0]
    size, count = result.shape[axis], update.shape[axis]
    if axis == 0:
        raise NoKernel("the sequence axis cannot be the batch axis")
    for row, start in enumerate(starts):
        places = np.arange(start, start + count)
        if call.attribute("mode") == "circular":
            places %= size
        elif start < 0 or start + count > size:
            raise NoKernel("an update beyond the cache")
        np.moveaxis(result[row], axis - 1, 0)[places] = np.moveaxis(update[row], axis - 1, 0)
    return result
