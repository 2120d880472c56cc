"""What small integer tensors hold: shapes, axes, sizes, as inference found them or constants say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..ir import Dim, DType, Entries, Op, Symbol, TensorType, Value
from .shapes import tensor
from .sizes import as_size
from .view import attribute, int_tuple

IntEntries = tuple[Dim | None, ...]
"""What is known of the elements of an integer tensor: a number, a symbolic integer (maybe negative), or None."""

LONGEST = 256
"""Elements of the largest tensor whose contents are followed; no shape is longer."""


def known(value: Value | None) -> Entries | None:
    """What is known of the elements of any small operand; None if nothing is."""
    if value is None:
        return None
    constant = value.const
    if constant is None:
        type_ = value.type
        return type_.elements if type(type_) is TensorType else None
    if constant.size > LONGEST:
        return None
    if constant.dtype.is_integer:
        return int_tuple(constant)
    if constant.dtype is DType.BOOL:
        return tuple(map(int, constant.numpy().reshape(-1).tolist()))
    return tuple(constant.numpy().reshape(-1).tolist()) if constant.dtype in NUMERIC else None


def entries(value: Value | None) -> IntEntries | None:
    """What is known of the elements (flattened) of an integer tensor. None if nothing is, not even their number."""
    if value is None:
        return None
    constant = value.const
    if constant is not None:
        return int_tuple(constant)
    type_ = tensor(value)
    if type_ is not None and type_.elements is not None and not type_.dtype.is_float:
        return type_.elements  # type: ignore[return-value]  # of integers: no floats among them
    count = length(value)
    return None if count is None or count > LONGEST else (None,) * count


def sizes_in(value: Value | None) -> IntEntries | None:
    """`entries` with None for all that might be negative, and so mean something else than a size."""
    found = entries(value)
    if found is None or not any(isinstance(d, Symbol) for d in found):
        return found
    return tuple(d if not isinstance(d, Symbol) or as_size(d) is d else None for d in found)


def numbers(value: Value | None) -> tuple[int, ...] | None:
    """The elements of an integer operand that are all known; None if it is absent or one of them is not."""
    if value is None:
        return None
    constant = value.const
    if constant is not None:
        return int_tuple(constant)
    found = entries(value)
    known = () if found is None else tuple(d for d in found if isinstance(d, int))
    return known if found is not None and len(known) == len(found) else None


def entry(value: Value | None) -> Dim | None:
    """The only element of an integer tensor, None if unknown."""
    found = entries(value)
    return found[0] if found is not None and len(found) == 1 else None


def size_in(value: Value | None) -> Dim:
    """The only element of an integer tensor as a size; a fresh symbol if it is unknown or negative."""
    found = entry(value)
    return Symbol() if found is None or (isinstance(found, int) and found < 0) else as_size(found)


def length(value: Value | None) -> int | None:
    """The static number of elements of a scalar or of a rank-1 tensor (a list of axes, a shape), None if unknown."""
    type_ = tensor(value)
    return None if type_ is None or type_.shape is None or len(type_.shape) > 1 else type_.size


def shape_slice(op: Op) -> slice:
    """Which dims a Shape op gives (attributes `start` and `end`, ONNX Shape-15)."""
    return slice(attribute(op, "start") or 0, attribute(op, "end"))


def dims(found: Iterable[Any]) -> tuple[Dim, ...]:
    """Entries, or numbers of an attribute, as a shape: what is unknown or a negative number is a fresh symbol."""
    return tuple(
        as_size(d) if isinstance(d, Symbol) else d if type(d) is int and d >= 0 else Symbol()  # not True, not 0.5
        for d in found
    )


FOLLOWED = frozenset({DType.INT64, DType.INT32, DType.BOOL})
"""Element types whose contents may be symbolic."""

NUMERIC = frozenset({*FOLLOWED, DType.FLOAT, DType.DOUBLE})
"""Element types whose contents may be known as numbers."""
