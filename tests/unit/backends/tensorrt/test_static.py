"""TensorRT without TensorRT: the table, forms, profiles, what is written, NonMaxSuppression."""

from __future__ import annotations

import json
import py_compile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from gopt.analysis import infer
from gopt.api.targets import make
from gopt.backends import target
from gopt.backends.support import read_table
from gopt.backends.tensorrt import emit
from gopt.backends.tensorrt.nms import find_tail
from gopt.backends.tensorrt.places import Places
from gopt.backends.tensorrt.profiles import Profile, derive, examine_names, parse_spans
from gopt.backends.tensorrt.target import TensorRT, TensorRT10, TensorRT11, TensorRTRTX
from gopt.errors import TargetError, UsageError
from gopt.frontends.onnx import load
from gopt.frontends.text import parse
from gopt.ir import Model
from gopt.passes import as_pipeline


def model(text: str, opset: int = 17) -> Model:
    parsed = parse(f'<ir_version: 8, opset_import: ["": {opset}]> g {text}')
    infer(parsed)
    return parsed


def broken(text: str, name: str = "trt10", opset: int = 17) -> list[tuple[str, str, str]]:
    return [(b.op_type, b.rule, b.remedy) for b in target(name).check(model(text, opset))]


# -- the table ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(float[2] x) => (float[2] y) { y = Relu(x) }", []),
        ("(float[2,4,1] x) => (float y) { y = DFT<axis = 1>(x) }", [("DFT", "operator", "lower.dft")]),
        ("(float[2,1] x) => (float y) { y = Squeeze(x) }", []),
        ("(float[N,1] x) => (float y) { y = Squeeze(x) }", [("Squeeze", "form", "lower.squeeze")]),
        ("(uint8[2,3] x) => (uint8 y) { y = Transpose(x) }", [("Transpose", "type", "")]),
        ("(uint16[2] x) => (float y) { y = Cast<to = 1>(x) }", [("Cast", "type", "")]),
        ("(int32[2] x) => (int32 y) { y = Exp(x) }", [("Exp", "type", "")]),
        (
            "(float[2] x) => (uint8 y) <float s = {1}, uint8 z = {3}> { y = QuantizeLinear(x, s, z) }",
            [("QuantizeLinear", "form", "lower.quantized"), ("QuantizeLinear", "type", "lower.quantized")],
        ),
        ("(float[2] x) => (int8 y) <float s = {1}, int8 z = {0}> { y = QuantizeLinear(x, s, z) }", []),
        ("(float[1,1,4] x) => (float y) { y = MaxPool<kernel_shape = [2]>(x) }", []),
        ("(float[2] x, float[2] c) => (float[2] y) { y = Where(c, x, x) }", []),
        ("(float[3] a, float[2,3,4] b) => (float y) { y = MatMul(a, b) }", [("MatMul", "form", "lower.ranks.vector")]),
    ],
)
def test_what_is_in_the_way(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert broken(text) == expected


def test_targets_differ() -> None:
    text = "(float[2,3] x) => (int64 y) { y = NonZero(x) }"
    assert broken(text, "trt10") == broken(text, "tensorrt") == []
    assert broken(text, "trt-rtx") == [("NonZero", "operator", "")]
    text = "(float[1,1,4,4,4] x, float[1,2,2,2,3] g) => (float y) { y = GridSample(x, g) }"
    assert broken(text, "trt11", 20) == [("GridSample", "rank", "")]
    assert broken(text, "trt-rtx", 20) == []


def test_a_stacked_result_of_a_loop_that_is_not_used() -> None:
    """In a branch or not; a loop in a branch is no trouble otherwise."""
    signature = "(int64 i, bool c, float[2] s) => (bool d, float[2] t, float[2] u)"
    body = f"o, unused = Loop(n, go, x) <body = l {signature} {{ d = Identity(c) t = Neg(s) u = Abs(s) }}>"
    text = f"""(bool c, int64 n, bool go, float[2] x) => (float[2] y) {{ y = If(c)
    <then_branch = a () => (float[2] o) {{ {body} }}, else_branch = b () => (float[2] p) {{ p = Neg(x) }}> }}"""
    assert broken(text) == [("Loop", "form", "inline.carried")]
    for old, new in ((", float[2] u)", ")"), ("o, unused", "o"), ("u = Abs(s)", "")):
        text = text.replace(old, new)
    assert broken(text) == []


def test_a_scan_that_carries_nothing() -> None:
    body = "<num_scan_inputs = 1, body = b (float[3] a) => (float[3] u) { u = Neg(a) }>"
    assert broken(f"(float[4,3] x) => (float[4,3] q) {{ q = Scan {body} (x) }}") == [("Scan", "form", "")]


def test_an_input_that_decides_a_branch_is_named() -> None:
    text = """(int64 sr, float[4,1,3] x, float[1,8,3] w, float[1,8,2] r, float[1,1,2] e) => (float y)
    <int64 rate = {16000}> { c = Equal(sr, rate) y = If(c)
    <then_branch = a () => (float p) { z, p = LSTM<hidden_size = 2>(x, w, r) },
      else_branch = b () => (float q) { q = Neg(e) }> }"""
    (found,) = target("trt10").check(model(text))
    assert (found.remedy, found.hint) == ("lower.recurrent", "decide the branch: --freeze sr=16000")


@pytest.mark.parametrize(("results", "expected"), [("o", []), ("z, h", ["lower.recurrent"])])
def test_a_layer_inside_of_a_branch(results: str, expected: list[str]) -> None:
    inner = "o" if results == "o" else "h"
    text = f"""(bool c, float[4,1,3] x, float[1,8,3] w, float[1,8,2] r, float[k,l,m] e) => (float y)
    {{ y = If(c) <then_branch = a () => (float p)
      {{ {results} = LSTM<hidden_size = 2>(x, w, r) p = ReduceSum({inner}) }},
      else_branch = b () => (float q) {{ q = ReduceSum(e) }}> }}"""
    found = [b.remedy for b in target("trt10").check(model(text)) if "states" in b.reason]
    assert found == expected


def test_branches_of_different_ranks() -> None:
    text = """(bool c, float[2,1] x) => (float y) <int64[1] a = {1}> { y = If(c)
    <then_branch = a () => (float p) { p = Squeeze(x, a) }, else_branch = b () => (float q) { q = Neg(x) }> }"""
    assert broken(text) == [("If", "form", "lower.branches")]


def test_a_dim_that_decides_a_branch_is_named() -> None:
    text = """(float[2,M,3] x) => (float y) <int64[1] a = {1}, int64 k = {1}>
    { s = Shape(x) m = Gather(s, k) c = Equal(m, k)
      y = If(c) <then_branch = a () => (float p) { p = Squeeze(x, a) },
        else_branch = b () => (float q) { q = Neg(x) }> }"""
    (found,) = target("trt10").check(model(text))
    assert (found.reason, found.hint) == (
        "result 0 has 3 dims in one branch and 2 in the other",
        "decide the branch: --dim M=1",
    )


def test_after_a_run_no_pass_is_offered_that_did_not_help(tmp_path: Path) -> None:
    text = """(bool c, float[2,1] x) => (float y) <int64[1] a = {1}> { y = If(c)
    <then_branch = a () => (float p) { p = Squeeze(x, a) }, else_branch = b () => (float q) { q = Neg(x) }> }"""
    onnx.save(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> g {text}'), tmp_path / "m.onnx")
    made = make(tmp_path / "m.onnx", "tensorrt", output=tmp_path / "out", level="static")
    assert [(b.remedy, b.hint) for b in made.verdict.blockers] == [("", "decide the branch: --freeze c=VALUE")]


def test_a_loop_without_a_trip_count() -> None:
    text = """(float[2] x, bool c) => (float y) { y2, y = Loop("", c, x) <body = b (int64 i, bool g, float[2] s)
    => (bool h, float[2] t, float[2] u) { h = Identity(g) t = Neg(s) u = Abs(s) }> }"""
    assert broken(text) == [("Loop", "form", "lower.loops.trip_count")]


@pytest.mark.parametrize(("given", "expected"), [('""', ["lower.loops.condition"]), ("c", [])])
def test_a_loop_without_a_condition(given: str, expected: list[str]) -> None:
    text = f"""(float[2] x, bool c, int64 n) => (float y)
    {{ y = Loop(n, {given}, x) <body = b (int64 i, bool g, float[2] s) => (bool h, float[2] t)
    {{ h = Identity(g) t = Neg(s) }}> }}"""
    assert [remedy for _, _, remedy in broken(text)] == expected


def test_dims_that_are_called_alike_by_accident() -> None:
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["?", 3, "?"])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
    )
    loaded = load(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8))
    infer(loaded)
    assert [b.remedy for b in target("trt10").check(loaded)] == ["lower.dims"]


def test_the_table_agrees_with_what_was_measured() -> None:
    """An operator none of whose tests was built must not be one that the table takes without a condition."""
    measured = json.loads(Path(emit.__file__).with_name("measured.json").read_text(encoding="utf-8"))["operators"]
    refused = {op for op, kinds in measured.items() if not any(a + b for a, b, _ in kinds.values())}
    assert {"DFT", "BitShift", "Unique"} <= refused
    unconditional = {"Relu", "Add", "MatMul", "Conv", "Softmax", "Concat", "Gather", "LSTM", "If"}
    assert not refused & unconditional


# -- profiles ----------------------------------------------------------------------------------------------------------

DYNAMIC = "(float[batch,3,H,?] x, float[batch,4] h) => (float y) { r = Relu(x) y = Identity(h) }"


def test_one_size_for_one_name() -> None:
    found = derive(model(DYNAMIC), parse_spans(["batch=1:4:16", "H=32"]), [{"x.3": 64}, {"x.3": 96}])
    assert found.symbols == {"batch": (1, 4, 16), "H": (32, 32, 32), "x.3": (64, 64, 96)}
    assert found.shapes["x"] == ((1, 3, 32, 64), (4, 3, 32, 64), (16, 3, 32, 96))
    assert found.shapes["h"] == ((1, 4), (4, 4), (16, 4))
    assert found.guessed == ()
    assert found.fixed().shapes["h"] == ((4, 4), (4, 4), (4, 4))


def test_sizes_that_hang_together() -> None:
    text = "(float[n] x, float[m] z) => (float y) { y = Relu(x) w = Relu(z) }"
    parsed = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> g {text}')
    parsed.graph.input[1].type.tensor_type.shape.dim[0].dim_param = "n + 1"
    loaded = load(parsed)
    infer(loaded)
    found = derive(loaded, {"n": (2, 3, 5)})
    assert found.shapes["z"] == ((3,), (4,), (6,))


def test_sizes_are_guessed_where_nothing_is_known() -> None:
    found = derive(model(DYNAMIC), {})
    assert found.symbols["batch"] == (1, 1, 8)
    assert set(found.guessed) == {"batch", "H", "x.3"}
    assert derive(model("(float[2] x) => (float y) { y = Relu(x) }"), {}) == Profile()


@pytest.mark.parametrize("text", ["batch", "batch=", "batch=4:2:8", "batch=0", "=3", "batch=1:2:3:4"])
def test_malformed_profiles(text: str) -> None:
    with pytest.raises(UsageError, match="--profile"):
        parse_spans([text])


def test_a_profile_for_no_dim() -> None:
    with pytest.raises(UsageError, match=r"no dynamic dim 'n'; it has batch, H, x\.3"):
        examine_names(model(DYNAMIC), parse_spans(["n=1"]))


def test_a_profile_for_a_dim_that_went() -> None:
    """A dim may be fixed on the way; what was asked for it is no error then."""
    assert derive(
        model("(float[2,n] x) => (float y) { y = Relu(x) }"), parse_spans(["n=1:2:3", "batch=1:4:16"])
    ).shapes == {"x": ((2, 1), (2, 2), (2, 3))}


@pytest.mark.parametrize("given", [{"capability": "SM1"}, {"quantized": "no"}, {"nms": "no"}, {"colour": "red"}])
def test_options_that_there_are_not(given: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        target("trt-rtx", given)


# -- what is written ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [TensorRT10, TensorRT11, TensorRTRTX])
def test_files_beside_the_model(kind: type[TensorRT], tmp_path: Path) -> None:
    profile = derive(model(DYNAMIC), parse_spans(["batch=1:4:16", "H=32", "x.3=32"]))
    files = emit.write(tmp_path, tmp_path / "it's.onnx", profile, kind.flavor, ("SM86",))
    assert [f.name for f in files] == ["profile.json", "build_engine.py", "trtexec.sh", "onnxruntime.json"]
    py_compile.compile(str(tmp_path / "build_engine.py"), doraise=True)
    script = (tmp_path / "build_engine.py").read_text()
    assert ("--fp16" in script) == kind.flavor.weak
    command = (tmp_path / "trtexec.sh").read_text()
    assert "--optShapes=x:4x3x32x32,h:4x4" in command
    assert "fp16" not in command
    assert ("--stronglyTyped" in command) == kind.flavor.weak
    options = json.loads((tmp_path / "onnxruntime.json").read_text())["providers"][0]
    assert options[0] == kind.flavor.provider
    assert options[1][f"{kind.flavor.prefix}_profile_max_shapes"] == "x:16x3x32x32,h:16x4"
    assert json.loads((tmp_path / "profile.json").read_text())["symbols"]["batch"] == {"min": 1, "opt": 4, "max": 16}


def test_quantized_models_are_run_in_8_bits(tmp_path: Path) -> None:
    found = emit.provider_options(tmp_path / "m.onnx", Profile(), TensorRT10.flavor, quantized=True)["providers"][0][1]
    assert found["trt_int8_enable"] == "True"
    assert (
        "trt_int8_enable"
        not in emit.provider_options(tmp_path / "m.onnx", Profile(), TensorRT10.flavor)["providers"][0][1]
    )


def test_errors_name_ops() -> None:
    found = model("(float[2] x) => (float y, float z) { y = Relu(x) [act] z = Neg(x) }".replace("[act] ", ""))
    found.graph.ops[0].name = "act"
    places = Places(found)
    assert places.op("act") is found.graph.ops[0]
    assert places.op("node_of_z") is found.graph.ops[1]
    assert places.op("act_12") is found.graph.ops[0]
    assert places.op("nobody") is None
    error = {"node": "act", "op": "Relu", "text": "false"}
    assert (places.blocker("parsed", error).node, places.blocker("parsed", error).rule) == ("Relu 'act'", "parsed")


# -- NonMaxSuppression -------------------------------------------------------------------------------------------------

DETECTOR = """<ir_version: 8, opset_import: ["": 17]>
g (float[1,6,4] x, float[1,2,6] s) => (int64[n,3] chosen, float[1,6,4] all)
<int64 most = {3}, float overlap = {0.5}, float least = {0.1}>
{ boxes = Abs(x) scores = Sigmoid(s) picked = NonMaxSuppression(boxes, scores, most, overlap, least)
  chosen = Identity(picked) all = Neg(boxes) }"""


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    path = tmp_path / "detector.onnx"
    onnx.save(onnx.parser.parse_model(DETECTOR), path)
    return path


def test_the_tail_of_a_detector(detector: Path) -> None:
    loaded = load(detector)
    tail = find_tail(loaded)
    assert tail is not None
    assert (tail.ends, tail.takes, tail.gives) == (("boxes", "scores", "all"), ("boxes", "scores"), ("chosen",))
    assert find_tail(model("(float[2] x) => (float y) { y = Relu(x) }")) is None


def names(path: Path) -> tuple[list[str], list[str]]:
    graph = onnx.load(path).graph
    return [v.name for v in graph.input], [v.name for v in graph.output]


def test_a_cut_detector_gives_the_same(detector: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    made = make(detector, "trt-rtx", {"nms": "cut"}, level="static")
    assert made.verdict.ok
    assert made.result.verification is not None
    assert made.result.verification.ok
    first, tail = made.files[0], made.files[-1]
    assert names(first) == (["x", "s"], ["boxes", "scores", "all"])
    assert names(tail) == (["boxes", "scores"], ["chosen"])
    rng = np.random.default_rng(0)
    feeds: dict[str, Any] = {"x": rng.random((1, 6, 4), "f"), "s": rng.random((1, 2, 6), "f")}
    wanted = ort.InferenceSession(detector).run(["chosen"], feeds)
    parts = ort.InferenceSession(first).run(["boxes", "scores"], feeds)
    got = ort.InferenceSession(tail).run(None, dict(zip(["boxes", "scores"], parts)))
    np.testing.assert_array_equal(got[0], wanted[0])


def test_a_detector_that_ends_in_the_plugin(detector: Path) -> None:
    made = make(detector, "trt10", {"nms": "efficientnms"}, level="static")
    graph = onnx.load(made.files[0]).graph
    assert [o.name for o in graph.output] == [
        "all",
        "num_detections",
        "detection_boxes",
        "detection_scores",
        "detection_classes",
    ]
    (plugin,) = [n for n in graph.node if n.op_type == "EfficientNMS_TRT"]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in plugin.attribute}
    assert attributes["max_output_boxes"] == 3
    assert attributes["iou_threshold"] == 0.5
    assert attributes["score_threshold"] == pytest.approx(0.1)


def test_a_detector_that_gives_no_boxes(detector: Path) -> None:
    """Without max_output_boxes_per_class the operator gives none; the plugin cannot be told so."""
    onnx.save(onnx.parser.parse_model(DETECTOR.replace("scores, most, overlap", 'scores, "", overlap')), detector)
    with pytest.raises(TargetError, match="gives no boxes"):
        make(detector, "trt10", {"nms": "efficientnms"}, level="static")


def test_every_remedy_is_a_pass() -> None:
    rows = read_table("gopt.backends.tensorrt")["row"]
    remedies = {row["remedy"] for row in rows if "remedy" in row}
    assert {"lower.contrib", "lower.quantized"} <= remedies
    for remedy in remedies:
        as_pipeline(remedy)


@pytest.mark.parametrize("op_type", ["GroupQueryAttention", "MoE"])
def test_operators_of_the_runtime_that_are_refused_with_a_reason(op_type: str) -> None:
    text = f"""<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]> g (float[2] x) => (float y)
    {{ y = com.microsoft.{op_type}(x) }}"""
    parsed = parse(text)
    infer(parsed)
    (found,) = target("trt10").check(parsed)
    assert (found.reason, found.remedy) == ("the operator is ONNX Runtime's own", "")
    assert "before ONNX Runtime's tools" in found.hint
