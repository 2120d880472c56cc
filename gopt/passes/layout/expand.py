"""Expands: what broadcasting does anyway, and Expands of Expands."""

from __future__ import annotations

from math import prod

import numpy as np

from ...ir import Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._elementwise import BINARY, CHOSEN, PLACED, UNARY, again
from ._shapes import RESHAPES, axis_of, counted, is_private, known_shape, reshaped

_EXPANDS = P.op("Expand", "Tile")
_expanded = _EXPANDS("x", ...).as_("expand").shared()
_alone = P.Expand("x", "shape").as_("expand")


@rule(
    P.op(*BINARY)(_expanded, "y").as_("op") | P.op(*BINARY)("y", _expanded).as_("op"),
    example=example(
        "(float[N,1,3] x, float[N,4,3] z) => (float[N,4,3] y) <int64[3] shape = {1, 4, 1}> "
        "{ a = Expand(x, shape) y = Add(z, a) }"
    ),
)
def covered(rw: Rewriter, op: Op, expand: Op, x: Value, y: Value) -> Value:
    """Add(Expand(x), y) -> Add(x, y), likewise of Tile, and all other operators of two operands that broadcast

    Applies if the result provably keeps its shape: y has the dims that the Expand makes, and the Tile repeats nothing
    but dims of 1. Exact: each element of the result is computed of the same two.
    """
    return _without(rw, op, expand, x)


@rule(
    P.Where(_expanded, "y", "z").as_("op")
    | P.Where("y", _expanded, "z").as_("op")
    | P.Where("y", "z", _expanded).as_("op"),
    example=example(
        "(bool[N,1,3] c, float[N,4,3] z, float[N,4,3] w) => (float[N,4,3] y) <int64[3] shape = {1, 4, 1}> "
        "{ a = Expand(c, shape) y = Where(a, z, w) }"
    ),
)
def covered_choice(rw: Rewriter, op: Op, expand: Op, x: Value, y: Value, z: Value) -> Value:
    """Where(Expand(c), y, z) -> Where(c, y, z), likewise for the other operands, and of Tile

    Applies as `covered` does. Exact.
    """
    return _without(rw, op, expand, x)


@rule(
    P.Expand(_EXPANDS("x", ...).as_("expand"), "shape").as_("op"),
    example=example(
        "(float[1,1,3] x) => (float[4,2,3] y) <int64[3] one = {1, 2, 1}, int64[3] two = {4, 1, 1}> "
        "{ a = Expand(x, one) y = Expand(a, two) }"
    ),
)
def twice(rw: Rewriter, op: Op, expand: Op, x: Value, shape: Value) -> Value:
    """Expand(Expand(x, s), t) -> Expand(x, max(s, t)), likewise of Tile

    Applies if t alone gives the shape of the result, or that is all known numbers. Exact.
    """
    before, after = known_shape(x), known_shape(op.result)
    _refuse_repeats(expand, before, known_shape(expand.result))
    alone: Value = rw.Expand(x, shape, name=op.name)
    if known_shape(alone) == after:
        return alone
    numbers = [d for d in after if isinstance(d, int)]
    if len(numbers) < len(after):
        raise RejectError("the shape cannot be written down")
    found: Value = rw.Expand(x, numbers, name=op.name)
    return found


def _without(rw: Rewriter, op: Op, expand: Op, x: Value) -> Value:
    """The op with `x` in place of what was expanded.

    Raises:
        RejectError: its result might have another shape.
    """
    _refuse_repeats(expand, known_shape(x), known_shape(expand.result))
    found = again(rw, op, {expand.result: x})
    if known_shape(found) != known_shape(op.result):
        raise RejectError("the result would have another shape")
    return found


def _refuse_repeats(expand: Op, before: tuple[object, ...], after: tuple[object, ...]) -> None:
    """Raise RejectError unless a Tile repeats dims of 1 alone, as an Expand does."""
    if expand.op_type == "Tile" and (
        len(before) != len(after) or any(d not in (1, wanted) for d, wanted in zip(before, after))
    ):
        raise RejectError("the Tile repeats more than single elements")


@rule(
    P.op(*(name for name in UNARY if name not in PLACED))(_alone, ...).as_("op"),
    example=example(
        "(float[N,1,3] x) => (float[N,4,3] y) <int64[3] shape = {1, 4, 1}> { a = Expand(x, shape) y = Relu(a) }"
    ),
)
def after_unary(rw: Rewriter, op: Op, expand: Op, x: Value, shape: Value) -> Value:
    """Relu(Expand(x)) -> Expand(Relu(x)), likewise of other functions of one number that are exact, or rounded once

    There are as many ops, which compute less, and the Expand comes nearer to what broadcasts anyway. Exact.
    """
    return _expanded_behind(rw, op, expand, x, shape)


@rule(
    P.op(*(name for name in UNARY if name in PLACED))(_alone, ...).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[N,1,3] x) => (float[N,4,3] y) <int64[3] shape = {1, 4, 1}> { a = Expand(x, shape) y = Exp(a) }"
    ),
)
def after_function(rw: Rewriter, op: Op, expand: Op, x: Value, shape: Value) -> Value:
    """Exp(Expand(x)) -> Expand(Exp(x)), likewise of other functions that are approximated

    As `after_unary`. Runtimes may approximate single elements in another way than several at once.
    """
    return _expanded_behind(rw, op, expand, x, shape)


def _expanded_behind(rw: Rewriter, op: Op, expand: Op, x: Value, shape: Value) -> Value:
    inner = again(rw, op, {expand.result: x})
    found: Value = rw.Expand(inner, shape, name=expand.name)
    return found


@rule(
    P.Where(P.Expand("x", "shape").as_("expand"), P.const("y"), P.const("z")).as_("op"),
    example=example(
        "(bool[N,1,3] x) => (float[N,4,3] y) <int64[3] shape = {1, 4, 1}, float p = {0}, float q = {-9}> "
        "{ a = Expand(x, shape) y = Where(a, p, q) }"
    ),
)
def after_choice(rw: Rewriter, op: Op, expand: Op, x: Value, shape: Value, y: Value, z: Value) -> Value:
    """Where(Expand(c, shape), p, q) -> Expand(Where(c, p, q), shape)

    Applies to constants of one element. There are as many ops, which compute less. Exact.
    """
    rank = len(known_shape(x))
    if any(v.const is None or v.const.size != 1 or len(v.const.shape) > rank for v in (y, z)):
        raise RejectError("a branch is more than one element")
    inner = rw.Where(x, y, z, name=op.name)
    found: Value = rw.Expand(inner, shape, name=expand.name)
    return found


@rule(
    P.op("And", "Mul")("x", P.const("c", value=1)) | P.Or("x", P.const("c", value=0)),
    example=example("(bool[N,1] x) => (bool[N,4] y) { c = Constant<value = bool[4] {1, 1, 1, 1}>() y = And(x, c) }"),
)
def of_neutral(rw: Rewriter, x: Value, c: Value) -> Value:
    """And(x, [true, ...]) -> Expand(x, shape of the constant), likewise Or with false, and Mul by ones

    Applies where the constant enlarges x (if it does not, the op is nothing at all): Expands mostly vanish where they
    are used. Exact.
    """
    sizes = c.const.shape if c.const is not None else ()
    if prod(sizes) <= 1:
        raise RejectError("the constant enlarges nothing")
    found: Value = rw.Expand(x, list(sizes), name=rw.root.name)
    if known_shape(found) == known_shape(x):
        raise RejectError("the constant enlarges nothing")
    return found


@rule(
    P.Unsqueeze(P.Expand(P.op(*RESHAPES)("", ...).as_("x"), "shape").as_("expand"), P.const("axes")).as_("op"),
    example=example(
        "(float[N] x, int64[2] s) => (float[1,M,4] y) <int64[2] shape = {1, 4}, int64[1] last = {-1}, "
        "int64[1] front = {0}> { u = Unsqueeze(x, last) e = Expand(u, shape) y = Unsqueeze(e, front) }"
    ),
)
def unsqueezed(rw: Rewriter, op: Op, expand: Op, x: Op, shape: Value, axes: Value) -> Value:
    """Unsqueeze(Expand(Reshape(x), shape), front axes) -> Expand(Reshape(x), shape), one Reshape with more dims of 1

    Applies to axes before all others: an Expand leaves the dims alone that its shape does not name. Exact.
    """
    before, after = known_shape(x.result), known_shape(op.result)
    front = counted(rw.ints(op, "axes") or (), len(after))
    if front != tuple(range(len(front))):
        raise RejectError("an axis comes behind others")
    ones = (1,) * (len(after) - len(before))
    found: Value = rw.Expand(reshaped(rw, x.result, (*ones, *before)), shape, name=expand.name)
    return found


@rule(
    P.Concat(P.each("parts")).as_("op"),
    numerics=Numerics.FINITE,
    example=example(
        "(float[M] x, float[K] z) => (float[2,K,M] y) <int64[3] a = {1, 1, -1}, int64[3] b = {1, -1, 1}> "
        "{ m = Shape(x) k = Shape(z) s = Concat<axis = 0>(k, m) u = Reshape(x, a) v = Reshape(z, b) "
        "p = Expand(u, s) q = Expand(v, s) y = Concat<axis = 0>(p, q) }"
    ),
)
def stacked(rw: Rewriter, op: Op, parts: tuple[Value, ...]) -> Value:
    """Concat(Expand(x), Expand(y)) -> Where([first, then second], x, y), as grids of coordinates are put together

    Applies to two operands, at least one of which is expanded for it alone, that have one element each along the axis
    before that; if x and y make the shape of the result, and are of a type that ONNX Runtime chooses from. A choice
    may lose the sign of a zero.
    """
    result = known_shape(op.result)
    axis = axis_of(op, op.result) - len(result)
    if len(parts) != 2 or rw.dtype(op.result) not in CHOSEN or not any(map(_is_expanded, parts)):
        raise RejectError("there are not two, none is expanded for it alone, or there is no choice of that type")
    sizes = [known_shape(part)[axis] for part in parts]
    numbers = [size for size in sizes if isinstance(size, int)]
    sources = [part.producer.inputs[0] if _is_expanded(part) and part.producer else part for part in parts]
    for source in sources:
        shape = known_shape(source)
        if len(shape) >= -axis and shape[axis] != 1:
            raise RejectError("an operand has several elements along the axis")
    if len(numbers) != 2:
        raise RejectError("the sizes along the axis are not known")
    first = np.arange(sum(numbers)).reshape(-1, *[1] * (-axis - 1)) < numbers[0]
    found: Value = rw.Where(rw.const(first), *sources, name=op.name)
    if known_shape(found) != result:
        raise RejectError("the shape would be another")
    return found


def _is_expanded(part: Value) -> bool:
    made = part.producer
    return made is not None and made.op_type == "Expand" and not made.domain and is_private(part)
