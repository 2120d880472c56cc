"""`inline.loops`: which loops are unrolled, and that they compute the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.passes.clean.rewriting import Rewritten, rewrite

HEAD = "(float[2,3] x, bool p, int64 m) => (float y, float z)"
BODY = """{ y, z = Loop(n, c, x) <body = b (int64 i, bool go, float[2,3] s) => (bool on, float[2,3] t, float[2,3] u) {
    on = Identity(go) k = Cast<to=1>(i) t = Add(s, k) u = Mul(t, x) }> }"""


def loop(n: str = "int64 n = {1}", c: str = "bool c = {1}", body: str = BODY, passes: str = "inline") -> Rewritten:
    constants = ", ".join(filter(None, (n, c)))
    return rewrite(f"{HEAD} <{constants}> {body}", passes, sizes={"p": np.array(True), "m": np.array(3)})


def test_one_turn() -> None:
    assert loop(passes="inline,fold,clean").ops == ["Add", "Mul", "Unsqueeze"]
    assert "Loop" not in loop().ops


@pytest.mark.parametrize("n", ["int64 n = {0}", "int64 n = {-4}"])
def test_no_turn(n: str) -> None:
    done = loop(n, passes="inline,fold,clean")
    assert done.ops == ["Identity"]
    assert [v.is_output for v in done.model.graph.constants] == [True]


def test_a_condition_that_is_false_from_the_start() -> None:
    assert "Loop" not in loop("int64 n = {5}", "bool c = {0}").ops


def test_a_condition_that_is_false_after_the_first_turn() -> None:
    body = BODY.replace("on = Identity(go)", "one = Constant<value = bool {0}>() on = Identity(one)")
    assert "Loop" not in loop("int64 n = {5}", body=body).ops
    assert "Loop" not in loop("", body=body.replace("Loop(n,", 'Loop("",')).ops
    assert "Loop" in loop("", body=body.replace("Loop(n,", "Loop(m,")).ops


@pytest.mark.parametrize(
    "body", [BODY.replace("Loop(n, c", 'Loop(n, ""'), BODY.replace("on = Identity(go)", "on = Not(p)")]
)
def test_conditions(body: str) -> None:
    expected = "Not(p)" in body
    assert ("Loop" in loop(body=body).ops) == expected


def test_a_count_that_is_not_constant_stays() -> None:
    assert "Loop" in loop(body=BODY.replace("Loop(n,", "Loop(m,")).ops
    assert "Loop" in loop(body=BODY.replace("Loop(n, c", "Loop(n, p")).ops


def test_several_turns_only_within_the_budget() -> None:
    many = "int64 n = {4}"
    assert "Loop" in loop(many).ops
    assert "Loop" in loop(many, passes="inline.loops:unroll=11").ops
    done = loop(many, passes="inline.loops:unroll=13")
    assert "Loop" not in done.ops
    assert done.ops.count("Unsqueeze") == 4
    assert done.ops.count("Concat") == 1


def test_several_turns_that_fold_away() -> None:
    body = """{ y = Identity(x) z = Loop(n, c, x) <
        body = b (int64 i, bool go, float[2,3] s) => (bool on, float[2,3] t) {
        on = Identity(go) k = Cast<to=1>(i) l = Exp(k) a = Neg(l) e = Sqrt(k) f = Mul(a, e) t = Add(s, f) }> }"""
    done = loop("int64 n = {3}", body=body, passes="inline,fold,clean")
    assert done.ops == ["Identity", "Add", "Add"]  # the first turn adds 0


def test_values_handed_through_and_captured() -> None:
    body = """{ r = Neg(x) y, z = Loop(n, c, x, r) <
        body = b (int64 i, bool go, float[2,3] s, float[2,3] q) => (bool on, float[2,3] q, float[2,3] t) {
            on = Identity(go) t = Mul(s, r) }> }"""
    assert "Loop" not in loop(body=body).ops
    assert "Loop" not in loop("int64 n = {2}", body=body, passes="inline.loops:unroll=9").ops


def test_seeds_are_not_copied() -> None:
    body = BODY.replace("k = Cast<to=1>(i)", "k = RandomNormalLike<seed=3.0>(s)")
    text = f"{HEAD} <int64 n = {{2}}, bool c = {{1}}> {body}"
    assert "Loop" in rewrite(text, "inline.loops:unroll=99", runs=False).ops


def test_inside_of_a_body() -> None:
    inner = (
        BODY.replace("{ y, z", "h, g", 1)
        .rstrip()
        .removesuffix("}")
        .replace("x)", "xx)")
        .replace("Mul(t, x)", "Mul(t, xx)")
    )
    text = f"""{HEAD} <int64 n = {{1}}, bool c = {{1}}> {{ z = Identity(x) y = If(p) <
        then_branch = t0 () => (float[] h) {{ xx = Abs(x) {inner} }},
        else_branch = e0 () => (float[] w) {{ w = Neg(x) }}> }}"""
    done = rewrite(text, "inline", sizes={"p": np.array(True)})
    assert [op.op_type for g in done.model.graphs() for op in g.ops if op.op_type == "Loop"] == []


SCAN = """(float[2,3] s, float[%s,2,3] a, float[2,%s,3] b) => (float t, float u, float v) {
    t, u, v = Scan<num_scan_inputs = 2, scan_input_axes = [0, 1], scan_input_directions = [0, 1],
                   scan_output_axes = [0, -1], scan_output_directions = [1, 0],
        body = g (float[2,3] state, float[2,3] p, float[2,3] q) => (float[2,3] next, float[2,3] o, float[2,3] r) {
            next = Add(state, p) o = Mul(next, q) r = Sub(p, q) }>(s, a, b) }"""


@pytest.mark.parametrize(
    ("size", "passes", "left"), [(1, "inline", False), (3, "inline", True), (3, "inline.loops:unroll=40", False)]
)
def test_scan(size: int, passes: str, left: bool) -> None:
    sizes: dict[str, Any] = {"s": np.ones((2, 3), "f")}
    assert ("Scan" in rewrite(SCAN.replace("%s", str(size)), passes, sizes=sizes).ops) == left


def test_a_scan_of_unknown_length_stays() -> None:
    assert "Scan" in rewrite(SCAN.replace("%s", "N"), "inline.loops:unroll=100").ops
