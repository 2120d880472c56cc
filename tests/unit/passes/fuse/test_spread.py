"""Rules of `fuse.spread`: each where it applies, and where a guard keeps it from applying."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

X = "(float[N,4,6,6] x, float[N,4,6,6] z) => (float y)"
GIVEN: Any = {"w": (8, 4, 3, 3), "b": (8,), "v": (8, 4, 3, 3), "o": (2, 4, 3, 3), "d": (8, 4, 1, 1)}
GIVEN |= {"s": (8,), "t": (8,), "m": (8,), "r": (8,), "k": (8, 1, 1), "k10": (10, 1, 1), "h": (1, 1, 4), "l": 2.0}
GIVEN |= {"w1": (1, 4, 3, 3), "o3": (2, 8, 4, 4), "o4": (3, 2, 8, 4, 4)}
GIVEN |= {"n": -np.ones(8, "f"), "q": (8, 4, 3)}
BN = "BatchNormalization"

FIRES = {
    "maximum": (f"a = Conv(x, w, b) c = MaxPool<kernel_shape=[2,2]>(a) y = {BN}(c, s, t, m, r)", "pool"),
    "padded maximum": ("a = Conv(x, w) c = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(a) y = Add(c, k)", "pool"),
    "average": ("a = Conv(x, w, b) c = AveragePool<kernel_shape=[2,2]>(a) y = Sub(k, c)", "pool"),
    "padded average": (
        "a = Conv(x, w, b) c = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(a) y = Add(c, l)",
        "pool",
    ),
    "global average": (f"a = Conv(x, w, b) c = GlobalAveragePool(a) y = {BN}(c, s, t, m, r)", "pool"),
    "global maximum": ("a = Conv(x, w, b) c = GlobalMaxPool(a) y = Add(c, k)", "pool"),
    "sum": (f"a = Conv(x, w, b) c = Conv(z, v) e = Add(a, c) y = {BN}(e, s, t, m, r)", "add"),
    "factor of a sum": ("a = Conv(x, w, b) c = Conv(z, v, b) e = Add(a, c) y = Mul(e, k)", "add"),
    "constant added to a sum": ("a = Conv(x, w, b) c = Sin(o3) e = Add(c, a) y = Sub(e, k)", "shift"),
    "constant added to a larger sum": ("a = Conv(x, w1) c = Sin(o3) e = Add(c, a) y = Add(e, l)", "shift"),
    "concatenation": ("a = Conv(x, w, b) c = Conv(z, o) e = Concat<axis=1>(a, c) y = Mul(e, k10)", "concat"),
    "concatenation, scalar": ("a = Conv(x, w, b) c = Conv(z, o) e = Concat<axis=-3>(a, c) y = Add(e, l)", "concat"),
}


@pytest.mark.parametrize("name", FIRES)
def test_into_all(fuse: Any, name: str) -> None:
    body, fired = FIRES[name]
    done = fuse(f"{X} {{ {body} }}", rules="fuse.spread", **GIVEN)
    assert done.fired == [f"spread.{fired}"]
    assert len(done.ops) == body.count("= ") - 1


STAYS = {
    "a negative factor of a maximum": f"a = Conv(x, w) c = MaxPool<kernel_shape=[2,2]>(a) y = {BN}(c, n, t, m, r)",
    "a difference from a maximum": "a = Conv(x, w) c = MaxPool<kernel_shape=[2,2]>(a) y = Sub(k, c)",
    "padding that counts": (
        "a = Conv(x, w) c = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1], count_include_pad=1>(a) y = Add(c, l)"
    ),
    "windows beyond the end": (
        "a = Conv(x, w) c = AveragePool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(a) y = Add(c, l)"
    ),
    "along another axis": "a = Conv(x, w) c = Conv(z, v) e = Add(a, c) y = Mul(e, h)",
    "a sum with something else": "a = Conv(x, w) c = Sin(a) e = Add(a, c) y = Mul(e, k)",
    "a part that is used elsewhere": (
        "a = Conv(x, w) c = Conv(z, o) e = Concat<axis=1>(a, c) f = Mul(e, k10) i = Concat<axis=1>(a, c) y = Add(f, i)"
    ),
    "a part that is no convolution": "a = Conv(x, w) c = Sin(o2) e = Concat<axis=1>(a, c) y = Mul(e, l)",
    "a sum that is taken from a constant": "a = Conv(x, w) c = Sin(o3) e = Add(c, a) y = Sub(k, e)",
    "channels that the sum adds": "a = Conv(x, w1) c = Sin(o3) e = Add(c, a) y = Add(e, k)",
    "axes that the sum adds": "a = Conv(x, w) c = Sin(o4) e = Add(c, a) y = Add(e, k)",
    "another axis": "a = Conv(x, w) c = Conv(z, v) e = Concat<axis=2>(a, c) y = Mul(e, k)",
    "the same part twice": "a = Conv(x, w) e = Concat<axis=1>(a, a) y = Mul(e, l)",
}


@pytest.mark.parametrize("name", STAYS)
def test_nothing_changes(fuse: Any, name: str) -> None:
    o2 = np.ones((2, 3, 4, 4), "f")
    assert fuse(f"{X} {{ {STAYS[name]} }}", rules="fuse.spread", o2=o2, **GIVEN).fired == []


def test_a_sum_of_other_ranks_stays(fuse: Any) -> None:
    text = (
        "(float[8,4,10,6] x, float[8,4,6] z) => (float y) { a = Conv(x, w) c = Conv(z, q) e = Add(a, c) y = Mul(e, k) }"
    )
    assert fuse(text, rules="fuse.spread", **GIVEN).fired == []


def test_a_part_that_is_an_output_stays(fuse: Any) -> None:
    text = f"{X} {{ a = Conv(x, w) c = Conv(z, o) e = Concat<axis=1>(a, c) y = Mul(e, l) }}"
    assert fuse(text.replace("(float y)", "(float y, float c)"), rules="fuse.spread", **GIVEN).fired == []
