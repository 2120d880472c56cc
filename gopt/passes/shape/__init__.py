"""Shapes: what the model promises about its dims, changed on request."""

from __future__ import annotations

MODULES = ("fix", "batch", "declare")
