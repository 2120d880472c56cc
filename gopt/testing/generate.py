"""Random models in which a rule's pattern matches, and near misses: the same model with one thing changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import ops
from ..analysis import infer_op
from ..ir import Array, ArrayTensor, Declared, DType, Graph, Model, Op, Role, TensorType, Value, static_shape
from ..rewrite.form import keywords
from ..rewrite.pattern import Any_, Const, Each, Either, OpPattern, Optional_, Pattern
from ..rewrite.rule import Rule
from .plans import NoPlanError, Plan, Rng, Shape, Slot, plan

SHAPES: tuple[Shape, ...] = ((2, 4, 5, 6), (1, 4, 1, 1), (3, 4), (2, 4, 6), (4,), (1, 6), (2, 3, 4, 4), (1, 2, 3, 3, 3))
MUTATIONS = ("none", "none", "export interior", "use interior twice", "feed a constant", "half precision")


class _Maker:
    """Builds one model from a pattern, from the root upwards."""

    def __init__(self, rng: Rng, opset: int, mutation: str) -> None:
        self.rng = rng
        self.mutation = mutation
        self.dtype = DType.FLOAT16 if mutation == "half precision" else DType.FLOAT
        self.graph = Graph("generated", {"": opset})
        self.named: dict[str, Value] = {}
        self.interior: list[Value] = []

    def op(self, pattern: OpPattern, shape: Shape) -> Op:
        op_type = str(self.rng.choice(pattern.types))
        named, attributes = keywords(pattern, op_type)
        wanted: dict[int, Pattern] = dict(named)
        wanted.update(enumerate(pattern.operands))
        fixed = {name: value for name, value in attributes if not callable(value)}
        made = plan(op_type, shape, fixed, self.rng, len(wanted))
        operands = self.operands(wanted, made)
        attrs = {**made.attrs, **fixed}
        for name, test in attributes:
            if callable(test) and not test(attrs.get(name)):
                attrs[name] = self.attribute(test)
        results = max(pattern.output + 1, 1)
        op = ops.make(op_type, operands, attrs, opsets=self.graph.opsets, outputs=results, domain=pattern.domain)
        infer_op(op)
        self.graph.add(op)
        self.interior.extend(v for v in op.outputs if v is not None)
        return op

    def attribute(self, test: Any) -> Any:
        for candidate in (0, 1, -1, 2, 1.0, 0.5, "constant", "NOTSET", ()):
            try:
                if test(candidate):
                    return candidate
            except (TypeError, ValueError):
                continue
        raise NoPlanError

    def operands(self, wanted: dict[int, Pattern], made: Plan) -> list[Value | None]:
        operands: list[Value | None] = []
        for slot, need in enumerate(made.slots):
            pattern = wanted.get(slot)
            if isinstance(pattern, Each):
                operands.extend(self.leaf("", need) for need in made.slots[slot:])
                return operands
            if pattern is None:
                operands.append(self.leaf("", need) if need.required and not wanted else None)
            else:
                operands.append(self.value(pattern, need, slot))
        if any(slot >= len(made.slots) and not isinstance(p, Optional_) for slot, p in wanted.items()):
            raise NoPlanError
        return operands

    def value(self, pattern: Pattern, need: Slot, slot: int) -> Value | None:
        if isinstance(pattern, Optional_):
            return None if self.rng.random() < 0.4 else self.value(pattern.inner, need, slot)
        if isinstance(pattern, Either):
            return self.value(pattern.choices[int(self.rng.integers(len(pattern.choices)))], need, slot)
        if isinstance(pattern, Const):
            return self.leaf(pattern.name, need, constant=self.mutation != "feed a constant", value=pattern.value)
        if isinstance(pattern, Any_):
            # Behind the first operand mostly weights are met; a rule that takes any operand may still look for them.
            return self.leaf(pattern.name, need, constant=slot > 0 and self.rng.random() < 0.7)
        if isinstance(pattern, OpPattern):
            op = self.op(pattern, need.shape)
            return op.output(pattern.output)
        raise NoPlanError

    def leaf(self, name: str, need: Slot, constant: bool = False, value: float | None = None) -> Value:
        known = self.named.get(name)
        if known is not None:
            return known
        type_ = TensorType(self.dtype, need.shape)
        if constant or need.data is not None:
            data = self.data(need) if value is None else np.full(need.shape, value, self.dtype.numpy)
            leaf = Value("", Role.CONST, ArrayTensor(data), TensorType(ArrayTensor(data).dtype, data.shape))
        else:
            leaf = self.input(type_)
        if name:
            self.named[name] = leaf
        return leaf

    def then(self, op_type: str, value: Value) -> Value:
        """The result of one more op, of this value."""
        extra = Op(op_type, [value])
        extra.imports = self.graph.opsets
        infer_op(extra)
        return self.graph.add(extra).result

    def input(self, type_: TensorType) -> Value:
        """A graph input, or more often what an op makes of one: an output cannot be an input renamed."""
        value = Value(self.graph.names.fresh("x"))
        value.declared = Declared(type_)
        value.type = type_
        self.graph.add_input(value)
        if self.rng.random() < 0.3:
            return value
        op = ops.make("Softsign", [value], {}, opsets=self.graph.opsets)
        infer_op(op)
        return self.graph.add(op).result

    def data(self, need: Slot) -> Array:
        if need.data is not None:
            return need.data.astype(self.dtype.numpy) if need.data.dtype.kind == "f" else need.data
        data = self.rng.uniform(0.5, 2.0, need.shape) if need.positive else self.rng.normal(0, 1, need.shape)
        if self.rng.random() < 0.2:
            data = np.full(need.shape, self.rng.choice([0.0, 1.0]) if not need.positive else 1.0)
        return np.asarray(data).astype(self.dtype.numpy)


def generate(rule: Rule, rng: Rng, opset: int = 18) -> Model | None:
    """One random model made for a rule's pattern; None if no operands were found for the shape that was drawn."""
    roots = rule.roots
    root = roots[int(rng.integers(len(roots)))]
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    mutation = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
    maker = _Maker(rng, max(opset, rule.since), mutation)
    try:
        op = maker.op(root, shape)
    except (NoPlanError, ops.NotAvailable):
        return None
    results = [v for v in op.outputs if v is not None]
    if any(static_shape(v.type) is None for v in results):
        return None
    for value in results:
        maker.graph.set_output(len(maker.graph.outputs), _used(maker, value))
    _mutate(maker, results)
    if not maker.graph.inputs:
        return None
    return Model(maker.graph)


def _used(maker: _Maker, value: Value) -> Value:
    """The value, or what another op makes of it: an output that would become an input is never rewritten."""
    floats = isinstance(value.type, TensorType) and value.type.dtype.is_float
    if maker.rng.random() < 0.5:
        return value
    return maker.then("Neg" if floats else "Identity", value)


def _mutate(maker: _Maker, results: list[Value]) -> None:
    inner = [v for v in maker.interior if v not in results]
    if not inner:
        return
    value = inner[int(maker.rng.integers(len(inner)))]
    if maker.mutation == "export interior":
        maker.graph.set_output(len(maker.graph.outputs), value)
    elif maker.mutation == "use interior twice":
        maker.graph.set_output(len(maker.graph.outputs), maker.then("Neg", value))


def feeds(model: Model, rng: Rng) -> Iterator[tuple[str, Array]]:
    """Random arrays for a generated model's inputs, of both signs; now and then above zero only, off every pole."""
    low = 0.3 if rng.random() < 0.5 else -2.0
    for value in model.graph.inputs:
        type_ = value.declared.type if value.declared is not None else None
        shape = static_shape(type_)
        if not isinstance(type_, TensorType) or shape is None:
            raise NoPlanError
        yield value.name, rng.uniform(low, 2.0, shape).astype(type_.dtype.numpy)
