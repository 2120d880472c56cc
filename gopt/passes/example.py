"""The small models that rules carry: documentation, and the input of tests."""

from __future__ import annotations


def example(graph: str, opset: int = 18) -> str:
    """The ONNX text of a model around the text of a graph (without its name)."""
    return f'<ir_version: 8, opset_import: ["" : {opset}]>\nexample {graph}'
