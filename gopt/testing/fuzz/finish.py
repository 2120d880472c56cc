"""From a seed to a case: a model and several sets of inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from ... import ops
from ...analysis import forget, infer
from ...errors import GoptError
from ...frontends.onnx import to_bytes
from ...ir import Array, Declared, DType, Op, TensorType, Value, dtype_of, static_shape
from ..mutations import LARGE, LAST, MUTATIONS, Draft
from ..plans import Rng, Shape, pick
from ..values import feed
from .kernels import OPSETS
from .sketch import Feed, Sketch, dtype
from .steps import grow

Inputs = dict[str, Array]


@dataclass(frozen=True, slots=True)
class Case:
    """A model and what it is fed with.

    Attributes:
        seed: what it was made from.
        data: the model as a file.
        feeds: sets of inputs; the first one suits the model, others may be of other sizes, or hold NaN and such.
    """

    seed: int
    data: bytes
    feeds: tuple[Inputs, ...] = field(default=(), repr=False)


_FOCUS = ["", "", "", "splice", "splice", "sizes", "control", "movement", "layers", "elementwise", "documented", "rare"]
"""What kind of steps a model is made of above all."""


def draw(seed: int) -> Case | None:
    """The case of a seed; None if nothing came of it."""
    rng = np.random.default_rng([20261121, seed])
    focus = pick(rng, _FOCUS)
    usual = 18 if focus != "documented" else OPSETS[-1]  # where most of what is taken over stands as it is
    sketch = Sketch(rng, usual if rng.random() < 0.55 else pick(rng, list(OPSETS)), nasty=bool(rng.random() < 0.25))
    sketch.focus = focus
    grow(sketch, pick(rng, [1, 2, 3, 4, 6, 8, 10, 12, 16]))
    _export(sketch)
    if not sketch.graph.outputs:
        return None
    if rng.random() < 0.4 and not _mutate(sketch, pick(rng, [1, 1, 1, 2])):
        return None
    if not _drawn(sketch).isdisjoint(sketch.graph.outputs):
        return None
    for value in [v for v in sketch.graph.inputs if not v.is_needed]:
        sketch.graph.remove_input(value)
        sketch.feeds.pop(value, None)
    plain = tuple(_inputs(sketch, rng, {}, special=False) for _ in range(2))
    sizes = _name_dims(sketch, rng)
    feeds = [plain[0]]
    if sizes:
        feeds += [_inputs(sketch, rng, other, special=False) for other in _others(sizes, rng)]
    else:
        feeds.append(plain[1])
    feeds.append(_inputs(sketch, rng, {}, special=True))
    _declare_outputs(sketch, rng)
    if not all(map(_is_sound, (op for graph in sketch.model.graphs() for op in graph.ops))):
        return None
    return Case(seed, to_bytes(sketch.model), tuple(feeds))


def _is_sound(op: Op) -> bool:
    """False for what is no model by the standard, though the runtime may take it.

    A PRelu that its slope enlarges, a Split into another number of parts than it has results, pairs of an
    odd size, or a Range of lists.
    """
    if op.op_type == "Split":
        return bool(op.attr("num_outputs", len(op.outputs)) == len(op.outputs))
    if op.op_type == "RotaryEmbedding":
        rotated = static_shape(op.inputs[0].type) if op.inputs[0] is not None else None
        return rotated is not None and rotated[-1] % 2 == 0
    if op.op_type == "Range":  # scalars by the text; ONNX Runtime takes lists of one as long as it does not see that
        return all(v is not None and static_shape(v.type) == () for v in op.inputs)
    if op.op_type != "PRelu":
        return True
    if len(op.inputs) != 2:
        return False
    x, slope = (static_shape(v.type) if v is not None else None for v in op.inputs)
    if x is None or slope is None:
        return slope is not None and prod(slope) == 1 and len(slope) < 2
    return len(slope) <= len(x) and all(n in (1, m) for m, n in zip(x[::-1], slope[::-1]))


def _export(sketch: Sketch) -> None:
    """All results that nobody uses are outputs, for the most part, and some that are used."""
    share = pick(sketch.rng, [0.0, 0.0, 0.0, 0.1, 0.25])
    drawn = _drawn(sketch)
    results = [v for op in sketch.graph.ops for v in op.outputs if v is not None and isinstance(v.type, TensorType)]
    results = [v for v in results if v not in drawn]
    for value in results:
        if value.is_output:
            continue
        if sketch.chance(share if value.uses else 0.85):
            sketch.export(value)
    if not sketch.graph.outputs and results:
        sketch.export(results[-1])


_CERTAIN = ("Greater", "Shape", "Size")
"""What is the same whatever was drawn; of comparisons, those that `random_numbers` makes."""


def _drawn(sketch: Sketch) -> set[Value]:
    """The values that come out differently in each run."""
    found: set[Value] = set()
    for op in sketch.graph.ops:
        above = () if op.op_type in _CERTAIN else sketch.graph.producers(op)  # of what bodies capture, too
        if ops.is_random(op) or any(v in found for producer in above for v in producer.outputs if v is not None):
            found.update(v for v in op.outputs if v is not None)
    return found


_MUTATIONS = [m for m in MUTATIONS if m.name not in ("symbolic", "empty")]


def _mutate(sketch: Sketch, count: int) -> bool:
    """Change the model in so many places, as rules are tested; false if what came is no model."""
    draft = Draft(sketch.model, {v: spec.shape for v, spec in sketch.feeds.items()}, special=sketch.nasty)
    draft.given = {v: spec.data for v, spec in sketch.feeds.items() if spec.data is not None}
    weights = np.array([m.weight for m in _MUTATIONS])
    chosen = [str(n) for n in sketch.rng.choice([m.name for m in _MUTATIONS], count, p=weights / weights.sum())]
    try:
        for name in sorted(chosen, key=lambda n: n in LAST):
            draft.apply(name, sketch.rng)
    except (GoptError, ValueError, KeyError, TypeError, ArithmeticError, AssertionError):
        return False
    if any(prod(dims) > LARGE for dims in draft.sizes.values()):
        return False
    for value in sketch.graph.inputs:
        type_ = value.declared.type if value.declared is not None else None
        if not isinstance(type_, TensorType):
            return False
        old, dims = sketch.feeds.get(value), draft.sizes[value]
        data = draft.given.get(value)
        if old is None or old.shape != dims or old.dtype is not type_.dtype:
            fits = data is not None and data.shape == dims and dtype_of(data) is type_.dtype
            sketch.feeds[value] = Feed(type_.dtype, dims, data=data if fits else None)
    return True


def _name_dims(sketch: Sketch, rng: Rng) -> dict[str, int]:
    """Declare dims of inputs by name: half of the time; returns the size of each."""
    kind = pick(rng, ["none", "none", "batch", "any", "all", "equal"])
    sizes: dict[str, int] = {}
    for value, spec in sketch.feeds.items():
        if spec.data is not None:  # whatever a mutation declared: it is fed with this
            value.declared = Declared(TensorType(spec.dtype, spec.shape))
        if kind == "none" or value.tensor is not None or spec.data is not None:
            continue
        dims = list[object](spec.shape)
        for place, number in enumerate(spec.shape):
            if (kind == "batch" and place) or (kind == "any" and rng.random() < 0.5):
                continue
            name = f"d{number}" if kind in ("equal", "batch") or rng.random() < 0.5 else f"{value.name}_{place}"
            sizes[name] = number
            dims[place] = sketch.model.symbol(name)
        value.declared = Declared(TensorType(spec.dtype, tuple(dims)))  # type: ignore[arg-type]
    return sizes


def _others(sizes: dict[str, int], rng: Rng) -> list[dict[str, int]]:
    """Other sizes: all of them changed, one of them changed; now and then to 0."""
    one = pick(rng, sorted(sizes))
    empty = rng.random() < 0.1
    return [
        {name: int(rng.integers(1, 6)) for name in sizes},
        {**sizes, one: 0 if empty else int(rng.integers(1, 7))},
    ]


def _inputs(sketch: Sketch, rng: Rng, sizes: dict[str, int], special: bool) -> Inputs:
    """Arrays for all inputs; dims that have a name are of these sizes, the others as they were."""
    found: Inputs = {}
    for value, spec in sketch.feeds.items():
        if value.tensor is not None and rng.random() < 0.5:
            continue
        found[value.name] = _array(spec, _shape(value, spec, sizes), rng, special)
    return found


def _shape(value: Value, spec: Feed, sizes: dict[str, int]) -> Shape:
    type_ = value.declared.type if value.declared is not None else None
    if not isinstance(type_, TensorType) or type_.shape is None:
        return spec.shape
    return tuple(sizes.get(getattr(d, "name", ""), n) for d, n in zip(type_.shape, spec.shape))


def _array(spec: Feed, dims: Shape, rng: Rng, special: bool) -> Array:
    if spec.data is not None:
        return spec.data
    if spec.low is not None and spec.high is not None:
        return np.asarray(rng.integers(spec.low, spec.high + 1, dims)).astype(spec.dtype.numpy)
    return feed(spec.dtype, dims, rng, special and spec.dtype is not DType.INT64)


def _declare_outputs(sketch: Sketch, rng: Rng) -> None:
    """Say of outputs what is inferred, or nothing of their shapes: then a wrong inference cannot hide in the file."""
    forget(sketch.model)
    infer(sketch.model)
    if rng.random() < 0.3:
        return
    for value in sketch.graph.outputs:
        if isinstance(value.type, TensorType):
            value.declared = Declared(TensorType(dtype(value), None))
