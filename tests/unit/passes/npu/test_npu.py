"""`npu`: each rule fires where it may, leaves alone what it must, and computes the same; so do the passes."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

import gopt
from gopt.analysis import infer
from gopt.frontends.onnx import to_bytes
from gopt.frontends.text import parse
from gopt.ir import DType, Model, TensorType
from gopt.ir.check import check
from gopt.passes import run_pipeline
from gopt.rewrite import Context

_SIX = "1, -2, 0.5, 0, 1, -1"
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
        (
            "g (float[1,4] x) => (float[1,4] y) { y = Shrink<lambd = 0.5, bias = 0.5>(x) }",
            ["Sub", "Relu", "Neg", "Sub", "Relu", "Sub"],
        ),
        (
            "g (float[1,4] x) => (float[1,4] y) { y = Shrink<lambd = 0.5>(x) }",
            ["Less", "Add", "Where", "Greater", "Sub", "Where"],
        ),
        ("g (float[1,4] x, float[1,4] z) => (float[1,4] y) { y = Min(x, z) }", ["Neg", "Neg", "Max", "Neg"]),
        ("g (float[1,4] x) => (float[1,4] y) <float c = {0.1}> { y = Min(x, c) }", ["Clip"]),
        ("g (float[1,4] x) => (float[1,4] y) <float[1] c = {0.1}> { y = Max(c, x) }", ["Clip"]),
        ("g (float[4] x) => (float[1,4] y) <float[1,1] c = {0.1}> { y = Max(c, x) }", ["Max"]),
        ("g (float[1,4] x) => (float[1,4] y) <float[4] c = {0.1, 1, -1, 0}> { y = Max(x, c) }", ["Max"]),
        ("g (float[1,4] x) => (float[1,4] y) { y = Sign(x) }", ["Greater", "Cast", "Less", "Cast", "Sub"]),
        ("g (float[1,4] x) => (float[1,4] y) { y = Atanh(x) }", ["Add", "Sub", "Div", "Log", "Mul"]),
        (
            "g (float[1,4] x) => (float[1,4] y) { y = Asinh(x) }",
            ["Abs", "Mul", "Add", "Sqrt", "Add", "Log", "Less", "Neg", "Where"],
        ),
        (
            "g (float[1,4] x) => (float[1,4] y) { a = Exp(x) b = Add(a, a) y = Acosh(b) }",
            ["Exp", "Add", "Sub", "Sqrt", "Add", "Sqrt", "Mul", "Add", "Log"],
        ),
        ("g (float[1,3,4] x) => (float[1,1,4] y) { y = ReduceProd<axes = [1]>(x) }", ["Split", "Mul", "Mul"]),
        (
            "g (float[1,3,4] x) => (float[1,4] y) { y = ReduceProd<axes = [-2], keepdims = 0>(x) }",
            ["Split", "Mul", "Mul", "Squeeze"],
        ),
        ("g (float[1,3,4] x) => (float[1] y) { y = ReduceProd<axes = [1, 2], keepdims = 0>(x) }", ["ReduceProd"]),
        ("g (float[1,9,4] x) => (float[1,1,4] y) { y = ReduceProd<axes = [1]>(x) }", ["ReduceProd"]),
        (
            "g (float[1,2,5,5] x) => (float[1,2,4,4] y) { y = LpPool<kernel_shape = [2, 2]>(x) }",
            ["Mul", "AveragePool", "Mul", "Sqrt"],
        ),
        (
            "g (float[1,2,5] x) => (float[1,2,5] y) { y = LpPool<kernel_shape = [3], pads = [1, 1], p = 3>(x) }",
            ["Abs", "Pow", "AveragePool", "Mul", "Pow"],
        ),
        (
            "g (float[1,2,5] x) => (float[1,2,4] y) { y = LpPool<kernel_shape = [2], p = 1>(x) }",
            ["Abs", "AveragePool", "Mul"],
        ),
        (
            'g (float[1,2,5] x) => (float[1,2,5] y) { y = LpPool<kernel_shape = [3], auto_pad = "SAME_UPPER">(x) }',
            ["LpPool"],
        ),
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
    assert ops(graph, opset=13 if "Reduce" in graph else 18) == expected


def test_nothing_is_reduced_where_no_axes_mean_none() -> None:
    text = """<ir_version: 8, opset_import: ["" : 18]>
    g (float[2,3] x) => (float[2,3] y) <int64[0] a = {}> { y = ReduceSumSquare<noop_with_empty_axes = 1>(x, a) }"""
    model = parse(text)
    run_pipeline(model, "npu", Context(model))
    assert [op.op_type for op in model.graph.ops] == ["ReduceSumSquare"]


def test_no_axes_mean_all_of_them() -> None:
    graph = "g (float[2,3] x) => (float[1,1] y) <int64[0] a = {}> { y = ReduceSumSquare(x, a) }"
    assert ops(graph) == ["Mul", "ReduceSum"]


@pytest.mark.parametrize("more", ["", ', direction = "reverse"', ', activations = ["Tanh"]'])
def test_a_simple_recurrent_layer_is_a_gru_with_open_gates(more: str) -> None:
    graph = (
        f"g (float[4,1,3] x, float[1,1,2] h) => (float[4,1,1,2] y, float[1,1,2] z) <float[1,2,3] w = {{{_SIX}}}, "
        f"float[1,2,2] r = {{0.5, -1, 0.25, 2}}, float[1,4] b = {{1, 2, 3, 4}}> "
        f'{{ y, z = RNN<hidden_size = 2{more}>(x, w, r, b, "", h) }}'
    )
    assert ops(graph) == ["GRU"]


@pytest.mark.parametrize("more", [', activations = ["Relu"]', ", clip = 1.0"])
def test_another_recurrent_layer_stays(more: str) -> None:
    graph = (
        f"g (float[4,1,3] x) => (float[4,1,1,2] y) <float[1,2,3] w = {{{_SIX}}}, float[1,2,2] r = {{0, -1, 3, 2}}> "
        f"{{ y = RNN<hidden_size = 2{more}>(x, w, r) }}"
    )
    assert ops(graph) == ["RNN"]


def test_a_simple_recurrent_layer_of_no_data_stays() -> None:  # ONNX Runtime dies of the other one
    text = f"""<ir_version: 8, opset_import: ["" : 18]>
    g (float[4,0,3] x) => (float[4,1,0,2] y) <float[1,2,3] w = {{{_SIX}}}, float[1,2,2] r = {{0, -1, 3, 2}}>
    {{ y = RNN<hidden_size = 2>(x, w, r) }}"""
    model = parse(text)
    run_pipeline(model, "npu", Context(model))
    assert [op.op_type for op in model.graph.ops] == ["RNN"]


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


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16", "double"])
def test_an_input_of_another_type_takes_the_same_numbers_as_floats(kind: str) -> None:
    text = f'<ir_version: 8, opset_import: ["" : 17]>\ng ({kind}[1,4,4,3] x) => (float[1,3,4,4] y) ' + (
        "{ f = Cast<to = 1>(x) t = Transpose<perm = [0,3,1,2]>(f) y = Relu(t) }"
    )
    result = gopt.run(parse(text), "npu.interface,clean")
    (x,) = result.model.graph.inputs
    assert isinstance(x.type, TensorType)
    assert x.type.dtype is DType.FLOAT
    assert [op.op_type for op in result.model.graph.ops] == ["Transpose", "Relu"]
    assert result.verification is not None
    assert result.verification.ok
    assert any("takes floats" in note for note in result.verification.notes)


def test_a_cast_behind_a_move_is_seen_once_it_is_in_front() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (uint8[1,4,4,3] x) => (float[1,3,4,4] y) { t = Transpose<perm = [0,3,1,2]>(x) y = Cast<to = 1>(t) }"""
    result = gopt.run(parse(text), "lower.types,npu.interface,clean")
    assert [op.op_type for op in result.model.graph.ops] == ["Transpose"]


@pytest.mark.parametrize(
    "graph",
    [
        "g (uint8[4] x) => (uint8[4] z, float[4] y) { z = Identity(x) y = Cast<to = 1>(x) }",
        "g (uint8[4] x) => (int8[4] y) { y = Cast<to = 3>(x) }",  # 200 is -56, of floats it is anything
        "g (double[4] x) => (int64[4] y) { y = Cast<to = 7>(x) }",
        "g (uint8[4] x) => (uint8[4] x) { }",
        "g (uint8[4] x) => (float[4] y) <uint8[4] x = {1, 2, 3, 4}> { y = Cast<to = 1>(x) }",
    ],
)
def test_an_input_that_could_give_other_numbers_keeps_its_type(graph: str) -> None:
    model = parse(f'<ir_version: 8, opset_import: ["" : 17]>\n{graph}')
    infer(model)
    before = [value.type for value in model.graph.inputs]
    run_pipeline(model, "npu.interface", Context(model))
    assert [value.type for value in model.graph.inputs] == before


def test_an_output_of_doubles_stays() -> None:
    assert ops("g (float[1,4] x) => (double[1,4] y) { a = Relu(x) y = Cast<to = 11>(a) }") == ["Relu", "Cast"]


@pytest.mark.parametrize(
    ("pads", "out", "expected"),
    [
        ("0, -1, -2, 0, 0, 0", "[2,2,2]", ["Slice"]),
        ("0, 0, -2, 0, 0, 2", "[2,3,4]", ["Slice", "Pad"]),
        ("0, 1, 0, 0, -3, 0", "[2,1,4]", ["Slice", "Pad"]),
        ("0, 2, 0, 0, -1, -4", "[2,4,0]", ["Slice", "Pad"]),
        ("0, 0, 1, 0, 0, 2", "[2,3,7]", ["Pad"]),
    ],
)
@pytest.mark.parametrize("opset", [9, 13, 18])
def test_what_a_pad_cuts_off_is_cut_off_first(pads: str, out: str, expected: list[str], opset: int) -> None:
    graph = f"g (float[2,3,4] x) => (float{out} y) <int64[6] p = {{{pads}}}, float v = {{5}}> {{ y = Pad(x, p, v) }}"
    if opset < 11:
        graph = f"g (float[2,3,4] x) => (float{out} y) {{ y = Pad<pads = [{pads}], value = 5.0>(x) }}"
    assert ops(graph, opset=opset) == expected


@pytest.mark.parametrize(
    "graph",
    [
        'g (float[2,3] x) => (float[2,3] y) <int64[4] p = {0, -1, 0, 1}> { y = Pad<mode = "edge">(x, p) }',
        "g (float[2,N] x) => (float[2,M] y) <int64[4] p = {0, -1, 0, 1}> { y = Pad(x, p) }",
        "g (float[2,3] x) => (float[2,3] y) <int64[4] p = {0, -4, 0, 4}> { y = Pad(x, p) }",
    ],
)
def test_other_pads_stay(graph: str) -> None:
    model = parse(f'<ir_version: 8, opset_import: ["" : 18]>\n{graph}')
    run_pipeline(model, "npu", Context(model))
    assert [op.op_type for op in model.graph.ops] == ["Pad"]


def test_the_default_of_a_filler_is_written_down() -> None:
    graph = "g (float[2,3] x) => (float[2,3] y) { s = Shape(x) z = ConstantOfShape(s) y = Sub(x, z) }"
    model = rewritten(graph)
    (made,) = [op for op in model.graph.ops if op.op_type == "ConstantOfShape"]
    assert "value" in made.attrs


def test_where_of_one_number() -> None:
    graph = "g (bool[1,1] c, float[1,1] x, float[1,1] z) => (float[1,1] y) { y = Where(c, x, z) }"
    assert "Where" not in ops(graph)
    graph = "g (bool[1,2] c, float[1,2] x, float[1,2] z) => (float[1,2] y) { y = Where(c, x, z) }"
    assert ops(graph) == ["Where"]
