"""Random models in which a rule's pattern matches."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..analysis import infer_op
from ..ir import Array, ArrayTensor, Declared, DType, Graph, Model, Op, Role, TensorType, Value, dtype_of, static_shape
from ..rewrite.form import keywords
from ..rewrite.ledger import Numerics
from ..rewrite.pattern import Any_, Const, Each, Either, OpPattern, Optional_, Pattern
from ..rewrite.rule import Rule
from .plans import NoPlanError, Plan, Rng, Shape, Slot, pick, plan
from .values import DTYPES, after, array, filled

SHAPES: tuple[Shape, ...] = (
    (2, 4, 5, 6),
    (1, 4, 1, 1),
    (3, 4),
    (2, 4, 6),
    (4,),
    (1, 6),
    (2, 3, 4, 4),
    (1, 2, 3, 3, 3),
    (2, 1, 3),
    (1, 1, 2, 2),
    (2, 3, 3, 3),
    (3, 3),
    (1, 1),
)
OPSETS = tuple(range(7, 21))


class _Maker:
    """Builds one model from a pattern, from the root upwards."""

    def __init__(self, rng: Rng, opset: int, exact: bool) -> None:
        self.rng = rng
        self.exact = exact
        self.dtype = DType.FLOAT
        self.graph = Graph("generated", {"": opset})
        self.named: dict[str, Value] = {}

    def choose_dtype(self, root: OpPattern) -> None:
        """An element type that the root takes: mostly float where it can be."""
        known = ops.schema(root.types[0], root.domain)
        version = self.graph.opsets[""]
        slots = range(1 if known is None else max(len(known.inputs), 1))
        # The operand that takes the most types: the first one of Where takes booleans alone.
        fitting = max(
            ([d for d in DTYPES if known is None or known.takes(slot, d, version)] for slot in slots), key=len
        )
        if not fitting:
            raise NoPlanError
        if DType.FLOAT not in fitting or self.rng.random() < 0.3:
            self.dtype = pick(self.rng, fitting)

    def op(self, pattern: OpPattern, shape: Shape) -> Op:
        op_type = pick(self.rng, list(pattern.types))
        named, attributes = keywords(pattern, op_type)
        wanted: dict[int, Pattern] = dict(named)
        wanted.update(enumerate(pattern.operands))
        fixed = {name: value for name, value in attributes if not callable(value)}
        made = plan(op_type, shape, fixed, self.rng, len(wanted))
        operands = self.operands(pattern, wanted, made)
        attrs = {**made.attrs, **fixed}
        for name, test in attributes:
            if callable(test) and not test(attrs.get(name)):
                attrs[name] = self.attribute(test)
        results = max(pattern.output + 1, 1)
        op = ops.make(op_type, operands, attrs, opsets=self.graph.opsets, outputs=results, domain=pattern.domain)
        infer_op(op)
        return self.graph.add(op)

    def attribute(self, test: Any) -> Any:
        for candidate in (0, 1, -1, 2, 1.0, 0.5, "constant", "NOTSET", ()):
            try:
                if test(candidate):
                    return candidate
            except (TypeError, ValueError):
                continue
        raise NoPlanError

    def operands(self, pattern: OpPattern, wanted: dict[int, Pattern], made: Plan) -> list[Value | None]:
        operands: list[Value | None] = []
        for slot, need in enumerate(made.slots):
            found = wanted.get(slot)
            if isinstance(found, Each):
                operands.extend(None if n is None else self.leaf("", n) for n in made.slots[slot:])
                return operands
            if need is None:
                operands.append(None)
            elif found is not None:
                operands.append(self.value(found, need, slot))
            else:  # what an open end lets stand there has to, if the plan relies on it
                there = need.required or self.rng.random() < 0.5
                operands.append(self.leaf("", need) if there and (pattern.open_end or not wanted) else None)
        if any(slot >= len(made.slots) and not isinstance(p, Optional_) for slot, p in wanted.items()):
            raise NoPlanError
        return operands

    def value(self, pattern: Pattern, need: Slot, slot: int) -> Value | None:
        if isinstance(pattern, Optional_):
            return None if self.rng.random() < 0.4 else self.value(pattern.inner, need, slot)
        if isinstance(pattern, Either):
            return self.value(pick(self.rng, list(pattern.choices)), need, slot)
        if isinstance(pattern, Const):
            return self.leaf(pattern.name, need, constant=True, value=pattern.value)
        if isinstance(pattern, Any_):
            # Behind the first operand mostly weights are met; a rule that takes any operand may still look for them.
            return self.leaf(pattern.name, need, constant=slot > 0 and self.rng.random() < 0.7)
        if isinstance(pattern, OpPattern):
            return self.op(pattern, need.shape).output(pattern.output)
        raise NoPlanError

    def leaf(self, name: str, need: Slot, constant: bool = False, value: float | None = None) -> Value:
        known = self.named.get(name)
        if known is not None:
            return known
        if constant or need.data is not None:
            if value is None:
                data = self.data(need)
            else:
                data = filled(need.shape, value, self.dtype if need.data is None else _dtype_of(need.data, self.dtype))
            leaf = Value("", Role.CONST, ArrayTensor(data), TensorType(dtype_of(data), data.shape))
        else:
            leaf = self.input(TensorType(self.dtype, need.shape))
        if name:
            self.named[name] = leaf
        return leaf

    def input(self, type_: TensorType) -> Value:
        """A graph input, or more often what an op makes of one: an output cannot be an input renamed."""
        value = Value(self.graph.names.fresh("x"))
        value.declared = Declared(type_)
        value.type = type_
        self.graph.add_input(value)
        if self.rng.random() < 0.3:
            return value
        floats = type_.dtype in (DType.FLOAT, DType.FLOAT16)
        kinds = [""]
        if floats and self.rng.random() < 0.7:
            kinds = ["Softsign", "Identity"] if self.exact else ["Softsign", "Relu", "Identity"]
        return after(self.graph, value, pick(self.rng, kinds))

    def data(self, need: Slot) -> Array:
        if need.data is not None:
            dtype = _dtype_of(need.data, self.dtype)
            return need.data if dtype_of(need.data) is dtype else array(need.data, dtype)
        if self.rng.random() < 0.25:
            number = 1.0 if need.positive else pick(self.rng, [0.0, 1.0, 1.0, -1.0])
            return filled(need.shape, number, self.dtype)
        if self.dtype.is_integer or self.dtype is DType.BOOL:
            return array(self.rng.integers(1 if need.positive else -3, 5, need.shape), self.dtype)
        data = self.rng.uniform(0.5, 2.0, need.shape) if need.positive else self.rng.normal(0, 1, need.shape)
        return array(data, self.dtype)


def _dtype_of(data: Array, floats: DType) -> DType:
    """Planned numbers that are float64 are of the model's element type; all others of their own."""
    return floats if data.dtype == np.float64 else dtype_of(data)


def generate(rule: Rule, rng: Rng, opset: int = 18) -> Model | None:
    """One random model made for a rule's pattern; None if no operands were found for the shape that was drawn."""
    since = max(rule.since, OPSETS[0])
    versions = [max(opset, since)] * 2 + [v for v in OPSETS if v >= since][:1] + [pick(rng, list(OPSETS))]
    maker = _Maker(rng, max(since, pick(rng, versions)), rule.numerics is Numerics.EXACT)
    try:
        root = pick(rng, list(rule.roots))
        maker.choose_dtype(root)
        op = maker.op(root, pick(rng, list(SHAPES)))
    except (NoPlanError, ops.NotAvailable):
        return None
    results = [v for v in op.outputs if v is not None]
    if any(static_shape(v.type) is None for v in results) or not maker.graph.inputs:
        return None
    for value in results:
        # An output that would become an input is never rewritten: let another op use it.
        used = value if rng.random() < 0.4 else after(maker.graph, value)
        maker.graph.set_output(len(maker.graph.outputs), used)
    return Model(maker.graph, ir_version=8)
