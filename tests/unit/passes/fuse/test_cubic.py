"""`fuse.activation.cubic`: a factor of Gelu's polynomial that matrices around it take over."""

from __future__ import annotations

import pytest

from ..clean.rewriting import rewrite

WEIGHTS = (
    "float[3,2] v = {1, 0.2, 0.3, -1, -0.2, 0.3}, float[2] bias = {0.1, 0.2}, float[2,2] w = {1, 2, 3, 4}, "
    "float e = {3}, float c = {0.044715}, float k = {1.5957691}, float less = {-1.5957691}"
)
GATE = "a = Pow(x, e) b = Mul(a, c) d = Add(x, b) f = Mul(d, k) g = Sigmoid(f) h = Mul(x, g) y = MatMul(h, w)"
LEFT = ["Pow", "Mul", "Add", "Sigmoid", "Mul", "MatMul"]


def text(body: str, more: str = "") -> str:
    return f"(float[N,3] z) => (float y{more}) <{WEIGHTS}> {{ {body} }}"


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (f"x = MatMul(z, v) {GATE}", ["MatMul", *LEFT]),
        (f"m = MatMul(z, v) x = Add(bias, m) {GATE}", ["MatMul", "Add", *LEFT]),
        (
            "x = MatMul(z, v) s = Mul(x, x) b = Mul(s, c) o = Add(b, one) d = Mul(x, o) f = Mul(k, d) g = Sigmoid(f) "
            "h = Mul(g, x) y = MatMul(h, w)",
            ["MatMul", *LEFT],
        ),
    ],
    ids=["no bias", "bias", "spelled otherwise"],
)
def test_the_factor_is_taken_over(body: str, left: list[str]) -> None:
    found = rewrite(text(body).replace("float e = {3}", "float e = {3}, float one = {1}"), "fuse.activation.cubic")
    assert found.fired == ["activation.cubic.between_products"]
    assert sorted(found.ops) == sorted(left)
    assert not rewrite(text(f"x = MatMul(z, v) {GATE}"), "fuse.activation.cubic,fuse.activation.cubic").fired[1:]


@pytest.mark.parametrize(
    ("source", "opset"),
    [
        (text(f"x = MatMul(z, v) {GATE}"), 20),
        (text(f"x = MatMul(z, v) {GATE} q = Neg(x)", ", float q"), 18),
        (text(f"x = MatMul(z, v) {GATE} q = Neg(b)", ", float q"), 18),
        (text(f"x = MatMul(z, v) {GATE} q = Neg(f)", ", float q"), 18),
        (text(f"x = MatMul(z, v) {GATE} q = MatMul(z, v)", ", float q"), 18),
        (text(f"x = MatMul(z, v) {GATE} q = MatMul(z, w0)", ", float q").replace("MatMul(z, w0)", "Neg(w)"), 18),
        (text(f"x = Neg(z0) {GATE}").replace("x = Neg(z0)", "m = MatMul(z, v) x = Neg(m)"), 18),
        (text(f"x = MatMul(z, v) {GATE.replace('Mul(d, k)', 'Mul(d, less)')}"), 18),
        (text(f"m = MatMul(z, v) x = Add(m, bias) {GATE} q = Neg(m)", ", float q"), 18),
    ],
    ids=[
        "Gelu is there",
        "x is used",
        "a term is used",
        "the sum is used",
        "V is used",
        "W is used",
        "no product",
        "below zero",
        "the product is used",
    ],
)
def test_it_is_left(source: str, opset: int) -> None:
    assert rewrite(source, "fuse.activation.cubic", opset).fired == []
