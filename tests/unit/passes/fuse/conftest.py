"""`fuse(text, **constants)`: fuse a small model, run it before and after, compare the numbers."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort
import pytest

from gopt.frontends.onnx import load, to_bytes
from gopt.ir import Model
from gopt.ir.check import check
from gopt.passes.registry import REGISTRY
from gopt.rewrite import Context, Ledger, apply_rules


@dataclass
class Fused:
    """What came of a model: the rules that fired (without `fuse.`), and the ops that are left, in order."""

    model: Model
    fired: list[str]
    reasons: set[str]
    growth: int

    @property
    def ops(self) -> list[str]:
        return [op.op_type for op in self.model.graph.ops]


Fuse = Callable[..., Fused]


@pytest.fixture
def fuse() -> Fuse:
    return _fuse


def _fuse(
    text: str, rules: str = "fuse", opset: int = 17, dtype: str = "float32", max_growth: int = 1 << 20, **constants: Any
) -> Fused:
    """Fuse the graph `text` of the ONNX textual syntax, without its name (or a model in it).

    Args:
        constants: initializers by name: an array, a number (of rank 0), or a shape, then filled with random numbers.
    """
    data = _model(text, opset, dtype, constants)
    model = load(data)
    ctx = Context(model, Ledger(keep_rejections=True), max_growth=max_growth)
    chosen = [r for r in REGISTRY.find(rules) if not isinstance(r, type)]
    apply_rules(ctx, chosen)
    assert apply_rules(ctx, chosen) == 0, "a match was left"
    check(model)
    after = to_bytes(model)
    onnx.checker.check_model(after)
    _compare(data, after)
    ledger = ctx.ledger
    fired = [e.rule.removeprefix("fuse.") for e in ledger.entries]
    return Fused(model, fired, {r.reason for r in ledger.rejections}, ctx.growth)


def _model(text: str, opset: int, dtype: str, constants: dict[str, Any]) -> bytes:
    if not text.startswith("<"):
        text = f'<ir_version: 8, opset_import: ["": {opset}]> g {text}'
    model = onnx.parser.parse_model(text)
    for name, what in constants.items():
        if isinstance(what, tuple):
            what = np.random.default_rng(zlib.crc32(name.encode())).uniform(0.5, 2, what).astype(dtype)
        elif isinstance(what, float):
            what = np.asarray(what, dtype)
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(what), name))
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(model)
    for output, known in zip(model.graph.output, inferred.graph.output):
        output.CopyFrom(known)
        if not output.type.tensor_type.HasField("shape"):
            output.type.tensor_type.shape.SetInParent()
    del model.graph.value_info[:]
    data: bytes = model.SerializeToString()
    return data


def _compare(before: bytes, after: bytes) -> None:
    first, second = _session(before), _session(after)
    feeds = dict(_feeds(first))
    wants, gots = first.run(None, feeds), second.run(None, feeds)
    for want, got in zip(wants, gots, strict=True):
        assert want.dtype == got.dtype
        assert want.shape == got.shape
        if want.dtype.kind == "f":
            finite = want[np.isfinite(want)].astype(np.float64)
            scale = float(np.abs(finite).max(initial=1e-6))
            tolerance = 1e-2 if want.dtype == np.float16 else 1e-5
            np.testing.assert_allclose(got / scale, want / scale, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(got, want)


def _session(data: bytes) -> Any:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _feeds(session: Any) -> Any:
    rng = np.random.default_rng(7)
    for value in session.get_inputs():
        shape = [d if isinstance(d, int) else 2 for d in value.shape]
        kind = value.type[len("tensor(") : -1]
        if kind == "bool":
            yield value.name, np.ones(shape, bool)
        elif kind.startswith(("int", "uint")):
            yield value.name, rng.integers(-9 if kind[0] == "i" else 0, 9, shape).astype(kind)
        else:
            names = {"float": "float32", "double": "float64"}
            yield value.name, rng.normal(0, 2, shape).astype(names.get(kind, kind))
