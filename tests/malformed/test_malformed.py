"""A share of the malformed models through the command line; all of them by `python -m tests.malformed`."""

from __future__ import annotations

import pytest

from .case import Case
from .families import FAMILIES, chosen
from .runner import judge


def _cases(family: str, share: float) -> list[Case]:
    return list(chosen(family, share))


@pytest.mark.parametrize("family", ["faults", "external"])
@pytest.mark.parametrize("tenth", range(10))
def test_named_faults(family: str, tenth: int) -> None:
    wrong = [
        f"{case.name}: {command}: {outcome.wrong}\n{outcome.errors[-2000:]}"
        for case in _cases(family, 1.0)[tenth::10]
        for command, outcome in judge(_quick(case), () if tenth == 0 else ("inspect", "run"))
        if outcome.wrong
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_all_commands(family: str) -> None:
    wrong = [
        f"{case.name}: {command}: {outcome.wrong}\n{outcome.errors[-2000:]}"
        for case in _cases(family, 1.0 if family == "bombs" else 0.1)
        for command, outcome in judge(case)
        if outcome.wrong
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("family", ["truncations", "flips", "splices"])
def test_damage(family: str) -> None:
    wrong = [
        f"{case.name}: {command}: {outcome.wrong}\n{outcome.errors[-2000:]}"
        for case in _cases(family, 0.05)
        for command, outcome in judge(_quick(case), ("run",))
        if outcome.wrong
    ]
    assert not wrong, "\n".join(wrong)


def _quick(case: Case) -> Case:
    """The same without verification, which takes a second."""
    return Case(case.family, case.name, case.data, case.setup, case.refused, case.accepted, verify=False)
