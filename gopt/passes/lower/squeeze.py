"""Which dims a Squeeze without axes takes away, where that does not depend on sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from ...analysis import infer_op
from ...ir import Graph, Model, Op, Symbol, TensorType, Value
from ...ir.clone import Mapping, clone_op
from ...ops import has_operand, operands
from ...rewrite import Context, Rewriter
from ..base import Pass, register

_OPEN = 4
"""Dims of open size at most: each may be 1 or not."""
_FAR = 64
"""Ops that are looked at after a Squeeze."""


@register
@dataclass(frozen=True)
class Squeeze(Pass):
    """Squeeze(x) -> Squeeze(x, axes), the axes being those of the dims of size 1

    Applies where all sizes of x are known. A dim of unknown size may be 1 in one run and not in the next, and the
    result has another rank then; but where ops that run in any case do not take the one or the other, no run has a
    result in which it is so. If one possibility is left, it is written down. Exact.
    """

    def run(self, model: Model, ctx: Context) -> None:
        """Look at each Squeeze of all graphs, in dataflow order: what one is says more of the next."""
        for graph in tuple(model.graphs()):
            for op in graph.ops:
                if op.op_type != "Squeeze" or op.domain or op.graph is not graph or has_operand(op, "axes"):
                    continue
                found = [axes for axes in possible(op) if not _stops(op, axes)]
                if len(found) != 1:
                    continue
                rw = Rewriter(graph, op)
                result = rw.Squeeze(op.inputs[0], list(found[0])) if found[0] else rw.Identity(op.inputs[0])
                ctx.replace(self.name, {op.result: result}, rw.staged)


def possible(op: Op) -> Iterator[tuple[int, ...]]:
    """The axes that a Squeeze without axes may take away, by the sizes of its operand; nothing if they are too many."""
    x = operands(op)[0]
    type_ = None if x is None else x.type
    if not isinstance(type_, TensorType) or type_.shape is None:
        return
    ones = [axis for axis, dim in enumerate(type_.shape) if dim == 1]
    open_ = [axis for axis, dim in enumerate(type_.shape) if isinstance(dim, Symbol) and dim.least < 2]
    if len(open_) > _OPEN:
        return
    for count in range(len(open_) + 1):
        for some in combinations(open_, count):
            yield tuple(sorted((*ones, *some)))


def _stops(op: Op, axes: tuple[int, ...]) -> bool:
    """True if a later op, which runs in any case, does not take the result that is left without these axes."""
    graph = op.graph
    assert graph is not None
    rw = Rewriter(graph, op)
    result = rw.Squeeze(op.inputs[0], list(axes)) if axes else rw.Identity(op.inputs[0])
    mapping: Mapping = {op.result: result}
    for user in _after(graph, op):
        mapping.update((v, v) for v in user.inputs if v is not None and v not in mapping)
        made = clone_op(user, graph, mapping)
        if made is None:
            return False
        infer_op(made)
        known = all(isinstance(v.type, TensorType) for v in made.inputs if v is not None)
        if known and any(
            a is not None and a.type is not None and b is not None and b.type is None
            for a, b in zip(user.outputs, made.outputs)
        ):
            return True
    return False


def _after(graph: Graph, op: Op) -> list[Op]:
    """The ops without bodies that take, directly or not, what an op gives, in dataflow order."""
    reached: set[Value] = {op.result}
    found: list[Op] = []
    ops = graph.ops
    for user in ops[ops.index(op) + 1 :]:
        if any(v in reached for v in user.inputs) and not user.bodies:
            reached.update(v for v in user.outputs if v is not None)
            found.append(user)
            if len(found) == _FAR:
                break
    return found
