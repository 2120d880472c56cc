"""`gopt test-pass`: rules tried on random models made from their examples and patterns."""

from __future__ import annotations

import math
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
@click.argument("what", metavar="FILE.py|NAME", required=False)
@click.option("--all", "everything", is_flag=True, help="Try all built-in rules.")
@click.option("--cases", type=click.IntRange(min=1), default=50, show_default=True, help="Models for each rule.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the random numbers.")
@click.option("--opset", type=click.IntRange(min=7), default=18, show_default=True, help="Of the models.")
@click.option("--draw", type=click.IntRange(min=0), metavar="N", help="Make this one model only: see a failure again.")
@click.option("-v", "--verbose", is_flag=True, help="Show the models of the first failures, before and after.")
@json_flag
def command(
    what: str | None,
    everything: bool,
    cases: int,
    seed: int,
    opset: int,
    draw: int | None,
    verbose: bool,
    as_json: bool,
) -> int:
    """Try rules on random models, made from their examples and patterns, that match and nearly match.

    FILE.py is a plugin: all its rules are tried. NAME is a rule, or a file or family of rules. Each model runs before
    and after; numbers may differ as far as the rule's `numerics` say, and the table shows by how much they did. Exit
    status 4 if a rule fails, or never fires.
    """
    from ..rewrite import Rule
    from ..testing import check_rule

    if (what is None) != everything:
        raise UsageError("test-pass: name a plugin file, a rule or a family, or give --all")
    members = select_all() if what is None else select(what)
    rules = [member for member in members if isinstance(member, Rule)]
    others = [member.name for member in members if not isinstance(member, Rule)]
    if not rules:
        raise UsageError(f"{what}: there is no rule to try, only passes without a pattern: {', '.join(others)}")
    reports = []
    with progress() as tell:
        for rule in rules:
            if tell is not None:
                tell(f"trying {rule.name}")
            reports.append(check_rule(rule, cases, seed, opset=opset, only=draw))
    if as_json:
        emit_json({"rules": [as_data(r) for r in reports], "without_pattern": others})
    else:
        emit("\n".join(lines(reports, others, verbose)))
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


def select_all() -> tuple[Member, ...]:
    """All built-in rules and passes."""
    from ..passes import REGISTRY

    return tuple(member for family in REGISTRY.families for member in REGISTRY.find(family))


def good(report: RuleReport) -> bool:
    """True if the rule fired and nothing differed."""
    return not report.failures and report.fired > 0


def lines(reports: list[RuleReport], others: list[str], verbose: bool = False) -> Iterator[str]:
    """A line for each rule, then what went wrong: a line each, or the models too."""
    rows = [["rule", "cases", "fired", "error", ""]]
    rows += [[r.rule, str(r.cases), str(r.fired), error(r), verdict(r)] for r in reports]
    yield from columns(rows, right=[1, 2, 3])
    for report in reports:
        if verbose and report.details:
            for detail in report.details:
                yield ""
                yield from (printable(line) for line in f"{report.rule}: {detail}".split("\n"))
            continue
        for failure in report.failures[:_SHOWN]:
            yield f"  {printable(report.rule)}: {printable(failure)}"
        if len(report.failures) > _SHOWN:
            yield f"  {printable(report.rule)}: ... and {len(report.failures) - _SHOWN} more"
    if not verbose and any(report.details for report in reports):
        yield "  -v shows the models, --draw N makes one of them again"
    if others:
        yield f"  not tried, being passes without a pattern: {printable(', '.join(others))}"


_SHOWN = 5


def error(report: RuleReport) -> str:
    """The largest error that was met, of the largest magnitude of the output; "" if there was none."""
    return f"{report.max_error:.1e}" if 0 < report.max_error < math.inf else ""


def verdict(report: RuleReport) -> str:
    """What the table says of a rule."""
    if report.failures:
        return "FAILED"
    return "ok" if report.fired else "NEVER FIRED"


def as_data(report: RuleReport) -> dict[str, object]:
    """A report in plain types."""
    return {
        "rule": report.rule,
        "cases": report.cases,
        "fired": report.fired,
        "ok": good(report),
        "max_error": report.max_error,
        "failures": list(report.failures),
        "details": list(report.details),
    }
