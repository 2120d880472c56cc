"""The process that runs models: what it leaves behind."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from gopt.verify import verify


def test_nothing_is_left_where_temporary_files_go(save: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    assert verify(path, path).ok
    assert not list(scratch.iterdir()), "a runtime's telemetry keeps a file of its own there"
