"""The process that runs models: what it leaves behind."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from gopt.verify import verify
from gopt.verify.child import Child, ChildTimeout

LATE = """
import sys, time
if "started" in sys.argv[1]:
    print('{"event": "started"}', flush=True)
time.sleep(3)
print('{"ok": true}', flush=True)
sys.stdin.read()
"""


def test_nothing_is_left_where_temporary_files_go(save: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    assert verify(path, path).ok
    assert not list(scratch.iterdir()), "a runtime's telemetry keeps a file of its own there"


def test_only_a_child_that_has_not_started_gets_more_time() -> None:
    child = Child(command=[sys.executable, "-c", LATE, "started"])
    with pytest.raises(ChildTimeout):
        child.receive(1.0, to_start=60.0)
    child = Child(command=[sys.executable, "-c", LATE, "not yet"])
    assert child.receive(1.0, to_start=60.0) == {"ok": True}
    child.close()
