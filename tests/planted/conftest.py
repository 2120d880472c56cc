"""One process that runs models for all tests: to start one takes longer than all the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from gopt.verify.child import Child


class Lent:
    """A child that outlives the verifier that it was made for; it is the same one again as long as it lives."""

    kept: Child | None = None

    def __init__(self, memory: int | None = None, command: Sequence[str] | None = None) -> None:
        if Lent.kept is None or not Lent.kept.alive:
            Lent.kept = Child(memory, command)
        self._child = Lent.kept
        self._asked = 0

    def send(self, request: dict[str, Any]) -> None:
        """Ask something."""
        self._asked += 1
        self._child.send(request)

    def receive(self, *how: Any, **keywords: Any) -> dict[str, Any]:
        """The answer."""
        answer = self._child.receive(*how, **keywords)
        self._asked -= 1
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._child, name)

    def close(self) -> None:
        """Stay, unless an answer is still to come: the next one to ask would take it for its own."""
        if self._asked:
            self._child.close()


@pytest.fixture
def lent_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let verification use the one process; all else is as by default."""
    monkeypatch.setattr("gopt.verify.verifier.Child", Lent)


@pytest.fixture(scope="session", autouse=True)
def _end() -> Iterator[None]:
    yield
    if Lent.kept is not None:
        Lent.kept.close()
