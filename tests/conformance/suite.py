"""What a case shows: it passes plain, and after each pipeline; a model without passes comes back equal."""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx

import gopt
from gopt.errors import GoptError
from gopt.frontends.onnx import to_bytes
from gopt.testing.backend_cases import BackendCase

from .cases import verdict

PIPELINES = ("@default", "inline", "fold", "clean", "layout", "fuse")


@dataclass
class Outcome:
    """Result of one case.

    Attributes:
        case: its name.
        plain: why the untouched model fails in ONNX Runtime; "" if it passes.
        failures: pipeline -> what went wrong after it.
        rewrites: commits of the first pipeline.
    """

    case: str
    plain: str = ""
    failures: dict[str, str] = field(default_factory=dict)
    rewrites: int = 0


def examine(case: BackendCase, pipelines: tuple[str, ...] = PIPELINES) -> Outcome:
    """Run one case plain, round trip it, and run it after each pipeline."""
    data = case.model.read_bytes()
    outcome = Outcome(case.name, verdict(data, case))
    problem = round_trip(data)
    if problem:
        outcome.failures["round trip"] = problem
    for number, pipeline in enumerate(pipelines):
        problem = after(case, pipeline, outcome, number == 0)
        if problem:
            outcome.failures[pipeline] = problem
    return outcome


def after(case: BackendCase, pipeline: str, outcome: Outcome, first: bool) -> str:
    """What a pipeline broke: it fails, the model no longer passes (if it did plain), or the checker refuses it."""
    try:
        result = gopt.run(gopt.load(case.model), pipeline, verify=False)
        data = to_bytes(result.model)
    except GoptError as error:
        return f"{type(error).__name__}: {error}"
    if first:
        outcome.rewrites = len(result.ledger.entries)
    if outcome.plain:
        return ""
    return verdict(data, case) or _checker(case.model.read_bytes(), data)


def _checker(before: bytes, now: bytes) -> str:
    try:
        onnx.checker.check_model(before)
    except Exception:
        return ""
    try:
        onnx.checker.check_model(now)
    except Exception as error:
        return f"onnx.checker: {error}".replace("\n", " ")
    return ""


def round_trip(data: bytes) -> str:
    """What load and save without passes changed; "" if nothing."""
    try:
        again = to_bytes(gopt.load(data))
    except GoptError as error:
        return f"{type(error).__name__}: {error}"
    before, now = onnx.ModelProto.FromString(data), onnx.ModelProto.FromString(again)
    return "" if before == now else "the model proto differs"
