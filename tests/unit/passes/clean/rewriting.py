"""`rewrite(text, passes)`: a small model before and after, checked, run, and compared to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort

from gopt.frontends.onnx import load, to_bytes
from gopt.ir import Array, Model, Op
from gopt.ir.check import check
from gopt.passes import run_pipeline
from gopt.rewrite import Context, Ledger, Numerics

Edit = Callable[[onnx.ModelProto], None]


@dataclass
class Rewritten:
    """What came of a model: the entries' rules without the family, and the ops that are left, in order."""

    model: Model
    ctx: Context
    outputs: dict[str, Array]

    @property
    def fired(self) -> list[str]:
        return [e.rule.split(".", 1)[1] for e in self.ctx.ledger.entries]

    @property
    def ops(self) -> list[str]:
        return [op.op_type for op in self.model.graph.ops]

    @property
    def reasons(self) -> set[str]:
        return {r.reason for r in self.ctx.ledger.rejections}

    def op(self, op_type: str) -> Op:
        return next(op for graph in self.model.graphs() for op in graph.ops if op.op_type == op_type)


def parse(text: str, opset: int = 18) -> onnx.ModelProto:
    """A model from the text of its graph without a name (or from that of a whole model); outputs get inferred types."""
    whole = text if text.lstrip().startswith("<") else f'<ir_version: 8, opset_import: ["": {opset}]> g {text}'
    model = onnx.parser.parse_model(whole)
    for output in model.graph.output:
        if not output.type.tensor_type.shape.dim:
            output.type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(model)
    for output, known in zip(model.graph.output, inferred.graph.output):
        output.CopyFrom(known)
        if output.type.HasField("tensor_type"):
            output.type.tensor_type.shape.SetInParent()
    del model.graph.value_info[:]
    return model


def rewrite(
    text: str,
    passes: str = "clean",
    opset: int = 18,
    edit: Edit | None = None,
    runs: bool = True,
    feeds: dict[str, Array] | None = None,
    sizes: dict[str, Array] | None = None,
    limit: int | None = None,
    **options: Any,
) -> Rewritten:
    """Run passes over a model; check it, and (if it `runs`) compare the outputs of both in ONNX Runtime.

    Bits must be equal; where a rewrite does not promise that, inputs are finite and tolerances apply. Inputs are
    `feeds`, or made up but for those in `sizes`.
    """
    proto = parse(text, opset)
    if edit is not None:
        edit(proto)
    before: bytes = proto.SerializeToString()
    model = load(before)
    ctx = Context(model, Ledger(limit=limit, keep_rejections=True), **options)
    run_pipeline(model, passes, ctx)
    check(model)
    after = to_bytes(model)
    onnx.checker.check_model(after)
    numerics = max((e.numerics for e in ctx.ledger.entries), default=Numerics.EXACT)
    outputs = {}
    if runs:
        given = feeds if feeds is not None else make_feeds(proto, finite=numerics is not Numerics.EXACT) | (sizes or {})
        outputs = compare(before, after, given, numerics)
    return Rewritten(model, ctx, outputs)


def make_feeds(proto: onnx.ModelProto, finite: bool) -> dict[str, Array]:
    """Values for the inputs: unusual ones first, unless they are to be finite. A symbolic dim is 2."""
    odd = [np.nan, -0.0, np.inf, -np.inf, 0.0, 1e-42, -1e-42]
    rng = np.random.default_rng(5)
    feeds = {}
    initialized = {i.name for i in proto.graph.initializer}
    for value in proto.graph.input:
        type_ = value.type.tensor_type
        if value.name in initialized or not value.type.HasField("tensor_type"):
            continue
        shape = [d.dim_value if d.HasField("dim_value") else 2 for d in type_.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(type_.elem_type)
        array = rng.normal(0, 4, shape) if dtype.kind == "f" else rng.integers(0, 2 if dtype.kind == "b" else 9, shape)
        if dtype.kind == "f" and not finite:
            flat = array.reshape(-1)
            flat[: len(odd)] = odd[: flat.size]
        if dtype.kind == "i":
            array = array - 4
        feeds[value.name] = np.asarray(array).astype(dtype)
    return feeds


def compare(before: bytes, after: bytes, feeds: dict[str, Array], numerics: Numerics) -> dict[str, Array]:
    """Run both models and compare all outputs; returns those of the second."""
    first, second = _session(before), _session(after)
    names = [o.name for o in first.get_outputs()]
    assert names == [o.name for o in second.get_outputs()]
    wants, gots = first.run(None, feeds), second.run(None, feeds)
    for want, got in zip(wants, gots, strict=True):
        assert want.dtype == got.dtype
        assert want.shape == got.shape
        if want.dtype.kind == "f" and numerics is Numerics.ROUNDING:
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
        elif want.dtype.kind == "f":
            np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
            real = ~np.isnan(want)
            np.testing.assert_array_equal(got[real], want[real])
            if numerics is Numerics.EXACT:
                np.testing.assert_array_equal(np.signbit(got[real]), np.signbit(want[real]))
        else:
            np.testing.assert_array_equal(got, want)
    return dict(zip(names, gots, strict=True))


def _session(data: bytes) -> Any:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
