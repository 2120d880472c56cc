"""Nested control flow: whatever the passes do to it, the numbers stay, and a second run finds nothing left to do."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from gopt.frontends.onnx import load, to_bytes
from gopt.ir.check import check
from gopt.passes import run_pipeline
from gopt.rewrite import Context

from .control import model


def session(data: bytes) -> Any:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("passes", ["@default", "inline.loops:unroll=200,@default"])
@pytest.mark.parametrize("seed", range(25))
def test_numbers_stay(seed: int, passes: str) -> None:
    before = model(seed).SerializeToString()
    read = load(before)
    ctx = Context(read)
    run_pipeline(read, passes, ctx)
    check(read)
    after = to_bytes(read)
    onnx.checker.check_model(after)
    done = len(ctx.ledger.entries)
    run_pipeline(read, "@default", ctx)
    assert len(ctx.ledger.entries) == done
    first, second = session(before), session(after)
    taken = {v.name for v in first.get_inputs()}
    rng = np.random.default_rng(seed)
    fixed = {name: rng.normal(size=(2, 3)).astype(np.float32) for name in ("x", "w")}
    for p, q, turns in product((False, True), (False, True), (0, 2)):
        feeds = fixed | {"p": np.array(p), "q": np.array(q), "m": np.array(turns)}
        feeds = {name: value for name, value in feeds.items() if name in taken}
        wants = first.run(None, feeds)
        if not all(np.isfinite(want).all() and np.abs(want).max(initial=0) < 1e6 for want in wants):
            continue
        for want, got in zip(wants, second.run(None, feeds), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4 * max(1, np.abs(want).max(initial=0)))
