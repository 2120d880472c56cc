"""`clean.dead`: what goes, and what stays though it looks unneeded."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from gopt.ir import Graph, Model, Op, Value
from gopt.passes import run_pipeline
from gopt.rewrite import Context

from .rewriting import parse, rewrite

TRUE = {"c": np.array(True), "x": np.ones(2, np.float32)}


def test_what_no_output_depends_on_goes_with_its_constants() -> None:
    done = rewrite("(float[2] x) => (float[2] y) <float k = {2}> { a = Exp(x) b = Mul(a, k) y = Neg(x) }", "clean.dead")
    assert done.ops == ["Neg"]
    assert done.fired == ["dead", "dead"]
    assert not done.model.graph.constants


def test_a_chain_goes_in_time_that_grows_with_its_length() -> None:
    graph = Graph("g", {"": 18})
    value = start = graph.add_input(Value("x"))
    for _ in range(3000):
        value = graph.add(Op("Neg", [value])).result
    graph.set_output(0, graph.add(Op("Abs", [start])).result)
    model = Model(graph)
    ctx = Context(model)
    run_pipeline(model, "clean.dead", ctx)
    assert len(graph) == 1
    assert len(ctx.ledger.entries) == 3000


def test_a_part_of_it_goes_under_a_limit() -> None:
    text = "(float[2] x) => (float[2] y) { a = Exp(x) b = Neg(a) y = Neg(x) }"
    assert rewrite(text, "clean.dead", limit=1).ops == ["Exp", "Neg"]


def test_unused_constants_go_and_inputs_stay() -> None:
    text = "(float[2] x, float[2] z, float[2] d) => (float[2] y) <float[2] d = {1, 2}, float k = {1}> { y = Neg(x) }"
    done = rewrite(text, "clean.dead")
    assert [v.name for v in done.model.graph.inputs] == ["x", "z", "d"]
    assert not done.model.graph.constants
    assert [e.key for e in done.ctx.ledger.entries] == ["clean.dead(k)"]


def test_a_constant_that_is_an_output_stays() -> None:
    text = "(float[2] x) => (float[2] y, float[2] k) <float[2] k = {1, 2}> { y = Neg(x) }"
    assert rewrite(text, "clean.dead").fired == []


OPTIONAL = {
    "Dropout": ("(float[2] x) => (float[2] y) { y, m = Dropout(x) }", 1),
    "MaxPool": ("(float[1,1,4,4] x) => (float y) { y, i = MaxPool<kernel_shape = [2, 2]>(x) }", 1),
    "LayerNormalization": ("(float[2,3] x, float[3] s) => (float y) { y, m, v = LayerNormalization(x, s) }", 1),
    "Unique": ("(int64[4] x) => (int64[N] n) { y, i, v, n = Unique(x) }", 4),
    "LSTM": (
        "(float[3,1,2] x, float[1,8,2] w, float[1,8,2] r) => (float y) { a, y, b = LSTM<hidden_size = 2>(x, w, r) }",
        2,
    ),
    "GRU": (
        "(float[3,1,2] x, float[1,6,2] w, float[1,6,2] r) => (float y) { y, a = GRU<hidden_size = 2>(x, w, r) }",
        1,
    ),
}


@pytest.mark.parametrize("name", OPTIONAL)
def test_optional_results_that_nobody_uses_go(name: str) -> None:
    text, left = OPTIONAL[name]
    done = rewrite(text, "clean.dead")
    op = done.op(name)
    assert len(op.outputs) == left
    assert [v.name for v in op.outputs if v is not None] == [
        v.name for v in done.model.graph.outputs
    ] or name == "Unique"


REQUIRED = {
    "Split": "(float[4] x) => (float y) { y, z = Split<num_outputs = 2>(x) }",
    "TopK": "(float[4] x, int64[1] k) => (float y) { y, i = TopK(x, k) }",
    "used mask": "(float[2] x) => (float[2] y, bool[2] m) { y, m = Dropout(x) }",
}


@pytest.mark.parametrize("name", REQUIRED)
def test_results_that_an_operator_must_have_stay(name: str) -> None:
    sizes = {"k": np.array([2])} if name == "TopK" else None
    assert rewrite(REQUIRED[name], "clean.dead", sizes=sizes).fired == []


def test_batch_normalization_that_says_training_by_its_results_keeps_them() -> None:
    text = (
        "(float[1,2,2,2] x, float[2] s, float[2] b, float[2] m, float[2] v) => (float y) "
        "{ y, p, q, r, t = BatchNormalization(x, s, b, m, v) }"
    )
    assert rewrite(text, "clean.dead", opset=9, runs=False).fired == []


def test_batch_normalization_in_training_keeps_its_results() -> None:
    text = (
        "(float[1,2,2,2] x, float[2] s, float[2] b, float[2] m, float[2] v) => (float y) "
        "{ y, p, q = BatchNormalization<training_mode = 1>(x, s, b, m, v) }"
    )
    assert rewrite(text, "clean.dead").fired == []


IF = (
    "(bool c, float[2] x) => (float[2] y) {{ y, z = If(c) "
    "<then_branch = t () => (float[2] p, float[2] q) {{ p = Neg(x) q = Exp(x) }}, "
    "else_branch = f () => (float[2] r, float[2] s) {{ r = Abs(x) s = Sin(x) }}> {} }}"
)


def test_the_last_results_of_branches_go_inside_and_out() -> None:
    done = rewrite(IF.format(""), "clean.dead", feeds=TRUE)
    (op,) = done.model.graph.ops
    assert len(op.outputs) == 1
    assert [[o.op_type for o in body.ops] for body in op.bodies] == [["Neg"], ["Abs"]]


def test_a_first_result_of_branches_goes_too() -> None:
    text = IF.replace("=> (float[2] y)", "=> (float[2] z)").format("")
    done = rewrite(text, "clean.dead", feeds=TRUE)
    (op,) = done.model.graph.ops
    assert [v.name for v in op.outputs if v is not None] == ["z"]
    assert [[o.op_type for o in body.ops] for body in op.bodies] == [["Exp"], ["Sin"]]


LOOP = (
    "(int64 n, float[2] x) => (float[2] y) {{ t = Constant<value = bool {{1}}>() {} = Loop(n, t, x) <body = b "
    "(int64 i, bool k, float[2] v) => (bool kk, float[2] w, float[2] s) "
    "{{ kk = Identity(k) w = Neg(v) s = Exp(v) }}> }}"
)


def test_an_unused_scan_output_of_a_loop_goes() -> None:
    feeds = {"n": np.array(3), "x": np.ones(2, np.float32)}
    done = rewrite(LOOP.format("y, s"), "clean.dead", feeds=feeds)
    assert len(done.op("Loop").outputs) == 1
    assert [op.op_type for op in done.op("Loop").bodies[0].ops] == ["Identity", "Neg"]


def test_what_a_loop_carries_stays() -> None:
    feeds = {"n": np.array(3), "x": np.ones(2, np.float32)}
    text = LOOP.format("v, s").replace("=> (float[2] y)", "=> (float s)")
    assert rewrite(text, "clean.dead", feeds=feeds).fired == []


def test_an_unused_scan_output_of_a_scan_goes() -> None:
    text = (
        "(float[2] a, float[3,2] x) => (float[2] y) { y, z = Scan<num_scan_inputs = 1, body = b "
        "(float[2] s, float[2] e) => (float[2] t, float[2] u) { t = Add(s, e) u = Exp(e) }>(a, x) }"
    )
    done = rewrite(text, "clean.dead")
    assert len(done.op("Scan").outputs) == 1
    assert [op.op_type for op in done.op("Scan").bodies[0].ops] == ["Add"]


def test_what_a_dead_op_captured_dies_too() -> None:
    text = (
        "(bool c, float[2] x) => (float[2] y) { a = Exp(x) z = If(c) "
        "<then_branch = t () => (float[2] p) { p = Neg(a) }, else_branch = f () => (float[2] q) { q = Abs(a) }> "
        "y = Neg(x) }"
    )
    done = rewrite(text, "clean.dead", feeds=TRUE)
    assert done.ops == ["Neg"]


def test_dead_ops_of_a_body_go_with_what_they_captured() -> None:
    text = (
        "(bool c, float[2] x) => (float[2] y) { a = Exp(x) y = If(c) "
        "<then_branch = t () => (float[2] p) { d = Neg(a) p = Neg(x) }, "
        "else_branch = f () => (float[2] q) { q = Abs(x) }> }"
    )
    done = rewrite(text, "clean.dead", feeds=TRUE)
    assert done.ops == ["If"]


FUNCTIONS = """<ir_version: 8, opset_import: ["" : 18, "f" : 1]>
g (float[2] x) => (float[2] y) { y = f.outer(x) }
<domain: "f", opset_import: ["" : 18, "f" : 1]> outer (a) => (b) { c = Exp(a) b = f.inner(a) }
<domain: "f", opset_import: ["" : 18]> inner (a) => (b) { b = Neg(a) }
<domain: "f", opset_import: ["" : 18]> unused (a) => (b) { b = Neg(a) }
"""


def test_functions_that_nobody_calls_go_and_dead_ops_of_the_others() -> None:
    done = rewrite(FUNCTIONS, "clean.dead")
    assert [name for _, name, _ in done.model.functions] == ["outer", "inner"]
    assert [op.op_type for op in done.model.functions["f", "outer", ""].graph.ops] == ["inner"]


def test_random_ops_go_like_others() -> None:
    text = "(float[2] x) => (float[2] y) { a = RandomNormal<shape = [2]>() y = Neg(x) }"
    assert rewrite(text, "clean.dead").ops == ["Neg"]


def test_unknown_ops_go_like_others() -> None:
    def edit(model: onnx.ModelProto) -> None:
        model.opset_import.append(onnx.helper.make_opsetid("acme", 1))
        model.graph.node[0].domain = "acme"

    text = "(float[2] x) => (float[2] y) { a = Neg(x) y = Neg(x) }"
    assert rewrite(text, "clean.dead", edit=edit, runs=False).ops == ["Neg"]


def test_a_model_without_anything_dead_is_not_touched() -> None:
    proto = parse("(float[2] x) => (float[2] y) <float k = {2}> { a = Mul(x, k) y = Neg(a) }")
    text = onnx.printer.to_text(proto)
    done = rewrite(text, "clean.dead")
    assert done.fired == []


def test_results_of_an_if_before_used_ones_go_with_what_computes_them() -> None:
    text = """(float[2] x, bool p) => (float[2] y) {
        a, y, c = If(p) <
            then_branch = t () => (float[] u, float[] v, float[] w) { k = Exp(x) u = Neg(k) v = Abs(x) w = Ceil(k) },
            else_branch = e () => (float[] q, float[] r, float[] s) { q = Exp(x) r = Neg(x) s = Floor(x) }>
    }"""
    done = rewrite(text, "clean.dead")
    assert [[op.op_type for op in body.ops] for body in done.op("If").bodies] == [["Abs"], ["Neg"]]
    assert len(done.op("If").outputs) == 1


@pytest.mark.parametrize(("past", "left"), [("", 1), (', "", past, past', 3)])
def test_attention_with_a_past_gives_the_present(past: str, left: int) -> None:
    text = (
        '<ir_version: 10, opset_import: ["": 24]> g (float[2,3,4,8] x, float[2,3,5,8] past) => (float[2,3,4,8] y) '
        f"{{ y, k, v = Attention(x, x, x{past}) }}"
    )
    done = rewrite(text, "clean.dead")
    assert sum(v is not None for v in done.op("Attention").outputs) == left
