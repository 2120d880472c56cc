"""Patterns made ready for matching: for each operator type the operands in order, and tests that need no captures.

Most ops that a pattern is tried on do not even have its structure. The tests here say so without binding anything: they
are closures, made once for each pattern, that look at operator types, constants and absent operands all the way up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from .. import ops
from ..ir import Op, Role, Value
from .pattern import Any_, Const, Each, Either, OpPattern, Optional_, Pattern, as_pattern

ValueTest = Callable[[Value | None], bool]
Operands = tuple[Value | None, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """An operand that is captured as it is.

    Attributes:
        slot: its place.
        name: of the capture; may be empty.
        const: the pattern of a constant whose elements are prescribed, else None.
    """

    slot: int
    name: str
    const: Const | None


class Order:
    """The operands of a pattern in one order.

    Attributes:
        tests: slot and structural test of each operand.
        leaves: operands that need no more than a capture.
        inner: slot and pattern of the others.
    """

    __slots__ = ("inner", "leaves", "tests")

    def __init__(self, wanted: list[tuple[int, Pattern]]) -> None:
        self.tests = tuple((slot, value_test(pattern)) for slot, pattern in wanted)
        leaves: list[Leaf] = []
        inner: list[tuple[int, Pattern]] = []
        for slot, pattern in wanted:
            leaf = pattern.inner if isinstance(pattern, Optional_) else pattern
            if isinstance(leaf, Any_):
                const = leaf if isinstance(leaf, Const) and leaf.value is not None else None
                if leaf.name or const is not None:
                    leaves.append(Leaf(slot, leaf.name, const))
            else:
                inner.append((slot, pattern))
        self.leaves = tuple(leaves)
        self.inner = tuple(inner)


class Form:
    """A pattern made ready for one operator type.

    Attributes:
        straight: its operands as written.
        swapped: in the other order, for the two operands of a commutative operator.
        known: slots that may be occupied; None if any may.
        attributes: name and wanted value.
    """

    __slots__ = ("attributes", "known", "straight", "swapped")

    def __init__(self, pattern: OpPattern, op_type: str) -> None:
        named, self.attributes = keywords(pattern, op_type)
        wanted = [*enumerate(pattern.operands), *named]
        variadic = any(isinstance(p, Each) for _, p in wanted)
        closed = wanted and not pattern.open_end and not variadic
        self.known = frozenset(slot for slot, _ in wanted) if closed else None
        self.straight = Order(wanted)
        self.swapped: Order | None = None
        found = ops.find(op_type, pattern.domain)
        if found is not None and found.commutative and len(pattern.operands) == 2 and not named and not variadic:
            self.swapped = Order([(0, pattern.operands[1]), (1, pattern.operands[0])])

    def fits(self, order: Order, operands: Operands) -> bool:
        """True if operands in this order pass the structural tests."""
        count = len(operands)
        tests = order.tests
        for slot, test in tests:
            if not test(operands[slot] if slot < count else None):
                return False
        if self.known is None or count <= len(tests):
            return True
        return all(operands[slot] is None or slot in self.known for slot in range(count))


@cache
def form_of(pattern: OpPattern, op_type: str) -> Form:
    """The form of a pattern for an operator type."""
    return Form(pattern, op_type)


Keywords = tuple[tuple[tuple[int, Pattern], ...], tuple[tuple[str, Any], ...]]


@cache
def keywords(pattern: OpPattern, op_type: str) -> Keywords:
    """The keywords of an op pattern, told apart by the operator's schema: (slot, pattern) and (attribute, value).

    A string is the capture of an operand if the schema has an operand of that name and no attribute.
    """
    operands: list[tuple[int, Pattern]] = []
    attributes: list[tuple[str, Any]] = []
    known = ops.schema(op_type, pattern.domain)
    for name, wanted in pattern.named.items():
        if isinstance(wanted, str) and known is not None and name.lower() in known.slots and name not in known.kinds:
            wanted = as_pattern(wanted)
        if isinstance(wanted, Pattern):
            operands.append((ops.slot(op_type, name, pattern.domain), wanted))
        else:
            attributes.append((name, tuple(wanted) if isinstance(wanted, list) else wanted))
    return tuple(sorted(operands, key=lambda p: p[0])), tuple(attributes)


@cache
def op_test(pattern: OpPattern) -> Callable[[Op], bool]:
    """A structural test of an op and what is above it: operator types, constants, absent operands; no captures."""
    types, domain = frozenset(pattern.types), pattern.domain
    forms: dict[str, Form] = {}

    def test(op: Op) -> bool:
        op_type = op.op_type
        if op_type not in types or op.domain != domain:
            return False
        form = forms.get(op_type)
        if form is None:
            form = forms[op_type] = form_of(pattern, op_type)
        operands = ops.operands(op)
        if form.fits(form.straight, operands):
            return True
        return form.swapped is not None and len(operands) == 2 and form.fits(form.swapped, operands)

    return test


@cache
def value_test(pattern: Pattern) -> ValueTest:
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


def _any_producer(patterns: list[OpPattern]) -> ValueTest:
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
        # No generator: little else runs as often.
        for fits in by_type.get(op.op_type, ()):  # noqa: SIM110
            if fits(op):
                return True
        return False

    return test


def _is_there(value: Value | None) -> bool:
    return value is not None


def _is_anything(value: Value | None) -> bool:
    return True


def _is_const(value: Value | None) -> bool:
    return value is not None and value.const is not None
