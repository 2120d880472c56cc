"""Bugs of graphs: what is taken for equal, dead, or the same; branches; outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gopt import Context, Model, Numerics, P, Pass, Rewriter, register, rule

from ._edits import set_operand


@register
@dataclass(frozen=True)
class ConstantsByHead(Pass):
    """Constants of one shape that begin alike -> one constant"""

    def run(self, model: Model, ctx: Context) -> None:
        first: dict[Any, Any] = {}
        for op in model.graph.ops:
            for slot, value in enumerate(op.inputs):
                if value is None or value.tensor is None or not value.tensor.size:
                    continue
                tensor = value.tensor
                same = first.setdefault((tensor.dtype, tensor.shape, tensor.numpy().ravel()[0].item()), value)
                if same is not value and op.input(slot) is value:
                    set_operand(ctx, self.name, op, slot, lambda same=same: same)


@register
@dataclass(frozen=True)
class SameOperands(Pass):
    """Two ops of one type and the same operands -> one, whatever their attributes"""

    def run(self, model: Model, ctx: Context) -> None:
        first: dict[Any, Any] = {}
        for op in model.graph.ops:
            same = first.setdefault((op.op_type, op.inputs), op)
            if op.inputs and same is not op and len(op.outputs) == len(same.outputs) == 1:
                ctx.replace(self.name, {op.result: same.result})


@register
@dataclass(frozen=True)
class OutputsExchanged(Pass):
    """The first two outputs of one type -> the other way round"""

    def run(self, model: Model, ctx: Context) -> None:
        graph = model.graph
        if len(graph.outputs) < 2 or graph.outputs[0].type != graph.outputs[1].type:
            return

        def change() -> Any:
            a, b = graph.outputs[:2]
            graph.swap_names(a, b)
            graph.set_output(0, b)
            graph.set_output(1, a)
            return [], [op for op in (a.producer, b.producer) if op is not None]

        ctx.edit(self.name, [value.name for value in graph.outputs[:2]], change)


@register
@dataclass(frozen=True)
class BranchesSwapped(Pass):
    """If(c) -> If(Not(c))"""

    def run(self, model: Model, ctx: Context) -> None:
        graph = model.graph
        for op in graph.ops:
            if op.op_type == "If":
                set_operand(ctx, self.name, op, 0, lambda op=op: _inverted(graph, op))


def _inverted(graph: Any, op: Any) -> Any:
    rw = Rewriter(graph, op)
    inverted = rw.Not(op.inputs[0])
    graph.add(rw.staged[0])
    return inverted


@rule(P.Greater(P.ReduceMax("x", keepdims=0), P.const("c")))
def condition_assumed(rw: Rewriter, x: Any, c: Any) -> Any:
    """ReduceMax(x) > c -> false, as it was each time that somebody looked"""
    return rw.const(np.zeros((), np.bool_))


@register
@dataclass(frozen=True)
class OnceLess(Pass):
    """Loop(n) -> Loop(n - 1)"""

    def run(self, model: Model, ctx: Context) -> None:
        for op in model.graph.ops:
            trips = op.inputs[0].const if op.op_type == "Loop" and op.inputs[0] is not None else None
            if trips is not None:
                fewer = trips.numpy() - 1
                set_operand(ctx, self.name, op, 0, lambda fewer=fewer: fewer)


@register
@dataclass(frozen=True)
class DeadInBodies(Pass):
    """An op that bodies alone use -> its operand: it is taken for dead"""

    def run(self, model: Model, ctx: Context) -> None:
        for op in model.graph.ops:
            uses = op.result.uses if len(op.outputs) == 1 and not op.result.is_output else ()
            if uses and all(not isinstance(slot, int) for _, slot in uses) and op.inputs and op.inputs[0] is not None:
                ctx.replace(self.name, {op.result: op.inputs[0]}, numerics=Numerics.ROUNDING)
