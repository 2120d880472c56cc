"""Types through the bodies of control-flow ops (ONNX operators If, Loop, Scan)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..ir import Dim, DType, Graph, Op, OptionalType, SequenceType, Shape, Symbol, TensorType, Type, Value
from ..ops import attribute, is_current
from ..ops.contents import entry
from ..ops.contents import known as known_elements
from ..ops.sizes import as_size
from .joins import Symbols, covers, join, join_elements, outward, symbols_of

if TYPE_CHECKING:
    from .inference import Inference

_ROUNDS = 8


def infer_bodies(run: Inference, op: Op) -> Sequence[Type | None]:
    """Infer the bodies of an op, and from them the types of its results.

    Values captured from outside have the outer types. Bodies of other ops than If, Loop and Scan have inputs about
    which nothing is known, and so have those of malformed ops; then nothing is known of the results either.
    """
    from .inference import retype, type_of

    for inner, outer in op.captures.items():
        retype(inner, type_of(outer))
    rule = None if op.domain or not is_current(op) else _RULES.get(op.op_type)
    found = None if rule is None else rule(run, op)
    if found is not None:
        return found
    for body in op.bodies:
        for value in body.inputs:
            retype(value, None)
        run.graph(body)
    return ()


def _known_outside(op: Op) -> Symbols:
    return symbols_of([*(v.type for v in op.inputs if v is not None), *(v.type for v in op.captures.values())])


def _results(body: Graph) -> list[Type | None]:
    from .inference import type_of

    return [type_of(value) for value in body.outputs]


def _if(run: Inference, op: Op) -> list[Type | None] | None:
    """A result has what its types in both branches have in common; those of the one branch that is known to run."""
    if len(op.bodies) != 2:
        return None
    for body in op.bodies:
        run.graph(body)
    first, second = map(_results, op.bodies)
    if len(first) != len(second):
        return []
    known = _known_outside(op)
    condition = _flag(op.input(0))
    if condition is not None:
        chosen = op.attr("then_branch" if condition else "else_branch")
        return [outward(t, known) for t in (first if chosen is op.bodies[0] else second)]
    return [join(outward(a, known), outward(b, known)) for a, b in zip(first, second)]


def _loop(run: Inference, op: Op) -> list[Type | None] | None:
    """Carried values have the type that holds in all iterations; scanned results a leading dim of unknown size."""
    body = op.bodies[0]
    carried = [None if v is None else v.type for v in op.inputs[2:]]
    if len(op.bodies) != 1 or len(body.inputs) != len(carried) + 2 or len(body.outputs) <= len(carried):
        return None
    counters: list[Type | None] = [TensorType(DType.INT64, ()), TensorType(DType.BOOL, ())]
    known = _known_outside(op)
    final = _fixpoint(run, body, counters, carried, [], slice(1, 1 + len(carried)), known)
    turns = _turns(op, body)
    scanned = [_stacked(outward(t, known), 0, turns) for t in _results(body)[1 + len(carried) :]]
    return [outward(t, known) for t in final] + scanned


def _turns(op: Op, body: Graph) -> Dim:
    """How often a Loop runs its body: the trip count if the condition is always true, else unknown."""
    condition = body.outputs[0]
    always = _flag(condition) is True or condition is body.inputs[1]
    if op.input(1) is not None and _flag(op.input(1)) is not True:
        always = False
    count = entry(op.input(0))
    return as_size(count) if always and count is not None else Symbol()


def _flag(value: Value | None) -> bool | None:
    """What a scalar boolean is known to be."""
    found = known_elements(value)
    return bool(found[0]) if found is not None and len(found) == 1 and isinstance(found[0], int) else None


def _scan(run: Inference, op: Op) -> list[Type | None] | None:
    """States are carried; scanned operands are cut along their axes, scanned results put together along theirs."""
    body, count = op.bodies[0], attribute(op, "num_scan_inputs")
    states = len(op.inputs) - count if isinstance(count, int) else -1
    if states < 0 or len(op.bodies) != 1 or len(body.inputs) != len(op.inputs) or len(body.outputs) < states:
        return None
    types = [None if v is None else v.type for v in op.inputs]
    axes = attribute(op, "scan_input_axes") or (0,) * count
    if len(axes) != count:
        return None
    cut = [_cut(t, axis) for t, axis in zip(types[states:], axes)]
    known = _known_outside(op)
    final = _fixpoint(run, body, [], types[:states], [t for t, _ in cut], slice(0, states), known)
    sizes = [size for _, size in cut if size is not None]
    length = next((size for size in sizes if isinstance(size, int)), sizes[0] if sizes else None)
    scanned = _results(body)[states:]
    out_axes = attribute(op, "scan_output_axes") or (0,) * len(scanned)
    stacked = [
        _stacked(outward(t, known), axis, Symbol() if length is None else length) for t, axis in zip(scanned, out_axes)
    ]
    return [outward(t, known) for t in final] + stacked


def _fixpoint(
    run: Inference,
    body: Graph,
    before: list[Type | None],
    carried: list[Type | None],
    after: list[Type | None],
    place: slice,
    known: Symbols,
) -> list[Type | None]:
    """Types of carried values that hold in every iteration.

    Starts from the initial types. What the body makes of them either is of these types, or they are made more general:
    a dim unknown, then the rank, then the whole type.
    """
    inputs = body.inputs[len(before) : len(before) + len(carried)]
    earlier = [value.type for value in inputs]
    current = list(carried)
    free: dict[Symbol, None] = {}
    for _ in range(_ROUNDS):
        results = _turn(run, body, [*before, *current, *after])[place]
        unstable = [k for k, result in enumerate(results) if not covers(current[k], result, free)]
        if not unstable:
            return current
        for k in unstable:
            current[k] = _general(current[k], results[k], earlier[k], free, known)
    # What is passed on from value to value may take more rounds than that.
    current = [None] * len(current)
    _turn(run, body, [*before, *current, *after])
    return current


def _turn(run: Inference, body: Graph, types: list[Type | None]) -> list[Type | None]:
    """Infer a body for inputs of some types; returns the types of its outputs."""
    from .inference import retype

    for value, type_ in zip(body.inputs, types):
        retype(value, type_)
    run.graph(body)
    return _results(body)


def _general(
    current: Type | None, result: Type | None, earlier: Type | None, free: dict[Symbol, None], known: Symbols
) -> Type | None:
    """A type that covers both; its unknown dims are the symbols of the last inference, where that made some."""
    if isinstance(current, (SequenceType, OptionalType)) and type(current) is type(result):
        old = earlier.elem if isinstance(earlier, type(current)) else None
        elem = _general(current.elem, result.elem, old, free, known)
        return None if elem is None else type(current)(elem)
    if not isinstance(current, TensorType) or not isinstance(result, TensorType) or current.dtype is not result.dtype:
        return None
    a, b = current.shape, result.shape
    if a is None or b is None or len(a) != len(b):
        return TensorType(current.dtype)
    elements = join_elements(current.elements, result.elements)
    reuse: Shape = (earlier.shape or ()) if isinstance(earlier, TensorType) else ()
    dims: list[Dim] = []
    for k, (x, y) in enumerate(zip(a, b)):
        dim: Dim = x
        if x != y and x not in free:
            old_dim = reuse[k] if len(reuse) == len(a) else 0
            usable = type(old_dim) is Symbol and not old_dim.name and old_dim not in known and old_dim not in free
            dim = old_dim if usable else Symbol()
            free[dim] = None  # type: ignore[index]  # a symbol either way
        dims.append(dim)
    return TensorType(current.dtype, tuple(dims), elements)


def _cut(type_: Type | None, axis: int) -> tuple[Type | None, Dim | None]:
    """The type of a slice along an axis, and the number of slices."""
    if not isinstance(type_, TensorType) or type_.shape is None:
        return (TensorType(type_.dtype) if isinstance(type_, TensorType) else None), None
    rank = len(type_.shape)
    if not -rank <= axis < rank:
        return TensorType(type_.dtype), None
    axis %= rank
    return TensorType(type_.dtype, type_.shape[:axis] + type_.shape[axis + 1 :]), type_.shape[axis]


def _stacked(type_: Type | None, axis: int, length: Dim) -> Type | None:
    """The type of slices put together along an axis."""
    if not isinstance(type_, TensorType):
        return None
    if type_.shape is None:
        return TensorType(type_.dtype)
    rank = len(type_.shape) + 1
    if not -rank <= axis < rank:
        return TensorType(type_.dtype)
    axis %= rank
    return TensorType(type_.dtype, (*type_.shape[:axis], length, *type_.shape[axis:]))


_Rule = Callable[["Inference", Op], "list[Type | None] | None"]
_RULES: dict[str, _Rule] = {"If": _if, "Loop": _loop, "Scan": _scan}
