"""Patterns: what a rule looks for, written with `P`.

`P.Conv("x", P.const("w"), B=P.opt(P.const("b")))` reads: a Conv whose first operand is anything (called x), whose
second is constant, whose third is constant or absent. A pattern is a small tree, rooted at the op whose results are
replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any


class Pattern:
    """Base of all patterns."""

    def __or__(self, other: Pattern) -> Either:
        return Either((*_choices(self), *_choices(other)))

    def captures(self) -> Iterator[str]:
        """Names that a match binds, each once per occurrence."""
        return iter(())

    def depth(self) -> int:
        """Ops on the longest path from the root."""
        return 0


@dataclass(frozen=True, eq=False)
class Any_(Pattern):
    """Any operand that is there."""

    name: str = ""

    def captures(self) -> Iterator[str]:
        if self.name:
            yield self.name


@dataclass(frozen=True, eq=False)
class Const(Any_):
    """A constant; overridable initializers are none. With `value`, all its elements equal that number."""

    value: float | None = None


@dataclass(frozen=True, eq=False)
class Optional_(Pattern):
    """An operand that may be absent; its captures are None then."""

    inner: Pattern

    def captures(self) -> Iterator[str]:
        return self.inner.captures()

    def depth(self) -> int:
        return self.inner.depth()


@dataclass(frozen=True, eq=False)
class Each(Pattern):
    """All remaining operands, captured as a tuple (None for omitted ones)."""

    name: str

    def captures(self) -> Iterator[str]:
        yield self.name


@dataclass(frozen=True, eq=False)
class Either(Pattern):
    """One of several patterns, tried in order; captures of the others are None."""

    choices: tuple[Pattern, ...]

    def captures(self) -> Iterator[str]:
        for choice in self.choices:
            yield from choice.captures()

    def depth(self) -> int:
        return max(c.depth() for c in self.choices)


@dataclass(frozen=True, eq=False)
class OpPattern(Pattern):
    """An op of one of some types, with patterns for its operands.

    Attributes:
        types: operator types.
        operands: patterns by position.
        named: patterns (or attribute values) by keyword; told apart by the operator's schema.
        output: which result of the op the pattern stands for.
        name: what the matched Op is captured as.
        is_shared: the op's results may be used outside the match: it stays when they are.
        any_version: older versions of the operator that compute something else match too.
        open_end: operands past the given ones may be there.
    """

    types: tuple[str, ...]
    operands: tuple[Pattern, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)
    domain: str = ""
    output: int = 0
    name: str = ""
    is_shared: bool = False
    any_version: bool = False
    open_end: bool = False

    def __getitem__(self, output: int) -> OpPattern:
        """The pattern of another result of the op."""
        return replace(self, output=output)

    def as_(self, name: str) -> OpPattern:
        """Capture the matched Op."""
        return replace(self, name=name)

    def shared(self) -> OpPattern:
        """Allow results of this interior op to be used elsewhere; the op is kept then."""
        return replace(self, is_shared=True)

    def legacy(self) -> OpPattern:
        """Match versions of the operator with other semantics than today's too."""
        return replace(self, any_version=True)

    def captures(self) -> Iterator[str]:
        if self.name:
            yield self.name
        for pattern in self.operands:
            yield from pattern.captures()
        for wanted in self.named.values():
            if isinstance(wanted, Pattern):
                yield from wanted.captures()
            elif isinstance(wanted, str):  # an attribute's value, or the capture of an operand: the schema tells
                yield wanted

    def depth(self) -> int:
        return self._depth

    @cached_property
    def _depth(self) -> int:
        # Patterns share parts, some as often as they are deep, so that each part is asked once.
        below = [p.depth() for p in (*self.operands, *self.named.values()) if isinstance(p, Pattern)]
        return 1 + max(below, default=0)


@dataclass(frozen=True)
class OpTypes:
    """One or more operator types, waiting for their operands: `P.Conv`, `P.Add | P.Sub`."""

    types: tuple[str, ...]
    domain: str = ""

    def __or__(self, other: OpTypes) -> OpTypes:
        return OpTypes((*self.types, *other.types), self.domain)

    def __call__(self, *operands: Any, **named: Any) -> OpPattern:
        """The pattern of such an op. An operand that is not given must be absent; a last `...` lifts that."""
        open_end = bool(operands) and operands[-1] is ...
        given = operands[:-1] if open_end else operands
        patterns = tuple(as_pattern(p) for p in given)
        return OpPattern(self.types, patterns, named, self.domain, open_end=open_end)


def as_pattern(operand: Any) -> Pattern:
    """A string is the capture of anything.

    Raises:
        TypeError: the operand is neither a pattern nor a string.
    """
    if isinstance(operand, str):
        return Any_(operand)
    if isinstance(operand, Pattern):
        return operand
    raise TypeError(f"not a pattern: {operand!r}")


def _choices(pattern: Pattern) -> tuple[Pattern, ...]:
    return pattern.choices if isinstance(pattern, Either) else (pattern,)


class PatternFactory:
    """`P`: `P.OpType(...)` for an op, the lower-case methods for everything else."""

    def __getattr__(self, op_type: str) -> OpTypes:
        if not op_type[:1].isupper():
            raise AttributeError(f"P has no {op_type!r}; operator types start with a capital letter")
        return OpTypes((op_type,))

    @staticmethod
    def op(*types: str, domain: str = "") -> OpTypes:
        """Operator types of any domain or spelling."""
        return OpTypes(types, domain)

    @staticmethod
    def any(name: str = "") -> Any_:
        """Anything that is there."""
        return Any_(name)

    @staticmethod
    def const(name: str = "", value: float | None = None) -> Const:
        """A constant, if `value` is given one whose elements all equal it."""
        return Const(name, value)

    @staticmethod
    def opt(pattern: Pattern | str) -> Optional_:
        """What may be absent."""
        return Optional_(as_pattern(pattern))

    @staticmethod
    def each(name: str) -> Each:
        """All remaining operands."""
        return Each(name)


P = PatternFactory()
