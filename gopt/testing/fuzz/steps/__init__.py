"""Steps: what a sketch grows by, a file for each kind."""

from __future__ import annotations

from . import (  # noqa: F401  (they fill the table)
    control,
    documented,
    elementwise,
    layers,
    lookup,
    movement,
    rare,
    sizes,
    splice,
)
from .core import STEPS, Step, grow, step

__all__ = ["STEPS", "Step", "grow", "step"]
