"""`fuse.rotary`: negations of rotated values that the sine takes over."""

from __future__ import annotations

import pytest

from ..clean.rewriting import rewrite

HEAD = (
    "(float[N,2,S,4] q, float[N,2,S,4] k, float[S,1] t) => (float y, float z{more}) "
    "<float[4] c = {{1, 0.5, 1, 0.5}}, float[1] one = {{0.5}}, int64[2] halves = {{2, 2}}> "
)
TURN = (
    "{x}1, {x}2 = Split<axis = 3>({x}, halves) {x}n = Neg({x}2) {x}r = Concat<axis = {axis}>({x}n, {x}1) "
    "{x}c = Mul({x}, cos) {x}s = Mul({x}r, sin) {out} = Add({x}c, {x}s) "
)
ANGLES = "a = Mul(t, c) cos = Cos(a) sin = Sin(a) "


def text(body: str = "", angles: str = ANGLES, more: str = "", axis: int = -1) -> str:
    turned = TURN.format(x="q", out="y", axis=axis) + TURN.format(x="k", out="z", axis=axis)
    return f"{HEAD.format(more=more)} {{ {angles} {turned} {body} }}"


@pytest.mark.parametrize("axis", [-1, 3])
def test_the_sine_changes_its_sign(axis: int) -> None:
    found = rewrite(text(axis=axis), "fuse.rotary,clean")
    assert "Neg" not in found.ops
    assert found.fired[0] == "rotary"
    assert len(found.ops) == 13


def test_the_second_half_may_be_negated() -> None:
    swapped = text().replace("(qn, q1)", "(q1, qn)").replace("(kn, k1)", "(k1, kn)")
    assert "Neg" not in rewrite(swapped, "fuse.rotary,clean").ops


@pytest.mark.parametrize(
    "source",
    [
        text("w = Neg(a)", more=", float w"),
        text("w = Exp(sin)", more=", float w"),
        text("v = Sin(a) w = Exp(v)", more=", float w"),
        text("w = Exp(qr)", more=", float w"),
        text(angles="a = Mul(t, one) b = Add(a, c) cos = Cos(b) sin = Sin(b)"),
        text(angles="b = Mul(t, one) a = Mul(b, one) cos = Cos(a) sin = Sin(a)"),
        text().replace("(qn, q1)", "(q1, qn)"),
        text().replace("kn = Neg(k2)", "kn = Abs(k2)"),
    ],
    ids=[
        "angles",
        "sine",
        "another sine",
        "rotated",
        "no product",
        "one factor for all",
        "different halves",
        "one without",
    ],
)
def test_what_is_used_elsewhere_stays(source: str) -> None:
    assert rewrite(source, "fuse.rotary").fired == []
