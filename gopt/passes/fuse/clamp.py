"""Chains of Relu, Clip, and Min and Max with constants become one op."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ... import ops
from ...ir import Array, DType, Op, Value
from ...rewrite import Numerics, P, Pattern, RejectError, Rewriter, rule
from ..example import example
from ._affine import dtype_of, fits, shape_of
from ._signs import NEVER_NEGATIVE

_CLIP_12 = 12


def _bounded(data: Pattern | str) -> Pattern:
    return P.Relu(data) | P.Clip(data, P.opt(P.const()), P.opt(P.const())) | (P.Min | P.Max)(data, P.const())


class _Range(NamedTuple):
    """What a value is clamped to; None is no bound."""

    low: Any = None
    high: Any = None


@rule(
    P.Relu(P.Relu("x").as_("inner").shared()),
    numerics=Numerics.EXACT,
    example=example("(float[3] x) => (float[3] y) { a = Relu(x) y = Relu(a) }"),
)
def relu_relu(rw: Rewriter, inner: Op, x: Value) -> Value:
    """Relu(Relu(x)) -> Relu(x)

    Applies always: the result of the inner one is never below zero.
    """
    return inner.result


@rule(
    _bounded(_bounded("x")),
    numerics=Numerics.FINITE,
    example=example("(float[3] x) => (float[3] y) <float six = {6}> { a = Relu(x) y = Min(a, six) }"),
)
def clamp(rw: Rewriter, x: Value) -> Value:
    """clamp(clamp(x, l, h), m, n) -> Clip(x, clamp(l, m, n), clamp(h, m, n)), or Relu(x)

    Clamps are Relu, Clip, and Min and Max with a constant of one element that does not enlarge x. Applies if the lower
    bound of the inner one is not above its upper bound: a clamp is monotone, and leaves what lies between its bounds.
    Not said of operands that are no numbers, which runtimes order in different ways.
    """
    outer, dtype = rw.root, dtype_of(x)
    assert outer is not None
    between = next((v for v in outer.inputs if v is not None and v.const is None), None)
    inner = None if between is None else between.producer
    if between is None or inner is None or dtype is None:
        raise RejectError("the type is not known")
    first, second = _range_of(inner, x, x, dtype), _range_of(outer, between, x, dtype)
    if any(r.low is not None and r.high is not None and r.low > r.high for r in (first, second)):
        raise RejectError("a lower bound lies above the upper one")
    return _emit(rw, x, _compose(first, second), dtype)


@rule(
    P.Max(P.Max("x", P.const("c")), P.const("d")),
    numerics=Numerics.FINITE,
    example=example(
        "(float[3] x) => (float[3] y) <float[3] c = {1, 2, 3}, float d = {2}> { a = Max(x, c) y = Max(a, d) }"
    ),
)
def max_max(rw: Rewriter, x: Value, c: Value, d: Value) -> Value:
    """Max(Max(x, c), d) -> Max(x, max(c, d))

    Applies if the joint constant is no larger than the larger of the two.
    """
    result: Value = rw.Max(x, rw.const(_joint(np.maximum(rw.array(c), rw.array(d)), c, d), name=d.name))
    return result


@rule(
    P.Min(P.Min("x", P.const("c")), P.const("d")),
    numerics=Numerics.FINITE,
    example=example(
        "(float[3] x) => (float[3] y) <float[3] c = {1, 2, 3}, float d = {2}> { a = Min(x, c) y = Min(a, d) }"
    ),
)
def min_min(rw: Rewriter, x: Value, c: Value, d: Value) -> Value:
    """Min(Min(x, c), d) -> Min(x, min(c, d))

    Applies if the joint constant is no larger than the larger of the two.
    """
    result: Value = rw.Min(x, rw.const(_joint(np.minimum(rw.array(c), rw.array(d)), c, d), name=d.name))
    return result


@rule(
    P.Max("x", P.const("zero", 0)) | P.Clip("x", P.const("zero", 0), P.opt(P.const("high"))),
    numerics=Numerics.FINITE,
    example=example("(float[3] x) => (float[3] y) <float zero = {0}> { y = Max(x, zero) }"),
)
def relu(rw: Rewriter, x: Value, zero: Value, high: Value | None) -> Value:
    """Max(x, 0) -> Relu(x), likewise Clip(x, 0) without an upper bound

    Applies to floating-point numbers and a zero that does not enlarge x. As many ops, but one that other rules know,
    and that runtimes take into convolutions. Not said of what is no number.
    """
    dtype = dtype_of(x)
    if dtype is None or not dtype.is_float or _bound(zero, x) is None:
        raise RejectError("the type is not known, or has no Relu")
    if high is not None and _bound(high, x) != np.inf:
        raise RejectError("there is an upper bound")
    result: Value = rw.Relu(x)
    return result


@rule(
    P.Max("x", P.const("c", -np.inf)) | P.Min("x", P.const("c", np.inf)),
    numerics=Numerics.FINITE,
    example=example("(float[3] x) => (float[3] y) <float least = {-inf}> { a = Max(x, least) y = Neg(a) }"),
)
def unbounded(rw: Rewriter, x: Value, c: Value) -> Value:
    """Max(x, -inf) -> x, likewise Min(x, inf)

    Applies to a constant that does not enlarge x. Not said of what is no number.
    """
    _bound(c, x)
    return x


@rule(
    P.op("Relu", "Abs")(P.op(*NEVER_NEGATIVE)("x", ...).as_("inner").shared()),
    numerics=Numerics.FINITE,
    example=example("(float[3] x) => (float[3] y) { a = Sigmoid(x) y = Relu(a) }"),
)
def relu_above(rw: Rewriter, inner: Op) -> Value:
    """Relu(Sigmoid(x)) -> Sigmoid(x), likewise of Exp, Softmax and others that are never below zero, and Abs of them

    Applies to floating-point numbers: the absolute value of the least integer is itself. Equal but for -0 and what is
    no number.
    """
    dtype = dtype_of(inner.result)
    if dtype is None or not dtype.is_float:
        raise RejectError("an integer may overflow")
    return inner.result


@rule(
    P.Clip(
        P.op("Sigmoid", "HardSigmoid", "Softmax")("x").as_("inner").shared(),
        P.opt(P.const("low")),
        P.opt(P.const("high")),
    ),
    numerics=Numerics.FINITE,
    example=example(
        "(float[3] x) => (float[3] y) <float low = {0}, float high = {1}> { a = Sigmoid(x) y = Clip(a, low, high) }"
    ),
)
def within(rw: Rewriter, inner: Op, low: Value | None, high: Value | None) -> Value:
    """Clip(Sigmoid(x), 0, 1) -> Sigmoid(x), likewise of HardSigmoid and Softmax, and wider bounds

    Applies to bounds that exclude nothing from 0 to 1. Not said of what is no number.
    """
    bottom, top = _bound(low, inner.result), _bound(high, inner.result)
    if (bottom is not None and bottom > 0) or (top is not None and top < 1):
        raise RejectError("a bound lies between 0 and 1")
    return inner.result


def _range_of(op: Op, data: Value, x: Value, dtype: DType) -> _Range:
    """What an op clamps its operand `data` to, which has the shape of `x`."""
    if op.op_type == "Relu":
        return _Range(dtype.numpy.type(0))
    if op.op_type == "Clip":
        operands = ops.operands(op)
        low, high = (_bound(operands[k] if k < len(operands) else None, x) for k in (1, 2))
        return _Range(low, high)
    bound = _bound(op.inputs[1 if op.inputs[0] is data else 0], x)  # x itself may be constant, too
    return _Range(bound) if op.op_type == "Max" else _Range(None, bound)


def _bound(value: Value | None, x: Value) -> Any:
    """The only element of a bound; None for one that bounds nothing.

    Raises:
        RejectError: it has more elements than one, may enlarge x, or is no number.
    """
    tensor = None if value is None else value.const
    if tensor is None:
        return None
    if tensor.size != 1 or not fits(tensor.shape, shape_of(x)):
        raise RejectError("a bound is no scalar")
    bound = tensor.numpy().reshape(-1)[0]
    if bound != bound:
        raise RejectError("a bound is no number")
    return bound


def _compose(inner: _Range, outer: _Range) -> _Range:
    return _Range(
        outer.low if inner.low is None else _clamped(inner.low, outer),
        outer.high if inner.high is None else _clamped(inner.high, outer),
    )


def _clamped(bound: Any, to: _Range) -> Any:
    if to.low is not None and bound < to.low:
        bound = to.low
    if to.high is not None and bound > to.high:
        bound = to.high
    return bound


def _emit(rw: Rewriter, x: Value, to: _Range, dtype: DType) -> Value:
    result: Value
    if to.low is not None and to.low == 0 and to.high is None and dtype.is_float:
        result = rw.Relu(x)  # which ONNX Runtime does not have for most integers
    elif (to.low is not None and to.low == np.inf) or (to.high is not None and to.high == -np.inf):
        raise RejectError("a bound lies beyond what an absent one stands for")
    elif dtype is DType.DOUBLE and rw.opset() < _CLIP_12:
        raise RejectError("ONNX Runtime clips doubles from version 12 on")
    else:
        result = rw.Clip(x, *(None if b is None else rw.const(np.asarray(b)) for b in to))
    return result


def _joint(made: Array, c: Value, d: Value) -> Array:
    sizes = [v.const.size for v in (c, d) if v.const is not None]
    if made.size > max(sizes):
        raise RejectError("the constant would become larger")
    return made
