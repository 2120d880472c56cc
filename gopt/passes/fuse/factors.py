"""Scalar factors go into weights that are not beside them."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Graph, Model, Op, Value
from ...rewrite import Context, Numerics, RejectError
from ..base import Pass, register
from ._affine import FLOATS, affine_of, dtype_of, fits, shape_of
from ._factors import Plan


@register
@dataclass(frozen=True)
class Factors(Pass):
    """f(x) * c -> f'(x), the factor being taken by constant weights above or below; likewise / c, and Neg

    Applies to a scalar of floating-point numbers. Above, it passes through what moves elements, adds, multiplies or
    pools them, up to a Conv, Gemm, MatMul, normalization or constant; below, likewise, down to one. Where x is used
    elsewhere, all those uses must take the factor back. A scale of queries so goes into the weights that make them,
    also where these make keys and values too. Weights are computed in float64 and rounded once; sixteen-bit numbers
    between are not made larger.
    """

    numerics = Numerics.ROUNDING
    needs = ("Mul", "Div", "Neg")

    def run(self, model: Model, ctx: Context) -> None:
        """Take each such factor away if fewer ops come of it."""
        if ctx.exact:
            return
        for graph in model.graphs():
            while self._spare_all(ctx, graph):
                pass  # what one rewrite leaves may let another through that was refused before

    def _spare_all(self, ctx: Context, graph: Graph) -> bool:
        scaling = [op for op in graph.ops if op.op_type in ("Mul", "Div", "Neg") and not op.domain]
        spared = [op for op in reversed(scaling) if op.graph is graph and self._spare(ctx, graph, op)]
        return bool(spared)

    def _spare(self, ctx: Context, graph: Graph, op: Op) -> bool:
        """Leave out one op; false if it stays."""
        data = next((v for v in op.inputs if v is not None and v.const is None), None)
        if data is None or dtype_of(data) not in FLOATS:
            return False
        try:
            factor = _scalar(op, data)
        except RejectError:
            return False
        for way in (_above, _below):
            plan = Plan(graph, op)
            try:
                way(plan, op, data, factor)
                is_sound = plan.build()
            except RejectError:
                continue
            if is_sound and ctx.replace(self.name, plan.mapping, plan.rw.staged, numerics=self.numerics):
                return True
        return False


def _scalar(op: Op, data: Value) -> float:
    """The factor of an op of which it is all.

    Raises:
        RejectError: it is no scalar other than zero.
    """
    for value in op.inputs:
        if value is not None and value is not data and (value.const is None or value.const.size != 1):
            raise RejectError("there is no scalar")
    scale = affine_of(op, data).scale
    if scale is None or not scale.all() or not fits(scale.shape, shape_of(data)):
        raise RejectError("the factor is zero, or may enlarge the result")
    return float(scale.reshape(-1)[0])


def _above(plan: Plan, op: Op, data: Value, factor: float) -> None:
    plan.make(data, factor, op, alone=False)
    plan.mapping[op.result] = data


def _below(plan: Plan, op: Op, data: Value, factor: float) -> None:
    plan.mapping[op.result] = data
    plan.take(op.result, factor)
