"""Operators that take any number of operands instead of chains of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir import DType, Model, Op, Role, Value
from ...ops import is_current
from ...rewrite import Context, Numerics, P, Pattern, RejectError, Rewriter, rule
from ..base import Pass, option, register
from ..example import example
from ._affine import dtype_of

_BROADCASTS = 8  # before, Max, Min and Sum take operands of one shape only


def _nested(op_type: str) -> Pattern:
    return P.op(op_type)(P.op(op_type)(P.each("inner")), P.any("other")) | P.op(op_type)(
        P.any("other"), P.op(op_type)(P.each("inner"))
    )


@rule(
    _nested("Max") | _nested("Min"),
    numerics=Numerics.FINITE,
    since=_BROADCASTS,
    example=example(
        "(float[3] x, float[3] z, float[3] c) => (float[3] y) { a = Max(x, z) y = Max(c, a) }",
    ),
)
def extreme(rw: Rewriter, inner: Sequence[Value | None], other: Value) -> Value:
    """Max(Max(x, ...), z) -> Max(x, ..., z); likewise Min

    Applies if no operand is constant: two constants make one, and a Max and a Min with constants make a Clip. Not said
    of operands that are no numbers, which runtimes order in different ways.
    """
    assert rw.root is not None
    if other.const is not None or any(v is None or v.const is not None for v in inner):
        raise RejectError("an operand is constant")
    result: Value = rw.op(rw.root.op_type, *inner, other)
    return result


@register
@dataclass(frozen=True)
class Sums(Pass):
    """(x + y) + z -> Sum(x, y, z)

    Applies to numbers of 32 bits or more, which Sum adds from the left as the chain does. Runtimes may have fused the
    last addition with what follows, or the first with the product before it, so this runs only when named.
    """

    numerics = Numerics.EXACT
    in_family = False
    fewest: int = option(3, help="leave sums of fewer operands")

    def run(self, model: Model, ctx: Context) -> None:
        """Make one Sum of each chain of Add that leans to the left."""
        for graph in model.graphs():
            for op in reversed(graph.ops):
                if op.graph is not graph or not _adds(op) or op.opset < _BROADCASTS:
                    continue
                terms = _terms(op)
                if len(terms) >= max(self.fewest, 3):
                    rw = Rewriter(graph, op)
                    ctx.replace(self.name, {op.result: rw.Sum(*terms)}, rw.staged, numerics=self.numerics)


def _adds(op: Op) -> bool:
    return (
        op.op_type == "Add" and not op.domain and is_current(op) and dtype_of(op.result) in (DType.FLOAT, DType.DOUBLE)
    )


def _terms(op: Op) -> list[Value]:
    """What a chain adds, in the order in which it does; of two chains that meet the second one stays."""
    found: list[Value] = []
    while True:
        left, right = op.inputs
        assert left is not None
        assert right is not None
        below = next((v for v in (left, right) if _is_chain(v)), None)
        if below is None or below.producer is None:
            return [left, right, *found]
        found.insert(0, right if below is left else left)
        op = below.producer


def _is_chain(value: Value) -> bool:
    above = value.producer if value.role is Role.RESULT else None
    return above is not None and _adds(above) and value.has_one_use and not value.is_output
