"""Matching a pattern against an op: all ways in which it fits, by backtracking with bindings of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
_Pairs = list[tuple[Pattern, Any]]


def matches(pattern: Pattern, op: Op) -> Sequence[Match]:
    """All ways in which `pattern` fits with `op` as its root, in the order in which they are to be tried."""
    if isinstance(pattern, OpPattern):
        return _match_op(pattern, op, _EMPTY, root=True) if op_test(pattern)(op) else _NONE
    found: list[Match] = []
    for choice in pattern.choices if isinstance(pattern, Either) else ():
        found.extend(matches(choice, op))
    return found


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
        return [m for c in pattern.choices if value_test(c)(value) for m in _match_value(c, value, so_far)]
    return _NONE


def _match_op(pattern: OpPattern, op: Op, so_far: Match, root: bool) -> Sequence[Match]:
    """Bind the captures of an op that has passed the pattern's structural test."""
    if not pattern.any_version and not ops.is_current(op):
        return _NONE
    form = _form(pattern, op.op_type)
    for name, wanted in form.attributes:
        if not _attr_fits(ops.attribute(op, name), wanted):
            return _NONE
    bound = so_far.bind(pattern.name, op)
    if bound is None:
        return _NONE
    bound = bound.with_op(op, pinned=not root and not pattern.is_shared)
    operands = ops.operands(op)
    if form.swapped is None:
        return _match_all(form.pairs(form.straight, operands), bound)
    found: list[Match] = []
    for order in (form.straight, form.swapped):
        if form.fits(order, operands):
            found.extend(_match_all(form.pairs(order, operands), bound))
    return found


_Test = Callable[[Value | None], bool]
_Order = tuple[tuple[int, Pattern, _Test], ...]


@dataclass(frozen=True, slots=True)
class _Form:
    """A pattern made ready for one operator type.

    Attributes:
        straight: slot, pattern and structural test of each operand.
        swapped: the same for the other order of a commutative operator's two operands, if that differs.
        known: slots that may be occupied; None if any may.
        attributes: name and wanted value.
    """

    straight: _Order
    swapped: _Order | None
    known: frozenset[int] | None
    attributes: tuple[tuple[str, Any], ...]

    def fits(self, order: _Order, operands: tuple[Value | None, ...]) -> bool:
        """True if operands in this order pass the structural tests."""
        count = len(operands)
        for slot, _, test in order:
            if not test(operands[slot] if slot < count else None):
                return False
        if self.known is None or count <= len(order):
            return True
        return all(operands[slot] is None or slot in self.known for slot in range(count))

    @staticmethod
    def pairs(order: _Order, operands: tuple[Value | None, ...]) -> _Pairs:
        """Each operand pattern with what it is to match."""
        count = len(operands)
        return [
            (pattern, operands[slot:] if isinstance(pattern, Each) else operands[slot] if slot < count else None)
            for slot, pattern, _ in order
        ]


@cache
def _form(pattern: OpPattern, op_type: str) -> _Form:
    named, attributes = keywords(pattern, op_type)
    wanted = [*enumerate(pattern.operands), *named]
    variadic = any(isinstance(p, Each) for _, p in wanted)
    known = None if pattern.open_end or variadic or not wanted else frozenset(slot for slot, _ in wanted)
    straight = tuple((slot, p, value_test(p)) for slot, p in wanted)
    swapped = None
    found = ops.find(op_type, pattern.domain)
    if found is not None and found.commutative and len(pattern.operands) == 2 and not named and not variadic:
        first, second = pattern.operands
        swapped = ((0, second, value_test(second)), (1, first, value_test(first)))
    return _Form(straight, swapped, known, attributes)


@cache
def op_test(pattern: OpPattern) -> Callable[[Op], bool]:
    """A structural test of an op and what is above it: operator types, constants, absent operands; no captures."""
    types, domain = frozenset(pattern.types), pattern.domain
    forms: dict[str, _Form] = {}

    def test(op: Op) -> bool:
        op_type = op.op_type
        if op_type not in types or op.domain != domain:
            return False
        form = forms.get(op_type)
        if form is None:
            form = forms[op_type] = _form(pattern, op_type)
        operands = ops.operands(op)
        if form.fits(form.straight, operands):
            return True
        return form.swapped is not None and len(operands) == 2 and form.fits(form.swapped, operands)

    return test


@cache
def value_test(pattern: Pattern) -> _Test:
    """The structural test of an operand."""
    if isinstance(pattern, Optional_):
        inner = value_test(pattern.inner)
        return lambda value: value is None or inner(value)
    if isinstance(pattern, Const):
        return _is_const
    if isinstance(pattern, (Any_, Each)):
        return _is_there if isinstance(pattern, Any_) else _is_anything
    if isinstance(pattern, OpPattern):
        return _any_producer([pattern])
    if isinstance(pattern, Either):
        if all(isinstance(c, OpPattern) for c in pattern.choices):
            return _any_producer([c for c in pattern.choices if isinstance(c, OpPattern)])
        tests = [value_test(c) for c in pattern.choices]
        return lambda value: any(test(value) for test in tests)
    return _is_anything


def _any_producer(patterns: list[OpPattern]) -> _Test:
    """True for a value whose producer passes the test of one of the patterns; the producer is looked up once."""
    by_type: dict[str, list[Callable[[Op], bool]]] = {}
    for pattern in patterns:
        for op_type in pattern.types:
            by_type.setdefault(op_type, []).append(op_test(pattern))

    def test(value: Value | None) -> bool:
        if value is None or value.role is not Role.RESULT:
            return False
        op = value.producer
        if op is None:
            return False
        tests = by_type.get(op.op_type)
        return tests is not None and any(test(op) for test in tests)

    return test


def _is_there(value: Value | None) -> bool:
    return value is not None


def _is_anything(value: Value | None) -> bool:
    return True


def _is_const(value: Value | None) -> bool:
    return value is not None and value.const is not None


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
