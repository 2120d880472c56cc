"""Candidates: what the toolkit is told, and which of them is kept."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from gopt.backends.rknn.child import Crash, Outcome
from gopt.backends.rknn.compare import Agreement, agreement
from gopt.backends.rknn.convert import Candidate, Sample, Settings, attempt, choose
from gopt.backends.rknn.log import Layer, Log
from gopt.backends.rknn.options import settings
from gopt.backends.rknn.platforms import platform
from gopt.errors import UsageError

from .fake import environment

RK3588 = platform("rk3588", "fp16")


def candidate(
    name: str, layers: str = "", cycles: int = 0, error: float = 0.0, kernel: str = "", cosine: float = 1.0
) -> Candidate:
    """A candidate with a layer per letter: n on the NPU, c on the CPU."""
    made = [
        Layer(k, "Conv", "FLOAT16", "NPU" if letter == "n" else "CPU", "", "", 0, 0, cycles if k == 0 else 0, 0, "")
        for k, letter in enumerate(layers)
    ]
    found = Candidate(name, Path("x.onnx"), ["x"], ["y"])
    found.outcome = Outcome(Log(made, [kernel] if kernel else []), "", {})
    found.agreements = [Agreement("y", cosine, error, (1,), True)]
    return found


def test_the_better_table_is_kept() -> None:
    original, optimized = candidate("original", "nnc", 100), candidate("optimized", "nn", 100)
    assert choose([original, optimized]) is optimized


@pytest.mark.parametrize(
    "worse",
    [
        candidate("optimized", "nn", 101),
        candidate("optimized", "nncc", 50),
        candidate("optimized", "nnc", 100),
        candidate("optimized", "nnc", 50, error=0.2),
        candidate("optimized", "nn", 50, error=0.001, cosine=0.999),
    ],
)
def test_what_is_worse_in_anything_or_equal_is_not(worse: Candidate) -> None:
    original = candidate("original", "nnc", 100)
    assert choose([original, worse]) is original


def test_an_error_at_one_place_alone_is_no_reason_where_the_whole_is_nearer() -> None:
    original = candidate("original", "nnn", 100, error=0.07, cosine=0.9992)
    optimized = candidate("optimized", "nn", 90, error=0.12, cosine=0.9996)
    assert choose([original, optimized]) is optimized


def test_what_computes_something_else_is_never_preferred() -> None:
    wrong, right = candidate("original", "n", 1, cosine=0.5), candidate("optimized", "nnc", 9)
    assert choose([wrong, right]) is right
    assert choose([candidate("original", "nnc", 9), candidate("optimized", "n", 1, error=2.0)]).name == "original"  # type: ignore[union-attr]


def test_what_runs_at_all_is_better_than_what_does_not() -> None:
    original, optimized = candidate("original", "nn", 10, kernel="Mish"), candidate("optimized", "nnnn", 20)
    assert choose([original, optimized]) is optimized


def test_what_failed_is_passed_over() -> None:
    failed = Candidate("original", Path("x.onnx"), [], [])
    optimized = candidate("optimized", "n")
    assert choose([failed, optimized]) is optimized
    assert choose([failed]) is None


@pytest.mark.skipif(sys.platform == "win32", reason="the toolkit runs on Linux alone")
def test_a_rule_of_the_toolkit_that_fails_is_switched_off(tmp_path: Path) -> None:
    model = tmp_path / "rule.onnx"
    model.write_bytes(b"")
    feed = np.array([[-1.0, 2.0]], np.float32)
    sample = Sample({"x": feed}, {"y": np.array([[0.0, 2.0]], np.float32)})
    tried = Candidate("original", model, ["x"], ["y"])
    attempt(environment(tmp_path / "env"), tried, Settings(RK3588, "fp16"), tmp_path / "o.rknn", sample, 60)
    assert tried.disabled == ["bad_rule"]
    assert tried.failure is None
    assert [(a.name, a.cosine, a.error) for a in tried.agreements] == [("y", 1.0, 0.0)]


@pytest.mark.skipif(sys.platform == "win32", reason="the toolkit runs on Linux alone")
def test_a_crash_is_noted(tmp_path: Path) -> None:
    model = tmp_path / "segfault.onnx"
    model.write_bytes(b"")
    tried = Candidate("original", model, ["x"], ["y"])
    attempt(environment(tmp_path / "env"), tried, Settings(RK3588, "fp16"), tmp_path / "o.rknn", None, 60)
    assert isinstance(tried.failure, Crash)
    assert tried.as_dict()["failure"].startswith("the toolkit failed in phase build")


def test_what_the_toolkit_is_told() -> None:
    given = settings({"platform": "rk3566", "mean": "1,2,3/", "std": "4,5,6/", "optimization-level": "2"})
    config = given.config()
    assert config["target_platform"] == "rk3566"
    assert config["optimization_level"] == 2
    assert config["mean_values"] == [[1, 2, 3], None]
    assert config["std_values"] == [[4, 5, 6], None]
    alone = settings({"mean": "/1,2", "std": "3//4,5"}).config()
    assert alone["mean_values"] == [[0], [1, 2], [0, 0]]
    assert alone["std_values"] == [[3], [1, 1], [4, 5]]
    assert given.build() == {"do_quantization": False}


def test_int8_names_its_calibration(tmp_path: Path) -> None:
    listed = tmp_path / "dataset.txt"
    listed.write_text("a.npy\n")
    given = settings({"dtype": "int8", "dataset": str(listed), "quant-algorithm": "mmse", "bgr": "true"})
    assert given.config()["quantized_algorithm"] == "mmse"
    assert given.config()["quant_img_RGB2BGR"] == [True]
    assert settings({"bgr": "true", "mean": "1/2"}).bgr == (True, True)
    assert given.build() == {"do_quantization": True, "dataset": str(listed)}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"platform": "rk1"}, "there is no platform 'rk1'"),
        ({"platform": "rv1106"}, "computes in int8 alone"),
        ({"dtype": "fp8"}, "there is no dtype 'fp8'"),
        ({"mean": "a"}, "not numbers"),
        ({"dataset": "/nowhere"}, "there is no such file"),
        ({"quant-algorithm": "mmse"}, "is for dtype int8"),
        ({"optimization-level": "9"}, "of 0, 1, 2, 3"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        settings(options)


def test_agreement_is_scaled_and_knows_nan() -> None:
    a = np.array([0.0, 100.0])
    assert agreement("y", a, np.array([0.0, 99.0])).error == pytest.approx(0.01)
    assert not agreement("y", a, np.array([0.0, np.nan])).finite
    assert agreement("y", np.array([np.nan, 1.0]), np.array([5.0, 1.0])).error == 0
    assert agreement("y", np.zeros(2), np.zeros(2)).cosine == 1
    assert agreement("y", a, np.zeros(3)).error == float("inf")
    assert agreement("y", np.zeros((0, 2)), np.zeros((0, 2))).error == 0
