"""Orders of axes: which operators can compute in which, and how."""

from __future__ import annotations

from . import axes, elementwise, normalization, products, shapes, windows
from .perms import Perm, inverse, moves_nothing, perm_of, then
from .way import Way, way_of

FAMILIES = (axes, elementwise, normalization, products, shapes, windows)
"""The modules in which the operators' carriers are."""

__all__ = ["FAMILIES", "Perm", "Way", "inverse", "moves_nothing", "perm_of", "then", "way_of"]
