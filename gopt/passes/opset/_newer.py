"""Ops that the target lacks, said in operators that it has.

Each function gets a builder for the target and the op, and returns the results. Sources: the operators' own texts and
function bodies (Operators.md of ONNX).
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt
from typing import Any

from ...ir import DType, Op, Value
from ...ops import NotAvailable, attribute
from ...rewrite import Numerics
from . import _movement
from ._older import normalized_groups
from ._stage import Made, Results, Stage, Target

_HALF = (DType.FLOAT16, DType.BFLOAT16)


def decomposed(op: Op, target: Target) -> Made | None:
    """What stands for an op that the target lacks; None if nothing of ours does.

    Raises:
        NotAvailable: it cannot be said at the target.
    """
    entry = _NEWER.get(op.op_type)
    if entry is None:
        return None
    stage = Stage(op, target)
    results = entry[0](stage, op)
    return None if results is None else stage.made(results, entry[1])


# -- activations -----------------------------------------------------------------------------------------------------


def _gelu(rw: Stage, op: Op) -> Results:
    """Gelu(x) -> x / 2 * (1 + Erf(x / Sqrt(2))), or x / 2 * (1 + Tanh(Sqrt(2 / pi) * (x + 0.044715 * x^3)))"""
    x = rw.operand(0)
    if attribute(op, "approximate") == "tanh":
        cube = rw.Mul(rw.Mul(x, x), x)
        inner = rw.Add(x, rw.Mul(cube, rw.scalar(0.044715, x)))
        gate = rw.Tanh(rw.Mul(inner, rw.scalar(sqrt(2 / pi), x)))
    else:
        gate = rw.Erf(rw.Div(x, rw.scalar(sqrt(2), x)))
    return rw.Mul(rw.Mul(x, rw.scalar(0.5, x)), rw.Add(gate, rw.scalar(1, x)))


def _hard_swish(rw: Stage, op: Op) -> Results:
    """HardSwish(x) -> x * HardSigmoid(x, 1/6, 1/2)"""
    x = rw.operand(0)
    return rw.Mul(x, rw.HardSigmoid(x, alpha=1 / 6, beta=0.5))


def _mish(rw: Stage, op: Op) -> Results:
    """Mish(x) -> x * Tanh(Softplus(x))"""
    x = rw.operand(0)
    return rw.Mul(x, rw.Tanh(rw.Softplus(x)))


def _swish(rw: Stage, op: Op) -> Results:
    """Swish(x) -> x * Sigmoid(alpha * x)"""
    x, alpha = rw.operand(0), attribute(op, "alpha")
    return rw.Mul(x, rw.Sigmoid(x if alpha == 1 else rw.Mul(x, rw.scalar(alpha, x))))


def _celu(rw: Stage, op: Op) -> Results:
    """Celu(x) -> alpha * Elu(x / alpha)"""
    x, alpha = rw.operand(0), attribute(op, "alpha")
    if alpha == 1:
        return rw.Elu(x, alpha=1.0)
    return rw.Mul(rw.Elu(rw.Div(x, rw.scalar(alpha, x)), alpha=1.0), rw.scalar(alpha, x))


# -- normalization ---------------------------------------------------------------------------------------------------


def _layer_norm(rw: Stage, op: Op) -> Results:
    """LayerNormalization(x) -> (x - Mean(x)) / Sqrt(Mean((x - Mean(x))^2) + e) * scale + bias"""
    x, scale, bias = rw.operand(0), rw.operand(1), rw.optional(2)
    wide, axes = _widened(rw, op, x), _axes_from(rw, x, attribute(op, "axis"))
    mean = rw.ReduceMean(wide, axes, keepdims=1)
    centred = rw.Sub(wide, mean)
    inverse = _inverse_deviation(rw, centred, axes, attribute(op, "epsilon"))
    done = rw.Mul(_narrowed(rw, rw.Mul(centred, inverse), x), scale)
    done = done if bias is None else rw.Add(done, bias)
    given: list[Value | None] = [done, mean, inverse][: len(op.outputs)]
    if rw.element(wide) is not DType.FLOAT and any(v is not None for v in op.outputs[1:]):
        raise NotAvailable("mean and deviation are wanted in another type")
    return [new if old is not None else None for old, new in zip(op.outputs, given)]


def _rms_norm(rw: Stage, op: Op) -> Results:
    """RMSNormalization(x) -> x / Sqrt(Mean(x^2) + e) * scale"""
    x, scale = rw.operand(0), rw.operand(1)
    wide, axes = _widened(rw, op, x), _axes_from(rw, x, attribute(op, "axis"))
    inverse = _inverse_deviation(rw, wide, axes, attribute(op, "epsilon"))
    return rw.Mul(_narrowed(rw, rw.Mul(wide, inverse), x), scale)


def _widened(rw: Stage, op: Op, x: Value) -> Any:
    """The operand as floats, if the op is to compute its statistics so (`stash_type`)."""
    if attribute(op, "stash_type") != 1 or rw.element(x) not in _HALF:
        return x
    return rw.Cast(x, to=int(DType.FLOAT))


def _narrowed(rw: Stage, value: Value, like: Value) -> Any:
    if rw.element(value) is rw.element(like):
        return value
    return rw.Cast(value, to=int(rw.element(like)))


def _axes_from(rw: Stage, x: Value, axis: int) -> list[int]:
    return list(range(axis, 0)) if axis < 0 else list(range(axis, rw.rank(x)))


def _inverse_deviation(rw: Stage, x: Value, axes: list[int], epsilon: float) -> Any:
    variance = rw.ReduceMean(rw.Mul(x, x), axes, keepdims=1)
    return rw.Reciprocal(rw.Sqrt(rw.Add(variance, rw.scalar(epsilon, x))))


def _group_norm(rw: Stage, op: Op) -> Results:
    """GroupNormalization(x) -> InstanceNormalization(Reshape(x, [0, groups, -1])) * scale + bias, per channel"""
    x, scale, bias = rw.operand(0), rw.operand(1), rw.operand(2)
    wide, groups, rank = _widened(rw, op, x), attribute(op, "num_groups"), rw.rank(x)
    dtype = rw.element(wide)
    ones, zeros = rw.const([1] * groups, dtype, "ones"), rw.const([0] * groups, dtype, "zeros")
    done = _narrowed(rw, normalized_groups(rw, wide, groups, ones, zeros, attribute(op, "epsilon")), x)
    if rank > 2:
        behind = list(range(1, rank - 1))
        scale, bias = rw.Unsqueeze(scale, behind), rw.Unsqueeze(bias, behind)
    return rw.Add(rw.Mul(done, scale), bias)


def _softmax(rw: Stage, op: Op) -> Results:
    """f(x, axis) -> Transpose(f(Transpose(x), last axis)); below 13 all dims from the axis on are taken together"""
    x, axis = rw.operand(0), attribute(op, "axis")
    rank = rw.rank(x)
    axis %= rank
    perm = list(range(rank))
    perm[axis], perm[-1] = perm[-1], perm[axis]
    return rw.Transpose(rw.op(op.op_type, rw.Transpose(x, perm=perm), axis=rank - 1), perm=perm)


# -- logic, bounds and casts -----------------------------------------------------------------------------------------


def _or_equal(rw: Stage, op: Op) -> Results:
    """GreaterOrEqual(a, b) -> Or(Greater(a, b), Equal(a, b)); LessOrEqual likewise"""
    a, b = rw.operand(0), rw.operand(1)
    return rw.Or(rw.op(op.op_type.removesuffix("OrEqual"), a, b), rw.Equal(a, b))


def _clip(rw: Stage, op: Op) -> Results:
    """Clip(x, lo, hi) -> Min(Max(x, lo), hi), where bounds are computed but were attributes"""
    x, low, high = rw.operand(0), rw.optional(1), rw.optional(2)
    if low is not None:
        x = rw.Max(x, low)
    return x if high is None else rw.Min(x, high)


def _extreme_of_integers(rw: Stage, op: Op) -> Results:
    """Max, Min of integers (since 12) -> Where(Greater(a, b), a, b), Where(Less(a, b), a, b)"""
    found = rw.operand(0)
    if not rw.element(found).is_integer or len(op.inputs) < 2:
        raise NotAvailable(f"{op.op_type} of this type")
    for place in range(1, len(op.inputs)):
        other = rw.operand(place)
        test = rw.op("Greater" if op.op_type == "Max" else "Less", found, other)
        found = rw.Where(test, found, other)
    return found


def _cast_like(rw: Stage, op: Op) -> Results:
    """CastLike(x, like) -> Cast(x) to the type of like"""
    x, like = rw.operand(0), rw.operand(1)
    return rw.Cast(x, to=int(rw.element(like)))


def _is_inf(rw: Stage, op: Op) -> Results:
    """IsInf(x) -> IsInf(Cast(x)): what is infinite stays so in a wider type"""
    x = rw.operand(0)
    if rw.element(x) not in _HALF:
        raise NotAvailable("IsInf of this type")
    keywords = {n: attribute(op, n) for n in ("detect_negative", "detect_positive")}
    return rw.IsInf(rw.Cast(x, to=int(DType.FLOAT)), **keywords)


def _extreme(rw: Stage, op: Op) -> Results:
    """ReduceMax, ReduceMin of BOOL (since 20) -> the same of 0 and 1"""
    x = rw.operand(0)
    if rw.element(x) is not DType.BOOL:
        return _reduce_nothing(rw, op)
    keywords = {n: attribute(op, n) for n in ("keepdims", "noop_with_empty_axes")}
    found = rw.op(op.op_type, rw.Cast(x, to=int(DType.UINT8)), rw.optional(1), **keywords)
    return rw.Cast(found, to=int(DType.BOOL))


def _reduce_nothing(rw: Stage, op: Op) -> Results:
    """A reduction over no axes, if the op says that none are none and not all: x"""
    if not attribute(op, "noop_with_empty_axes") or rw.optional(1) is not None:
        raise NotAvailable(f"{op.op_type} with computed axes")
    return rw.Identity(rw.operand(0))


def _power(rw: Stage, op: Op) -> Results:
    """Pow(x, y) of two types (since 12) -> Pow(x, Cast(y))"""
    x, y = rw.operand(0), rw.operand(1)
    if not rw.element(x).is_float or rw.element(x) is rw.element(y):
        raise NotAvailable("Pow of these types")
    return rw.Pow(x, rw.Cast(y, to=int(rw.element(x))))


# -- products -------------------------------------------------------------------------------------------------------


def _gemm(rw: Stage, op: Op) -> Results:
    """Gemm without C (since 11) -> Gemm with a C of 0"""
    a, b = rw.operand(0), rw.operand(1)
    if rw.optional(2) is not None:
        raise NotAvailable("this form of Gemm")
    keywords = {n: attribute(op, n) for n in ("alpha", "beta", "transA", "transB")}
    return rw.Gemm(a, b, rw.const([0], rw.element(a)), **keywords)


_Adapter = Callable[[Stage, Op], Results]

_NEWER: dict[str, tuple[_Adapter, Numerics]] = {
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), (_softmax, Numerics.ROUNDING)),
    **dict.fromkeys(("GreaterOrEqual", "LessOrEqual"), (_or_equal, Numerics.EXACT)),
    **dict.fromkeys(("Max", "Min"), (_extreme_of_integers, Numerics.EXACT)),
    **dict.fromkeys(("ReduceMax", "ReduceMin"), (_extreme, Numerics.EXACT)),
    **dict.fromkeys(("ReduceSum", "ReduceMean", "ReduceProd"), (_reduce_nothing, Numerics.EXACT)),
    **dict.fromkeys(("Scatter", "ScatterElements"), (_movement.scatter_elements, Numerics.EXACT)),
    "CastLike": (_cast_like, Numerics.EXACT),
    "Celu": (_celu, Numerics.ROUNDING),
    "Clip": (_clip, Numerics.FINITE),
    "Gelu": (_gelu, Numerics.ROUNDING),
    "Gemm": (_gemm, Numerics.FINITE),
    "GroupNormalization": (_group_norm, Numerics.ROUNDING),
    "HardSwish": (_hard_swish, Numerics.ROUNDING),
    "IsInf": (_is_inf, Numerics.EXACT),
    "LayerNormalization": (_layer_norm, Numerics.ROUNDING),
    "Mish": (_mish, Numerics.ROUNDING),
    "Pow": (_power, Numerics.ROUNDING),
    "RMSNormalization": (_rms_norm, Numerics.ROUNDING),
    "Reshape": (_movement.reshape, Numerics.EXACT),
    "Resize": (_movement.resize, Numerics.ROUNDING),
    "Shape": (_movement.shape, Numerics.EXACT),
    "Swish": (_swish, Numerics.ROUNDING),
    "Trilu": (_movement.trilu, Numerics.EXACT),
}
