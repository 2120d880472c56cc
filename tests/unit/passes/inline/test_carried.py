"""`inline.carried`: what loops need not carry."""

from __future__ import annotations

import numpy as np

from gopt.ir import Op
from tests.unit.passes.clean.rewriting import Rewritten, rewrite

SIZES = {"n": np.array(3), "c": np.array(True), "x": np.arange(6, dtype="f").reshape(2, 3)}


def loop(
    results: str, initial: str, inputs: str, outputs: str, body: str, rest: str = "", passes: str = ""
) -> Rewritten:
    text = f"""(float[2,3] x, float[3] w, int64 n, bool c) => (float y) {{
        {results} = Loop(n, c, {initial}) <body = b (int64 i, bool go, {inputs}) => (bool on, {outputs}) {{
            on = Identity(go) {body} }}>
        {rest}
    }}"""
    return rewrite(text, passes or "(inline.carried,clean)*", sizes=SIZES)


def the_loop(done: Rewritten) -> Op:
    return done.op("Loop")


def test_what_never_changes_is_captured() -> None:
    done = loop(
        "y, u", "x, w", "float[2,3] s, float[3] v", "float[2,3] t, float[3] v", "t = Mul(s, v)", passes="inline.carried"
    )
    assert len(the_loop(done).inputs) == 3
    assert [v.name for v in the_loop(done).captures.values()] == ["w"]
    assert done.fired == ["carried"] * 3


def test_also_through_an_identity() -> None:
    done = loop("y, u", "x, w", "float[2,3] s, float[3] v", "float[2,3] t, float[3] q", "t = Mul(s, v) q = Identity(v)")
    assert len(the_loop(done).inputs) == 3


def test_its_result_is_what_was_given() -> None:
    done = loop(
        "s1, u", "x, w", "float[2,3] s, float[3] v", "float[2,3] t, float[3] v", "t = Mul(s, v)", "y = Add(s1, u)"
    )
    assert done.op("Add").inputs[1] is done.model.graph.inputs[1]


def test_an_exported_one_stays() -> None:
    text = """(float[2,3] x, float[3] w, int64 n, bool c) => (float y, float z) {
        y, z = Loop(n, c, x, w) <body = b (int64 i, bool go, float[2,3] s, float[3] v)
            => (bool on, float[2,3] t, float[3] v) { on = Identity(go) t = Mul(s, v) }>
    }"""
    done = rewrite(text, "inline.carried", sizes=SIZES)
    assert len(the_loop(done).outputs) == 2
    assert len(the_loop(done).captures) == 1


def test_what_feeds_itself_alone_goes() -> None:
    done = loop("u, y", "x, x", "float[2,3] s, float[2,3] v", "float[2,3] t, float[2,3] q", "t = Exp(s) q = Neg(v)")
    assert [op.op_type for op in the_loop(done).bodies[0].ops] == ["Neg"]
    assert len(the_loop(done).outputs) == 1


def test_a_ring_of_values_goes() -> None:
    done = loop(
        "u, v0, y",
        "x, x, x",
        "float[2,3] s, float[2,3] r, float[2,3] v",
        "float[2,3] t, float[2,3] p, float[2,3] q",
        "t = Exp(r) p = Neg(s) q = Neg(v)",
    )
    assert len(the_loop(done).outputs) == 1


def test_what_another_needs_stays() -> None:
    done = loop("u, y", "x, x", "float[2,3] s, float[2,3] v", "float[2,3] t, float[2,3] q", "t = Neg(s) q = Add(v, s)")
    assert len(the_loop(done).inputs) == 4


def test_what_the_condition_needs_stays() -> None:
    text = """(float[2,3] x, int64 n, bool c) => (float y) {
        k, y = Loop(n, c, n, x) <body = b (int64 i, bool go, int64 s, float[2,3] v)
            => (bool on, int64 t, float[2,3] q) { t = Sub(s, n) on = Equal(t, i) q = Neg(v) }>
    }"""
    assert len(the_loop(rewrite(text, "inline.carried", sizes=SIZES)).inputs) == 4


def test_stacked_results_in_the_middle_go() -> None:
    done = loop(
        "s1, a, y", "x", "float[2,3] s", "float[2,3] t, float[2,3] d, float[2,3] e", "t = Neg(s) d = Exp(s) e = Abs(s)"
    )
    assert len(the_loop(done).outputs) == 2
    assert len(the_loop(done).bodies[0].outputs) == 3


def test_a_loop_without_results_is_left_to_others() -> None:
    done = loop("u", "x", "float[2,3] s", "float[2,3] t", "t = Neg(s)", "y = Exp(x)", "inline.carried")
    assert done.fired == []


def test_scan() -> None:
    text = """(float[2,3] s, float[3] w, float[4,2,3] a, float[4,2,3] b) => (float t, float v) {
        t, k, u, v = Scan<num_scan_inputs = 2, scan_input_axes = [0, 0], scan_input_directions = [1, 0],
            scan_output_axes = [0, 1], scan_output_directions = [0, 1],
            body = g (float[2,3] state, float[3] h, float[2,3] p, float[2,3] q)
                => (float[2,3] next, float[3] h1, float[2,3] o, float[2,3] r) {
                h1 = Identity(h) next = Add(state, q) o = Exp(p) r = Mul(q, h) }>(s, w, a, b) }"""
    done = rewrite(text, "(inline.carried,clean)*")
    op = done.op("Scan")
    assert [v.name for v in op.inputs if v is not None] == ["s", "b"]
    assert op.attr("scan_output_axes") == (1,)
    assert op.attr("scan_output_directions") == (1,)
    assert op.attr("scan_input_directions") == (0,)
    assert op.attr("num_scan_inputs") == 1


def test_a_scan_keeps_one_operand_to_tell_its_length() -> None:
    text = """(float[2,3] s, float[4,2,3] a, float[4,2,3] b) => (float t) {
        t = Scan<num_scan_inputs = 2, body = g (float[2,3] state, float[2,3] p, float[2,3] q) => (float[2,3] next) {
                next = Add(state, state) }>(s, a, b) }"""
    assert len(rewrite(text, "inline.carried").op("Scan").inputs) == 2


def test_a_loop_names_its_condition_even_if_it_has_none_and_carries_nothing() -> None:
    text = """(float[2,3] x, int64 n) => (float y) {
        u, y = Loop(n, "", x) <body = b (int64 i, bool go, float[2,3] s) => (bool on, float[2,3] t, float[2,3] e) {
            on = Identity(go) t = Neg(s) e = Cast<to=1>(i) }> }""".replace("float[2,3] e)", "float e)")
    done = rewrite(text, "inline.carried", sizes={"n": np.array(3)})
    assert the_loop(done).inputs[1:] == (None,)


def test_what_is_no_output_of_a_body_any_more_is_looked_at_again() -> None:
    text = """(float[2,3] x, int64 n, bool c) => (float y) {
        u, y = Loop(n, c, x) <body = b (int64 i, bool go, float[2,3] s) => (bool on, float[2,3] t, float[2,3] e) {
            on = Identity(go) t = Neg(x) e = Identity(t) }> }"""
    done = rewrite(text, "(inline.carried,clean.identity)*", sizes=SIZES)
    assert [op.op_type for op in the_loop(done).bodies[0].ops] == ["Neg"]


def test_the_condition_is_handed_on_without_a_copy() -> None:
    done = loop("y", "x", "float[2,3] s", "float[2,3] t", "t = Exp(s)", passes="inline.carried")
    body = the_loop(done).bodies[0]
    assert body.outputs[0] is body.inputs[1]


def test_values_that_change_places() -> None:
    done = loop(
        "y, z, a",
        "x, x, x",
        "float[2,3] s, float[2,3] r, float[2,3] v",
        "float[2,3] t, float[2,3] p, float[2,3] q",
        "t = Identity(r) p = Identity(v) q = Neg(s)",
        "b = Add(z, a)",
        passes="inline.carried",
    )
    assert [op.op_type for op in the_loop(done).bodies[0].ops] == ["Neg"]
