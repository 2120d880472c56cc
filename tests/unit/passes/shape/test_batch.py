"""`shape.batch`: what is changed for another batch size, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gopt
from gopt.errors import UsageError, VerificationError
from gopt.frontends.onnx import load, to_proto
from gopt.frontends.text import parse
from gopt.passes import parse as pipeline
from gopt.passes.shape import batch
from gopt.passes.shape._batch import Refusal, walk

from .batches import HEAD, rebatched, refused, same

SIZES = ["to=3", "to=n"]


def declared(model: gopt.ir.Model) -> dict[str, list[int | str]]:
    graph = to_proto(model).graph
    return {
        v.name: [d.dim_value if d.HasField("dim_value") else d.dim_param for d in v.type.tensor_type.shape.dim]
        for v in [*graph.input, *graph.output]
    }


# -- what is changed ---------------------------------------------------------------------------------------------------

ATTENTION = """g (float[1,4,6] x) => (float[1,4,6] y) <int64[3] t = {2, 4, 3}, int64[3] u = {1, 4, 6}> {
    a = Transpose<perm = [1, 0, 2]>(x)
    s0 = Constant<value_ints = [4, 2, 3]>() b = Reshape(a, s0)
    c = Transpose<perm = [1, 0, 2]>(b) ct = Transpose<perm = [0, 2, 1]>(c)
    p = MatMul(c, ct) q = Softmax<axis = -1>(p) r = MatMul(q, c)
    d = Transpose<perm = [1, 0, 2]>(r)
    s1 = Constant<value_ints = [4, 6]>() e = Reshape(d, s1)
    w = Constant<value = float[6,6] {1,0,0,0,0,2, 0,1,0,0,0,0, 0,0,1,0,0,0, 0,0,0,1,0,0, 0,3,0,0,1,0, 0,0,0,0,0,1}>()
    f = Gemm(e, w) s2 = Constant<value_ints = [4, 1, 6]>() h = Reshape(f, s2) y = Transpose<perm = [1, 0, 2]>(h)
}"""


@pytest.mark.parametrize("options", SIZES)
@pytest.mark.parametrize(
    "text",
    [
        "g (float[1,2,6] x) => (float[1,12] y) { s = Constant<value_ints = [1, 12]>() y = Reshape(x, s) }",
        "g (float[1,2,6] x) => (float[1,12] y) { s = Constant<value_ints = [1, -1]>() y = Reshape(x, s) }",
        "g (float[1,2,6] x) => (float[2,6] y) { s = Constant<value_ints = [2, 6]>() y = Reshape(x, s) }",
        "g (float[1,4,2] x) => (float[1,8] y) { y = Flatten(x) }",
        "g (float[1,4,2] x) => (float[1,4,2] y) { a = Constant<value_ints = [0]>() s = Squeeze(x, a) n = Neg(s) "
        "y = Unsqueeze(n, a) }",
        "g (float[1,1,4] x) => (float[1,1,4] y) { s = Squeeze(x) n = Relu(s) a = Constant<value_ints = [0, 1]>() "
        "y = Unsqueeze(n, a) }",
        "g (float[1,4] x) => (float[1,4] y) { i = Constant<value_int = 0>() r = Gather<axis = 0>(x, i) n = Exp(r) "
        "s = Constant<value_ints = [1, 4]>() y = Reshape(n, s) }",
        "g (float[1,1,4] x) => (float[1,3,4] y) { s = Constant<value_ints = [1, 3, 4]>() y = Expand(x, s) }",
        "g (float[1,4] x) => (float[1,3] y) { b = Constant<value_ints = [0, 1]>() e = Constant<value_ints = [1, 4]>() "
        "y = Slice(x, b, e) }",
        "g (float[1,4] x) => (float[1,8] y) { r = Constant<value_ints = [1, 2]>() y = Tile(x, r) }",
        "g (float[1,4] x) => (float[1,4] y) { c = Concat<axis = 0>(x, x) a, b = Split<axis = 0>(c) y = Sub(a, b) }",
        "g (float[1,4] x) => (float[1,4] y) { c = Concat<axis = 0>(x, x) b = Constant<value_ints = [1]>() "
        "e = Constant<value_ints = [2]>() y = Slice(c, b, e) }",
        "g (float[1,4] x) => (float[1,8] y) <float[1,4] c = {1, 2, 3, 4}> { y = Concat<axis = 1>(c, x) }",
        "g (float[1,2,2] x) => (float[2,2] y) <float[2,2] c = {1, 2, 3, 4}> { s = Constant<value_ints = [2, 2]>() "
        "r = Reshape(x, s) y = Add(r, c) }",
        "g (float[1,2,2] x) => (float[1,2,2] y) <float[1,2,2] c = {1, 2, 3, 4}> { y = MatMul(x, c) }",
        "g (float[1,4] x) => (float[1,8] y) { s = Constant<value_ints = [1, 4]>() z = ConstantOfShape(s) "
        "y = Concat<axis = 1>(x, z) }",
        "g (float[1,2,3,3] x) => (float[1,2,6,6] y) { s = Constant<value_ints = [1, 2, 6, 6]>() "
        "y = Resize<mode = \"nearest\">(x, , , s) }",
        "g (float[1,2,3] x) => (float[1,2,3] y) { a = Shape(x) i = Constant<value_ints = [0]>() b = Gather(a, i) "
        "c = Constant<value_ints = [6]>() d = Concat<axis = 0>(b, c) e = Reshape(x, d) y = Reshape(e, a) }",
        'g (float[1,3] x) => (float[1,3,3] y) { y = Einsum<equation = "bi,bj->bij">(x, x) }',
        "g (float[1,3] x, bool c) => (float[1,3] y) { y = If(c) <then_branch = t () => (float[1,3] p) { "
        "s = Constant<value_ints = [1, 3]>() p = Reshape(x, s) }, "
        "else_branch = e () => (float[1,3] q) { q = Neg(x) }> }",
        ATTENTION,
    ],
)  # fmt: skip
def test_each_sample_gets_what_it_gets_alone(text: str, options: str) -> None:
    same(text, options, c=-1)


def test_the_attention_of_one_sample_becomes_that_of_many() -> None:
    made = rebatched(ATTENTION, "to=5")
    assert declared(made) == {"x": [5, 4, 6], "y": [5, 4, 6]}
    targets = [op.inputs[1].const.numpy().tolist() for op in made.graph.ops if op.op_type == "Reshape"]  # type: ignore[union-attr]
    assert targets == [[4, 10, 3], [20, 6], [4, 5, 6]]


@pytest.mark.parametrize("options", SIZES)
def test_initial_states(options: str) -> None:
    text = """g (float[5,1,2] x) => (float[5,1,1,2] y, float[1,1,2] h)
        <float[1,6,2] w = {1,2,3,4,5,6,7,8,9,1,2,3}, float[1,6,2] r = {1,2,3,4,5,6,7,8,9,1,2,3},
         float[1,1,2] s = {STATE}> {
        y, h = GRU<hidden_size = 2>(x, w, r, , , s) }"""
    zero = same(text.replace("STATE", "0, 0"), f"{options};x=1", x=1, y=2, h=1)
    assert len(zero.graph.ops[-1].inputs) == 3
    same(text.replace("STATE", "0.5, -1"), f"{options};x=1", x=1, y=2, h=1)


def test_the_axis_of_a_state_is_found_out() -> None:
    text = """g (float[1,5,2] x, float[2,1,2] s) => (float[5,2,1,2] y, float[2,1,2] h)
        <float[2,6,2] w = {1,2,3,4,5,6,7,8,9,1,2,3,1,2,3,4,5,6,7,8,9,1,2,3},
         float[2,6,2] r = {1,2,3,4,5,6,7,8,9,1,2,3,1,2,3,4,5,6,7,8,9,1,2,3}> {
        t = Transpose<perm = [1, 0, 2]>(x)
        y, h = GRU<hidden_size = 2, direction = "bidirectional">(t, w, r, , , s) }"""
    same(text, "to=3", s=1, y=2, h=1)
    assert declared(rebatched(text, "to=n"))["s"] == [2, "n", 2]
    assert declared(rebatched(text, "to=3;s=none"))["s"] == [2, 1, 2]


@pytest.mark.parametrize("options", ["to=5", "to=1", "to=n"])
def test_a_batch_of_two_becomes_one_of_more(options: str) -> None:
    text = """g (float[2,4] x) => (float[2,2,2] y) <float[2,4] c = {1, 2, 3, 4, 1, 2, 3, 4}> {
        a = Add(x, c) s = Constant<value_ints = [2, 2, 2]>() y = Reshape(a, s) }"""
    same(text, options, size=1 if options == "to=1" else 5, was=2)


@pytest.mark.parametrize("options", SIZES)
def test_indices_that_stay_within_each_sample(options: str) -> None:
    flat = """g (bool[2,3] x) => (bool[2,1,3] y) <int64[2,1,3] i = {2, 1, 0, 5, 4, 3}> {
        s = Constant<value_ints = [-1]>() r = Reshape(x, s) y = Gather(r, i) }"""
    same(flat, options, was=2)
    grid = """g (float[2,3] x) => (float[2,2] y) <int64[2,2,2] i = {0, 2, 0, 1, 1, 2, 1, 1}> { y = GatherND(x, i) }"""
    same(grid, options, was=2)


@pytest.mark.parametrize("options", SIZES)
def test_other_dims_may_be_dynamic(options: str) -> None:
    text = """g (float[1,2,w] x) => (float[w,2] y) {
        t = Transpose<perm = [2, 0, 1]>(x) s = Constant<value_ints = [0, 2]>() a = Reshape(t, s) b = Relu(a)
        u = Constant<value_ints = [-1, 1, 2]>() c = Reshape(b, u) y = Transpose<perm = [1, 2, 0]>(c) }"""
    same(text.replace("float[w,2] y", "float[1,2,w] y"), options)


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (9, "g (float[1,4] x) => (float[1,2] y) { y = Slice<starts = [0, 0], ends = [1, 2], axes = [0, 1]>(x) }"),
        (11, "g (float[1,1,4] x) => (float[1,4] y) { y = Squeeze<axes = [1]>(x) }"),
        (11, "g (float[1,4] x) => (float[1,2] y) { y, z = Split<axis = 1, split = [2, 2]>(x) }"),
        (12, "g (float[1,4] x) => (float[1,4] y) { y = Softmax<axis = 1>(x) }"),
    ],
)
def test_old_forms_of_operators(head: int, text: str) -> None:
    same(text, "to=3", head=f'<ir_version: 4, opset_import: ["": {head}]>\n')


def test_shared_constants_are_not_changed_for_others() -> None:
    text = """g (float[1,4] x, float[1,4] z) => (float[1,2,2] y, float[1,2,2] u) <int64[3] s = {1, 2, 2}> {
        y = Reshape(x, s) u = Reshape(z, s) }"""
    made = rebatched(text, "to=3;z=none")
    assert declared(made) == {"x": [3, 4], "z": [1, 4], "y": [3, 2, 2], "u": [1, 2, 2]}
    same(text, "to=3;z=none", z=-1, u=-1)


@pytest.mark.parametrize("options", SIZES)
@pytest.mark.parametrize(
    "body",
    [
        "a = Constant<value_ints = [0]>() e = Constant<value_ints = [4]>() t = Slice(s, a, e) y = Neg(t)",
        "h, t = Split<axis = 0>(s) y = Sub(h, t)",
        "i = Constant<value_ints = [3, 1]>() y = Gather(s, i)",
        "t = Softmax<axis = 0>(s) y = Neg(t)",
        "t = ReduceSum(s) y = Neg(t)",
        "k = Constant<value_ints = [2]>() y, j = TopK<axis = 0>(s, k)",
        "t = Neg(s) y = Concat<axis = 0>(s, t)",
        "z = Constant<value_int = 0>() y = CumSum(s, z)",
        "a = Constant<value_ints = [0]>() e = Constant<value_ints = [2]>() t = Slice(s, a, e) "
        "y = Concat<axis = 0>(t, s)",
    ],
)
def test_an_axis_that_the_batch_was_merged_into(body: str, options: str) -> None:
    text = f"g (float[1,6] x) => (float[m] y) {{ q = Constant<value_ints = [6]>() s = Reshape(x, q) {body} }}"
    same(text, options)


@pytest.mark.parametrize("options", SIZES)
def test_loops(options: str) -> None:
    text = """g (float[1,3] x) => (float[1,3] y, float[4,1,3] z) <float[1,3] start = {0, 0, 0}> {
        turns = Constant<value_int = 4>() go = Constant<value = bool {1}>()
        y, z = Loop(turns, go, start) <
            body = b (int64 i, bool k, float[1,3] a) => (bool d, float[1,3] e, float[1,3] f) {
            d = Identity(k) e = Add(a, x) s = Constant<value_ints = [1, 3]>() f = Reshape(e, s) }> }"""
    same(text, options, z=1)
    scan = """g (float[1,4,3] x) => (float[1,3] y, float[1,4,3] z) <float[1,3] start = {0, 0, 0}> {
        y, z = Scan<num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1],
            body = b (float[1,3] a, float[1,3] p) => (float[1,3] e, float[1,3] f) { e = Add(a, p) f = Neg(e) }
        >(start, x) }"""
    same(scan, options)
    assert "Scan 'y': the samples lie along the axis that it scans" in refused(
        scan.replace("scan_input_axes = [1]", "scan_input_axes = [0]").replace("float[1,4,3] x", "float[1,1,3] x")
    )


def test_loops_that_the_samples_end_are_refused() -> None:
    text = """g (float[1,3] x) => (float[1,3] y) {
        turns = Constant<value_int = 4>() go = Constant<value = bool {1}>()
        y = Loop(turns, go, x) <body = b (int64 i, bool c, float[1,3] a) => (bool d, float[1,3] e) {
            e = Add(a, a) m = ReduceMax<keepdims = 0>(e) k = Constant<value_float = 9.0>() d = Less(m, k) }> }"""
    assert "it reduces over the samples" in refused(text)


@pytest.mark.parametrize("options", SIZES)
def test_reversed_sequences(options: str) -> None:
    text = """g (float[4,1,2] x) => (float[4,1,2] y) <int64[1] n = {3}> { y = ReverseSequence(x, n) }"""
    same(text, f"{options};x=1", x=1, y=1)


# -- what is refused ---------------------------------------------------------------------------------------------------


X = "g (float[1,4] x) => "


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (X + "(float[1,4] y) { y = Softmax<axis = 0>(x) }", "Softmax 'y': it works along axis 0"),
        (X + "(float[1,4] y) { m = ReduceMax(x) y = Sub(x, m) }", "ReduceMax 'm': it reduces"),
        (X + "(float[1,4] y) { y = ReduceMean<axes = [0]>(x) }", "ReduceMean 'y'"),
        (X + "(float[4,4] y) { t = Transpose(x) y = MatMul(t, x) }", "MatMul 'y': it sums over the samples"),
        (X + "(float[1,1] y) { t = Transpose(x) y = MatMul(x, t) }", "multiplies each sample with each"),
        (X + "(float[4,4] y) { y = Gemm<transA = 1>(x, x) }", "Gemm 'y'"),
        (X + "(float[1,4] y) { a = Constant<value_int = 0>() y = CumSum(x, a) }",
         "CumSum 'y'"),
        (X + "(float[1,4] y, int64[1,4] i) { k = Constant<value_ints = [1]>() y, i = TopK<axis = 0>(x, k) }",
         "TopK 'y'"),
        (X + "(float[1,4] y) <float[1,4] c = {1, 1, 1, 1}> { y = LayerNormalization<axis = 0>(x, c) }",
         "it normalizes over the samples"),
        (X + "(float[2,4] y) <float[1,4] c = {1, 2, 3, 4}> { y = Concat<axis = 0>(x, c) }",
         "beside the samples"),
        (X + "(float[4] y) { y = Einsum<equation = \"bi->i\">(x) }", "it sums over the samples"),
        (X + "(float[1,4] y) { n = Size(x) f = Cast<to = 1>(n) y = Div(x, f) }", "Div 'y': it computes with"),
        (X + "(uint8[1,4] y, float s, uint8 z) { y, s, z = DynamicQuantizeLinear(x) }",
         "DynamicQuantizeLinear 'y': nothing is known"),
        (X + "(float[2,4] y) { y = Concat<axis = 0>(x, x) }", "output 'y' holds several batches"),
        (X + "(float y) { y = ReduceSum<keepdims = 0>(x) }", "ReduceSum 'y'"),
        ("g (float[1] x) => (float y) { y = Squeeze(x) }", "Squeeze 'y'"),
        (X + "(float[5,4] y) { s = Constant<value_ints = [5, 4]>() y = Expand(x, s) }",
         "Expand 'y': it spreads the batch axis over something else"),
        (X + "(float[5,4] y) <float[5,1] c = {1, 2, 3, 4, 5}> { y = Add(x, c) }", "Add 'y'"),
        (X + "(float[4,4] y) { t = Transpose(x) y = Add(x, t) }", "Add 'y': it combines values"),
        (X + "(float[2,4] y) { p = Constant<value_ints = [1, 0, 0, 0]>() y = Pad(x, p) }", "it pads the batch"),
        ("g (float[1,4] x, int64[1,1] i) => (float[1,1,4] y) { y = Gather(x, i) }",
         "each sample picks from all samples"),
        (X + "(float[1,4] y) { m = ReduceMax<axes = [1], keepdims = 0>(x) s = Squeeze(m) "
         "z = Constant<value_float = 0.0>() c = Greater(s, z) "
         "y = If(c) <then_branch = t () => (float[1,4] p) { p = Neg(x) }, "
         "else_branch = e () => (float[1,4] q) { q = Abs(x) }> }", "the samples"),
    ],
)  # fmt: skip
def test_what_mixes_samples_is_refused(text: str, told: str) -> None:
    assert told in refused(text)


def test_the_batch_along_the_axis_of_the_sequence_is_refused() -> None:
    text = """g (float[1,4,2] x) => (float[1,1,4,2] y) <float[1,6,2] w = {1,2,3,4,5,6,7,8,9,1,2,3},
        float[1,6,2] r = {1,2,3,4,5,6,7,8,9,1,2,3}> { y = GRU<hidden_size = 2>(x, w, r) }"""
    assert "GRU 'y': the samples lie along the axis of the sequence" in refused(text)
    assert "GRU 'y': the samples lie along the axis of the sequence" in refused(text.replace("1,4,2] x", "1,1,2] x"))


def test_training_is_refused() -> None:
    text = """g (float[1,2,4] x) => (float[1,2,4] y) <float[2] a = {1, 1}, float[2] b = {0, 0}> {
        y, m, v = BatchNormalization<training_mode = 1>(x, a, b, b, a) }"""
    assert "BatchNormalization 'y': it is in training mode" in refused(text)


def test_unknown_operators_and_constants_of_each_sample_are_refused() -> None:
    head = '<ir_version: 8, opset_import: ["": 17, "acme": 1]>\n'
    assert "acme::Odd 'y': nothing is known" in refused(
        "g (float[1,4] x) => (float[1,4] y) { y = acme.Odd(x) }", head=head
    )
    text = "g (float[2,2] x) => (float[2,2] y) <float[2,2] c = {1, 2, 3, 4}> { y = Add(x, c) }"
    assert "Add 'y': c holds something else for each sample" in refused(text, "to=4")


def test_requests_that_make_no_sense() -> None:
    text = HEAD + "g (float[2,4] x) => (float[2,4] y) { y = Relu(x) }"
    for options, told in [
        ("to=0", "at least 1"),
        ("to=3;z=0", "no input 'z'"),
        ("to=3;x=5", "has no axis 5"),
        ("to=3;x=1;was=2", "has 4 elements, not 2"),
        ("to=3;x=first", "a number or none"),
        ("to=3;x=none", "no input has an axis"),
    ]:
        with pytest.raises(UsageError, match=told):
            gopt.run(parse(text), f"shape.batch:{options}", verify=False)


# -- runs --------------------------------------------------------------------------------------------------------------


def test_the_result_is_compared_with_single_samples() -> None:
    text = "g (float[1,2,6] x) => (float[1,12] y) { s = Constant<value_ints = [1, 12]>() y = Reshape(x, s) }"
    result = gopt.run(parse(HEAD + text), "set-batch:to=4,@default")
    assert result.verification is not None
    assert result.verification.ok
    assert "4 samples at once were compared with the results of 1 at a time" in result.verification.notes
    assert result.ledger.facts["rebatch"]["axes"] == {"x": 0}


def test_each_step_is_compared_at_the_batch_size_that_it_has() -> None:
    text = """g (float[1,2,6] x) => (float[1,12] y) {
        s = Constant<value_ints = [1, 12]>() a = Identity(x) y = Reshape(a, s) }"""
    result = gopt.run(parse(HEAD + text), "clean,shape.batch:to=4,fold", compare_each=True)
    assert result.verification is not None
    assert result.verification.ok


def test_what_follows_from_a_remainder_of_the_batch_size_is_refused() -> None:
    text = """g (float[n,4] x) => (float[n,4] y) {
        s = Shape<start = 0, end = 1>(x) two = Constant<value_ints = [2]>() r = Mod(s, two)
        f = Cast<to = 1>(r) y = Mul(x, f) }"""
    assert "Mul 'y': it computes with the batch size" in refused(text)


def test_a_batch_that_is_not_baked_in_is_the_business_of_dim() -> None:
    text = "g (float[n,4] x) => (float[n,4] y) { y = Softmax<axis = 0>(x) }"
    assert "take any batch as they are: --dim" in refused(text)


def test_what_the_dataflow_misses_the_numbers_show(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(walk.RULES, "Softmax", lambda w, op: [w.layout(op.inputs[0])])  # a wrong rule
    text = "g (float[1,4] x) => (float[1,4] y) { y = Softmax<axis = 0>(x) }"
    with pytest.raises(VerificationError, match=r"the batch size cannot be changed: .* not what single samples give"):
        gopt.run(parse(HEAD + text), "shape.batch:to=3", output=tmp_path / "out.onnx")
    assert not list(tmp_path.iterdir())


def test_the_request_reads_back_from_its_text() -> None:
    text = "shape.batch:to=n;was=2;x=1;m=none"
    assert str(pipeline(text)) == text
    assert isinstance(pipeline("rebatch:to=2").members[0], batch.Batch)


def test_in_a_repeated_group_it_is_done_once() -> None:
    text = "g (float[1,4] x) => (float[1,4] y) { a = Identity(x) y = Relu(a) }"
    result = gopt.run(parse(HEAD + text), "(shape.batch:to=3,clean)*", verify=False)
    assert result.ledger.by_rule()["shape.batch"] == 1


# -- two exports -------------------------------------------------------------------------------------------------------

PAIR = """g (float[N,2,6] x) => (float[N,12] y) <float[N,12] c = {C}, int64[N,1,1] i = {I}> {
    s = Constant<value_ints = [N, 12]>() r = Reshape(x, s)
    b = Constant<value_ints = [0]>() e = Constant<value_ints = [N]>()
    p = Slice(r, b, e) q = Add(p, c) y = Identity(q) z = Gather(x, i) }"""


def export(size: int, path: Path | None = None, constant: str = "1,2,3,4,5,6,7,8,9,10,11,12") -> str:
    text = PAIR.replace("N", str(size)).replace("{C}", "{" + ",".join([constant] * size) + "}")
    text = text.replace("{I}", "{" + ",".join(map(str, range(size))) + "}")
    if path is not None:
        path.write_bytes(to_proto(parse(HEAD + text)).SerializeToString())
    return text


@pytest.mark.parametrize("options", SIZES)
@pytest.mark.parametrize(("was", "then"), [(1, 2), (2, 5)])
def test_constants_that_differ_in_two_exports_say_what_to_change(
    options: str, was: int, then: int, tmp_path: Path
) -> None:
    text = export(was)
    export(then, tmp_path / "other.onnx")
    same(text, f"{options};like={tmp_path / 'other.onnx'}", was=was)


def test_exports_that_differ_in_something_else_are_refused(tmp_path: Path) -> None:
    model, other = export(1), tmp_path / "other.onnx"
    export(1, other)
    with pytest.raises(UsageError, match="of the same sizes"):
        rebatched(model, f"to=3;like={other}")
    export(2, other, "1,2,3,4,5,6,7,8,9,10,11,0")
    assert "Add 'q': operand 1, a constant, holds something else" in refused(model, f"to=3;like={other}")
    other.write_bytes(to_proto(parse(HEAD + export(2).replace("Identity(q)", "Relu(q)"))).SerializeToString())
    with pytest.raises(UsageError, match="Identity 'y': in the other export Relu 'y' stands there"):
        rebatched(model, f"to=3;like={other}")


def test_exports_that_mix_samples_are_caught_by_their_numbers(tmp_path: Path) -> None:
    text = """g (float[N,4] x) => (float[N,4] y) {
        m = ReduceMax(x) s = Sub(x, m) t = Constant<value_ints = [N, 4]>() y = Reshape(s, t) }"""
    (tmp_path / "other.onnx").write_bytes(to_proto(parse(HEAD + text.replace("N", "2"))).SerializeToString())
    with pytest.raises(VerificationError, match="the batch size cannot be changed"):
        gopt.run(parse(HEAD + text.replace("N", "1")), f"shape.batch:to=3;like={tmp_path / 'other.onnx'}")


def test_large_constants_are_not_written_down_for_each_sample() -> None:
    text = """g (float[1,256] x) => (float[1,512,256] y) {
        s = Constant<value_ints = [1, 1, 256]>() r = Reshape(x, s)
        e = Constant<value_ints = [1, 511, 256]>() c = Expand(k, e) y = Concat<axis = 1>(r, c) }"""
    text = text.replace(
        "(float[1,512,256] y)", "(float[1,512,256] y) <float[1,1,256] k = {" + ",".join(["2"] * 256) + "}>"
    )
    made = parse(HEAD + text)
    gopt.run(made, "fold,shape.batch:to=64", verify=False)
    assert sum(len(t.raw_data) + 4 * len(t.float_data) for t in to_proto(made).graph.initializer) < 1 << 20
    same(text, "to=64", size=64)


def test_another_batch_size_of_a_file_leaves_weights_alone(tmp_path: Path) -> None:
    text = "g (float[1,4] x) => (float[1,4] y) <float[4,4] w = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7}> { y = MatMul(x, w) }"
    path = tmp_path / "m.onnx"
    path.write_bytes(to_proto(parse(HEAD + text)).SerializeToString())
    made = load(path)
    gopt.run(made, "shape.batch:to=3", verify=False)
    (weight,) = to_proto(made).graph.initializer
    assert np.frombuffer(weight.raw_data or np.array(weight.float_data, np.float32).tobytes(), np.float32)[
        :4
    ].tolist() == [1, 2, 3, 4]
    with pytest.raises(Refusal):
        gopt.run(made, "shape.batch:to=3;x=1;was=4", verify=False)
