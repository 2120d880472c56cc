"""Rules of `fuse.through`, and of `fuse.gemm` that reach past an op."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

CONV = {"w": (8, 4, 3, 3), "b": (8,)}
NORM = {"s": (8,), "t": (8,), "m": (8,), "v": (8,)}
AXES = {"i2": np.array([2]), "i0": np.array([0]), "im": np.array([-1]), "i1": np.array([1])}

SIZES: Any = {"r": np.array([1, 8, -1]), "r2": np.array([2, 4, 4, 4])}

AFTER = {
    "transpose": ("a = Conv(x, w, b) c = Transpose<perm=[0,2,3,1]>(a) y = Add(c, k)", {"k": (8,)}, ["conv"]),
    "transpose, scalar": ("a = Conv(x, w, b) c = Transpose(a) y = Mul(c, k)", {"k": 2.0}, ["conv"]),
    "transpose, other axis": ("a = Conv(x, w, b) c = Transpose<perm=[0,2,3,1]>(a) y = Add(c, k)", {"k": (4, 1)}, []),
    "squeeze": ("a = Conv(x, u) c = Squeeze(a, i2) y = BatchNormalization(c, s, t, m, v)", NORM, ["conv"]),
    "squeeze of the batch": ("a = Conv(x, u) c = Squeeze(a, i0) y = Add(c, k)", {"k": (8, 1, 1)}, ["conv"]),
    "squeeze of the channels": ("a = Conv(x, o) c = Squeeze(a, i1) y = Add(c, k)", {"k": (4, 1)}, []),
    "batchnorm of other channels": (
        "a = Conv(x, u) c = Squeeze(a, i0) y = BatchNormalization(c, k, k, k, k)",
        {"k": np.ones(1, "f")},
        [],
    ),
    "unsqueeze": ("a = Conv(x, w, b) c = Unsqueeze(a, i2) y = Sub(k, c)", {"k": (8, 1, 1, 1)}, ["conv"]),
    "reshape": ("a = Conv(x, w, b) c = Reshape(a, r) y = Add(c, k)", {"k": (8, 1)}, ["conv"]),
    "reshape of the channels": ("a = Conv(x, w, b) c = Reshape(a, r2) y = Add(c, k)", {"k": (4, 1, 1)}, []),
    "flatten": ("a = Conv(x, f) c = Flatten(a) y = BatchNormalization(c, s, t, m, v)", NORM, ["conv"]),
    "flatten of space": ("a = Conv(x, w) c = Flatten(a) y = Add(c, k)", {"k": (128,)}, []),
    "two moves": (
        "a = Conv(x, u) c = Squeeze(a, i2) d = Transpose<perm=[0,2,1]>(c) y = Add(d, k)",
        {"k": (8,)},
        [],
    ),
}


@pytest.mark.parametrize("name", AFTER)
def test_past_a_move(fuse: Any, name: str) -> None:
    body, constants, fired = AFTER[name]
    given = CONV | {"u": (8, 4, 6, 3), "o": (1, 4, 3, 3), "f": (8, 4, 6, 6)} | SIZES | AXES | constants
    done = fuse(f"(float[1,4,6,6] x) => (float y) {{ {body} }}", rules="fuse.through", **given)
    assert [f.removeprefix("through.") for f in done.fired] == fired


@pytest.mark.parametrize(
    ("body", "fired"),
    [
        ("a = Mul(x, k) c = Transpose<perm=[0,3,1,2]>(a) y = Conv(c, w, b)", ["conv_before"]),
        ("a = Sub(x, k) d = Div(a, k) c = Transpose<perm=[0,3,1,2]>(d) y = Conv(c, w, b)", ["conv_before"] * 2),
        ("a = Sub(x, k) c = Transpose<perm=[0,3,1,2]>(a) y = Conv<pads=[1,1,1,1]>(c, w, b)", []),
        ("a = Mul(x, k) c = Transpose<perm=[0,1,3,2]>(a) d = Pad(c, p) y = Conv(d, q)", []),
        ("a = Mul(x, l) z = Unsqueeze(a, i0) c = Squeeze(z, i0) d = Transpose<perm=[0,3,1,2]>(c) y = Conv(d, w)", []),
    ],
)
def test_before_a_move(fuse: Any, body: str, fired: list[str]) -> None:
    constants = {"p": np.zeros(8, np.int64), "k": (4,), "l": 2.0, "q": (8, 6, 3, 3)}
    done = fuse(f"(float[N,6,6,4] x) => (float y) {{ {body} }}", rules="fuse.through", **CONV, **AXES, **constants)
    assert [f.removeprefix("through.") for f in done.fired] == fired


def test_channels_that_a_move_makes(fuse: Any) -> None:
    text = "(float[N,6,6] x) => (float y) { a = Mul(x, k) c = Unsqueeze(a, i1) y = Conv(c, w) }"
    assert fuse(text, w=(8, 1, 3, 3), k=2.0, **AXES).fired == []


@pytest.mark.parametrize("opset", [11, 17])
def test_axes_in_either_spelling(fuse: Any, opset: int) -> None:
    squeeze = "Squeeze(a, i2)" if opset >= 13 else "Squeeze<axes=[2]>(a)"
    text = f"(float[N,4,6,6] x) => (float y) {{ a = Conv(x, u) c = {squeeze} y = Add(c, k) }}"
    assert fuse(text, opset=opset, u=(8, 4, 6, 3), k=(8, 1), i2=np.array([2])).ops == ["Conv", "Squeeze"]


@pytest.mark.parametrize(
    ("body", "fired"),
    [
        ("a = MatMul(x, w) c = Reshape(a, r) y = Add(c, k)", ["gemm"]),
        ("a = Gemm(x, w, k) c = Reshape(a, r) y = Mul(c, k)", ["gemm"]),
        ("a = MatMul(x, w) c = Reshape(a, r) y = Mul(c, k)", []),
        ("a = MatMul(x, w) c = Reshape(a, q) y = Add(c, l)", []),
        ("a = MatMul(x, w) c = Reshape(a, r) y = Add(c, h)", []),
    ],
)
def test_past_a_reshape(fuse: Any, body: str, fired: list[str]) -> None:
    constants = {"w": (4, 6), "k": (6,), "l": (3,), "h": (2, 1), "r": np.array([-1, 2, 6]), "q": np.array([-1, 4, 3])}
    done = fuse(f"(float[8,4] x) => (float y) {{ {body} }}", rules="fuse.through", **constants)
    assert [f.removeprefix("through.") for f in done.fired] == fired


def test_a_recurrent_cell_adds_up_in_gemms(fuse: Any) -> None:
    text = """(float[N,4] x, float[N,5] h) => (float y) {
        a = MatMul(x, w) c = MatMul(h, u) d = Add(a, c) y = Add(d, k) }"""
    assert fuse(text, w=(4, 6), u=(5, 6), k=(6,)).ops == ["Gemm", "Gemm"]
    text = """(float[N,4] x, float[N,5] h) => (float y) {
        c = MatMul(h, u) d = Gemm<beta=2.0>(x, w, c) y = Add(d, k) }"""
    assert fuse(text, w=(4, 6), u=(5, 6), k=(6,)).fired == []
