"""Quantized operators said by others: floats that hold the same numbers, or QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

MODULES = ("runtime", "blocks", "dynamic", "lstm", "integer", "linear", "moves", "pairs", "coarse")
