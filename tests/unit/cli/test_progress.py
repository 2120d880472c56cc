"""The progress line: only for a terminal, only once work lasts, gone at the end."""

from __future__ import annotations

import io
import time

import pytest

from gopt.cli import progress as module


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_is_shown_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    with module.progress() as tell:
        assert tell is None


def test_quick_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with module.progress() as tell:
        assert tell is not None
        tell("verifying")
    assert terminal.getvalue() == ""


def test_work_that_lasts_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    deadline = time.monotonic() + 20
    with module.progress() as tell:
        assert tell is not None
        while "verifying [x]" not in terminal.getvalue() and time.monotonic() < deadline:
            tell("verifying [x]")
            time.sleep(0.02)
    assert "verifying [x]" in terminal.getvalue()
