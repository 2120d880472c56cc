"""Permutations of axes: `perm[i]` is the axis that stands in place i, as in the attribute of Transpose."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from .... import ops
from ....ir import Dim, Op, Value
from ....ops.shapes import tensor

Perm = tuple[int, ...]


def then(first: Perm, second: Perm) -> Perm:
    """Transpose(Transpose(x, first), second) as one permutation."""
    return tuple(first[a] for a in second)


def inverse(perm: Perm) -> Perm:
    """The permutation that undoes another one."""
    places = [0] * len(perm)
    for place, axis in enumerate(perm):
        places[axis] = place
    return tuple(places)


def is_identity(perm: Perm) -> bool:
    """True if every axis stands in its place."""
    return all(axis == place for place, axis in enumerate(perm))


def rank_of(value: Value | None) -> int | None:
    """The number of axes of a value; None if it is not known."""
    found = tensor(value)
    return None if found is None else found.rank


def shape_of(value: Value | None) -> tuple[Dim, ...] | None:
    """The symbolic shape of a value; None if its rank is not known."""
    found = tensor(value)
    return None if found is None else found.shape


def perm_of(transpose: Op) -> Perm | None:
    """The permutation of a Transpose; None if it is none of the axes that the operand has, or those are not known."""
    rank = rank_of(transpose.inputs[0])
    if rank is None or not ops.is_bound(transpose):
        return None
    perm = ops.attribute(transpose, "perm")
    perm = tuple(reversed(range(rank))) if perm is None else tuple(perm)
    return perm if sorted(perm) == list(range(rank)) else None


def moves_nothing(perm: Perm, shape: Sequence[Dim] | None) -> bool:
    """True if a tensor of this shape is the same to the byte, and in shape, after its axes were permuted so."""
    if is_identity(perm):
        return True
    if shape is None or len(shape) != len(perm):
        return False
    return all(shape[axis] == 1 if shape[place] == 1 else axis == place for place, axis in enumerate(perm))


def but_for_ones(perm: Perm, shape: Sequence[Dim]) -> Perm:
    """The order of the result of a Transpose in which the axes other than 1 are as before, and those of 1 stay there.

    Args:
        perm: what the Transpose does.
        shape: the shape of its operand.
    """
    others = iter(sorted((place for place, axis in enumerate(perm) if shape[axis] != 1), key=lambda p: perm[p]))
    return tuple(place if shape[axis] == 1 else next(others) for place, axis in enumerate(perm))


def without(perm: Perm, gone: Collection[int]) -> Perm:
    """The permutation of the axes that are left when some are removed."""
    kept = [a for a in perm if a not in gone]
    number = {axis: k for k, axis in enumerate(sorted(kept))}
    return tuple(number[a] for a in kept)


def having(order: Sequence[int], free: Collection[int], value: Value) -> Perm:
    """A permutation of all axes of `value` in which the axes of `order` come in that order, and `free` ones anywhere.

    If a Transpose that makes or takes the value needs one that fits, it is that one.
    """
    for perm in _wanted(value):
        if len(perm) == len(order) + len(free) and [a for a in perm if a not in free] == list(order):
            return perm
    left = iter(order)
    return tuple(a if a in free else next(left) for a in range(len(order) + len(free)))


def _wanted(value: Value) -> Iterator[Perm]:
    """The orders of a value's axes that would make a Transpose superfluous."""
    made = value.producer
    if made is not None and made.op_type == "Transpose" and (perm := perm_of(made)):
        yield inverse(perm)
    if value.graph is None:
        return
    for op in value.graph.users(value):
        if op.op_type == "Transpose" and not op.domain and (perm := perm_of(op)):
            yield perm
