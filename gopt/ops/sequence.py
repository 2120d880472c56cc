"""Sequences and optional values: shape rules.

The element type of a sequence says what all elements have in common. A symbol in it that stands for a size which
differs from element to element must not make two elements look alike, hence an element that is taken out gets symbols
of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import Dim, DType, Op, OptionalType, SequenceType, Symbol, TensorType, Type, Value
from .contents import dims, entries
from .registry import shape_rule
from .shape import SCALAR_INT64
from .shapes import axis_of, tensor
from .view import attribute

_SCALAR_BOOL = TensorType(DType.BOOL, ())


def _type(value: Value | None) -> Type | None:
    return None if value is None else value.type if value.type is not None else tensor(value)


def _sequence(value: Value | None) -> SequenceType | None:
    type_ = _type(value)
    return type_ if isinstance(type_, SequenceType) else None


def common(types: Sequence[Type | None]) -> Type | None:
    """What several element types have in common; None if they are not of one kind."""
    first = types[0] if types else None
    for other in types[1:]:
        if first == other:
            continue
        if not isinstance(first, TensorType) or not isinstance(other, TensorType) or first.dtype is not other.dtype:
            return None
        if first.shape is None or other.shape is None or len(first.shape) != len(other.shape):
            first = TensorType(first.dtype)
            continue
        dims = tuple(a if a == b else Symbol() for a, b in zip(first.shape, other.shape))
        first = TensorType(first.dtype, dims)
    return first


def _taken_out(elem: Type) -> Type:
    if not isinstance(elem, TensorType) or elem.shape is None:
        return elem
    return TensorType(elem.dtype, tuple(d if isinstance(d, int) else Symbol() for d in elem.shape))


@shape_rule("SequenceConstruct")
def _construct(op: Op) -> Sequence[Type | None]:
    elem = common([tensor(v) for v in op.inputs])
    return (None if elem is None else SequenceType(elem),)


@shape_rule("SequenceEmpty")
def _empty(op: Op) -> Sequence[Type | None]:
    dtype = attribute(op, "dtype")
    return (SequenceType(TensorType(DType.FLOAT if dtype is None else DType(dtype))),)


@shape_rule("SequenceAt")
def _at(op: Op) -> Sequence[Type | None]:
    found = _sequence(op.inputs[0])
    return (None if found is None else _taken_out(found.elem),)


@shape_rule("SequenceErase")
def _erase(op: Op) -> Sequence[Type | None]:
    return (_sequence(op.inputs[0]),)


@shape_rule("SequenceInsert")
def _insert(op: Op) -> Sequence[Type | None]:
    found = _sequence(op.inputs[0])
    elem = None if found is None else common([found.elem, tensor(op.inputs[1])])
    return (None if elem is None else SequenceType(elem),)


@shape_rule("SequenceLength")
def _length(op: Op) -> Sequence[Type | None]:
    return (SCALAR_INT64,)


@shape_rule("SplitToSequence")
def _split(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None,)
    if data.shape is None:
        return (SequenceType(TensorType(data.dtype)),)
    axis = axis_of(attribute(op, "axis"), len(data.shape))
    before, after = data.shape[:axis], data.shape[axis + 1 :]
    if op.input(1) is None:
        middle: tuple[Dim, ...] = (1,) if attribute(op, "keepdims") else ()
    else:
        middle = (_part(op, data.shape[axis]),)
    return (SequenceType(TensorType(data.dtype, (*before, *middle, *after))),)


def _part(op: Op, size: Dim) -> Dim:
    """The size that all parts have."""
    sizes = entries(op.inputs[1])
    if sizes is None or not sizes or any(s != sizes[0] for s in sizes) or sizes[0] is None:
        return Symbol()
    given = tensor(op.inputs[1])
    if given is not None and given.shape == ():
        # One number cuts the dim into parts of that size, the last one may be smaller.
        whole = isinstance(size, int) and isinstance(sizes[0], int) and sizes[0] > 0 and size % sizes[0] == 0
        return sizes[0] if whole else Symbol()
    return dims(sizes[:1])[0]


@shape_rule("ConcatFromSequence")
def _concat(op: Op) -> Sequence[Type | None]:
    found = _sequence(op.inputs[0])
    elem = None if found is None else found.elem
    if not isinstance(elem, TensorType) or elem.shape is None:
        return (TensorType(elem.dtype) if isinstance(elem, TensorType) else None,)
    shape = tuple(d if isinstance(d, int) else Symbol() for d in elem.shape)
    new = attribute(op, "new_axis")
    axis = axis_of(attribute(op, "axis"), len(shape) + bool(new))
    return (TensorType(elem.dtype, (*shape[:axis], Symbol(), *shape[axis + (not new) :])),)


# -- optional values ---------------------------------------------------------------------------------------------------


@shape_rule("Optional")
def _optional(op: Op) -> Sequence[Type | None]:
    elem = _type(op.input(0))
    return (None if elem is None else OptionalType(elem),)


@shape_rule("OptionalGetElement")
def _get(op: Op) -> Sequence[Type | None]:
    given = _type(op.inputs[0])
    return (given.elem if isinstance(given, OptionalType) else given,)


@shape_rule("OptionalHasElement")
def _has(op: Op) -> Sequence[Type | None]:
    return (_SCALAR_BOOL,)
