"""A step for each operator that there is: the cases by which ONNX shows what its operators do.

They come with sensible numbers for what makes random ones useless: indices, sizes, windows, strings, masks.
"""

from __future__ import annotations

from functools import cache, lru_cache
from math import prod

import numpy as np

from .... import ops
from ....errors import GoptError
from ....frontends.onnx import load
from ....ir import Array, Model, TensorType, Value
from ...backend_cases import BackendCase, backend_cases
from ..sketch import FLOATS, Feed, Misfit, Sketch, dtype, shape, size
from .core import step
from .movement import ints
from .splice import copy_in, may_stand

_LARGEST = 4096
"""Elements of an input; whole networks are cases too."""


@cache
def _by_operator() -> dict[str, list[BackendCase]]:
    """Cases by what their name starts with, so that an operator with a hundred cases is not drawn a hundred times."""
    found: dict[str, list[BackendCase]] = {}
    for case in backend_cases(("node",)):
        found.setdefault("_".join(case.path.name.split("_")[:3]), []).append(case)
    return found


@lru_cache(maxsize=256)
def _read(case: BackendCase) -> tuple[Model, list[Array]] | None:
    """A case and its inputs; None if it is large, draws random numbers, or takes something other than tensors."""
    inputs, _ = next(case.data_sets(), ([], []))
    if not all(isinstance(data, np.ndarray) and data.size <= _LARGEST for data in inputs):
        return None
    try:
        model = load(case.model)
    except GoptError:
        return None
    return None if any(ops.is_random(op) for graph in model.graphs() for op in graph.ops) else (model, inputs)


@step(8)
def documented(s: Sketch) -> None:
    """What a case computes, of its own numbers and of floats that are there."""
    if s.depth or not _by_operator():
        raise Misfit
    read = _read(s.pick(s.pick(list(_by_operator().values()))))
    if read is None or not may_stand(read[0], s) or len(read[0].graph.inputs) != len(read[1]):
        raise Misfit
    source, inputs = read
    mapping: dict[Value, Value | None] = {}
    for value, data in zip(source.graph.inputs, inputs):
        mapping[value] = _operand(s, value, data)
    copy_in(s, source, mapping)


def _operand(s: Sketch, value: Value, data: Array) -> Value:
    """A float of the pool in the shape of an input, or the case's own numbers: a constant, or fed."""
    type_ = value.declared.type if value.declared is not None else None
    if not isinstance(type_, TensorType):
        raise Misfit
    if type_.dtype in FLOATS and s.chance(0.5):
        fitting = [v for v in s.values if dtype(v) is type_.dtype and size(v) == prod(data.shape)]
        if fitting:
            found: Value = s.pick(fitting)
            return found if shape(found) == data.shape else s.op("Reshape", found, s.constant(ints(*data.shape)))
    if data.dtype.kind in "OSU":
        flat = [item if isinstance(item, bytes) else str(item).encode() for item in data.ravel()]
        return ops.constant(np.array(flat, object).reshape(data.shape))
    if s.chance(0.6):
        return s.constant(data)
    return s.input(Feed(type_.dtype, data.shape, data=data))
