"""What an operator means, whatever the opset: its view, its shape rule, its numpy kernel."""

from __future__ import annotations

from .evaluate import Call, NoKernel, evaluate
from .registry import InferRule, Kernel, OpDef, define, definitions, find, is_random, kernel, opdef, shape_rule
from .view import attribute, has_operand, ints, is_current, operands, slot

__all__ = [
    "Call",
    "InferRule",
    "Kernel",
    "NoKernel",
    "OpDef",
    "attribute",
    "define",
    "definitions",
    "evaluate",
    "find",
    "has_operand",
    "ints",
    "is_current",
    "is_random",
    "kernel",
    "opdef",
    "operands",
    "shape_rule",
    "slot",
]
