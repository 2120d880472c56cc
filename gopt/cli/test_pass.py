"""`gopt test-pass`: rules tried on random models made from their patterns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ExitCode, UsageError
from .options import json_flag
from .progress import progress
from .text import columns, emit, emit_json, printable

if TYPE_CHECKING:
    from ..passes.registry import Member
    from ..testing import RuleReport


@click.command("test-pass", epilog="Example: gopt test-pass my_pass.py --cases 200")
@click.argument("what", metavar="FILE.py|NAME")
@click.option("--cases", type=click.IntRange(min=1), default=50, show_default=True, help="Models for each rule.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the random numbers.")
@click.option("--opset", type=click.IntRange(min=7), default=18, show_default=True, help="Of the models.")
@json_flag
def command(what: str, cases: int, seed: int, opset: int, as_json: bool) -> int:
    """Make random models that match (and nearly match) a rule's pattern, rewrite them, and compare the numbers.

    FILE.py is a plugin: all its rules are tried. NAME is a rule, or a file or family of rules.
    Exit status 4 if the numbers of a rule differ, or if it never fired.
    """
    from ..rewrite import Rule
    from ..testing import check_rule

    members = select(what)
    rules = [member for member in members if isinstance(member, Rule)]
    others = [member.name for member in members if not isinstance(member, Rule)]
    if not rules:
        raise UsageError(f"{what}: there is no rule to try, only passes without a pattern: {', '.join(others)}")
    reports = []
    with progress() as tell:
        for rule in rules:
            if tell is not None:
                tell(f"trying {rule.name}")
            reports.append(check_rule(rule, cases, seed, opset=opset))
    if as_json:
        emit_json({"rules": [as_data(r) for r in reports], "without_pattern": others})
    else:
        emit("\n".join(lines(reports, others)))
    return int(ExitCode.OK if all(map(good, reports)) else ExitCode.VERIFICATION)


def select(what: str) -> tuple[Member, ...]:
    """The rules and passes of a plugin file, or those that a name selects.

    Raises:
        UsageError: there is no such file or name.
    """
    from ..passes import REGISTRY, load_plugin

    if what.endswith(".py") or Path(what).name != what:
        return tuple(load_plugin(what))
    found = REGISTRY.find(what)
    if not found:
        raise UsageError(REGISTRY.unknown(what))
    return found


def good(report: RuleReport) -> bool:
    """True if the rule fired and nothing differed."""
    return not report.failures and report.fired > 0


def lines(reports: list[RuleReport], others: list[str]) -> Iterator[str]:
    """A line for each rule, then what went wrong."""
    verdict = {True: "ok", False: "FAILED"}
    rows = [["rule", "cases", "fired", ""]]
    rows += [
        [r.rule, str(r.cases), str(r.fired), verdict[good(r)] if r.fired or r.failures else "NEVER FIRED"]
        for r in reports
    ]
    yield from columns(rows, right=[1, 2])
    for report in reports:
        for failure in report.failures:
            yield f"  {printable(report.rule)}: {printable(failure)}"
    if others:
        yield f"  not tried, being passes without a pattern: {printable(', '.join(others))}"


def as_data(report: RuleReport) -> dict[str, object]:
    """A report in plain types."""
    return {
        "rule": report.rule,
        "cases": report.cases,
        "fired": report.fired,
        "ok": good(report),
        "failures": list(report.failures),
    }
