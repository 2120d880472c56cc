"""Outlining: ops that belong together become a call of a local function, which a backend can take whole."""

from __future__ import annotations

MODULES = ("elementwise",)
