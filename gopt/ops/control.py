"""Operators with bodies. Their results depend on the bodies' types: `gopt.analysis` infers them."""

from __future__ import annotations

from .registry import define

for _name in ("If", "Loop", "Scan", "SequenceMap"):
    define(_name, control=True)
