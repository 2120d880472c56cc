"""Rules of `fuse.quotients` and `fuse.terms`: each where it applies, and where a guard keeps it from applying."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

XZ = "(float[N,4] x, float[N,4] z, float[1,4] v) => (float y)"
C = {"c": 4.0, "d": 2.0, "r": (4,), "e": (1, 1, 1)}

FIRES = {
    "times reciprocal": ("a = Reciprocal(z) y = Mul(x, a)", ["Div"]),
    "times 1 / z": ("a = Div(one, z) y = Mul(a, x)", ["Div"]),
    "constant times reciprocal": ("a = Reciprocal(z) y = Mul(r, a)", ["Div"]),
    "by reciprocal": ("a = Reciprocal(z) y = Div(x, a)", ["Mul"]),
    "reciprocal of quotient": ("a = Div(x, z) y = Reciprocal(a)", ["Div"]),
    "1 / quotient": ("a = Div(x, z) y = Div(one, a)", ["Div"]),
    "reciprocal of product": ("a = Mul(x, r) y = Reciprocal(a)", ["Div"]),
    "quotient of reciprocal": ("a = Reciprocal(x) y = Div(a, r)", ["Div"]),
    "add negative": ("a = Neg(z) y = Add(a, x)", ["Sub"]),
    "subtract negative": ("a = Neg(z) y = Sub(x, a)", ["Add"]),
    "negative difference": ("a = Sub(x, z) y = Neg(a)", ["Sub"]),
    "two negatives": ("a = Neg(x) b = Neg(z) y = Div(a, b)", ["Div"]),
    "even": ("a = Neg(x) y = Cos(a)", ["Cos"]),
    "two multiples": ("a = Mul(x, c) b = Div(x, d) y = Sub(a, b)", ["Mul"]),
    "a row of multiples": ("a = Mul(x, r) b = Div(x, r) y = Add(a, b)", ["Mul"]),
    "x and a multiple": ("a = Mul(x, c) y = Add(x, a)", ["Mul"]),
    "x less a multiple": ("a = Mul(x, c) y = Sub(x, a)", ["Mul"]),
    "common factor": ("a = Mul(x, v) b = Mul(v, z) y = Add(a, b)", ["Add", "Mul"]),
    "common constant": ("a = Mul(x, c) b = Mul(c, v) y = Sub(a, b)", ["Sub", "Mul"]),
    "common divisor": ("a = Div(x, v) b = Div(z, v) y = Sub(a, b)", ["Sub", "Div"]),
    "straight through": ("f = Floor(x) a = Sub(f, x) b = Add(x, a) y = Sin(b)", ["Floor", "Sin"]),
    "sum less a term": ("f = Floor(x) a = Add(z, f) b = Sub(a, z) y = Sin(b)", ["Floor", "Sin"]),
    "less a difference": ("f = Floor(x) a = Sub(z, f) b = Sub(z, a) y = Sin(b)", ["Floor", "Sin"]),
}


@pytest.mark.parametrize("name", FIRES)
def test_fewer_ops_come_of_it(fuse: Any, name: str) -> None:
    body, left = FIRES[name]
    for rules in ("fuse.quotients", "fuse.terms"):
        done = fuse(f"{XZ} {{ {body} }}", rules=rules, one=1.0, **C)
        if done.fired:
            assert done.ops == left
            return
    pytest.fail("no rule fired")


STAYS = {
    "the reciprocal is used elsewhere": "a = Reciprocal(z) b = Mul(x, a) y = Add(b, a)",
    "a quotient of something else": "a = Div(c, z) y = Mul(x, a)",
    "a 1 of more dims": "a = Div(e1, z) y = Mul(x, a)",
    "zeros": "a = Mul(x, o) y = Reciprocal(a)",
    "the negative is used elsewhere": "a = Neg(z) b = Add(x, a) y = Mul(b, a)",
    "multiples of two values": "a = Mul(x, c) b = Mul(z, d) y = Add(a, b)",
    "another factor": "a = Mul(x, v) b = Mul(z, z) y = Add(a, b)",
    "a sum larger than its terms": "a = Mul(x, z) b = Mul(v, z) y = Add(a, b)",
    "one product twice": "a = Mul(x, z) y = Add(a, a)",
    "dividends": "a = Div(v, x) b = Div(v, z) y = Add(a, b)",
    "a constant added and taken away": "a = Add(x, c) y = Sub(a, c)",
    "a term that is smaller": "a = Add(z, v) b = Sub(a, z) y = Sin(b)",
    "x - x": "y = Sub(x, x)",
    "x + x": "y = Add(x, x)",
}


@pytest.mark.parametrize("name", STAYS)
@pytest.mark.parametrize("rules", ["fuse.quotients", "fuse.terms"])
def test_nothing_changes(fuse: Any, name: str, rules: str) -> None:
    one = np.ones((1, 1, 1), "f")
    done = fuse(f"{XZ} {{ {STAYS[name]} }}", rules=rules, one=1.0, e1=one, o=np.zeros(4, "f"), **C)
    assert done.fired == []


@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_integers_are_not_divided_otherwise(fuse: Any, dtype: str) -> None:
    text = f"({dtype}[N] x, {dtype}[N] z) => ({dtype} y) {{ a = Neg(x) b = Neg(z) y = Div(a, b) }}"
    assert fuse(text, rules="fuse.quotients").fired == []
    assert fuse(text.replace("Div", "Mul"), rules="fuse.quotients").ops == ["Mul"]
    assert fuse(text.replace("Div", "Sub"), rules="fuse.quotients").ops == ["Sub"]
    text = f"({dtype}[N] x, {dtype}[N] z) => ({dtype} y) <{dtype} one = {{1}}> {{ a = Div(one, z) y = Mul(a, x) }}"
    assert fuse(text.replace("Div(one, z)", "Max(one, z)"), rules="fuse.quotients").fired == []


def test_a_sum_of_sixteen_bits_may_overflow(fuse: Any) -> None:
    text = "(float16[N] x, float16[N] z, float16 k) => (float16 y) { a = Mul(x, k) b = Mul(z, k) y = Add(a, b) }"
    assert fuse(text, rules="fuse.terms").fired == []
    assert fuse(text.replace("float16", "float"), rules="fuse.terms").ops == ["Add", "Mul"]
    assert fuse(text.replace("float16", "float").replace("[N] z", "[M] z"), rules="fuse.terms").fired == []
    constant = text.replace(", float16 k", "")
    assert fuse(constant.replace("float16", "float"), rules="fuse.terms", k=2.0).ops == ["Add", "Mul"]
    assert fuse(constant, rules="fuse.terms", dtype="float16", k=2.0).fired == []


def test_multiples_that_overflow_stay(fuse: Any) -> None:
    text = "(float16[N] x) => (float16 y) { a = Mul(x, k) b = Mul(x, l) y = Add(a, b) }"
    assert fuse(text, rules="fuse.terms", dtype="float16", k=6e4, l=6e4).fired == []
    assert fuse(text, rules="fuse.terms", dtype="float16", k=2.0, l=3.0).ops == ["Mul"]
