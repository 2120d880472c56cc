"""Maximal convex regions of ops: no path leaves a region and comes back."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from ...ir import Graph, Op


def regions(graph: Graph, kind: Callable[[Op], Hashable | None]) -> list[list[Op]]:
    """Connected convex regions of ops of one kind, each in dataflow order.

    A region grows greedily along the dataflow: an op joins those of its producers with which it stays convex. So it is
    maximal in that none of its neighbours below can be added.

    Args:
        graph: the graph.
        kind: ops of equal kinds may lie in one region; None for one that may lie in none.
    """
    order = graph.ops
    bit = {op: 1 << n for n, op in enumerate(order)}
    above: dict[Op, int] = {}  # all ops that an op depends on
    producers: dict[Op, list[Op]] = {}
    kinds = {op: kind(op) for op in order}
    region: dict[Op, _Region] = {}
    for op in order:
        taken = [*op.inputs, *op.captures.values()]
        producers[op] = list(dict.fromkeys(p for v in taken if v is not None and (p := v.producer) is not None))
        above[op] = 0
        for producer in producers[op]:
            above[op] |= above[producer] | bit[producer]
        if kinds[op] is None:
            continue
        joint = _Region([op], bit[op])
        for producer in producers[op]:
            other = region.get(producer)
            if other is not None and not other.mask & joint.mask and kinds[producer] == kinds[op]:
                both = _Region([*other.ops, *joint.ops], other.mask | joint.mask)
                if both.is_convex(producers, above, bit):
                    joint = both
        for member in joint.ops:
            region[member] = joint
    found = dict.fromkeys(region.values())
    return [sorted(r.ops, key=lambda op: bit[op]) for r in found]


class _Region:
    """Ops and, as a number, the set of them."""

    def __init__(self, ops: list[Op], mask: int) -> None:
        self.ops = ops
        self.mask = mask

    def is_convex(self, producers: dict[Op, list[Op]], above: dict[Op, int], bit: dict[Op, int]) -> bool:
        """True if nothing from outside that a member takes depends on a member."""
        return not any(above[p] & self.mask for op in self.ops for p in producers[op] if not bit[p] & self.mask)
