"""Testing a rule: rewrite models that match (and nearly match), run both, compare."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import GoptError
from ..frontends.onnx import load, to_bytes
from ..ir import Array
from ..ir.check import check
from ..ir.printer import to_text
from ..rewrite import Context, Ledger, Rule, apply_rules
from ..verify.validity import invalid
from .cases import Recipe, make, recipe
from .judge import Judge, difference
from .running import RUNNER, Crashed, run

__all__ = ["RuleReport", "check_rule", "difference", "run"]

_SHRUNK = 3
"""So many failures are made smaller; the first few say it all."""


@dataclass(slots=True)
class RuleReport:
    """What came of testing one rule.

    Attributes:
        rule: its name.
        cases: models that were made and ran.
        fired: how many of them the rule rewrote.
        failures: what went wrong, a line each; empty if all is well.
        max_error: largest error met, relative to the largest magnitude of the output.
        details: for the first failures, a text of several lines each: the model before and after, and the inputs.
    """

    rule: str
    cases: int = 0
    fired: int = 0
    failures: list[str] = field(default_factory=list)
    max_error: float = 0.0
    details: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True if the rule fired at least once and nothing went wrong."""
        return not self.failures and self.fired > 0


@dataclass(slots=True)
class _Outcome:
    """What came of one case."""

    fired: bool = False
    problems: list[str] = field(default_factory=list)
    error: float = 0.0
    before: str = ""
    after: str = ""
    inputs: dict[str, Array] = field(default_factory=dict)


def check_rule(rule: Rule, cases: int = 50, seed: int = 0, opset: int = 18, only: int | None = None) -> RuleReport:
    """Rewrite models made from the rule's example and its pattern, and near misses; run both; compare.

    The example comes first, as it is; then, by turns, the example and models made from the pattern, each with a few
    mutations. A model that ONNX Runtime does not take is thrown away. The same arguments give the same report.

    Args:
        rule: the rule.
        cases: models to make; up to twenty times as many are drawn to find so many that run.
        seed: of the random numbers; the rule's name is mixed in.
        opset: standard opset of most models made from the pattern (at least the rule's `since`).
        only: the one draw to make, to look at a failure again.

    Returns:
        The report. A rule that raises, breaks the graph, an interface or a valid model has failed, like one that
        changes numbers more than its `numerics` permit, or whose example it does not rewrite.
    """
    report = RuleReport(rule.name)
    shrunk: list[tuple[int, str]] = []
    for draw in range(20 * cases) if only is None else (only,):
        if report.cases >= cases:
            break
        how = recipe(rule, draw, seed, opset)
        outcome = _try(rule, how)
        if outcome is None:
            if draw == 0 and rule.example:
                report.failures.append("draw 0: its example does not run")
            continue
        report.cases += 1
        report.fired += outcome.fired
        report.max_error = max(report.max_error, outcome.error)
        if draw == 0 and rule.example and not outcome.fired and not outcome.problems:
            outcome.problems.append("it does not fire in its example")
        report.failures.extend(f"draw {draw}: {problem}" for problem in outcome.problems)
        if outcome.problems and len(shrunk) < _SHRUNK:
            shrunk.append(_detail(rule, how, outcome))
    report.details = [text for _, text in sorted(shrunk)]  # the smallest model first
    return report


def _try(rule: Rule, how: Recipe) -> _Outcome | None:
    """Make a case and test the rule on it; None if there is no such model."""
    try:
        case = make(rule, how)
    except GoptError as error:
        return _Outcome(problems=[f"its example cannot be read: {error}"])
    if case is None:
        return None
    data = to_bytes(case.model)
    try:
        expected, interface = RUNNER.run(data, case.inputs)
    except Crashed:
        return None
    if expected is None:
        return None  # the runtime does not take it: not a model, nothing to learn from it
    outcome = _Outcome(inputs=case.inputs)
    rewritten = load(data)
    outcome.before = to_text(rewritten, elide=64)
    ledger = Ledger()
    try:
        with np.errstate(all="ignore"):  # what a rule computes of strange constants is for the comparison to judge
            apply_rules(Context(rewritten, ledger), [rule])
        check(rewritten)
        after = to_bytes(rewritten)
    except (GoptError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
        outcome.problems.append(f"{type(error).__name__}: {error}")
        return outcome
    outcome.fired = bool(ledger.entries)
    if not outcome.fired:
        if after != data:
            outcome.problems.append("the model has changed, and nothing was committed")
        return outcome
    outcome.after = to_text(rewritten, elide=64)
    try:
        got, interface_after = RUNNER.run(after, case.inputs)
    except Crashed as error:
        outcome.problems.append(f"the rewritten model: {error}")
        return outcome
    if got is None:
        outcome.problems.append(f"the rewritten model does not run{_because(data, after)}")
        return outcome
    if interface != interface_after:
        outcome.problems.append(f"the interface has changed: {_changed(interface, interface_after)}")
    elif why := _because(data, after):
        outcome.problems.append(f"the rewritten model is not valid{why}")
    judge = Judge(data, case.inputs, rule.numerics, how.rng(rule, 5))
    outcome.error, wrong = judge.compare(expected, got)
    outcome.problems += wrong
    return outcome


def _because(before: bytes, after: bytes) -> str:
    """What onnx's checker says of a rewritten model; "" if nothing, or if it says something of the original too."""
    why = invalid(after)
    return f": {why}" if why and not invalid(before) else ""


def _changed(before: tuple[tuple[str, str, str], ...], after: tuple[tuple[str, str, str], ...]) -> str:
    for one, other in zip(before, after):
        if one != other:
            return f"{' '.join(one)} became {' '.join(other)}"
    return f"{len(before)} inputs and outputs became {len(after)}"


def _detail(rule: Rule, how: Recipe, outcome: _Outcome) -> tuple[int, str]:
    """Size and text of a failure: of the smallest model found by leaving out mutations one at a time."""
    step = 0
    while step < len(how.steps):
        smaller = _try(rule, how.without(step))
        if smaller is not None and smaller.problems:
            how, outcome = how.without(step), smaller
        else:
            step += 1
    size = len(outcome.before) + sum(data.size for data in outcome.inputs.values())
    return size, "\n".join(_lines(how, outcome))


def _lines(how: Recipe, outcome: _Outcome) -> list[str]:
    origin = "example" if how.example else "pattern"
    changes = "".join(f", {name}" for _, name in how.steps)
    lines = [f"draw {how.draw} (seed {how.seed}), from the {origin}{changes}: {'; '.join(outcome.problems)}"]
    lines += [f"  {line}" for line in outcome.before.splitlines()]
    lines += [f"  {name} = {_shown(data)}" for name, data in outcome.inputs.items()]
    if outcome.after:
        lines += ["  is rewritten as", *(f"  {line}" for line in outcome.after.splitlines())]
    return lines


def _shown(data: Array) -> str:
    if data.size > 64:
        return f"{data.dtype}{list(data.shape)}"
    return " ".join(np.array2string(data, separator=", ", floatmode="unique").split())
