"""To older opsets: what they lack is said in what they have, or named as in the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gopt
from gopt.errors import TargetError
from gopt.frontends.onnx import to_bytes
from gopt.frontends.text import parse

from .conftest import Convert, kinds

rng = np.random.default_rng(11)
PICTURE = rng.standard_normal((2, 4, 3, 5)).astype(np.float32)
ROWS = rng.standard_normal((3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float", "float16", "double"])
@pytest.mark.parametrize(
    ("op", "at"),
    [
        ("Gelu", 20),
        ('Gelu <approximate = "tanh">', 20),
        ("HardSwish", 14),
        ("Mish", 18),
        ("Swish", 24),
        ("Swish <alpha = 1.5>", 24),
    ],
)
def test_activations(convert: Convert, op: str, at: int, dtype: str) -> None:
    x = ROWS.astype({"float": np.float32, "float16": np.float16, "double": np.float64}[dtype])
    wide = x.astype(np.float64)
    want = {
        "Gelu": 0.5 * wide * (1 + np.vectorize(_erf)(wide / np.sqrt(2))),
        'Gelu <approximate = "tanh">': 0.5 * wide * (1 + np.tanh(np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3))),
        "HardSwish": wide * np.clip(wide / 6 + 0.5, 0, 1),
        "Mish": wide * np.tanh(np.log1p(np.exp(wide))),
        "Swish": wide / (1 + np.exp(-wide)),
        "Swish <alpha = 1.5>": wide / (1 + np.exp(-1.5 * wide)),
    }[op]
    text = f"g ({dtype}[3,4,5] x) => ({dtype}[3,4,5] y) {{ y = {op} (x) }}"
    if dtype != "float":  # ONNX Runtime has not all kernels of these types; the form is the same
        convert(text, 13, at=at)
    else:
        convert(text, 13, at=at, expected=[want.astype(x.dtype)], x=x)


def _erf(x: float) -> float:
    import math

    return math.erf(x)


@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_celu(convert: Convert, alpha: float) -> None:
    convert(f"g (float[3,4,5] x) => (float[3,4,5] y) {{ y = Celu <alpha = {alpha}> (x) }}", 11, x=ROWS)


@pytest.mark.parametrize("axis", [-1, -2, 1, 0])
@pytest.mark.parametrize("to", [16, 13, 9])
def test_layer_normalization(convert: Convert, axis: int, to: int) -> None:
    sizes = ROWS.shape[axis:]
    dims = ",".join(map(str, sizes))
    feeds = {"x": ROWS, "s": rng.standard_normal(sizes).astype(np.float32), "b": np.ones(sizes, np.float32)}
    text = f"""g (float[3,4,5] x, float[{dims}] s, float[{dims}] b) => (float[3,4,5] y, float[A,B,C] m, float[D,E,F] i)
        {{ y, m, i = LayerNormalization <axis = {axis}, epsilon = 0.01> (x, s, b) }}"""
    convert(text, to, **feeds)


def test_layer_normalization_of_half_floats_computes_in_floats(convert: Convert) -> None:
    text = "g (float16[3,4,5] x, float16[5] s) => (float16[3,4,5] y) { y = LayerNormalization(x, s) }"
    model = convert(text, 13, x=(100 * ROWS).astype(np.float16), s=np.ones(5, np.float16))
    assert kinds(model).count("Cast") == 2


@pytest.mark.parametrize("axis", [-1, 1])
def test_rms_normalization(convert: Convert, axis: int) -> None:
    axes = tuple(range(axis % 3, 3))
    scale = rng.standard_normal(ROWS.shape[axis:]).astype(np.float32)
    want = ROWS / np.sqrt((ROWS**2).mean(axes, keepdims=True) + 0.01) * scale
    dims = ",".join(map(str, scale.shape))
    text = f"""g (float[3,4,5] x, float[{dims}] s) => (float[3,4,5] y)
        {{ y = RMSNormalization <axis = {axis}, epsilon = 0.01> (x, s) }}"""
    convert(text, 13, at=23, expected=[want.astype(np.float32)], x=ROWS, s=scale)


@pytest.mark.parametrize("to", [20, 18, 13])
def test_group_normalization(convert: Convert, to: int) -> None:
    scale, bias = rng.standard_normal((2, 4)).astype(np.float32)
    groups = PICTURE.reshape(2, 2, -1)
    normal = (groups - groups.mean(-1, keepdims=True)) / np.sqrt(groups.var(-1, keepdims=True) + 1e-5)
    want = normal.reshape(PICTURE.shape) * scale[:, None, None] + bias[:, None, None]
    text = """g (float[N,4,H,W] x, float[4] s, float[4] b) => (float[N,4,H,W] y)
        { y = GroupNormalization <num_groups = 2> (x, s, b) }"""
    convert(text, to, at=21, expected=[want.astype(np.float32)], x=PICTURE, s=scale, b=bias)


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax", "Hardmax"])
def test_softmax_over_an_inner_axis(convert: Convert, kind: str) -> None:
    text = f"g (float[2,4,3,5] x) => (float[2,4,3,5] y) {{ y = {kind} <axis = 1> (x) }}"
    assert kinds(convert(text, 12, x=PICTURE)) == ["Transpose", kind, "Transpose"]
    assert kinds(convert(text.replace("axis = 1", "axis = -1"), 12, x=PICTURE)) == [kind]


def test_omitted_operands_go_with_their_places(convert: Convert) -> None:
    model = convert("g (float[3,4,5] x) => (float[3,4,5] y) { y = Clip(x, , ) }", 10, x=ROWS)
    assert len(model.graph.ops[0].inputs) == 1


def test_comparisons_of_nan(convert: Convert) -> None:
    a, b = np.array([1, 2, np.nan, np.inf], np.float32), np.array([2, 2, 1, np.inf], np.float32)
    text = """g (float[4] a, float[4] b) => (bool[4] y, bool[4] z)
        { y = GreaterOrEqual(a, b) z = LessOrEqual(a, b) }"""
    convert(text, 11, a=a, b=b)


def test_bounds_that_are_computed(convert: Convert) -> None:
    text = "g (float[3] x, float lo, float hi) => (float[3] y) { y = Clip(x, lo, hi) }"
    feeds = {"x": np.array([-2, 0.1, 5], np.float32), "lo": np.float32(-1), "hi": np.float32(1)}
    assert kinds(convert(text, 10, **{n: np.asarray(v) for n, v in feeds.items()})) == ["Max", "Min"]


def test_extremes_of_integers(convert: Convert) -> None:
    text = "g (int64[3] a, int64[1] b, int64[3] c) => (int64[3] y, int64[3] z) { y = Max(a, b, c) z = Min(a, c) }"
    feeds = {"a": np.array([1, 5, 3]), "b": np.array([2]), "c": np.array([0, 9, 3])}
    assert kinds(convert(text, 11, **feeds)).count("Where") == 3


@pytest.mark.parametrize("ends", ["start = 1", "start = -2, end = -1", "end = 2", "start = 3, end = 1"])
def test_part_of_a_shape(convert: Convert, ends: str) -> None:
    assert kinds(convert(f"g (float[N,M,5] x) => (int64[K] y) {{ y = Shape <{ends}> (x) }}", 13, x=ROWS)) == [
        "Shape",
        "Slice",
    ]


@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("k", [0, -1, 2])
def test_triangles(convert: Convert, upper: int, k: int) -> None:
    text = f"g (float[N,M,5] x, int64 k) => (float[N,M,5] y) {{ y = Trilu <upper = {upper}> (x, k) }}"
    convert(text, 13, x=ROWS, k=np.asarray(k))


@pytest.mark.parametrize("operands", ["x, '', s", "x, '', '', n"], ids=["scales", "sizes"])
def test_resize_of_some_axes(convert: Convert, operands: str) -> None:
    operands = operands.replace("''", "")
    text = f"""g (float[A,B,3,5] x) => (float[A,B,C,D] y) <float[2] s = {{3.0, 2.0}}, int64[2] n = {{10, 9}}>
        {{ y = Resize <axes = [3, 2], mode = "linear"> ({operands}) }}"""
    convert(text, 13, at=18, x=PICTURE)


def test_cast_like(convert: Convert) -> None:
    text = "g (float[3] x, int32 t) => (int32[3] y) { y = CastLike(x, t) }"
    assert kinds(convert(text, 13, x=np.array([1.5, -2, 3], np.float32), t=np.asarray(0, np.int32))) == ["Cast"]


def test_extremes_of_truths(convert: Convert) -> None:
    text = "g (bool[2,3] x) => (bool[2] y, bool[2] z) <int64[1] a = {1}> "
    text += "{ y = ReduceMax <keepdims = 0> (x, a) z = ReduceMin <keepdims = 0> (x, a) }"
    convert(text, 13, at=20, x=np.array([[True, False, True], [False, False, False]]))


def test_axes_become_attributes_again(convert: Convert) -> None:
    text = """g (float[2,4,3,5] x) => (float[A,B,C,D] y) <int64[1] a = {-1}, int64[1] n = {0}> {
        a1 = Unsqueeze(x, n)  b = Squeeze(a1, n)  c = ReduceSum(b, a)  y = ReduceMean(c, a) }"""
    for to in (17, 13, 12, 10):
        assert len(convert(text, to, at=18, x=PICTURE).graph.ops) == 4


def test_numbers_that_inference_knows_are_constants(convert: Convert) -> None:
    """The axis is the rank of a shape less one: computed, but the same in every run."""
    text = """g (float[N,4,5] x) => (float[A,B,C] y) <int64[1] one = {1}>
        { s = Shape(x) r = Shape(s) a = Sub(r, one) y = ReduceMean(x, a) }"""
    model = convert(text, 17, at=18, x=ROWS)
    assert next(op for op in model.graph.ops if op.op_type == "ReduceMean").attr("axes") == (2,)


def test_a_reduction_over_nothing(convert: Convert) -> None:
    text = "g (float[3,4,5] x) => (float[3,4,5] y) { y = ReduceMean <noop_with_empty_axes = 1> (x) }"
    assert kinds(convert(text, 13, at=18, x=ROWS)) == ["Identity"]


@pytest.mark.parametrize(
    ("shape", "scattered"),
    [("n, m, minus", False), ("n, m, twenty", False), ("n, twenty, one", False), ("m, n, twenty", None)],
)
def test_sizes_that_may_be_0(convert: Convert, shape: str, scattered: bool | None) -> None:
    text = f"""g (float[N,M,20] x) => (float[A,B,C] y)
        <int64[1] i0 = {{0}}, int64[1] one = {{1}}, int64[1] minus = {{-1}}, int64[1] twenty = {{20}}>
        {{ s = Shape(x) n = Gather(s, i0) m = Gather(s, one) t = Concat <axis = 0> ({shape})
           y = Reshape <allowzero = 1> (x, t) }}"""
    if scattered is None:
        with pytest.raises(TargetError, match="Reshape 'y'"):
            convert(text, 13)
        return
    x = rng.standard_normal((3, 1, 20)).astype(np.float32)
    assert ("ScatterElements" in kinds(convert(text, 13, x=x))) is scattered


def test_one_size_that_may_be_0_becomes_the_rest(convert: Convert) -> None:
    text = """g (float[N,M,20] x) => (float[A,B] y) <int64[1] i1 = {1}, int64[1] n = {60}>
        { s = Shape(x) m = Gather(s, i1) t = Concat <axis = 0> (m, n) y = Reshape <allowzero = 1> (x, t) }"""
    model = convert(text, 13, x=rng.standard_normal((3, 2, 20)).astype(np.float32))
    assert kinds(model)[-2:] == ["ScatterElements", "Reshape"]


def test_a_body_of_the_schema(convert: Convert) -> None:
    text = "g () => (float[10] y) <int64 n = {10}> { y = HannWindow(n) }"
    parts = convert(text, 13)
    assert "HannWindow" not in kinds(parts)
    assert "Cos" in kinds(parts)


def test_attention_by_its_body(convert: Convert) -> None:
    q = rng.standard_normal((1, 2, 4, 8)).astype(np.float32)
    text = "g (float[1,2,4,8] q, float[1,2,4,8] k, float[1,2,4,8] v) => (float[1,2,4,8] y) { y = Attention(q, k, v) }"
    scores = q @ q.transpose(0, 1, 3, 2) / np.sqrt(8)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    want = ((weights / weights.sum(-1, keepdims=True)) @ q).astype(np.float32)
    for to in (19, 17):
        assert "Attention" not in kinds(convert(text, to, at=23, expected=[want], q=q, k=q, v=q))


BLOCKED = {
    "type": (22, 13, "g (float8e4m3fn[3] x) => (float[3] y) { y = Cast <to = 1> (x) }", "Cast 'y'.*float8e4m3fn"),
    "result": (21, 18, "g (float[3] x) => (float8e5m2[3] y) { y = Cast <to = 19> (x) }", "Cast 'y'.*float8e5m2"),
    "operand": (18, 17, "g (float[3] x, int64[1] a) => (float[A] y) { y = ReduceMax(x, a) }", "operand 'axes'"),
    "word": (19, 18, 'g (float[3] x, int64[2] p) => (float[N] y) { y = Pad <mode = "wrap"> (x, p) }', "'wrap'"),
    "attribute": (19, 18, "g (float[1,1,5] x) => (float[A,B,C] y) { y = AveragePool <kernel_shape = [2],"
        " dilations = [2]> (x) }", "attribute 'dilations'"),
    "operator": (18, 17, "g (int32[3] x) => (int32[3] y) { y = BitwiseNot(x) }", "has no BitwiseNot"),
    "rank": (20, 19, "g (float[1,1,2,2,2] x, float[1,2,2,2,3] r) => (float[A,B,C,D,E] y) { y = GridSample(x, r) }",
        "rank 4"),
    "string": (19, 18, "g (string[3] x) => (bool[3] y) { y = Equal(x, x) }", "type string"),
}  # fmt: skip


@pytest.mark.parametrize("case", BLOCKED.values(), ids=BLOCKED)
def test_what_is_in_the_way_is_named_and_nothing_changes(case: tuple[int, int, str, str]) -> None:
    at, to, text, reason = case
    model = parse(f'<ir_version: 10, opset_import: ["": {at}]> {text}')
    before = to_bytes(model)
    with pytest.raises(TargetError, match=reason):
        gopt.run(model, f"opset:to={to}", verify=False)
    assert to_bytes(model) == before


def test_all_that_is_in_the_way_is_named() -> None:
    text = """<ir_version: 10, opset_import: ["": 18]> g (int32[3] x, bool c, float[3] f) => (int32[3] y, float[3] z) {
        a = BitwiseNot(x)
        y = If (c) <
            then_branch = t () => (int32[3] p) { p = BitwiseAnd(a, x) },
            else_branch = e () => (int32[3] q) { q = Identity(x) }>
        z = Mish(f) }"""
    model = parse(text)
    with pytest.raises(
        TargetError, match=r"2 ops that have no counterpart there: BitwiseNot 'a': .*; BitwiseAnd 'p': "
    ):
        gopt.run(model, "opset:to=17", verify=False)
    assert "Mish" in kinds(model)


def test_a_round_trip_ends_where_it_began(convert: Convert) -> None:
    text = """g (float[2,4,3,5] x) => (float[A,B,C,D] y) <int64[1] a = {1}, int64[8] p = {0,0,1,1,0,0,1,1}>
        { b = ReduceMean(x, a) c = Pad(b, p) d, e = Split <axis = 3, num_outputs = 2> (c) y = Add(d, d) }"""
    x: Any = PICTURE[..., :4]
    model = convert(text.replace("3,5", "3,4"), 10, at=18, x=x)
    again = gopt.run(model, "opset:to=18", verify=False).model
    assert kinds(again) == ["ReduceMean", "Pad", "Split", "Add"]
    assert again.graph.ops[0].inputs[1].const.numpy().tolist() == [1]  # type: ignore[union-attr]
