"""Rules of `fuse.activation`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

X = "(float[N,4,6] x) => (float y)"
C: dict[str, Any] = {
    "zero": 0.0, "one": 1.0, "two": 2.0, "three": 3.0, "six": 6.0, "half": 0.5, "fifth": 0.2, "minus": -1.0,
    "root": 2**0.5, "inverse": 0.5**0.5, "cubic": 0.044715, "k": (2 / np.pi) ** 0.5, "k2": 2 * (2 / np.pi) ** 0.5,
}  # fmt: skip
CUBE = "a = Pow(x, three) b = Mul(a, cubic) c = Add(x, b) d = Mul(c, k) t = Tanh(d)"

FORMS = {
    "hard sigmoid of torch": (17, "a = Add(x, three) b = Clip(a, zero, six) y = Div(b, six)", ["HardSigmoid"]),
    "hard sigmoid of keras": (11, "a = Mul(x, fifth) b = Add(a, half) y = Clip(b, zero, one)", ["HardSigmoid"]),
    "hard sigmoid by relu and min": (
        17,
        "a = Add(x, three) b = Relu(a) c = Min(b, six) y = Div(c, six)",
        ["HardSigmoid"],
    ),
    "hard sigmoid downwards": (17, "a = Clip(x, zero, six) b = Div(a, six) y = Sub(one, b)", ["HardSigmoid"]),
    "hard sigmoid of a line": (17, "a = Mul(x, two) b = Sub(a, half) y = HardSigmoid(b)", ["HardSigmoid"]),
    "hard swish": (14, "a = Add(x, three) b = Clip(a, zero, six) c = Mul(x, b) y = Div(c, six)", ["HardSwish"]),
    "hard swish, gate first": (
        14,
        "a = Add(x, three) b = Clip(a, zero, six) c = Div(b, six) y = Mul(c, x)",
        ["HardSwish"],
    ),
    "hard swish, x first": (
        14,
        "a = Add(x, three) b = Clip(a, zero, six) c = Div(x, six) y = Mul(c, b)",
        ["HardSwish"],
    ),
    "hard swish, times six": (14, "a = Add(x, three) b = Clip(a, zero, six) y = Mul(x, b)", ["HardSwish", "Mul"]),
    "hard swish of old": (
        13,
        "a = Add(x, three) b = Clip(a, zero, six) c = Mul(x, b) y = Div(c, six)",
        ["HardSigmoid", "Mul"],
    ),
    "a gate of its own": (
        13,
        "a = Add(x, two) b = Clip(a, zero, six) c = Mul(x, b) y = Div(c, two)",
        ["HardSigmoid", "Mul", "Mul"],
    ),
    "sigmoid by tanh": (17, "a = Mul(x, half) b = Tanh(a) c = Mul(b, half) y = Add(c, half)", ["Sigmoid"]),
    "sigmoid by tanh of x": (17, "b = Tanh(x) c = Add(b, one) y = Mul(c, half)", ["Mul", "Sigmoid"]),
    "tanh by sigmoid": (17, "a = Mul(x, two) b = Sigmoid(a) c = Mul(b, two) y = Sub(c, one)", ["Tanh"]),
    "sigmoid by exp": (17, "a = Neg(x) b = Exp(a) c = Add(one, b) y = Div(one, c)", ["Sigmoid"]),
    "sigmoid by exp and reciprocal": (
        17,
        "a = Mul(x, minus) b = Exp(a) c = Add(b, one) y = Reciprocal(c)",
        ["Sigmoid"],
    ),
    "sigmoid of minus x by exp": (17, "b = Exp(x) c = Add(b, one) y = Reciprocal(c)", ["Neg", "Sigmoid"]),
    "swish": (24, "a = Sigmoid(x) y = Mul(x, a)", ["Swish"]),
    "swish of tomorrow": (25, "a = Sigmoid(x) y = Mul(x, a)", ["Sigmoid", "Mul"]),
    "swish with a factor": (24, "b = Mul(x, two) a = Sigmoid(b) y = Mul(x, a)", ["Swish"]),
    "gelu": (20, "a = Div(x, root) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half)", ["Gelu"]),
    "gelu, half inside": (
        20,
        "a = Mul(x, inverse) b = Erf(a) c = Add(b, one) d = Mul(c, half) y = Mul(x, d)",
        ["Gelu"],
    ),
    "gelu, half of x": (20, "a = Div(x, root) b = Erf(a) c = Add(b, one) d = Mul(x, half) y = Mul(d, c)", ["Gelu"]),
    "gelu, sum of halves": (
        20,
        "a = Div(x, root) b = Erf(a) c = Mul(b, half) d = Add(c, half) y = Mul(x, d)",
        ["Gelu"],
    ),
    "gelu without the half": (20, "a = Div(x, root) b = Erf(a) c = Add(b, one) y = Mul(x, c)", ["Gelu", "Mul"]),
    "gelu of a scaled x": (20, "b = Erf(x) c = Add(b, one) y = Mul(x, c)", ["Mul", "Gelu", "Mul"]),
    "gelu of another scale": (20, "a = Mul(x, two) b = Erf(a) c = Add(b, one) y = Mul(x, c)", ["Mul", "Gelu", "Mul"]),
    "gelu by tanh": (20, f"{CUBE} e = Add(t, one) f = Mul(x, half) y = Mul(f, e)", ["Gelu"]),
    "gelu by tanh of jax": (
        20,
        "a = Mul(x, x) b = Mul(x, a) c = Mul(b, cubic) d = Add(x, c) e = Mul(d, k) t = Tanh(e) f = Add(t, one) "
        "g = Mul(half, f) y = Mul(x, g)",
        ["Gelu"],
    ),
    "gelu by tanh, factored": (
        20,
        "a = Pow(x, two) b = Mul(a, cubic) c = Add(b, one) d = Mul(x, c) e = Mul(d, k2) s = Sigmoid(e) y = Mul(x, s)",
        ["Gelu"],
    ),
    "softplus": (17, "a = Exp(x) b = Add(a, one) y = Log(b)", ["Softplus"]),
    "mish": (18, "a = Exp(x) b = Add(a, one) c = Log(b) d = Tanh(c) y = Mul(x, d)", ["Mish"]),
    "mish of old": (17, "a = Softplus(x) b = Tanh(a) y = Mul(x, b)", ["Softplus", "Tanh", "Mul"]),
    "softsign": (17, "a = Abs(x) b = Add(one, a) y = Div(x, b)", ["Softsign"]),
    "elu": (17, "a = Greater(x, zero) b = Exp(x) c = Sub(b, one) y = Where(a, x, c)", ["Elu"]),
    "elu with a factor": (
        17,
        "a = Greater(x, zero) b = Exp(x) c = Sub(b, one) d = Mul(c, two) y = Where(a, x, d)",
        ["Elu"],
    ),
    "selu": (17, "a = Elu<alpha = 1.7>(x) y = Mul(a, two)", ["Selu"]),
    "celu": (17, "a = Div(x, two) b = Elu(a) y = Mul(b, two)", ["Celu"]),
    "relu by where": (17, "a = Greater(x, zero) y = Where(a, x, zero)", ["Relu"]),
    "relu by where, below": (17, "a = LessOrEqual(x, zero) y = Where(a, zero, x)", ["Relu"]),
    "relu by where, turned": (17, "a = Less(zero, x) y = Where(a, x, zero)", ["Relu"]),
    "relu by abs": (17, "a = Abs(x) b = Add(x, a) y = Mul(b, half)", ["Relu"]),
    "thresholded": (17, "a = Greater(x, two) y = Where(a, x, zero)", ["ThresholdedRelu"]),
    "leaky by max": (17, "a = Mul(x, fifth) y = Max(a, x)", ["LeakyRelu"]),
    "leaky by where": (17, "a = Less(x, zero) b = Mul(x, two) y = Where(a, b, x)", ["LeakyRelu"]),
    "prelu of keras": (17, "a = Relu(x) b = Neg(x) c = Relu(b) d = Mul(c, slope) y = Add(a, d)", ["PRelu"]),
    "prelu by min": (17, "a = Relu(x) b = Min(x, zero) d = Mul(slope, b) y = Add(a, d)", ["PRelu"]),
    "prelu by abs": (
        17,
        "a = Relu(x) b = Abs(x) c = Sub(x, b) d = Mul(slope, c) e = Mul(d, half) y = Add(a, e)",
        ["PRelu"],
    ),
    "leaky by sum": (17, "a = Relu(x) b = Neg(x) c = Relu(b) d = Mul(c, fifth) y = Sub(a, d)", ["LeakyRelu"]),
    "abs by max": (17, "a = Neg(x) y = Max(x, a)", ["Abs"]),
    "abs by sign": (17, "a = Sign(x) y = Mul(a, x)", ["Abs"]),
    "abs by root": (17, "a = Pow(x, two) y = Sqrt(a)", ["Abs"]),
    "square of a root": (17, "a = Abs(x) b = Add(a, one) c = Sqrt(b) y = Pow(c, two)", ["Abs", "Add"]),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_formula(fuse: Any, name: str, dtype: str) -> None:
    opset, body, left = FORMS[name]
    kind = "float" if dtype == "float32" else dtype
    constants = {n: v for n, v in C.items() if n in body} | ({"slope": (6,)} if "slope" in body else {})
    if name == "celu" and dtype == "float16":
        left = ["Div", "Selu"]  # of half precision ONNX Runtime has no Celu
    if opset < 13 and dtype == "float16":
        opset = 13
    text = f"({kind}[2,4,6] i) => ({kind} y) {{ x = Sin(i) {body} }}"
    assert fuse(text, opset=opset, dtype=dtype, **constants).ops == ["Sin", *left][-len(left) - 1 :]


STAY = {
    "bounds that are not 0 and 1": "a = Add(x, three) b = Clip(a, one, six) y = Div(b, six)",
    "no room": "a = Add(x, three) b = Clip(a, six, zero) y = Div(b, six)",
    "a bound left out": "a = Add(x, three) y = Clip(a, zero)",
    "vectors": "a = Div(x, v) b = Clip(a, zero, six) y = Div(b, v)",
    "a constant that enlarges": "b = Clip(x, zero, six) y = Div(b, w)",
    "the gate of something else": "a = Add(z, three) b = Clip(a, zero, six) y = Mul(x, b)",
    "six is left over": "a = Add(x, two) b = Clip(a, zero, six) y = Mul(x, b)",
    "not a half": "b = Tanh(x) c = Mul(b, half) y = Add(c, one)",
    "not one": "b = Exp(x) c = Add(b, two) y = Log(c)",
    "one minus": "b = Exp(x) c = Sub(one, b) y = Reciprocal(c)",
    "twice one": "a = Div(x, root) b = Erf(a) c = Add(b, two) d = Mul(x, c) y = Mul(d, half)",
    "an error function of something else": "a = Div(z, root) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half)",
    "another cubic": f"{CUBE.replace('cubic', 'fifth')} e = Add(t, one) y = Mul(x, e)",
    "a square": f"{CUBE.replace('three', 'two')} e = Add(t, one) y = Mul(x, e)",
    "a falling elu": "a = Greater(x, zero) b = Exp(x) c = Sub(one, b) y = Where(a, x, c)",
    "elu from one on": "a = Greater(x, one) b = Exp(x) c = Sub(b, one) y = Where(a, x, c)",
    "a negative factor": "a = Elu(x) y = Mul(a, minus)",
    "a maximum with twice x": "a = Mul(x, two) y = Max(a, x)",
    "leaky from one on": "a = Less(x, one) b = Mul(x, two) y = Where(a, b, x)",
    "where of another": "a = Greater(z, zero) y = Where(a, x, zero)",
    "where not zero": "a = Greater(x, zero) y = Where(a, x, one)",
    "where with a large zero": "a = Greater(x, zero) y = Where(a, x, zeros)",
    "a threshold that counts": "a = GreaterOrEqual(x, two) y = Where(a, x, zero)",
    "a threshold below zero": "a = Greater(x, minus) y = Where(a, x, zero)",
    "a slope that enlarges": "a = Relu(x) b = Neg(x) c = Relu(b) d = Mul(c, w) y = Sub(a, d)",
    "rectified in two ways": "a = Relu(x) b = Neg(z) c = Relu(b) d = Mul(c, half) y = Sub(a, d)",
    "root of what may be negative": "b = Sqrt(x) y = Pow(b, two)",
    "a square that enlarges": "a = Pow(x, twos) y = Sqrt(a)",
    "minus x enlarged": "a = Mul(x, minuses) y = Max(x, a)",
}


@pytest.mark.parametrize("name", STAY)
def test_what_is_no_formula(fuse: Any, name: str) -> None:
    body = STAY[name]
    words = set(body.replace("(", " ").replace(")", " ").replace(",", " ").split())
    constants = {n: v for n, v in C.items() if n in words}
    constants |= {n: s for n, s in {"v": (6,), "w": (3, 1, 1, 1)}.items() if n in words}
    for n, number in {"zeros": 0, "twos": 2, "minuses": -1}.items():
        if n in words:
            constants[n] = np.full((3, 1, 1, 1), number, np.float32)
    text = f"(float[N,4,6] i, float[N,4,6] z) => (float y) {{ x = Sin(i) {body} }}"
    assert not [f for f in fuse(text, opset=20, **constants).fired if f.startswith("activation")]


@pytest.mark.parametrize(
    "body", ["a = Max(x, two) y = Add(a, x)", "a = Neg(x) y = Max(x, a)", "a = Sign(x) y = Mul(x, a)"]
)
def test_integers(fuse: Any, body: str) -> None:
    constants = {"two": np.asarray(2, np.int64)} if "two" in body else {}
    fused = fuse(f"(int64[N,4] x) => (int64 y) {{ {body} }}", **constants)
    assert fused.ops == (["Abs"] if "two" not in body else ["Max", "Add"])


@pytest.mark.parametrize(
    "body",
    [
        "a = Add(x, three) b = Clip(a, zero, six) y = Div(b, six)",
        "a = Greater(x, zero) b = Mul(x, fifth) y = Where(a, x, b)",
        "a = Exp(x) b = Add(a, one) y = Log(b)",
        "a = Div(x, root) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half)",
    ],
)
def test_doubles_are_left_alone(fuse: Any, body: str) -> None:
    constants = {n: v for n, v in C.items() if n in body}
    if "Erf" in body:
        pytest.skip("ONNX Runtime has no Erf of doubles to compare with")
    assert fuse(f"(double[N,4] x) => (double y) {{ {body} }}", opset=20, dtype="float64", **constants).fired == []


@pytest.mark.parametrize("export", [False, True])
def test_interior_values_that_are_needed(fuse: Any, export: bool) -> None:
    outputs = "float y, float b" if export else "float y, float z"
    rest = "" if export else "z = Neg(b)"
    body = f"a = Add(x, three) b = Clip(a, zero, six) c = Mul(x, b) y = Div(c, six) {rest}"
    fused = fuse(f"(float[N,4] x) => ({outputs}) {{ {body} }}", three=3.0, zero=0.0, six=6.0)
    assert fused.fired == []


def test_seven_digits_are_enough_and_four_are_not(fuse: Any) -> None:
    body = "a = Div(x, root) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half)"
    assert fuse(f"{X} {{ {body} }}", opset=20, root=1.4142135, one=1.0, half=0.5).ops == ["Gelu"]
    assert fuse(f"{X} {{ {body} }}", opset=20, root=1.4142, one=1.0, half=0.5).ops == ["Mul", "Gelu", "Mul"]


def test_an_empty_tensor(fuse: Any) -> None:
    body = "a = Add(x, three) b = Clip(a, zero, six) c = Mul(x, b) y = Div(c, six)"
    assert fuse(f"(float[0,4] x) => (float y) {{ {body} }}", three=3.0, zero=0.0, six=6.0).ops == ["HardSwish"]


CLAMPS = {
    "relu by max": ("y = Max(zero, x)", ["Relu"]),
    "relu by clip": ("y = Clip(x, zero)", ["Relu"]),
    "relu by clip below infinity": ("y = Clip(x, zero, inf)", ["Relu"]),
    "max and nothing": ("a = Max(x, least) y = Neg(a)", ["Neg"]),
    "min and nothing": ("a = Min(inf, x) y = Neg(a)", ["Neg"]),
    "relu of what is above": ("a = Exp(x) y = Relu(a)", ["Exp"]),
    "relu of what is above, and used": ("a = Exp(x) b = Relu(a) y = Sub(b, a)", ["Exp", "Sub"]),
    "a clip around": ("a = Sigmoid(x) y = Clip(a, minus, one)", ["Sigmoid"]),
    "a clip into": ("a = Sigmoid(x) y = Clip(a, zero, half)", ["Sigmoid", "Clip"]),
    "an upper bound": ("y = Clip(x, zero, one)", ["Clip"]),
    "a zero that enlarges": ("y = Max(x, zeros)", ["Max"]),
}


@pytest.mark.parametrize("name", CLAMPS)
def test_clamps(fuse: Any, name: str) -> None:
    body, left = CLAMPS[name]
    known = C | {"inf": float("inf"), "least": float("-inf"), "zeros": np.zeros((3, 1, 1, 1), np.float32)}
    constants = {n: v for n, v in known.items() if f"{n})" in body or f"{n}," in body}
    assert fuse(f"(float[N,4,6] i) => (float y) {{ x = Sin(i) {body} }}", **constants).ops[1:] == left


@pytest.mark.parametrize("name", ["softplus", "elu"])
def test_many_numbers_are_left_to_faster_kernels(fuse: Any, name: str) -> None:
    opset, body, _ = FORMS[name]
    constants = {n: v for n, v in C.items() if n in body}
    for size in ("N", "1000"):
        assert fuse(f"(float[{size},4,6] x) => (float y) {{ {body} }}", opset=opset, **constants).fired == []
