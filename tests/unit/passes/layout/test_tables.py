"""`layout.tables`: look-ups in constant tables. `layout.decided`: comparisons of places whose outcome is known."""

from __future__ import annotations

import numpy as np
import pytest

from ..clean.rewriting import rewrite

TABLE = "float[3,2] w = {1, 2, 3, 4, 5, 6}"


def row(head: str, body: str) -> str:
    return f"{head} <{TABLE}, int64[1] one = {{1}}, int64[2] two = {{1, 1}}, int64[2] other = {{1, 2}}> {{ {body} }}"


@pytest.mark.parametrize(
    "body",
    [
        "i = Expand(one, s) g = Gather(w, i) y = Add(x, g)",
        "i = Expand(one, s) g = Gather(w, i) y = Sub(g, x)",
        "m = Neg(one) i = Expand(m, s) g = Gather(w, i) y = Mul(x, g)",
        "k = Shape<start = 1, end = 2>(x) z = Sub(k, k) i = Expand(z, s) g = Gather(w, i) y = Add(x, g)",
    ],
)
def test_one_row_everywhere(body: str) -> None:
    found = rewrite(row("(float[N,M,2] x) => (float y)", f"s = Shape<end = 2>(x) {body}"), "layout,clean,fold")
    assert "tables.one_row" in found.fired
    assert found.ops in (["Add"], ["Sub"], ["Mul"])


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("(float[N,2,2] x) => (float y)", "s = Shape<end = 2>(x) i = Expand(other, s) g = Gather(w, i) y = Add(x, g)"),
        ("(float[1,M,2] x, int64[2] s) => (float y)", "i = Expand(one, s) g = Gather(w, i) y = Add(x, g)"),
    ],
    ids=["two rows", "the look-up may enlarge"],
)
def test_no_single_row(head: str, body: str) -> None:
    feeds = {"s": np.array([3, 1])} if " s)" in head else {}
    assert "tables.one_row" not in rewrite(row(head, body), "layout", runs=not feeds).fired


def test_a_table_of_strings() -> None:
    text = (
        '(int64[N] n) => (bool y) <string[2] w = {"a", "b"}, int64[1] one = {1}> '
        "{ s = Shape(n) i = Expand(one, s) g = Gather(w, i) t = Identity(w) h = Gather(t, i) y = Equal(g, h) }"
    )
    assert "tables.one_row" not in rewrite(text, "layout", 19).fired


def test_a_part_of_a_list() -> None:
    text = (
        f"(float[M] x) => (float y) <{TABLE}, int64[1,3] list = {{2, 0, -2}}, "
        "int64[1] z = {0}, int64[1] one = {1}> "
        "{ n = Shape(x) i = Slice(list, z, n, one) y = Gather(w, i) }"
    )
    found = rewrite(text, "layout")
    assert found.fired == ["tables.part_of_list"]
    assert found.ops == ["Shape", "Slice"]
    wrong = text.replace("{2, 0, -2}", "{2, 0, 3}")  # out of range, at least if it is taken
    assert rewrite(wrong, "layout", runs=False).ops == ["Shape", "Slice", "Gather"]
    longer = text.replace("int64[1,3] list = {2, 0, -2}", "int64[1,4] list = {2, 0, 1, 1}")
    assert rewrite(longer, "layout").ops == ["Shape", "Slice", "Gather"]


@pytest.mark.parametrize("op", ["Add(g, c)", "Sub(c, g)", "Mul(g, c)", "Div(c, g)"])
def test_what_all_rows_meet_is_put_into_the_table(op: str) -> None:
    head = f"(bool[N,M] b) => (float y) <{TABLE}, float[2] c = {{3, 0.1}}, float[1,1] d = {{0}}>"
    text = f"{head} {{ i = Cast<to = 7>(b) g = Gather(w, i) y = {op} }}"
    found = rewrite(text, "layout")
    assert found.fired == ["tables.same_for_all_rows"]
    assert found.ops == ["Cast", "Gather"]


@pytest.mark.parametrize(
    "body",
    [
        "g = Gather(w, i) y = Add(g, rows)",
        "g = Gather(w, i) y = Add(g, more)",
        "g = Gather(w, i) a = Add(g, c) q = Gather(w, i) y = Mul(a, q)",
        "g = Gather(w, i) y = Pow(g, c)",
    ],
    ids=["other for each row", "enlarged", "the table is used again", "rounded in ways of their own"],
)
def test_what_is_left_beside_the_table(body: str) -> None:
    head = (
        f"(bool[N,2] b) => (float y) <{TABLE}, float[2] c = {{3, 0.1}}, float[2,1] rows = {{1, 2}}, "
        "float[2,1,1,1] more = {1, 2}>"
    )
    assert rewrite(f"{head} {{ i = Cast<to = 7>(b) {body} }}", "layout.tables").fired == []


MASK = (
    "(bool[N,1,M] m, float[K] z) => (bool y) "
    "<int64 none = {0}, int64 one = {1}, int64[1] last = {1}, int64 far = {-1}> "
    "{ s = Shape(z) k = Squeeze(s) r = Range(none, k, one) u = Unsqueeze(r, last) "
)


@pytest.mark.parametrize(
    ("body", "fires"),
    [
        ("t = GreaterOrEqual(u, none) y = And(t, m) }", True),
        ("t = Greater(u, far) y = And(m, t) }", True),
        ("t = Less(k, r) v = Unsqueeze(t, last) y = Or(v, m) }", False),  # another op between them
        ("t = Less(u, none) y = Or(m, t) }", True),
        ("t = LessOrEqual(k, u) y = Or(m, t) }", True),
        ("t = Equal(far, u) y = Or(m, t) }", True),
        ("t = Greater(u, none) y = And(m, t) }", False),
        ("t = GreaterOrEqual(u, one) y = And(m, t) }", False),
        ("t = Less(u, one) y = Or(m, t) }", False),
        ("t = Equal(u, none) y = Or(m, t) }", False),
        ("t = GreaterOrEqual(u, none) y = Or(m, t) }", False),  # true everywhere, whatever the mask
    ],
)
def test_masks_of_places(body: str, fires: bool) -> None:
    assert ("decided.mask" in rewrite(MASK + body, "layout.decided").fired) is fires


def test_a_mask_of_the_same_shape_needs_no_expand() -> None:
    text = (
        "(bool[N] m) => (bool y) <int64 none = {0}, int64 one = {1}> { s = Shape(m) k = Squeeze(s) "
        "r = Range(none, k, one) t = Less(r, k) a = And(t, m) y = Not(a) }"
    )
    assert rewrite(text, "layout.decided,clean").ops == ["Not"]


@pytest.mark.parametrize(("test", "chosen"), [("Less(r, none)", "z"), ("LessOrEqual(none, r)", "x")])
def test_choices_by_places(test: str, chosen: str) -> None:
    text = (
        "(float[N] x, float[N] z) => (float y) <int64 none = {0}, int64 one = {1}> "
        f"{{ s = Shape(x) n = Squeeze(s) r = Range(none, n, one) t = {test} w = Where(t, x, z) y = Neg(w) }}"
    )
    found = rewrite(text, "layout.decided,clean")
    assert found.ops == ["Neg"]
    operand = found.op("Neg").inputs[0]
    assert operand is not None
    assert operand.name == chosen


def test_places_in_narrow_integers_may_overflow() -> None:
    text = (
        "(bool[N] m) => (bool y) <int64 none = {0}, int64 one = {1}, int8 small = {0}> { s = Shape(m) k = Squeeze(s) "
        "r = Range(none, k, one) c = Cast<to = 3>(r) d = Cast<to = 7>(c) t = GreaterOrEqual(d, none) y = And(t, m) }"
    )
    assert rewrite(text, "layout.decided").fired == []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("(bool[N,1] x) => (bool y) <bool[4] c = {1, 1, 1, 1}> { y = And(c, x) }", ["Expand"]),
        ("(bool[N,1] x) => (bool y) <bool[4] c = {0, 0, 0, 0}> { y = Or(x, c) }", ["Expand"]),
        ("(float[N,1] x) => (float y) <float[4] c = {1, 1, 1, 1}> { y = Mul(x, c) }", ["Expand"]),
        ("(float[N,1] x, float[N,4] z) => (float y) <float[4] c = {1, 1, 1, 1}> { e = Mul(x, c) y = Sub(z, e) }",
         ["Sub"]),
        ("(float[N,1] x) => (float y) <float[4] c = {1, 1, 2, 1}> { y = Mul(x, c) }", ["Mul"]),
        ("(bool[N,1] x) => (bool y) <bool[4] c = {1, 1, 1, 1}> { y = Or(x, c) }", ["Or"]),
    ],
)  # fmt: skip
def test_neutral_constants_that_enlarge(text: str, left: list[str]) -> None:
    assert rewrite(text, "layout.expand").ops == left
