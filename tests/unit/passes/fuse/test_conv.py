"""Rules of `fuse.conv`: each where it applies, and where a guard keeps it from applying."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

X = "(float[N,4,6,6] x) => (float y)"
CONV = {"w": (8, 4, 3, 3), "b": (8,)}
NORM = {"s": (8,), "t": (8,), "m": (8,), "v": (8,)}
NORM_4 = {"s": (4,), "t": (4,), "m": (4,), "v": (4,)}
BN = "BatchNormalization(c, s, t, m, v)"

AFTER = {
    "batchnorm": (f"c = Conv(x, w, b) y = {BN}", CONV | NORM, ["conv.batchnorm"]),
    "batchnorm without bias": (f"c = Conv(x, w) y = {BN}", {"w": (8, 4, 3, 3)} | NORM, ["conv.batchnorm"]),
    "batchnorm grouped": (
        f"c = Conv<group=2>(x, w, b) y = {BN}",
        {"w": (8, 2, 3, 3), "b": (8,)} | NORM,
        ["conv.batchnorm"],
    ),
    "batchnorm transposed": (
        f"c = ConvTranspose<strides=[2,2]>(x, w, b) y = {BN}",
        {"w": (4, 8, 3, 3), "b": (8,)} | NORM,
        ["conv.batchnorm"],
    ),
    "batchnorm transposed grouped": (
        f"c = ConvTranspose<group=2>(x, w, b) y = {BN}",
        {"w": (4, 4, 3, 3), "b": (8,)} | NORM,
        ["conv.batchnorm"],
    ),
    "add [C,1,1]": ("c = Conv(x, w, b) y = Add(c, k)", CONV | {"k": (8, 1, 1)}, ["conv.add"]),
    "add [1,C,1,1]": ("c = Conv(x, w) y = Add(k, c)", {"w": (8, 4, 3, 3), "k": (1, 8, 1, 1)}, ["conv.add"]),
    "add scalar": ("c = Conv(x, w) y = Add(c, k)", {"w": (8, 4, 3, 3), "k": 2.5}, ["conv.add"]),
    "add [1]": ("c = Conv(x, w, b) y = Add(c, k)", CONV | {"k": (1,)}, ["conv.add"]),
    "add [1,1,1,1]": ("c = Conv(x, w, b) y = Add(c, k)", CONV | {"k": (1, 1, 1, 1)}, ["conv.add"]),
    "add, all of W alike": ("c = Conv(x, w, b) y = Add(c, k)", CONV | {"k": np.full(4, 3, "f")}, ["conv.add"]),
    "sub": ("c = Conv(x, w, b) y = Sub(c, k)", CONV | {"k": (8, 1, 1)}, ["conv.add"]),
    "sub reversed": ("c = Conv(x, w, b) y = Sub(k, c)", CONV | {"k": (8, 1, 1)}, ["conv.add"]),
    "add transposed": (
        "c = ConvTranspose(x, w) y = Sub(k, c)",
        {"w": (4, 8, 3, 3), "k": (8, 1, 1)},
        ["conv.add"],
    ),
    "mul": ("c = Conv(x, w, b) y = Mul(c, k)", CONV | {"k": (8, 1, 1)}, ["conv.scale"]),
    "mul reversed, scalar": ("c = Conv(x, w, b) y = Mul(k, c)", CONV | {"k": -2.0}, ["conv.scale"]),
    "mul by zero": ("c = Conv(x, w, b) y = Mul(k, c)", CONV | {"k": 0.0}, ["conv.scale"]),
    "div": ("c = Conv(x, w, b) y = Div(c, k)", CONV | {"k": (1, 8, 1, 1)}, ["conv.scale"]),
    "neg": ("c = Conv(x, w, b) y = Neg(c)", CONV, ["conv.scale"]),
    "scale of a computed bias": (
        "q = Neg(b) c = Conv(x, w, q) y = Mul(c, k)",
        CONV | {"k": 2.0},
        [],
    ),
}


@pytest.mark.parametrize("name", AFTER)
def test_what_follows_goes_into_weights_and_bias(fuse: Any, name: str) -> None:
    body, constants, fired = AFTER[name]
    done = fuse(f"{X} {{ {body} }}", **constants)
    assert done.fired == fired
    if fired:
        assert len(done.ops) == 1


BEFORE = {
    "batchnorm": (f"c = Identity(x) n = {BN} y = Conv(n, w, b)", CONV | NORM_4, ["conv.batchnorm_before"]),
    "batchnorm grouped": (
        f"c = Identity(x) n = {BN} y = Conv<group=2>(n, w)",
        {"w": (8, 2, 3, 3)} | NORM_4,
        ["conv.batchnorm_before"],
    ),
    "batchnorm without shift, padded": (
        f"c = Identity(x) n = {BN} y = Conv<pads=[1,1,1,1]>(n, w)",
        {"w": (8, 4, 3, 3)} | NORM_4 | {"t": np.zeros(4, "f"), "m": np.zeros(4, "f")},
        ["conv.batchnorm_before"],
    ),
    "batchnorm padded": (f"c = Identity(x) n = {BN} y = Conv<pads=[1,1,1,1]>(n, w)", CONV | NORM_4, []),
    "batchnorm 1x1 SAME": (
        f'c = Identity(x) n = {BN} y = Conv<auto_pad="SAME_UPPER">(n, w)',
        {"w": (8, 4, 1, 1)} | NORM_4,
        ["conv.batchnorm_before"],
    ),
    "mul padded": (
        "n = Mul(x, k) y = Conv<pads=[1,1,1,1], group=2>(n, w, b)",
        {"w": (8, 2, 3, 3), "b": (8,), "k": (4, 1, 1)},
        ["conv.scale_before"],
    ),
    "div scalar": ("n = Div(x, k) y = Conv(n, w, b)", CONV | {"k": 4.0}, ["conv.scale_before"]),
    "neg": ("n = Neg(x) y = Conv(n, w, b)", CONV, ["conv.scale_before"]),
    "mul, transposed grouped": (
        "n = Mul(x, k) y = ConvTranspose<group=2, pads=[1,1,1,1]>(n, w)",
        {"w": (4, 3, 3, 3), "k": (1, 4, 1, 1)},
        ["conv.scale_before"],
    ),
    "mul, computed bias": ("q = Neg(b) n = Mul(x, k) y = Conv(n, w, q)", CONV | {"k": 4.0}, ["conv.scale_before"]),
    "add": ("n = Add(x, k) y = Conv<group=2>(n, w)", {"w": (8, 2, 3, 3), "k": (4, 1, 1)}, ["conv.add_before"]),
    "sub reversed": ("n = Sub(k, x) y = Conv(n, w, b)", CONV | {"k": 1.5}, ["conv.add_before"]),
    "add, 1x1 transposed grouped": (
        "n = Add(x, k) y = ConvTranspose<group=2>(n, w)",
        {"w": (4, 3, 1, 1), "k": (4, 1, 1)},
        ["conv.add_before"],
    ),
    "add, 1x1 transposed with strides": (
        "n = Add(x, k) y = ConvTranspose<strides=[2,2]>(n, w)",
        {"w": (4, 3, 1, 1), "k": (4, 1, 1)},
        [],
    ),
    "add, 3x3 transposed": ("n = Add(x, k) y = ConvTranspose(n, w)", {"w": (4, 3, 3, 3), "k": 1.0}, []),
    "add padded": ("n = Add(x, k) y = Conv<pads=[1,1,1,1]>(n, w, b)", CONV | {"k": 1.0}, []),
    "add, SAME": ('n = Add(x, k) y = Conv<auto_pad="SAME_LOWER">(n, w, b)', CONV | {"k": 1.0}, []),
    "add, computed bias": ("q = Neg(b) n = Add(x, k) y = Conv(n, w, q)", CONV | {"k": 4.0}, []),
}


@pytest.mark.parametrize("name", BEFORE)
def test_what_precedes_goes_into_weights_and_bias(fuse: Any, name: str) -> None:
    body, constants, fired = BEFORE[name]
    assert fuse(f"{X} {{ {body} }}", **constants).fired == fired


def test_a_factor_passes_an_addend_that_padding_holds_back(fuse: Any) -> None:
    text = f"{X} {{ a = Mul(x, k) n = Add(a, d) y = Conv<pads=[1,1,1,1]>(n, w, b) }}"
    done = fuse(text, k=(4, 1, 1), d=0.5, **CONV)
    assert done.fired == ["conv.scale_past_add"]
    assert done.ops == ["Add", "Conv"]
    assert fuse(text.replace("Add(a, d)", "Sub(d, a)"), k=2.0, d=(4, 1, 1), **CONV).ops == ["Add", "Conv"]


@pytest.mark.parametrize(
    "k",
    [np.array([[[0]], [[1]], [[2]], [[3]]], "f"), np.full((1, 4, 6, 1), 1e-45, "f"), np.full((4, 1, 1), 1e-40, "f")],
)
def test_a_factor_of_zero_or_one_that_blows_up_does_not_pass(fuse: Any, k: Any) -> None:
    text = f"{X} {{ a = Mul(x, k) n = Add(a, d) y = Conv<pads=[1,1,1,1]>(n, w, b) }}"
    assert fuse(text, k=k, d=0.5, **CONV).fired == []


def test_a_whole_block_becomes_one_convolution(fuse: Any) -> None:
    text = f"""{X} {{ c = Conv<pads=[1,1,1,1]>(x, w) n = {BN} a = Mul(k, n) d = Add(a, l) r = Relu(d)
        e = Div(r, six) f = Mul(e, k) g = Add(f, l) y = Conv(g, u) }}"""
    done = fuse(text, k=0.5, l=0.25, six=6.0, u=(3, 8, 1, 1), w=(8, 4, 3, 3), **NORM)
    assert done.ops == ["Conv", "Relu", "Conv"]


GUARDS = {
    "a vector aligns with W": ("y = Add(c, k)", {"k": (4,)}, "varies along another axis"),
    "a vector scales along W": ("y = Mul(c, k)", {"k": (4,)}, "varies along another axis"),
    "a higher rank": ("y = Add(c, k)", {"k": (1, 1, 8, 1, 1)}, "may change the shape"),
    "a constant that enlarges the batch": ("y = Add(c, k)", {"k": (2, 8, 1, 1)}, "may change the shape"),
    "a constant into which is divided": ("y = Div(k, c)", {"k": 2.0}, ""),
    "division by zero": ("y = Div(c, k)", {"k": 0.0}, "no product with a finite constant"),
    "an infinite factor": ("y = Mul(c, k)", {"k": float("inf")}, "infinite"),
    "overflow": ("y = Mul(c, k)", {"k": 3e38}, "overflow"),
    "underflow": ("y = Mul(c, k)", {"k": 1e-44}, "too small"),
    "a variance that cancels epsilon": (
        "y = BatchNormalization(c, s, t, m, v)",
        NORM | {"v": np.full(8, -1e-5, "f")},
        "is not positive",
    ),
    "a scale that is no number": (
        "y = BatchNormalization(c, s, t, m, v)",
        NORM | {"s": np.full(8, np.nan, "f")},
        "no numbers",
    ),
}


@pytest.mark.parametrize("name", GUARDS)
def test_a_guard_holds(fuse: Any, name: str) -> None:
    body, constants, reason = GUARDS[name]
    done = fuse(f"{X} {{ c = Conv(x, w, b) {body} }}", rules="fuse.conv", **CONV, **constants)
    assert done.fired == []
    assert not reason or any(reason in r for r in done.reasons)


def test_computed_weights_can_be_added_to_but_not_scaled(fuse: Any) -> None:
    text = "(float[2,4,6,6] x, float[8,4,3,3] w) => (float y) { c = Conv(x, w) y = Add(c, k) }"
    assert fuse(text, k=(8, 1, 1)).fired == ["conv.add"]
    assert fuse(text.replace("Add", "Mul"), k=(8, 1, 1)).fired == []


def test_one_channel_is_not_enlarged(fuse: Any) -> None:
    text = "(float[2,1,6,6] x) => (float y) { c = Conv(x, w) y = Add(c, k) }"
    assert fuse(text, w=(1, 1, 3, 3), k=(8, 1, 1)).fired == []
    text = "(float[2,1,6,6] x) => (float y) { c = Mul(x, k) y = Conv(c, w) }"
    assert fuse(text, w=(8, 4, 3, 3), k=(4, 1, 1)).fired == []


@pytest.mark.parametrize(
    ("opset", "pad"), [(17, "Pad(x, p)"), (18, "Pad(x, p4, z, axes)"), (10, "Pad<pads=[0,0,1,2,0,0,3,0]>(x)")]
)
@pytest.mark.parametrize("conv", ["Conv(a, w, b)", "Conv<pads=[1,1,0,0]>(a, w, b)", 'Conv<auto_pad="VALID">(a, w, b)'])
def test_pad_into_conv(fuse: Any, opset: int, pad: str, conv: str) -> None:
    constants: dict[str, Any] = dict(CONV)
    if opset == 17:
        constants["p"] = np.array([0, 0, 1, 2, 0, 0, 3, 0])
    if opset == 18:
        constants |= {"p4": np.array([2, 1, 0, 3]), "axes": np.array([-1, 2]), "z": 0.0}
    done = fuse(f"{X} {{ a = {pad} y = {conv} }}", opset=opset, **constants)
    assert done.fired == ["conv.pad"]
    assert done.ops == ["Conv"]


@pytest.mark.parametrize(
    ("pad", "constants"),
    [
        ("Pad(x, p)", {"p": np.array([0, 0, -1, 0, 0, 0, 0, 0])}),
        ("Pad(x, p)", {"p": np.array([1, 0, 1, 0, 0, 0, 0, 0])}),
        ("Pad(x, p)", {"p": np.array([0, 0, 1, 0, 0, 1, 0, 0]), "w": (8, 5, 3, 3)}),
        ("Pad(x, p, z)", {"p": np.array([0, 0, 1, 0, 0, 0, 0, 0]), "z": 1.0}),
        ('Pad<mode="edge">(x, p)', {"p": np.array([0, 0, 1, 0, 0, 0, 0, 0])}),
    ],
)
def test_a_pad_that_is_no_padding_of_a_convolution(fuse: Any, pad: str, constants: Any) -> None:
    assert fuse(f"{X} {{ a = {pad} y = Conv(a, w, b) }}", **(CONV | constants)).fired == []


def test_a_pad_before_a_convolution_that_pads_by_size(fuse: Any) -> None:
    text = f'{X} {{ a = Pad(x, p) y = Conv<auto_pad="SAME_UPPER", strides=[2,2]>(a, w, b) }}'
    assert fuse(text, p=np.array([0, 0, 1, 0, 0, 0, 0, 0]), **CONV).fired == []


def test_a_pad_for_two(fuse: Any) -> None:
    text = f"{X} {{ a = Pad(x, p) c = Conv(a, w, b) d = Conv(a, w, b) y = Max(c, d) }}"
    done = fuse(text, p=np.array([0, 0, 1, 1, 0, 0, 1, 1]), **CONV)
    assert done.ops == ["Conv", "Conv", "Max"]
