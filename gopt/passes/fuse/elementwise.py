"""Chains of constant Add, Sub, Mul, Div and Neg become as few ops as can compute them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir import Array, Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._affine import FLOATS, Affine, affine_of, dtype_of, elements, fits, rounded, shape_of, step

_chain = step(step("x")) | step(step(step("x")))
# Bits of the significand: a sum of that magnitude rounds what it is added to.
_BITS = {"FLOAT": 23, "DOUBLE": 52, "FLOAT16": 10, "BFLOAT16": 7}


@rule(
    _chain,
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3] x) => (float[3] y) <float c = {2}, float d = {3}> { a = Add(x, c) b = Mul(a, d) y = Sub(b, c) }"
    ),
)
def affine(rw: Rewriter, x: Value) -> Value:
    """((x * a) + b) * c + ... -> x * p + q, without the product or the sum where p is 1 or q is 0

    Applies to two or three Add, Sub, Mul, Div (by a constant) and Neg of floating-point numbers if fewer ops come of
    it and no constant becomes larger than the largest of the chain. Broadcasting is associative, so that the shape is
    the same. Constants are composed in float64 and rounded once.
    """
    dtype = dtype_of(x)
    if dtype not in FLOATS or dtype is None:
        raise RejectError("the chain is not of floating-point numbers")
    chain = _steps(rw.root, x)
    whole, largest = Affine(), 1
    data = x
    for op in chain:
        one = affine_of(op, data)
        largest = max(largest, *(a.size for a in (one.scale, one.shift) if a is not None))
        before, whole = whole, whole.then(one)
        _refuse_rounding_trick(before, whole, _BITS[dtype.name])
        data = op.result
    scale = None if whole.scale is None else rounded(whole.scale, dtype, is_factor=True)
    shift = None if whole.shift is None else rounded(whole.shift, dtype)
    return _emit(rw, x, scale, shift, len(chain), largest)


@rule(
    _chain,
    numerics=Numerics.EXACT,
    example=example("(int64[3] x) => (int64[3] y) <int64 c = {2}, int64 d = {3}> { a = Mul(x, c) y = Mul(a, d) }"),
)
def integer_affine(rw: Rewriter, x: Value) -> Value:
    """((x * a) + b) * c + ... -> x * p + q of integers

    Applies as `affine` does, to Add, Sub, Mul and Neg: arithmetic modulo a power of two is that of a ring, so that
    overflow makes no difference.
    """
    dtype = dtype_of(x)
    if dtype is None or not dtype.is_integer or dtype.bits < 8:
        raise RejectError("the chain is not of integers")
    chain = _steps(rw.root, x)
    whole, largest = Affine(), 1
    data = x
    for op in chain:
        one = _integer_step(op, data, dtype.numpy)
        largest = max(largest, *(a.size for a in (one.scale, one.shift) if a is not None))
        with np.errstate(over="ignore"):
            whole = whole.then(one)
        data = op.result
    return _emit(rw, x, whole.scale, whole.shift, len(chain), largest)


@rule(
    P.Add(P.Add(P.Add("x", P.const("c")), "y"), P.const("d")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3] x, float[3] z) => (float[3] y) <float c = {2}, float d = {3}> "
        "{ a = Add(x, c) b = Add(z, a) y = Add(b, d) }"
    ),
)
def constants_of_sum(rw: Rewriter, x: Value, y: Value, c: Value, d: Value) -> Value:
    """((x + c) + y) + d -> (x + (c + d)) + y

    Applies to floating-point numbers if the new constant is no larger than the larger of the two. Computed in float64,
    rounded once.
    """
    dtype = dtype_of(x)
    if dtype not in FLOATS or dtype is None or y.const is not None:
        raise RejectError("the sum is not of floating-point numbers, or another constant is nearer")
    before, after = Affine(None, elements(c)), Affine(None, elements(d))
    whole = before.then(after).shift
    assert whole is not None
    if whole.size > max(elements(c).size, elements(d).size):
        raise RejectError("the constant would become larger")
    _refuse_rounding_trick(before, Affine(None, whole), _BITS[dtype.name])
    result: Value = rw.Add(rw.Add(x, rw.const(rounded(whole, dtype), name=c.name)), y)
    return result


@rule(
    (P.Mul | P.Div)(P.Div(P.const("c"), "x").as_("inner"), P.const("d"))
    | P.Div(P.const("d"), (P.Mul | P.Div)("x", P.const("c")).as_("inner"))
    | P.Div(P.const("d"), P.Div(P.const("c"), "x").as_("inner")),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x) => (float[3] y) <float c = {2}, float d = {3}> { a = Div(c, x) y = Mul(a, d) }"),
)
def quotient(rw: Rewriter, inner: Op, x: Value, c: Value, d: Value) -> Value:
    """(c / x) * d -> (c * d) / x; d / (x * c) -> (d / c) / x; likewise (c / x) / d, d / (x / c) and d / (c / x)

    Applies to floating-point constants without zeros if the new one is no larger than the larger of them. Computed in
    float64, rounded once.
    """
    dtype, root = dtype_of(x), rw.root
    assert root is not None
    first, second = elements(c), elements(d)
    if dtype not in FLOATS or dtype is None or not first.all() or not second.all():
        raise RejectError("a constant is zero")
    inner_divides, root_divides = _divides(inner, c), _divides(root, d)
    with np.errstate(over="ignore"):
        if inner_divides and not root_divides:
            made = first * second if root.op_type == "Mul" else first / second
        elif inner_divides or inner.op_type == "Mul":
            made = second / first
        else:
            made = second * first
    if made.size > max(first.size, second.size):
        raise RejectError("the constant would become larger")
    constant = rw.const(rounded(made, dtype, is_factor=True), name=d.name)
    result: Value = rw.Mul(x, constant) if inner_divides and root_divides else rw.Div(constant, x)
    return result


def _divides(op: Op, constant: Value) -> bool:
    return op.op_type == "Div" and op.inputs[0] is constant


def _steps(root: Op | None, x: Value) -> list[Op]:
    """The ops of a chain from `x` down to the root; the pattern made sure that it is one."""
    chain: list[Op] = []
    op = root
    while op is not None:
        chain.append(op)
        if x in op.inputs:
            break
        op = next((v.producer for v in op.inputs if v is not None and v.const is None), None)
    return chain[::-1]


def _refuse_rounding_trick(before: Affine, after: Affine, bits: int) -> None:
    """Adding a large number and taking it away again is how some models round: that must stay."""
    if before.shift is None or after.shift is None:
        return
    scale = 1.0 if before.scale is None else _largest(before.scale)
    high, low = _largest(before.shift), _largest(after.shift)
    grown = 1.0 if before.scale is None or after.scale is None else _largest(after.scale) / max(scale, 1e-300)
    if high >= min(scale, 1.0) * 2.0 ** (bits - 1) and low < high * grown / 2:
        raise RejectError("a large number is added and taken away again")


def _largest(array: Array) -> float:
    """The largest magnitude, 0 if there are no elements."""
    return float(np.abs(array).max(initial=0.0))


def _integer_step(op: Op, data: Value, dtype: np.dtype[np.generic]) -> Affine:
    minus = _minus_one(dtype)
    with np.errstate(over="ignore"):
        if op.op_type == "Neg":
            return Affine(minus)
        slot = 0 if op.inputs[0] is data else 1
        value = op.inputs[1 - slot]
        tensor = None if value is None else value.const
        if tensor is None or op.op_type == "Div":
            raise RejectError("integers are not divided together")
        constant = tensor.numpy()
        if op.op_type == "Mul":
            return Affine(constant)
        if op.op_type == "Add":
            return Affine(None, constant)
        return Affine(None, np.asarray(constant * minus)) if slot == 0 else Affine(minus, constant)


def _minus_one(dtype: np.dtype[Any]) -> Array:
    """-1, for unsigned integers the largest number."""
    with np.errstate(over="ignore"):
        return np.asarray(np.zeros((), dtype) - np.ones((), dtype))


def _emit(rw: Rewriter, x: Value, scale: Array | None, shift: Array | None, length: int, largest: int) -> Value:
    """The fewest ops for x * scale + shift; rejected if they are no fewer than `length`."""
    shape = np.broadcast_shapes(*(a.shape for a in (scale, shift) if a is not None))
    has_scale = scale is not None and bool((scale != 1).any())
    has_shift = shift is not None and bool(shift.any())
    negates = has_shift and scale is not None and bool((scale == _minus_one(scale.dtype)).all())
    if (has_scale and not negates) + has_shift >= length:
        raise RejectError("it would take as many ops")
    if not has_scale and not has_shift:
        if not fits(shape, shape_of(x)):
            raise RejectError("the constants may enlarge the result")
        return x
    if not (has_scale and has_shift) or negates:
        # What is left out leaves its shape behind.
        scale = None if scale is None else np.broadcast_to(scale, shape)
        shift = None if shift is None else np.broadcast_to(shift, shape)
    if any(a is not None and a.size > largest for a in (scale, shift)):
        raise RejectError("a constant would become larger")
    result = x
    if negates and shift is not None:
        result = rw.Sub(rw.const(shift, name="shift"), x)
    else:
        if has_scale and scale is not None:
            result = rw.Mul(x, rw.const(scale, name="scale"))
        if has_shift and shift is not None:
            result = rw.Add(result, rw.const(shift, name="shift"))
    return result
