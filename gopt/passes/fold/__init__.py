"""Folding: what is known beforehand is computed now, in process, and stands in the model as a constant."""

from __future__ import annotations

MODULES = ("shapes", "constants", "targets")
