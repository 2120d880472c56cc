"""Convolutions over long windows of a signal (ONNX operator Conv)."""

from __future__ import annotations

import numpy as np

from ...ir import Array, Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example

_LONGEST = 16
"""Elements of a window that an NPU takes at once; beyond, compilers cut it into many convolutions."""
_STEP = 8
"""The widest stride that they take."""
_WINDOW = 12
"""How long the window may be that is left."""
_EXAMPLE = ", ".join(str(k % 7 - 3) for k in range(80))


@rule(
    P.Conv("x", P.const("w"), B=P.opt(P.const("b"))).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example(
        f"(float[1,1,200] x) => (float[1,2,9] y) <float[2,1,40] w = {{{_EXAMPLE}}}> "
        "{ y = Conv<strides = [20]>(x, w) }"
    ),
)
def phases(rw: Rewriter, x: Value, w: Value, b: Value | None, op: Op) -> Value:
    """Conv(x, w; stride s) of a signal -> the convolution of its blocks of s m elements, m results at a time

    The polyphase form: blocks of elements become channels, [C,L] -> [C s m, L / (s m)]; each window of the new
    convolution holds all that m results in a row need, and its output channels are these results (P. P. Vaidyanathan,
    Multirate Systems and Filter Banks, 1993, section 4.3). Applies to one axis with a window of more than 16 or a
    stride of more than 8, without groups and dilations, where sizes are known. Adds products with 0 and adds in another
    order.
    """
    length = _signal(rw, x, w, op)
    weight = rw.array(w).reshape(rw.array(w).shape[0], rw.array(w).shape[1], -1)
    outs, ins, window = weight.shape
    stride = (rw.ints(op, "strides") or (1,))[-1]
    before, after = _pads(rw, op)
    count = (length + before + after - window) // stride + 1
    if count < 1 or (window <= _LONGEST and stride <= _STEP):
        raise RejectError("the window is short enough")
    results = _results_at_once(window, stride, count)
    block = stride * results
    taps = -(-(window + (results - 1) * stride) // block)
    blocks = -(-count // results) - 1 + taps
    signal = _cut(rw, rw.Reshape(x, [1, ins, length]), before, blocks * block - before - length)
    parts = rw.Reshape(signal, [1, ins, blocks, block])
    channels = rw.Reshape(rw.Transpose(parts, perm=[0, 1, 3, 2]), [1, ins * block, 1, blocks])
    folded = _folded(weight, stride, results, block, taps)
    bias = None if b is None else rw.const(np.tile(rw.array(b), results), like=b)
    made = rw.Conv(channels, rw.const(folded, like=w), bias, kernel_shape=[1, taps])
    groups = -(-count // results)
    if results > 1:
        apart = rw.Reshape(made, [1, results, outs, groups])
        made = rw.Reshape(rw.Transpose(apart, perm=[0, 2, 3, 1]), [1, outs, groups * results])
        if groups * results != count:
            made = rw.Slice(made, [0], [count], [2])
    shape = rw.shape(x) or ()
    result: Value = rw.Reshape(made, [1, outs, count] if len(shape) == 3 else [1, outs, 1, count])
    return result


def _signal(rw: Rewriter, x: Value, w: Value, op: Op) -> int:
    """The length of the signal.

    Raises:
        RejectError: it is no such convolution.
    """
    shape, kernel = rw.shape(x), rw.shape(w)
    if shape is None or kernel is None or not all(isinstance(dim, int) for dim in shape):
        raise RejectError("the sizes are unknown")
    if len(shape) not in (3, 4) or shape[0] != 1 or (len(shape) == 4 and (shape[2] != 1 or kernel[2] != 1)):
        raise RejectError("it is no signal, or more than one")
    if rw.attr(op, "group") != 1 or any(d != 1 for d in rw.ints(op, "dilations") or ()):
        raise RejectError("it has groups or dilations")
    if len(shape) == 4 and (rw.ints(op, "strides") or (1,))[0] != 1 and len(rw.ints(op, "strides") or ()) == 2:
        # There is one row, so that a step along the columns does nothing; but leave such oddities alone.
        raise RejectError("it steps along an axis of one element")
    return int(shape[-1])


def _pads(rw: Rewriter, op: Op) -> tuple[int, int]:
    if rw.attr(op, "auto_pad") not in ("NOTSET", "VALID"):
        raise RejectError("pads are computed")
    pads = rw.ints(op, "pads")
    if not pads:
        return 0, 0
    half = len(pads) // 2
    if any(pads[: half - 1]) or any(pads[half:-1]) or min(pads) < 0:
        raise RejectError("another axis is padded")
    return pads[half - 1], pads[-1]


def _results_at_once(window: int, stride: int, count: int) -> int:
    """As few as leave a short window of blocks, and a stride that makes a block worth its while."""
    results = 1
    while results < count and -(-(window + (results - 1) * stride) // (stride * results)) > _WINDOW:
        results *= 2
    return results


def _cut(rw: Rewriter, signal: Value, before: int, after: int) -> Value:
    """Pad a signal with zeros, or take elements away at its end."""
    shape = rw.shape(signal) or ()
    if after < 0:
        signal = rw.Slice(signal, [0], [shape[-1] + after], [2])
    if before or after > 0:
        signal = rw.Pad(signal, [0, 0, before, 0, 0, max(after, 0)])
    return signal


def _folded(weight: Array, stride: int, results: int, block: int, taps: int) -> Array:
    """The weights of the blocks: [results * outs, ins * block, 1, taps]."""
    outs, ins, window = weight.shape
    folded = np.zeros((results, outs, ins, taps * block), weight.dtype)
    for place in range(results):
        start = place * stride
        folded[place, :, :, start : start + window] = weight
    by_block = folded.reshape(results * outs, ins, taps, block).transpose(0, 1, 3, 2)
    return np.ascontiguousarray(by_block.reshape(results * outs, ins * block, 1, taps))
