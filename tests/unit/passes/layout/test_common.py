"""`layout.common`, `layout.expand.stacked` and `unsqueezed`, `fuse.fill.number`: as grids of anchors are made."""

from __future__ import annotations

import pytest

from ..clean.rewriting import rewrite

HEAD = (
    "(float[N,2] a, float[N,3] b, float[M] r, float[K] q{more}) => (float y{outs}) <float half = {{0.5}}, "
    "float other = {{0.25}}, float[3] list = {{1, 2, 3}}, float[1] single = {{0.5}}, int64[2] column = {{-1, 1}}, "
    "int64[3] first = {{1, -1, 1}}, int64[3] second = {{1, 1, -1}}, bool[2,1,1] c = {{1, 0}}> "
)


def text(body: str, more: str = "", outs: str = "") -> str:
    return f"{HEAD.format(more=more, outs=outs)} {{ {body} }}"


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("p = Add(a, half) q1 = Add(b, half) y = Concat<axis = 1>(p, q1)", ["Concat", "Add"]),
        ("p = Sub(half, a) q1 = Sub(half, b) y = Concat<axis = 1>(p, q1)", ["Concat", "Sub"]),
        ("p = Relu(a) q1 = Relu(b) y = Concat<axis = 1>(p, q1, q1)", None),
        ("p = Relu(a) q1 = Relu(b) y = Concat<axis = 1>(p, q1)", ["Concat", "Relu"]),
        ("p = Sqrt(a) q1 = Sqrt(b) y = Concat<axis = 1>(p, q1)", ["Concat", "Sqrt"]),
        ("p = Exp(a) q1 = Exp(b) y = Concat<axis = 1>(p, q1)", ["Concat", "Exp"]),
        ("p = Mul(r, half) u = Reshape(p, column) p2 = Mul(q, half) u2 = Reshape(p2, column) "
         "y = Concat<axis = 0>(u, u2)", ["Reshape", "Reshape", "Concat", "Mul"]),
        ("p = Add(a, half) q1 = Add(b, other) y = Concat<axis = 1>(p, q1)", None),
        ("p = Add(b, list) q1 = Add(b, list) p2 = Relu(q1) y = Concat<axis = 1>(p, p2)", None),
        ("p = Add(r, list0) q1 = Add(q, list0) y = Concat<axis = 0>(p, q1)", None),
        ("p = Relu(a) q1 = Sqrt(b) y = Concat<axis = 1>(p, q1)", None),
        ("p0 = Cast<to = 6>(a) q0 = Cast<to = 7>(b) p = Cast<to = 1>(p0) q1 = Cast<to = 1>(q0) "
         "y = Concat<axis = 1>(p, q1)", None),
    ],
)  # fmt: skip
def test_what_parts_have_in_common(body: str, left: list[str] | None) -> None:
    source = text(body).replace("float half", "float[1,1] list0 = {1}, float half")
    found = rewrite(source, "layout.common")
    assert found.ops == left if left is not None else found.fired == []


def test_activations_of_products_stay_with_them() -> None:
    weights = "<float[2,2] v = {1, 2, 3, 4}>"
    source = f"(float[N,2] a) => (float y) {weights} {{ m = MatMul(a, v) n = MatMul(m, v) p = Relu(n) "
    source += "o = MatMul(n, v) r = Relu(o) y = Concat<axis = 1>(p, r) }"
    assert rewrite(source, "layout.common").fired == []


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("p = Add(r, half) o = Add(q, half) u = Reshape(o, column) y = Where(c, p, u)", ["Reshape", "Where", "Add"]),
        ("p = Relu(r) u = Relu(r1) y = Where(c, p, u)", ["Where", "Relu"]),
        ("p = Add(r, half) o = Add(q, other) u = Reshape(o, column) y = Where(c, p, u)", None),
        ("p = Exp(r) u = Exp(r1) y = Where(c, p, u)", None),
        (
            "p0 = Cast<to = 9>(r) p1 = Cast<to = 9>(r1) p = Cast<to = 1>(p0) u = Cast<to = 1>(p1) y = Where(c, p, u)",
            None,
        ),
    ],
)
def test_what_choices_have_in_common(body: str, left: list[str] | None) -> None:
    found = rewrite(text(body, more=", float[M] r1"), "layout.common.chosen")
    assert found.ops == left if left is not None else found.fired == []


GRID = (
    "m = Shape(r) k = Shape(q) s = Concat<axis = 0>(k, m) u = Reshape(r, second) v = Reshape(q, first) "
    "p = Expand(u, s) o = Expand(v, s) "
)


@pytest.mark.parametrize(
    ("body", "fires"),
    [
        (f"{GRID} y = Concat<axis = 0>(p, o)", True),
        (f"{GRID} y = Concat<axis = -3>(o, p)", True),
        (f"{GRID} y = Concat<axis = 1>(p, o)", False),
        (f"{GRID} y = Concat<axis = 0>(p, o, p)", False),
        (f"{GRID} w = Concat<axis = 0>(p, o) z = Relu(p) z2 = Relu(o) y = Add(w, half)", False),
    ],
    ids=["front", "turned", "along an axis of several", "three", "used elsewhere"],
)
def test_grids(body: str, fires: bool) -> None:
    outs = ", float z, float z2" if "z2 = " in body else ""
    found = rewrite(text(body, outs=outs), "layout.expand.stacked,clean.dead")
    assert ("expand.stacked" in found.fired) is fires
    if fires:
        assert found.ops == ["Reshape", "Reshape", "Where"]


def test_dims_that_come_before_an_expand() -> None:
    body = "k = Shape(a) u = Reshape(q1, column) e = Expand(u, k) f = Unsqueeze(e, front) y = Neg(f)"
    source = text(body, more=", float[N] q1").replace("float half", "int64[1] front = {0}, float half")
    found = rewrite(source, "layout.expand,layout.reshape,clean.dead")
    assert found.ops == ["Shape", "Unsqueeze", "Neg", "Expand"]
    behind = source.replace("front = {0}", "front = {1}")
    assert "expand.unsqueezed" not in rewrite(behind, "layout.expand").fired


@pytest.mark.parametrize(
    ("body", "fires"),
    [
        ("f = ConstantOfShape(s) y = Add(f, half)", True),
        ("f = ConstantOfShape(s) g = Sub(single, f) h = Cast<to = 6>(g) y = Cast<to = 1>(h)", True),
        ("f = ConstantOfShape(s) g = Cast<to = 8>(f) y = Cast<to = 1>(g)", False),
        ("f = ConstantOfShape(s) y = Add(f, list)", False),
        ("f = ConstantOfShape(s) y = Add(f, list0)", False),
    ],
)
def test_numbers_of_filled_tensors(body: str, fires: bool) -> None:
    source = text(f"s = Shape(b) {body}").replace("float half", "float[1,1,1] list0 = {1}, float half")
    found = rewrite(source, "fuse.fill")
    assert (found.ops == ["Shape", "ConstantOfShape"]) is fires
