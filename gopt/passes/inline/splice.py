"""Putting copied ops in the place of the op whose body they were."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir import Graph, Names, Op, Role, Value
from ...rewrite import Context, Origin
from ...rewrite.context import operands_of, release


class NodeNames:
    """Names of nodes, unique in each graph as ONNX Runtime wants them; one for a run of a pass."""

    def __init__(self) -> None:
        self._used: dict[Graph, Names] = {}

    def settle(self, graph: Graph, staged: Sequence[Op]) -> None:
        """Number the names of `staged` that ops of `graph` have already."""
        used = self._used.get(graph)
        if used is None:
            used = self._used[graph] = Names()
            used.used.update(op.name for op in graph.ops)
        for op in staged:
            if op.name:
                op.name = used.fresh(op.name)


def splice(
    ctx: Context, rule: str, op: Op, staged: Sequence[Op], results: Sequence[Value | None], node_names: NodeNames
) -> bool:
    """Put `staged` in the place of `op`, whose results become `results`; the old names stay.

    Unlike `Context.replace` it does not count constants as growth: they stood in the model already.

    Args:
        ctx: the run.
        rule: name for the ledger.
        op: the op to replace, in a graph.
        staged: detached ops in dataflow order, meant for the same graph.
        results: for each result of `op` a result of `staged`, a constant (also detached) or a value of the same graph;
            None where the result is omitted.
        node_names: those of the run.

    Returns:
        False, with nothing changed, if the run does not permit it.
    """
    graph = op.graph
    assert graph is not None
    names = [v.name for v in op.outputs if v is not None] or [op.label]

    def change() -> tuple[Sequence[Op | Origin], Sequence[Op]]:
        origin = Origin(op.label, op.entry)
        came = list(staged)
        fresh = {v: None for v in results if v is not None and v.graph is None}
        node_names.settle(graph, staged)
        for made in staged:
            made.order = op.order
            graph.add(made)
        for old, new in zip(op.outputs, results):
            if old is not None and new is not None:
                came += _move(graph, op, old, new, fresh)
        operands = operands_of(op)
        graph.remove(op)
        release(graph, operands)
        return [origin], came

    return ctx.edit(rule, names, change)


def _move(graph: Graph, op: Op, old: Value, new: Value, fresh: dict[Value, None]) -> list[Op]:
    """Make all uses of `old` uses of `new`; returns the Identity that an output may need for a name of its own."""
    came: list[Op] = []
    own = new in fresh
    fresh.pop(new, None)  # A value that is two results of the op can carry one name only.
    if new.graph is None:
        graph.attach(new)
    elif old.is_output and not own:
        copy = Op("Identity", [new])
        copy.order = op.order
        came.append(graph.add(copy))
        new, own = copy.result, True
    if not old.is_output and new.role is not Role.RESULT:
        own = False  # A constant keeps its own name where nobody outside asks for another.
    graph.replace_uses(old, new, keep=came)
    if own:
        graph.swap_names(old, new)
    if old.is_output or own:
        new.declared = old.declared
    if new.type is None:
        new.type = old.type
    return came
