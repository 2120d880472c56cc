"""Other versions of the standard operators: up to what the installed onnx knows, down to what a target takes."""

from __future__ import annotations

MODULES = ("convert", "upgrade", "downgrade")
