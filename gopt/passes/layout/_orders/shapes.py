"""Reshape and Flatten compute in an order that keeps together the axes that they merge or part."""

from __future__ import annotations

from collections.abc import Sequence

from .... import ops
from ....ir import Dim, Op, Shape, Value
from ....ops.sizes import product
from ....rewrite import Rewriter
from .._shapes import infers, removed_ones, reshaped, target_of
from .perms import Perm, having, shape_of
from .way import Held, Orders, Way, carrier, turned

Block = tuple[tuple[int, ...], tuple[int, ...]]
"""Axes of the operand, and those of the result that they become."""


@carrier("Reshape", "Flatten")
def reshape(op: Op, value: Value, perm: Perm) -> Way | None:
    """Axes that become others together move as a block; dims of 1 stand where they like."""
    x = ops.operands(op)[0]
    before, after = shape_of(x), shape_of(op.result)
    if x is None or before is None or after is None or value not in (x, op.result) or x is op.result:
        return None
    if 0 in before or 0 in after:
        return None
    blocks = aligned(before, after)
    if value is x:
        found = _moved(perm, before, blocks, after, op.result)
    else:
        found = _moved(perm, after, [(b, a) for a, b in blocks], before, x)
    if found is None:
        return None
    own, other = (perm, found) if value is x else (found, perm)
    orders = Orders()
    orders.put(x, own)
    orders.put(op.result, other)
    wanted = tuple(after[a] for a in other)
    if not orders.ok or not _can_be_said(tuple(before[a] for a in own), wanted, op):
        return None

    def build(rw: Rewriter, held: Held) -> Sequence[Value | None]:
        return [reshaped(rw, turned(rw, held, x, own), wanted, infers(op))]

    return Way(orders.found, build)


def _can_be_said(before: Shape, after: Shape, op: Op) -> bool:
    """True if `reshaped` finds how to make the one shape of the other."""
    if before == after or removed_ones(before, after) or removed_ones(after, before):
        return True
    return target_of(before, after, infers(op)) is not None


def aligned(before: Sequence[Dim], after: Sequence[Dim]) -> list[Block]:
    """The smallest blocks of dims other than 1 with equal products; what cannot be told apart is the last block."""
    left = [a for a, d in enumerate(before) if d != 1]
    right = [a for a, d in enumerate(after) if d != 1]
    blocks: list[Block] = []
    while left or right:
        found = next(
            (
                (i, j)
                for total in range(2, len(left) + len(right) + 1)
                for i in range(max(1, total - len(right)), min(len(left), total - 1) + 1)
                for j in (total - i,)
                if product(before[a] for a in left[:i]) == product(after[a] for a in right[:j])
            ),
            (len(left), len(right)),
        )
        blocks.append((tuple(left[: found[0]]), tuple(right[: found[1]])))
        del left[: found[0]], right[: found[1]]
    return blocks


def _moved(
    perm: Perm, shape: Sequence[Dim], blocks: Sequence[Block], others: Sequence[Dim], other: Value
) -> Perm | None:
    """The order on the other side of a reshape; None if the order parts a block."""
    if len(perm) != len(shape):
        return None
    block_of = {axis: block for block in blocks for axis in block[0]}
    axes = [a for a in perm if shape[a] != 1]
    order: list[int] = []
    while axes:
        block = block_of[axes[0]]
        if tuple(axes[: len(block[0])]) != block[0]:
            return None
        del axes[: len(block[0])]
        order += block[1]
    # A block of nothing but dims of 1 on this side has axes on the other only if their product is 1 unsaid.
    if len(order) != sum(d != 1 for d in others):
        return None
    return having(order, [a for a, d in enumerate(others) if d == 1], other)
