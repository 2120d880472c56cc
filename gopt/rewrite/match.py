"""Matching a pattern against an op: all ways in which it fits, by backtracking with bindings of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .. import ops
from ..ir import Op, Role, Value
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
_NONE: tuple[Match, ...] = ()


def matches(pattern: Pattern, op: Op) -> Sequence[Match]:
    """All ways in which `pattern` fits with `op` as its root, in the order in which they are to be tried."""
    if isinstance(pattern, OpPattern):
        return _match_op(pattern, op, _EMPTY, root=True)
    found: list[Match] = []
    for choice in pattern.choices if isinstance(pattern, Either) else ():
        if isinstance(choice, OpPattern):
            found.extend(_match_op(choice, op, _EMPTY, root=True))
    return found


def could_match(pattern: Pattern, value: Value | None) -> bool:
    """A quick look: False if the pattern surely does not fit, judged by the value and the type of its producer."""
    if isinstance(pattern, Optional_):
        return value is None or could_match(pattern.inner, value)
    if value is None:
        return False
    if isinstance(pattern, OpPattern):
        if value.role is not Role.RESULT:
            return False
        op = value.producer
        return op is not None and op.op_type in pattern.types and op.domain == pattern.domain
    if isinstance(pattern, Const):
        return value.const is not None
    if isinstance(pattern, Either):
        return any(could_match(c, value) for c in pattern.choices)
    return True


def _match_value(pattern: Pattern, value: Value | None, so_far: Match) -> Sequence[Match]:
    if isinstance(pattern, Optional_):
        return (so_far,) if value is None else _match_value(pattern.inner, value, so_far)
    if value is None:
        return _NONE
    if isinstance(pattern, Any_):
        if isinstance(pattern, Const) and not _const_fits(pattern, value):
            return _NONE
        bound = so_far.bind(pattern.name, value)
        return _NONE if bound is None else (bound,)
    if isinstance(pattern, OpPattern):
        op = value.producer
        if op is None or op.op_type not in pattern.types or op.output(pattern.output) is not value:
            return _NONE
        return _match_op(pattern, op, so_far, root=False)
    if isinstance(pattern, Either):
        return [m for choice in pattern.choices for m in _match_value(choice, value, so_far)]
    return _NONE


def _match_op(pattern: OpPattern, op: Op, so_far: Match, root: bool) -> Sequence[Match]:
    if op.op_type not in pattern.types or op.domain != pattern.domain:
        return _NONE
    operands = ops.operands(op)
    named, attributes = keywords(pattern, op.op_type)
    straight = _pairs(pattern, pattern.operands, named, operands)
    swapped = None
    if len(pattern.operands) == 2 and len(operands) == 2 and not named and _commutes(op):
        swapped = _pairs(pattern, pattern.operands[::-1], named, operands)
    if straight is None and swapped is None:
        return _NONE
    if not pattern.any_version and not ops.is_current(op):
        return _NONE
    for name, wanted in attributes:
        if not _attr_fits(ops.attribute(op, name), wanted):
            return _NONE
    bound = so_far.bind(pattern.name, op)
    if bound is None:
        return _NONE
    bound = bound.with_op(op, pinned=not root and not pattern.is_shared)
    found: list[Match] = []
    for pairs in (straight, swapped):
        if pairs is not None:
            found.extend(_match_all(pairs, bound))
    return found


_Pairs = list[tuple[Pattern, Any]]


def _pairs(
    pattern: OpPattern,
    positional: tuple[Pattern, ...],
    named: tuple[tuple[int, Pattern], ...],
    operands: tuple[Value | None, ...],
) -> _Pairs | None:
    """Operand patterns with what they are to fit; None if a quick look says that one does not."""
    pairs: _Pairs = []
    count = len(operands)
    closed = not pattern.open_end and bool(positional or named)
    taken = len(positional)
    for slot, wanted in enumerate(positional):
        if isinstance(wanted, Each):
            pairs.append((wanted, operands[slot:]))
            closed = False
            continue
        value = operands[slot] if slot < count else None
        if not could_match(wanted, value):
            return None
        pairs.append((wanted, value))
    for slot, wanted in named:
        value = operands[slot] if slot < count else None
        if not could_match(wanted, value):
            return None
        pairs.append((wanted, value))
    if closed and count > taken:
        known = {slot for slot, _ in named}
        if any(operands[slot] is not None and slot not in known for slot in range(taken, count)):
            return None
    return pairs


def _match_all(pairs: _Pairs, so_far: Match) -> Sequence[Match]:
    found: Sequence[Match] = (so_far,)
    for pattern, value in pairs:
        if isinstance(pattern, Each):
            found = [b for m in found if (b := m.bind(pattern.name, value)) is not None]
        elif len(found) == 1:
            found = _match_value(pattern, value, found[0])
        else:
            found = [b for m in found for b in _match_value(pattern, value, m)]
        if not found:
            return _NONE
    return found


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
    first = array.item(0)
    if first != pattern.value and not (isinstance(first, float) and first == float(array.dtype.type(pattern.value))):
        return False
    # Most constants differ in the first element already; a look at it is several times cheaper than a comparison.
    return array.size == 1 or bool((array == array.reshape(-1)[0]).all())


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
