"""Splits: made of Slices, undone by what made them, and unbound element by element."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...ir import Graph, Model, Op, Value
from ...rewrite import Context, P, RejectError, Rewriter, rule
from ..base import OpPass, Pass, register
from ..example import example
from ._shapes import RESHAPES, axis_of, is_squeeze, known_shape
from ._slices import Piece, make_slice, piece_of, split_sizes


@rule(
    P.Split(P.Concat(P.each("xs")).as_("concat").shared(), ...).as_("split"),
    example=example(
        "(float[N,2] a, float[N,3] b) => (float[N,2] y, float[N,3] z) <int64[2] sizes = {2, 3}> "
        "{ c = Concat<axis = 1>(a, b) p, q = Split<axis = 1>(c, sizes) y = Neg(p) z = Neg(q) }"
    ),
)
def of_concat(rw: Rewriter, split: Op, concat: Op, xs: tuple[Value, ...]) -> tuple[Value | None, ...]:
    """Split(Concat(a, b)) -> a, b

    Applies if each part is one of the operands, by known sizes. Exact.
    """
    axis = axis_of(concat, concat.inputs[0])
    sizes = [known_shape(x)[axis] for x in xs]
    if axis_of(split, concat.result) != axis or sizes != split_sizes(split):
        raise RejectError("the parts are not the operands")
    return xs


@register
@dataclass(frozen=True)
class OnePart(OpPass):
    """Split(x), of which one part is used -> Slice(x)

    Applies to parts of known sizes. Exact.
    """

    needs = ("Split",)

    def at(self, rw: Rewriter, split: Op) -> dict[Value, Value]:
        """The part that is used."""
        used = [k for k, v in enumerate(split.outputs) if v is not None and v.is_needed]
        x = split.inputs[0]
        if len(used) != 1 or x is None:
            raise RejectError("more than one part is used")
        axis, sizes = axis_of(split, x), split_sizes(split)
        part = split.outputs[used[0]]
        assert part is not None
        if len(sizes) == 1:
            return {part: x}
        start = sum(sizes[: used[0]])
        return {part: make_slice(rw, x, {axis: (start, start + sizes[used[0]], 1)}, split.name)}


@register
@dataclass(frozen=True)
class Unbind(OpPass):
    """Squeeze(Split(x)[i]) for all parts -> Gather(x, i)

    Applies to a Split into single elements, all of whose parts are used by nothing but Squeezes of that axis (or
    Reshape and Flatten that do the same). There is one op less. Exact.
    """

    needs = ("Split",)

    def at(self, rw: Rewriter, split: Op) -> dict[Value, Value]:
        """What the Squeezes give."""
        x = split.inputs[0]
        shape, axis = known_shape(x), axis_of(split, x)
        if any(size != 1 for size in split_sizes(split)):
            raise RejectError("a part has more than one element")
        wide = (*shape[:axis], 1, *shape[axis + 1 :])
        squeezed: dict[Value, int] = {}
        for place, part in enumerate(split.outputs):
            if part is None or part.is_output:
                raise RejectError("a part is an output")
            for use in part.uses:
                if (
                    use.op.domain
                    or use.op.op_type not in RESHAPES
                    or use.slot != 0
                    or not is_squeeze(use.op, axis, wide)
                ):
                    raise RejectError("a part is used by something else than a Squeeze")
                squeezed[use.op.result] = place
        if not squeezed:
            raise RejectError("no part is used")
        made = {k: rw.Gather(x, rw.const(np.int64(k), name="index"), axis=axis) for k in squeezed.values()}
        return {value: made[k] for value, k in squeezed.items()}


@register
@dataclass(frozen=True)
class FromSlices(Pass):
    """Slice(x, 0, i), Slice(x, i, n) -> Split(x, [i, n - i])

    Applies to two or more Slices of one axis of one value (or Gathers of successive indices), the size of which is
    known, that do not overlap. Gaps between them become parts that nobody uses, if they are no larger than what is
    used. Exact.
    """

    needs = ("Slice", "Gather")

    def run(self, model: Model, ctx: Context) -> None:
        """Look at each value that is sliced."""
        for graph in model.graphs():
            stale = True
            while stale:
                stale = False
                for pieces in list(_families(graph)):
                    if next(iter(pieces.values())).source.graph is graph:
                        self._split(graph, pieces, ctx)
                    else:  # a piece itself, and another value by now
                        stale = True

    def _split(self, graph: Graph, pieces: dict[Value, Piece], ctx: Context) -> None:
        first = next(iter(pieces.values()))
        source, axis = first.source, first.axis
        size = known_shape(source)[axis]
        assert isinstance(size, int)
        starts = sorted({(p.start, p.end) for p in pieces.values()})
        sizes: list[int] = []
        places: dict[tuple[int, int], int] = {}
        at = unused = 0
        for start, end in starts:
            if start < at or start == end:
                return
            if start > at:
                sizes.append(start - at)
                unused += start - at
            places[start, end] = len(sizes)
            sizes.append(end - start)
            at = end
        if at < size:
            sizes.append(size - at)
            unused += size - at
        if len(starts) < 2 or 2 * unused > size:
            return
        rw = Rewriter(graph, next(iter(pieces)).producer)  # type: ignore[arg-type]  # each piece has a producer
        try:
            parts = rw.Split(source, sizes, axis=axis, outputs=len(sizes))
        except RejectError:
            return
        ctx.replace(self.name, {v: parts[places[p.start, p.end]] for v, p in pieces.items()}, rw.staged)


def _families(graph: Graph) -> Iterator[dict[Value, Piece]]:
    """For each value and axis the pieces of it that Slices and Gathers take, where there are several."""
    found: dict[tuple[Value, int], dict[Value, Piece]] = {}
    takers: dict[Value, int] = {}
    ops = [op for op in graph.ops if op.op_type in ("Slice", "Gather") and not op.domain]
    for op in ops:
        if op.inputs[0] is not None:
            takers[op.inputs[0]] = takers.get(op.inputs[0], 0) + 1
    for op in ops:
        x = op.inputs[0]
        if x is None or takers[x] < 2 or x.const is not None:
            continue
        try:
            piece = piece_of(op.result)
            size = known_shape(x)[piece.axis]
        except RejectError:
            continue
        if isinstance(size, int) and 0 <= piece.start <= piece.end <= size:
            found.setdefault((x, piece.axis), {})[op.result] = piece
    return (pieces for pieces in found.values() if len(pieces) > 1)
