"""A run that is killed at any moment leaves the old output whole, and no process behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

SIDE = 512


def make(path: Path, layers: int = 8) -> None:
    """A chain of large MatMuls."""
    rng = np.random.default_rng(0)
    weights = [numpy_helper.from_array(rng.random((SIDE, SIDE), np.float32) / SIDE, f"w{k}") for k in range(layers)]
    nodes = []
    for k in range(layers):
        nodes.append(helper.make_node("MatMul", [f"v{k}" if k else "x", f"w{k}"], [f"m{k}"]))
        nodes.append(helper.make_node("Identity", [f"m{k}"], [f"v{k + 1}"]))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", SIDE]) for n in ("x", f"v{layers}")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)]), path)


def descendants(marker: str) -> list[int]:
    """Processes that have the marker in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if marker.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_killed_at_random_moments(tmp_path: Path, number: signal.Signals) -> None:
    model, out = tmp_path / "m.onnx", tmp_path / "out" / "o.onnx"
    make(model)
    out.parent.mkdir()
    argv = [sys.executable, "-m", "gopt", "run", str(model), "-o", str(out), "--force", "-q"]
    start = time.monotonic()
    subprocess.run(argv, check=True)
    whole, spent = out.read_bytes(), time.monotonic() - start
    rng = random.Random(int(number))
    for attempt in range(5):
        marker = f"GOPT_KILLED={os.getpid()}-{number}-{attempt}"
        environment = os.environ | dict([marker.split("=")])
        process = subprocess.Popen(argv, env=environment, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.1, spent))
        process.send_signal(number)
        process.wait(30)
        assert out.read_bytes() == whole
        if number is not signal.SIGKILL:  # which nobody can clean up after
            assert [p.name for p in out.parent.iterdir()] == [out.name]
        deadline = time.monotonic() + 10
        while descendants(marker) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not descendants(marker)
        for left in out.parent.glob(".*"):
            left.unlink()
