"""Look-ups in constant tables, as embeddings are: of one row everywhere, and of a list of which a part is taken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import ops
from ...ir import Array, DType, Op, Value
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example
from ._elementwise import BINARY, again
from ._progressions import progression
from ._shapes import axis_of, counted, known_shape

_FLOATS = (DType.FLOAT16, DType.FLOAT, DType.DOUBLE)
_looked_up = P.Gather(P.const("table"), "index").as_("gather")


@rule(
    P.op(*BINARY)(_looked_up, "y").as_("op") | P.op(*BINARY)("y", _looked_up).as_("op"),
    example=example(
        "(float[N,2,3] x) => (float[N,2,3] y) <float[2,3] w = {1, 2, 3, 4, 5, 6}, int64[1] one = {1}> "
        "{ s = Shape<end = 2>(x) i = Expand(one, s) g = Gather(w, i) y = Add(x, g) }"
    ),
)
def one_row(rw: Rewriter, op: Op, gather: Op, table: Value, index: Value, y: Value) -> Value:
    """Add(x, Gather(W, [[k, k, ...]])) -> Add(x, W[k]), and other operators that broadcast

    Applies to indices that are known to be one number everywhere, as token types are where none are given, if x has
    the shape of the result. Exact.
    """
    found = progression(index)
    if found is None or type(found.first) is not int or any(step != 0 for step in found.steps):
        raise RejectError("the index is not known to be one number")
    axis, rows = axis_of(gather, table), rw.array(table)
    if rows.dtype.kind == "O":
        raise RejectError("it is a table of strings")
    if not -rows.shape[axis] <= found.first < rows.shape[axis]:
        raise RejectError("the index is out of range")
    row = rows.take(found.first, axis).reshape((*rows.shape[:axis], *[1] * len(found.shape), *rows.shape[axis + 1 :]))
    made = again(rw, op, {gather.result: rw.const(row, name=gather.name)})
    if known_shape(made) != known_shape(op.result):
        raise RejectError("the result would have another shape")
    return made


@rule(
    P.Gather(P.const("table"), P.Slice(P.const("list"), "starts", "ends", ...).as_("slice")).as_("gather"),
    example=example(
        "(int64[1] n) => (float[1,M,2] y) <float[4,2] w = {1, 2, 3, 4, 5, 6, 7, 8}, int64[1,3] list = {2, 3, 0}, "
        "int64[1] zero = {0}, int64[1] one = {1}> { i = Slice(list, zero, n, one) y = Gather(w, i) }"
    ),
)
def part_of_list(rw: Rewriter, gather: Op, slice: Op, table: Value, list: Value, starts: Value, ends: Value) -> Value:
    """Gather(W, Slice(list, ...)) -> Slice(W[list], ...), as positions are looked up

    Applies to a constant list whose indices are all in range, if the rows that it picks are no more than the table
    has. Exact.
    """
    rows, picks, axis = rw.array(table), rw.array(list), axis_of(gather, table)
    if np.any(picks < -rows.shape[axis]) or np.any(picks >= rows.shape[axis]):
        raise RejectError("an index is out of range")
    if picks.size > rows.shape[axis]:
        raise RejectError("the list is longer than the table")
    shifted = [a + axis for a in _axes(rw, slice, picks)]
    steps = rw.ints(slice, "steps")
    if steps is None and ops.has_operand(slice, "steps"):
        raise RejectError("the steps are not known")
    picked = rw.const(rows.take(picks, axis), name=gather.name)
    found: Value = rw.Slice(picked, starts, ends, shifted, steps, name=slice.name)
    return found


def _axes(rw: Rewriter, slice: Op, data: Array) -> Sequence[int]:
    """The axes of a Slice, in the order of its bounds, counted from the front.

    Raises:
        RejectError: they are not known.
    """
    axes = rw.ints(slice, "axes")
    if axes is None:
        if ops.has_operand(slice, "axes"):
            raise RejectError("the axes are not known")
        count = known_shape(ops.operands(slice)[1])[0]
        if not isinstance(count, int):
            raise RejectError("the number of bounds is not known")
        axes = tuple(range(count))
    counted(axes, data.ndim)
    return [a % data.ndim for a in axes]


_ARITHMETIC = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}
"""What is rounded once, so that numpy and runtimes agree."""


@rule(
    P.op(*_ARITHMETIC)(_looked_up, P.const("c")).as_("op") | P.op(*_ARITHMETIC)(P.const("c"), _looked_up).as_("op"),
    example=example(
        "(bool[N,M] b) => (float[N,M,3] y) <float[2,3] w = {1, 2, 3, 4, 5, 6}, float[3] c = {7, 8, 9}> "
        "{ i = Cast<to = 7>(b) g = Gather(w, i) y = Add(g, c) }"
    ),
)
def same_for_all_rows(rw: Rewriter, op: Op, gather: Op, table: Value, index: Value, c: Value) -> Value:
    """Add(Gather(W, i), c) -> Gather(W + c, i), likewise Sub, Mul and Div

    Applies to floats, if c is the same for all rows, and nothing else takes the table. Exact: each element is rounded
    as before.
    """
    if rw.dtype(table) not in _FLOATS or not table.has_one_use:
        raise RejectError("the table is used elsewhere, or not of floats")
    axis, depth, shape = axis_of(gather, table), len(known_shape(index)), known_shape(gather.result)
    if known_shape(op.result) != shape:
        raise RejectError("the result would have another shape")
    rows, number = rw.array(table), rw.array(c)
    sizes = (*[1] * (len(shape) - number.ndim), *number.shape)
    if any(size != 1 for size in sizes[axis : axis + depth]):
        raise RejectError("the number is not the same for all rows")
    number = number.reshape((*sizes[:axis], 1, *sizes[axis + depth :]))
    with np.errstate(all="ignore"):
        operands = (rows, number) if op.inputs[0] is gather.result else (number, rows)
        changed = _ARITHMETIC[op.op_type](*operands)
    if changed.shape != rows.shape:
        raise RejectError("the table would grow")
    found: Value = rw.Gather(rw.const(changed, name=table.name), index, axis=axis, name=gather.name)
    return found
