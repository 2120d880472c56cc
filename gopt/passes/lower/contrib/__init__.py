"""Operators of ONNX Runtime's own domain, as its optimizer leaves them, said by standard ones."""

from __future__ import annotations

MODULES = ("products", "activation", "norm", "attention", "embedding")
