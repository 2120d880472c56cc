"""Branches that compilers for NPUs do not read (ONNX operator If)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir import DType, Graph, Model, Op, TensorType, Value
from ...ir.clone import Mapping, clone_ops, clone_value
from ...ops import is_random
from ...rewrite import Context, Rewriter
from ..base import Pass, option, register
from ..fuse._branches import branches_of, ifs
from ..inline.splice import NodeNames, splice

_INDEXED = frozenset({"Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND", "Scatter", "OneHot"})
_DIVIDING = frozenset({"Div", "Mod"})


@register
@dataclass(frozen=True)
class Branches(Pass):
    """If(c, a, b) -> Where(c, a, b), both branches being computed

    Applies where each result has one type of known sizes in both branches, and no op in them can stop a run in which
    it would not have been reached: none with indices that are computed, no division of integers, no bodies, nothing
    random, nothing unknown. Exact, and up to twice the work.
    """

    most: int = option(200, help="ops that both branches may have in all")

    def run(self, model: Model, ctx: Context) -> None:
        """Look at each If of all graphs, inner ones first."""
        names = NodeNames()
        for op in list(ifs(model)):
            both = branches_of(op)
            if both is None or op.graph is None or not self._is_harmless(op, both):
                continue
            mapping: Mapping = dict(op.captures)
            graph = op.graph
            parts = [(clone_ops(body, graph, mapping), _results(body, graph, mapping)) for body in both]
            rw = Rewriter(graph, op)
            results = [rw.Where(op.inputs[0], a, b) for a, b in zip(parts[0][1], parts[1][1])]
            splice(ctx, self.name, op, [*parts[0][0], *parts[1][0], *rw.staged], results, names)

    def _is_harmless(self, op: Op, both: tuple[Graph, Graph]) -> bool:
        condition = op.inputs[0]
        asked = None if condition is None else condition.type
        if not isinstance(asked, TensorType) or asked.shape is None or sum(len(body.ops) for body in both) > self.most:
            return False
        for a, b in zip(both[0].outputs, both[1].outputs):
            if not _same(a, b, len(asked.shape)):
                return False
        return all(_is_sure(inner) for body in both for inner in body.ops)


def _results(body: Graph, graph: Graph, mapping: Mapping) -> Sequence[Value | None]:
    return [clone_value(value, graph, mapping) for value in body.outputs]


def _same(a: Value | None, b: Value | None, rank: int) -> bool:
    """True if two results have one type, and a condition of that rank goes with it."""
    first, second = (_type(value) for value in (a, b))
    if first is None or second is None or first.dtype is not second.dtype:
        return False
    return first.shape == second.shape and len(first.shape or ()) >= rank


def _type(value: Value | None) -> TensorType | None:
    """A type whose sizes are all known."""
    if value is None:
        return None
    if value.const is not None:
        return TensorType(value.const.dtype, value.const.shape)
    found = value.type
    return found if isinstance(found, TensorType) and found.is_static else None


def _is_sure(op: Op) -> bool:
    """True if an op gives results on whatever values its operands have."""
    if op.domain or op.bodies or is_random(op) or any(_type(v) is None for v in op.outputs if v is not None):
        return False
    if op.op_type in _INDEXED:
        return all(v is None or v.const is not None for v in op.inputs[1:2])
    if op.op_type in _DIVIDING:
        made = _type(op.output(0))
        return made is not None and made.dtype in (DType.FLOAT, DType.FLOAT16, DType.DOUBLE)
    return True
