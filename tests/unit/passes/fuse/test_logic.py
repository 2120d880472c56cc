"""Rules of `fuse.logic`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

FORMS = {
    "where not": ("n = Not(c) y = Where(n, x, z)", "float", ["Where"]),
    "not less": ("y = Not(l)", "bool", ["GreaterOrEqual"]),
    "less or equal": ("e = Equal(x, z) y = Or(l, e)", "bool", ["LessOrEqual"]),
    "neither": ("n = Not(c) m = Not(d) y = And(n, m)", "bool", ["Or", "Not"]),
    "not zero": ("b = Equal(i, none) y = Not(b)", "bool", ["Cast"]),
    "zero": ("b = Cast<to = 9>(x) y = Not(b)", "bool", ["Equal"]),
    "a mask": ("m = Cast<to = 1>(l) y = Mul(x, m)", "float", ["Less", "Where"]),
    "a mask that is turned round": ("n = Not(c) m = Cast<to = 1>(n) y = Mul(m, x)", "float", ["Where"]),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form(fuse: Any, name: str) -> None:
    body, kind, left = FORMS[name]
    less = "l = Less(x, z)" if "(l" in body else ""
    text = f"(float[4] x, float[4] z, bool[4] c, bool[4] d, int64[4] i) => ({kind} y) {{ {less} {body} }}"
    constants = {"none": np.asarray(0)} if "none" in body else {}
    assert fuse(text, opset=17, **constants).ops == left


STAY = {
    "used elsewhere": ("l = Less(x, z) n = Not(l) m = Cast<to = 1>(l) k = Cast<to = 1>(n) y = Sub(m, k)", "float"),
    "equal to another": ("l = Less(x, z) e = Equal(x, w) y = Or(l, e)", "bool"),
    "no mask": ("m = Cast<to = 1>(i) y = Mul(x, m)", "float"),
    "one not": ("n = Not(c) e = Equal(x, z) y = And(n, e)", "bool"),
}


@pytest.mark.parametrize("name", STAY)
def test_what_stays(fuse: Any, name: str) -> None:
    body, kind = STAY[name]
    inputs = "float[4] x, float[4] z, float[4] w, bool[4] c, int64[4] i"
    assert fuse(f"({inputs}) => ({kind} y) {{ {body} }}", opset=17).fired == []


def test_comparisons_of_old_opsets(fuse: Any) -> None:
    assert fuse("(float[4] x, float[4] z) => (bool y) { l = Less(x, z) y = Not(l) }", opset=11).fired == []


def test_types_that_are_not_compared(fuse: Any) -> None:
    assert fuse("(uint8[4] x) => (bool y) { b = Cast<to = 9>(x) y = Not(b) }", opset=17).fired == []
