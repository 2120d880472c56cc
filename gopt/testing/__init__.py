"""Rules tested from their patterns: `check_rule(rule)` makes matching models, rewrites them, compares the numbers."""

from __future__ import annotations

from .check import RuleReport, check_rule
from .generate import generate

__all__ = ["RuleReport", "check_rule", "generate"]
