"""NVIDIA TensorRT: which models its parsers and builders take, and what they want beside the model."""

from __future__ import annotations

from ..base import Target
from .target import TensorRT10, TensorRT11, TensorRTRTX

__all__ = ["targets"]

targets: dict[str, type[Target]] = {
    "tensorrt": TensorRT10,
    "trt10": TensorRT10,
    "trt11": TensorRT11,
    "trt-rtx": TensorRTRTX,
}
