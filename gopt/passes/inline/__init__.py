"""Inlining: what a call or a decided branch does comes to stand where the call or the If stood."""

from __future__ import annotations

MODULES = ("functions", "branches", "loops", "carried", "hoist")
