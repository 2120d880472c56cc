"""`lower.contrib`: what ONNX Runtime's optimizer writes, in standard operators."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from gopt.frontends.onnx import load, to_bytes
from gopt.passes import run_pipeline
from gopt.rewrite import Context
from tests.unit.passes.clean.rewriting import Rewritten, make_feeds, rewrite

MS = '<ir_version: 8, opset_import: ["": {opset}, "com.microsoft": 1]> g'


def contrib(graph: str, opset: int = 18, **options: object) -> Rewritten:
    return rewrite(f"{MS.format(opset=opset)} {graph}", "lower.contrib", **options)  # type: ignore[arg-type]


def of_the_runtime(done: Rewritten) -> list[str]:
    return [op.op_type for op in done.model.graph.ops if op.domain]


@pytest.mark.parametrize(
    ("text", "ops"),
    [
        pytest.param(
            "(float[2,3] x, float[4,3] w) => (float[2,4] y) { y = com.microsoft.FusedGemm<transB = 1, KIND>(x, w) }",
            ["Gemm", "ACTIVATION"],
            id="gemm",
        ),
        pytest.param(
            "(float[1,2,4,4] x, float[3,2,3,3] w) => (float[1,3,2,2] y) { y = com.microsoft.FusedConv<CONV>(x, w) }",
            ["Conv", "ACTIVATION"],
            id="conv",
        ),
    ],
)
@pytest.mark.parametrize(
    ("kind", "alpha", "beta"),
    [
        ("Relu", None, None),
        ("Tanh", None, None),
        ("Sigmoid", None, None),
        ("LeakyRelu", 0.3, None),
        ("HardSigmoid", 0.3, 0.4),
    ],
)
def test_activations_that_were_fused(
    text: str, ops: list[str], kind: str, alpha: float | None, beta: float | None
) -> None:
    given = [(name, value) for name, value in (("alpha", alpha), ("beta", beta)) if value is not None]
    gemm = "".join(f", activation_{name} = {value}" for name, value in given)
    conv = f", activation_params = [{', '.join(str(v) for _, v in given)}]" if given else ""
    text = text.replace("KIND", f'activation = "{kind}"{gemm}').replace("CONV", f'activation = "{kind}"{conv}')
    assert contrib(text).ops == [kind if op == "ACTIVATION" else op for op in ops]


def test_a_clip_that_was_fused() -> None:
    text = """(float[1,2,4,4] x, float[3,2,3,3] w) => (float[1,3,2,2] y)
    { y = com.microsoft.FusedConv<activation = "Clip", activation_params = [-0.5, 0.75]>(x, w) }"""
    assert contrib(text).ops == ["Conv", "Clip"]


def test_an_addend_that_was_fused() -> None:
    text = """(float[1,2,4,4] x, float[3,2,3,3] w, float[3] b, float[1,3,2,2] z) => (float[1,3,2,2] y)
    { y = com.microsoft.FusedConv<activation = "Relu">(x, w, b, z) }"""
    assert contrib(text).ops == ["Conv", "Add", "Relu"]


def test_an_activation_that_nobody_knows_is_left() -> None:
    text = """(float[1,2,4,4] x, float[3,2,3,3] w) => (float[1,3,2,2] y)
    { y = com.microsoft.FusedConv<activation = "Acme">(x, w) }"""
    assert contrib(text, runs=False).fired == []


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_a_product_of_transposed_operands(a: int, b: int) -> None:
    shapes = ("5,2,3" if a == 0 else "5,3,2"), ("5,3,4" if b == 0 else "5,4,3")
    text = f"""(float[{shapes[0]}] a, float[{shapes[1]}] b) => (float[5,2,4] y)
    {{ y = com.microsoft.FusedMatMul<transA = {a}, transB = {b}, alpha = 0.5>(a, b) }}"""
    assert contrib(text).ops == [*["Transpose"] * (a + b), "MatMul", "Mul"]


def test_transposed_batches_are_left() -> None:
    text = """(float[2,5,3] a, float[5,3,4] b) => (float y)
    { y = com.microsoft.FusedMatMul<transBatchA = 1>(a, b) }"""
    assert contrib(text, runs=False).fired == []


@pytest.mark.parametrize("opset", [13, 17])
@pytest.mark.parametrize("rest", ["x, z, s", "x, z, s, t", "x, z, s, t, b"])
def test_a_sum_that_is_normalized(rest: str, opset: int) -> None:
    text = f"""(float[2,4,3] x, float[2,4,3] z, float[3] s, float[3] t, float[3] b)
    => (float[2,4,3] y, float[2,4,3] sum)
    {{ y, m, d, sum = com.microsoft.SkipLayerNormalization<epsilon = 0.001>({rest}) }}"""
    done = contrib(text, opset)
    assert of_the_runtime(done) == []
    assert ("LayerNormalization" in done.ops) == (opset >= 17)


def test_a_deviation_that_is_used_is_left() -> None:
    text = """(float[2,4,3] x, float[2,4,3] z, float[3] s) => (float y, float m)
    { y, m = com.microsoft.SkipLayerNormalization(x, z, s) }"""
    assert contrib(text, runs=False).fired == []


@pytest.mark.parametrize(
    "kind", ["Gelu(x)", "QuickGelu<alpha = 1.5>(x)", "BiasGelu(x, b)", "FastGelu(x, b)", "FastGelu(x)"]
)
def test_activations_of_its_own(kind: str) -> None:
    done = contrib(f"(float[2,3] x, float[3] b) => (float[2,3] y) {{ y = com.microsoft.{kind} }}")
    assert of_the_runtime(done) == []


def test_an_activation_of_unknown_type_is_left() -> None:
    text = "(float[2,3] x) => (float y) { z = com.microsoft.Acme(x) y = com.microsoft.Gelu(z) }"
    assert contrib(text, runs=False).fired == []


@pytest.mark.parametrize("axis", [-1, 1, 2])
@pytest.mark.parametrize("kind", ["LayerNormalization", "SimplifiedLayerNormalization"])
def test_normalizations_that_the_opset_has_not(kind: str, axis: int) -> None:
    """ONNX's checker refuses them, ONNX Runtime writes and runs them."""
    text = f"""<ir_version: 8, opset_import: ["": 13]> g (float[2,4,3] x, float[S] s) => (float[2,4,3] y)
    {{ y = {kind}<axis = {axis}>(x, s) }}""".replace("S]", "4,3]" if axis == 1 else "3]")
    before = onnx.parser.parse_model(text)
    done = rewrite(text, "lower.contrib", runs=False)
    assert kind not in done.ops
    feeds = make_feeds(before, finite=True)
    (want,), (got,) = (
        ort.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, feeds)
        for data in (before.SerializeToString(), to_bytes(done.model))
    )
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_the_default_pipeline_leaves_what_it_cannot_write_anew() -> None:
    """An operator that the opset has not: to write it with other operands is refused, and no error."""
    text = """<ir_version: 8, opset_import: ["": 13]> g (float[4,4] x) => (float[4,4] y)
    <float[4] s = {1, 2, 3, 4}, float k = {0.25}>
    { a = LayerNormalization(x, s, s) c = Transpose(a) y = Mul(c, k) }"""
    model = load(onnx.parser.parse_model(text))
    run_pipeline(model, "fuse.factors", Context(model))
    assert [op.op_type for op in model.graph.ops] == ["LayerNormalization", "Transpose", "Mul"]
