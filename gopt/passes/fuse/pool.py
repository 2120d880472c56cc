"""Fusion of Pad into the pool that takes its result."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...ir import DType, Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._affine import dtype_of
from ._pads import own_pads, spatial_pads, with_pads
from ._signs import never_negative

_VALUE = P.opt(P.const("value"))


@rule(
    P.MaxPool(P.Pad("x", P.const(), _VALUE, P.opt(P.const()), mode="constant").as_("pad").shared()).as_("pool"),
    numerics=Numerics.FINITE,
    example=example(
        "(float[1,1,4,4] x) => (float[1,1,3,3] y) "
        "<int64[8] p = {0, 0, 1, 1, 0, 0, 0, 0}> "
        "{ a = Relu(x) b = Pad(a, p) y = MaxPool<kernel_shape = [3, 3]>(b) }"
    ),
)
def pad_max(rw: Rewriter, pool: Op, pad: Op, x: Value, value: Value | None) -> Value:
    """MaxPool(Pad(x, p, value), pads=q) -> MaxPool(x, pads=p+q)

    Applies to pads of the spatial axes whose value cannot be a maximum: the lowest number of the type, or zero where x
    is never negative (a Relu, Sigmoid, Softmax ...); each window then still meets an element of x, because pads stay
    smaller than the kernel, dilations are 1 and ceil_mode is 0.
    """
    if not _is_below(value, x):
        raise RejectError("the padding may be a maximum")
    return _with_pad(rw, pool, pad, x)


@rule(
    P.AveragePool(
        P.Pad("x", P.const(), P.opt(P.const("", 0)), P.opt(P.const()), mode="constant").as_("pad").shared()
    ).as_("pool"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,1,4,4] x) => (float[1,1,3,3] y) "
        "<int64[8] p = {0, 0, 1, 1, 0, 0, 0, 0}> "
        "{ a = Pad(x, p) y = AveragePool<kernel_shape = [3, 3]>(a) }"
    ),
)
def pad_average(rw: Rewriter, pool: Op, pad: Op, x: Value) -> Value:
    """AveragePool(Pad(x, p), pads=q) -> AveragePool(x, pads=p+q, count_include_pad=1)

    Applies to zeros around the spatial axes, to a pool that has no pads of its own or counts them, with ceil_mode 0.
    Without the zeros between them the elements of a window may be added in another order.
    """
    own = own_pads(pool, _spatial(pool))
    if any(own) and not ops.attribute(pool, "count_include_pad"):
        raise RejectError(f"{pool.label} does not count its own pads")
    return _with_pad(rw, pool, pad, x, count_include_pad=1)


def _with_pad(rw: Rewriter, pool: Op, pad: Op, x: Value, **changes: int) -> Value:
    spatial = _spatial(pool)
    if ops.attribute(pool, "ceil_mode"):
        raise RejectError(f"{pool.label} rounds its size up: windows may lie in the padding")
    if any(d != 1 for d in ops.attribute(pool, "dilations") or ()):
        raise RejectError(f"{pool.label} is dilated")
    attrs = with_pads(pool, spatial, spatial_pads(pad, spatial + 2)) | changes
    kernel = ops.attribute(pool, "kernel_shape")
    if any(p >= k for p, k in zip(attrs["pads"], (*kernel, *kernel))):
        raise RejectError("pads must be smaller than the kernel")
    result: Value = rw.op(pool.op_type, x, name=pool.name, **attrs)
    return result


def _spatial(pool: Op) -> int:
    kernel = ops.attribute(pool, "kernel_shape")
    if not kernel:
        raise RejectError(f"{pool.label} has no kernel")
    return len(kernel)


def _is_below(value: Value | None, x: Value) -> bool:
    """True if no element of `x` can be smaller than the constant of one element; None is zero."""
    dtype = dtype_of(x)
    tensor = None if value is None else value.const
    if dtype is None or (tensor is not None and tensor.size != 1):
        return False
    number = 0.0 if tensor is None else float(tensor.item())
    if number <= _lowest(dtype):
        return True
    return number <= 0 and never_negative(x)


def _lowest(dtype: DType) -> float:
    if dtype.is_integer:
        return float(np.iinfo(dtype.numpy).min)
    return float(np.finfo(dtype.numpy).min) if dtype in (DType.FLOAT, DType.DOUBLE, DType.FLOAT16) else -np.inf
