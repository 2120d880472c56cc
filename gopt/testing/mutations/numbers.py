"""Mutations of numbers: element types, elements and shapes of constants, sizes."""

from __future__ import annotations

from math import prod

import numpy as np

from ...analysis.inference import type_of
from ...ir import Array, ArrayTensor, DType, TensorType, Value, static_shape
from ..plans import Rng, Shape, pick
from ..values import DTYPES, array, filled
from .draft import LARGE, Draft, declare, declared, mutation


@mutation("element type", 1.5)
def element_type(draft: Draft, rng: Rng) -> None:
    """Inputs and constants of one element type get another, and so do casts to it."""
    types = [t.dtype for v in draft.graph.inputs if (t := declared(v)) is not None]
    if not types:
        return
    old, new = pick(rng, types), pick(rng, list(DTYPES))
    for value in draft.graph.inputs:
        type_ = declared(value)
        if type_ is not None and type_.dtype is old:
            declare(value, TensorType(new, type_.shape))
            if value.tensor is not None:
                value.tensor = ArrayTensor(array(value.tensor.numpy(), new))
    for value in draft.constants():
        assert value.tensor is not None
        if value.tensor.dtype is old:
            draft.set_data(value, array(value.tensor.numpy(), new))
    for op in draft.graph.ops:
        if op.op_type == "Cast" and op.attr("to") == int(old) and rng.random() < 0.8:
            draft.graph.set_attr(op, "to", int(new))


@mutation("constant value", 2.0)
def constant_value(draft: Draft, rng: Rng) -> None:
    """One constant gets other elements."""
    values = draft.constants()
    if not values:
        return
    value = pick(rng, values)
    assert value.tensor is not None
    dtype, old = value.tensor.dtype, value.tensor.numpy()
    if dtype is DType.BOOL:
        new = filled(old.shape, float(rng.integers(2)), dtype) if rng.random() < 0.5 else np.invert(old)
    elif dtype.is_float:
        new = _floats(old, dtype, draft.special, rng)
    elif rng.random() < 0.3:
        new = filled(old.shape, pick(rng, [0.0, 1.0, -1.0]), dtype)
    else:
        new = _one_changed(old, _integer(old, dtype, rng), rng)
    draft.set_data(value, np.asarray(new))


def _floats(old: Array, dtype: DType, special: bool, rng: Rng) -> Array:
    numbers = [0.0, 1.0, 1.0, -1.0, 0.5, 2.0, 6.0, -0.0]
    if special:
        numbers += [np.nan, np.inf, -np.inf, float(np.finfo(np.float32).max)]
    choice = rng.random()
    if choice < 0.4:
        return filled(old.shape, pick(rng, numbers), dtype)
    if choice < 0.7:
        return _one_changed(old, pick(rng, numbers), rng)
    return array(np.asarray(rng.normal(0, 1, old.shape) if choice < 0.85 else rng.uniform(0.5, 2, old.shape)), dtype)


def _integer(old: Array, dtype: DType, rng: Rng) -> int:
    one = int(pick(rng, old.reshape(-1).tolist() or [0]))
    info = np.iinfo(dtype.numpy)
    return pick(rng, [0, 1, -1, 2, one - 1, one + 1, -one, int(info.max), int(info.min)])


def _one_changed(old: Array, number: float, rng: Rng) -> Array:
    """The array with one element replaced."""
    flat = old.reshape(-1).copy()
    if flat.size:
        place = int(rng.integers(flat.size))
        if flat.dtype.kind in "iu":
            info = np.iinfo(flat.dtype)
            number = min(max(int(number), int(info.min)), int(info.max))
        with np.errstate(over="ignore"):
            flat[place] = number
    return np.asarray(flat.reshape(old.shape))


@mutation("constant shape", 2.0)
def constant_shape(draft: Draft, rng: Rng) -> None:
    """One constant gets another shape: mostly one that broadcasts with the other operand; some enlarge it."""
    values = draft.constants()
    if not values:
        return
    value = pick(rng, values)
    assert value.tensor is not None
    shape = pick(rng, beside(value) or [value.tensor.shape])
    forms: list[Shape] = [(), (1,), shape[-1:], (1,) * len(shape), shape, (1, *shape), (2, *shape)]
    if len(shape) >= 2:
        channels = (shape[1], *(1,) * (len(shape) - 2))
        forms += [channels, (1, *channels), shape[:1] + (1,) * (len(shape) - 1), shape[1:]]
    length = value.tensor.size
    if value.tensor.dtype is DType.INT64 and len(value.tensor.shape) == 1:  # axes, pads and such
        forms = [(length + 1,), (length + 1,), (max(length - 1, 0),), (0,), ()]
    elif 1 in shape:
        forms += [tuple(3 if d == 1 else d for d in shape)]
    draft.set_data(value, _resized(value.tensor.numpy(), pick(rng, forms), rng))


def beside(value: Value) -> list[Shape]:
    """Shapes of the operands that stand beside a value, where they are known."""
    others = (v for op, _ in value.uses for v in op.inputs if v is not None and v is not value)
    return [shape for v in others if (shape := static_shape(type_of(v))) is not None]


@mutation("broadcast", 1.5)
def broadcast(draft: Draft, rng: Rng) -> None:
    """A constant gets the shape of what it stands beside, and that is smaller in the run: dims are unknown, and 1."""
    values = [(v, shape) for v in draft.constants() for shape in beside(v) if shape]
    if not values:
        return
    value, shape = pick(rng, values)
    assert value.tensor is not None
    draft.set_data(value, _resized(value.tensor.numpy(), shape[int(rng.integers(len(shape))) :], rng))
    ones = {size for size in sorted(set(shape)) if rng.random() < 0.5}
    for given in draft.graph.inputs:
        type_ = declared(given)
        if type_ is None or type_.shape is None or given.tensor is not None:
            continue
        dims = (draft.model.symbol(f"d{d}") if d in ones else d for d in type_.shape)
        declare(given, TensorType(type_.dtype, tuple(dims)))
        draft.sizes[given] = tuple(1 if s in ones else s for s in draft.sizes[given])


def _resized(old: Array, shape: Shape, rng: Rng) -> Array:
    """An array of another shape with the elements of one, over and over, or with all of them equal."""
    if prod(shape) > LARGE:
        raise ValueError("a constant that large tells no more than a small one")
    if not old.size:
        return np.zeros(shape, old.dtype)
    flat = old.reshape(-1)
    return np.full(shape, flat[0], old.dtype) if rng.random() < 0.3 else np.asarray(np.resize(flat, shape))


@mutation("sizes", 1.5)
def sizes(draft: Draft, rng: Rng) -> None:
    """One size becomes another wherever it stands: in inputs, weights, and now and then in constants and attributes."""
    known = sorted({d for shape in draft.sizes.values() for d in shape})
    if not known:
        return
    old, new = pick(rng, known), int(rng.integers(1, 7))
    for value, shape in draft.sizes.items():
        type_ = declared(value)
        draft.sizes[value] = tuple(new if d == old else d for d in shape)
        if type_ is not None and type_.shape is not None:
            declare(value, TensorType(type_.dtype, tuple(new if d == old else d for d in type_.shape)))
    for value in draft.constants():
        assert value.tensor is not None
        data = value.tensor.numpy()
        if old in data.shape and data.dtype.kind not in "iu":
            draft.set_data(value, _resized(data, tuple(new if d == old else d for d in data.shape), rng))
        elif data.dtype == np.int64 and old in data and rng.random() < 0.7:
            draft.set_data(value, np.where(data == old, np.int64(new), data))
