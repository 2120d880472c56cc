"""Minimum cuts of small graphs with small capacities."""

from __future__ import annotations

from collections import deque

FAR = 1 << 60
"""A capacity that no cut takes."""


class Network:
    """A flow network: node 0 is the source, node 1 the sink. Parting u from v costs the capacity of the edge u -> v."""

    def __init__(self) -> None:
        self.size = 2
        self._heads: list[int] = []
        self._left: list[int] = []
        self._edges: list[list[int]] = [[], []]

    def node(self) -> int:
        """A new node."""
        self._edges.append([])
        self.size += 1
        return self.size - 1

    def edge(self, tail: int, head: int, capacity: int) -> None:
        """An edge, and its residual."""
        if capacity <= 0 or tail == head:
            return
        for source, target, room in ((tail, head, capacity), (head, tail, 0)):
            self._edges[source].append(len(self._heads))
            self._heads.append(target)
            self._left.append(room)

    def cut(self) -> tuple[int, list[bool]]:
        """The cost of a minimum cut, and which nodes are on the source's side of the one nearest to it.

        Augments along shortest paths (Edmonds and Karp): there are as many augmentations as the cut costs at most, and
        that is no more than there are Transposes.
        """
        flow = 0
        while True:
            came = self._search()
            if came[1] < 0:
                return flow, [c != -1 for c in came]
            room, node = FAR, 1
            while node:
                room = min(room, self._left[came[node]])
                node = self._heads[came[node] ^ 1]
            node = 1
            while node:
                self._left[came[node]] -= room
                self._left[came[node] ^ 1] += room
                node = self._heads[came[node] ^ 1]
            flow += room

    def _search(self) -> list[int]:
        """The edge by which each node is reached from the source; -1 where none does."""
        came = [-1] * self.size
        came[0] = -2
        todo = deque([0])
        while todo:
            node = todo.popleft()
            for edge in self._edges[node]:
                head = self._heads[edge]
                if self._left[edge] and came[head] == -1:
                    came[head] = edge
                    if head == 1:
                        return came
                    todo.append(head)
        return came
