"""Element types, arrays and inputs of generated models."""

from __future__ import annotations

import numpy as np

from .. import ops
from ..analysis import infer_op
from ..ir import Array, DType, Graph, Op, TensorType, Value
from .plans import Rng, Shape, pick

DTYPES = (
    DType.FLOAT,
    DType.FLOAT16,
    DType.DOUBLE,
    DType.INT32,
    DType.INT64,
    DType.BOOL,
    DType.INT8,
    DType.UINT8,
)


def array(data: Array, dtype: DType) -> Array:
    """Numbers in an element type; what lies beyond an integer type's ends becomes its end."""
    data = np.asarray(data)
    target = dtype.numpy
    if target.kind in "iu" and data.dtype.kind in "fiu":
        info = np.iinfo(target)
        if data.dtype.kind == "f":  # the largest int64 has no float64
            data = np.nan_to_num(data.astype(np.float64), posinf=np.inf, neginf=-np.inf)
            inside = (data > info.min) & (data < info.max)
            ends = np.where(data > 0, info.max, info.min)
            return np.asarray(np.where(inside, np.where(inside, data, 0).astype(target), ends)).astype(target)
        return np.asarray(np.clip(data, info.min, info.max)).astype(target)
    with np.errstate(over="ignore"):
        return np.asarray(data.astype(target))


def filled(shape: Shape, number: float, dtype: DType) -> Array:
    """One number throughout. -1 of an unsigned type has all bits set, as of a signed one."""
    if number == -1 and dtype.numpy.kind == "u":
        return np.full(shape, np.iinfo(dtype.numpy).max, dtype.numpy)
    return array(np.full(shape, number), dtype)


def after(graph: Graph, value: Value, op_type: str = "") -> Value:
    """The result of one more op, of this value; which one its element type decides, if none is given."""
    dtype = value.type.dtype if isinstance(value.type, TensorType) else None
    attrs = {}
    if not op_type:
        if dtype is None:
            op_type = "Identity"
        elif dtype is DType.BOOL:
            op_type = "Not"
        elif dtype.is_float or dtype in (DType.INT8, DType.INT32, DType.INT64):
            op_type = "Neg"
        else:
            op_type, attrs = "Cast", {"to": int(DType.FLOAT)}
    extra: Op = ops.make(op_type, [value], attrs, opsets=graph.opsets)
    infer_op(extra)
    return graph.add(extra).result


def feed(dtype: DType, shape: Shape, rng: Rng, special: bool = False) -> Array:
    """A random array for an input: of both signs, or above zero only, or whole numbers; `special` adds NaN and such."""
    kind = dtype.numpy.kind
    if kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    if kind == "O":
        return np.asarray(rng.integers(0, 9, shape)).astype(str).astype(object)
    if kind in "iu":
        info = np.iinfo(dtype.numpy)
        data = array(rng.integers(0 if kind == "u" else -4, 6, shape), dtype)
        return _sprinkle(data, [info.min, info.max, 0, 1], rng) if special else data
    choice = rng.random()
    if choice < 0.2:
        data = rng.integers(-2, 3, shape).astype(np.float64)
    else:
        data = rng.uniform(0.3 if choice < 0.5 else -2.0, 2.0, shape)
    data = array(data, dtype)
    if not special:
        return data
    top = float(np.finfo(dtype.numpy).max) if dtype.bits >= 16 and dtype is not DType.BFLOAT16 else 1.0
    return _sprinkle(data, [np.nan, np.inf, -np.inf, -0.0, -0.0, 0.0, top, -top, 0.5, 1.5, 2.5], rng)


def _sprinkle(data: Array, numbers: list[float], rng: Rng) -> Array:
    """The array with about a third of its elements replaced."""
    flat = data.reshape(-1).copy()
    for place in range(flat.size):
        if rng.random() < 0.35:
            flat[place] = pick(rng, numbers)
    return np.asarray(flat.reshape(data.shape))
