"""The three TensorRTs that a model can be made for: version 10, version 11, and TensorRT for RTX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ...ir import Model
from ..base import Blocker, Target
from ..support import Support, read_table


class TensorRT(Target):
    """What the three have in common."""

    preset = "tensorrt"
    levels = ("static", "parsed", "built")
    options: ClassVar[Mapping[str, str]] = {}

    def check(self, model: Model) -> list[Blocker]:
        """The ops of a model with inferred types that the target does not take."""
        support = Support(read_table(__package__), self.name)
        return list(support.check(model))


class TensorRT10(TensorRT):
    """TensorRT 10: weakly or strongly typed."""

    name = "trt10"
    title = "TensorRT 10"


class TensorRT11(TensorRT):
    """TensorRT 11: strongly typed throughout."""

    name = "trt11"
    title = "TensorRT 11"


class TensorRTRTX(TensorRT):
    """TensorRT for RTX: strongly typed, without some operators that the others have."""

    name = "trt-rtx"
    title = "TensorRT for RTX"
