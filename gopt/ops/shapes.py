"""Arithmetic on symbolic shapes that the shape rules share."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import Dim, DType, Op, Shape, Symbol, TensorType, Type, Value
from .bounds import bounds
from .symbolic import Atom, by_number, derive
from .view import operands


def tensor(value: Value | None) -> TensorType | None:
    """The value's type if it is known to be a dense tensor."""
    if value is None:
        return None
    type_ = value.type
    if type_ is None:
        constant = value.const
        return None if constant is None else TensorType(constant.dtype, constant.shape)
    return type_ if isinstance(type_, TensorType) else None


def tensors(op: Op) -> list[TensorType | None]:
    """`tensor` of each operand, by the newest schema's slots."""
    return [tensor(v) for v in operands(op)]


def fresh(rank: int) -> Shape:
    """A shape of known rank about whose dims nothing is known."""
    return tuple(Symbol() for _ in range(rank))


def is_one(dim: Dim) -> bool:
    """True if the dim is known to be 1."""
    return type(dim) is int and dim == 1


def broadcast_dims(a: Dim, b: Dim) -> Dim:
    """The size that two broadcast dims give (ONNX, "Multidirectional Broadcasting").

    A number above 1 wins over a symbol: the symbol can only be 1 or that number. 0 wins over a symbol likewise (the
    symbol is 0 or 1). Of two different symbols either may be 1, so that the result is one of its own, unless one is
    known to be above 1.
    """
    if a is b:
        return a
    if type(a) is int:
        if a == 1:
            return b
        if type(b) is int and b != a and b != 1:
            raise ValueError(f"dims {a} and {b} do not broadcast")
        return a
    if type(b) is int:
        return a if b == 1 else b
    return _broadcast_symbols(a, b)


def _broadcast_symbols(*given: Dim) -> Symbol:
    """The size that symbols give, none of which need be 1.

    One that is known to be above 1 is the result. min(n, k) beside n, with k above 1, says nothing: it either is n, or
    above 1 and another number, which does not broadcast.
    """
    parts: dict[Symbol, None] = {}
    for symbol in given:
        args = symbol.args if type(symbol) is Atom and symbol.kind == "broadcast" else (symbol,)
        parts.update((part, None) for part in args if isinstance(part, Symbol))
    kept = sorted(parts, key=by_number)
    wide = next((p for p in kept if _is_wide(p)), None)
    if wide is not None:
        return wide
    kept = [p for p in kept if not any(_is_cut_of(p, other) for other in kept)]
    return kept[0] if len(kept) == 1 else derive("broadcast", *kept)


def _is_wide(dim: Dim) -> bool:
    low = bounds(dim)[0]
    return low is not None and low > 1


def _is_cut_of(part: Symbol, whole: Symbol) -> bool:
    """True for min(whole, k) with k above 1."""
    if type(part) is not Atom or part.kind != "min" or whole not in part.args:
        return False
    return all(_is_wide(a) for a in part.args if a is not whole)


def broadcast(a: Shape | None, b: Shape | None) -> Shape | None:
    """The shape of two broadcast operands; an operand itself where it is the result. None if a rank is unknown.

    Raises:
        ValueError: the shapes do not broadcast.
    """
    if a is None or b is None:
        return None
    if a == b or not b:
        return a
    if not a:
        return b
    if len(a) < len(b):
        a, b = b, a
    lead = len(a) - len(b)
    return (*a[:lead], *[x if x == y else broadcast_dims(x, y) for x, y in zip(a[lead:], b)])


def broadcast_all(shapes: Sequence[Shape | None]) -> Shape | None:
    """The shape of any number of broadcast operands.

    Two symbols that meet are decided only after the numbers: among (n, 5, m) the result is 5.
    """
    if len(shapes) == 2:
        return broadcast(shapes[0], shapes[1])
    known = [s for s in shapes if s is not None]
    if len(known) != len(shapes) or not known:
        return None
    rank = max(map(len, known))
    dims: list[Dim] = []
    for axis in range(-rank, 0):
        column = [s[axis] for s in known if len(s) >= -axis]
        column.sort(key=lambda d: not isinstance(d, int))
        result: Dim = 1
        for dim in column:
            result = broadcast_dims(result, dim) if dim != result else result
        dims.append(result)
    return tuple(dims)


def typed(like: TensorType, dtype: DType, shape: Shape | None) -> TensorType:
    """A tensor type; `like` itself if that is equal, so that equal types stay one object."""
    if like.dtype is dtype and (like.shape is shape or like.shape == shape):
        return like
    return TensorType(dtype, shape)


def same_as_first(op: Op) -> Sequence[Type | None]:
    """Shape rule: the first result has the type of the first operand."""
    first = op.inputs[0]
    return (None if first is None else tensor(first),)


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from the front.

    Raises:
        ValueError: it lies outside the rank.
    """
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} of rank {rank}")
    return axis + rank if axis < 0 else axis
