"""Inputs on which results are judged: made from a model's declaration alone, and not as verification makes its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import onnx

Array = np.ndarray[Any, Any]
Rng = np.random.Generator

KINDS: dict[str, Callable[[Rng, tuple[int, ...]], Array]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "small": lambda rng, shape: 1e-3 * rng.standard_normal(shape),
    "large": lambda rng, shape: 20 * rng.standard_normal(shape),
    "larger": lambda rng, shape: 2000 * rng.standard_normal(shape),
    "steady": lambda rng, shape: 1 + 1e-3 * rng.standard_normal(shape),
    "halves": lambda rng, shape: rng.integers(-6, 7, shape) / 2,
    "negative": lambda rng, shape: -np.abs(rng.standard_normal(shape)),
}


def input_sets(
    model: onnx.ModelProto, sizes: Mapping[str, tuple[int, ...]], ints: tuple[int, int], nan: bool = False
) -> Iterator[tuple[str, dict[str, Array]]]:
    """What an input set is called, and its arrays; each kind of numbers at each of the sizes."""
    known = {tensor.name for tensor in model.graph.initializer}
    inputs = [info for info in model.graph.input if info.name not in known]
    turns = max(map(len, sizes.values()), default=1)
    for number, (kind, draw) in enumerate(KINDS.items()):
        for turn in range(turns):
            chosen = {name: values[turn % len(values)] for name, values in sizes.items()}
            rng = np.random.default_rng([number, turn, 20_000])
            yield f"{kind} {chosen}", {i.name: _array(i, chosen, rng, draw, ints, nan) for i in inputs}


def _array(
    info: onnx.ValueInfoProto,
    sizes: Mapping[str, int],
    rng: Rng,
    draw: Callable[[Rng, tuple[int, ...]], Array],
    ints: tuple[int, int],
    nan: bool,
) -> Array:
    tensor = info.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") else sizes[d.dim_param] for d in tensor.shape.dim)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    if dtype.kind == "b":
        return np.asarray(rng.integers(0, 2, shape), np.bool_)
    if dtype.kind in "iu":
        return np.asarray(rng.integers(ints[0], ints[1] + 1, shape), dtype)
    drawn = draw(rng, shape)
    if nan:
        drawn = np.where(rng.random(shape) < 0.2, np.nan, drawn)
    return np.asarray(drawn, dtype)
