"""What an operator means, whatever the opset: its view, its shape rule, its numpy kernel."""

from __future__ import annotations

from .evaluate import Call, NoKernel, evaluate
from .registry import InferRule, Kernel, OpDef, define, definitions, find, is_random, kernel, opdef, shape_rule
from .schemas import schema
from .versions import is_current
from .view import UnboundAttribute, attribute, constant_operand, has_operand, ints, is_bound, operands, slot

__all__ = [
    "Call",
    "InferRule",
    "Kernel",
    "NoKernel",
    "OpDef",
    "UnboundAttribute",
    "attribute",
    "constant_operand",
    "define",
    "definitions",
    "evaluate",
    "find",
    "has_operand",
    "ints",
    "is_bound",
    "is_current",
    "is_random",
    "kernel",
    "opdef",
    "operands",
    "schema",
    "shape_rule",
    "slot",
]
