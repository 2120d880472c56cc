"""The child process: what it gives, and how its deaths are told."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from gopt.backends.rknn.child import Conversion, Crash, convert, suspect
from gopt.errors import ResourceError

from .fake import environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the toolkit runs on Linux alone")


def conversion(tmp_path: Path, name: str = "fine.onnx", **given: object) -> Conversion:
    model = tmp_path / name
    model.write_bytes(b"model")
    return Conversion(model, {"target_platform": "rk3588"}, {"do_quantization": False}, **given)  # type: ignore[arg-type]


def test_a_conversion_gives_log_file_and_results(tmp_path: Path) -> None:
    feed = np.array([[-1.0, 2.0]], np.float32)
    wanted = conversion(tmp_path, output=tmp_path / "out.rknn", feeds=[[feed]])
    outcome = convert(environment(tmp_path / "env"), wanted, timeout=60)
    assert (tmp_path / "out.rknn").read_bytes() == b"RKNNfine.onnx"
    np.testing.assert_array_equal(outcome.results[0][0], [[0.0, 2.0]])
    assert outcome.log.on("NPU") == 4
    assert set(outcome.seconds) == {"import", "config", "load", "build", "export", "runtime", "inference"}


def test_without_pytorch_the_toolkit_can_count(tmp_path: Path) -> None:
    outcome = convert(environment(tmp_path / "env"), conversion(tmp_path, "counts.onnx"), timeout=60)
    said = [line for line in outcome.text.splitlines() if line.startswith("counted")]
    assert said == ["counted [0, 1, 2, 3, 4, 5] [[1, 2], [4, 5]]", "counted [[1, 2], [3, 4], [5]]"]


def test_without_pytorch_the_toolkit_cannot_learn(tmp_path: Path) -> None:
    with pytest.raises(Crash, match=r"torch.linspace needs PyTorch: gopt rknn setup --torch cpu"):
        convert(environment(tmp_path / "env"), conversion(tmp_path, "learns.onnx"), timeout=60)


def test_a_number_without_dims_is_given_as_one_element(tmp_path: Path) -> None:
    wanted = conversion(tmp_path, feeds=[[np.float32(3)]])
    outcome = convert(environment(tmp_path / "env"), wanted, timeout=60)
    assert outcome.results[0][0].shape == (1,)


def test_a_segfault_names_phase_and_node(tmp_path: Path) -> None:
    with pytest.raises(Crash, match="phase build, at Conv_7: it died of SIGSEGV") as caught:
        convert(environment(tmp_path / "env"), conversion(tmp_path, "segfault.onnx"), timeout=60)
    assert caught.value.died
    assert "Network Layer Information Table" in caught.value.log


def test_a_refusal_by_number_names_the_phase(tmp_path: Path) -> None:
    with pytest.raises(Crash, match=r"phase load: the toolkit returned -1") as caught:
        convert(environment(tmp_path / "env"), conversion(tmp_path, "unreadable.onnx"), timeout=60)
    assert not caught.value.died


def test_an_exit_is_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(Crash, match=r"phase build.* ended the process"):
        convert(environment(tmp_path / "env"), conversion(tmp_path, "exit.onnx"), timeout=60)


def test_of_a_traceback_the_error_is_told(tmp_path: Path) -> None:
    with pytest.raises(Crash, match=r"phase build: IndexError: list index out of range"):
        convert(environment(tmp_path / "env"), conversion(tmp_path, "rule.onnx"), timeout=60)


def test_a_hang_ends_with_the_time(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"more than 3 s; it was in phase build"):
        convert(environment(tmp_path / "env"), conversion(tmp_path, "hang.onnx"), timeout=3)


@pytest.mark.parametrize(
    ("log", "node"),
    [
        (
            "E build: The DynamicQuantizeLinear('input1_QuantizeLinear') will cause the graph to be dynamic!",
            "input1_QuantizeLinear",
        ),
        ("D     fuse_ops: remove node = ['a']", ""),
        ("", ""),
    ],
)
def test_the_suspect_is_what_an_error_names(log: str, node: str) -> None:
    assert suspect(log) == node
