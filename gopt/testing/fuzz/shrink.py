"""Making a failing case small: fewer outputs, ops, inputs and sizes, as long as it fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic

import numpy as np

from ...analysis import infer
from ...errors import GoptError
from ...frontends.onnx import load, to_bytes
from ...ir import Array, ArrayTensor, Declared, DType, Graph, Model, Role, TensorType, Value, dead_ops, dtype_of
from ..running import RUNNER, Crashed
from .finish import Case, Inputs
from .oracle import Failure, Oracle
from .original import exposed

Change = Callable[[Model, Inputs], None]
"""Makes a model smaller in place, and its inputs with it; raises what it likes if it cannot."""


def same_failure(case: Case, failure: Failure) -> Failure | None:
    """The failure of a case that is of the same kind, after the same pipeline."""
    oracle = Oracle.of(case)
    if oracle is None:
        return None
    if not failure.pipeline:
        found = oracle.settled()
    else:
        found = oracle.look(failure.pipeline, failure.exact, again=failure.kind in ("two results", "not at rest"))
    if found is None or found.kind != failure.kind or _gist(found) != _gist(failure):
        return None
    return found


def _gist(failure: Failure) -> str:
    """What two errors must have in common to be the same."""
    if failure.kind == "error":
        return " ".join(failure.message.split()[:4])
    return ""


def shrink(case: Case, failure: Failure, seconds: float = 40.0) -> tuple[Case, Failure]:
    """The smallest case found in that time that fails alike, and how it fails."""
    end = monotonic() + seconds
    if len(case.feeds) > 1:
        fewer = Case(case.seed, case.data, (case.feeds[failure.feed or 0],))
        if found := same_failure(fewer, failure):
            case, failure = fewer, found
    progress = True
    while progress and monotonic() < end:
        progress = False
        for change in _changes(case):
            if monotonic() > end:
                break
            smaller = _changed(case, change)
            if smaller is None:
                continue
            if found := same_failure(smaller, failure):
                case, failure, progress = smaller, found, True
                break
    return case, failure


def _changed(case: Case, change: Change) -> Case | None:
    model = load(case.data)
    feeds = [dict(inputs) for inputs in case.feeds]
    try:
        change(model, feeds[0])
        for graph in model.graphs():
            _sweep(graph)
        if not model.graph.outputs:
            return None
        kept = set()
        for value in list(model.graph.inputs):
            if value.is_needed:
                kept.add(value.name)
            else:
                model.graph.remove_input(value)
        called = {(op.domain, op.op_type, op.overload) for graph in model.graphs() for op in graph.ops}
        model.functions = {key: f for key, f in model.functions.items() if key in called}
        data = to_bytes(model)
    except (GoptError, ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError, StopIteration):
        return None
    if len(feeds) > 1 and set(feeds[0]) - set(feeds[1]):
        feeds = feeds[:1]  # what became an input is known for the first set alone
    small = tuple({name: array for name, array in inputs.items() if name in kept} for inputs in feeds)
    if data == case.data and all(map(_equal, small, case.feeds)):
        return None
    return Case(case.seed, data, small)


def _equal(one: Inputs, other: Inputs) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[n], other[n]) for n in one)


def _sweep(graph: Graph) -> None:
    for op in dead_ops(graph, graph.ops):
        graph.remove(op)
    for value in list(graph.constants):
        if not value.is_needed:
            graph.drop(value)


# -- changes ---------------------------------------------------------------------------------------------------------


def _changes(case: Case) -> Iterator[Change]:
    """Changes worth a try, the more effective ones first."""
    model = load(case.data)
    outputs, ops = len(model.graph.outputs), list(model.graph.ops)
    if outputs > 1:
        yield from (_only_output(k) for k in range(outputs))
        yield from (_without_output(k) for k in range(outputs))
    known = _results(case)
    for place in range(len(ops)):
        yield _to_inputs(place, known)
    for place in range(len(model.functions) + sum(1 for _ in model.graphs())):
        yield from (_bypass(place, k) for k in range(_count(model, place)))
    yield from (_one_size(k) for k in range(_inputs_with_names(model)))
    yield from (_plain_constant(k, zero) for k in range(_constants(model)) for zero in (False, True))
    yield from (_without_attribute(k) for k in range(len(ops)))


def _only_output(index: int) -> Change:
    def change(model: Model, inputs: Inputs) -> None:
        for k in reversed(range(len(model.graph.outputs))):
            if k != index:
                model.graph.remove_output(k)

    return change


def _without_output(index: int) -> Change:
    return lambda model, inputs: model.graph.remove_output(index)


def _to_inputs(place: int, known: dict[str, Array]) -> Change:
    """Results of an op become inputs, fed with what they were."""

    def change(model: Model, inputs: Inputs) -> None:
        graph = model.graph
        op = graph.ops[place]
        for value in op.outputs:
            if value is None or not value.is_needed:
                continue
            array = known[value.name]
            made = Value(graph.names.fresh("x"), Role.INPUT)
            made.declared = Declared(TensorType(dtype_of(array), tuple(array.shape)))
            graph.add_input(made)
            inputs[made.name] = array
            if value.is_output:
                raise ValueError("an output cannot be an input")
            graph.replace_uses(value, made)
        graph.remove(op)

    return change


def _bypass(place: int, index: int) -> Change:
    """An op is left out: one of its operands stands for its first result."""

    def change(model: Model, inputs: Inputs) -> None:
        infer(model)
        graph = list(model.graphs())[place]
        op = graph.ops[index]
        operand = next(v for v in op.inputs if v is not None and _alike(v, op.result))
        if op.result.is_output and operand.role is not Role.RESULT:
            raise ValueError("an output must be made by an op")
        graph.replace_uses(op.result, operand)

    return change


def _alike(one: Value, other: Value) -> bool:
    a, b = one.type, other.type
    return isinstance(a, TensorType) and isinstance(b, TensorType) and (a.dtype, a.rank) == (b.dtype, b.rank)


def _one_size(index: int) -> Change:
    """The dims of an input are what they are in the run."""

    def change(model: Model, inputs: Inputs) -> None:
        value = _named(model)[index]
        array = inputs[value.name]
        value.declared = Declared(TensorType(dtype_of(array), tuple(array.shape)))

    return change


def _named(model: Model) -> list[Value]:
    found = []
    for value in model.graph.inputs:
        type_ = value.declared.type if value.declared is not None else None
        if isinstance(type_, TensorType) and not type_.is_static:
            found.append(value)
    return found


def _plain_constant(index: int, zero: bool) -> Change:
    """The numbers of a constant are plain ones, or it is a scalar."""

    def change(model: Model, inputs: Inputs) -> None:
        value = _all_constants(model)[index]
        tensor = value.tensor
        assert tensor is not None
        old = tensor.numpy()
        if tensor.dtype is DType.STRING or tensor.dtype in (DType.INT64, DType.INT32, DType.BOOL):
            raise ValueError("what may be axes or sizes is left alone")
        new = np.zeros_like(old) if zero else np.ones_like(old)
        if not np.ptp(old) and old.reshape(-1)[:1] in (0, 1):  # or it would go on to and fro
            raise ValueError("as plain as can be")
        assert value.graph is not None
        made = value.graph.add_const(ArrayTensor(new), value.name)
        value.graph.replace_uses(value, made)

    return change


def _without_attribute(place: int) -> Change:
    def change(model: Model, inputs: Inputs) -> None:
        op = model.graph.ops[place]
        name = next(n for n, a in op.attrs.items() if not isinstance(a.value, Graph))
        model.graph.set_attr(op, name, None)

    return change


def _all_constants(model: Model) -> list[Value]:
    return [v for g in model.graphs() for v in g.constants]


def _constants(model: Model) -> int:
    return len(_all_constants(model))


def _inputs_with_names(model: Model) -> int:
    return len(_named(model))


def _count(model: Model, place: int) -> int:
    graphs = list(model.graphs())
    return len(graphs[place].ops) if place < len(graphs) else 0


def _results(case: Case) -> dict[str, Array]:
    """What all results of the main graph are on the first inputs."""
    data = exposed(case.data)
    try:
        found = RUNNER.run(data, case.feeds[0])[0] if data is not None else None
    except Crashed:
        found = None
    return {n: a for n, a in (found or {}).items() if isinstance(a, np.ndarray) and a.dtype.kind != "O"}
