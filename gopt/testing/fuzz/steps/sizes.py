"""Steps that compute with sizes, and use what they computed: all of it holds for other sizes too, where it can."""

from __future__ import annotations

import numpy as np

from ....ir import DType, Value
from ..sketch import Misfit, Sketch, dtype, shape, size
from .core import axis, step
from .movement import ints


def dims_of(s: Sketch, x: Value) -> Value:
    """The sizes of a value, as a list."""
    return s.op("Shape", x)


def one(s: Sketch, x: Value, at: int) -> Value:
    """One size, as a list of one number."""
    dims = dims_of(s, x)
    if s.chance(0.3):
        return s.op("Slice", dims, ints(at), ints(at + 1))
    number = s.op("Gather", dims, s.constant(np.array(at, np.int64)))
    if s.chance(0.2):
        number = s.op(s.pick(["Mul", "Add"]), number, np.array(s.pick([1, 0]), np.int64))
    return s.op("Unsqueeze", number, ints(0))


@step(4)
def arithmetic(s: Sketch) -> Value:
    """Numbers computed from sizes."""
    scalars = [v for v in s.values if dtype(v) is DType.INT64 and shape(v) == ()]
    if not scalars or s.chance(0.4):
        x = s.some(ranks=(1, 2, 3, 4))
        return s.op("Gather", dims_of(s, x), s.constant(np.array(axis(s, len(shape(x))), np.int64)))
    a = s.pick(scalars)
    op_type = s.pick(["Add", "Mul", "Sub", "Div", "Mod", "Max", "Min"])
    if op_type in ("Div", "Mod"):
        return s.op(op_type, a, s.constant(np.array(s.number(1, 4), np.int64)))
    other = s.pick(scalars) if s.chance(0.4) else s.constant(np.array(s.number(-1, 4), np.int64))
    return s.op(op_type, *([a, other] if s.chance(0.6) else [other, a]))


@step(5)
def reshape_by_sizes(s: Sketch) -> Value:
    """Reshape to sizes of the value itself: some order, neighbours multiplied, one left to be inferred."""
    x = s.some(ranks=(1, 2, 3, 4))
    if not size(x):
        raise Misfit
    if s.chance(0.2):
        return s.op("Reshape", x, dims_of(s, s.recent(lambda v: size(v) == size(x))))
    order = list(range(len(shape(x)))) if s.chance(0.6) else [int(k) for k in s.rng.permutation(len(shape(x)))]
    parts = [one(s, x, k) if s.chance(0.7) else s.constant(ints(shape(x)[k])) for k in order]
    if len(parts) > 1 and s.chance(0.5):
        parts[:2] = [s.op("Mul", parts[0], parts[1])]
    if s.chance(0.4):
        parts[s.number(0, len(parts) - 1)] = s.constant(ints(-1))
    if s.chance(0.2):
        parts.insert(0, s.constant(ints(1)))
    return s.op("Reshape", x, s.op("Concat", *parts, axis=0))


@step(2)
def expand_by_sizes(s: Sketch) -> Value:
    """Expand a value to the sizes of another, or of itself."""
    x = s.some(ranks=(1, 2, 3))
    if s.chance(0.5):
        y = s.recent(lambda v: len(shape(v)) >= len(shape(x)))
        return s.op("Expand", x, dims_of(s, y))
    return s.op("Expand", x, s.op("Concat", s.constant(ints(1)), dims_of(s, x), axis=0))


@step(2)
def slice_by_sizes(s: Sketch) -> Value:
    """Slice up to a size, or half of it."""
    x = s.some(ranks=(1, 2, 3, 4))
    at = axis(s, len(shape(x))) % len(shape(x))
    end = one(s, x, at)
    if s.chance(0.5):
        end = s.op(s.pick(["Div", "Sub"]), end, s.constant(ints(s.number(1, 2))))
    if s.chance(0.3):
        return s.op("Slice", x, end, s.constant(ints(np.iinfo(np.int64).max)), ints(at))
    y = s.op("Slice", x, s.constant(ints(0)), end, ints(at))
    if not size(y):
        raise Misfit
    return y


@step(1.5)
def filled_by_sizes(s: Sketch) -> Value:
    """ConstantOfShape, Range and Tile of sizes."""
    x = s.some(ranks=(1, 2, 3))
    kind = s.rng.random()
    if kind < 0.4:
        y = s.op("ConstantOfShape", dims_of(s, x))
        return s.op(s.pick(["Add", "Mul"]), x, y) if dtype(x) is DType.FLOAT else y
    if kind < 0.7:
        number = s.op("Gather", dims_of(s, x), s.constant(np.array(0, np.int64)))
        return s.op("Range", np.array(0, np.int64), number, np.array(1, np.int64))
    return s.op("Tile", x, s.op("Concat", *[one(s, x, 0), *[s.constant(ints(1))] * (len(shape(x)) - 1)], axis=0))


@step(1)
def choice_by_sizes(s: Sketch) -> Value:
    """Where on what a size equals."""
    dims = dims_of(s, s.some(ranks=(1, 2, 3)))
    condition = s.op(s.pick(["Equal", "Less", "Greater"]), dims, s.constant(ints(s.number(-1, 4))))
    other = s.constant(np.full(shape(dims), s.pick([1, -1, 2]), np.int64))
    return s.op("Where", condition, *([dims, other] if s.chance(0.5) else [other, dims]))


@step(0.7)
def size_of(s: Sketch) -> Value:
    """Size, and products of sizes."""
    x = s.some()
    if s.chance(0.5):
        return s.op("Size", x)
    return s.op("ReduceProd", dims_of(s, x), None, keepdims=s.number(0, 1))
