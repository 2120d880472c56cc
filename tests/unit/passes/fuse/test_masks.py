"""Rules of `fuse.masks`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

HEAD = "(bool[2,1] m, float[2,3] a, float[2,3] b, float[2,1] f) => (float y)"
CASES = {
    "a mask and its opposite": (
        "n = Not(m) c = Cast<to=1>(m) d = Cast<to=1>(n) e = Mul(c, a) g = Mul(b, d) y = Add(g, e)",
        1,
    ),
    "one less the mask": ("c = Cast<to=1>(m) d = Sub(one, c) e = Mul(c, a) g = Mul(b, d) y = Add(g, e)", 1),
    "two less the mask": ("c = Cast<to=1>(m) d = Sub(two, c) e = Mul(c, a) g = Mul(b, d) y = Add(g, e)", 0),
    "choices of zero": ("e = Where(m, a, zero) g = Where(m, zero, b) y = Add(g, e)", 1),
    "choices of one": ("e = Where(m, a, one) g = Where(m, zero, b) y = Add(g, e)", 0),
    "the same twice": ("c = Cast<to=1>(m) e = Mul(c, a) g = Mul(b, c) y = Add(g, e)", 0),
    "another mask": (
        "n = Not(m) k = Less(f, one) c = Cast<to=1>(k) d = Cast<to=1>(n) e = Mul(c, a) g = Mul(d, b) y = Add(e, g)",
        0,
    ),
    "a mask of floats": ("d = Sub(one, f) e = Mul(f, a) g = Mul(b, d) y = Add(g, e)", 0),
    "a cast of floats": ("c = Cast<to=1>(f) d = Sub(one, c) e = Mul(c, a) g = Mul(b, d) y = Add(g, e)", 0),
    "a one that enlarges": ("c = Cast<to=1>(m) d = Sub(ones, c) e = Mul(c, a) g = Mul(b, d) y = Add(g, e)", 0),
}
GIVEN = {"one": 1.0, "two": 2.0, "zero": 0.0, "ones": np.ones((4, 1, 1), "f")}


@pytest.mark.parametrize("name", CASES)
def test_blend(fuse: Any, name: str) -> None:
    body, fires = CASES[name]
    done = fuse(f"{HEAD} {{ {body} }}", rules="fuse.masks", **GIVEN)
    assert len(done.fired) == fires
    assert not fires or done.ops == ["Where"]


def test_a_product_that_two_choices_share(fuse: Any) -> None:
    body = """n = Not(m) c = Cast<to=1>(m) d = Cast<to=1>(n) e = Mul(c, a)
        g = Mul(d, b) h = Mul(d, a) y = Add(e, g) z = Add(e, h)"""
    done = fuse(f"{HEAD[:-1]}, float z) {{ {body} }}", rules="fuse.masks")
    assert done.ops == ["Where", "Where"]


def test_products_that_others_need(fuse: Any) -> None:
    body = "n = Not(m) c = Cast<to=1>(m) d = Cast<to=1>(n) e = Mul(c, a) g = Mul(d, b) y = Add(e, g)"
    assert fuse(f"{HEAD[:-1]}, float e, float g) {{ {body} }}", rules="fuse.masks").fired == []


def test_integers_stay(fuse: Any) -> None:
    body = "n = Not(m) c = Cast<to=6>(m) d = Cast<to=6>(n) e = Mul(c, a) g = Mul(d, b) y = Add(e, g)"
    text = f"(bool[2,1] m, int32[2,3] a, int32[2,3] b) => (int32 y) {{ {body} }}"
    assert fuse(text, rules="fuse.masks").fired == []
