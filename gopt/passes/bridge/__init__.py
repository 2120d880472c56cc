"""Passes that run what was written for other tools."""

from __future__ import annotations

MODULES = ("graphsurgeon",)
