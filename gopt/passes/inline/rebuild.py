"""Ops with bodies, made again with fewer operands or results around the same bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...ir import Attr, Graph, Op, Value, dead_ops
from ...rewrite.context import operands_of, release


def rebuild(
    op: Op, operands: Sequence[Value | None], kept: Sequence[int], attrs: Mapping[str, Attr] | None = None
) -> Op:
    """Put in the place of `op` one that has the same bodies, but other operands, and of the results those in `kept`.

    The bodies move over as they are; their inputs and outputs must have been made to fit before. To be called inside of
    `Context.edit`.

    Args:
        op: an op in a graph. The results that are not kept are unused.
        operands: values of the same graph.
        kept: slots of the results that stay, in their order.
        attrs: attributes instead of the op's own; the graphs among them are the op's.
    """
    graph = op.graph
    assert graph is not None
    before = operands_of(op)
    captures = dict(op.captures)
    made = Op(op.op_type, operands, len(kept), op.attrs if attrs is None else attrs, op.domain, op.name, op.overload)
    made.captures.update(captures)
    made.order = op.order
    graph.add(made)
    for new, slot in zip(made.outputs, kept):
        old = op.outputs[slot]
        if old is None or new is None:
            continue
        new.type, new.declared = old.type, old.declared
        graph.replace_uses(old, new)
        graph.swap_names(old, new)
    graph.remove(op)
    release(graph, before)
    return made


def trim(body: Graph) -> None:
    """Remove the ops of a body that none of its outputs needs any more; captures that only they used go too."""
    for op in dead_ops(body, tuple(reversed(body.ops))):
        operands = operands_of(op)
        body.remove(op)
        release(body, operands)
