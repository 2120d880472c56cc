"""How to feed an operator so that its result has a wanted shape: operand shapes, attributes, data of constants.

A plan works from the result upwards, as a pattern is written: asked for a result shape, it says what each operand must
be. Operators without a plan count as elementwise; a model that turns out not to run is thrown away by the caller.
"""

from __future__ import annotations

from . import elementwise, movement, products, windows  # noqa: F401  (they fill the table)
from .core import NoPlanError, Plan, Rng, Shape, Slot, pick, plan

__all__ = ["NoPlanError", "Plan", "Rng", "Shape", "Slot", "pick", "plan"]
