"""With the real toolkit: three small models are converted and run on its simulator. Skipped where it is not set up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gopt.api.targets import make
from gopt.backends.rknn import environment
from gopt.frontends import onnx as frontend
from gopt.frontends.text import parse

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(environment.locate() is None, reason="gopt rknn setup makes the toolkit's environment"),
]


def numbers(count: int) -> str:
    rng = np.random.default_rng(0)
    return ", ".join(f"{v:.4f}" for v in rng.uniform(-0.5, 0.5, count))


HEAD = '<ir_version: 8, opset_import: ["": 18]>\n'
IMAGE = (
    HEAD
    + f"g (float[N,3,16,16] x) => (float[N,8,1,1] y) <float[8,3,3,3] w = {{{numbers(216)}}}> "
    + "{ a = Conv<pads = [1,1,1,1]>(x, w) b = Mish(a) y = GlobalAveragePool(b) }"
)
SIGNAL = (
    HEAD
    + f"g (float[1,1,512] x) => (float[1,4,3] y) <float[4,1,160] w = {{{numbers(640)}}}> "
    + "{ a = Conv<strides = [160]>(x, w) y = Relu(a) }"
)
SEQUENCE = (
    HEAD
    + f"g (float[6,1,4] x) => (float[1,1,8] h) <float[1,24,4] w = {{{numbers(96)}}}, "
    + f"float[1,24,8] r = {{{numbers(192)}}}> "
    + "{ , h = GRU<hidden_size = 8, linear_before_reset = 1>(x, w, r) }"
)
SIMPLE = (
    HEAD
    + f"g (float[6,1,4] x) => (float[6,1,1,8] y) <float[1,8,4] w = {{{numbers(32)}}}, "
    + f"float[1,8,8] r = {{{numbers(64)}}}> {{ y = RNN<hidden_size = 8>(x, w, r) }}"
)
BYTES = (
    HEAD
    + f"g (uint8[1,16,16,3] x) => (uint8[1,14,14,8] y) <float[8,3,3,3] w = {{{numbers(216)}}}, float n = {{0.004}}, "
    + "float m = {255.0}> { t = Transpose<perm = [0,3,1,2]>(x) f = Cast<to = 1>(t) a = Mul(f, n) b = Conv(a, w) "
    + "c = Sigmoid(b) d = Mul(c, m) e = Transpose<perm = [0,2,3,1]>(d) y = Cast<to = 2>(e) }"
)
POOLED = (
    (
        HEAD
        + "g (float[1,8,9,9] x, float[1,8,5,5] z) => (float[1,1,5,5] y) <float h = {0.75}> "
        + "{ a = LpPool<kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]>(x) s = Sign(z) b = Mul(a, s) "
        + "c = Min(b, h) p = Slice(c, i, j, k) y = ReduceProd<axes = [1]>(p) }"
    )
    .replace("float h = {0.75}", "float h = {0.75}, int64[1] i = {0}, int64[1] j = {3}, int64[1] k = {1}")
    .replace("18", "17")
)
MODELS = {"image": IMAGE, "signal": SIGNAL, "sequence": SEQUENCE, "simple": SIMPLE, "bytes": BYTES, "pooled": POOLED}


@pytest.mark.parametrize("text", MODELS.values(), ids=MODELS)
def test_a_model_is_converted_and_simulated(text: str, tmp_path: Path) -> None:
    frontend.save(parse(text), tmp_path / "model.onnx")
    made = make(tmp_path / "model.onnx", "rknn", {"platform": "rk3588"}, output=tmp_path / "out")
    assert made.verdict.ok, made.verdict
    assert (tmp_path / "out" / "model_fp16.rknn").stat().st_size > 1000
    report = json.loads((tmp_path / "out" / "performance_rknn.json").read_text())
    assert report["summary"]["no_kernel"] == []
    (output,) = report["simulator"]["outputs"]
    assert output["cosine"] > 0.999
    assert output["scaled_error"] < 0.02


def test_int8_is_calibrated(tmp_path: Path) -> None:
    frontend.save(parse(IMAGE), tmp_path / "model.onnx")
    rng = np.random.default_rng(1)
    for k in range(4):
        np.save(tmp_path / f"{k}.npy", rng.uniform(-1, 1, (1, 3, 16, 16)).astype(np.float32))
    (tmp_path / "dataset.txt").write_text("\n".join(str(tmp_path / f"{k}.npy") for k in range(4)) + "\n")
    options = {"platform": "rk3566", "dtype": "int8", "dataset": str(tmp_path / "dataset.txt")}
    made = make(tmp_path / "model.onnx", "rknn", options, output=tmp_path / "out")
    assert made.verdict.ok, made.verdict
    assert (tmp_path / "out" / "model_int8.rknn").exists()
    assert float(made.verdict.facts["cosine"].split()[1]) > 0.95
