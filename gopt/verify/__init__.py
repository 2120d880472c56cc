"""Does a rewritten model still compute what the original does? Runs both in ONNX Runtime, in a process of its own."""

from __future__ import annotations

from .compare import Comparer, Comparison, Tolerance
from .repair import bisect, repair
from .results import Bisection, Delivered, Guilty, LedgerEntry, Limits, Repair, Status, Verification
from .verifier import Verifier, verify

__all__ = [
    "Bisection",
    "Comparer",
    "Comparison",
    "Delivered",
    "Guilty",
    "LedgerEntry",
    "Limits",
    "Repair",
    "Status",
    "Tolerance",
    "Verification",
    "Verifier",
    "bisect",
    "repair",
    "verify",
]
