"""All families of malformed models."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from . import bombs, damage, external, faults, hostile, inputs
from .case import Case

FAMILIES: dict[str, Callable[[], Iterator[Case]]] = {
    "faults": faults.cases,
    "external": external.cases,
    "hostile": hostile.cases,
    "files": inputs.cases,
    "bombs": bombs.cases,
    "truncations": damage.truncations,
    "flips": damage.flips,
    "splices": damage.splices,
}


def chosen(family: str | None = None, share: float = 1.0) -> Iterator[Case]:
    """The cases of one family or of all; or a share of them, the same each time."""
    for name, cases in FAMILIES.items():
        if family in (None, name):
            yield from (case for case in cases() if _position(case) < share)


def _position(case: Case) -> float:
    return int.from_bytes(hashlib.sha256(f"{case.family} {case.name}".encode()).digest()[:6]) / 2**48
