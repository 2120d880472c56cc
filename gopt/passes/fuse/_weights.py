"""Constant maps of a convolution's input or output channels, as maps of its weights.

Conv has weights [outputs, inputs / group, kernel...], ConvTranspose [inputs, outputs / group, kernel...]; group g of
the inputs meets group g of the outputs (operators Conv and ConvTranspose).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...ir import Array, Op, Value
from ...rewrite import RejectError, Rewriter
from ._affine import FLOATS, Affine, dtype_of, elements, multiplied, rounded, shape_of, spread


class Kernel:
    """The weights of a Conv or ConvTranspose, which need not be constant.

    Attributes:
        op: the convolution.
        rank: number of dims of its operand and of the weights.
        group: number of groups.
        inputs, outputs: number of channels.
        dtype: element type.
    """

    def __init__(self, op: Op) -> None:
        """Read the weights' shape.

        Raises:
            RejectError: it is not known, or the type is no floating-point one that can be folded into.
        """
        weights = op.inputs[1]
        shape = None if weights is None else shape_of(weights)
        dtype = None if weights is None else dtype_of(weights)
        if weights is None or shape is None or len(shape) < 3 or not all(isinstance(d, int) and d > 0 for d in shape):
            raise RejectError(f"the shape of the weights of {op.label} is not known")
        if dtype not in FLOATS or dtype is None:
            raise RejectError(f"the weights of {op.label} are of no type that can be folded into")
        sizes: tuple[int, ...] = tuple(d for d in shape if isinstance(d, int))
        self.op = op
        self.value = weights
        self.dtype = dtype
        self.rank = len(sizes)
        self.sizes = sizes
        self.group: int = ops.attribute(op, "group")
        self.is_transposed = op.op_type == "ConvTranspose"
        if self.is_transposed:
            self.inputs, self.outputs = sizes[0], sizes[1] * self.group
        else:
            self.inputs, self.outputs = sizes[1] * self.group, sizes[0]
        if self.group < 1 or self.inputs % self.group or self.outputs % self.group:
            raise RejectError(f"the channels of {op.label} can't be parted into {self.group} groups")

    def array(self) -> Array:
        """The weights.

        Raises:
            RejectError: they are not constant.
        """
        tensor = self.value.const
        if tensor is None:
            raise RejectError(f"the weights of {self.op.label} are not constant")
        return tensor.numpy()

    def scale_outputs(self, factor: Array) -> Array:
        """Weights with which output channel c is `factor[c]` times as large; a factor of length 1 goes for all."""
        return self._scaled(factor, self.outputs, self.is_transposed)

    def scale_inputs(self, factor: Array) -> Array:
        """Weights for which input channel c may be left without its factor `factor[c]`."""
        return self._scaled(factor, self.inputs, not self.is_transposed)

    def _scaled(self, factor: Array, channels: int, is_second: bool) -> Array:
        """Scale along the dim of all channels, or along the dim of those of a group."""
        weights = self.array()
        if len(factor) not in (1, channels):
            raise RejectError(f"{len(factor)} factors for {channels} channels")
        shape: tuple[int, ...]
        view: Array
        if len(factor) == 1:
            view, shape = weights.reshape(1, -1), (1, 1)
        elif is_second:
            size = self.sizes[1]
            view = weights.reshape(self.group, self.sizes[0] // self.group, size, -1)
            shape = (self.group, 1, size, 1)
        else:
            view, shape = weights.reshape(channels, -1), (channels, 1)
        return multiplied(view, factor.reshape(shape), self.dtype).reshape(weights.shape)

    def response(self, level: Array) -> Array:
        """What a convolution without padding adds to each output channel if input channel c is raised by `level[c]`.

        Raises:
            RejectError: it would not be the same at every position.
        """
        if not self.is_even():
            raise RejectError(f"{self.op.label} pads: at its borders a constant counts less")
        weights = self.array()
        taps = weights.reshape(*self.sizes[:2], -1).sum(-1, dtype=np.float64)
        level = spread(level, self.inputs).reshape(self.group, -1, 1)
        if self.is_transposed:
            taps = taps.reshape(self.group, -1, self.sizes[1]).transpose(0, 2, 1)
        else:
            taps = taps.reshape(self.group, -1, self.sizes[1])
        sums: Array = taps @ level
        return sums.reshape(-1)

    def is_even(self) -> bool:
        """True if all output positions see the same taps, and none sees padding."""
        kernel = self.sizes[2:]
        mode = ops.attribute(self.op, "auto_pad") or "NOTSET"
        pads = ops.attribute(self.op, "pads") or ()
        is_pointwise = all(k == 1 for k in kernel)
        if self.is_transposed:
            strides = ops.attribute(self.op, "strides") or ()
            more = ops.attribute(self.op, "output_padding") or ()
            plain = mode in ("NOTSET", "VALID") and "output_shape" not in self.op.attrs
            return is_pointwise and plain and not any(pads) and not any(more) and all(s == 1 for s in strides)
        if mode == "NOTSET":
            return not any(pads)
        return mode == "VALID" or is_pointwise


def mapped_after(rw: Rewriter, conv: Op, affine: Affine) -> Value:
    """The convolution followed by a map of its output channels."""
    kernel = Kernel(conv)
    bias = _bias(conv)
    weights = None if affine.scale is None else kernel.scale_outputs(affine.scale)
    made = bias if affine.scale is None or bias is None else bias * affine.scale
    if affine.shift is not None:
        made = affine.shift if made is None else made + affine.shift
    return rebuilt(rw, conv, conv.inputs[0], weights, _bias_const(rw, kernel, made))


def mapped_before(rw: Rewriter, conv: Op, x: Value, affine: Affine) -> Value:
    """The convolution of a map of its input channels."""
    kernel = Kernel(conv)
    bias = conv.input(2)
    if affine.shift is not None and affine.shift.any():
        old = _bias(conv)
        more = kernel.response(affine.shift)
        bias = _bias_const(rw, kernel, more if old is None else old + more)
    weights = None if affine.scale is None else kernel.scale_inputs(affine.scale)
    return rebuilt(rw, conv, x, weights, bias)


def _bias(conv: Op) -> Array | None:
    bias = conv.input(2)
    return None if bias is None else elements(bias)


def _bias_const(rw: Rewriter, kernel: Kernel, bias: Array | None) -> Value | None:
    if bias is None:
        return None
    old = kernel.op.input(2)
    full = rounded(spread(bias.reshape(-1), kernel.outputs), kernel.dtype)
    return rw.const(full, name=old.name if old is not None else "bias")


def rebuilt(rw: Rewriter, conv: Op, x: Value | None, weights: Array | None, bias: Value | None) -> Value:
    """The convolution with another operand, other weights (None: those that it has) and another bias."""
    old = conv.inputs[1]
    assert old is not None
    new = old if weights is None else rw.const(weights, name=old.name)
    attrs: dict[str, Any] = dict(conv.attrs)
    result: Value = rw.op(conv.op_type, x, new, bias, name=conv.name, **attrs)
    return result
