"""Concats: of Concats, and of what lies side by side already."""

from __future__ import annotations

import numpy as np

from ...ir import Op, Value
from ...ops.contents import shape_slice
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example
from ._shapes import axis_of, is_private, known_shape
from ._slices import Piece, indices_of, make_slice, piece_of

_concat = P.Concat(P.each("xs")).as_("op")


@rule(
    _concat,
    example=example(
        "(float[N,2] a, float[N,3] b, float[N,4] c) => (float[N,9] y) "
        "{ d = Concat<axis = 1>(a, b) y = Concat<axis = 1>(d, c) }"
    ),
)
def flatten(rw: Rewriter, op: Op, xs: tuple[Value, ...]) -> Value:
    """Concat(Concat(a, b), c) -> Concat(a, b, c)

    Applies if nothing else uses the inner one. Exact.
    """
    operands: list[Value] = []
    axis: int | None = None
    for x in xs:
        inner = x.producer
        if inner is None or inner.op_type != "Concat" or inner.domain or not is_private(x):
            operands.append(x)
            continue
        axis = axis_of(op, x) if axis is None else axis
        operands += [v for v in inner.inputs if v is not None] if axis_of(inner, inner.inputs[0]) == axis else [x]
    if len(operands) == len(xs):
        raise RejectError("no operand is a Concat on the same axis that nothing else uses")
    found: Value = rw.Concat(*operands, axis=axis, name=op.name)
    return found


@rule(
    _concat,
    example=example(
        "(float[N,5] x, float[N,1] z) => (float[N,6] y) <int64[2] sizes = {2, 3}> "
        "{ p, q = Split<axis = 1>(x, sizes) c = Concat<axis = 1>(p, q, z) y = Neg(c) }"
    ),
)
def side_by_side(rw: Rewriter, op: Op, xs: tuple[Value, ...]) -> Value:
    """Concat(x[:a], x[a:]) -> x, Concat(x[a:b], x[b:c]) -> x[a:c], for neighbours among any operands

    Applies to parts of one value on the axis of the Concat that Slice, Split or Gather gave. What is not all of the
    value is put together only if the ops that gave it go. Exact.
    """
    operands: list[Value] = []
    last: Piece | None = None
    run: list[Value] = []
    changed = False

    def finish() -> None:
        nonlocal changed
        if last is not None and len(run) > 1 and (last.is_whole or all(_goes(v) for v in run)):
            changed = True
            whole = last.is_whole
            operands.append(
                last.source if whole else make_slice(rw, last.source, {last.axis: (last.start, last.end, 1)})
            )
        else:
            operands.extend(run)

    axis = None
    for x in xs:
        piece = _piece(x)
        if piece is not None:
            axis = axis_of(op, x) if axis is None else axis
            piece = piece if piece.axis == axis else None
        both = None if last is None or piece is None else last.joined(piece)
        if both is None:
            finish()
            last, run = piece, [x]
        else:
            last = both
            run.append(x)
    finish()
    if not changed:
        raise RejectError("no neighbours are parts of one value")
    found: Value = operands[0] if len(operands) == 1 else rw.Concat(*operands, axis=axis, name=op.name)
    return found


def _piece(x: Value) -> Piece | None:
    try:
        return piece_of(x)
    except RejectError:
        return None


def _goes(x: Value) -> bool:
    """True if the op that gave a part goes when the part is not used by this op any more."""
    return is_private(x) and x.producer is not None and x.producer.op_type != "Split"


@rule(
    _concat,
    example=example(
        "(float[N,5] x) => (float[N,3] y) <int64[1] i = {4}, int64[2] k = {0, 2}> "
        "{ p = Gather<axis = 1>(x, i) q = Gather<axis = 1>(x, k) y = Concat<axis = 1>(p, q) }"
    ),
)
def picks(rw: Rewriter, op: Op, xs: tuple[Value, ...]) -> Value:
    """Concat(Gather(x, i), Gather(x, j)) -> Gather(x, [i, j]), for neighbours among any operands

    Applies to constant lists of indices of the axis of the Concat, if nothing else uses what was gathered. Exact.
    """
    operands: list[Value] = []
    runs: list[tuple[Value | None, list[Value]]] = []
    for x in xs:
        source = _picked(op, x)
        if source is not None and runs and runs[-1][0] is source:
            runs[-1][1].append(x)
        else:
            runs.append((source, [x]))
    if len(runs) == len(xs):
        raise RejectError("no neighbours are gathered from one value")
    axis = axis_of(op, xs[0])
    for source, run in runs:
        if source is None or len(run) == 1:
            operands += run
            continue
        indices = np.concatenate([indices_of(x.producer.inputs[1]).astype(np.int64) for x in run if x.producer])
        operands.append(rw.Gather(source, rw.const(indices, name="indices"), axis=axis))
    found: Value = operands[0] if len(operands) == 1 else rw.Concat(*operands, axis=axis, name=op.name)
    return found


def _picked(op: Op, x: Value) -> Value | None:
    """What the operand of a Concat gathers by a list of constant indices on the same axis, for it alone."""
    gather = x.producer
    if gather is None or gather.op_type != "Gather" or gather.domain or not is_private(x):
        return None
    indices = gather.inputs[1]
    if indices is None or indices.const is None or len(indices.const.shape) != 1:
        return None
    source = gather.inputs[0]
    return source if axis_of(gather, source) == axis_of(op, x) else None


@rule(
    _concat,
    since=15,
    example=example(
        "(float[N,2,M,3] x) => (int64[3] y) "
        "{ p = Shape<start = 0, end = 2>(x) q = Shape<start = 2, end = 3>(x) y = Concat<axis = 0>(p, q) }"
    ),
)
def shapes(rw: Rewriter, op: Op, xs: tuple[Value, ...]) -> Value:
    """Concat(Shape(x, end=i), Shape(x, start=i)) -> Shape(x), for neighbours among any operands

    Applies if nothing else uses the parts. Exact.
    """
    operands: list[Value] = []
    last: tuple[Value, int, int] | None = None
    for x in xs:
        part = _dims(x)
        if last is not None and part is not None and last[0] is part[0] and last[2] == part[1]:
            last = (last[0], last[1], part[2])
            operands[-1] = rw.Shape(last[0], start=last[1], end=last[2])
        else:
            last = part
            operands.append(x)
    if len(operands) == len(xs):
        raise RejectError("no neighbours are parts of one shape")
    found: Value = operands[0] if len(operands) == 1 else rw.Concat(*operands, axis=0, name=op.name)
    return found


def _dims(x: Value) -> tuple[Value, int, int] | None:
    """The value, and the range of its axes, whose sizes the operand of a Concat gives, for it alone."""
    op = x.producer
    if op is None or op.op_type != "Shape" or op.domain or not is_private(x) or op.inputs[0] is None:
        return None
    dims = range(len(known_shape(op.inputs[0])))[shape_slice(op)]
    return op.inputs[0], dims.start, dims.stop
