"""Rockchip NPUs: the toolkit's environment, what it takes, conversions in a child, the package for the board."""

from __future__ import annotations

from ..base import Target
from .target import RKNN

__all__ = ["targets"]

targets: dict[str, type[Target]] = {"rknn": RKNN}
