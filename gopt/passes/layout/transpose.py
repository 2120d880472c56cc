"""Transposes that cancel, merge, or are not needed because what stands between them can compute in another order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from ...ir import Graph, Model, Op, Value
from ...ops import NotAvailable
from ...rewrite import Context, Numerics, P, RejectError, Rewriter, rule
from ..base import Pass, register
from ..example import example
from ._orders import Perm, inverse, moves_nothing, perm_of
from ._orders.perms import but_for_ones, is_identity, shape_of
from ._region import STAGES, Region, Sight, is_needed

_TRIES = 8
"""How often a region is taken again without an op for which the model's opset has no such form."""

_Start = tuple[Op, int]
"""A Transpose, and a direction in which to look from it."""

_DOWN, _UP, _ASIDE = range(3)
"""To its users, to where its operand comes from, and to both for what moves dims of 1 alone."""


class _Vain:
    """A look that found nothing to gain, and the other starts from which one would have seen the same."""

    def __init__(self, region: Region) -> None:
        self.sight = Sight(region)
        self.starts = tuple(_same_view(region))


_VAIN: WeakKeyDictionary[Context, dict[_Start, _Vain]] = WeakKeyDictionary()
"""By run, because a pipeline comes here again and again while little changes."""


@register
@dataclass(frozen=True)
class Cancel(Pass):
    """Transpose(Relu(Transpose(x, p)), p^-1) -> Relu(x), and whatever else leaves fewer Transposes

    Looks from each Transpose for the ops around it that could compute with axes in another order: elementwise ones,
    with their constants transposed; Concat, Split, Slice, Gather, Pad, Softmax, reductions and the like along other
    axes; Reshape, Squeeze and Unsqueeze that keep together what belongs together; normalizations; products of matrices
    with their factors exchanged. Of these it lets those compute so that leave the fewest ops in all (a minimum cut),
    if these are fewer than before. Exact, but for sums taken in another order in reductions and products, and
    BatchNormalization as a factor and a shift; `--exact` leaves these alone.
    """

    numerics = Numerics.ROUNDING
    needs = ("Transpose",)

    def run(self, model: Model, ctx: Context) -> None:
        """Look from each Transpose of each graph, and again from those that came or have other surroundings."""
        for graph in tuple(model.graphs()):
            _Search(graph, ctx, self.name).run()


@rule(
    P.Gather(P.Shape(P.Transpose("x").as_("transpose").shared()).as_("shape").shared(), P.const("index")).as_("op"),
    example=example(
        "(float[N,3,M] x) => (int64[2] y) <int64[2] at = {0, 1}> "
        "{ a = Transpose<perm = [2, 0, 1]>(x) s = Shape(a) y = Gather(s, at) }"
    ),
)
def size(rw: Rewriter, op: Op, shape: Op, transpose: Op, x: Value, index: Value) -> Value:
    """Gather(Shape(Transpose(x, p)), i) -> Gather(Shape(x), p[i])

    Applies if whatever uses the shape takes dims at constant places, so that no Shape stays. Exact.
    """
    perm, first, last = perm_of(transpose), rw.attr(shape, "start"), rw.attr(shape, "end")
    if perm is None or first or last is not None or shape.result.is_output:
        raise RejectError("it is not the whole shape, or of an unknown rank")
    if any(
        u.op.op_type != "Gather" or u.op.inputs[1] is None or u.op.inputs[1].const is None for u in shape.result.uses
    ):
        raise RejectError("the shape is used as a whole")
    places = rw.array(index)
    if np.any(places < -len(perm)) or np.any(places >= len(perm)):
        raise RejectError("a place lies outside")
    moved = np.asarray(perm, places.dtype)[places]
    found: Value = rw.Gather(rw.Shape(x), rw.const(moved, name="index"), axis=0, name=op.name)
    return found


class _Search:
    """The Transposes of a graph from which to look, and what was seen already."""

    def __init__(self, graph: Graph, ctx: Context, rule: str) -> None:
        self.graph = graph
        self.ctx = ctx
        self.rule = rule
        self.todo = deque(dict.fromkeys(op for op in graph.ops if op.op_type == "Transpose" and not op.domain))
        self.seen: set[_Start] = set()
        self.vain = _VAIN.setdefault(ctx, {})

    def run(self) -> None:
        """Follow each Transpose, to its users and to where its operand comes from."""
        while self.todo:
            op = self.todo.popleft()
            for way in (_DOWN, _UP, _ASIDE):
                if op.graph is not self.graph or (op, way) in self.seen or not is_needed(op):
                    continue
                self.seen.add((op, way))
                vain = self.vain.get((op, way))
                if vain is not None and vain.sight.is_unchanged(self.graph):
                    self.seen.update(vain.starts)
                else:
                    self._from(op, way)

    def _from(self, op: Op, way: int) -> None:
        perm, x = perm_of(op), op.inputs[0]
        shape = shape_of(x)
        if perm is None or x is None or shape is None or (way == _UP and x.const is not None):
            return
        if moves_nothing(perm, shape):
            self.ctx.replace(self.rule, {op.result: x})
            return
        start, order = (x, perm) if way == _UP else (op.result, inverse(perm))
        if way == _ASIDE:
            order = but_for_ones(perm, shape)
            if 1 not in shape or order == inverse(perm) or is_identity(order):
                return
        banned: list[Op] = []
        for _ in range(_TRIES):
            region = Region(self.graph, start, order, self.ctx.exact, banned)
            chosen = _cheapest(region)
            flip = _Flip(region, chosen) if chosen else None
            if flip is not None and not flip.build():
                banned.append(flip.failed)
                continue
            around = _transposes(region)
            if flip is not None and self._replace(flip):
                self._again((*around, *flip.rw.staged))
            else:
                self.vain[op, way] = vain = _Vain(region)
                self.seen.update(vain.starts)
            return

    def _replace(self, flip: _Flip) -> bool:
        numerics = max(flip.region.ways[op].numerics for op in flip.ops)
        return self.ctx.replace(self.rule, flip.mapping, flip.rw.staged, numerics=numerics)

    def _again(self, ops: Iterable[Op]) -> None:
        for op in ops:
            if op.graph is self.graph and op.op_type == "Transpose":
                self.seen.difference_update((op, way) for way in (_DOWN, _UP, _ASIDE))
                self.todo.append(op)


def _same_view(region: Region) -> Iterator[_Start]:
    """The starts from which one sees a region, if it is all that there is to see."""
    for op in _transposes(region) if region.is_whole else ():
        x, y = op.inputs[0], op.result
        if x is not None and (x in region.orders) != (y in region.orders):
            yield op, _UP if x in region.orders else _DOWN


def _cheapest(region: Region) -> list[Op]:
    """The ops of a region that should compute in the new order; none if that saves nothing."""
    for most in STAGES:
        region.grow(most)
        if most == STAGES[-1]:
            region.close()
        gain, chosen = region.best()
        if gain <= 0:
            return []
        if region.is_whole:
            return chosen
    return []


def _transposes(region: Region) -> list[Op]:
    """The Transposes in a region and at its border."""
    found: dict[Op, None] = {op: None for op in region.ways if op.op_type == "Transpose"}
    for value in region.orders:
        made = value.producer
        near = [*region.graph.users(value), *(() if made is None else (made,))]
        found.update((op, None) for op in near if op.op_type == "Transpose")
    return list(found)


class _Flip:
    """The replacement that lets chosen ops of a region compute in the new order.

    Attributes:
        rw: holds the new ops.
        mapping: what stands for the results that other ops take.
        failed: the op that could not be built.
    """

    def __init__(self, region: Region, ops: list[Op]) -> None:
        self.region = region
        self.ops = _in_order(ops)
        self.rw = Rewriter(region.graph, self.ops[0])
        self.mapping: dict[Value, Value] = {}
        self.failed = self.ops[0]
        self._held: dict[Value, Value] = {}

    def build(self) -> bool:
        """Stage everything; False if an op has no such form."""
        chosen = dict.fromkeys(self.ops)
        for op in self.ops:
            self.failed = op
            way = self.region.ways[op]
            try:
                results = way.build(self.rw, self._get)
            except (NotAvailable, RejectError):
                return False
            for old, new in zip(op.outputs, results):
                if old is not None and new is not None:
                    self._held[old] = new
        for op in self.ops:
            for value in op.outputs:
                if value is not None and value in self._held and self._is_taken(op, value, chosen):
                    self._give(op, value)
        return bool(self.mapping)

    def _get(self, value: Value) -> Value:
        """What holds an operand: the result of a chosen op, or a Transpose of what is made as before."""
        held = self._held.get(value)
        if held is None:
            perm = self.region.orders.get(value)
            held = value if perm is None else self._transposed(value, perm)
            self._held[value] = held
        return held

    def _is_taken(self, op: Op, value: Value, chosen: dict[Op, None]) -> bool:
        """True if something takes a result as it was."""
        if value.is_output or value not in self.region.orders:
            return value.is_needed
        return any(u not in chosen or not self.region.is_held(u, value) for u in self.region.graph.users(value))

    def _give(self, op: Op, value: Value) -> None:
        perm = self.region.orders.get(value)
        held = self._held[value]
        if perm is None:
            self.mapping[value] = held
        elif op.op_type != "Transpose" or held is not op.inputs[0]:  # else the Transpose that is there gives it
            self.mapping[value] = self._transposed(held, inverse(perm))

    def _transposed(self, value: Value, perm: Perm) -> Value:
        if moves_nothing(perm, shape_of(value)):
            return value
        result: Value = self.rw.Transpose(value, perm=list(perm))
        return result


def _in_order(ops: list[Op]) -> list[Op]:
    """Ops after those whose results they take."""
    wanted = dict.fromkeys(ops)
    done: dict[Op, None] = {}
    for root in ops:
        stack = [(root, False)]
        while stack:
            op, ready = stack.pop()
            if ready:
                done[op] = None
            elif op not in done:
                stack.append((op, True))
                for value in op.inputs:
                    made = None if value is None else value.producer
                    if made is not None and made in wanted and made not in done:
                        stack.append((made, False))
    return list(done)
