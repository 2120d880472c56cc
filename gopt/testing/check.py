"""Testing a rule from its pattern: rewrite random models that match, and compare the numbers."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np

from ..frontends.onnx import load, to_bytes
from ..ir import Array
from ..ir.check import check
from ..rewrite import Context, Ledger, Numerics, Rule, apply_rules
from .generate import feeds, generate
from .plans import Rng


@dataclass(slots=True)
class RuleReport:
    """What came of testing one rule.

    Attributes:
        rule: its name.
        cases: models that were made and ran.
        fired: how many of them the rule rewrote.
        failures: what went wrong, a line each; empty if all is well.
        max_error: largest error met, relative to the largest magnitude of the output.
    """

    rule: str
    cases: int = 0
    fired: int = 0
    failures: list[str] = field(default_factory=list)
    max_error: float = 0.0

    @property
    def ok(self) -> bool:
        """True if the rule fired at least once and nothing went wrong."""
        return not self.failures and self.fired > 0


def check_rule(rule: Rule, cases: int = 50, seed: int = 0, opset: int = 18) -> RuleReport:
    """Make models for the rule's pattern (and near misses), rewrite them, run both, compare.

    Args:
        rule: the rule.
        cases: models to make; up to twenty times as many are drawn to find so many that run.
        seed: of the random numbers; the rule's name is mixed in.
        opset: standard opset of the models, at least the rule's `since`.
    """
    report = RuleReport(rule.name)
    rng = np.random.default_rng([seed, zlib.crc32(rule.name.encode())])
    for draw in range(20 * cases):
        if report.cases >= cases:
            break
        _one(rule, rng, opset, report, draw)
    return report


def _one(rule: Rule, rng: Rng, opset: int, report: RuleReport, draw: int) -> None:
    model = generate(rule, rng, opset)
    if model is None:
        return
    data = to_bytes(model)
    inputs = dict(feeds(model, rng))
    expected = run(data, inputs)
    if expected is None:
        return  # the runtime does not take it: not a model, nothing to learn from it
    report.cases += 1
    rewritten = load(data)
    ledger = Ledger()
    apply_rules(Context(rewritten, ledger), [rule])
    check(rewritten)
    if not ledger.entries:
        return
    report.fired += 1
    got = run(to_bytes(rewritten), inputs)
    if got is None:
        report.failures.append(f"draw {draw}: the rewritten model does not run")
        return
    for name, want in expected.items():
        if name not in got:
            report.failures.append(f"draw {draw}: output {name!r} is gone")
            continue
        error, why = difference(want, got[name], rule.numerics)
        report.max_error = max(report.max_error, error)
        if why:
            report.failures.append(f"draw {draw}: output {name!r}: {why}")


def run(data: bytes, inputs: dict[str, Array]) -> dict[str, Array] | None:
    """Outputs of a model by name, by ONNX Runtime without graph optimizations; None if it does not load or run."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        names = [o.name for o in session.get_outputs()]
        return dict(zip(names, session.run(None, inputs)))
    except Exception:  # the binding raises a class of its own for each failure
        return None


def difference(want: Array, got: Array, numerics: Numerics) -> tuple[float, str]:
    """Largest error relative to the output's largest magnitude, and why it is too much ("" if it is not)."""
    if want.shape != got.shape or want.dtype != got.dtype:
        return np.inf, f"{want.dtype}{list(want.shape)} became {got.dtype}{list(got.shape)}"
    if numerics is Numerics.EXACT or want.dtype.kind != "f":
        same = bool(np.array_equal(want, got, equal_nan=want.dtype.kind == "f"))
        return (0.0, "") if same else (np.inf, "not bit-equal")
    finite = np.isfinite(want)
    if not np.array_equal(finite, np.isfinite(got)):
        return np.inf, "non-finite elements differ"
    if not finite.any():
        return 0.0, ""
    a, b = want[finite].astype(np.float64), got[finite].astype(np.float64)
    error = float(np.max(np.abs(a - b)) / max(float(np.max(np.abs(a))), 1e-6))
    limit = 1e-2 if want.dtype == np.float16 else 2e-5
    return error, f"error {error:.2g} of the largest magnitude" if error > limit else ""
