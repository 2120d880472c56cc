"""Backends: what a model can be made for. Each is a room of its own, imported when its target is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module

from ..errors import UsageError
from .base import STATIC, Blocker, Cut, Target, Verdict

__all__ = ["STATIC", "TARGETS", "Blocker", "Cut", "Target", "Verdict", "target"]

TARGETS: dict[str, str] = {
    "tensorrt": "tensorrt",
    "trt10": "tensorrt",
    "trt11": "tensorrt",
    "trt-rtx": "tensorrt",
    "rknn": "rknn",
}
"""Name of a target -> module in this package whose `targets` dict holds its class under that name."""


def target(name: str, given: Mapping[str, str] | None = None) -> Target:
    """The target of that name, with options.

    Raises:
        UsageError: there is no such target, or it has no such option.
    """
    module = TARGETS.get(name)
    if module is None:
        close = get_close_matches(name, list(TARGETS), n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(TARGETS)}"
        raise UsageError(f"there is no target {name!r}; {hint}")
    classes: dict[str, type[Target]] = import_module(f".{module}", __package__).targets
    return classes[name](given)
