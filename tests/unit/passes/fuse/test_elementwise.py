"""Rules of `fuse.elementwise`, `fuse.clamp` and `fuse.batchnorm`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

X = "(float[N,4,6,6] x) => (float y)"

CHAINS = {
    "mul mul": ("a = Mul(x, k) y = Mul(l, a)", ["Mul"]),
    "add add": ("a = Add(x, k) y = Add(l, a)", ["Add"]),
    "add sub": ("a = Add(x, k) y = Sub(a, l)", ["Add"]),
    "sub from": ("a = Sub(k, x) y = Sub(a, l)", ["Sub"]),
    "sub from twice": ("a = Sub(k, x) y = Sub(l, a)", ["Add"]),
    "mul div": ("a = Mul(x, k) y = Div(a, l)", ["Mul"]),
    "div div": ("a = Div(x, k) y = Div(a, l)", ["Mul"]),
    "neg add": ("a = Neg(x) y = Add(a, l)", ["Sub"]),
    "neg mul": ("a = Neg(x) y = Mul(a, l)", ["Mul"]),
    "mul add mul": ("a = Mul(x, k) b = Add(a, l) y = Mul(b, m)", ["Mul", "Add"]),
    "add mul add": ("a = Add(x, k) b = Mul(a, l) y = Add(b, m)", ["Mul", "Add"]),
    "sub div sub": ("a = Sub(k, x) b = Div(a, l) y = Sub(m, b)", ["Mul", "Add"]),
    "a chain of seven": (
        "a = Mul(x, k) b = Add(a, l) c = Mul(b, m) d = Sub(c, k) e = Div(d, l) f = Neg(e) y = Add(f, m)",
        ["Mul", "Sub"],
    ),
    "mul add": ("a = Mul(x, k) y = Add(a, l)", ["Mul", "Add"]),
    "there and back": ("a = Mul(x, k) y = Div(a, k)", []),
    "c / x * d": ("a = Div(k, x) y = Mul(a, l)", ["Div"]),
    "c / x / d": ("a = Div(k, x) y = Div(a, l)", ["Div"]),
    "d / (x * c)": ("a = Mul(x, k) y = Div(l, a)", ["Div"]),
    "d / (x / c)": ("a = Div(x, k) y = Div(l, a)", ["Div"]),
    "d / (c / x)": ("a = Div(k, x) y = Div(l, a)", ["Mul"]),
    "relu relu": ("a = Relu(x) y = Relu(a)", ["Relu"]),
    "relu clip": ("a = Relu(x) y = Clip(a, l, k)", ["Clip"]),
    "clip relu": ("a = Clip(x, n, k) y = Relu(a)", ["Clip"]),
    "clip clip apart": ("a = Clip(x, l, m) y = Clip(a, m, k)", ["Clip"]),
    "clip below relu": ("a = Clip(x, n) y = Relu(a)", ["Relu"]),
    "max min": ("a = Max(x, l) y = Min(k, a)", ["Clip"]),
    "min max crossing": ("a = Min(x, l) y = Max(a, k)", ["Clip"]),
    "a clip upside down": ("a = Clip(x, k, l) y = Relu(a)", ["Clip", "Relu"]),
    "max max of vectors": ("a = Max(x, p) y = Max(q, a)", ["Max"]),
    "min min of vectors": ("a = Min(x, p) y = Min(q, a)", ["Min"]),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_of_constants(fuse: Any, name: str) -> None:
    body, left = CHAINS[name]
    constants = {"k": 3.0, "l": 0.5, "m": 2.0, "n": -1.0, "p": (6,), "q": (6, 1)}
    if "vectors" in name:
        constants["q"] = (1, 6)
    text = f"(float[N,4,6,6] i) => (float y) {{ x = Sin(i) {body} }}"
    assert fuse(text, **constants).ops == ["Sin", *left]


@pytest.mark.parametrize(
    ("body", "constants"),
    [
        ("a = Mul(x, k) y = Mul(a, l)", {"k": (4, 1, 1), "l": (6,)}),
        ("a = Add(x, k) y = Add(a, l)", {"k": (6, 1), "l": (1, 6)}),
        ("a = Mul(x, k) b = Add(a, l) y = Mul(b, m)", {"k": 2.0, "l": (6, 1), "m": (6,)}),
        ("a = Max(x, k) y = Max(a, l)", {"k": (6, 1), "l": (1, 6)}),
        ("a = Div(k, x) y = Mul(a, l)", {"k": (6, 1), "l": (1, 6)}),
        ("a = Div(k, x) y = Mul(a, l)", {"k": 0.0, "l": 2.0}),
        ("a = Mul(x, k) y = Mul(a, l)", {"k": 1e30, "l": 1e30}),
        ("a = Mul(x, k) y = Mul(a, l)", {"k": 1e-30, "l": 1e-30}),
        ("a = Add(x, k) y = Sub(a, k)", {"k": 12582912.0}),
        ("a = Mul(x, l) b = Add(a, k) y = Sub(b, k)", {"k": 12582912.0, "l": 4.0}),
        ("a = Mul(x, k) y = Div(a, l)", {"k": (6,), "l": 0.0}),
        ("a = Clip(x, k) y = Relu(a)", {"k": float("nan")}),
        ("a = Max(x, k) y = Min(a, l)", {"k": (6,), "l": 2.0}),
    ],
)
def test_a_chain_that_stays(fuse: Any, body: str, constants: Any) -> None:
    assert fuse(f"{X} {{ {body} }}", **constants).fired == []


def test_shapes_that_only_a_dropped_constant_gave(fuse: Any) -> None:
    text = "(float[6] x) => (float y) { a = Mul(x, k) y = Div(a, k) }"
    assert fuse(text, k=np.full((3, 1), 2, "f")).fired == []
    text = "(float[6] x) => (float y) { a = Mul(x, k) b = Add(a, l) y = Div(b, k) }"
    assert fuse(text, k=np.full((3, 1), 2, "f"), l=(3, 1)).ops == ["Add"]


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize(
    ("body", "ops"),
    [
        ("a = Mul(x, k) y = Mul(a, l)", ["Mul"]),
        ("a = Add(x, k) y = Sub(a, l)", ["Add"]),
        ("a = Sub(k, x) y = Sub(l, a)", ["Add"]),
        ("a = Neg(x) y = Add(a, l)", ["Sub"]),
        ("a = Mul(x, k) b = Add(a, l) y = Mul(b, k)", ["Mul", "Add"]),
        ("a = Mul(x, k) y = Div(a, k)", ["Mul", "Div"]),
        ("a = Div(x, l) y = Div(a, l)", ["Div", "Div"]),
    ],
)
def test_integers_wrap_round(fuse: Any, dtype: str, body: str, ops: list[str]) -> None:
    text = f"({dtype}[N,4] x) => ({dtype} y) {{ {body} }}"
    big = np.array(np.iinfo(dtype).max - 3, dtype)
    assert fuse(text, k=big, l=np.array([5], dtype)).ops == ops


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers_are_clamped(fuse: Any, dtype: str) -> None:
    text = f"({dtype}[N,4] x) => ({dtype} y) {{ a = Max(x, k) y = Min(a, l) }}"
    assert fuse(text, k=np.array(-3, dtype), l=np.array([5], dtype)).ops == ["Clip"]


def test_old_clip(fuse: Any) -> None:
    done = fuse(f"{X} {{ a = Relu(x) y = Clip<min=-1.0, max=6.0>(a) }}", opset=10)
    assert done.ops == ["Clip"]


@pytest.mark.parametrize(
    ("body", "fired"),
    [
        ("n = BatchNormalization(x, s, t, m, v) y = Mul(n, k)", ["batchnorm.affine"]),
        ("n = BatchNormalization(x, s, t, m, v) y = Sub(k, n)", ["batchnorm.affine"]),
        ("n = Mul(x, k) y = BatchNormalization(n, s, t, m, v)", ["batchnorm.affine_before"]),
        ("n = Sub(k, x) y = BatchNormalization(n, s, t, m, v)", ["batchnorm.affine_before"]),
        ("n = BatchNormalization(x, s, t, m, v) y = Mul(n, w)", []),
        ("n = Add(x, w) y = BatchNormalization(n, s, t, m, v)", []),
    ],
)
@pytest.mark.parametrize("k", [2.0, (4, 1, 1), (1, 4, 1, 1)])
def test_batchnorm(fuse: Any, body: str, fired: list[str], k: Any) -> None:
    norm = dict.fromkeys("stmv", (4,))
    assert fuse(f"{X} {{ {body} }}", k=k, w=(6,), **norm).fired == fired


@pytest.mark.parametrize(
    ("body", "constants", "fires"),
    [
        ("a = Add(x, c) b = Add(a, z) y = Add(b, d)", {"c": 2.0, "d": (4,)}, True),
        ("a = Add(c, x) b = Add(z, a) y = Add(d, b)", {"c": (4,), "d": (4,)}, True),
        ("a = Add(x, c) b = Add(a, z) y = Add(b, d)", {"c": (4, 1), "d": (4,)}, False),
        ("a = Add(x, c) b = Add(a, z) y = Add(b, d)", {"c": 8388608.0, "d": -8388608.0}, False),
        ("a = Add(x, c) b = Add(a, z) y = Add(b, d)", {"c": np.float32(np.inf), "d": 1.0}, False),
        ("a = Add(x, c) b = Mul(a, z) y = Add(b, d)", {"c": 2.0, "d": 1.0}, False),
    ],
)
def test_constants_of_a_sum(fuse: Any, body: str, constants: Any, fires: bool) -> None:
    done = fuse(f"(float[4,4] x, float[4,4] z) => (float y) {{ {body} }}", rules="fuse.elementwise", **constants)
    assert done.ops == (["Add", "Add"] if fires else ["Add", body.split("b = ")[1][:3], "Add"])
