"""Models as text, brought to another opset, and run before and after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import gopt
from gopt.frontends.onnx import to_bytes
from gopt.frontends.text import parse
from gopt.ir import Model

Convert = Callable[..., Model]


def numbers(model: Model, feeds: dict[str, Any]) -> list[Any]:
    """Outputs in ONNX Runtime, graph optimizations off."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(to_bytes(model), options, providers=["CPUExecutionProvider"])
    outputs: list[Any] = session.run(None, feeds)
    return outputs


@pytest.fixture
def convert() -> Convert:
    """`convert(text, to, x=array)`: the model at another opset; its outputs are those of before, if data are given.

    Without header the text is of the opset given as `at` (default 17). `expected` stands for outputs that ONNX Runtime
    cannot compute at the old opset.
    """

    def call(text: str, to: int, *, at: int = 17, ir: int = 8, expected: Any = None, **feeds: Any) -> Model:
        if not text.lstrip().startswith("<ir_version"):
            text = f'<ir_version: {ir}, opset_import: ["": {at}]> {text}'
        model = parse(text)
        if expected is None and feeds:
            expected = numbers(model, feeds)
        gopt.run(model, f"opset:to={to}", verify=False)
        assert all(graph.opsets[""] == to for graph in model.graphs())
        onnx.checker.check_model(onnx.load_from_string(to_bytes(model)), full_check=True)
        if feeds:
            for want, have in zip(expected, numbers(model, feeds), strict=True):
                assert have.dtype == want.dtype
                np.testing.assert_allclose(have, want, rtol=2e-3 if want.dtype == np.float16 else 2e-5, atol=1e-6)
        return model

    return call


def kinds(model: Model) -> list[str]:
    """Types of all ops of the main graph, in their order."""
    return [op.op_type for op in model.graph.ops]
