"""Reductions and running sums (ONNX operators Reduce*, ArgMax, ArgMin, CumSum, CumProd): shape rules and kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ir import Array, Dim, DType, Op, Symbol, TensorType, Type
from .evaluate import Call, NoKernel
from .numeric import is_float, limits, widened
from .registry import define, kernel, shape_rule
from .shapes import axis_of, same_as_first, tensor, typed
from .view import attribute, has_operand, ints


def reduce_rule(op: Op) -> Sequence[Type | None]:
    """Shape rule of Reduce*: the axes go, or become 1; no axes mean all, or with `noop_with_empty_axes` none."""
    x = tensor(op.inputs[0])
    if x is None:
        return ()
    if x.shape is None:
        return (x,)
    axes, keep = ints(op, "axes"), attribute(op, "keepdims")
    if axes is None and has_operand(op, "axes"):
        return (TensorType(x.dtype, _some_reduced(op, x.shape, bool(keep))),)
    return (typed(x, x.dtype, _reduced(x.shape, axes, bool(keep), bool(attribute(op, "noop_with_empty_axes")))),)


def _reduced(shape: tuple[Dim, ...], axes: tuple[int, ...] | None, keep: bool, noop: bool) -> tuple[Dim, ...]:
    if not axes and noop:
        return shape
    rank = len(shape)
    gone = {axis_of(a, rank) for a in axes} if axes else set(range(rank))
    if keep:
        return tuple([1 if k in gone else d for k, d in enumerate(shape)])
    return tuple([d for k, d in enumerate(shape) if k not in gone])


def _some_reduced(op: Op, shape: tuple[Dim, ...], keep: bool) -> tuple[Dim, ...] | None:
    """The axes are computed: kept dims are 1 or what they were; how many go is known from the number of axes."""
    if keep:
        return tuple([d if d == 1 else Symbol() for d in shape])
    axes = tensor(op.inputs[1])
    if axes is None or axes.size is None or axes.size == 0 or axes.size > len(shape):
        return None
    return tuple([Symbol() for _ in range(len(shape) - axes.size)])


def _reduction(function: Callable[[Array, tuple[int, ...]], Any]) -> Callable[[Call], Array]:
    """The kernel of a reduction: `function(x, axes)` keeps the reduced dims as 1."""

    def run(call: Call) -> Array:
        x, axes = call[0], call.ints(1)
        if not axes and call.attribute("noop_with_empty_axes"):
            # Not even |x| or x * x is taken (the clause of ReduceSum: "acts as an identity"); runtimes differ in that.
            if call.op.op_type not in _IDENTITY_OF_ONE:
                raise NoKernel(f"{call.op.label} over no axes")
            return x
        chosen = tuple(sorted({axis_of(a, x.ndim) for a in axes})) if axes else tuple(range(x.ndim))
        result = np.asarray(function(widened(x), chosen))
        if not call.attribute("keepdims"):
            result = result.reshape([d for k, d in enumerate(x.shape) if k not in chosen])
        return result.astype(x.dtype, copy=False)

    return run


_IDENTITY_OF_ONE = ("ReduceSum", "ReduceProd", "ReduceMean", "ReduceMax", "ReduceMin")


def _exactly(x: Array, axes: tuple[int, ...], fold: Any) -> Array:
    """`fold` of integers in double. Runtimes wrap, saturate or round what no longer fits, so that is refused."""
    numbers = x.astype(np.float64)
    most = fold(np.maximum(np.abs(numbers), 1), axis=axes, keepdims=True)
    if not bool(np.all(most <= min(_EXACT, limits(x.dtype)[1]))):
        raise NoKernel("integers that may overflow")
    return np.asarray(fold(numbers, axis=axes, keepdims=True))


_EXACT = 1 << 53


def _total(x: Array, axes: tuple[int, ...]) -> Any:
    return np.sum(x, axis=axes, keepdims=True, dtype=x.dtype) if is_float(x) else _exactly(x, axes, np.sum)


def _product(x: Array, axes: tuple[int, ...]) -> Any:
    return np.prod(x, axis=axes, keepdims=True, dtype=x.dtype) if is_float(x) else _exactly(x, axes, np.prod)


def _mean(x: Array, axes: tuple[int, ...]) -> Any:
    """Of integers the truncated quotient; of nothing, runtimes differ."""
    count = int(np.prod([x.shape[a] for a in axes], dtype=np.int64))
    if not count:
        raise NoKernel("the mean of nothing")
    total = _total(x, axes)
    return total / np.asarray(count, x.dtype) if is_float(x) else np.trunc(total / count)


def _l1(x: Array, axes: tuple[int, ...]) -> Any:
    if is_float(x):
        return _total(np.abs(x), axes)
    _exactly(x, axes, np.sum)
    return np.sum(np.abs(x.astype(np.float64)), axis=axes, keepdims=True)


def _l2(x: Array, axes: tuple[int, ...]) -> Any:
    """Of integers truncated."""
    return np.sqrt(_sum_square(x, axes))


def _sum_square(x: Array, axes: tuple[int, ...]) -> Any:
    if is_float(x):
        return _total(x * x, axes)
    if bool(np.any(np.abs(x.astype(np.float64)) > 1 << 26)):
        raise NoKernel("integers whose squares may overflow")
    squares = np.square(x.astype(np.int64))
    if bool(np.any(np.sum(squares.astype(np.float64), axis=axes) > min(_EXACT, limits(x.dtype)[1]))):
        raise NoKernel("integers whose squares may overflow")
    return np.sum(squares, axis=axes, keepdims=True)


def _log_sum(x: Array, axes: tuple[int, ...]) -> Any:
    _floats_only(x)
    return np.log(_total(x, axes))


def _log_sum_exp(x: Array, axes: tuple[int, ...]) -> Any:
    """Shifted by the maximum, so that exp does not overflow; an infinite maximum is not subtracted."""
    _floats_only(x)
    if not x.size:
        return np.log(_total(x, axes))
    highest = np.max(x, axis=axes, keepdims=True)
    shift = np.where(np.isfinite(highest), highest, np.zeros_like(highest))
    return np.log(_total(np.exp(x - shift), axes)) + shift


def _floats_only(x: Array) -> None:
    if not is_float(x):
        raise NoKernel("the logarithm of integers")


def _maximum(x: Array, axes: tuple[int, ...]) -> Any:
    return np.max(x, axis=axes, keepdims=True, initial=_edge(x, axes, low=True))


def _minimum(x: Array, axes: tuple[int, ...]) -> Any:
    return np.min(x, axis=axes, keepdims=True, initial=_edge(x, axes, low=False))


def _edge(x: Array, axes: tuple[int, ...], low: bool) -> Any:
    """What the maximum (minimum) of nothing is: minus (plus) infinity, the lowest (highest) integer."""
    if x.dtype.kind == "b":
        return not low
    if is_float(x):
        return x.dtype.type(-np.inf if low else np.inf)
    return limits(x.dtype)[0 if low else 1]


_REDUCTIONS: dict[str, Callable[[Array, tuple[int, ...]], Any]] = {
    "ReduceL1": _l1,
    "ReduceL2": _l2,
    "ReduceLogSum": _log_sum,
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceMax": _maximum,
    "ReduceMean": _mean,
    "ReduceMin": _minimum,
    "ReduceProd": _product,
    "ReduceSum": _total,
    "ReduceSumSquare": _sum_square,
}
for _name, _function in _REDUCTIONS.items():
    define(_name, infer=reduce_rule, kernel=_reduction(_function))


@shape_rule("ArgMax", "ArgMin")
def arg_rule(op: Op) -> Sequence[Type | None]:
    """64-bit indices; the axis goes, or becomes 1."""
    x = tensor(op.inputs[0])
    if x is None or x.shape is None:
        return (TensorType(DType.INT64),)
    axes = (attribute(op, "axis"),)
    return (TensorType(DType.INT64, _reduced(x.shape, axes, bool(attribute(op, "keepdims")), False)),)


@kernel("ArgMax", "ArgMin")
def arg_extreme(call: Call) -> Array:
    """Index of the first (`select_last_index`: the last) extreme along the axis; with NaN runtimes differ."""
    x = widened(call[0])
    axis = axis_of(call.attribute("axis"), x.ndim)
    if not x.shape[axis] or (is_float(x) and bool(np.isnan(x).any())):
        raise NoKernel("the extreme of nothing, or of NaN")
    find = np.argmax if call.op.op_type == "ArgMax" else np.argmin
    if call.attribute("select_last_index"):
        result = x.shape[axis] - 1 - find(np.flip(x, axis), axis=axis)
    else:
        result = find(x, axis=axis)
    result = np.asarray(result, np.int64)
    return np.expand_dims(result, axis) if call.attribute("keepdims") else result


@kernel("CumSum", "CumProd")
def cumulate(call: Call) -> Array:
    """Running sum or product along the axis; `exclusive` leaves the element itself out, `reverse` runs backwards."""
    x, axes = call[0], call.ints(1)
    if axes is None or len(axes) != 1:
        raise NoKernel(f"{call.op.label} needs one axis")
    axis = axis_of(axes[0], x.ndim)
    summing = call.op.op_type == "CumSum"
    run = widened(x)
    if call.attribute("reverse"):
        run = np.flip(run, axis)
    if call.attribute("exclusive"):
        neutral = np.full_like(np.take(run, [0], axis), 0 if summing else 1) if run.shape[axis] else run
        run = np.concatenate([neutral, np.delete(run, -1, axis)], axis) if run.shape[axis] else run
    run = np.cumsum(run, axis, dtype=run.dtype) if summing else np.cumprod(run, axis, dtype=run.dtype)
    if call.attribute("reverse"):
        run = np.flip(run, axis)
    return run.astype(x.dtype, copy=False)


for _name in ("CumSum", "CumProd"):
    define(_name, infer=same_as_first)
