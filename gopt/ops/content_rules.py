"""Rules for what results hold: from what is known of the elements of an op's operands to that of its results.

Sizes of tensors are followed through chains such as Shape -> Gather -> Mul -> Concat, as symbolic integers; where all
operands are known numbers, the operator's kernel computes. Contents of more than `LONGEST` elements are not followed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod

import numpy as np

from ..errors import GoptError
from ..ir import Array, Dim, DType, Entries, Op, Symbol, TensorType, Type, Value
from .bounds import is_size
from .content_arithmetic import ELEMENTWISE, checked, equal
from .contents import FOLLOWED, LONGEST, NUMERIC, known, length, numbers, shape_slice
from .evaluate import evaluate
from .registry import opdef
from .shapes import tensor
from .sizes import maximum, minimum, product, scaled_by, total
from .view import attribute, ints
from .window import disputed

_Rule = Callable[[Op, int], Entries | None]
"""From an op and the number of a result to what that holds."""

_RULES: dict[str, _Rule] = {}


def may_hold(op: Op) -> bool:
    """True if something may be known of what the op's results hold."""
    if op.domain:
        return False
    if op.op_type in _RULES:
        return True
    return any(v is not None and type(v.type) is TensorType and v.type.elements is not None for v in op.inputs)


def with_contents(op: Op, results: Sequence[Type | None]) -> Sequence[Type | None]:
    """The types of an op's results, with what is known of their elements."""
    found = list(results)
    for place, type_ in enumerate(results):
        if type(type_) is not TensorType or place >= len(op.outputs):
            continue
        size = type_.size
        elements = None if size is None or size > LONGEST else _contents(op, place, type_)
        if elements is not None and (len(elements) != size or all(e is None for e in elements)):
            elements = None
        if elements is not None or type_.elements is not None:  # a shape rule may have passed an operand's type on
            found[place] = TensorType(type_.dtype, type_.shape, elements)
    return found


def _contents(op: Op, place: int, type_: TensorType) -> Entries | None:
    rule = _RULES.get(op.op_type) if type_.dtype in FOLLOWED else None
    found = None
    try:
        found = None if rule is None else rule(op, place)
        if found is None and op.op_type in _MOVING and type_.dtype in FOLLOWED:
            found = _moved(op, place)
        if (found is None or None in found) and (type_.dtype.is_float or op.op_type not in ELEMENTWISE):
            found = _computed(op, place, type_) or found
    except _MALFORMED:
        return None
    return found


_MALFORMED = (GoptError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def _symbolic(value: Value | None) -> tuple[Dim | None, ...] | None:
    """`known` of an integer or boolean operand; as many times None as it has elements if nothing is known of them."""
    found = known(value)
    if found is None:
        type_ = tensor(value)
        size = None if type_ is None or type_.dtype not in FOLLOWED else type_.size
        return None if size is None or size > LONGEST else (None,) * size
    return None if any(isinstance(e, float) for e in found) else found  # type: ignore[return-value]


def _rank(value: Value | None) -> int | None:
    type_ = tensor(value)
    return None if type_ is None else type_.rank


def _rule(*names: str) -> Callable[[_Rule], _Rule]:
    def decorate(function: _Rule) -> _Rule:
        _RULES.update(dict.fromkeys(names, function))
        return function

    return decorate


# -- sizes -------------------------------------------------------------------------------------------------------------


@_rule("Shape")
def _shape(op: Op, place: int) -> Entries | None:
    type_ = tensor(op.inputs[0])
    return None if type_ is None or type_.shape is None else type_.shape[shape_slice(op)]


@_rule("Size")
def _size(op: Op, place: int) -> Entries | None:
    type_ = tensor(op.inputs[0])
    return None if type_ is None or type_.shape is None else (product(type_.shape),)


# -- elements that stay in order ---------------------------------------------------------------------------------------


@_rule("Identity", "Unsqueeze", "Squeeze", "Reshape", "Flatten")
def _same(op: Op, place: int) -> Entries | None:
    return known(op.inputs[0])


@_rule("Cast")
def _cast(op: Op, place: int) -> Entries | None:
    source = tensor(op.inputs[0])
    if source is None or source.dtype not in FOLLOWED:
        return None
    data = known(op.inputs[0])
    if data is None:
        return None
    if attribute(op, "to") != DType.BOOL:
        return data if source.dtype is DType.BOOL else checked(data)  # type: ignore[arg-type]  # of integers
    return tuple(None if d is None or (answer := equal(d, 0)) is None else 1 - answer for d in data)


@_rule("Concat")
def _concat(op: Op, place: int) -> Entries | None:
    if any(_rank(v) != 1 for v in op.inputs):
        return None
    result: list[int | float | Symbol | None] = []
    for part in op.inputs:
        found = known(part)
        if found is None:
            size = length(part)
            if size is None or size > LONGEST:
                return None
            found = (None,) * size
        result += found
    return tuple(result)


@_rule("Gather")
def _gather(op: Op, place: int) -> Entries | None:
    data, picks = known(op.inputs[0]), known(op.inputs[1])
    if data is None or picks is None or _rank(op.inputs[0]) != 1:
        return None
    size = len(data)
    return tuple(data[p] if isinstance(p, int) and -size <= p < size else None for p in picks)


@_rule("Slice")
def _slice(op: Op, place: int) -> Entries | None:
    starts, ends, steps = ints(op, "starts"), ints(op, "ends"), ints(op, "steps")
    if _rank(op.inputs[0]) != 1 or starts is None or ends is None or len(starts) != 1 or len(ends) != 1:
        return None
    if steps is None and len(op.inputs) > 4 and op.inputs[4] is not None:
        return None
    data, step = known(op.inputs[0]), steps[0] if steps else 1
    if data is None or disputed(len(data), starts[0], ends[0], step):
        return None
    return data[slice(starts[0], ends[0], step)]


@_rule("Split")
def _split(op: Op, place: int) -> Entries | None:
    data = known(op.inputs[0])
    sizes = [length(v) for v in op.outputs[: place + 1]]
    if data is None or _rank(op.inputs[0]) != 1 or None in sizes:
        return None
    bounds = [0]
    for size in sizes:
        bounds.append(bounds[-1] + (size or 0))
    start, end = list(pairwise(bounds))[place]
    return data[start:end]


@_rule("ConstantOfShape")
def _constant_of_shape(op: Op, place: int) -> Entries | None:
    filler = attribute(op, "value")
    if filler is None or filler.dtype not in FOLLOWED:
        return None
    shape = numbers(op.inputs[0])
    if shape is None or prod(shape) > LONGEST:
        return None
    return (int(filler.item()),) * prod(shape)


# -- elements that go elsewhere ----------------------------------------------------------------------------------------

# Which operands hold the elements that the operator puts into other places. The kernel does so to their numbers.
_MOVING: dict[str, tuple[int, ...]] = {
    "DepthToSpace": (0,),
    "Expand": (0,),
    "Gather": (0,),
    "GatherElements": (0,),
    "GatherND": (0,),
    "ScatterElements": (0, 2),
    "ScatterND": (0, 2),
    "Slice": (0,),
    "SpaceToDepth": (0,),
    "Split": (0,),
    "Tile": (0,),
    "Transpose": (0,),
    "Trilu": (0,),
    "Concat": (),
    "Pad": (0, 2),
}


def _moved(op: Op, place: int) -> Entries | None:
    """Evaluates the op for numbers of elements in place of the elements."""
    slots = _MOVING[op.op_type] or tuple(range(len(op.inputs)))
    if op.attrs.get("reduction") is not None or (op.op_type == "Pad" and "value" in op.attrs):
        return None
    pool: list[int | float | Symbol | None] = [0]  # what Pad and Trilu fill with
    arrays: list[Array | None] = []
    for slot, value in enumerate(op.inputs):
        if value is None:
            arrays.append(None)
            continue
        type_ = tensor(value)
        found = _symbolic(value)
        if found is None or type_ is None or type_.shape is None or not all(isinstance(d, int) for d in type_.shape):
            return None
        if slot in slots:
            array = np.arange(len(pool), len(pool) + len(found), dtype=np.int64)
            pool += found
        elif all(isinstance(e, int) for e in found):
            array = np.array(found, np.int64 if type_.dtype is not DType.BOOL else np.bool_)
        else:
            return None
        arrays.append(array.reshape(type_.shape))
    if any(n > LONGEST for n in (len(pool) - 1, *(a.size for a in arrays if a is not None))):
        return None
    return tuple(pool[n] for n in evaluate(op, arrays)[place].reshape(-1).tolist())


# -- arithmetic --------------------------------------------------------------------------------------------------------


@_rule("Neg")
def _neg(op: Op, place: int) -> Entries | None:
    data = _symbolic(op.inputs[0])
    return None if data is None else checked([None if d is None else scaled_by(d, -1) for d in data])


@_rule("Abs")
def _abs(op: Op, place: int) -> Entries | None:
    data = _symbolic(op.inputs[0])
    return None if data is None else checked([abs(d) if isinstance(d, int) else d if _sure(d) else None for d in data])


def _sure(dim: Dim | None) -> bool:
    return dim is not None and is_size(dim)


@_rule("ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin")
def _reduce(op: Op, place: int) -> Entries | None:
    data = _symbolic(op.inputs[0])
    if not data or _rank(op.inputs[0]) not in (0, 1) or None in data:
        return None
    if attribute(op, "noop_with_empty_axes") and not ints(op, "axes"):
        return None
    parts = [d for d in data if d is not None]
    if op.op_type == "ReduceProd":
        return checked([product(parts)])
    if op.op_type == "ReduceSum":
        return checked([total(parts)])
    result = parts[0]
    for part in parts[1:]:
        result = maximum(result, part) if op.op_type == "ReduceMax" else minimum(result, part)
    return (result,)


@_rule("Where")
def _where(op: Op, place: int) -> Entries | None:
    rows = _rows(op.inputs)
    if rows is None:
        return None
    return tuple((a if c else b) if isinstance(c, int) else a if equal(a, b) == 1 else None for c, a, b in rows)


@_rule("Not")
def _not(op: Op, place: int) -> Entries | None:
    data = _symbolic(op.inputs[0])
    return None if data is None else tuple(1 - d if isinstance(d, int) else None for d in data)


def _mapped(op: Op, place: int) -> Entries | None:
    """An elementwise operator of one or more operands, which takes them two by two."""
    rows = _rows(op.inputs)
    if rows is None:
        return None
    compute = ELEMENTWISE[op.op_type]
    result: list[Dim | None] = []
    for first, *others in rows:
        for other in others:
            first = compute(first, other)
        result.append(first)
    return checked(result)


def _rows(values: Sequence[Value | None]) -> Sequence[tuple[Dim | None, ...]] | None:
    """What is known of the elements that meet each other in broadcast operands."""
    columns = [_symbolic(v) for v in values]
    found = [c for c in columns if c is not None]
    if len(found) != len(columns):
        return None
    longest = max(map(len, found))
    if all(len(c) == 1 for c in found) or all((_rank(v) or 0) < 2 for v in values):
        if any(len(c) not in (1, longest) for c in found):
            return None
        return list(zip(*[c * longest if len(c) == 1 and longest != 1 else c for c in found]))
    shapes = [type_.shape for v in values if (type_ := tensor(v)) is not None and type_.shape is not None]
    numbered = [np.arange(len(c)).reshape(s) for c, s in zip(found, shapes)]  # type: ignore[arg-type]  # static
    together = np.broadcast_arrays(*numbered)
    if together[0].size > LONGEST:
        return None
    return list(zip(*[[c[k] for k in array.reshape(-1).tolist()] for c, array in zip(found, together)]))


_RULES.update(dict.fromkeys(ELEMENTWISE, _mapped))


# -- numbers -----------------------------------------------------------------------------------------------------------

# Operators on floats that every runtime rounds alike (IEEE 754), or not at all.
_ALIKE = frozenset(
    {
        *("Abs", "Add", "Cast", "Ceil", "Clip", "Concat", "Div", "Equal", "Expand", "Floor", "Gather", "Greater"),
        *("GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Max", "Min", "Mul", "Neg", "Relu", "Reshape", "Round"),
        *("Sign", "Slice", "Split", "Sqrt", "Squeeze", "Sub", "Tile", "Transpose", "Unsqueeze", "Where"),
    }
)


def _computed(op: Op, place: int, type_: TensorType) -> Entries | None:
    """The result of an op all of whose operands are known numbers, one of them by inference, by the op's kernel."""
    what = opdef(op)
    if what is None or what.kernel is None or what.random or what.quantize or type_.dtype not in NUMERIC:
        return None
    arrays: list[Array | None] = []
    inferred = False
    for value in op.inputs:
        if value is None:
            arrays.append(None)
            continue
        operand, found = tensor(value), known(value)
        if operand is None or found is None or operand.dtype not in NUMERIC or operand.size != len(found):
            return None
        if not all(isinstance(e, (int, float)) for e in found):
            return None
        if (operand.dtype.is_float or type_.dtype.is_float) and op.op_type not in _ALIKE:
            return None
        inferred = inferred or value.const is None
        arrays.append(np.array(found, operand.dtype.numpy).reshape(operand.shape))
    if not inferred:
        return None
    result = evaluate(op, arrays)[place]
    if result.dtype != type_.dtype.numpy:
        return None
    return tuple(int(e) if isinstance(e, bool) else e for e in result.reshape(-1).tolist())
