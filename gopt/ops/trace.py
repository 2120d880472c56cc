"""What shape-like tensors hold, element by element, read from the ops that compute them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..ir import Dim, DType, Op, Role, Symbol, Value
from .shapes import tensor
from .sizes import Derived, floor_div, product, total
from .view import attribute, int_tuple, ints

Entries = tuple[Dim | None, ...]
"""What is known of the elements of an integer tensor: a number, a symbol (a size, so never negative), or None."""

_Trace = Callable[[Op, Value, "Tracer"], Entries | None]
_TRACES: dict[str, _Trace] = {}
_LONGEST = 256  # no shape is longer; chains that double a tensor must not cost more than they are worth
_DEEPEST = 32
_LARGEST = 1 << 31


def entries(value: Value | None) -> Entries | None:
    """What is known of the elements (flattened) of an integer tensor, by looking at how it is computed.

    Sees through chains such as Shape -> Gather -> Mul -> Concat. None if nothing is known, not even their number.
    """
    if value is None:
        return None
    constant = value.const
    if constant is not None:
        return int_tuple(constant)
    found = Tracer().of(value)
    if found is None:
        count = length(value)
        return None if count is None or count > _LONGEST else (None,) * count
    return found


def numbers(value: Value | None) -> tuple[int, ...] | None:
    """The elements of a constant integer operand; None if it is absent or not constant."""
    constant = None if value is None else value.const
    return None if constant is None else int_tuple(constant)


def entry(value: Value | None) -> Dim | None:
    """The only element of an integer tensor, None if unknown."""
    found = entries(value)
    return found[0] if found is not None and len(found) == 1 else None


def size_in(value: Value | None) -> Dim:
    """The only element of an integer tensor as a size; a fresh symbol if it is unknown or negative."""
    found = entry(value)
    return Symbol() if found is None or (isinstance(found, int) and found < 0) else found


def length(value: Value | None) -> int | None:
    """The static number of elements of a scalar or of a rank-1 tensor (a list of axes, a shape), None if unknown."""
    type_ = tensor(value)
    return None if type_ is None or type_.shape is None or len(type_.shape) > 1 else type_.size


class Tracer:
    """Walks up the producers and remembers what each value was found to hold.

    One tracer may be asked for many values of a model as long as nothing is done to the model that changes numbers.
    """

    __slots__ = ("depth", "known")

    def __init__(self) -> None:
        self.known: dict[Value, Entries | None] = {}
        self.depth = 0

    def of(self, value: Value | None) -> Entries | None:
        """What is known of the elements; None if nothing is."""
        if value is None:
            return None
        constant = value.const
        if constant is not None:
            return int_tuple(constant) if constant.size <= _LONGEST and len(constant.shape) < 2 else None
        while value.role is Role.CAPTURE and value.outer is not value:
            value = value.outer
        if value in self.known:
            return self.known[value]
        found = None
        op = value.producer
        if op is not None and not op.domain and self.depth < _DEEPEST:
            trace = _TRACES.get(op.op_type)
            if trace is not None:
                self.depth += 1
                found = trace(op, value, self)
                self.depth -= 1
                if found is not None and (len(found) > _LONGEST or _rank(value) not in (0, 1)):
                    found = None
        self.known[value] = found
        return found


def _trace(*names: str) -> Callable[[_Trace], _Trace]:
    def decorate(function: _Trace) -> _Trace:
        _TRACES.update(dict.fromkeys(names, function))
        return function

    return decorate


def shape_slice(op: Op) -> slice:
    """Which dims a Shape op gives (attributes `start` and `end`, ONNX Shape-15)."""
    return slice(attribute(op, "start") or 0, attribute(op, "end"))


@_trace("Shape")
def _shape(op: Op, value: Value, tracer: Tracer) -> Entries | None:
    type_ = tensor(op.inputs[0])
    return None if type_ is None or type_.shape is None else type_.shape[shape_slice(op)]


@_trace("Size")
def _size(op: Op, value: Value, tracer: Tracer) -> Entries | None:
    type_ = tensor(op.inputs[0])
    return None if type_ is None or type_.shape is None else (product(type_.shape),)


@_trace("Identity", "Unsqueeze", "Squeeze", "Reshape", "Flatten")
def _same(op: Op, value: Value, tracer: Tracer) -> Entries | None:
    return tracer.of(op.inputs[0])


@_trace("Cast")
def _cast(op: Op, value: Value, tracer: Tracer) -> Entries | None:
    if attribute(op, "to") not in (DType.INT64, DType.INT32):
        return None
    return tracer.of(op.inputs[0])


def _rank(value: Value | None) -> int | None:
    type_ = tensor(value)
    return None if type_ is None else type_.rank


@_trace("Neg")
def _neg(op: Op, value: Value, tracer: Tracer) -> Entries | None:
    data = tracer.of(op.inputs[0])
    return None if data is None else tuple(-d if isinstance(d, int) else None for d in data)


@_trace("Gather")
def _gather(op: Op, value: Value, tracer: Tracer) -> Entries | None:
    if _rank(op.inputs[0]) != 1:
        return None
    data, picks = tracer.of(op.inputs[0]), tracer.of(op.inputs[1])
    if data is None or picks is None:
        return None
    size = len(data)
    return tuple(data[p] if isinstance(p, int) and -size <= p < size else None for p in picks)


@_trace("Slice")
def _slice(op: Op, value: Value, tracer: Tracer) -> Entries | None:
    starts, ends, steps = ints(op, "starts"), ints(op, "ends"), ints(op, "steps")
    if _rank(op.inputs[0]) != 1 or starts is None or ends is None or len(starts) != 1 or len(ends) != 1:
        return None
    if steps is None and len(op.inputs) > 4 and op.inputs[4] is not None:
        return None
    data = tracer.of(op.inputs[0])
    return None if data is None else data[slice(starts[0], ends[0], steps[0] if steps else 1)]


@_trace("Split")
def _split(op: Op, value: Value, tracer: Tracer) -> Entries | None:
    sizes = [length(v) for v in op.outputs]
    data = tracer.of(op.inputs[0])
    place = op.outputs.index(value)
    before = sizes[:place]
    size = sizes[place]
    if data is None or size is None or None in before:
        return None
    start = sum(s for s in before if s is not None)
    return data[start : start + size]


@_trace("Concat")
def _concat(op: Op, value: Value, tracer: Tracer) -> Entries | None:
    result: list[Dim | None] = []
    for part in op.inputs:
        found = tracer.of(part)
        if found is None:
            size = length(part)
            if size is None or size > _LONGEST:
                return None
            found = (None,) * size
        elif _rank(part) != 1:
            return None
        result += found
    return tuple(result)


@_trace("ConstantOfShape")
def _constant_of_shape(op: Op, value: Value, tracer: Tracer) -> Entries | None:
    size = length(value)
    filler = attribute(op, "value")
    if size is None or size > _LONGEST or filler is None or not filler.dtype.is_integer:
        return None
    return (int(filler.item()),) * size


@_trace("ReduceProd")
def _reduce_prod(op: Op, value: Value, tracer: Tracer) -> Entries | None:
    data = tracer.of(op.inputs[0])
    if data is None or _rank(op.inputs[0]) not in (0, 1) or None in data:
        return None
    if attribute(op, "noop_with_empty_axes") and not ints(op, "axes"):
        return None
    return _checked([product(d for d in data if d is not None)])


@_trace("Where")
def _where(op: Op, value: Value, tracer: Tracer) -> Entries | None:
    parts = [tracer.of(v) for v in op.inputs]
    if len(parts) != 3 or any(p is None for p in parts):
        return None
    rows = _aligned([p for p in parts if p is not None])
    return None if rows is None else tuple((a if c else b) if isinstance(c, int) else None for c, a, b in rows)


@_trace("Equal", "Add", "Sub", "Mul", "Div", "Max", "Min")
def _arithmetic(op: Op, value: Value, tracer: Tracer) -> Entries | None:
    a, b = (tracer.of(v) for v in op.inputs)
    if a is None or b is None:
        return None
    rows = _aligned([a, b])
    if rows is None:
        return None
    compute = _ARITHMETIC[op.op_type]
    return _checked([None if x is None or y is None else compute(x, y) for x, y in rows])


def _aligned(columns: list[Entries]) -> Iterable[tuple[Any, ...]] | None:
    """Rows of broadcast columns; only of equal lengths and of single elements."""
    longest = max(map(len, columns))
    if any(len(c) not in (1, longest) for c in columns):
        return None
    return zip(*[c * longest if len(c) == 1 and longest != 1 else c for c in columns])


def _checked(found: list[Dim | None]) -> Entries:
    """Leaves out what an integer type might not hold."""
    return tuple(None if isinstance(d, int) and not -_LARGEST <= d < _LARGEST else d for d in found)


def _equal(a: Dim, b: Dim) -> Dim | None:
    if a is b or (isinstance(a, int) and isinstance(b, int)):
        return int(a == b)
    number = a if isinstance(a, int) else b
    return 0 if isinstance(number, int) and number < 0 else None


def _negative(a: Dim, b: Dim) -> bool:
    """True if a symbol meets a negative number, so that the result need not be a size."""
    return (isinstance(a, int) and a < 0 and not isinstance(b, int)) or (
        isinstance(b, int) and b < 0 and not isinstance(a, int)
    )


def _add(a: Dim, b: Dim) -> Dim | None:
    return None if _negative(a, b) else total((a, b))


def _sub(a: Dim, b: Dim) -> Dim | None:
    if isinstance(b, int):
        difference = total((a, -b))
    elif a is b:
        difference = 0
    else:
        return None
    # That a size less a number is a size again is certain only if a greater number was added to it before.
    smallest = difference.args[0] if isinstance(difference, Derived) and difference.kind == "add" else 0
    return None if isinstance(smallest, int) and smallest < 0 else difference


def _extreme(choose: Callable[[int, int], int]) -> Callable[[Dim, Dim], Dim | None]:
    def compute(a: Dim, b: Dim) -> Dim | None:
        if isinstance(a, int) and isinstance(b, int):
            return choose(a, b)
        return a if a is b else None

    return compute


def _mul(a: Dim, b: Dim) -> Dim | None:
    return None if _negative(a, b) else product((a, b))


def _div(a: Dim, b: Dim) -> Dim | None:
    """Integer division truncates (ONNX Div)."""
    if not isinstance(b, int) or b == 0:
        return None
    if isinstance(a, int):
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return None if b < 0 else floor_div(a, b)


_ARITHMETIC: dict[str, Callable[[Any, Any], Dim | None]] = {
    "Add": _add,
    "Div": _div,
    "Equal": _equal,
    "Max": _extreme(max),
    "Min": _extreme(min),
    "Mul": _mul,
    "Sub": _sub,
}


def dims(found: Iterable[Any]) -> tuple[Dim, ...]:
    """Entries, or numbers of an attribute, as a shape: what is unknown or no size at all is a fresh symbol."""
    return tuple(d if isinstance(d, Symbol) or (type(d) is int and d >= 0) else Symbol() for d in found)
