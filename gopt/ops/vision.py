"""Image operators: sampling grids, regions of interest, suppression, decoding; shapes only."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import Dim, DType, Op, Symbol, TensorType, Type
from .contents import dims, entries
from .registry import shape_rule
from .shapes import fresh, tensor
from .sizes import quotient
from .view import attribute


@shape_rule("GridSample")
def _grid_sample(op: Op) -> Sequence[Type | None]:
    data, grid = tensor(op.inputs[0]), tensor(op.inputs[1])
    if data is None:
        return (None,)
    if data.shape is None or grid is None or grid.shape is None:
        known = data.shape or (None if grid is None else grid.shape)
        return (TensorType(data.dtype, None if known is None else fresh(len(known))),)
    return (TensorType(data.dtype, (*data.shape[:2], *grid.shape[1:-1])),)


@shape_rule("AffineGrid")
def _affine_grid(op: Op) -> Sequence[Type | None]:
    theta, size = tensor(op.inputs[0]), entries(op.inputs[1])
    if theta is None:
        return (None,)
    if size is None or len(size) not in (4, 5):
        return (TensorType(theta.dtype),)
    known = dims(size)
    return (TensorType(theta.dtype, (known[0], *known[2:], len(size) - 2)),)


@shape_rule("RoiAlign")
def _roi_align(op: Op) -> Sequence[Type | None]:
    data, rois = tensor(op.inputs[0]), tensor(op.inputs[1])
    if data is None:
        return (None,)
    count = rois.shape[0] if rois is not None and rois.shape else Symbol()
    channels = data.shape[1] if data.shape is not None else Symbol()
    extent = dims((attribute(op, "output_height"), attribute(op, "output_width")))
    return (TensorType(data.dtype, (count, channels, *extent)),)


@shape_rule("NonMaxSuppression")
def _non_max_suppression(op: Op) -> Sequence[Type | None]:
    return (TensorType(DType.INT64, (Symbol(), 3)),)


@shape_rule("ImageDecoder")
def _image_decoder(op: Op) -> Sequence[Type | None]:
    return (TensorType(DType.UINT8, (*fresh(2), 1 if attribute(op, "pixel_format") == "Grayscale" else 3)),)


@shape_rule("Col2Im")
def _col2im(op: Op) -> Sequence[Type | None]:
    data, image, block = tensor(op.inputs[0]), entries(op.inputs[1]), entries(op.inputs[2])
    if data is None:
        return (None,)
    if image is None:
        return (TensorType(data.dtype),)
    batch: Dim = Symbol()
    channels: Dim = Symbol()
    if data.shape is not None:
        batch, channels = data.shape[0], data.shape[1]
        for size in (None,) if block is None else block:
            channels = Symbol() if size is None else quotient(channels, size)
    return (TensorType(data.dtype, (batch, channels, *dims(image))),)
