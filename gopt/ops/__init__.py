"""What an operator means, whatever the opset: its view, its shape rule, its numpy kernel."""

from __future__ import annotations

from . import families
from .build import available, constant, make
from .evaluate import Call, NoKernel, evaluate, output_bytes, work
from .forms import NotAvailable
from .registry import InferRule, Kernel, OpDef, define, definitions, find, is_random, kernel, opdef, shape_rule
from .schemas import Schema, newest, schema
from .validity import complaint
from .versions import is_current
from .view import UnboundAttribute, attribute, constant_operand, has_operand, ints, is_bound, operands, slot

families.register()

__all__ = [
    "Call",
    "InferRule",
    "Kernel",
    "NoKernel",
    "NotAvailable",
    "OpDef",
    "Schema",
    "UnboundAttribute",
    "attribute",
    "available",
    "complaint",
    "constant",
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
    "make",
    "newest",
    "opdef",
    "operands",
    "output_bytes",
    "schema",
    "shape_rule",
    "slot",
    "work",
]
