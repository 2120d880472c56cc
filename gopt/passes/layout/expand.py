"""Expands: what broadcasting does anyway, and Expands of Expands."""

from __future__ import annotations

from math import prod

from ...ir import Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._elementwise import BINARY, PLACED, UNARY, again
from ._shapes import known_shape

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
