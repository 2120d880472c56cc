"""Steps that reduce, order, look up and scatter."""

from __future__ import annotations

import numpy as np

from ....ir import DType, Value
from ..sketch import FLOATS, Misfit, Sketch, dtype, shape, size
from .core import axis, step
from .movement import ints

_REDUCTIONS = ("Sum", "Mean", "Max", "Min", "Sum", "Mean", "Prod", "L1", "L2", "SumSquare", "LogSumExp")


@step(6)
def reduce(s: Sketch) -> Value:
    """Over some axes, all, or (with an empty list) none."""
    x = s.some(FLOATS if s.chance(0.85) else None, (1, 2, 3, 4))
    op_type = f"Reduce{s.pick(_REDUCTIONS)}"
    axes = [k - len(shape(x)) if s.chance(0.3) else k for k in range(len(shape(x))) if s.chance(0.5)]
    attrs = {"keepdims": s.number(0, 1)}
    if s.chance(0.1):
        return s.op(op_type, x, None, noop_with_empty_axes=s.number(0, 1), **attrs)
    return s.op(op_type, x, ints(*axes) if axes else None, **attrs)


@step(1)
def normalized(s: Sketch) -> Value:
    """Less the mean, divided by the deviation or the norm: in parts."""
    x = s.some(FLOATS, (2, 3, 4))
    at = ints(-1) if s.chance(0.7) else ints(axis(s, len(shape(x))))
    eps = s.constant(np.array(s.pick([1e-5, 1e-6, 1e-3]), dtype(x).numpy))
    if s.chance(0.3):
        return s.op("Div", x, s.op("Add", s.op("ReduceL2", x, at, keepdims=1), eps))
    centred = s.op("Sub", x, s.op("ReduceMean", x, at, keepdims=1)) if s.chance(0.7) else x
    squares = s.op("Mul", centred, centred) if s.chance(0.5) else s.op("Pow", centred, np.array(2, dtype(x).numpy))
    root = s.op("Sqrt", s.op("Add", s.op("ReduceMean", squares, at, keepdims=1), eps))
    y = s.op("Div", centred, root)
    if s.chance(0.6):
        y = s.op("Mul", y, s.constant(s.data(dtype(x), shape(x)[-1:])))
        y = s.op("Add", y, s.constant(s.data(dtype(x), shape(x)[-1:])))
    return y


@step(1.5)
def extreme(s: Sketch) -> Value:
    """ArgMax, ArgMin, TopK."""
    x = s.some(FLOATS, (1, 2, 3))
    at = axis(s, len(shape(x)))
    if not shape(x)[at]:
        raise Misfit
    if s.chance(0.5):
        return s.op(s.pick(["ArgMax", "ArgMin"]), x, axis=at, keepdims=s.number(0, 1))
    count = s.constant(ints(s.number(1, shape(x)[at])))
    return s.many("TopK", [x, count], {"axis": at, "largest": s.number(0, 1)}, 2)[0]


@step(1)
def cumulative(s: Sketch) -> Value:
    """CumSum."""
    x = s.some(FLOATS, (1, 2, 3))
    at = np.array(axis(s, len(shape(x))), np.int64)
    return s.op("CumSum", x, s.constant(at), exclusive=s.number(0, 1), reverse=s.number(0, 1))


@step(1.5)
def elements(s: Sketch) -> Value:
    """GatherElements, GatherND, ScatterElements, ScatterND."""
    x = s.some(ranks=(1, 2, 3))
    dims, kind = shape(x), s.rng.random()
    if not size(x):
        raise Misfit
    at = axis(s, len(dims))
    if kind < 0.3:
        return s.op("GatherElements", x, s.index(-dims[at] if s.chance(0.3) else 0, dims[at] - 1, dims), axis=at)
    if kind < 0.55:
        return s.op("GatherND", x, s.index(0, min(dims) - 1, (s.number(1, 3), s.number(1, len(dims)))))
    if kind < 0.8:
        count = s.number(1, dims[0])
        places = s.constant(s.rng.permutation(dims[0])[:count].reshape(count, 1).astype(np.int64))
        return s.op("ScatterND", x, places, s.constant(s.data(dtype(x), (count, *dims[1:]))))
    places = s.constant(np.argsort(s.rng.random(dims), axis=at).astype(np.int64))
    return s.op("ScatterElements", x, places, s.constant(s.data(dtype(x), dims)), axis=at)


@step(0.7)
def one_hot(s: Sketch) -> Value:
    """OneHot of indices."""
    dims = s.pick([(2,), (3,), (2, 2)])
    values = s.constant(np.array(s.pick([[0, 1], [1, 0], [-1, 2]]), np.float32))
    return s.op("OneHot", s.index(-3, 4, dims), s.constant(np.array(4, np.int64)), values, axis=s.pick([-1, 0, 1]))


@step(0.7)
def filled(s: Sketch) -> Value:
    """What depends on no element: EyeLike, ConstantOfShape, Range."""
    kind = s.rng.random()
    if kind < 0.3:
        return s.op("EyeLike", s.some(FLOATS, (2,)), k=s.number(-1, 1))
    if kind < 0.6:
        return s.op("ConstantOfShape", s.constant(ints(*(s.number(0 if s.chance(0.05) else 1, 3) for _ in range(2)))))
    numbers = [np.array(n, np.int64) for n in (s.number(-2, 2), s.number(3, 8), s.number(1, 2))]
    return s.op("Range", *numbers)


@step(0.7)
def unknown_size(s: Sketch) -> Value:
    """Results whose size depends on elements, brought back to something of known rank."""
    x = s.some(FLOATS, (1, 2))
    kind = s.rng.random()
    if kind < 0.4:
        y = s.many("NonZero", [s.op("Greater", x, np.zeros((), dtype(x).numpy))], {}, 1)[0]
        y = s.many("Transpose", [y], {"perm": [1, 0]}, 1)[0]
    elif kind < 0.7:
        at = axis(s, len(shape(x)))
        y = s.many("Compress", [x, s.constant(s.data(DType.BOOL, (shape(x)[at],)))], {"axis": at}, 1)[0]
    else:
        # Of whole numbers: whether two results of arithmetic are equal to the bit is chance.
        y = s.many("Unique", [s.op("Round", x)], {"sorted": 1}, 1)[0]
    s.export(y)
    return s.op("Shape", y)


@step(0.5)
def quantized(s: Sketch) -> Value:
    """QuantizeLinear, something that moves elements, DequantizeLinear."""
    x = s.some((DType.FLOAT,))
    scale, zero = (
        s.constant(np.array(s.pick([0.1, 0.5, 1.0]), np.float32)),
        s.constant(np.array(s.number(0, 128), np.uint8)),
    )
    y = s.op("QuantizeLinear", x, scale, zero)
    if s.chance(0.4) and len(shape(y)) > 1:
        y = s.op("Transpose", y)
    return s.op("DequantizeLinear", y, scale, zero)


@step(0.5)
def reverse(s: Sketch) -> Value:
    """ReverseSequence."""
    x = s.some(ranks=(2, 3))
    if not size(x):
        raise Misfit
    return s.op("ReverseSequence", x, s.index(1, shape(x)[0], shape(x)[1:2]), batch_axis=1, time_axis=0)
