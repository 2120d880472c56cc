"""An If whose branches compute nothing is a Where (ONNX operators If, Where)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from ...ir import DType, Model, Op, Role, TensorType, Value
from ...ops import NotAvailable, make
from ...rewrite import Context, Numerics, Origin
from ..base import Pass, register
from ._branches import branches_of, ifs, stand_in, without

_Change = tuple[Sequence[Origin], Sequence[Op]]
_CHOSEN = (DType.FLOAT, DType.DOUBLE, DType.INT32, DType.INT64)
"""Element types that ONNX Runtime's Where takes."""


@register
@dataclass(frozen=True)
class Choices(Pass):
    """If(c, x, y) -> Where(c, x, y), where x and y come from outside or are constant

    Applies to results that both branches hand on from outside with Identity, or that are constants, if both have the
    same shape, of a type that ONNX Runtime chooses from, and if fewer ops are left. Equal but for the sign of zero.
    """

    numerics = Numerics.FINITE
    needs = ("If",)

    def run(self, model: Model, ctx: Context) -> None:
        """Inner Ifs first."""
        for op in ifs(model):
            found = list(_choices(op))
            if len(found) < len(op.outputs) or sum(c.saves for c in found) < len(found):
                found = [c for c in found if c.saves > 1]
            if found:
                names = [v.name for c in found if (v := op.outputs[c.slot]) is not None]
                ctx.edit(self.name, names, partial(_choose, op, found), numerics=Numerics.FINITE)


@dataclass
class _Choice:
    """A result of an If, what it is in the one and in the other branch, and how many ops make it so there."""

    slot: int
    first: Value
    second: Value
    saves: int


def _choices(op: Op) -> Iterator[_Choice]:
    condition = op.input(0)
    asked = None if condition is None else condition.type
    branches = branches_of(op)
    if branches is None or not isinstance(asked, TensorType) or asked.shape is None or op.opset < 9:
        return
    for slot in range(len(op.outputs)):
        ends = [body.outputs[slot] for body in branches]
        sources = [_source(value) for value in ends]
        types = [value.type for value in ends]
        if any(s is None for s in sources) or not all(isinstance(t, TensorType) for t in types):
            continue
        first, second = types
        if not isinstance(first, TensorType) or first != second or first.dtype not in _CHOSEN or first.shape is None:
            continue
        if any(d != 1 for d in asked.shape) or len(asked.shape) > len(first.shape):
            continue
        a, b = sources
        if a is not None and b is not None:
            yield _Choice(slot, a, b, sum(value.role is Role.RESULT for value in ends))


def _source(value: Value) -> Value | None:
    """What a branch hands on: a value from outside, or a constant (detached)."""
    if value.role is Role.CONST:
        return Value("", Role.CONST, value.tensor, value.type)
    op = value.producer
    operand = None if op is None or op.op_type != "Identity" or op.domain else op.input(0)
    return operand.outer if operand is not None and operand.role is Role.CAPTURE else None


def _choose(op: Op, found: list[_Choice]) -> _Change | None:
    graph = op.graph
    assert graph is not None
    try:
        made = [make("Where", [op.inputs[0], c.first, c.second], opsets=graph.opsets) for c in found]
    except NotAvailable:
        return None
    origin = Origin(op.label, op.entry)
    for choice, where in zip(found, made):
        where.order = op.order
        graph.add(where)
        where.result.type = None if (old := op.outputs[choice.slot]) is None else old.type
        stand_in(graph, old, where.result)
    rest = without(op, [c.slot for c in found])
    return [origin], made if rest is None else [*made, rest]
