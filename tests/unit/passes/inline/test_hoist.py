"""`inline.hoist`: what need not be computed in every turn."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.passes.clean.rewriting import Rewritten, rewrite

SIZES = {"m": np.array(2), "p": np.array(True), "k": np.array(2), "x": np.ones((2, 3), "f"), "w": np.ones(3, "f")}


def loop(body: str, head: str = "Loop(m, p, x)", constants: str = "int64 n = {2}, bool c = {1}") -> Rewritten:
    text = f"""(float[2,3] x, float[3] w, float[A] a, int64 m, int64 k, bool p) => (float y)
    <{constants}, int64[1] zero = {{0}}, float one = {{1}}> {{
        y = {head} <body = b (int64 i, bool go, float[2,3] s) => (bool on, float[2,3] t) {{ on = Identity(go) {body} }}>
    }}"""
    return hoist(text, runs="Add(a, w)" not in body)


def hoist(text: str, runs: bool = True) -> Rewritten:
    head = text.partition("=>")[0]
    return rewrite(text, "inline.hoist", sizes={k: v for k, v in SIZES.items() if f" {k}" in head}, runs=runs)


@pytest.mark.parametrize(
    ("body", "moved"),
    [
        ("q = Exp(w) t = Mul(s, q)", ["Exp"]),
        ("q = Exp(w) r = Neg(q) t = Mul(s, r)", ["Exp", "Neg"]),
        ("q = Add(w, x) t = Mul(s, q)", ["Add"]),
        ("q = Add(a, w) t = Mul(s, q)", []),
        (
            "q = Add(a, one) r = Shape(q) e = Cast<to=1>(r) f = ReduceSum<keepdims=0>(e) t = Mul(s, f)",
            ["Add", "Shape", "Cast"],
        ),
        ("q = Unsqueeze(w, zero) t = Mul(s, q)", ["Unsqueeze"]),
        ("q = Transpose<perm=[1,0]>(x) r = Transpose<perm=[1,0]>(q) t = Mul(s, r)", ["Transpose", "Transpose"]),
        ("q = Gather(w, k) t = Mul(s, q)", []),
        ("q = Div(k, m) r = Cast<to=1>(q) t = Mul(s, r)", []),
        ("q = RandomNormalLike(w) t = Mul(s, q)", []),
        ("q = Mul(s, w) t = Mul(s, q)", []),
        ("q = Cast<to=1>(i) t = Mul(s, q)", []),
    ],
)
def test_of_a_loop_that_may_have_no_turn(body: str, moved: list[str]) -> None:
    done = loop(body) if "Random" not in body else loop(body.replace("q)", "w)"))
    assert done.ops == [*moved, "Loop"]


@pytest.mark.parametrize("head", ["Loop(n, c, x)", 'Loop(n, "", x)'])
def test_of_a_loop_that_runs_all_goes_that_can(head: str) -> None:
    done = loop("q = Gather(w, zero) t = Mul(s, q)", head)
    assert done.ops == ["Gather", "Loop"] or done.ops == ["Loop"]
    assert loop("q = Gather(w, k) t = Mul(s, q)", head.replace("n", "n")).ops == ["Gather", "Loop"]
    assert loop("q = Gather(w, k) t = Mul(s, q)", head, "int64 n = {0}, bool c = {1}").ops == ["Loop"]


def test_what_is_exported_stays() -> None:
    text = """(float[2,3] x, float[3] w, int64 m, bool p) => (float y, float z) {
        y, z = Loop(m, p, x) <body = b (int64 i, bool go, float[2,3] s) => (bool on, float[2,3] t, float[3] u) {
            on = Identity(go) u = Exp(w) t = Mul(s, u) }> }"""
    assert hoist(text).ops == ["Loop"]


def test_out_of_nested_loops() -> None:
    text = """(float[2,3] x, float[3] w, int64 m, bool p) => (float y) {
        y = Loop(m, p, x) <body = b (int64 i, bool go, float[2,3] s) => (bool on, float[2,3] t) {
            on = Identity(go)
            t = Loop(m, p, s) <body = b2 (int64 i2, bool go2, float[2,3] s2) => (bool on2, float[2,3] t2) {
                on2 = Identity(go2) e = Exp(w) t2 = Mul(s2, e) }> }> }"""
    assert hoist(text).ops == ["Exp", "Loop"]


def test_nothing_leaves_a_branch() -> None:
    text = """(float[2,3] x, float[3] w, bool p) => (float y) {
        y = If(p) <then_branch = t () => (float[] a) { e = Exp(w) a = Neg(e) },
                   else_branch = f () => (float[] b) { b = Abs(x) }> }"""
    assert hoist(text).ops == ["If"]


def test_scan() -> None:
    text = """(float[2,3] s, float[3] w, float[N,2,3] a) => (float t, float v) {
        t, v = Scan<num_scan_inputs = 1, body = g (float[2,3] state, float[2,3] p) => (float[2,3] next, float[2,3] r) {
            e = Exp(w) next = Add(state, p) r = Mul(p, e) }>(s, a) }"""
    assert hoist(text).ops == ["Exp", "Scan"]
