"""A differential fuzzer: random models, rewritten in many ways, must compute what they did before."""

from __future__ import annotations

from .finish import Case, draw
from .oracle import Failure, Oracle

__all__ = ["Case", "Failure", "Oracle", "draw"]
