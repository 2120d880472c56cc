"""`layout.counted`: look-ups by ranges. `layout.gather.between_reshapes`, `layout.alike.constants`."""

from __future__ import annotations

import pytest

from ..clean.rewriting import rewrite

HEAD = (
    "(bool[N,M] x, float[K,L] z) => (bool y) <int64 i = {0}, int64 j = {1}, int64[2] a = {1, 2}, int64[2] b = {0, 1}, "
    "int64[1] l = {-1}> "
    "{ s = Shape(x) n = Gather(s, i) m = Gather(s, j) back = Neg(j) h = Add(n, back) k = Max(h, i) "
)
PAIR = (
    " w = Max(u, v) q = Shape(w) p = Expand(u, q) r = Expand(v, q) c = Unsqueeze(p, l) d = Unsqueeze(r, l) "
    "t = Concat<axis = -1>(c, d) y = GatherND(x, t) }"
)


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("g = Range(i, k, j) o = Range(i, m, j) u = Unsqueeze(g, a) v = Unsqueeze(o, b)", ["Gather", "Unsqueeze"]),
        (
            "h2 = Add(m, back) k2 = Max(h2, i) g = Range(i, k, j) o = Range(i, k2, j) "
            "u = Unsqueeze(g, a) v = Unsqueeze(o, b)",
            ["Gather", "Gather", "Unsqueeze"],
        ),
        ("g = Range(j, n, j) o = Range(i, m, j) u = Unsqueeze(g, a) v = Unsqueeze(o, b)", None),
        ("g = Range(i, k, j) o = Range(i, m, j) u = Unsqueeze(g, b) v = Unsqueeze(o, a)", None),
        ("g = Range(i, k, j) u = Unsqueeze(g, a) v = Unsqueeze(g, a)", None),
        ("g = Range(i, k, j) o = Range(i, m, j) u0 = Unsqueeze(g, a) u = Expand(u0, f3) v = Unsqueeze(o, b)", None),
    ],
    ids=["part and all", "both parts", "not from 0", "turned", "a diagonal", "several times"],
)
def test_indices_along_axes(body: str, left: list[str] | None) -> None:
    head = HEAD.replace("int64 i = {0}", "int64 i = {0}, int64[3] f3 = {1, 2, 1}")
    found = rewrite(head + body + PAIR, "layout.counted,clean")
    assert ("GatherND" in found.ops) is (left is None)
    if left is not None:
        assert found.ops[-len(left) :] == left


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("u = Unsqueeze(i, front) g = Gather<axis = 1>(x, u) y = Squeeze(g, one)", ["Gather"]),
        ("w = Unsqueeze(x, front) g = Gather<axis = 2>(w, i) y = Squeeze(g, front)", ["Gather"]),
        ("w = Unsqueeze(x, front) g = Gather<axis = 2>(w, i) y = Squeeze(g, front) q = Neg(w)", None),
        ("t = Transpose(x) w = Unsqueeze(x, front) g = Gather<axis = 2>(w, i) y = Reshape(g, flat)",
         ["Transpose", "Gather", "Reshape"]),
    ],
)  # fmt: skip
def test_reshapes_around_a_gather(body: str, left: list[str] | None) -> None:
    more = ", float q" if "q = " in body else ", float t" if "t = " in body else ""
    text = (
        f"(float[N,4] x, bool[K] c) => (float y{more}) <int64[1] front = {{0}}, int64[1] one = {{1}}, "
        f"int64[1] flat = {{-1}}> {{ i = Cast<to = 7>(c) {body} }}"
    )
    found = rewrite(text, "layout.gather")
    assert found.ops[1:] == left if left is not None else "gather.between_reshapes" not in found.fired


CONSTANTS = "float[2] c = {1, 2}, float[1,2] d = {3, 4}, float[3,2] e = {1, 2, 3, 4, 5, 6}"


@pytest.mark.parametrize(
    ("body", "fires"),
    [
        ("p = Mul(a, c) q = Mul(a, d) y = Concat<axis = 1>(p, q)", True),
        ("p = Mul(a, c) y = Concat<axis = 1>(p, p)", True),
        ("p = Div(c, a) q = Div(d, a) y = Concat<axis = -1>(p, q, p)", True),
        ("p = Sub(a, c) q = Sub(d, a) y = Concat<axis = 1>(p, q)", False),
        ("p = Mul(a, c) q = Add(a, d) y = Concat<axis = 1>(p, q)", False),
        ("p = Mul(a, c) q = Mul(a, d) y = Concat<axis = 0>(p, q)", False),
        ("p = Mul(a, c) q = Mul(a, d) t = Neg(q) u = Add(t, t) v = Concat<axis = 1>(p, q) y = Add(v, v0)", False),
        ("p = Mul(a, c) q = Mul(b, d) y = Concat<axis = 1>(p, q)", False),
        ("p = Mul(b, c) q = Mul(b, d) y = Concat<axis = 1>(p, q)", False),
        ("p = Pow(a, c) q = Pow(a, d) y = Concat<axis = 1>(p, q)", False),
    ],
)
def test_concat_of_products_with_constants(body: str, fires: bool) -> None:
    body = body.replace("y = Add(v, v0)", "y = Add(v, v) r = Neg(u)")
    more = ", float r" if "r = " in body else ""
    text = f"(float[N,1] a, float[N,2] b) => (float y{more}) <{CONSTANTS}> {{ {body} }}"
    assert (rewrite(text, "layout.alike").fired == ["alike.constants"]) is fires


def test_what_became_free_by_a_death_far_above_is_looked_at_again() -> None:
    text = (
        "(float[2,1] x, float[2,3] z) => (float y, float w) <float[2] c = {2, 3}, float[1,2] d = {4, 5}, "
        "float half = {0.5}, int64 two = {2}> { p = Mul(x, c) q = Mul(x, d) y = Concat<axis = 1>(p, q) "
        "a = Add(p, half) b = Concat<axis = 1>(a, z) w = Gather<axis = 1>(b, two) }"
    )
    together = rewrite(text, "layout")
    assert "alike.constants" in together.fired
    assert "Concat" not in together.ops
