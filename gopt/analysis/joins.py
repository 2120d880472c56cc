"""Algebra of types: what is common to two of them, what may leave a body, what is merely another name."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..ir import Dim, Entries, OptionalType, SequenceType, Shape, Symbol, TensorType, Type
from ..ops.symbolic import arguments

Symbols = Collection[Symbol]


def symbols_of(types: Iterable[Type | None]) -> dict[Symbol, None]:
    """All symbols that stand in some types, in order."""
    found: dict[Symbol, None] = {}
    for type_ in types:
        while isinstance(type_, (SequenceType, OptionalType)):
            type_ = type_.elem
        shape: Shape | None = getattr(type_, "shape", None)
        if shape is not None:
            found.update((d, None) for d in shape if not isinstance(d, int))
        elements: Entries | None = getattr(type_, "elements", None)
        if elements is not None:
            found.update((d, None) for d in elements if isinstance(d, Symbol))
    return found


def join(a: Type | None, b: Type | None) -> Type | None:
    """The most special type that both are of: equal dims stay, others become unknown. None if there is none."""
    if a is b or a == b:
        return a
    if isinstance(a, TensorType) and isinstance(b, TensorType) and a.dtype is b.dtype:
        return TensorType(a.dtype, join_shapes(a.shape, b.shape), join_elements(a.elements, b.elements))
    if isinstance(a, (SequenceType, OptionalType)) and type(a) is type(b):
        elem = join(a.elem, b.elem)
        return None if elem is None else type(a)(elem)
    return None


def join_shapes(a: Shape | None, b: Shape | None) -> Shape | None:
    """Equal dims stay, others are fresh; None if the ranks differ."""
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple([x if x == y else Symbol() for x, y in zip(a, b)])


def join_elements(a: Entries | None, b: Entries | None) -> Entries | None:
    """Equal elements stay; None if nothing is left."""
    if a is b or a is None or b is None or len(a) != len(b):
        return a if a is b else None
    found = tuple([x if x is y or (type(x) is type(y) and x == y) else None for x, y in zip(a, b)])
    return found if any(e is not None for e in found) else None


def outward(type_: Type | None, known: Symbols) -> Type | None:
    """A type as it may be seen outside the body that it comes from: symbols not `known` there are made fresh.

    A size that only exists within a body may differ from iteration to iteration.
    """
    if isinstance(type_, (SequenceType, OptionalType)):
        elem = outward(type_.elem, known)
        return None if elem is None else type(type_)(elem)
    if not isinstance(type_, TensorType) or type_.shape is None:
        return type_
    elements = type_.elements
    if elements is not None and not all(e is None or _is_known(e, known) for e in elements):
        elements = tuple([None if e is None or not _is_known(e, known) else e for e in elements])
        elements = elements if any(e is not None for e in elements) else None
    if elements is type_.elements and all(_is_known(d, known) for d in type_.shape):
        return type_
    return TensorType(type_.dtype, tuple([d if _is_known(d, known) else Symbol() for d in type_.shape]), elements)


def _is_known(dim: Dim | float, known: Symbols) -> bool:
    """True for numbers, known and named symbols, and sizes derived from such."""
    todo: list[Dim | float] = [dim]
    seen: set[Symbol] = set()  # a size may be part of others in a great many ways
    while todo:
        part = todo.pop()
        if not isinstance(part, Symbol) or part in seen or part in known or part.name:
            continue
        args = arguments(part)
        if not args:
            return False
        seen.add(part)
        todo += args
    return True


def covers(general: Type | None, special: Type | None, free: Symbols) -> bool:
    """True if every value of type `special` is one of type `general`, whose symbols in `free` stand for any size."""
    if general is None or general == special:
        return True
    if isinstance(general, (SequenceType, OptionalType)) and type(general) is type(special):
        return covers(general.elem, special.elem, free)
    if not isinstance(general, TensorType) or not isinstance(special, TensorType) or general.dtype is not special.dtype:
        return False
    if general.elements is not None and not _covers_elements(general.elements, special.elements):
        return False
    if general.shape is None:
        return True
    if special.shape is None or len(special.shape) != len(general.shape):
        return False
    return all(g == s or g in free for g, s in zip(general.shape, special.shape))


def _covers_elements(general: Entries, special: Entries | None) -> bool:
    if special is None or len(special) != len(general):
        return False
    return all(g is None or g is s or (type(g) is type(s) and g == s) for g, s in zip(general, special))


def settled(old: Type | None, new: Type | None, operands: Iterable[Type | None]) -> Type | None:
    """The new type of a value, with its old symbols where the new ones only say "unknown" again.

    Inferring an op anew makes fresh symbols for sizes that depend on data; if those replaced the old ones, everything
    downstream would seem to have changed. A symbol that stands in an operand's type is not of that kind.
    """
    if not isinstance(old, TensorType) or not isinstance(new, TensorType) or old.dtype is not new.dtype:
        return new
    before, after = old.shape, new.shape
    if before is None or after is None or len(before) != len(after):
        return new
    given = symbols_of(operands)
    dims = tuple([o if o is not n and _is_own(o, given) and _is_own(n, given) else n for o, n in zip(before, after)])
    if dims == before and old.elements == new.elements:
        return old
    return new if dims == after else TensorType(new.dtype, dims, new.elements)


def _is_own(dim: Dim, given: Symbols) -> bool:
    return type(dim) is Symbol and not dim.name and dim not in given
