"""Regions of ops that can compute in another order of axes, and the part of one that leaves the fewest Transposes.

From one value that is to be held in another order, the orders of all values around it follow, through operators that
can compute so, until one cannot. Each op of such a region may then compute as before or in the new order. Where a value
passes from the ones to the others it needs a Transpose, once for all that take it; where a Transpose itself is in the
new order it is nothing. So every choice has a price, and the cheapest choice is a minimum cut between "as before" and
"in the new order" (the project selection problem: Picard, "Maximal closure of a graph", 1976).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import prod

from ...ir import Graph, Op, Value
from ...rewrite import Numerics
from ._orders import Perm, Way, moves_nothing, way_of
from ._orders.cut import FAR, Network
from ._orders.perms import shape_of

STAGES = (8, 32, 128, 512, 2048)
"""Ops up to which a region grows before its price is asked for; what lies beyond the last stays as it is."""


class Region:
    """The ops around a value that could compute in the order that it is to be held in.

    It grows by stages. While it may grow on, `best` counts what lies beyond as free, so that no gain is a proof.

    Attributes:
        graph: the graph that they lie in.
        orders: the orders of values; a value that is not there is held as it is.
        ways: how the ops compute then, in the order in which they were met.
    """

    def __init__(self, graph: Graph, value: Value, perm: Perm, exact: bool, banned: Iterable[Op] = ()) -> None:
        self.graph = graph
        self.exact = exact
        self.banned = frozenset(banned)
        self.orders: dict[Value, Perm] = {value: perm}
        self.ways: dict[Op, Way] = {}
        self._plain: dict[Value, None] = {}
        self._open: dict[Value, None] = {value: None}

    @property
    def is_whole(self) -> bool:
        """True if there is nothing more that could follow from the first order."""
        return not self._open

    def grow(self, most: int) -> None:
        """Find the orders of values that follow from those that are known, through so many ops."""
        todo = deque(self._open)
        while todo and len(self.ways) < most:
            reached = todo.popleft()
            for op in self._around(reached):
                if op in self.ways or op in self.banned:
                    continue
                way = way_of(op, reached, self.orders[reached])
                if way is None or (self.exact and way.numerics is not Numerics.EXACT):
                    continue
                todo.extend(self._admit(op, way))
        self._open = dict.fromkeys(todo)

    def close(self) -> None:
        """Let nothing more follow."""
        self._open.clear()

    def _admit(self, op: Op, way: Way) -> list[Value]:
        """Take an op in unless it wants a value in another order than an op before it; returns what it reaches."""
        new = {v: p for v, p in way.orders.items() if not moves_nothing(p, shape_of(v))}
        plain = [v for v in (*op.inputs, *op.outputs) if v is not None and v not in new]
        if any(self.orders.get(v, p) != p or v in self._plain for v, p in new.items()):
            return []
        if any(v in self.orders for v in plain):
            return []
        self.ways[op] = way
        reached = [v for v in new if v not in self.orders]
        self.orders.update(new)
        self._plain.update(dict.fromkeys(plain))
        return reached

    def _around(self, value: Value) -> list[Op]:
        """The ops that make and take a value, but for those that nobody needs: these stay, so that nothing is saved."""
        made = value.producer
        users = [op for op in self.graph.users(value) if is_needed(op)]
        return users if made is None else [made, *users]

    def is_held(self, op: Op | None, value: Value) -> bool:
        """True if an op of the region takes or gives the value in the order that it is to be held in."""
        return op in self.ways and value in self.orders

    def best(self) -> tuple[int, list[Op]]:
        """How many ops fewer the cheapest choice leaves, and the ops that it lets compute in the new order."""
        network = Network()
        nodes = {op: network.node() for op in self.ways}
        before = 0
        for op, way in self.ways.items():
            more = way.more * PRICE - (_volume(op.result) if op.op_type == "Transpose" else 0)
            before -= min(more, 0)
            network.edge(0, nodes[op], -more)
            network.edge(nodes[op], 1, more)
        for value in self.orders:
            if value not in self._open:
                self._price(network, nodes, value)
        cost, sides = network.cut()
        return before - cost, [op for op, node in nodes.items() if sides[node]]

    def ops_around(self) -> dict[Op, None]:
        """The ops that make or take the values that are to be held in another order."""
        return {op: None for value in self.orders for op in self._around(value)}

    def _price(self, network: Network, nodes: dict[Op, int], value: Value) -> None:
        """A Transpose where the value is made in one order, and taken in the other."""
        made = value.producer
        source = nodes[made] if made is not None and self.is_held(made, value) else 1
        takers: dict[int, None] = {}
        if value.is_output:
            takers[1] = None
        for op in self.graph.users(value):
            takers[nodes[op] if self.is_held(op, value) else 1] = None
        inward = network.node()
        price = PRICE + _volume(value)
        network.edge(inward, source, price)
        for taker in takers:
            if taker != 1:
                network.edge(taker, inward, FAR)
        if source == 1:
            return
        if 1 in takers:
            network.edge(source, 1, price)
            return
        outward = network.node()
        network.edge(source, outward, price)
        for taker in takers:
            network.edge(outward, taker, FAR)


def is_needed(op: Op) -> bool:
    """True if an op or an export takes a result."""
    return any(v is not None and v.is_needed for v in op.outputs)


PRICE = 1 << 40
"""Of an op, in elements that a Transpose moves: with as many ops, the choice that moves fewer elements is cheaper."""


def _volume(value: Value) -> int:
    """Elements of a value; of dims that are not known, 1."""
    return min(prod(d for d in shape_of(value) or () if isinstance(d, int)), PRICE >> 12)


class Sight:
    """What a region was found in: as long as that is as it was, another look finds the same."""

    def __init__(self, region: Region) -> None:
        self._users = [(value, len(region.graph.users(value))) for value in region.orders]
        self._ops = [(op, op.inputs) for op in region.ops_around()]
        values = {value: None for op, inputs in self._ops for value in (*inputs, *op.outputs) if value is not None}
        self._types = [(value, value.type) for value in values]

    def is_unchanged(self, graph: Graph) -> bool:
        """True if the ops, their operands, the types of these, and who uses them are the same."""
        return (
            all(op.graph is graph and op.inputs is inputs for op, inputs in self._ops)
            and all(value.type is type_ for value, type_ in self._types)
            and all(len(graph.users(value)) == count for value, count in self._users)
        )
