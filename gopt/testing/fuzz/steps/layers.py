"""Steps that are layers: convolutions, products, normalizations, pools, resizing, recurrent layers."""

from __future__ import annotations

import numpy as np

from ....ir import DType, Value
from ..sketch import FLOATS, Misfit, Sketch, dtype, shape, size
from .core import axis, step
from .movement import ints


def weight(s: Sketch, like: Value, dims: tuple[int, ...]) -> Value:
    """Random numbers, not too large; now and then special ones."""
    if s.chance(0.15):
        return s.constant(s.data(dtype(like), dims))
    return s.constant(s.rng.normal(0, 0.5, dims).astype(dtype(like).numpy))


def positive(s: Sketch, like: Value, dims: tuple[int, ...]) -> Value:
    """Numbers above zero."""
    return s.constant(s.rng.uniform(0.3, 2, dims).astype(dtype(like).numpy))


@step(6)
def conv(s: Sketch) -> Value:
    """Conv or ConvTranspose: groups, strides, pads, dilations, auto_pad; constant weights mostly."""
    x = s.some(FLOATS, (3, 4))
    if 0 in shape(x):
        raise Misfit
    channels, spatial = shape(x)[1], shape(x)[2:]
    group = s.pick([g for g in (1, 1, channels, 2) if channels % g == 0])
    kernel = tuple(s.pick([k for k in (1, 1, 2, 3) if k <= d]) for d in spatial)
    attrs: dict[str, object] = {"group": group}
    if s.chance(0.5):
        attrs["pads"] = [s.number(0, k // 2) for k in kernel * 2]
    elif s.chance(0.2):
        attrs["auto_pad"] = s.pick(["SAME_UPPER", "SAME_LOWER", "VALID"])
    if s.chance(0.25):
        attrs["strides"] = [s.pick([1, 2]) for _ in kernel]
    op_type, outputs = "Conv", group * s.number(1, 3)
    dims = (outputs, channels // group, *kernel)
    if s.chance(0.2):
        op_type, dims = "ConvTranspose", (channels, outputs // group, *kernel)
    if s.chance(0.3):
        attrs["kernel_shape"] = list(kernel)
    bias = weight(s, x, (outputs,)) if s.chance(0.5) else None
    y = s.op(op_type, x, weight(s, x, dims), bias, **attrs)
    return after_layer(s, y) if s.chance(0.5) else y


def after_layer(s: Sketch, x: Value) -> Value:
    """What follows a layer: a normalization, a factor, a bias, an activation."""
    kind = s.rng.random()
    if len(shape(x)) < 2:
        raise Misfit
    dims = (shape(x)[1], *(1,) * (len(shape(x)) - 2))
    if kind < 0.35:
        return normalize(s, x)
    if kind < 0.75:
        operands = [x, s.constant(s.data(dtype(x), dims if s.chance(0.8) else s.beside(shape(x))))]
        return s.op(s.pick(["Add", "Mul", "Sub"]), *(operands if s.chance(0.7) else operands[::-1]))
    return s.op(s.pick(["Relu", "Sigmoid", "LeakyRelu", "Neg"]), x)


def normalize(s: Sketch, x: Value) -> Value:
    """BatchNormalization."""
    channels = (shape(x)[1],)
    return s.op(
        "BatchNormalization",
        x,
        *(weight(s, x, channels) for _ in range(3)),
        positive(s, x, channels),
        epsilon=float(s.pick([1e-5, 1e-3])),
    )


@step(2)
def batch_norm(s: Sketch) -> Value:
    """BatchNormalization of anything."""
    return normalize(s, s.some(FLOATS, (2, 3, 4)))


@step(5)
def matmul(s: Sketch) -> Value:
    """MatMul by a constant, by another value, by what is turned; a bias behind it."""
    x = s.some(FLOATS, (1, 2, 3, 4))
    inner = shape(x)[-1]
    if s.chance(0.6):
        w = weight(s, x, (*s.pick([(), (), (), shape(x)[:-2]]), inner, s.number(1, 4)))
        y = s.op("MatMul", x, w)
        if s.chance(0.6) and shape(y):
            bias = s.constant(s.data(dtype(y), s.pick([shape(y)[-1:], shape(y)[-1:], s.beside(shape(y))])))
            y = s.op(s.pick(["Add", "Sub", "Mul", "Div"]) if s.chance(0.4) else "Add", y, bias)
        return y
    other = s.recent(lambda v: dtype(v) is dtype(x) and len(shape(v)) == len(shape(x)) > 1)
    if s.chance(0.6):
        other = s.op("Transpose", other, perm=[*range(len(shape(x)) - 2), len(shape(x)) - 1, len(shape(x)) - 2])
    if shape(other)[-2] != inner or shape(other)[:-2] != shape(x)[:-2]:
        raise Misfit
    y = s.op("MatMul", x, other)
    if s.chance(0.4):
        y = s.op("Mul", y, s.constant(s.data(dtype(y), ())))
    return y


@step(3)
def gemm(s: Sketch) -> Value:
    """Gemm with all that it can have."""
    x = s.some(FLOATS, (2,))
    flip, turned = s.number(0, 1), s.number(0, 1)
    rows, inner = shape(x)[::-1] if flip else shape(x)
    columns = s.number(1, 4)
    w = weight(s, x, (columns, inner) if turned else (inner, columns))
    bias = None
    if s.chance(0.7):
        bias = s.constant(s.data(dtype(x), s.pick([(columns,), (1, columns), (rows, columns), (), (rows, 1), (1,)])))
    attrs = {"alpha": float(s.pick([1, 1, 0.5])), "beta": float(s.pick([1, 1, 2.0, 0.0]))}
    y = s.op("Gemm", x, w, bias, transA=flip, transB=turned, **attrs)
    return s.op(s.pick(["Add", "Mul"]), y, s.constant(s.data(dtype(y), s.beside(shape(y))))) if s.chance(0.3) else y


@step(2)
def layer_norm(s: Sketch) -> Value:
    """The normalizations that are single ops."""
    x = s.some(FLOATS, (3, 4))
    channels, kind = shape(x)[1:2], s.rng.random()
    if not size(x):
        raise Misfit
    if kind < 0.3:
        return s.op("LayerNormalization", x, weight(s, x, shape(x)[-1:]), weight(s, x, shape(x)[-1:]))
    if kind < 0.5:
        return s.op("InstanceNormalization", x, weight(s, x, channels), weight(s, x, channels))
    if kind < 0.65:
        groups = s.pick([g for g in (1, 2, 4) if channels[0] % g == 0])
        count = channels if s.graph.opsets[""] >= 21 else (groups,)
        return s.op("GroupNormalization", x, weight(s, x, count), weight(s, x, count), num_groups=groups)
    if kind < 0.75:
        return s.op("RMSNormalization", x, weight(s, x, shape(x)[-1:]))
    if kind < 0.85:
        return s.op("LpNormalization", s.op("Add", x, np.array(5, dtype(x).numpy)), axis=axis(s, len(shape(x))), p=2)
    if kind < 0.93:
        return s.op("MeanVarianceNormalization", x, axes=[0, 2, 3][: len(shape(x)) - 1])
    return s.op("LRN", x, size=3)


@step(3)
def pool(s: Sketch) -> Value:
    """Pools, global ones, and means over the spatial axes."""
    x = s.some((DType.FLOAT,), (3, 4))
    if not size(x):
        raise Misfit
    kind = s.rng.random()
    if kind < 0.35:
        return s.op(s.pick(["GlobalAveragePool", "GlobalMaxPool"]), x)
    kernel = [s.pick([k for k in (1, 2, 3) if k <= d]) for d in shape(x)[2:]]
    attrs: dict[str, object] = {"kernel_shape": kernel}
    if s.chance(0.4):
        attrs["pads"] = [k // 2 for k in kernel] * 2
    if s.chance(0.4):
        attrs["strides"] = [s.number(1, 2) for _ in kernel]
    if s.chance(0.2):
        attrs["ceil_mode"] = 1
    if kind < 0.65:
        return s.op("MaxPool", x, **attrs)
    return s.op("AveragePool", x, count_include_pad=s.number(0, 1), **attrs)


@step(1.5)
def resize(s: Sketch) -> Value:
    """Resize by scales or to sizes."""
    x = s.some((DType.FLOAT,), (4,))
    if not size(x):
        raise Misfit
    attrs: dict[str, object] = {"mode": s.pick(["nearest", "nearest", "linear", "cubic"])}
    if s.chance(0.5):
        modes = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
        attrs["coordinate_transformation_mode"] = s.pick(modes)
    if attrs["mode"] == "nearest" and s.chance(0.5):
        attrs["nearest_mode"] = s.pick(["floor", "ceil", "round_prefer_floor"])
    scale = [s.pick([1, 2, 2, 0.5]) for _ in range(2)]
    if s.chance(0.5):
        return s.op("Resize", x, None, np.array([1, 1, *scale], np.float32), **attrs)
    sizes = [max(int(d * f), 1) for d, f in zip(shape(x)[2:], scale)]
    return s.op("Resize", x, None, None, ints(*shape(x)[:2], *sizes), **attrs)


@step(1)
def einsum(s: Sketch) -> Value:
    """Sums of products by letters."""
    x = s.some((DType.FLOAT,), (2, 3))
    letters = "abc"[: len(shape(x))]
    if s.chance(0.4):
        kept = [letters[int(k)] for k in s.rng.permutation(len(letters))][: s.number(1, len(letters))]
        return s.op("Einsum", x, equation=f"{letters}->{''.join(kept)}")
    w = weight(s, x, (shape(x)[-1], s.number(1, 3)))
    turned = s.chance(0.3)
    equation = (
        f"{letters},{letters[-1]}z->{letters[:-1]}z" if not turned else f"{letters},{letters[-1]}z->z{letters[:-1]}"
    )
    return s.op("Einsum", x, w, equation=equation)


@step(0.8)
def recurrent(s: Sketch) -> list[Value]:
    """RNN, GRU and LSTM."""
    x = s.some((DType.FLOAT,), (3,))
    if not size(x):
        raise Misfit
    op_type, gates = s.pick([("RNN", 1), ("GRU", 3), ("LSTM", 4)])
    hidden, (_, batch, inputs) = s.number(1, 3), shape(x)
    direction = s.pick(["forward", "reverse", "bidirectional"])
    n = 2 if direction == "bidirectional" else 1
    operands: list[Value | None] = [
        x,
        weight(s, x, (n, gates * hidden, inputs)),
        weight(s, x, (n, gates * hidden, hidden)),
    ]
    operands.append(weight(s, x, (n, 2 * gates * hidden)) if s.chance(0.5) else None)
    operands += [None, s.constant(np.zeros((n, batch, hidden), np.float32)) if s.chance(0.4) else None]
    results = s.many(op_type, operands, {"hidden_size": hidden, "direction": direction}, 2)
    if s.chance(0.5):
        return [s.op("Squeeze", results[0], ints(1))] if n == 1 else results
    return results


@step(1.5)
def attention(s: Sketch) -> Value:
    """Products of queries and keys, softmax, values: in parts."""
    x = s.some((DType.FLOAT,), (3,))
    if not size(x):
        raise Misfit
    width = shape(x)[-1]
    q, k, v = (s.op("MatMul", x, weight(s, x, (width, 2))) for _ in range(3))
    scores = s.op("MatMul", q, s.op("Transpose", k, perm=[0, 2, 1]))
    scores = s.op(s.pick(["Mul", "Div"]), scores, np.array(s.pick([0.7, 2.0]), np.float32))
    if s.chance(0.4):
        scores = s.op("Add", scores, s.constant(s.data(DType.FLOAT, s.beside(shape(scores)))))
    return s.op("MatMul", s.op("Softmax", scores, axis=-1), v)
