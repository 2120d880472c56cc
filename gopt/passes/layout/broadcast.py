"""Reshapes before ops that broadcast: leading dims of 1 come by themselves, and two Reshapes become one behind."""

from __future__ import annotations

from ...ir import Op, Shape, Value
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example
from ._elementwise import BINARY, UNARY, again
from ._shapes import RESHAPES, is_private, known_shape, reshaped

_reshape = P.op(*RESHAPES)("x", ...).as_("reshape").shared()
_function = P.op(*UNARY)(P.op(*RESHAPES)("x", ...).as_("reshape").shared(), ...).as_("function")
_any = P.any("")


@rule(
    P.op(*BINARY)(_reshape, _any).as_("op")
    | P.op(*BINARY)(_any, _reshape).as_("op")
    | P.Where(_reshape, _any, _any).as_("op")
    | P.Where(_any, _reshape, _any).as_("op")
    | P.Where(_any, _any, _reshape).as_("op"),
    example=example(
        "(float[N,3] x, float[M,N,3] z) => (float[M,N,3] y) <int64[1] front = {0}> "
        "{ u = Unsqueeze(x, front) y = Add(u, z) }"
    ),
)
def leading_ones(rw: Rewriter, op: Op, reshape: Op, x: Value) -> Value:
    """Add(Unsqueeze(x, 0), y) -> Add(x, y), likewise all operators of two operands that broadcast, and Where

    Applies to an Unsqueeze, Reshape or Squeeze that makes or drops nothing but dims of 1 in front, if the result keeps
    its shape because the other operand has as many dims. Exact: elements meet as they did.
    """
    _refuse_others(known_shape(x), known_shape(reshape.result))
    found = again(rw, op, {reshape.result: x})
    if known_shape(found) != known_shape(op.result):
        raise RejectError("the result would have another shape")
    return found


@rule(
    P.op(*BINARY)(_function, _any).as_("op") | P.op(*BINARY)(_any, _function).as_("op"),
    example=example(
        "(float[N,3] x, float[M,N,3] z) => (float[M,N,3] y) <int64[1] front = {0}> "
        "{ u = Unsqueeze(x, front) e = Exp(u) y = Add(e, z) }"
    ),
)
def leading_ones_before(rw: Rewriter, op: Op, function: Op, reshape: Op, x: Value) -> Value:
    """Add(Exp(Unsqueeze(x, 0)), y) -> Add(Exp(x), y), likewise of other functions of one number

    Applies as `leading_ones` does. Exact.
    """
    _refuse_others(known_shape(x), known_shape(reshape.result))
    inner = again(rw, function, {reshape.result: x})
    found = again(rw, op, {function.result: inner})
    if known_shape(found) != known_shape(op.result):
        raise RejectError("the result would have another shape")
    return found


def _refuse_others(before: Shape, after: Shape) -> None:
    """Raise RejectError unless two shapes differ by dims of 1 in front alone."""
    if _bare(before) != _bare(after):
        raise RejectError("other dims come or go than dims of 1 in front")


def _bare(shape: Shape) -> Shape:
    """A shape without its leading dims of 1."""
    return shape[next((k for k, d in enumerate(shape) if d != 1), len(shape)) :]


@rule(
    P.op(*BINARY)(
        P.op(*RESHAPES)("a", ...).as_("left"),
        P.op(*RESHAPES)("b", ...).as_("right"),
    ).as_("op"),
    example=example(
        "(float[N,3,2] a, float[N,3,2] b) => (float[N,6] y) { p = Flatten(a) q = Flatten(b) y = Add(p, q) }"
    ),
)
def both(rw: Rewriter, op: Op, left: Op, right: Op, a: Value, b: Value) -> Value:
    """Add(Reshape(a), Reshape(b)) -> Reshape(Add(a, b)), likewise all operators of two operands that broadcast

    Applies if a and b provably have one shape, and the Reshapes make one shape of it. Exact: the same elements meet.
    """
    shape = known_shape(a)
    after = known_shape(op.result)
    if shape != known_shape(b) or known_shape(left.result) != after or known_shape(right.result) != after:
        raise RejectError("the shapes differ")
    if not is_private(left.result) or not is_private(right.result):
        raise RejectError("a Reshape is used elsewhere")
    return reshaped(rw, again(rw, op, {left.result: a, right.result: b}), after)
