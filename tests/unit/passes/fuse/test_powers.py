"""Rules of `fuse.powers`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

FORMS = {
    "cube": ("a = Mul(x, x) y = Mul(a, x)", ["Pow"]),
    "cube by a square": ("a = Pow(x, two) y = Mul(x, a)", ["Pow"]),
    "cube of jax": ("a = Mul(half, x) b = Mul(x, a) y = Mul(x, b)", ["Pow", "Mul"]),
    "root": ("p = Exp(x) y = Pow(p, half)", ["Exp", "Sqrt"]),
    "logarithm": ("p = Exp(x) q = Log(p) y = Neg(q)", ["Neg"]),
    "product": ("p = Exp(x) q = Exp(z) y = Mul(p, q)", ["Add", "Exp"]),
    "quotient": ("p = Exp(x) q = Exp(z) y = Div(p, q)", ["Sub", "Exp"]),
}
C = {"two": 2.0, "half": 0.5}


@pytest.mark.parametrize("name", FORMS)
def test_a_form(fuse: Any, name: str) -> None:
    body, left = FORMS[name]
    constants = {n: v for n, v in C.items() if f"{n})" in body or f"({n}," in body}
    assert fuse(f"(float[N,4] i, float[N,4] z) => (float y) {{ x = Sin(i) {body} }}", **constants).ops == ["Sin", *left]


STAY: dict[str, tuple[str, dict[str, Any]]] = {
    "a square": ("y = Mul(x, x)", {}),
    "a square that is needed": ("a = Mul(x, x) b = Mul(x, a) y = Add(a, b)", {}),
    "a product of three": ("a = Mul(x, z) y = Mul(x, a)", {}),
    "a root that enlarges": ("y = Pow(x, halves)", {"halves": np.full((3, 1, 1), 0.5, np.float32)}),
    "another root": ("y = Pow(x, third)", {"third": 0.25}),
    "shapes that differ": ("p = Exp(x) q = Exp(r) y = Mul(p, q)", {}),
}


@pytest.mark.parametrize("name", STAY)
def test_what_stays(fuse: Any, name: str) -> None:
    body, constants = STAY[name]
    text = f"(float[N,4] i, float[N,4] z, float[4] r) => (float y) {{ x = Sin(i) {body} }}"
    assert not [f for f in fuse(text, **constants).fired if f.startswith("powers.")]


def test_integers(fuse: Any) -> None:
    assert fuse("(int64[4] x) => (int64 y) { a = Mul(x, x) y = Mul(x, a) }").fired == []
