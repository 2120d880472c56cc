"""The family files. Each registers its operators when it is imported."""

from __future__ import annotations

from importlib import import_module

FAMILIES = (
    "activation",
    "attention",
    "cast",
    "control",
    "contrib",
    "conv",
    "elementwise",
    "gather",
    "interpolation",
    "logic",
    "loss",
    "matmul",
    "ml",
    "movement",
    "norm",
    "pool",
    "quantize",
    "random",
    "reduce",
    "resize",
    "rnn",
    "scatter",
    "select",
    "sequence",
    "shape",
    "signal",
    "text",
    "vision",
    "window",
)


def register() -> None:
    """Import all families; importing again does nothing."""
    for name in FAMILIES:
        import_module(f"{__package__}.{name}")
