"""A disk that fills up while gopt writes: one line, the old output whole, nothing left."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gopt.errors import ExitCode

SIDE = 256


def make(path: Path, external: bool) -> None:
    """A chain of MatMuls with a megabyte of weights."""
    rng = np.random.default_rng(0)
    weights = [numpy_helper.from_array(rng.random((SIDE, SIDE), np.float32) / SIDE, f"w{k}") for k in range(4)]
    nodes = [helper.make_node("MatMul", [f"v{k}" if k else "x", f"w{k}"], [f"m{k}"]) for k in range(4)]
    nodes += [helper.make_node("Relu", [f"m{k}"], [f"v{k + 1}"]) for k in range(4)]
    nodes = [nodes[4 * half + k] for k in range(4) for half in range(2)]
    nodes.append(helper.make_node("Identity", ["v4"], ["y"]))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", SIDE]) for n in "xy"]
    opsets = [helper.make_opsetid("", 21)]
    proto = helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:], weights), ir_version=10, opset_imports=opsets
    )
    onnx.save(proto, path, save_as_external_data=external, location="weights", size_threshold=0)


def run(argv: list[str], scratch: Path, largest: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run gopt so that no file may become larger than `largest` bytes: a full disk that is there on every machine."""

    def limit() -> None:
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    argv = [sys.executable, "-m", "gopt", *argv]
    # Python puts half a compiled module into its cache where a file cannot grow, and stumbles over it ever after.
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(scratch)}
    return subprocess.run(argv, env=environment, preexec_fn=limit, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("external", [False, True])
def test_a_full_disk(tmp_path: Path, external: bool) -> None:
    out, scratch = tmp_path / "out" / "o.onnx", tmp_path / "scratch"
    for folder in (tmp_path / "in", out.parent, scratch):
        folder.mkdir()
    make(tmp_path / "in" / "m.onnx", external)
    argv = ["run", str(tmp_path / "in" / "m.onnx"), "-o", str(out), "--force"]
    assert run([*argv, "--passes", "clean.dead"], scratch).returncode == 0
    before = {p.name: p.read_bytes() for p in out.parent.iterdir()}
    assert len(before) == 1 + external
    for largest in (0, 100, 5000, 16 * SIDE * SIDE - 1):
        for options in ([], ["--no-verify"]):
            done = run([*argv, *options], scratch, largest)
            codes = {ExitCode.RESOURCE_LIMIT} if largest else {ExitCode.RESOURCE_LIMIT, ExitCode.BAD_INPUT}
            assert done.returncode in codes, (largest, done)  # Python finds no usable folder for temporary files
            assert done.stderr.startswith("gopt: error: "), (largest, done)
            assert done.stderr.count("\n") == 1, (largest, done)
            assert {p.name: p.read_bytes() for p in out.parent.iterdir()} == before, largest
            assert not list(scratch.iterdir()), largest
