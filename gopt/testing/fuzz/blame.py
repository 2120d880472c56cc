"""Which rewrite is to blame: the last of the shortest prefix of the ledger with which a case fails."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import GoptError
from .oracle import Failure, Oracle, rewritten

NUMERIC = frozenset({"numbers", "invalid", "interface", "does not run", "prefix"})
"""Kinds of failure that a model shows, whatever made it."""


@dataclass(frozen=True, slots=True)
class Blame:
    """The guilty rewrite.

    Attributes:
        rule: its rule or pass.
        entry: its line of the ledger.
        before, after: the model just before it, and with it.
    """

    rule: str
    entry: str
    before: bytes
    after: bytes


def blame(oracle: Oracle, failure: Failure) -> Blame | None:
    """The guilty rewrite of a failure; None where no prefix of the ledger shows it."""
    if failure.kind not in NUMERIC:
        return None
    try:
        _, ledger = rewritten(oracle.case.data, failure.pipeline, failure.exact)
        passing, failing = 0, len(ledger.entries) // (2 if failure.kind == "prefix" else 1)
        if not failing or not _fails(oracle, failure, failing):
            return None
        while failing - passing > 1:
            middle = (passing + failing) // 2
            if _fails(oracle, failure, middle):
                failing = middle
            else:
                passing = middle
        before, _ = rewritten(oracle.case.data, failure.pipeline, failure.exact, passing)
        after, part = rewritten(oracle.case.data, failure.pipeline, failure.exact, failing)
    except GoptError:
        return None
    entry = part.entries[-1]
    return Blame(entry.rule, str(entry), before, after)


def _fails(oracle: Oracle, failure: Failure, limit: int) -> bool:
    return oracle.judge(*rewritten(oracle.case.data, failure.pipeline, failure.exact, limit)) is not None
