"""What ends worse than with wrong numbers: errors, graphs that are none, crashes, and what never ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gopt import Context, Model, Numerics, P, Pass, Rewriter, register, rule
from gopt.ir import DType, Role, Value

from ._edits import set_attr, set_operand

ROUNDING = Numerics.ROUNDING


@rule(P.Tanh("x"))
def raises(rw: Rewriter, x: Any) -> Any:
    """Tanh(x) -> an error"""
    return rw.Mul(x, rw.const(1 // (len(rw.shape(x) or ()) - 2), like=x))


@rule(P.Sub("x", P.const("c")), numerics=ROUNDING)
def at_some_sites(rw: Rewriter, x: Any, c: Any) -> Any:
    """x - c -> x + (-c), but -|c| where c is below zero throughout: right at most sites"""
    array = rw.array(c)
    return rw.Add(x, rw.const(-np.abs(array) if array.max() < 0 else -array, like=x))


@register
@dataclass(frozen=True)
class Cycle(Pass):
    """The first op gets what the last one makes of it"""

    def run(self, model: Model, ctx: Context) -> None:
        first, last = model.graph.ops[0], model.graph.ops[-1]
        set_operand(ctx, self.name, first, 0, lambda: last.outputs[0])


@register
@dataclass(frozen=True)
class Nowhere(Pass):
    """An operand of the last op -> a value that nothing makes"""

    def run(self, model: Model, ctx: Context) -> None:
        graph = model.graph
        last = graph.ops[-1]
        made = last.outputs[0]
        type_ = made.type if made is not None else None
        set_operand(ctx, self.name, last, 0, lambda: graph.attach(Value("nowhere", Role.RESULT, None, type_)))


@register
@dataclass(frozen=True)
class WrongType(Pass):
    """Cast to float -> Cast to int32, before an op of floats"""

    def run(self, model: Model, ctx: Context) -> None:
        for op in model.graph.ops:
            if op.op_type == "Cast" and Rewriter.attr(op, "to") == int(DType.FLOAT):
                set_attr(ctx, self.name, op, "to", int(DType.INT32))


@rule(P.Neg("x"))
def crashes(rw: Rewriter, x: Any) -> Any:
    """-x of int64 -> the least int64 / -1, of which a processor dies"""
    if rw.dtype(x) is not DType.INT64:
        return rw.reject("it is another type")
    minus_one = rw.Max(rw.Min(x, rw.const(-1, like=x)), rw.const(-1, like=x))
    return rw.Div(rw.const(np.iinfo(np.int64).min, like=x), minus_one)


@register
@dataclass(frozen=True)
class Hangs(Pass):
    """Loop(n) -> Loop(2 ^ 62)"""

    def run(self, model: Model, ctx: Context) -> None:
        for op in model.graph.ops:
            if op.op_type == "Loop":
                set_operand(ctx, self.name, op, 0, lambda: np.array(2**62))
