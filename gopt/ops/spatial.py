"""Spatial parameters that convolutions and pools share: kernel, strides, pads, dilations, auto_pad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..ir import Attr, Dim, Op, Symbol
from .sizes import derive, product, total, windows
from .view import UnboundAttribute


class Spatial(NamedTuple):
    """Parameters of a sliding window, one entry an axis; `pads` are begins, then ends."""

    kernel: Sequence[int]
    strides: Sequence[int]
    dilations: Sequence[int]
    pads: Sequence[int]
    auto_pad: str
    ceil_mode: bool


def parameters(op: Op, kernel: Sequence[int]) -> Spatial:
    """The parameters of an op with a kernel of that shape; these attributes are spelled alike in all opsets.

    Raises:
        ValueError: they do not fit the number of axes, or make no sense.
    """
    attrs = op.attrs
    rank = len(kernel)
    strides = _ints(op, attrs.get("strides"), rank) or (1,) * rank
    dilations = _ints(op, attrs.get("dilations"), rank) or (1,) * rank
    pads = _ints(op, attrs.get("pads"), 2 * rank) or (0,) * (2 * rank)
    if rank and (min(strides) < 1 or min(dilations) < 1 or min(kernel) < 1):
        raise ValueError(f"a stride, dilation or kernel of {op.label} is not positive")
    auto, ceil = attrs.get("auto_pad"), attrs.get("ceil_mode")
    if (auto is not None and auto.ref) or (ceil is not None and ceil.ref):
        raise UnboundAttribute(f"{op.label} refers to attributes of the enclosing function")
    mode = "NOTSET" if auto is None else auto.value
    return Spatial(kernel, strides, dilations, pads, mode, ceil is not None and bool(ceil.value))


def _ints(op: Op, attr: Attr | None, count: int) -> Sequence[int] | None:
    if attr is None:
        return None
    if attr.ref:
        raise UnboundAttribute(f"{op.label} refers to {attr.ref!r} of the enclosing function")
    found: Sequence[int] = attr.value
    if len(found) != count:
        raise ValueError(f"{op.label}: {found} where {count} numbers are needed")
    return found


def slid(sizes: Sequence[Dim], window: Spatial) -> list[Dim]:
    """Sizes after a sliding window (ONNX, Conv, MaxPool, AveragePool, LpPool)."""
    kernel, strides, dilations, pads, auto_pad, ceil_mode = window
    if len(sizes) != len(kernel):
        raise ValueError("kernel and input of different ranks")
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        return [windows(n, 1, s, 0, 1) for n, s in zip(sizes, strides)]
    rank = len(kernel)
    if auto_pad == "VALID":
        pads = (0,) * (2 * rank)
    result = []
    for axis, size in enumerate(sizes):
        begin, end = pads[axis], pads[axis + rank]
        found = windows(size, kernel[axis], strides[axis], begin + end, dilations[axis])
        if ceil_mode and strides[axis] > 1:
            up = _rounded_up(size, kernel[axis], strides[axis], begin, end, dilations[axis])
            # The operator's text ignores ceil_mode when auto_pad is VALID, runtimes do not.
            found = Symbol() if auto_pad == "VALID" and up != found else up
        result.append(found)
    return result


def _rounded_up(size: Dim, kernel: int, stride: int, begin: int, end: int, dilation: int) -> Dim:
    """As `windows` but rounded up; a last window that would start in the end padding is left out.

    Older runtimes keep such a window, so that nothing is claimed where it would make a difference.
    """
    if not isinstance(size, int):
        return derive("roundedup", size, kernel, stride, begin, end, dilation)
    count = -(-(size + begin + end - dilation * (kernel - 1) - 1) // stride) + 1
    return Symbol() if (count - 1) * stride >= size + begin else count


def grown(sizes: Sequence[Dim], window: Spatial, output_padding: Sequence[int]) -> list[Dim]:
    """Sizes after a transposed convolution without `output_shape` (ONNX ConvTranspose)."""
    kernel, strides, dilations, pads, auto_pad, _ = window
    rank = len(kernel)
    if len(sizes) != rank or len(output_padding) != rank:
        raise ValueError("kernel and input of different ranks")
    result = []
    for axis, size in enumerate(sizes):
        stride = strides[axis]
        reach = output_padding[axis] + (kernel[axis] - 1) * dilations[axis] + 1
        if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            # What does not reach that far would have to be padded by less than nothing, which runtimes do not do.
            result.append(product((size, stride)) if reach >= stride else Symbol())
            continue
        padding = 0 if auto_pad == "VALID" else pads[axis] + pads[axis + rank]
        more = reach - padding - stride
        found = total((product((size, stride)), more))
        result.append(max(found, 0) if isinstance(found, int) else found)
    return result
