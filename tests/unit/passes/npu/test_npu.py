"""`npu`: each rule fires where it may, leaves alone what it must, and computes the same; so do the passes."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from gopt.frontends.onnx import to_bytes
from gopt.frontends.text import parse
from gopt.ir import Model
from gopt.ir.check import check
from gopt.passes import run_pipeline
from gopt.rewrite import Context

FLOATS = ", ".join(str((7 * k % 11 - 5) / 8) for k in range(640))


def rewritten(graph: str, passes: str = "npu", opset: int = 18) -> Model:
    """Rewrite a model, and see that it computes what it did on random inputs."""
    text = f'<ir_version: 8, opset_import: ["" : {opset}]>\n{graph}'
    model = parse(text)
    before = outputs(model)
    run_pipeline(model, passes, Context(model))
    check(model)
    for old, new in zip(before, outputs(model)):
        np.testing.assert_allclose(old, new, rtol=2e-5, atol=2e-6)
    return model


def outputs(model: Model) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(to_bytes(model), options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    feed = {}
    for value in session.get_inputs():
        made = rng.standard_normal([dim if isinstance(dim, int) else 2 for dim in value.shape])
        feed[value.name] = made > 0 if value.type == "tensor(bool)" else made.astype(np.float32)
    found: list[np.ndarray] = session.run(None, feed)
    return found


def ops(graph: str, passes: str = "npu", opset: int = 18) -> list[str]:
    return [op.op_type for op in rewritten(graph, passes, opset).graph.ops]


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ("g (float[1,4] x) => (float[1,4] y) { y = Mish(x) }", ["Softplus", "Tanh", "Mul"]),
        ("g (float[1,4] x) => (float[1,4] y) { y = Softsign(x) }", ["Abs", "Add", "Div"]),
        ("g (float[1,4] x) => (float[1,4] y) { y = Selu(x) }", ["Elu", "Mul"]),
        ("g (float[1,4] x) => (float[1,4] y) { y = Celu<alpha = 0.5>(x) }", ["Div", "Elu", "Mul"]),
        ("g (float[1,4] x) => (float[1,4] y) { y = Shrink<lambd = 0.5>(x) }", ["Shrink"]),
        ("g (float[1,4] x, float[1,4] z) => (float[1,4] y) { y = Min(x, z) }", ["Neg", "Neg", "Max", "Neg"]),
        ("g (float[1,4] x) => (float[1,4] y) { y = Ceil(x) }", ["Neg", "Floor", "Neg"]),
        ("g (float[1,4] x, float[1,4] z) => (float[1,4] y) { y = Mean(x, z) }", ["Add", "Mul"]),
        ("g (float[1,3,4,4] x) => (float[1,3,1,1] y) { y = ReduceMax<axes = [2,3]>(x) }", ["GlobalMaxPool"]),
        (
            "g (float[1,3,4,4] x) => (float[1,1,4,4] y) { y = ReduceMax<axes = [1]>(x) }",
            ["Transpose", "MaxPool", "Transpose"],
        ),
        ("g (float[1,3,4,4] x) => (float[1,3,4] y) { y = ReduceMax<axes = [2], keepdims = 0>(x) }", ["ReduceMax"]),
        ("g (float[1,3,N,4] x) => (float[1,3,1,1] y) { y = ReduceMax<axes = [2,3]>(x) }", ["ReduceMax"]),
    ],
)
def test_rules_of_parts(graph: str, expected: list[str]) -> None:
    assert ops(graph, opset=13 if "ReduceMax" in graph else 18) == expected


def test_a_minimum_of_integers_stays() -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]>\ng (int64[2] x, int64[2] z) => (int64[2] y) { y = Min(x, z) }'
    model = parse(text)
    run_pipeline(model, "npu", Context(model))
    assert [op.op_type for op in model.graph.ops] == ["Min"]


@pytest.mark.parametrize(
    ("sizes", "attributes", "weights", "kernel"),
    [
        ([1, 1, 400], "strides = [160]", [3, 1, 200], 2),  # fewer elements than two steps
        ([1, 1, 512], "strides = [160]", [2, 1, 320], 2),
        ([1, 2, 200], "strides = [2]", [2, 2, 64], 9),
        ([1, 1, 100], "strides = [1]", [2, 1, 40], 11),
        ([1, 1, 100], "strides = [3], pads = [5, 7]", [2, 1, 40], 8),
        ([1, 1, 1, 100], "strides = [1, 20]", [2, 1, 1, 30], 2),
        ([1, 1, 64], "strides = [64]", [2, 1, 64], 1),
    ],
)
def test_long_windows_become_blocks(sizes: list[int], attributes: str, weights: list[int], kernel: int) -> None:
    count = int(np.prod(weights))
    data = ", ".join(str((7 * k % 11 - 5) / 8) for k in range(count))
    shape = [str(s) for s in sizes]
    rank = "4" if len(sizes) == 4 else "3"
    graph = (
        f"g (float[{','.join(shape)}] x) => (float y) <float[{','.join(map(str, weights))}] w = {{{data}}}, "
        f"float[{weights[0]}] b = {{{', '.join('0.5' for _ in range(weights[0]))}}}> "
        f"{{ y = Conv<{attributes}>(x, w, b) }}"
    )
    model = rewritten(graph.replace("(float y)", f"(float[{','.join('ABCD'[: int(rank)])}] y)"))
    (conv,) = [op for op in model.graph.ops if op.op_type == "Conv"]
    assert len(model.graph.ops) > 1
    assert conv.attr("kernel_shape", ()) == (1, kernel)


@pytest.mark.parametrize(
    "graph",
    [
        f"g (float[1,1,100] x) => (float[1,1,85] y) <float[1,1,16] w = {{{', '.join(FLOATS.split(', ')[:16])}}}> "
        "{ y = Conv(x, w) }",
        f"g (float[1,2,100] x) => (float[1,2,61] y) <float[2,1,40] w = {{{', '.join(FLOATS.split(', ')[:80])}}}> "
        "{ y = Conv<group = 2>(x, w) }",
        "g (float[1,1,N] x) => (float[1,1,M] y) <float[1,1,2] w = {1, 2}> { y = Conv<dilations = [1]>(x, w) }",
    ],
)
def test_other_convolutions_stay(graph: str) -> None:
    assert ops(graph.replace("[1,1,N]", "[1,1,9]").replace("[1,1,M]", "[1,1,8]")) == ["Conv"]


_W, _R = (", ".join(FLOATS.split(", ")[:count]) for count in (36, 24))
WEIGHTS = f"<float[2,6,3] w = {{{_W}}}, float[2,6,2] r = {{{_R}}}>"


def test_a_last_state_alone_is_cut_out_of_all_steps() -> None:
    graph = f"g (float[4,1,3] x) => (float[2,1,2] h) {WEIGHTS} " + (
        '{ , h = GRU<hidden_size = 2, direction = "bidirectional">(x, w, r) }'
    )
    model = rewritten(graph)
    gru = model.graph.ops[0]
    assert gru.op_type == "GRU"
    assert len([v for v in gru.outputs if v is not None]) == len(gru.outputs) == 1


def test_a_state_of_a_cell_needs_all_names() -> None:
    many = ", ".join(FLOATS.split(", ")[:24])
    graph = (
        f"g (float[4,1,3] x) => (float[1,1,2] h, float[1,1,2] c) <float[1,8,3] w = {{{many}}}, "
        f"float[1,8,2] r = {{{', '.join(many.split(', ')[:16])}}}> {{ , h, c = LSTM<hidden_size = 2>(x, w, r) }}"
    )
    (lstm,) = rewritten(graph).graph.ops
    assert None not in lstm.outputs


def test_attributes_that_state_a_default_go() -> None:
    graph = f"g (float[4,1,3] x) => (float[4,2,1,2] y) {WEIGHTS} " + (
        '{ y = GRU<hidden_size = 2, direction = "bidirectional", layout = 0>(x, w, r) }'
    )
    (gru,) = rewritten(graph).graph.ops
    assert "layout" not in gru.attrs


BRANCHES = """g (bool[1] c, float[2,4] x) => (float[2,4] y) {{
  y = If (c) <
    then_branch = t () => (float[2,4] a) {{ a = Relu(x) }},
    else_branch = e () => (float[2,4] b) {{ {other} }}
  > }}"""


def test_both_branches_are_computed() -> None:
    assert sorted(ops(BRANCHES.format(other="b = Neg(x)"))) == ["Neg", "Relu", "Where"]


def test_a_branch_that_could_stop_the_run_stays() -> None:
    other = "i = Cast<to = 7>(x) j = Div(i, i) b = Cast<to = 1>(j)"
    text = f'<ir_version: 8, opset_import: ["" : 17]>\n{BRANCHES.format(other=other)}'
    model = parse(text)
    run_pipeline(model, "npu", Context(model))
    assert [op.op_type for op in model.graph.ops] == ["If"]


def test_an_output_of_bytes_is_given_before_its_cast() -> None:
    graph = "g (float[1,4] x) => (uint8[1] y) { i = ArgMax<axis = 1, keepdims = 0>(x) y = Cast<to = 2>(i) }"
    model = parse(f'<ir_version: 8, opset_import: ["" : 17]>\n{graph}')
    run_pipeline(model, "npu.interface", Context(model))
    check(model)
    assert [op.op_type for op in model.graph.ops] == ["ArgMax"]
    assert model.graph.outputs[0].name == "i"


def test_where_of_one_number() -> None:
    graph = "g (bool[1,1] c, float[1,1] x, float[1,1] z) => (float[1,1] y) { y = Where(c, x, z) }"
    assert "Where" not in ops(graph)
    graph = "g (bool[1,2] c, float[1,2] x, float[1,2] z) => (float[1,2] y) { y = Where(c, x, z) }"
    assert ops(graph) == ["Where"]
