"""Cutting: which values a model takes and gives, and which part of it is left between them."""

from __future__ import annotations

MODULES = ("expose", "extract")
