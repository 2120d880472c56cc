"""Well-formed Ifs and their results (ONNX operator If)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...ir import AttrKind, Graph, Model, Op, Value
from ...rewrite.context import operands_of, release
from ..inline.rebuild import rebuild, trim


def ifs(model: Model) -> Iterator[Op]:
    """The Ifs of a model, inner ones first."""
    for graph in reversed(tuple(model.graphs())):
        for op in graph.owners:
            if op.graph is graph and branches_of(op) is not None:
                yield op


def branches_of(op: Op) -> tuple[Graph, Graph] | None:
    """The two branches of a well-formed If; None for other ops."""
    if op.op_type != "If" or op.domain or len(op.bodies) != 2:
        return None
    attrs = [op.attrs.get(name) for name in ("then_branch", "else_branch")]
    bodies = [a.value for a in attrs if a is not None and a.kind is AttrKind.GRAPH and not a.ref]
    if len(bodies) != 2 or any(len(b.outputs) != len(op.outputs) or b.inputs for b in bodies) or None in op.outputs:
        return None
    return bodies[0], bodies[1]


def stand_in(graph: Graph, old: Value | None, new: Value) -> None:
    """Put `new` in the place of a result of an If."""
    assert old is not None
    exported = old.is_output
    graph.replace_uses(old, new)
    graph.swap_names(old, new)
    if exported:
        new.declared = old.declared


def without(op: Op, slots: Sequence[int]) -> Op | None:
    """The If without some results; None if none is left and it went."""
    graph = op.graph
    assert graph is not None
    kept = [k for k in range(len(op.outputs)) if k not in slots]
    for body in op.bodies:
        for slot in sorted(slots, reverse=True):
            body.remove_output(slot)
        trim(body)
    if kept:
        return rebuild(op, op.inputs, kept)
    operands = operands_of(op)
    graph.remove(op)
    release(graph, operands)
    return None
