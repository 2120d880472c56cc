"""The rewrite engine: patterns, rules, the worklist driver, and the ledger that accounts for every rewrite."""

from __future__ import annotations

from .builder import Reject, RejectError, Rewriter
from .context import Context
from .driver import Driver, RuleIndex, apply_rules, rule_index
from .ledger import Entry, Ledger, Numerics, Origin, Rejection
from .match import Match, matches
from .pattern import OpPattern, P, Pattern
from .rule import Rule, derive_name, rule

__all__ = [
    "Context",
    "Driver",
    "Entry",
    "Ledger",
    "Match",
    "Numerics",
    "OpPattern",
    "Origin",
    "P",
    "Pattern",
    "Reject",
    "RejectError",
    "Rejection",
    "Rewriter",
    "Rule",
    "RuleIndex",
    "apply_rules",
    "derive_name",
    "matches",
    "rule",
    "rule_index",
]
