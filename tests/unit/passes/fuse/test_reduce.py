"""Rules of `fuse.reduce` and `fuse.softmax`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

LAST, BOTH = {"axes": np.asarray([-1])}, {"axes": np.asarray([1, 2])}
C: dict[str, Any] = {"two": 2.0, "six": 6.0, "sixth": 1 / 6, "five": 5.0, "zero": 0.0, "least": float("-inf")}

REDUCTIONS: dict[str, tuple[str, list[str], dict[str, Any]]] = {
    "mean": ("a = ReduceSum(x, axes) y = Div(a, six)", ["ReduceMean"], LAST),
    "mean by a factor": ("a = ReduceSum<keepdims = 0>(x, axes) y = Mul(a, sixth)", ["ReduceMean"], LAST),
    "sum": ("a = ReduceMean(x, axes) y = Mul(a, six)", ["ReduceSum"], LAST),
    "sum of squares": ("a = Mul(x, x) y = ReduceSum(a, axes)", ["ReduceSumSquare"], BOTH),
    "sum of squares by pow": ("a = Pow(x, two) y = ReduceSum<keepdims = 0>(a, axes)", ["ReduceSumSquare"], LAST),
    "norm": ("a = Mul(x, x) b = ReduceSum(a, axes) y = Sqrt(b)", ["ReduceL2"], LAST),
    "sum of all squares": ("a = Mul(x, x) y = ReduceSum(a)", ["ReduceSumSquare"], {}),
    "square of a norm": ("a = ReduceL2(x, axes) y = Mul(a, a)", ["ReduceSumSquare"], LAST),
    "square of a norm by pow": ("a = ReduceL2(x, axes) y = Pow(a, two)", ["ReduceSumSquare"], LAST),
    "norm of one": ("a = Abs(x) y = ReduceSum(a, axes)", ["ReduceL1"], LAST),
    "a unit vector": ("a = Mul(x, x) b = ReduceSum(a, axes) c = Sqrt(b) y = Div(x, c)", ["LpNormalization"], LAST),
    "shares": ("a = ReduceL1(x, axes) y = Div(x, a)", ["LpNormalization"], LAST),
    "logarithm of a sum": (
        "p = Abs(x) q = Sqrt(p) a = ReduceSum(q, axes) y = Log(a)",
        ["Abs", "Sqrt", "ReduceLogSum"],
        LAST,
    ),
    "logarithm of exponentials": ("p = Exp(x) a = ReduceSum(p, axes) y = Log(a)", ["ReduceLogSumExp"], LAST),
    "softmax": ("e = Exp(x) s = ReduceSum(e, axes) y = Div(e, s)", ["Softmax"], LAST),
    "softmax less the maximum": (
        "m = ReduceMax(x, axes) d = Sub(x, m) e = Exp(d) s = ReduceSum(e, axes) y = Div(e, s)",
        ["Softmax"],
        LAST,
    ),
    "softmax of jax": (
        "m = ReduceMax(x, axes) n = Max(least, m) d = Sub(x, n) e = Exp(d) s = ReduceSum(e, axes) y = Div(e, s)",
        ["Softmax"],
        LAST,
    ),
    "logarithm of softmax": ("a = Softmax<axis = 1>(x) y = Log(a)", ["LogSoftmax"], {}),
    "logarithmic softmax": (
        "m = ReduceMax(x, axes) d = Sub(x, m) e = Exp(d) s = ReduceSum(e, axes) l = Log(s) y = Sub(d, l)",
        ["LogSoftmax"],
        LAST,
    ),
    "softmax of a sum": ("a = Add(x, two) y = Softmax(a)", ["Softmax"], {}),
}


def _fused(fuse: Any, body: str, n: int | str = 2, **constants: Any) -> Any:
    used = {n: v for n, v in C.items() if f"{n})" in body or f"({n}," in body}
    return fuse(
        f"(float[{n},4,6] i, float[{n},4,6] z) => (float y) {{ x = Sin(i) {body} }}", opset=18, **(used | constants)
    )


@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_reduction(fuse: Any, name: str) -> None:
    body, left, constants = REDUCTIONS[name]
    assert _fused(fuse, body, **constants).ops == ["Sin", *left]


HALVES = {
    "split": "a, b = Split<axis = 1, num_outputs = 2>(x)",
    "slices": "a = Slice(x, start, middle, axis) b = Slice(x, middle, end, axis)",
    "slices the other way round": "b = Slice(x, start, middle, axis) a = Slice(x, middle, end, axis)",
}


@pytest.mark.parametrize("name", HALVES)
@pytest.mark.parametrize("squares", ["c = Pow(a, two) d = Pow(b, two)", "c = Mul(a, a) d = Mul(b, b)"])
def test_a_modulus(fuse: Any, name: str, squares: str) -> None:
    constants: dict[str, Any] = {}
    if name != "split":
        constants = {
            "start": np.asarray([0]),
            "middle": np.asarray([2]),
            "end": np.asarray([9]),
            "axis": np.asarray([1]),
        }
    fused = _fused(fuse, f"{HALVES[name]} {squares} e = Add(c, d) y = Sqrt(e)", **constants)
    assert fused.ops == ["Sin", "Mul", "Split", "Add", "Sqrt"]


@pytest.mark.parametrize("name", ["sum of squares", "norm", "norm of one", "logarithm of a sum"])
def test_many_numbers_are_left_to_faster_kernels(fuse: Any, name: str) -> None:
    body, _, constants = REDUCTIONS[name]
    for n in ("N", 1000):
        assert not [f for f in _fused(fuse, body, n, **constants).fired if f.startswith("reduce.")]


STAY: dict[str, tuple[str, dict[str, Any]]] = {
    "another number": ("a = ReduceSum(x, axes) y = Div(a, five)", LAST),
    "an unknown number": ("a = ReduceSum(x, axes) y = Div(a, six)", BOTH),
    "a cube": ("a = Pow(x, three) y = ReduceSum(a, axes)", LAST | {"three": 3.0}),
    "a square of vectors": ("a = Pow(x, v) y = ReduceSum(a, axes)", LAST | {"v": np.full((2, 1, 1, 1), 2, np.float32)}),
    "a square that is needed": ("a = Mul(x, x) b = ReduceSum(a, axes) y = Add(a, b)", LAST),
    "a norm with a bound": ("a = ReduceL2(x, axes) b = Max(a, two) y = Div(x, b)", LAST),
    "a norm over two axes": ("a = ReduceL2(x, axes) y = Div(x, a)", BOTH),
    "another sum": ("e = Exp(x) f = Exp(z) s = ReduceSum(f, axes) y = Div(e, s)", LAST),
    "a sum over another axis": ("e = Exp(x) s = ReduceSum(e, axes) y = Div(e, s)", {"axes": np.asarray([1])}),
    "a sum over two axes": ("e = Exp(x) s = ReduceSum(e, axes) y = Div(e, s)", BOTH),
    "a maximum along another axis": ("m = ReduceMax(x, axes) d = Sub(x, m) y = Softmax<axis = 1>(d)", LAST),
    "softmax of a sum of vectors": ("a = Add(x, v) y = Softmax(a)", {"v": (6,)}),
    "parts that are no halves": (
        "a, b, r = Split<axis = 2, num_outputs = 3>(x) c = Mul(a, a) d = Mul(b, b) e = Add(c, d) y = Sqrt(e)",
        {},
    ),
    "a part used elsewhere": (
        "a, b = Split<axis = 1, num_outputs = 2>(x) c = Mul(a, a) d = Mul(b, b) e = Add(c, d) f = Sqrt(e) "
        "y = Add(f, a)",
        {},
    ),
    "parts of two values": (
        "a, r = Split<axis = 1, num_outputs = 2>(x) q, b = Split<axis = 1, num_outputs = 2>(z) "
        "c = Mul(a, a) d = Mul(b, b) e = Add(c, d) y = Sqrt(e)",
        {},
    ),
}


@pytest.mark.parametrize("name", STAY)
def test_what_stays(fuse: Any, name: str) -> None:
    body, constants = STAY[name]
    fired = _fused(fuse, body, **constants).fired
    assert not [f for f in fired if f.startswith(("reduce.", "softmax."))]


@pytest.mark.parametrize("body", ["a = Mul(x, x) y = ReduceSum(a)", "a = ReduceSum(x) y = Mul(a, k)"])
def test_integers(fuse: Any, body: str) -> None:
    constants = {"k": np.asarray(2, np.int32)} if "k" in body else {}
    assert fuse(f"(int32[4] x) => (int32 y) {{ {body} }}", **constants).fired == []


def test_old_opsets_spell_axes_as_attributes(fuse: Any) -> None:
    body = "a = Mul(x, x) y = ReduceSum<axes = [1]>(a)"
    fused = fuse(f"(float[2,4] x) => (float y) {{ {body} }}", opset=11)
    assert fused.ops == ["ReduceSumSquare"]


def test_softmax_of_old_opsets(fuse: Any) -> None:
    text = "(float[2,4,6] x) => (float y) { e = Exp(x) s = ReduceSum<axes = [2]>(e) y = Div(e, s) }"
    assert fuse(text, opset=11).ops == ["Softmax"]
    assert fuse(text.replace("[2]>", "[1]>"), opset=11).fired == []
