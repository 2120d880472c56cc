"""What is done to graphs: the families of passes, and the pipeline that runs them."""

from __future__ import annotations

from .base import Pass, Pins, option, register
from .instruments import CompareEach, DumpWhenChanged, Instrument, Progress, Timing, VerifyEach
from .pipeline import Pipeline, as_pipeline, parse
from .plugins import load_plugin
from .presets import PRESETS, Preset
from .registry import REGISTRY, PassInfo, Registry, describe, list_passes
from .report import PassRun, Report
from .runner import run_pipeline

__all__ = [
    "PRESETS",
    "REGISTRY",
    "CompareEach",
    "DumpWhenChanged",
    "Instrument",
    "Pass",
    "PassInfo",
    "PassRun",
    "Pins",
    "Pipeline",
    "Preset",
    "Progress",
    "Registry",
    "Report",
    "Timing",
    "VerifyEach",
    "as_pipeline",
    "describe",
    "list_passes",
    "load_plugin",
    "option",
    "parse",
    "register",
    "run_pipeline",
]
