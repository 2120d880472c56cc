"""`layout.parts`: what is done to each part is done to the whole."""

from __future__ import annotations

import pytest

from ..clean.rewriting import rewrite

QKV = "(float[N,5,24] x) => (float[a,b,c,d] y, float[e,f,g,h] z, float[i,j,k,l] w)"
SPLIT = "p, q, r = Split<axis = -1, num_outputs = 3>(x)"
SHAPE = "<int64[4] s = {0, 5, 4, 2}>"

RESHAPED = {
    "into heads": (
        f"{QKV} {SHAPE} {{ {SPLIT} y = Reshape(p, s) z = Reshape(q, s) w = Reshape(r, s) }}",
        ["Reshape", "Split"],
    ),
    "of several sizes": (
        "(float[N,5,24] x) => (float[a,b,c,d] y, float[e,f,g,h] z) <int64[2] n = {16, 8}, int64[4] s = {0, 5, 8, 2}, "
        "int64[4] t = {0, 5, 4, 2}> { p, q = Split<axis = 2>(x, n) y = Reshape(p, s) z = Reshape(q, t) }",
        ["Reshape", "Split"],
    ),
    "but for a part that nobody uses": (
        f"(float[N,5,24] x) => (float[a,b,c,d] y, float[e,f,g,h] z) {SHAPE} "
        f"{{ {SPLIT} y = Reshape(p, s) z = Reshape(r, s) }}",
        ["Reshape", "Split"],
    ),
    "into three": (
        "(float[N,24] x) => (float[a,b,c,d] y, float[e,f,g,h] z) <int64[4] s = {0, 3, 2, 2}> "
        "{ p, q = Split<axis = 1, num_outputs = 2>(x) y = Reshape(p, s) z = Reshape(q, s) }",
        ["Reshape", "Split"],
    ),
}


@pytest.mark.parametrize(("text", "left"), RESHAPED.values(), ids=RESHAPED)
def test_reshaped_before_it_is_parted(text: str, left: list[str]) -> None:
    assert rewrite(text, "layout.parts").ops == left


NOT_RESHAPED = {
    "one is not": f"{QKV} {SHAPE} {{ {SPLIT} y = Reshape(p, s) z = Reshape(q, s) w = Neg(r) }}",
    "one is used elsewhere": f"{QKV} {SHAPE} {{ {SPLIT} y = Reshape(p, s) z = Reshape(q, s) w = Neg(p) }}",
    "one is exported": (
        f"(float[N,5,24] x) => (float[a,b,c,d] y, float[e,f,g,h] z, float[i,j,k] r) {SHAPE} "
        f"{{ {SPLIT} y = Reshape(p, s) z = Reshape(q, s) }}"
    ),
    "in different ways": (
        f"{QKV} <int64[4] s = {{0, 5, 4, 2}}, int64[4] t = {{0, 5, 2, 4}}> "
        f"{{ {SPLIT} y = Reshape(p, s) z = Reshape(q, s) w = Reshape(r, t) }}"
    ),
    "another axis is merged": (
        f"(float[N,5,24] x) => (float[a,b] y, float[c,d] z, float[e,f] w) <int64[2] s = {{-1, 8}}> "
        f"{{ {SPLIT} y = Reshape(p, s) z = Reshape(q, s) w = Reshape(r, s) }}"
    ),
    "by one part alone": f"(float[N,5,24] x) => (float[a,b,c,d] y) {SHAPE} {{ {SPLIT} y = Reshape(p, s) }}",
    "to what cannot be said": (
        "(float[N,M,24] x) => (float[a,b,c,d] y, float[e,f,g,h] z) <int64[4] s = {-1, 1, 4, 3}> "
        "{ p, q = Split<axis = 2, num_outputs = 2>(x) y = Reshape(p, s) z = Reshape(q, s) }"
    ),
}


@pytest.mark.parametrize("text", NOT_RESHAPED.values(), ids=NOT_RESHAPED)
def test_parts_that_are_reshaped_apart(text: str) -> None:
    assert rewrite(text, "layout.parts").fired == []


WIDE = "<int64[5] s = {0, 5, 3, 4, 2}, int64 zero = {0}, int64 one = {1}, int64 last = {-1}>"
TURNED = "a = Reshape(x, s) t = Transpose<perm = [2, 0, 3, 1, 4]>(a)"

SELECTED = {
    "Q, K and V": (
        f"{QKV} {WIDE} {{ {TURNED} y = Gather(t, zero) z = Gather(t, one) w = Gather(t, last) }}",
        ["Reshape", "Transpose", "Split"],
    ),
    "two of three": (
        f"(float[N,5,24] x) => (float[a,b,c,d] y, float[e,f,g,h] z) {WIDE} "
        f"{{ {TURNED} y = Gather(t, zero) z = Gather(t, last) }}",
        ["Reshape", "Transpose", "Split"],
    ),
    "without a Transpose": (
        f"{QKV} {WIDE} {{ a = Reshape(x, s) y = Gather<axis = 2>(a, zero) z = Gather<axis = 2>(a, one) "
        "w = Gather<axis = -3>(a, last) }",
        ["Reshape", "Split"],
    ),
    "without a Reshape before": (
        "(float[N,3,4] x) => (float[a,b] y, float[c,d] z, float[e,f] w) <int64 zero = {0}, int64 one = {1}, "
        "int64 two = {2}> { y = Gather<axis = 1>(x, zero) z = Gather<axis = 1>(x, one) w = Gather<axis = 1>(x, two) }",
        ["Reshape", "Split"],
    ),
}


@pytest.mark.parametrize(("text", "left"), SELECTED.values(), ids=SELECTED)
def test_selected_by_a_split(text: str, left: list[str]) -> None:
    done = rewrite(text, "layout.parts")
    assert done.ops == left


NOT_SELECTED = {
    "used as a whole": (
        f"{QKV} {WIDE} {{ {TURNED} y = Gather(t, zero) z = Gather(t, one) n = Gather(t, last) m = Neg(t) "
        "w = Add(n, m) }"
    ),
    "along several axes": (
        f"(float[N,5,24] x) => (float[a,b,c,d] y, float[e,f,g,h] z) {WIDE} "
        f"{{ {TURNED} y = Gather(t, zero) z = Gather<axis = 2>(t, one) }}"
    ),
    "once": f"(float[N,5,24] x) => (float[a,b,c,d] y) {WIDE} {{ {TURNED} y = Gather(t, zero) }}",
    "twice, of what was not reshaped": (
        "(float[N,3,4] x) => (float[a,b] y, float[c,d] z) <int64 zero = {0}, int64 one = {1}> "
        "{ y = Gather<axis = 1>(x, zero) z = Gather<axis = 1>(x, one) }"
    ),
    "along the last axis": (
        "(float[N,3] x) => (float[a] y, float[c] z, float[e] w) <int64 zero = {0}, int64 one = {1}, int64 two = {2}> "
        "{ y = Gather<axis = 1>(x, zero) z = Gather<axis = 1>(x, one) w = Gather<axis = 1>(x, two) }"
    ),
    "of which the size is not known": (
        "(float[N,3,M] x) => (float[a,b] y, float[c,d] z, float[e,f] w) <int64 zero = {0}, int64 one = {1}, "
        "int64 two = {2}> { y = Gather<axis = 1>(x, zero) z = Gather<axis = 1>(x, one) w = Gather<axis = 1>(x, two) }"
    ),
    "by what is computed": (
        f"(float[N,5,24] x, int64 i) => (float[a,b,c,d] y, float[e,f,g,h] z) {WIDE} "
        f"{{ {TURNED} y = Gather(t, zero) z = Gather(t, i) }}"
    ),
}


@pytest.mark.parametrize("text", NOT_SELECTED.values(), ids=NOT_SELECTED)
def test_what_is_not_selected_by_a_split(text: str) -> None:
    assert rewrite(text, "layout.parts", runs="int64 i)" not in text).fired == []


def test_attention_takes_its_parts_by_four_ops() -> None:
    text = (
        f"{QKV} {SHAPE} {{ {SPLIT} a = Reshape(p, s) b = Reshape(q, s) c = Reshape(r, s) "
        "y = Transpose<perm = [0, 2, 1, 3]>(a) z = Transpose<perm = [0, 2, 3, 1]>(b) "
        "w = Transpose<perm = [0, 2, 1, 3]>(c) }"
    )
    assert sorted(rewrite(text, "(layout)*").ops) == ["Reshape", "Split", "Transpose", "Transpose"]
