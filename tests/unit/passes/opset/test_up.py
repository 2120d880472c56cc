"""To newer opsets: spellings, and meanings that changed on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gopt.errors import TargetError

from .conftest import Convert, kinds

NEWEST = 26
rng = np.random.default_rng(7)
PICTURE = rng.standard_normal((2, 4, 3, 5)).astype(np.float32)
ROWS = rng.standard_normal((3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize("axis", [0, 1, -2])
def test_softmax_below_13_takes_all_dims_from_the_axis_on(convert: Convert, kind: str, axis: int) -> None:
    model = convert(f"g (float[3,4,5] x) => (float[3,4,5] y) {{ y = {kind} <axis = {axis}> (x) }}", 17, at=12, x=ROWS)
    assert kinds(model) == ["Flatten", kind, "Reshape"]


def test_softmax_of_unknown_sizes_takes_the_shape_along(convert: Convert) -> None:
    model = convert("g (float[N,M,5] x) => (float[N,M,5] y) { y = Softmax(x) }", NEWEST, at=11, x=ROWS)
    assert sorted(kinds(model)) == ["Flatten", "Reshape", "Shape", "Softmax"]


def test_softmax_over_the_last_axis_only_says_so(convert: Convert) -> None:
    model = convert("g (float[3,5] x) => (float[3,5] y) { y = Softmax <axis = 1> (x) }", NEWEST, at=11, x=ROWS[0, :3])
    assert kinds(model) == ["Softmax"]
    assert model.graph.ops[0].attr("axis") == 1


def test_the_old_default_axis_is_written_out(convert: Convert) -> None:
    model = convert("g (float[3,5] x) => (float[3,5] y) { y = Softmax(x) }", NEWEST, at=11, x=ROWS[0, :3])
    assert model.graph.ops[0].attr("axis") == 1


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_upsample_is_a_resize_of_its_own_rounding(convert: Convert, mode: str) -> None:
    text = f"""g (float[2,4,3,5] x) => (float[2,4,6,15] y) <float[4] s = {{1.0, 1.0, 2.0, 3.0}}>
        {{ y = Upsample <mode = "{mode}"> (x, s) }}"""
    model = convert(text, NEWEST, at=9, x=PICTURE)
    assert kinds(model) == ["Resize"]
    assert model.graph.ops[0].attr("coordinate_transformation_mode") == "asymmetric"


@pytest.mark.parametrize("scales", ["2.0, 3.0", "0.5, 0.6", "1.0, 0.4"])
def test_resize_10_rounds_as_it_did(convert: Convert, scales: str) -> None:
    text = (
        f"""g (float[2,4,3,5] x) => (float[2,4,H,W] y) <float[4] s = {{1.0, 1.0, {scales}}}> {{ y = Resize(x, s) }}"""
    )
    convert(text, NEWEST, at=10, x=PICTURE)


def test_resize_10_of_computed_scales_is_refused(convert: Convert) -> None:
    with pytest.raises(TargetError, match="Resize 'y'"):
        convert("g (float[1,1,3,5] x, float[4] s) => (float[A,B,C,D] y) { y = Resize(x, s) }", NEWEST, at=10)


def test_empty_operands_of_resize_11_go(convert: Convert) -> None:
    text = """g (float[2,4,3,5] x) => (float[2,4,6,10] y)
        <float[0] roi = {}, float[0] none = {}, int64[4] sizes = {2, 4, 6, 10}> { y = Resize(x, roi, none, sizes) }"""
    op = convert(text, NEWEST, at=11, x=PICTURE).graph.ops[0]
    assert [v is not None for v in op.inputs] == [True, False, False, True]


def test_operands_that_were_attributes(convert: Convert) -> None:
    text = """g (float[2,4,3,5] x) => (float[A,B,C,D] y, float[E] z) {
        a = Clip <min = -0.5, max = 0.5> (x)
        b = Pad <pads = [0, 0, 1, 1, 0, 0, 2, 2], value = 1.5> (a)
        c = Slice <axes = [2], starts = [1], ends = [4]> (b)
        d = Unsqueeze <axes = [0]> (c)
        e = Squeeze <axes = [0]> (d)
        f, h = Split <axis = 1, split = [1, 3]> (e)
        y = ReduceMean <axes = [2], keepdims = 1> (h)
        s = ReduceSum <axes = [1, 2, 3], keepdims = 0> (f)
        z, i = TopK <k = 2> (s) }"""
    model = convert(text, NEWEST, at=9, x=PICTURE)
    assert len(model.graph.ops) == 9
    assert all("axes" not in op.attrs for op in model.graph.ops)


def test_dropout_in_inference_carries_its_ratio(convert: Convert) -> None:
    model = convert("g (float[3,4,5] x) => (float[3,4,5] y) { y = Dropout <ratio = 0.25> (x) }", NEWEST, at=10, x=ROWS)
    assert model.graph.ops[0].inputs[1].const.item() == 0.25  # type: ignore[union-attr]


def test_a_default_that_changed_is_written_out(convert: Convert) -> None:
    text = "g (float[1,1,4,4] x, float[1,4] r, int64[1] n) => (float[1,1,1,1] y) { y = RoiAlign(x, r, n) }"
    feeds: dict[str, Any] = {
        "x": PICTURE[:1, :1, :, :4].repeat(2, 2)[:, :, :4],
        "r": np.array([[0, 0, 2, 2]], np.float32),
        "n": np.zeros(1, np.int64),
    }
    model = convert(text, 16, at=10, **feeds)
    assert model.graph.ops[0].attr("coordinate_transformation_mode") == "output_half_pixel"


def test_broadcast_by_axis(convert: Convert) -> None:
    b = rng.standard_normal(4).astype(np.float32)
    text = "g (float[2,4,3,5] x, float[4] b) => (float[2,4,3,5] y) { y = Add <broadcast = 1, axis = 1> (x, b) }"
    model = convert(text, NEWEST, at=6, ir=3, expected=[PICTURE + b[:, None, None]], x=PICTURE, b=b)
    assert kinds(model) == ["Unsqueeze", "Add"]


@pytest.mark.parametrize("axis", ["", ", axis = 2", ", axis = -2"])
def test_broadcast_that_was_aligned_right_stays(convert: Convert, axis: str) -> None:
    b = PICTURE[0, 0]
    text = f"g (float[2,4,3,5] x, float[3,5] b) => (float[2,4,3,5] y) {{ y = Mul <broadcast = 1{axis}> (x, b) }}"
    assert kinds(convert(text, NEWEST, at=6, expected=[PICTURE * b], x=PICTURE, b=b)) == ["Mul"]


def test_slope_per_channel(convert: Convert) -> None:
    slope = rng.standard_normal(4).astype(np.float32)
    want = np.where(PICTURE < 0, PICTURE * slope[:, None, None], PICTURE)
    text = "g (float[2,4,3,5] x, float[4] s) => (float[2,4,3,5] y) { y = PRelu(x, s) }"
    assert kinds(convert(text, NEWEST, at=6, expected=[want], x=PICTURE, s=slope)) == ["Unsqueeze", "PRelu"]


def test_batch_normalization_per_element(convert: Convert) -> None:
    parts = {n: rng.uniform(0.5, 2, (4, 3, 5)).astype(np.float32) for n in "sbmv"}
    want = (PICTURE - parts["m"]) / np.sqrt(parts["v"] + np.float32(1e-5)) * parts["s"] + parts["b"]
    text = """g (float[2,4,3,5] x, float[4,3,5] s, float[4,3,5] b, float[4,3,5] m, float[4,3,5] v)
        => (float[2,4,3,5] y) { y = BatchNormalization <spatial = 0> (x, s, b, m, v) }"""
    convert(text, NEWEST, at=8, expected=[want], x=PICTURE, **parts)


def test_an_index_below_0_was_out_of_range(convert: Convert) -> None:
    text = """g (int64[4] i) => (float[4,3] y) <int64 d = {3}, float[2] v = {0.0, 1.0}> { y = OneHot(i, d, v) }"""
    want = np.zeros((4, 3), np.float32)
    want[0, 0] = want[1, 2] = 1
    convert(text, NEWEST, at=9, expected=[want], i=np.array([0, 2, -1, 3]))


def test_indices_that_are_not_negative_need_no_care(convert: Convert) -> None:
    text = """g (float[2] v) => (float[2,3] y) <int64 d = {3}, int64[2] i = {0, 2}> { y = OneHot(i, d, v) }"""
    assert kinds(convert(text, NEWEST, at=9, v=np.array([0, 1], np.float32))) == ["OneHot"]


def test_scale_per_group(convert: Convert) -> None:
    scale, bias = np.array([2, -1], np.float32), np.array([0.5, 3], np.float32)
    groups = PICTURE.reshape(2, 2, -1)
    normal = (groups - groups.mean(-1, keepdims=True)) / np.sqrt(groups.var(-1, keepdims=True) + 1e-5)
    want = (normal * scale[:, None] + bias[:, None]).reshape(PICTURE.shape).astype(np.float32)
    text = """g (float[2,4,3,5] x, float[2] s, float[2] b) => (float[2,4,3,5] y)
        { y = GroupNormalization <num_groups = 2> (x, s, b) }"""
    convert(text, NEWEST, at=18, expected=[want], x=PICTURE, s=scale, b=bias)


def test_scatter_has_another_name(convert: Convert) -> None:
    text = "g (float[3] x, int64[2] i, float[2] u) => (float[3] y) { y = Scatter(x, i, u) }"
    feeds = {"x": ROWS[0, 0, :3], "i": np.array([2, 0]), "u": ROWS[0, 1, :2]}
    assert kinds(convert(text, NEWEST, at=10, **feeds)) == ["ScatterElements"]


def test_split_into_equal_parts_says_their_number(convert: Convert) -> None:
    text = "g (float[3,4,5] x) => (float[3,2,5] y, float[3,2,5] z) { y, z = Split <axis = 1> (x) }"
    assert convert(text, NEWEST, at=11, x=ROWS).graph.ops[0].attr("num_outputs") == 2


def test_training_below_14_is_refused(convert: Convert) -> None:
    text = """g (float[2,4,3,5] x, float[4] s, float[4] b, float[4] m, float[4] v)
        => (float[2,4,3,5] y, float[4] n, float[4] w, float[4] o, float[4] q)
        { y, n, w, o, q = BatchNormalization(x, s, b, m, v) }"""
    with pytest.raises(TargetError, match=r"BatchNormalization 'y'.*training"):
        convert(text, NEWEST, at=9)


def test_a_recurrent_layer_below_7_is_refused(convert: Convert) -> None:
    text = """g (float[2,1,3] x, float[1,4,3] w, float[1,4,4] r) => (float[2,1,1,4] y)
        { y = RNN <hidden_size = 4, output_sequence = 1> (x, w, r) }"""
    with pytest.raises(TargetError, match="RNN 'y': RNN computes something else"):
        convert(text, NEWEST, at=6)


def test_every_opset_on_the_way(convert: Convert) -> None:
    text = """g (float[2,4,3,5] x) => (float[2,4] y) {
        a = LeakyRelu <alpha = 0.2> (x)  b = GlobalAveragePool(a)  c = Flatten(b)  y = Softmax(c) }"""
    for to in range(8, NEWEST + 1):
        convert(text, to, at=7, x=PICTURE)


def test_the_newest_that_onnx_knows(convert: Convert) -> None:
    convert("g (float[3,4,5] x) => (float[3,4,5] y) { y = Softmax(x) }", 27, at=11, ir=8)
