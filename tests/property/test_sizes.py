"""Whatever is computed from sizes: inference agrees with the runtime, and so does what gopt makes of it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gopt.analysis import infer
from gopt.api import apply
from gopt.frontends.onnx import load, to_bytes
from gopt.ir import Model, Symbol, TensorType, Value
from gopt.ir.check import check
from gopt.ops.symbolic import value_at
from tests.property.sizes import INPUTS, size_models

EXAMPLES = settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)
ASSIGNMENTS = [dict(zip("NMK", sizes, strict=True)) for sizes in product((1, 3), (2, 5), (1, 7))]


def run(model: bytes, sizes: dict[str, int]) -> dict[str, Any] | None:
    """Outputs by name; None if ONNX Runtime finds an error in these sizes."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feeds = {}
    for name, shape in INPUTS.items():
        dims = [sizes[d] if isinstance(d, str) else d for d in shape]
        feeds[name] = np.arange(np.prod(dims), dtype=np.float32).reshape(dims)
    used = {i.name for i in session.get_inputs()}
    try:
        results = session.run(None, {n: a for n, a in feeds.items() if n in used})
    except Exception:
        return None
    return dict(zip([o.name for o in session.get_outputs()], results, strict=True))


def claimed(model: Model, value: Value, array: Any, sizes: dict[str, int]) -> None:
    """What inference says of a value holds for the array that it was."""
    values = {model.symbols[name]: n for name, n in sizes.items() if name in model.symbols}
    type_ = value.type
    assert isinstance(type_, TensorType), value
    assert type_.dtype.numpy == array.dtype
    assert type_.shape is None or len(type_.shape) == array.ndim, f"{value}: {type_} for {array.shape}"
    for dim, size in zip(type_.shape or (), array.shape, strict=False):
        assert _agrees(dim, size, values), f"{value}: {type_} for {array.shape}"
    for element, number in zip(type_.elements or (), array.reshape(-1).tolist(), strict=False):
        assert _agrees(element, number, values), f"{value}: {type_.elements} for {array}"


def _agrees(dim: Any, number: Any, values: dict[Symbol, int]) -> bool:
    if dim is None:
        return True
    try:
        return bool((value_at(dim, values) if isinstance(dim, Symbol) else dim) == number)
    except KeyError:
        return True


@EXAMPLES
@given(model=size_models(), sizes=st.sampled_from(ASSIGNMENTS))
def test_inference_agrees_with_the_runtime(model: onnx.ModelProto, sizes: dict[str, int]) -> None:
    found = run(model.SerializeToString(), sizes)
    read = load(model.SerializeToString())
    infer(read)
    for value in read.graph.outputs:
        if found is not None:
            claimed(read, value, found[value.name], sizes)


@EXAMPLES
@given(model=size_models(), pipeline=st.sampled_from(["fold", "clean", "fold,fuse.sizes", "layout", "@default"]))
def test_passes_keep_the_numbers_for_all_sizes(model: onnx.ModelProto, pipeline: str) -> None:
    before = model.SerializeToString()
    rewritten = load(before)
    apply(rewritten, pipeline)
    check(rewritten)
    now = to_bytes(rewritten)
    onnx.checker.check_model(now)
    for sizes in ASSIGNMENTS[::3]:
        expected = run(before, sizes)
        if expected is None:
            continue
        got = run(now, sizes)
        assert got is not None, "the result does not run"
        for name, want in expected.items():
            np.testing.assert_array_equal(got[name], want, err_msg=f"{name} for {sizes}")
