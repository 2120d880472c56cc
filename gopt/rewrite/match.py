"""Matching a pattern against an op: all ways in which it fits, by backtracking with bindings of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import ops
from ..ir import DType, Op, Value
from .form import Form, Operands, Order, form_of, op_test, value_test
from .pattern import Any_, Const, Each, Either, OpPattern, Optional_, Pattern

Binding = Value | Op | None | tuple[Value | None, ...]
Bindings = dict[str, Binding]


@dataclass(slots=True)  # not frozen: that makes each of the many short-lived ones three times as dear
class Match:
    """One way in which a pattern fits; never changed once made.

    Attributes:
        bindings: captures by name.
        ops: matched ops, the root first.
        pinned: those of them whose results must not be used outside the match.
    """

    bindings: Bindings
    ops: tuple[Op, ...]
    pinned: tuple[Op, ...]


_NONE: tuple[Match, ...] = ()
_EMPTY = Match({}, (), ())


def matches(pattern: Pattern, op: Op) -> Sequence[Match]:
    """All ways in which `pattern` fits with `op` as its root, in the order in which they are to be tried."""
    if isinstance(pattern, OpPattern):
        return _match_op(pattern, op, _EMPTY) if op_test(pattern)(op) else _NONE
    found: list[Match] = []
    for choice in pattern.choices if isinstance(pattern, Either) else ():
        found.extend(matches(choice, op))
    return found


def _match_op(pattern: OpPattern, op: Op, so_far: Match) -> Sequence[Match]:
    """Bind the captures of an op that has passed the pattern's structural test."""
    if not pattern.any_version and not ops.is_current(op):
        return _NONE
    form = form_of(pattern, op.op_type)
    for name, wanted in form.attributes:
        if not _attr_fits(ops.attribute(op, name), wanted):
            return _NONE
    bindings = so_far.bindings
    if pattern.name:
        bindings = bindings.copy()
        if bindings.setdefault(pattern.name, op) is not op:
            return _NONE
    matched, pinned = so_far.ops, so_far.pinned
    if op not in matched:
        if matched and not pattern.is_shared:
            pinned = (*pinned, op)
        matched = (*matched, op)
    return _match_operands(form, ops.operands(op), Match(bindings, matched, pinned))


def _match_operands(form: Form, operands: Operands, so_far: Match) -> Sequence[Match]:
    if form.swapped is None:
        return _match_in_order(form.straight, operands, so_far)
    found: list[Match] = []
    for order in (form.straight, form.swapped):
        if form.fits(order, operands):
            found.extend(_match_in_order(order, operands, so_far))
    return found


def _match_in_order(order: Order, operands: Operands, so_far: Match) -> Sequence[Match]:
    """Bind the leaves, all into one dict, then match what is inside."""
    bindings = so_far.bindings.copy()
    count = len(operands)
    for leaf in order.leaves:
        value = operands[leaf.slot] if leaf.slot < count else None
        if value is None:
            continue  # optional: the structural test would have failed otherwise
        if leaf.const is not None and not _const_fits(leaf.const, value):
            return _NONE
        if leaf.name and not _bind(bindings, leaf.name, value):
            return _NONE
    found: Sequence[Match] = (Match(bindings, so_far.ops, so_far.pinned),)
    for slot, pattern in order.inner:
        if isinstance(pattern, Each):
            found = [m for m in found if _bind(m.bindings, pattern.name, operands[slot:])]
        else:
            value = operands[slot] if slot < count else None
            found = [b for m in found for b in _match_value(pattern, value, m)]
        if not found:
            return _NONE
    return found


def _match_value(pattern: Pattern, value: Value | None, so_far: Match) -> Sequence[Match]:
    if isinstance(pattern, Optional_):
        return (so_far,) if value is None else _match_value(pattern.inner, value, so_far)
    if value is None:
        return _NONE
    if isinstance(pattern, OpPattern):
        op = value.producer
        if op is None or op.op_type not in pattern.types or op.output(pattern.output) is not value:
            return _NONE
        return _match_op(pattern, op, so_far)
    if isinstance(pattern, Either):
        return [m for c in pattern.choices if value_test(c)(value) for m in _match_value(c, value, so_far)]
    if isinstance(pattern, Any_):  # as one of several choices
        if isinstance(pattern, Const) and not _const_fits(pattern, value):
            return _NONE
        bindings = so_far.bindings.copy()
        if pattern.name and not _bind(bindings, pattern.name, value):
            return _NONE
        return (Match(bindings, so_far.ops, so_far.pinned),)
    return _NONE


def _bind(bindings: Bindings, name: str, what: Binding) -> bool:
    """Write a capture down; False if the name is bound to something else already."""
    known = bindings.get(name, _MISSING)
    if known is _MISSING:
        bindings[name] = what
        return True
    return _same(known, what)


_MISSING: Any = object()


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
    """The same value, or two constants of one number that are equal to the bit: 0 is not -0."""
    if a is b:
        return True
    if not isinstance(a, Value) or not isinstance(b, Value):
        return False
    left, right = a.const, b.const
    if left is None or right is None or left.size != 1 or right.size != 1:
        return False
    if left.dtype is not right.dtype or left.shape != right.shape or left.dtype is DType.STRING:
        return False
    return bytes(left.raw()) == bytes(right.raw())
