"""Elementwise operators that NPUs lack, by others (ONNX operators Min, Max, Ceil, Mean, Sign, Tan, Sinh, ...)."""

from __future__ import annotations

from functools import reduce

import numpy as np

from ...ir import Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._types import FLOATS

_LARGE = 1024.0


def _of_floats(rw: Rewriter, x: Value) -> None:
    if rw.dtype(x) not in FLOATS:
        raise RejectError("it is not in floating point")


@rule(
    P.op("Min", "Max")("x", P.const("c")),
    numerics=Numerics.FINITE,
    example=example("(float[2,3,4,4] x) => (float[2,3,4,4] y) <float c = {0.5}> { y = Min(x, c) }"),
)
def bound(rw: Rewriter, x: Value, c: Value) -> Value:
    """Max(x, c) -> Clip(x, c), Min(x, c) -> Clip(x, , c)

    Applies to floats and a single number. NPUs clip, and leave the larger of two tensors to the CPU. Exact but for NaN.
    """
    _of_floats(rw, x)
    number, shape = rw.array(c), rw.shape(x)
    if number.size != 1 or shape is None or number.ndim > len(shape) or np.isnan(number).any():
        raise RejectError("it is no single number")
    limit = rw.const(number.reshape(()), like=x)
    result: Value = rw.Clip(x, limit) if rw.root.op_type == "Max" else rw.Clip(x, None, limit)
    return result


@rule(
    P.Min(P.each("xs")),
    numerics=Numerics.FINITE,
    example=example("(float[2,3,4,4] x, float[2,3,4,4] z) => (float[2,3,4,4] y) { y = Min(x, z) }"),
)
def min(rw: Rewriter, xs: tuple[Value, ...]) -> Value:
    """Min(x, z, ...) -> -Max(-x, -z, ...)

    Of floating point, and not with a number, for which there is Clip. Exact: changing a sign rounds nothing.
    """
    _of_floats(rw, xs[0])
    if len(xs) == 2 and any(v.const is not None and v.const.size == 1 for v in xs):
        raise RejectError("it is clipped instead")
    result: Value = rw.Neg(rw.Max(*(rw.Neg(x) for x in xs)))
    return result


@rule(
    P.Ceil("x"),
    numerics=Numerics.FINITE,
    example=example("(float[2,3,4,4] x) => (float[2,3,4,4] y) { y = Ceil(x) }"),
)
def ceil(rw: Rewriter, x: Value) -> Value:
    """Ceil(x) -> -Floor(-x)

    Exact but for the sign of 0.
    """
    result: Value = rw.Neg(rw.Floor(rw.Neg(x)))
    return result


@rule(
    P.Mean(P.each("xs")),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3,4,4] x, float[2,3,4,4] z) => (float[2,3,4,4] y) { y = Mean(x, z) }"),
)
def mean(rw: Rewriter, xs: tuple[Value, ...]) -> Value:
    """Mean(x, z, ...) -> (x + z + ...) / n

    Rounds each sum; a sum may overflow where the mean does not.
    """
    total = reduce(lambda a, b: rw.Add(a, b), xs)
    if len(xs) == 1:
        return total
    result: Value = rw.Mul(total, rw.const(np.asarray(1 / len(xs)), like=xs[0]))
    return result


@rule(
    P.Sign("x"),
    numerics=Numerics.FINITE,
    example=example("(float[2,3,4,4] x) => (float[2,3,4,4] y) { y = Sign(x) }"),
)
def sign(rw: Rewriter, x: Value) -> Value:
    """Sign(x) -> Cast(x > 0) - Cast(x < 0)

    Of floating point. Exact but for NaN.
    """
    _of_floats(rw, x)
    dtype, zero = rw.dtype(x), rw.const(np.asarray(0.0), like=x)
    assert dtype is not None
    result: Value = rw.Sub(rw.Cast(rw.Greater(x, zero), to=int(dtype)), rw.Cast(rw.Less(x, zero), to=int(dtype)))
    return result


@rule(
    P.Tan("x"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3,4,4] x) => (float[2,3,4,4] y) { y = Tan(x) }"),
)
def tan(rw: Rewriter, x: Value) -> Value:
    """Tan(x) -> Sin(x) / Cos(x)

    Rounds sine and cosine.
    """
    result: Value = rw.Div(rw.Sin(x), rw.Cos(x))
    return result


@rule(
    P.op("Sinh", "Cosh")("x"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3,4,4] x) => (float[2,3,4,4] y) { y = Cosh(x) }"),
)
def hyperbolic(rw: Rewriter, x: Value) -> Value:
    """Sinh(x), Cosh(x) -> (Exp(x) -+ Exp(-x)) / 2

    The difference cancels near 0: there Sinh has an absolute error of the size of a rounding of 1.
    """
    up, down = rw.Exp(x), rw.Exp(rw.Neg(x))
    both = rw.Sub(up, down) if rw.root.op_type == "Sinh" else rw.Add(up, down)
    result: Value = rw.Mul(both, rw.const(np.asarray(0.5), like=x))
    return result


@rule(
    P.op("Asinh", "Acosh", "Atanh")("x"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3,4,4] x) => (float[2,3,4,4] y) { y = Asinh(x) }"),
)
def inverse_hyperbolic(rw: Rewriter, x: Value) -> Value:
    """Asinh(x) -> +-Log(|x| + Sqrt(x^2 + 1)); likewise Acosh(x), Atanh(x)

    These are Log(x + Sqrt(x - 1) Sqrt(x + 1)) and Log((1 + x) / (1 - x)) / 2. Near the zero of the function the
    absolute error is that of a rounding of 1; x^2 may overflow where Asinh does not.
    """
    one, half = (rw.const(np.asarray(v), like=x) for v in (1.0, 0.5))
    result: Value
    if rw.root.op_type == "Acosh":
        result = rw.Log(rw.Add(x, rw.Mul(rw.Sqrt(rw.Sub(x, one)), rw.Sqrt(rw.Add(x, one)))))
    elif rw.root.op_type == "Atanh":
        result = rw.Mul(rw.Log(rw.Div(rw.Add(one, x), rw.Sub(one, x))), half)
    else:
        positive = rw.Log(rw.Add(rw.Abs(x), rw.Sqrt(rw.Add(rw.Mul(x, x), one))))
        result = rw.Where(rw.Less(x, rw.const(np.asarray(0.0), like=x)), rw.Neg(positive), positive)
    return result


@rule(
    P.Where("c", "a", "b"),
    numerics=Numerics.FINITE,
    example=example("(bool[1,1] c, float[1,1] x, float[1,1] z) => (float[1,1] y) { y = Where(c, x, z) }"),
)
def where_one(rw: Rewriter, c: Value, a: Value, b: Value) -> Value:
    """Where(c, a, b) -> a Cast(c) + b (1 - Cast(c))

    Applies to single numbers of floating point, on which compilers stumble. Exact for finite numbers: one of the
    products is 0, the other is by 1.
    """
    _of_floats(rw, a)
    shapes = [rw.shape(v) for v in (c, a, b)]
    if any(shape is None or any(dim != 1 for dim in shape) for shape in shapes):
        raise RejectError("it is more than one number")
    dtype = rw.dtype(a)
    assert dtype is not None
    chosen = rw.Cast(c, to=int(dtype))
    other = rw.Sub(rw.const(np.asarray(1.0), like=a), chosen)
    result: Value = rw.Add(rw.Mul(a, chosen), rw.Mul(b, other))
    return result


@rule(
    P.Log(P.Add(P.Mul("x", P.const("c")), P.const("d"))),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[2,3,4,4] x) => (float[2,3,4,4] y) <float c = {1048576.0}, float d = {1.0}> "
        "{ a = Abs(x) m = Mul(a, c) s = Add(m, d) y = Log(s) }"
    ),
)
def log_scaled(rw: Rewriter, x: Value, c: Value, d: Value) -> Value:
    """Log(c x + d) -> Log(x + d / c) + log(c)

    Applies where c is a number beyond 1024 and d is positive: the product does not fit into float16, the sum does.
    Rounds in other places.
    """
    numbers = [rw.array(v) for v in (c, d)]
    if any(n.size != 1 or n.ndim > len(rw.shape(x) or ()) for n in numbers):
        raise RejectError("they are no single numbers")
    scale, offset = (float(n.item()) for n in numbers)
    if scale <= _LARGE or not 0 < offset <= scale:
        raise RejectError("the product is not large, or the sum may be negative")
    inner = rw.Log(rw.Add(x, rw.const(np.asarray(offset / scale), like=x)))
    result: Value = rw.Add(inner, rw.const(np.asarray(np.log(scale)), like=x))
    return result
