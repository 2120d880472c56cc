"""An If whose condition is constant gives way to the branch that it takes (ONNX operator If)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from ...ir import AttrKind, Graph, Model, Op, Value
from ...ir.clone import Mapping, clone_ops, clone_value
from ...rewrite import Context
from ..base import Pass, register
from .splice import NodeNames, splice


@register(alias="inline-if")
@dataclass(frozen=True)
class Branches(Pass):
    """If(constant, a, b) -> a or b: the branch that is taken stands in the place of the If, the other goes."""

    def run(self, model: Model, ctx: Context) -> None:
        """Inline the decided branches of the main graph, of bodies and of functions; those inside of them too."""
        todo = deque(op for graph in [model.graph, *(f.graph for f in model.functions.values())] for op in graph.owners)
        names = NodeNames()
        while todo:
            op = todo.popleft()
            branch = _taken(op)
            came = None if branch is None else _inline(ctx, self.name, op, branch, names)
            # Bodies of what went are not looked at: only what is alive can be rewritten.
            todo.extend(_inside(op) if came is None else (made for made in came if made.bodies))


def _taken(op: Op) -> Graph | None:
    """The branch that an If surely takes; None if that is not known."""
    condition = op.input(0)
    tensor = None if condition is None else condition.const
    if op.op_type != "If" or op.domain or tensor is None or tensor.size != 1:
        return None
    attr = op.attrs.get("then_branch" if tensor.item() else "else_branch")
    if attr is None or attr.kind is not AttrKind.GRAPH or attr.ref:
        return None
    branch: Graph = attr.value
    return branch if len(branch.outputs) >= len(op.outputs) and not branch.inputs else None


def _inline(ctx: Context, rule: str, op: Op, branch: Graph, names: NodeNames) -> list[Op] | None:
    graph = op.graph
    assert graph is not None
    mapping: Mapping = {inner: outer for inner, outer in op.captures.items() if inner.graph is branch}
    staged = clone_ops(branch, graph, mapping)
    results: list[Value] = []
    for value in branch.outputs[: len(op.outputs)]:
        result = clone_value(value, graph, mapping)
        assert result is not None
        results.append(result)
    return staged if splice(ctx, rule, op, staged, results, names) else None


def _inside(op: Op) -> Iterator[Op]:
    """The ops with bodies directly in the bodies of an op."""
    for body in op.bodies:
        yield from body.owners
