"""Mutations of a model's structure: what is used where, what is exported, what is constant, what stands in a body."""

from __future__ import annotations

from ... import ops
from ...ir import Attr, Declared, DType, Graph, Op, Role, TensorType, Value, static_shape
from ...ir.clone import Mapping, clone_ops
from ..generate import OPSETS
from ..plans import Rng, pick
from ..values import after
from .draft import Draft, declare, declared, mutation, tensor_type


def _results(draft: Draft) -> list[Value]:
    """Results of ops that are tensors."""
    found = (v for op in draft.graph.ops for v in op.outputs)
    return [v for v in found if v is not None and tensor_type(v) is not None]


def _export(draft: Draft, value: Value) -> None:
    draft.graph.set_output(len(draft.graph.outputs), value)


@mutation("export interior")
def export(draft: Draft, rng: Rng) -> None:
    """A result in the middle is an output too."""
    values = [v for v in _results(draft) if not v.is_output]
    if values:
        _export(draft, pick(rng, values))


@mutation("use twice")
def use_twice(draft: Draft, rng: Rng) -> None:
    """A result, input or constant is used by one more op."""
    values = [*_results(draft), *(v for v in draft.graph.inputs if tensor_type(v) is not None)]
    values += [v for v in draft.constants() if tensor_type(v) is not None]
    if values:
        _export(draft, after(draft.graph, pick(rng, values)))


@mutation("capture")
def capture(draft: Draft, rng: Rng) -> None:
    """A result is captured by the body of an If."""
    values = _results(draft)
    if not values:
        return
    value = pick(rng, values)
    bodies = [Graph(name, draft.graph.opsets, draft.graph.names) for name in ("then", "else")]
    made = Op("If", [_condition(draft)], 1, {f"{b.name}_branch": Attr.of(b) for b in bodies})
    made.imports = draft.graph.opsets
    for body, kind in zip(bodies, ("Identity", "")):
        inner = body.capture(value)
        inner.type = value.type
        body.set_output(0, after(body, inner, kind))
    made.result.type = value.type
    _export(draft, draft.graph.add(made).result)


def _condition(draft: Draft) -> Value:
    value = Value(draft.graph.names.fresh("cond"))
    declare(value, TensorType(DType.BOOL, ()))
    draft.sizes[value] = ()
    return draft.graph.add_input(value)


@mutation("into body", 0.8)
def into_body(draft: Draft, rng: Rng) -> None:
    """All ops stand in both branches of an If; constants stay outside, or stand in the branches too."""
    graph = draft.graph
    if any(v.role is not Role.RESULT or tensor_type(v) is None for v in graph.outputs) or graph.owners:
        return
    bodies = [Graph(name, graph.opsets, graph.names) for name in ("then", "else")]
    made = Op("If", [_condition(draft)], len(graph.outputs), {f"{b.name}_branch": Attr.of(b) for b in bodies})
    made.imports = graph.opsets
    outside = rng.random() < 0.5
    for body in bodies:
        mapping: Mapping = {}
        for value in [*graph.inputs, *(graph.constants if outside else ())]:
            if value.is_needed:
                mapping[value] = inner = body.capture(value)
                inner.type = value.type
        for op in clone_ops(graph, body, mapping):
            body.add(op)
        for index, value in enumerate(graph.outputs):
            found = mapping[value]
            assert found is not None
            # Outputs of a body must differ from each other.
            body.set_output(index, after(body, found, "Identity") if found.is_output else found)
    old = graph.ops
    for value, result in zip(graph.outputs, made.outputs):
        assert result is not None
        result.type = value.type
    graph.add(made)
    for index, result in enumerate(made.outputs):
        assert result is not None
        graph.set_output(index, result)
    for op in reversed(old):
        graph.remove(op)


@mutation("constant to input", 1.5)
def constant_to_input(draft: Draft, rng: Rng) -> None:
    """A constant becomes an input, with itself as the default or without one."""
    values = draft.constants()
    if not values:
        return
    value = pick(rng, values)
    tensor = value.tensor
    assert tensor is not None
    made = Value(draft.graph.names.fresh("default"), Role.INPUT, tensor if rng.random() < 0.6 else None)
    made.type = TensorType(tensor.dtype, tensor.shape)
    made.declared = Declared(made.type)
    draft.sizes[made] = tensor.shape
    draft.given[made] = tensor.numpy()
    draft.graph.add_input(made)
    draft.graph.replace_uses(value, made)
    draft.graph.drop(value)


@mutation("symbolic", 4.0)
def symbolic(draft: Draft, rng: Rng) -> None:
    """Dims of inputs (the first, any, or all and the rank) are not known, and of other sizes in the run."""
    graph, equal = draft.graph, rng.random() < 0.6
    kind = pick(rng, ["batch", "batch", "any", "all", "all", "rank"])
    sizes: dict[str, int] = {}
    for value in graph.inputs:
        type_ = declared(value)
        if type_ is None or type_.shape is None or value.tensor is not None:
            continue
        if kind == "rank":
            declare(value, TensorType(type_.dtype, None))
            continue
        dims, shape = list(type_.shape), list(draft.sizes[value])
        for axis, size in enumerate(shape):
            if isinstance(dims[axis], int) and (axis == 0 or kind == "all" or (kind == "any" and rng.random() < 0.5)):
                name = f"d{size}" if equal else f"{value.name}_{axis}"
                dims[axis] = draft.model.symbol(name)
                if name not in sizes:
                    sizes[name] = 0 if rng.random() < 0.03 else pick(rng, [size, size, size, 1, 2, 5])
                shape[axis] = sizes[name]
        declare(value, TensorType(type_.dtype, tuple(dims)))
        draft.sizes[value] = tuple(shape)


def _several(draft: Draft) -> list[Op]:
    return [op for op in draft.graph.ops if sum(v is not None for v in op.inputs) > 1]


@mutation("equal operands", 0.7)
def equal_operands(draft: Draft, rng: Rng) -> None:
    """Two operands of an op are the same value."""
    found = _several(draft)
    if found:
        op = pick(rng, found)
        slots = [k for k, v in enumerate(op.inputs) if v is not None]
        one, other = pick(rng, slots), pick(rng, slots)
        draft.graph.set_operand(op, one, op.inputs[other])


@mutation("swapped operands", 0.7)
def swapped_operands(draft: Draft, rng: Rng) -> None:
    """The first two operands of an op change places."""
    found = _several(draft)
    if found:
        op = pick(rng, found)
        first, second = op.inputs[:2]
        draft.graph.set_operand(op, 0, second)
        draft.graph.set_operand(op, 1, first)


@mutation("other operand", 0.7)
def other_operand(draft: Draft, rng: Rng) -> None:
    """An operand is another value of the same element type: an input, a constant, or what an earlier op makes."""
    if not draft.graph.ops:
        return
    op = pick(rng, list(draft.graph.ops))
    slots = [k for k, v in enumerate(op.inputs) if v is not None]
    if not slots:
        return
    slot = pick(rng, slots)
    old = op.inputs[slot]
    earlier = [v for o in draft.graph.ops[: draft.graph.ops.index(op)] for v in o.outputs if v is not None]
    values = [
        v for v in (*draft.graph.inputs, *draft.constants(), *earlier) if tensor_type(v) is not None and v is not old
    ]
    same = [v for v in values if old is not None and _dtype(v) is _dtype(old)]
    if same:
        draft.graph.set_operand(op, slot, pick(rng, same))


def _dtype(value: Value) -> DType | None:
    found = tensor_type(value)
    return None if found is None else found.dtype


@mutation("omitted operand", 0.4)
def omitted_operand(draft: Draft, rng: Rng) -> None:
    """An operand is left out."""
    found = _several(draft)
    if found:
        op = pick(rng, found)
        draft.graph.set_operand(op, int(rng.integers(1, len(op.inputs))), None)


@mutation("op between", 1.0)
def op_between(draft: Draft, rng: Rng) -> None:
    """One more op stands on the way to an operand: it makes a near miss of a match, or a longer chain."""
    values = [v for v in _results(draft) if v.uses]
    if not values:
        return
    value = pick(rng, values)
    made = after(draft.graph, value, pick(rng, ["", "Identity", "Identity", "Relu", "Abs"]))
    producer = made.producer
    assert producer is not None
    draft.graph.replace_uses(value, made, keep=(producer,))


_ALIKE = (
    ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"),
    ("Relu", "Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Exp", "Sigmoid", "Softplus", "Not"),
    ("And", "Or", "Xor", "Equal"),
    ("BitwiseAnd", "BitwiseOr", "BitwiseXor"),
    ("MaxPool", "AveragePool"),
    ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2"),
    ("Squeeze", "Unsqueeze"),
    ("Expand", "Reshape", "Tile"),
    ("Gemm", "MatMul"),
    ("Conv", "ConvTranspose"),
)


@mutation("operator", 1.0)
def operator(draft: Draft, rng: Rng) -> None:
    """An op is of another type of its kind."""
    graph = draft.graph
    found = [(op, kin) for op in graph.ops for kin in _ALIKE if op.op_type in kin and not op.domain]
    if not found:
        return
    op, kin = pick(rng, found)
    op_type = pick(rng, list(kin))
    known = ops.schema(op_type)
    attrs = {n: a for n, a in op.attrs.items() if known is None or known.has_attribute(n, op.opset)}
    made = Op(op_type, op.inputs, len(op.outputs), attrs)
    made.order = op.order
    graph.add(made)
    for old, new in zip(op.outputs, made.outputs):
        if old is not None and new is not None:
            graph.replace_uses(old, new)
    graph.remove(op)


@mutation("opset", 0.7)
def opset(draft: Draft, rng: Rng) -> None:
    """The model is of another opset: where an op is spelled alike in both, it stays valid."""
    opsets = draft.graph.opsets
    opsets[""] = pick(rng, list(OPSETS))


@mutation("empty", 0.3)
def empty(draft: Draft, rng: Rng) -> None:
    """An input has no elements in the run: a named dim is 0."""
    values = [v for v in draft.graph.inputs if (t := declared(v)) is not None and t.shape]
    if not values:
        return
    value = pick(rng, values)
    type_, shape = declared(value), list(draft.sizes[value])
    if type_ is None or type_.shape is None or static_shape(type_) is None or value.tensor is not None:
        return
    axis = int(rng.integers(len(shape)))
    dims = list(type_.shape)
    dims[axis], shape[axis] = draft.model.symbol("none"), 0
    declare(value, TensorType(type_.dtype, tuple(dims)))
    draft.sizes[value] = tuple(shape)
