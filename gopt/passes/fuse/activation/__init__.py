"""Activations that a model spells out become the operators that its opset has for them.

Constants count as the ones of a formula if they are what rounding to the element type, or to seven decimal digits,
makes of them. Element types for which ONNX Runtime has no kernel are left alone.
"""

from __future__ import annotations

MODULES = ("hard", "sigmoid", "gelu", "cubic", "soft", "rectifier", "absolute")
