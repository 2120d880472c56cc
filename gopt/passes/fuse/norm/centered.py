"""What is left of a normalisation behind a product or convolution: the mean that its weights can be freed of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ....ir import Array, Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ...example import example
from .._affine import FLOATS, dtype_of, rounded, shape_of
from .._reductions import reduced_axes
from .._weights import Kernel, rebuilt

_MANY = 1 << 12
"""Elements of a constant that is not copied for it."""


@rule(
    P.Sub("x", P.ReduceMean("x", ...).as_("mean")).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[N,3] a) => (float[N,4] y) "
        "<float[3,4] w = {1, 2, 3, 4, -1, 2, -3, 4, 5, 5, 6, 7}, float[4] b = {1, 0, 2, 3}> "
        "{ x = Gemm(a, w, b) m = ReduceMean<axes = [-1]>(x) y = Sub(x, m) }",
        13,
    ),
)
def weights(rw: Rewriter, op: Op, mean: Op, x: Value) -> Value:
    """x - ReduceMean(x), where x = a W + b -> a (W - mean of W) + (b - mean of b), both over the outputs

    Applies to Gemm, MatMul and Conv of constant weights and bias, whose outputs are what the mean is taken over, if
    nothing else uses x or the weights, and there is no LayerNormalization for it (17). The mean of sums is the sum of
    means; weights and bias are rounded once.
    """
    shape = shape_of(x)
    if shape is None or not rw.attr(mean, "keepdims") or x.is_output or {use.op for use in x.uses} != {op, mean}:
        raise RejectError("x is used elsewhere, or the mean lacks its dim")
    made = x.producer
    if made is None or made.domain or made.op_type not in _CENTERED:
        raise RejectError("x is made by no product")
    axis = 1 if made.op_type == "Conv" else len(shape) - 1
    if reduced_axes(mean) != (axis,):
        raise RejectError("the mean is taken over something else than the outputs")
    if rw.opset() >= 17 and axis == len(shape) - 1:
        raise RejectError("it may be a LayerNormalization")
    return _CENTERED[made.op_type](rw, made)


def _sum(rw: Rewriter, add: Op) -> Value:
    bias = next((v for v in add.inputs if v is not None and v.const is not None), None)
    product = next((v for v in add.inputs if v is not None and v is not bias), None)
    op = None if product is None else product.producer
    if bias is None or product is None or op is None or product.is_output or not product.has_one_use:
        raise RejectError("it is no sum of a product and a bias")
    if op.op_type != "MatMul" or op.domain or shape_of(product) != shape_of(add.result):
        raise RejectError("it is no sum of a product and a bias")
    centered: Value = rw.Add(_product(rw, op), _constant(rw, bias, -1), name=add.name)
    return centered


def _product(rw: Rewriter, op: Op) -> Value:
    a, w = op.inputs
    if a is None or w is None:
        raise RejectError(f"{op.label} lacks a factor")
    found: Value = rw.MatMul(a, _constant(rw, w, -1), name=op.name)
    return found


def _gemm(rw: Rewriter, op: Op) -> Value:
    a, w, c = op.input(0), op.input(1), op.input(2)
    if a is None or w is None:
        raise RejectError(f"{op.label} lacks a factor")
    weights = _constant(rw, w, 0 if rw.attr(op, "transB") else 1)
    bias = None if c is None else _constant(rw, c, -1)
    found: Value = rw.Gemm(a, weights, bias, name=op.name, **rw.copy_attrs(op))
    return found


def _convolution(rw: Rewriter, op: Op) -> Value:
    kernel = Kernel(op)
    if kernel.group != 1 or kernel.value.const is None:
        raise RejectError(f"{op.label} has groups, or no constant weights")
    bias = op.input(2)
    weights = rounded(_without_mean(kernel.array(), 0), kernel.dtype)
    return rebuilt(rw, op, op.inputs[0], weights, None if bias is None else _constant(rw, bias, -1))


_CENTERED: dict[str, Callable[[Rewriter, Op], Value]] = {
    "Add": _sum,
    "Conv": _convolution,
    "Gemm": _gemm,
    "MatMul": _product,
}


def _constant(rw: Rewriter, value: Value, axis: int) -> Value:
    """A constant less its mean along an axis.

    Raises:
        RejectError: it is none of floating-point numbers, the same for all along the axis, or large and used elsewhere.
    """
    dtype = dtype_of(value)
    if (
        value.const is None
        or dtype is None
        or dtype not in FLOATS
        or (value.use_count > 1 and value.const.size > _MANY)
    ):
        raise RejectError(f"{value!r} is no constant of floating-point numbers")
    array = rw.array(value)
    if not array.ndim or array.shape[axis] < 2:
        raise RejectError(f"{value!r} has not an element for each output")
    return rw.const(rounded(_without_mean(array, axis), dtype), name=value.name)


def _without_mean(array: Array, axis: int) -> Array:
    exact = array.astype(np.float64)
    return np.asarray(exact - exact.mean(axis, keepdims=True))
