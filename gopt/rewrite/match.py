"""Matching a pattern against an op: all ways in which it fits, by backtracking with bindings of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .. import ops
from ..ir import Op, Value
from .pattern import Any_, Const, Each, Either, OpPattern, Optional_, Pattern

Binding = Value | Op | None | tuple[Value | None, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """One way in which a pattern fits.

    Attributes:
        bindings: captures by name.
        ops: matched ops, the root first.
        pinned: those of them whose results must not be used outside the match.
    """

    bindings: dict[str, Binding]
    ops: tuple[Op, ...]
    pinned: tuple[Op, ...]

    def bind(self, name: str, what: Binding) -> Match | None:
        """This match with one more capture; None if the name is bound to something else already."""
        if not name:
            return self
        if name in self.bindings:
            return self if _same(self.bindings[name], what) else None
        return Match({**self.bindings, name: what}, self.ops, self.pinned)

    def with_op(self, op: Op, pinned: bool) -> Match:
        """This match with one more op."""
        if op in self.ops:
            return self
        return Match(self.bindings, (*self.ops, op), (*self.pinned, op) if pinned else self.pinned)


_EMPTY = Match({}, (), ())


def matches(pattern: Pattern, op: Op) -> Iterator[Match]:
    """All ways in which `pattern` fits with `op` as its root, in the order in which they are to be tried."""
    for choice in pattern.choices if isinstance(pattern, Either) else (pattern,):
        if isinstance(choice, OpPattern):
            yield from _match_op(choice, op, _EMPTY, root=True)


def _match_value(pattern: Pattern, value: Value | None, so_far: Match) -> Iterator[Match]:
    if isinstance(pattern, Optional_):
        if value is None:
            yield so_far
        else:
            yield from _match_value(pattern.inner, value, so_far)
    elif value is None:
        return
    elif isinstance(pattern, Any_):
        if not isinstance(pattern, Const) or _const_fits(pattern, value):
            bound = so_far.bind(pattern.name, value)
            if bound is not None:
                yield bound
    elif isinstance(pattern, Either):
        for choice in pattern.choices:
            yield from _match_value(choice, value, so_far)
    elif isinstance(pattern, OpPattern):
        op = value.producer
        if op is not None and op.output(pattern.output) is value:
            yield from _match_op(pattern, op, so_far, root=False)


def _match_op(pattern: OpPattern, op: Op, so_far: Match, root: bool) -> Iterator[Match]:
    if op.op_type not in pattern.types or op.domain != pattern.domain:
        return
    if not pattern.any_version and not ops.is_current(op):
        return
    named, attributes = keywords(pattern, op.op_type)
    for name, wanted in attributes:
        if not _attr_fits(ops.attribute(op, name), wanted):
            return
    bound = so_far.bind(pattern.name, op)
    if bound is None:
        return
    bound = bound.with_op(op, pinned=not root and not pattern.is_shared)
    operands = ops.operands(op)
    yield from _match_operands(pattern, pattern.operands, named, operands, bound)
    if len(pattern.operands) == 2 and len(operands) == 2 and not named and _commutes(op):
        yield from _match_operands(pattern, pattern.operands[::-1], named, operands, bound)


def _match_operands(
    pattern: OpPattern,
    positional: tuple[Pattern, ...],
    named: tuple[tuple[int, Pattern], ...],
    operands: tuple[Value | None, ...],
    so_far: Match,
) -> Iterator[Match]:
    pairs: list[tuple[Pattern, Value | tuple[Value | None, ...] | None]] = []
    taken = set()
    rest = False
    for slot, wanted in [*enumerate(positional), *named]:
        if isinstance(wanted, Each):
            pairs.append((wanted, operands[slot:]))
            rest = True
        else:
            pairs.append((wanted, operands[slot] if slot < len(operands) else None))
            taken.add(slot)
    if not rest and not pattern.open_end and (positional or named):
        for slot, value in enumerate(operands):
            if value is not None and slot not in taken:
                return
    yield from _match_all(pairs, 0, so_far)


def _match_all(pairs: list[tuple[Pattern, Any]], index: int, so_far: Match) -> Iterator[Match]:
    if index == len(pairs):
        yield so_far
        return
    pattern, value = pairs[index]
    if isinstance(pattern, Each):
        bound = so_far.bind(pattern.name, value)
        if bound is not None:
            yield from _match_all(pairs, index + 1, bound)
        return
    for bound in _match_value(pattern, value, so_far):
        yield from _match_all(pairs, index + 1, bound)


_Keywords = tuple[tuple[tuple[int, Pattern], ...], tuple[tuple[str, Any], ...]]


@cache
def keywords(pattern: OpPattern, op_type: str) -> _Keywords:
    """The keywords of an op pattern, told apart by the operator's schema: (slot, pattern) and (attribute, value)."""
    operands: list[tuple[int, Pattern]] = []
    attributes: list[tuple[str, Any]] = []
    for name, wanted in pattern.named.items():
        if isinstance(wanted, Pattern):
            operands.append((ops.slot(op_type, name, pattern.domain), wanted))
        else:
            attributes.append((name, tuple(wanted) if isinstance(wanted, list) else wanted))
    return tuple(sorted(operands, key=lambda p: p[0])), tuple(attributes)


def _commutes(op: Op) -> bool:
    found = ops.opdef(op)
    return found is not None and found.commutative


def _attr_fits(have: Any, wanted: Any) -> bool:
    if callable(wanted):
        return bool(wanted(have))
    if isinstance(have, float) and isinstance(wanted, float):
        return bool(np.float32(have) == np.float32(wanted))
    return bool(have == wanted)


def _const_fits(pattern: Const, value: Value) -> bool:
    tensor = value.const
    if tensor is None:
        return False
    if pattern.value is None:
        return True
    if tensor.size == 0 or tensor.size > 1 << 20:
        return False
    array = tensor.numpy()
    return array.dtype.kind in "fiub" and bool((array == array.dtype.type(pattern.value)).all())


def _same(a: Binding, b: Binding) -> bool:
    """The same value, or two equal constants of one element."""
    if a is b:
        return True
    if not isinstance(a, Value) or not isinstance(b, Value):
        return False
    left, right = a.const, b.const
    if left is None or right is None or left.size != 1 or right.size != 1:
        return False
    return left.dtype is right.dtype and left.shape == right.shape and bool(left.numpy() == right.numpy())
