"""Models from text, in the syntax of `onnx.parser`: what tests, documentation and `gopt.ir.printer` write."""

from __future__ import annotations

import os
import re

from ..errors import ModelError
from ..ir import Model
from .onnx import load

_IR_VERSION = 10
_OPSET = 21
_DEEPEST = 400
"""Brackets inside brackets: the parser of the onnx package goes deeper until its stack is used up, and crashes."""
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|#[^\n]*|=>|[(\[{<]|[)\]}>]', re.DOTALL)


def parse(text: str, folder: str | os.PathLike[str] | None = None) -> Model:
    """The model that a text describes; without a header it is of IR version 10 and opset 21.

    Args:
        text: see "ONNX Textual Syntax" in the documentation of ONNX.
        folder: where external data are looked for.

    Raises:
        ModelError: the text cannot be read, or the model is not valid.
    """
    import onnx.parser

    if "{...}" in text:
        raise ModelError("the text cannot be read: tensors in it are elided")
    if _depth(text) > _DEEPEST:
        raise ModelError(f"the text cannot be read: brackets nest deeper than {_DEEPEST}")
    try:
        text.encode()
        proto = onnx.parser.parse_model(text)
    except onnx.parser.ParseError as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise ModelError(f"the text cannot be read: {' '.join(reason.split())}") from None
    except (ValueError, IndexError):
        raise ModelError("the text cannot be read: a number is out of range, or a character is none") from None
    if not proto.ir_version:
        proto.ir_version = _IR_VERSION
    if not proto.opset_import:
        proto.opset_import.add(domain="", version=_OPSET)
    return load(proto, folder)


def _depth(text: str) -> int:
    """How deep brackets nest at most, those in strings and remarks not counted."""
    depth = deepest = 0
    for found in _TOKEN.finditer(text):
        if found[0] in ("(", "[", "{", "<"):
            depth += 1
            deepest = max(deepest, depth)
        elif found[0] in (")", "]", "}", ">"):
            depth -= 1
    return deepest
