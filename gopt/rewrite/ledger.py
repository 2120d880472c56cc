"""The ledger: every rewrite of a run, numbered, with what it replaced and by what.

From it come the report, provenance (`origins`), `--limit N`, and the bisection that finds a guilty rewrite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from ..ir import Op


class Numerics(IntEnum):
    """What a rewrite promises about the numbers.

    EXACT: bit-equal. FINITE: bit-equal unless NaN, an infinity or -0 occurs. ROUNDING: equal over the reals.
    """

    EXACT = 0
    FINITE = 1
    ROUNDING = 2


@dataclass(frozen=True, slots=True)
class Origin:
    """An op that an entry removed: its label, and the entry that had made it (0: it stood in the input model)."""

    label: str
    entry: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One committed rewrite.

    Attributes:
        number: position in the run, from 1.
        rule: dotted name of the rule or pass.
        key: rule and names of the values replaced; stable when other entries are left out.
        before: the ops that went.
        after: labels of the ops that came.
        constants: constants that came.
        numerics: what the rewrite promises.
    """

    number: int
    rule: str
    key: str
    before: tuple[Origin, ...]
    after: tuple[str, ...]
    constants: int = 0
    numerics: Numerics = Numerics.EXACT

    def __str__(self) -> str:
        gone = ", ".join(o.label for o in self.before) or "nothing"
        came = ", ".join(self.after) or ("a constant" if self.constants else "nothing new")
        return f"#{self.number} {self.rule}: {gone} -> {came}"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A match that was not rewritten, and why."""

    rule: str
    op: str
    reason: str


@dataclass(slots=True)
class Ledger:
    """The entries of one run, and what the run may do.

    Attributes:
        limit: commit no more than so many rewrites; None for no limit.
        skip: keys of entries, and names of rules, files or families, to leave out.
        keep_rejections: record rejected matches too (for `why-not`); off by default because there are many.
        listeners: called with each new entry.
        facts: what passes tell those who compare the result with the original; `rebatch` is another batch size,
            `coarsest` a float type that is computed in on purpose, coarser than before.
    """

    limit: int | None = None
    skip: frozenset[str] = frozenset()
    keep_rejections: bool = False
    entries: list[Entry] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    listeners: list[Callable[[Entry], None]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)

    @property
    def exhausted(self) -> bool:
        """True once the limit is reached: nothing more will be permitted."""
        return self.limit is not None and len(self.entries) >= self.limit

    def key(self, rule: str, names: Iterable[str]) -> str:
        """The key that the next entry of `rule` on these values has."""
        key = f"{rule}({','.join(names)})"
        times = self._seen.get(key, 0)
        return f"{key}#{times + 1}" if times else key

    def permits(self, rule: str, key: str) -> bool:
        """True if the run may commit this rewrite."""
        if self.exhausted:
            return False
        return not self.skip or not (key in self.skip or skipped(rule, self.skip))

    def commit(
        self,
        rule: str,
        key: str,
        before: Iterable[Origin],
        after: Iterable[Op],
        constants: int = 0,
        numerics: Numerics = Numerics.EXACT,
    ) -> Entry:
        """Write an entry down; the ops that came are marked with its number."""
        number = len(self.entries) + 1
        came = []
        for op in after:
            op.entry = number
            came.append(op.label)
        entry = Entry(number, rule, key, tuple(before), tuple(came), constants, numerics)
        base = key[: key.rindex(")") + 1]  # without the count that `key` appended; names may have a # themselves
        self._seen[base] = self._seen.get(base, 0) + 1
        self.entries.append(entry)
        for listener in self.listeners:
            listener(entry)
        return entry

    def reject(self, rule: str, op: Op, reason: str) -> None:
        """Note why a match was not rewritten."""
        if self.keep_rejections:
            self.rejections.append(Rejection(rule, op.label, reason))

    def origins(self, op: Op) -> tuple[str, ...]:
        """Labels of the ops of the input model that an op of the result came from, in the order of discovery."""
        if op.entry == 0:
            return (op.label,)
        found: dict[str, None] = {}
        seen: set[int] = set()
        todo = [op.entry]
        while todo:
            number = todo.pop()
            if number in seen:
                continue
            seen.add(number)
            for origin in self.entries[number - 1].before:
                if origin.entry == 0:
                    found[origin.label] = None
                else:
                    todo.append(origin.entry)
        return tuple(found)

    def by_rule(self) -> dict[str, int]:
        """How often each rule was applied, in the order of first application."""
        counts: dict[str, int] = {}
        for entry in self.entries:
            counts[entry.rule] = counts.get(entry.rule, 0) + 1
        return counts


def skipped(rule: str, names: frozenset[str]) -> bool:
    """True if the rule, its file or its family is among `names`."""
    if not names:
        return False
    if rule in names:
        return True
    end = rule.rfind(".")
    while end > 0:
        if rule[:end] in names:
            return True
        end = rule.rfind(".", 0, end)
    return False
