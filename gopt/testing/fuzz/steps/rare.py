"""Steps for operators that few models have: what counts is that gopt leaves them alone, and goes on around them."""

from __future__ import annotations

import numpy as np

from .... import ops
from ....ir import DType, Value
from ..sketch import FLOATS, Misfit, Sketch, dtype, shape, size
from .core import axis, step
from .movement import ints


@step(0.6)
def angle(s: Sketch) -> Value:
    """Trigonometry within the domain of each function."""
    x = s.op("Clip", s.some(FLOATS), *(np.array(n, np.float32) for n in (-0.9, 0.9)))
    op_type = s.pick(["Acos", "Asin", "Atanh", "Tan", "Acosh"])
    return s.op(op_type, s.op("Add", x, np.array(2, dtype(x).numpy)) if op_type == "Acosh" else x)


@step(0.4)
def window(s: Sketch) -> Value:
    """Windows of a size; of shorter ones nothing is left but what cosines miss 1 by."""
    number = s.constant(np.array(s.number(3, 6), np.int64))
    return s.op(s.pick(["HannWindow", "HammingWindow", "BlackmanWindow"]), number, periodic=s.number(0, 1))


@step(0.5)
def norms(s: Sketch) -> Value:
    """LpPool, GlobalLpPool, LRN, ReduceLogSum, CumProd, Det."""
    x = s.some((DType.FLOAT,), (3, 4))
    if not size(x):
        raise Misfit
    kind = s.number(0, 5)
    if kind == 0:
        return s.op("LpPool", x, kernel_shape=[min(2, d) for d in shape(x)[2:]], p=2)
    if kind == 1:
        return s.op("GlobalLpPool", x, p=s.number(1, 2))
    if kind == 2:
        return s.op("LRN", x, size=s.pick([1, 3, 5]))
    if kind == 3:
        return s.op("ReduceLogSum", s.op("Add", s.op("Abs", x), np.float32(0.5)), ints(1), keepdims=s.number(0, 1))
    if kind == 4:
        return s.op("CumProd", x, np.array(axis(s, len(shape(x))), np.int64))
    return s.op("Det", s.op("MatMul", x, s.op("Transpose", x, perm=_last_two(len(shape(x))))))


def _last_two(rank: int) -> list[int]:
    return [*range(rank - 2), rank - 1, rank - 2]


@step(0.4)
def integer_products(s: Sketch) -> Value:
    """MatMulInteger and ConvInteger of what DynamicQuantizeLinear makes."""
    x = s.some((DType.FLOAT,), (2, 4), least=1)
    quantized, _, zero = s.many("DynamicQuantizeLinear", [x], {}, 3)
    if len(shape(x)) == 2:
        w = s.constant(s.rng.integers(0, 9, (shape(x)[1], 3)).astype(np.uint8))
        y = s.op("MatMulInteger", quantized, w, zero)
    else:
        w = s.constant(s.rng.integers(0, 9, (2, shape(x)[1], 1, 1)).astype(np.uint8))
        y = s.op("ConvInteger", quantized, w, zero)
    return s.op("Cast", y, to=int(DType.FLOAT))


@step(0.5)
def strings(s: Sketch) -> Value:
    """Strings that are moved about, put together, compared."""
    dims = (s.number(1, 3),)
    words = [np.array([b"%d" % n for n in s.rng.integers(0, 3, dims)], object) for _ in range(2)]
    a, b = (s.op("Identity", ops.constant(w)) for w in words)
    if s.chance(0.3):
        a = s.op("Gather", a, s.constant(s.rng.integers(0, dims[0], dims)))
    if s.chance(0.3):
        return s.op("Concat", a, b, axis=0)
    if s.chance(0.4):
        return s.op("StringConcat", a, b)
    return s.op("Equal", a, b)


@step(0.4)
def optionals(s: Sketch) -> Value:
    """Values that may be absent."""
    x = s.some(FLOATS)
    held = s.many("Optional", [x], {}, 1)[0]
    return s.op(s.pick(["OptionalGetElement", "OptionalHasElement"]), held)


@step(0.5)
def edited_sequence(s: Sketch) -> Value:
    """Sequences that are made longer and shorter."""
    x = s.some(ranks=(1, 2))
    held = s.many("SequenceConstruct", [x, x], {}, 1)[0]
    if s.chance(0.3):
        held = s.many("SequenceEmpty", [], {"dtype": int(dtype(x))}, 1)[0]
    for _ in range(s.number(1, 3)):
        held = s.many("SequenceInsert", [held, s.like(x), *([ints(0).reshape(())] if s.chance(0.5) else [])], {}, 1)[0]
    if s.chance(0.3):
        held = s.many("SequenceErase", [held], {}, 1)[0]
    if s.chance(0.3):
        return s.op("SequenceLength", held)
    return s.op("SequenceAt", held, np.array(s.pick([0, -1]), np.int64))


@step(0.4)
def sampled(s: Sketch) -> Value:
    """GridSample, AffineGrid, Col2Im, NonMaxSuppression, RoiAlign."""
    x = s.some((DType.FLOAT,), (4,))
    if not size(x):
        raise Misfit
    n = shape(x)[0]
    kind = s.number(0, 3)
    if kind == 0:
        return s.op("GridSample", x, s.constant(s.rng.uniform(-1, 1, (n, 2, 3, 2)).astype(np.float32)))
    if kind == 1:
        theta = s.constant(s.rng.normal(0, 1, (n, 2, 3)).astype(np.float32))
        return s.op("GridSample", x, s.op("AffineGrid", theta, ints(n, shape(x)[1], 2, 2)))
    if kind == 2:
        boxes = s.constant(np.array([[0, 0, 1, 1], [0, 1, 2, 2]], np.float32))
        return s.op("RoiAlign", x, boxes, ints(0, n - 1), output_height=2, output_width=2)
    boxes = s.constant(s.rng.uniform(0, 1, (1, 4, 4)).astype(np.float32))
    scores = s.constant(s.rng.uniform(0, 1, (1, 2, 4)).astype(np.float32))
    found = s.many("NonMaxSuppression", [boxes, scores, ints(2).reshape(()), np.float32(0.5)], {}, 1)[0]
    s.export(found)
    return s.op("Shape", found)


@step(0.4)
def rotary(s: Sketch) -> Value:
    """RotaryEmbedding and Attention as single ops."""
    if s.chance(0.5):
        x = s.some((DType.FLOAT,), (3,), least=1)
        return s.op("Attention", x, s.like(x), s.like(x), q_num_heads=1, kv_num_heads=1)
    x = s.leaf(DType.FLOAT, (1, 2, 3, 4))
    caches = [s.constant(s.rng.uniform(-1, 1, (1, 3, 2)).astype(np.float32)) for _ in range(2)]
    return s.op("RotaryEmbedding", x, *caches)


@step(0.4)
def spectrum(s: Sketch) -> Value:
    """DFT of real numbers."""
    x = s.op("Unsqueeze", s.some((DType.FLOAT,), (2,), least=2), ints(-1))
    return s.op("DFT", x)


@step(0.5)
def random_numbers(s: Sketch) -> Value:
    """Whether two draws differ, which two ops of equal attributes do; nothing else is made of what they draw."""
    if s.depth:
        raise Misfit
    op_type = s.pick(["RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike"])
    like = op_type.endswith("Like")
    given = (s.some(FLOATS),) if like else ()
    attrs = {} if like else {"shape": [s.number(1, 3), s.number(1, 3)]}
    pool = list(s.values)
    apart = s.op("Abs", s.op("Sub", *(s.op(op_type, *given, dtype=int(DType.FLOAT), **attrs) for _ in range(2))))
    differ = s.op("Greater", s.op("ReduceMax", apart, keepdims=0), np.float32(0))
    s.values[:] = [*pool, differ]
    return differ
