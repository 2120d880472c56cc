"""Steps with scopes of their own: If, Loop, Scan, local functions; and sequences."""

from __future__ import annotations

import numpy as np

from ....ir import Attr, Declared, DType, Function, Graph, Op, Role, TensorType, Value
from ..sketch import FLOATS, Feed, Misfit, Sketch, dtype, shape
from .core import axis, grow, step
from .movement import ints

_DEEPEST = 2


def _bodies(s: Sketch, *names: str) -> list[Graph]:
    if s.depth >= _DEEPEST:
        raise Misfit
    return [Graph(name, s.graph.opsets, s.graph.names) for name in names]


def _named(scope: Sketch, value: Value, taken: list[Value]) -> Value:
    """The value, or a copy of it where a body must not export it: not made inside, or exported already."""
    if value.role is not Role.RESULT or value in taken or value.graph is not scope.graph:
        return scope.op("Identity", value)
    return value


def _condition(s: Sketch) -> Value:
    kind = s.rng.random()
    if kind < 0.15:
        return s.constant(np.array(bool(s.number(0, 1))))
    if kind < 0.5:
        try:
            return s.recent(lambda v: dtype(v) is DType.BOOL and shape(v) == ())
        except Misfit:
            pass
    if kind < 0.7:
        x = s.some(ranks=(1, 2, 3))
        return s.op("Equal", s.op("Gather", s.op("Shape", x), np.array(0, np.int64)), np.array(shape(x)[0], np.int64))
    if s.depth:
        return s.op("Less", s.op("ReduceSum", s.some((DType.FLOAT,)), None, keepdims=0), np.array(1, np.float32))
    return s.input(Feed(DType.BOOL, ()))


@step(2.5)
def if_(s: Sketch) -> list[Value]:
    """An If whose branches give values of equal types; half of them begin alike."""
    bodies = _bodies(s, "then", "else")
    condition = _condition(s)
    made = Op("If", [condition], 0, {f"{b.name}_branch": Attr.of(b) for b in bodies})
    made.imports = s.graph.opsets
    alike = int(s.rng.integers(1 << 31))
    scopes = []
    for body in bodies:
        scope = s.capturing(body, 3)
        if s.chance(0.5):
            scope.rng = np.random.default_rng(alike)
        grow(scope, s.number(0, 4))
        scope.rng = s.rng
        scopes.append(scope)
    count = s.pick([1, 1, 2])
    chosen: list[list[Value]] = [[], []]
    for _ in range(count):
        first = scopes[0].recent()
        second = scopes[1].like(first)
        for scope, value, taken in zip(scopes, (first, second), chosen):
            taken.append(_named(scope, value, taken))
    for body, taken in zip(bodies, chosen):
        for value in taken:
            body.set_output(len(body.outputs), value)
    made.outputs = tuple(Value() for _ in range(count))
    return s.add(made)


def _formal(body: Graph, type_: TensorType) -> Value:
    value = Value(body.names.fresh("b"), Role.INPUT, None, type_)
    # Without sizes: when dims of the model's inputs are named these are no longer the only ones.
    value.declared = Declared(TensorType(type_.dtype, type_.shape if not type_.shape else None))
    return body.add_input(value)


@step(2)
def loop(s: Sketch) -> list[Value]:
    """A Loop of 0 to 3 turns, with values that are handed on and values that are stacked."""
    (body,) = _bodies(s, "body")
    turns = s.constant(np.array(s.pick([0, 1, 1, 2, 3]), np.int64))
    if not s.depth and s.chance(0.3):
        turns = s.input(Feed(DType.INT64, (), 0, 3))
    start = None if s.chance(0.5) else s.constant(np.array(s.chance(0.8)))
    initial = [s.recent() for _ in range(s.pick([1, 1, 2]))]
    made = Op("Loop", [turns, start, *initial], 0, {"body": Attr.of(body)})
    made.imports = s.graph.opsets
    scope = s.capturing(body, 2)
    number, flag = _formal(body, TensorType(DType.INT64, ())), _formal(body, TensorType(DType.BOOL, ()))
    carried = [_formal(body, TensorType(dtype(v), shape(v))) for v in initial]
    scope.values += [number, flag, *carried] if s.chance(0.3) else carried
    grow(scope, s.number(1, 4))
    taken = [scope.op("Identity", flag) if s.chance(0.8) else scope.op("Identity", scope.constant(np.array(True)))]
    for value in carried:
        new = scope.like(value)
        taken.append(_named(scope, new, taken))
    for _ in range(s.pick([0, 0, 1])):
        taken.append(_named(scope, scope.recent(), taken))
    for value in taken:
        body.set_output(len(body.outputs), value)
    made.outputs = tuple(Value() for _ in taken[1:])
    return s.add(made)


@step(1)
def scan(s: Sketch) -> list[Value]:
    """A Scan over the first axis of a value."""
    (body,) = _bodies(s, "body")
    x = s.some(FLOATS, (1, 2, 3))
    state = s.some(FLOATS)
    made = Op("Scan", [state, x], 0, {"body": Attr.of(body), "num_scan_inputs": Attr.of(1)})
    made.imports = s.graph.opsets
    scope = s.capturing(body, 2)
    held, item = (
        _formal(body, TensorType(dtype(state), shape(state))),
        _formal(body, TensorType(dtype(x), shape(x)[1:])),
    )
    scope.values += [held, item]
    grow(scope, s.number(1, 3))
    new = scope.like(state)
    taken = [_named(scope, new, [])]
    taken.append(_named(scope, scope.recent(), taken))
    for value in taken:
        value.declared = Declared(value.type)  # ONNX Runtime stacks nothing whose shape it does not know
        body.set_output(len(body.outputs), value)
    made.outputs = (Value(), Value())
    return s.add(made)


@step(2)
def function(s: Sketch) -> list[Value]:
    """A local function of one or two operands, called once or twice."""
    if s.depth:
        raise Misfit
    arguments = [s.recent() for _ in range(s.pick([1, 1, 2]))]
    graph = Graph("function", {"": s.graph.opsets[""]})
    scope = s.inside(graph)
    scope.in_function = True
    for argument in arguments:
        value = Value(graph.names.fresh("a"), Role.INPUT)
        graph.add_input(value)
        value.type = argument.type
        scope.values.append(value)
    grow(scope, s.number(1, 4))
    made = [v for v in scope.values if v.role is Role.RESULT]
    if not made:
        raise Misfit
    for value in made[-s.pick([1, 1, 2]) :]:
        graph.set_output(len(graph.outputs), value)
    found = Function("local", f"f{len(s.model.functions)}", graph)
    s.add_function(found)
    results: list[Value] = []
    for k in range(s.pick([1, 1, 2])):
        operands = list(arguments)
        if k:
            operands = [s.like(a) for a in arguments]
        call = Op(found.name, operands, len(graph.outputs), {}, found.domain)
        call.imports = s.graph.opsets
        s.graph.add(call)
        for result, inner in zip(call.outputs, graph.outputs):
            assert result is not None
            result.type = inner.type
            s.values.append(result)
            results.append(result)
    return results


@step(1)
def sequence(s: Sketch) -> Value:
    """A sequence put together and taken apart."""
    x = s.some(ranks=(1, 2, 3))
    kind = s.rng.random()
    if kind < 0.35:
        at = axis(s, len(shape(x)))
        parts = s.many("SplitToSequence", [x], {"axis": at, "keepdims": s.number(0, 1)}, 1)[0]
        y = s.many("ConcatFromSequence", [parts], {"axis": s.pick([0, -1])}, 1)[0]
        s.export(y)
        return y
    other = s.like(x)
    both = s.many("SequenceConstruct", [x, other], {}, 1)[0]
    if kind < 0.5:
        return s.op("SequenceLength", both)
    if kind < 0.7:
        return s.op("ConcatFromSequence", both, axis=0, new_axis=s.number(0, 1))
    return s.op("SequenceAt", both, s.constant(np.array(s.number(-2, 1), np.int64)))


@step(0.4)
def optional(s: Sketch) -> Value:
    """Identity of Identity, Dropout, and other ops that do nothing."""
    x = s.some(FLOATS)
    if s.chance(0.5):
        return s.op("Dropout", x)
    return s.op("Reshape", s.op("Identity", s.op("Identity", x)), ints(*shape(x)))
