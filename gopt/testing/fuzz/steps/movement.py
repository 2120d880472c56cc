"""Steps that move elements about."""

from __future__ import annotations

from math import prod

import numpy as np

from ....ir import Value
from ..sketch import FLOATS, Misfit, Sketch, dtype, shape, size
from .core import axis, step

_MAX = np.iinfo(np.int64).max


def ints(*numbers: int) -> np.ndarray:
    """A list of 64-bit integers."""
    return np.array(numbers, np.int64)


@step(6)
def transpose(s: Sketch) -> Value:
    """One or two in a row, something elementwise in between now and then."""
    x = s.some(ranks=(2, 3, 4))
    for _ in range(s.pick([1, 2, 2])):
        perm = [int(p) for p in s.rng.permutation(len(shape(x)))]
        x = s.op("Transpose", x, **({} if s.chance(0.1) else {"perm": perm}))
        if s.chance(0.3) and dtype(x) in FLOATS:
            x = s.op(s.pick(["Relu", "Neg", "Sigmoid"]), x)
    return x


def factored(s: Sketch, count: int) -> list[int]:
    """Sizes whose product is `count`."""
    dims: list[int] = []
    while count > 1 and len(dims) < 4:
        size = s.pick([d for d in range(1, count + 1) if count % d == 0])
        dims.append(size)
        count //= size
    return [*dims, count] if count > 1 or not dims else dims


@step(7)
def reshape(s: Sketch) -> Value:
    """One or two in a row; with 0 and -1 in the target where that says the same."""
    x = s.some()
    for _ in range(s.pick([1, 1, 2])):
        old, dims = shape(x), factored(s, size(x)) if size(x) else list(shape(x))
        if s.chance(0.3) and len(old) > 1:
            k = s.number(0, len(old) - 2)
            dims = [*old[:k], old[k] * old[k + 1], *old[k + 2 :]]
        if s.chance(0.2):
            dims = [*dims[:1], 1, *dims[1:]]
        target = [0 if k < len(old) and old[k] == d and s.chance(0.3) else d for k, d in enumerate(dims)]
        if target and size(x) and s.chance(0.5):
            target[s.number(0, len(target) - 1)] = -1
        x = s.op("Reshape", x, s.constant(ints(*target)))
    return x


@step(3)
def flatten(s: Sketch) -> Value:
    """Flatten at any axis."""
    x = s.some(ranks=(1, 2, 3, 4))
    return s.op("Flatten", x, axis=s.number(-len(shape(x)), len(shape(x))))


@step(5)
def ones(s: Sketch) -> Value:
    """Unsqueeze, then perhaps Squeeze; Squeeze of what has ones."""
    x = s.some()
    if 1 in shape(x) and s.chance(0.5):
        axes = [k for k, d in enumerate(shape(x)) if d == 1 and s.chance(0.7)]
        return s.op("Squeeze", x, ints(*axes)) if axes and s.chance(0.9) else s.op("Squeeze", x)
    rank = len(shape(x))
    if rank > 4:
        raise Misfit
    axes = sorted({s.number(0, rank) for _ in range(s.pick([1, 1, 2]))})
    signed = [a - rank - len(axes) if s.chance(0.3) else a for a in axes]
    y = s.op("Unsqueeze", x, ints(*signed))
    if s.chance(0.3):
        y = s.op("Squeeze", y, ints(*axes))
    return y


@step(6)
def slice_(s: Sketch) -> Value:
    """One or several axes, forwards or backwards, up to the end, beyond it, or in parts that are put together again."""
    x = s.some(ranks=(1, 2, 3, 4))
    for _ in range(s.pick([1, 1, 2])):
        axes = [k for k in range(len(shape(x))) if s.chance(0.5)] or [0]
        starts, ends, steps = [], [], []
        for a in axes:
            d = shape(x)[a]
            step_ = s.pick([1, 1, 1, 2, -1, -2]) if s.chance(0.4) else 1
            low, high = s.number(0, max(d // 2, 0)), s.number((d + 1) // 2, d + 1)
            if step_ < 0:
                starts.append(s.pick([-1, d - 1, d + 5, _MAX]))
                ends.append(s.pick([-_MAX, -d - 1, 0 if d > 1 else -d - 1]))
            else:
                starts.append(low - d if s.chance(0.3) and low < d else low)
                ends.append(s.pick([high, _MAX, d, high - d if 0 < high < d else d]))
            steps.append(step_)
        signed = [a - len(shape(x)) if s.chance(0.2) else a for a in axes]
        steps_given = [ints(*steps)] if set(steps) != {1} or s.chance(0.5) else []
        x = s.op("Slice", x, ints(*starts), ints(*ends), ints(*signed), *steps_given)
        if not size(x) and not s.chance(0.1):
            raise Misfit
    return x


@step(5)
def concat(s: Sketch) -> Value:
    """Values that agree but for one axis, itself, constants."""
    x = s.some(ranks=(1, 2, 3, 4))
    a = axis(s, len(shape(x)))
    at = a % len(shape(x))
    parts = [x]
    for _ in range(s.pick([0, 1, 1, 2])):
        if s.chance(0.25):
            dims = tuple(s.number(1, 3) if k == at else d for k, d in enumerate(shape(x)))
            parts.append(s.constant(s.data(dtype(x), dims)))
        else:
            parts.append(s.recent(lambda v: dtype(v) is dtype(x) and _agree(shape(v), shape(x), at)))
    order = s.rng.permutation(len(parts))
    return s.op("Concat", *(parts[int(k)] for k in order), axis=a)


def _agree(one: tuple[int, ...], other: tuple[int, ...], at: int) -> bool:
    return len(one) == len(other) and all(m == n or k == at for k, (m, n) in enumerate(zip(one, other)))


@step(5)
def split(s: Sketch) -> Value:
    """Split; the parts are put together again, in some order, perhaps after something was done to them."""
    x = s.some(ranks=(1, 2, 3, 4), least=2)
    at = axis(s, len(shape(x)))
    d = shape(x)[at]
    if d < 2:
        raise Misfit
    cuts = sorted({s.number(1, d - 1) for _ in range(s.pick([1, 1, 2]))})
    sizes = [b - a for a, b in zip([0, *cuts], [*cuts, d])]
    parts = s.many("Split", [x, s.constant(ints(*sizes))], {"axis": at}, len(sizes))
    if s.chance(0.5):
        return parts[0]
    if s.chance(0.5) and dtype(x) in FLOATS:
        parts = [s.op("Relu", p) for p in parts]
    elif s.chance(0.3) and dtype(x) in FLOATS:
        parts[0] = s.op("Neg", parts[0])
    if s.chance(0.4):
        parts = [parts[int(k)] for k in s.rng.permutation(len(parts))]
    return s.op("Concat", *parts, axis=at if s.chance(0.9) else axis(s, len(shape(x))))


@step(2)
def even_split(s: Sketch) -> list[Value]:
    """Split into equal parts."""
    x = s.some(ranks=(1, 2, 3, 4), least=2)
    at = axis(s, len(shape(x)))
    count = s.pick([n for n in (1, 2, 3, 4) if shape(x)[at] % n == 0])
    return s.many("Split", [x, None], {"axis": at, "num_outputs": count}, count)


@step(4)
def gather(s: Sketch) -> Value:
    """One index, a list or a table of them."""
    x = s.some(ranks=(1, 2, 3, 4))
    at = axis(s, len(shape(x)))
    d = shape(x)[at]
    if not d:
        raise Misfit
    dims = s.pick([(), (), (1,), (2,), (3,), (2, 2)])
    if s.chance(0.2):
        return s.op("Gather", x, s.constant(ints(*range(d))[:: s.pick([1, -1])]), axis=at)
    return s.op("Gather", x, s.index(-d if s.chance(0.3) else 0, d - 1, dims), axis=at)


@step(3)
def pad(s: Sketch) -> Value:
    """Pads of constants, edges or reflections; negative ones cut."""
    x = s.some(FLOATS if s.chance(0.8) else None, (1, 2, 3, 4))
    rank = len(shape(x))
    mode = s.pick(["constant", "constant", "constant", "edge", "reflect"])
    low = -1 if mode == "constant" and s.chance(0.2) else 0
    first = s.pick([0, 2]) if rank > 2 else 0
    pads = [s.number(low, 1) if k % rank >= first and shape(x)[k % rank] > 2 else 0 for k in range(2 * rank)]
    value = s.constant(s.data(dtype(x), ())) if s.chance(0.4) and mode == "constant" else None
    return s.op("Pad", x, s.constant(ints(*pads)), value, mode=mode)


@step(3)
def expand(s: Sketch) -> Value:
    """To a shape that is larger, the same, or of fewer dims."""
    x = s.some(ranks=(0, 1, 2, 3))
    dims = [s.number(2, 3) if d == 1 and s.chance(0.6) else d for d in shape(x)]
    if s.chance(0.3):
        dims = [s.number(1, 2), *dims]
    elif s.chance(0.3):
        dims = [1 if s.chance(0.5) else d for d in dims]
    y = s.op("Expand", x, s.constant(ints(*dims)))
    if s.chance(0.4) and dtype(y) in FLOATS:
        return s.op(s.pick(["Add", "Mul"]), y, s.constant(s.data(dtype(y), s.beside(shape(y)))))
    return y


@step(1.5)
def tile(s: Sketch) -> Value:
    """Along some axes."""
    x = s.some(ranks=(1, 2, 3))
    return s.op("Tile", x, s.constant(ints(*(s.pick([1, 1, 2, 3]) for _ in shape(x)))))


@step(1)
def blocks(s: Sketch) -> Value:
    """DepthToSpace and SpaceToDepth, also as Reshape, Transpose, Reshape."""
    x = s.some(FLOATS, (4,))
    n, c, h, w = shape(x)
    if c % 4 == 0 and s.chance(0.6):
        if s.chance(0.5):
            return s.op("DepthToSpace", x, blocksize=2, mode=s.pick(["DCR", "CRD"]))
        y = s.op("Reshape", x, ints(n, *s.pick([(2, 2, c // 4), (c // 4, 2, 2)]), h, w))
        y = s.op("Transpose", y, perm=s.pick([[0, 3, 4, 1, 5, 2], [0, 1, 4, 2, 5, 3]]))
        if prod(shape(y)[2:4]) == 2 * h:
            return s.op("Reshape", y, ints(n, c // 4, 2 * h, 2 * w))
        return y
    if h % 2 or w % 2:
        raise Misfit
    return s.op("SpaceToDepth", x, blocksize=2)


@step(1.5)
def shuffle(s: Sketch) -> Value:
    """Reshape, Transpose, Reshape: channels in groups, heads."""
    x = s.some(ranks=(2, 3, 4), least=4)
    dims = list(shape(x))
    at = s.number(0, len(dims) - 1)
    parts = [d for d in range(2, dims[at]) if dims[at] % d == 0]
    if not parts:
        raise Misfit
    inner = s.pick(parts)
    y = s.op("Reshape", x, ints(*dims[:at], inner, dims[at] // inner, *dims[at + 1 :]))
    y = s.op("Transpose", y, perm=[int(p) for p in s.rng.permutation(len(dims) + 1)])
    target = dims if s.chance(0.5) else factored(s, size(y))
    return s.op("Reshape", y, ints(*target))


@step(0.7)
def trilu(s: Sketch) -> Value:
    """Triangles."""
    k = None if s.chance(0.5) else s.constant(np.array(s.number(-1, 1), np.int64))
    return s.op("Trilu", s.some(ranks=(2, 3, 4)), k, upper=s.number(0, 1))
