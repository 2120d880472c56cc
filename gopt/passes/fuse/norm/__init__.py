"""Normalisations that a model spells out become LayerNormalization, RMSNormalization, Instance- or GroupNormalization.

What is made of the arithmetic has factors of 1 and no bias; rules of their own take the factors and the bias that
follow, so that none, one or both may be there.
"""

from __future__ import annotations

MODULES = ("layer", "instance", "centered")
