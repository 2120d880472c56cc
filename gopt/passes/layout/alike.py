"""Concats of values that were all made alike: put together first, then made so once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import ops
from ...ir import Op, Shape, Value
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example
from ._orders.shapes import aligned
from ._shapes import RESHAPES, axis_of, counted, is_private, known_shape, reshaped, without

_concat = P.Concat(P.each("xs")).as_("op")


@rule(
    _concat,
    example=example(
        "(float[N,2] a, float[N,3] b) => (float[N,1,5] y) <int64[1] one = {1}> "
        "{ p = Unsqueeze(a, one) q = Unsqueeze(b, one) y = Concat<axis = 2>(p, q) }"
    ),
)
def unsqueezed(rw: Rewriter, op: Op, xs: tuple[Value, ...]) -> Value:
    """Concat(Unsqueeze(a, axes), Unsqueeze(b, axes)) -> Unsqueeze(Concat(a, b), axes), likewise of Squeezes

    Applies if all operands are such, on the same axes, which do not hold that of the Concat, and nothing else uses
    them. Exact.
    """
    kind, axes, wide = _all_alike(xs)
    axis = axis_of(op, xs[0])
    if kind == "Unsqueeze":
        if axis in axes:
            raise RejectError("it is the new axis along which they are put together")
        axis -= sum(a < axis for a in axes)
    else:
        axis = [a for a in range(wide) if a not in axes][axis]
    inner = rw.Concat(*(x.producer.inputs[0] for x in xs if x.producer), axis=axis, name=op.name)
    found: Value = rw.op(kind, inner, list(axes))
    return found


@rule(
    _concat,
    example=example(
        "(float[2,3] a, float[2,3] b) => (float[2,2,3] y) <int64[1] one = {1}> "
        "{ p = Unsqueeze(a, one) q = Unsqueeze(b, one) y = Concat<axis = 1>(p, q) }"
    ),
)
def stack(rw: Rewriter, op: Op, xs: tuple[Value, ...]) -> Value:
    """Concat(Unsqueeze(a, k), Unsqueeze(b, k), axis=k) -> Reshape(Concat(a, b, axis=k), shape)

    Applies if all operands are such, k is no axis behind the last one, nothing else uses them, and the shape can be
    written down. Exact: element by element, a comes before b either way.
    """
    kind, axes, wide = _all_alike(xs)
    axis = axis_of(op, xs[0])
    if kind != "Unsqueeze" or axes != (axis,) or axis == wide - 1:
        raise RejectError("they are not stacked before an axis that they have")
    inner = rw.Concat(*(x.producer.inputs[0] for x in xs if x.producer), axis=axis, name=op.name)
    return reshaped(rw, inner, known_shape(op.result))


def _all_alike(xs: tuple[Value, ...]) -> tuple[str, tuple[int, ...], int]:
    """The operator that gave all operands, its axes, and the rank with them.

    Raises:
        RejectError: they come of different operators or axes, are used elsewhere, or there is one alone.
    """
    found: set[tuple[str, tuple[int, ...], int]] = set()
    for x in xs:
        op = x.producer
        if op is None or op.op_type not in ("Squeeze", "Unsqueeze") or not is_private(x):
            raise RejectError("not all operands are squeezed or unsqueezed for it alone")
        axes = ops.ints(op, "axes")
        wide = len(known_shape(x if op.op_type == "Unsqueeze" else op.inputs[0]))
        if not axes:
            raise RejectError("the axes are not known")
        found.add((op.op_type, counted(axes, wide), wide))
    if len(found) > 1 or len(xs) < 2:
        raise RejectError("the axes differ")
    return found.pop()


@rule(
    _concat,
    example=example(
        "(float[N,2] a, float[N,2] b, float[N,2] c, float[N,2] d, float[N,2] e, float[N,2] f) => (float[M,6] y) "
        "{ p = Concat<axis = 0>(a, b) q = Concat<axis = 0>(c, d) r = Concat<axis = 0>(e, f) "
        "y = Concat<axis = 1>(p, q, r) }"
    ),
)
def grid(rw: Rewriter, op: Op, xs: tuple[Value, ...]) -> Value:
    """Concat(Concat(a, b), Concat(c, d), Concat(e, f)) -> Concat(Concat(a, c, e), Concat(b, d, f))

    Applies to Concats along one other axis, of parts of the same sizes along it, that nothing else uses, and of which
    there are more than each has operands: afterwards there are fewer. Exact.
    """
    rows = [_grid_row(op, x) for x in xs]
    axes = {axis for axis, _ in rows}
    if len({len(parts) for _, parts in rows}) > 1 or len(axes) > 1 or len(rows) <= len(rows[0][1]):
        raise RejectError("the inner ones differ, or there would not be fewer")
    (inner,) = axes
    outer = axis_of(op, xs[0])
    columns = list(zip(*(parts for _, parts in rows), strict=True))
    if inner == outer or any(len({known_shape(v)[inner] for v in column}) > 1 for column in columns):
        raise RejectError("the parts are not of the same sizes")
    found: Value = rw.Concat(*(rw.Concat(*column, axis=outer) for column in columns), axis=inner, name=op.name)
    return found


def _grid_row(op: Op, x: Value) -> tuple[int, list[Value]]:
    """The axis and operands of the Concat that gives an operand of a Concat, and nothing else."""
    inner = x.producer
    if inner is None or inner.op_type != "Concat" or inner.domain or not is_private(x):
        raise RejectError("not all operands are Concats that nothing else uses")
    return axis_of(inner, x), [v for v in inner.inputs if v is not None]


@rule(
    _concat,
    example=example(
        "(float[N,4,1,6] a, float[N,5,1,6] b) => (float[N,9,6,1] y) "
        "<int64[4] s = {0, 4, 6, 1}, int64[4] t = {0, 5, 6, 1}> "
        "{ p = Reshape(a, s) q = Reshape(b, t) y = Concat<axis = 1>(p, q) }"
    ),
)
def reshape(rw: Rewriter, op: Op, xs: tuple[Value, ...]) -> Value:
    """Concat(Reshape(a), Reshape(b)) -> Reshape(Concat(a, b))

    Applies if each Reshape keeps the axis of the Concat as one of its operand, all do the same with the others, nothing
    else uses them, and the shape of the result can be written down. Exact: what stands before the axis, and what stands
    behind it, is reshaped alike in all.
    """
    axis = axis_of(op, xs[0])
    places: set[int] = set()
    others: set[tuple[Shape, Shape]] = set()
    operands = []
    for x in xs:
        inner = x.producer
        if inner is None or inner.op_type not in RESHAPES or inner.domain or not is_private(x) or not inner.inputs[0]:
            raise RejectError("not all operands are reshaped for it alone")
        before, after = known_shape(inner.inputs[0]), known_shape(x)
        place = _same_axis(before, after, axis)
        places.add(place)
        others.add((without(before, (place,)), without(after, (axis,))))
        operands.append(inner.inputs[0])
    if len(places) > 1 or len(others) > 1 or len(xs) < 2:
        raise RejectError("they are not reshaped alike")
    inner_ = rw.Concat(*operands, axis=places.pop(), name=op.name)
    return reshaped(rw, inner_, known_shape(op.result))


def _same_axis(before: Shape, after: Shape, axis: int) -> int:
    """The axis that becomes `axis` when a value is reshaped.

    Raises:
        RejectError: there is none, or it is one of size 1, whose place is not certain.
    """
    for left, right in aligned(before, after) if 0 not in (*before, *after) else ():
        if right == (axis,) and len(left) == 1 and before[left[0]] == after[axis]:
            return left[0]
    raise RejectError("the axis is none of the operand")


_TERMS = ("Add", "Div", "Mul", "Sub")


@rule(
    _concat,
    example=example(
        "(float[N,1] a) => (float[N,4] y) <float[2] c = {1, 2}, float[1,2] d = {3, 4}> "
        "{ p = Mul(a, c) q = Mul(a, d) y = Concat<axis = 1>(p, q) }"
    ),
)
def constants(rw: Rewriter, op: Op, xs: tuple[Value, ...]) -> Value:
    """Concat(Mul(a, c), Mul(a, d)) -> Mul(a, Concat(c, d)), likewise Add, Sub and Div, as rotary embeddings have it

    Applies to constants c and d that differ in shape along the axis at most, if a has a size of 1 there, and nothing
    else uses the products. Exact.
    """
    axis, rank = axis_of(op, xs[0]), len(known_shape(op.result))
    kind, slot, common = _common_operand(op, xs)
    if _filled_up(known_shape(common), rank)[axis] != 1:
        raise RejectError("the common operand has several elements along the axis")
    numbers = []
    for x in xs:
        number = rw.array(x.producer.inputs[1 - slot])  # type: ignore[union-attr, arg-type]
        numbers.append(number.reshape(_filled_up(number.shape, rank)))
    if len({without(n.shape, (axis,)) for n in numbers}) > 1:
        raise RejectError("the constants differ in shape along other axes")
    joined = rw.const(np.concatenate(numbers, axis), name=op.name)
    found: Value = rw.op(kind, *((common, joined) if slot == 0 else (joined, common)), name=op.name)
    if known_shape(found) != known_shape(op.result):
        raise RejectError("the common operand enlarges the others")
    return found


def _common_operand(op: Op, xs: tuple[Value, ...]) -> tuple[str, int, Value]:
    """The operator that gave all operands of a Concat, and the place and value of what all of them have in common.

    Raises:
        RejectError: they come of different operators or values, are used elsewhere, or there is one alone.
    """
    found: set[tuple[str, int, Value]] = set()
    for x in xs:
        made = x.producer
        alone = not x.is_output and all(use.op is op for use in x.uses)
        if made is None or made.domain or made.op_type not in _TERMS or not alone:
            raise RejectError("not all operands are products or sums for it alone")
        left, right = made.inputs
        if left is None or right is None or (left.const is None) is (right.const is None):
            raise RejectError("not all have one constant")
        found.add((made.op_type, 1, right) if right.const is None else (made.op_type, 0, left))
    if len(found) > 1 or len(xs) < 2:
        raise RejectError("they are not alike")
    return found.pop()


def _filled_up(shape: Sequence[Any], rank: int) -> tuple[Any, ...]:
    """A shape with dims of 1 in front."""
    return (*[1] * (rank - len(shape)), *shape)
