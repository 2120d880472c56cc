"""Convolutions: shapes only, they are left to the runtime."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import Dim, DType, Op, Shape, TensorType, Type, Value
from .contents import dims
from .registry import define, shape_rule
from .shapes import fresh, tensor
from .sizes import product
from .spatial import grown, parameters, slid
from .view import attribute


def _convolved(op: Op, data: Value | None, weight: Value | None, dtype: DType | None = None) -> Sequence[Type | None]:
    x, w = tensor(data), tensor(weight)
    if x is None:
        return (None,)
    dtype = x.dtype if dtype is None else dtype
    shape = x.shape if x.shape is not None else None
    if shape is None:
        return (TensorType(dtype, None if w is None or w.shape is None else fresh(len(w.shape))),)
    kernel = _kernel_shape(op, w)
    channels = fresh(1)[0] if w is None or w.shape is None else w.shape[0]
    if kernel is None:
        return (TensorType(dtype, (shape[0], channels, *fresh(len(shape) - 2))),)
    return (TensorType(dtype, (shape[0], channels, *slid(shape[2:], parameters(op, kernel)))),)


def _kernel_shape(op: Op, weight: TensorType | None) -> Sequence[int] | None:
    """The kernel's shape: attribute `kernel_shape`, or that of the weight."""
    given: Sequence[int] | None = attribute(op, "kernel_shape") if "kernel_shape" in op.attrs else None
    if given:
        return given
    if weight is None or weight.shape is None:
        return None
    kernel = [d for d in weight.shape[2:] if isinstance(d, int)]
    return kernel if len(kernel) == len(weight.shape) - 2 else None


@shape_rule("Conv", "DeformConv")
def _conv(op: Op) -> Sequence[Type | None]:
    return _convolved(op, op.inputs[0], op.inputs[1])


@shape_rule("ConvInteger")
def _conv_integer(op: Op) -> Sequence[Type | None]:
    return _convolved(op, op.inputs[0], op.inputs[1], DType.INT32)


@shape_rule("QLinearConv", quantize=True)
def _q_linear_conv(op: Op) -> Sequence[Type | None]:
    zero_point = tensor(op.inputs[7])
    if zero_point is None:
        return (None,)
    return _convolved(op, op.inputs[0], op.inputs[3], zero_point.dtype)


define("ConvInteger", quantize=True)


@shape_rule("ConvTranspose")
def _conv_transpose(op: Op) -> Sequence[Type | None]:
    x, w = tensor(op.inputs[0]), tensor(op.inputs[1])
    if x is None:
        return (None,)
    if x.shape is None:
        return (TensorType(x.dtype, None if w is None or w.shape is None else fresh(len(w.shape))),)
    channels: Dim = fresh(1)[0]
    if w is not None and w.shape is not None:
        channels = product((w.shape[1], attribute(op, "group")))
    return (TensorType(x.dtype, (x.shape[0], channels, *_transposed_sizes(op, x.shape[2:], w))),)


def _transposed_sizes(op: Op, sizes: Shape, weight: TensorType | None) -> Sequence[Dim]:
    asked: Sequence[int] | None = attribute(op, "output_shape")
    if asked:
        # Some files give the whole shape, batch and channels included.
        return dims(asked[-len(sizes) :]) if len(asked) in (len(sizes), len(sizes) + 2) else fresh(len(sizes))
    kernel = _kernel_shape(op, weight)
    if kernel is None:
        return fresh(len(sizes))
    padding = attribute(op, "output_padding") or (0,) * len(sizes)
    return grown(sizes, parameters(op, kernel), padding)
