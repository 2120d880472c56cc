"""A graph in the making: a pool of values of known type and shape, and what puts one more op on them.

All sizes are known while a graph is made, so that each step knows what fits. That dims are declared by name only comes
last (`finish.py`): what computes with sizes then does so for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ... import ops
from ...analysis import infer_op
from ...errors import GoptError
from ...ir import Array, ArrayTensor, Declared, DType, Function, Graph, Model, Op, Role, TensorType, Value, static_shape
from ..plans import Rng, Shape, pick
from ..values import array, filled
from . import kernels

LARGEST = 2048
"""Elements of a value at most."""
FLOATS = (DType.FLOAT, DType.FLOAT16, DType.DOUBLE)
INTEGERS = (
    DType.INT8,
    DType.INT16,
    DType.INT32,
    DType.INT64,
    DType.UINT8,
    DType.UINT16,
    DType.UINT32,
    DType.UINT64,
)
_COMMON: tuple[DType, ...] = (
    (DType.FLOAT,) * 12 + (DType.INT64,) * 2 + (DType.FLOAT16,) * 2 + (DType.DOUBLE, DType.BOOL)
)
_SHAPES: tuple[Shape, ...] = ((3,), (2, 3), (2, 4, 3, 3), (1, 2, 3), (2, 4, 6), (4,), (1,), (), (3, 2), (1, 3, 4, 4))


class Misfit(Exception):
    """A step finds nothing that it fits on."""


@dataclass(slots=True)
class Feed:
    """What an input is fed with: numbers below `limit` in magnitude if it is an index or a size."""

    dtype: DType
    shape: Shape
    low: int | None = None
    high: int | None = None
    data: Array | None = None


class Sketch:
    """One scope in the making.

    Attributes:
        rng: decides everything.
        model: the model, common to all scopes.
        graph: this scope's graph.
        nasty: constants may be NaN, infinite, tiny, huge.
        values: tensors of known shape that ops of this scope can take.
        feeds: of the model's inputs.
        depth: scopes above this one.
        focus: the file whose steps are taken more often than others; "" for none.
    """

    def __init__(self, rng: Rng, opset: int, nasty: bool = False) -> None:
        self.rng = rng
        self.graph = Graph("fuzzed", {"": opset})
        self.model = Model(self.graph, ir_version=10)
        self.nasty = nasty
        self.values: list[Value] = []
        self.feeds: dict[Value, Feed] = {}
        self.depth = 0
        self.focus = ""
        self.in_function = False

    # -- scopes -----------------------------------------------------------------------------------------------------

    def inside(self, graph: Graph) -> Sketch:
        """A scope for a body, or for a local function."""
        scope = object.__new__(Sketch)
        scope.rng, scope.model, scope.nasty, scope.feeds = self.rng, self.model, self.nasty, self.feeds
        scope.focus = self.focus
        scope.graph, scope.values, scope.depth, scope.in_function = graph, [], self.depth + 1, self.in_function
        return scope

    def capturing(self, body: Graph, count: int) -> Sketch:
        """A scope for a body that takes a few values from this one."""
        scope = self.inside(body)
        for _ in range(count if self.values else 0):
            outer = self.recent()
            inner = body.capture(outer)
            inner.type = outer.type
            if inner not in scope.values:
                scope.values.append(inner)
        return scope

    def add_function(self, function: Function) -> None:
        """Put a local function into the model."""
        self.model.functions[function.key] = function
        self.model.graph.opsets.setdefault(function.domain, 1)

    # -- choosing ---------------------------------------------------------------------------------------------------

    def chance(self, share: float) -> bool:
        """True as often as that."""
        return bool(self.rng.random() < share)

    def number(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return int(self.rng.integers(low, high + 1))

    def pick(self, choices: Sequence[Any]) -> Any:
        """One of them."""
        return pick(self.rng, list(choices))

    def recent(self, fits: Callable[[Value], bool] | None = None) -> Value:
        """A value, the later made the likelier.

        Raises:
            Misfit: none fits.
        """
        found = [v for v in self.values if fits is None or fits(v)]
        if not found:
            raise Misfit
        place = len(found) - 1 - min(int(self.rng.exponential(max(len(found) / 3, 1.5))), len(found) - 1)
        return found[place]

    def like(self, value: Value) -> Value:
        """A value of the element type and shape of another, perhaps itself.

        Raises:
            Misfit: none is.
        """
        return self.recent(lambda v: dtype(v) is dtype(value) and shape(v) == shape(value))

    def some(self, dtypes: Sequence[DType] | None = None, ranks: Sequence[int] | None = None, least: int = 1) -> Value:
        """A value of one of these element types and ranks, and with so many elements; a new input if there is none."""

        def fits(value: Value) -> bool:
            return (
                (dtypes is None or dtype(value) in dtypes)
                and (ranks is None or len(shape(value)) in ranks)
                and size(value) >= least
            )

        try:
            return self.recent(fits)
        except Misfit:
            pass
        rank = self.pick(ranks) if ranks is not None else self.number(1, 4)
        wanted = self.pick(dtypes) if dtypes is not None else self.pick(_COMMON)
        return self.leaf(wanted, tuple(self.number(1, 4) for _ in range(rank)))

    def leaf(self, kind: DType, dims: Shape) -> Value:
        """A new input; inside of bodies and functions, where there are none, a constant."""
        if self.depth:
            value = self.constant(self.data(kind, dims))
            return self.op("Identity", value)
        return self.input(Feed(kind, dims))

    def input(self, feed: Feed) -> Value:
        """A new input of the model."""
        value = Value(self.graph.names.fresh("x"), Role.INPUT)
        value.type = TensorType(feed.dtype, feed.shape)
        value.declared = Declared(value.type)
        self.graph.add_input(value)
        self.feeds[value] = feed
        self.values.append(value)
        return value

    def index(self, low: int, high: int, dims: Shape, kind: DType = DType.INT64) -> Value:
        """Integers from `low` to `high`: mostly a constant, else an input."""
        data = self.rng.integers(low, high + 1, dims).astype(kind.numpy)
        if self.depth or self.chance(0.85):
            return self.constant(data)
        return self.input(Feed(kind, dims, low, high))

    # -- constants --------------------------------------------------------------------------------------------------

    def constant(self, data: Any) -> Value:
        """A constant: detached, or one that the graph has and that is equal; now and then an input with a default."""
        data = np.asarray(data)
        for known in self.graph.constants if self.chance(0.3) else ():
            held = None if known.tensor is None else known.tensor.numpy()
            if held is not None and held.dtype == data.dtype and np.array_equal(held, data):
                return known
        if not self.depth and data.dtype.kind in "biuf" and self.chance(0.03):
            value = self.input(Feed(_dtype_of(data), data.shape, data=data))
            if self.chance(0.5):
                value.tensor = ArrayTensor(data)
            self.values.remove(value)
            return value
        return ops.constant(data)

    def data(self, kind: DType, dims: Shape, positive: bool = False) -> Array:
        """Elements of a constant: neutral ones, one for all, random ones; strange ones where the model is nasty."""
        choice = self.rng.random()
        if kind is DType.STRING:
            flat = [b"%d" % n for n in self.rng.integers(0, 3, prod(dims))]
            return np.array(flat, object).reshape(dims)
        if self.nasty and choice < 0.2 and not positive:
            return self._strange(kind, dims)
        if choice < 0.4:
            return filled(dims, 1.0 if positive else self.pick([0.0, 1.0, 1.0, -1.0, 2.0, 0.5, 6.0, 3.0]), kind)
        if kind is DType.BOOL:
            return np.asarray(self.rng.random(dims) < 0.5)
        if kind.is_integer:
            return array(self.rng.integers(1 if positive else -4, 6, dims), kind)
        if choice < 0.6:
            return array(np.asarray(self.rng.integers(1 if positive else -3, 4, dims)), kind)
        return array(self.rng.uniform(0.3, 2.0, dims) if positive else self.rng.normal(0, 1, dims), kind)

    def _strange(self, kind: DType, dims: Shape) -> Array:
        if kind is DType.BOOL:
            return np.asarray(self.rng.random(dims) < 0.5)
        if kind.numpy.isbuiltin != 1:
            return array(self.rng.normal(0, 1, dims), kind)
        if kind.is_integer:
            info = np.iinfo(kind.numpy)
            numbers = [float(info.min), float(info.max), 0.0, 1.0]
        else:
            top, tiny = float(np.finfo(kind.numpy).max), float(np.finfo(kind.numpy).smallest_subnormal)
            numbers = [np.nan, np.inf, -np.inf, -0.0, top, -top, tiny, float(np.finfo(kind.numpy).tiny)]
        if self.chance(0.5):
            return array(np.full(dims, self.pick(numbers)), kind)
        flat = self.rng.normal(0, 1, dims).reshape(-1)
        if flat.size:
            flat[self.number(0, flat.size - 1)] = self.pick(numbers)
        return array(flat.reshape(dims), kind)

    def beside(self, dims: Shape) -> Shape:
        """A shape that broadcasts with `dims`: mostly without enlarging it."""
        forms: list[Shape] = [dims, (), (1,), dims[-1:], (1,) * len(dims), dims[1:]]
        if len(dims) >= 2:
            forms += [(dims[1],) + (1,) * (len(dims) - 2), (1, dims[1]) + (1,) * (len(dims) - 2)]
        if self.chance(0.12):
            forms = [(2, *dims), (1, *dims), tuple(3 if d == 1 else d for d in dims)]
        return pick(self.rng, forms)

    # -- ops --------------------------------------------------------------------------------------------------------

    def op(self, op_type: str, *operands: Any, **attrs: Any) -> Value:
        """The result of one more op."""
        return self.many(op_type, operands, attrs, 1)[0]

    def many(self, op_type: str, operands: Sequence[Any], attrs: dict[str, Any], results: int) -> list[Value]:
        """All results of one more op.

        Raises:
            Misfit: there is no such op at this opset, or no kernel for it, or its results are too large.
        """
        try:
            made = ops.make(op_type, operands, attrs, opsets=self.graph.opsets, outputs=results)
        except (GoptError, ValueError, TypeError, KeyError, OverflowError, ops.NotAvailable):
            raise Misfit from None
        if not kernels.runs(made):
            raise Misfit
        return self.add(made)

    def add(self, made: Op) -> list[Value]:
        """Attach an op; its results join the pool, if it is known what they are."""
        infer_op(made)
        if any(prod(d for d in _dims(v) if isinstance(d, int)) > LARGEST for v in made.outputs if v is not None):
            raise Misfit
        self.graph.add(made)
        found = [v for v in made.outputs if v is not None]
        self.values += [v for v in found if static_shape(v.type) is not None]
        return found

    def export(self, value: Value) -> None:
        """Make a value an output."""
        self.graph.set_output(len(self.graph.outputs), value)


def dtype(value: Value) -> DType:
    """Element type of a tensor."""
    return value.type.dtype if isinstance(value.type, TensorType) else DType.UNDEFINED


def shape(value: Value) -> Shape:
    """Sizes of a tensor in the pool."""
    return static_shape(value.type) or ()


def size(value: Value) -> int:
    """Number of elements."""
    return prod(shape(value))


def _dims(value: Value) -> tuple[Any, ...]:
    return value.type.shape or () if isinstance(value.type, TensorType) else ()


def _dtype_of(data: Array) -> DType:
    return next(d for d in DType if d not in (DType.UNDEFINED, DType.STRING) and d.numpy == data.dtype)
