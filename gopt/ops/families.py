"""The family files. Each registers its operators when it is imported."""

from __future__ import annotations

from importlib import import_module

FAMILIES = (
    "activation",
    "cast",
    "elementwise",
    "logic",
    "reduce",
)


def register() -> None:
    """Import all families; importing again does nothing."""
    for name in FAMILIES:
        import_module(f"{__package__}.{name}")
