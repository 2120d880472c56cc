"""Rules of `fuse.chain` and `fuse.parallel`: each where it applies, and where a guard keeps it from applying."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

X2 = "(float[M,4] x) => (float y)"
X3 = "(float[N,5,4] x) => (float y)"
X4 = "(float[N,4,6,6] x) => (float y)"
AB: Any = {"a": (4, 3), "b": (3, 3)}
VW: Any = {"v": (4, 4, 1, 1), "w": (4, 4, 3, 3), "s": (4,), "t": (4,)}

CHAIN: dict[str, tuple[str, str, Any, list[str]]] = {
    "two products": (X3, "c = MatMul(x, a) y = MatMul(c, b)", AB, ["MatMul"]),
    "weights on the left": (X3, "c = MatMul(a, x) y = MatMul(b, c)", {"a": (4, 5), "b": (2, 4)}, ["MatMul"]),
    "a vector between": (X3, "c = MatMul(x, a) d = Add(s, c) y = MatMul(d, b)", AB | {"s": (3,)}, ["MatMul", "Add"]),
    "a scalar between": (X3, "c = MatMul(x, a) d = Add(c, s) y = MatMul(d, b)", AB | {"s": 2.0}, ["MatMul", "Add"]),
    "two Gemms": (X2, "c = Gemm(x, a, s) y = Gemm<transB=1>(c, b, s)", AB | {"s": (3,)}, ["Gemm"]),
    "scaled Gemms": (
        X2,
        "c = Gemm<alpha=2.0, beta=3.0>(x, a, s) y = Gemm<alpha=0.5, beta=0.25>(c, b, s)",
        AB | {"s": (1, 3)},
        ["Gemm"],
    ),
    "a Gemm and a MatMul": (X2, "c = Gemm(x, a, s) y = MatMul(c, b)", AB | {"s": (3,)}, ["Gemm"]),
    "transposed": (
        "(float[4,M] x) => (float y)",
        "c = Gemm<transA=1>(x, a) y = Gemm(c, b)",
        AB,
        ["Gemm"],
    ),
    "pointwise, then 3x3": (X4, "c = Conv(x, v) y = Conv<pads=[1,1,1,1], strides=[2,2]>(c, w)", VW, ["Conv"]),
    "pointwise with a bias": (X4, "c = Conv(x, v, s) y = Conv(c, w, t)", VW, ["Conv"]),
    "3x3, then pointwise": (
        X4,
        "c = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w, s) y = Conv(c, v, t)",
        VW,
        ["Conv"],
    ),
    "weights that would grow": (X3, "c = MatMul(x, a) y = MatMul(c, b)", {"a": (4, 1), "b": (1, 4)}, []),
    "a batch of weights": (X3, "c = MatMul(x, a) y = MatMul(c, b)", {"a": (4, 4), "b": (2, 1, 4, 4)}, []),
    "a tensor between": (X3, "c = MatMul(x, a) d = Add(c, s) y = MatMul(d, b)", AB | {"s": (5, 3)}, []),
    "a column between": (
        "(float[3,4] x) => (float y)",
        "c = Gemm(x, a, s) y = Gemm(c, b)",
        AB | {"s": (3, 1)},
        [],
    ),
    "inner product transposed": (
        "(float[3,4] x) => (float y)",
        "c = Gemm(x, a) y = Gemm<transA=1>(c, b)",
        AB,
        [],
    ),
    "a bias before pads": (X4, "c = Conv(x, v, s) y = Conv<pads=[1,1,1,1]>(c, w)", VW, []),
    "a bias before SAME": (X4, 'c = Conv(x, v, s) y = Conv<auto_pad="SAME_UPPER">(c, w)', VW, []),
    "strides of the first": (X4, "c = Conv<strides=[2,2]>(x, v) y = Conv(c, w)", VW, []),
    "pads of a pointwise one": (X4, "c = Conv<pads=[1,1,1,1]>(x, v) y = Conv(c, w)", VW, []),
    "groups": (X4, "c = Conv<group=2>(x, v) y = Conv(c, w)", VW | {"v": (4, 2, 1, 1), "w": (4, 4, 3, 3)}, []),
    "two kernels": (X4, "c = Conv(x, w) y = Conv(c, w)", {"w": (4, 4, 3, 3)}, []),
    "a bottleneck": (X4, "c = Conv(x, v) y = Conv(c, w)", {"v": (1, 4, 1, 1), "w": (8, 1, 1, 1)}, []),
}


@pytest.mark.parametrize("name", CHAIN)
def test_one_after_the_other(fuse: Any, name: str) -> None:
    head, body, constants, left = CHAIN[name]
    done = fuse(f"{head} {{ {body} }}", rules="fuse.chain", **constants)
    assert bool(done.fired) is bool(left)
    if left:
        assert done.ops == left


PARALLEL: dict[str, tuple[str, str, Any, list[str]]] = {
    "products": (X3, "a = MatMul(x, v) b = MatMul(x, w) y = Add(a, b)", {"v": (4, 3), "w": (4, 3)}, ["MatMul"]),
    "with constants": (
        X3,
        "a = MatMul(x, v) c = Add(a, s) b = MatMul(x, w) d = Add(t, b) y = Sub(c, d)",
        {"v": (4, 3), "w": (4, 3), "s": (3,), "t": (3,)},
        ["MatMul", "Add"],
    ),
    "Gemms": (
        X2,
        "a = Gemm<alpha=2.0>(x, v, s) b = Gemm<transB=1, beta=0.5>(x, w, t) y = Sub(a, b)",
        {"v": (4, 3), "w": (3, 4), "s": (3,), "t": (1, 3)},
        ["Gemm"],
    ),
    "a Gemm that adds another": (
        X2,
        "a = MatMul(x, v) y = Gemm<beta=0.5>(x, w, a)",
        {"v": (4, 3), "w": (4, 3)},
        ["Gemm"],
    ),
    "convolutions": (
        X4,
        "a = Conv<pads=[1,1,1,1]>(x, v, s) b = Conv(x, w, s) y = Sub(a, b)",
        {"v": (8, 4, 3, 3), "w": (8, 4, 1, 1), "s": (8,)},
        ["Conv"],
    ),
    "convolutions with strides": (
        X4,
        "a = Conv<strides=[2,2]>(x, w) b = Conv<pads=[1,1,1,1], strides=[2,2]>(x, v) y = Add(a, b)",
        {"v": (8, 4, 3, 3), "w": (8, 4, 1, 1)},
        ["Conv"],
    ),
    "convolutions of one row": (
        X4,
        "a = Conv<group=4, pads=[1,0,1,0]>(x, w) b = Conv<group=4, pads=[1,1,1,1]>(x, v) y = Add(a, b)",
        {"v": (4, 1, 3, 3), "w": (4, 1, 3, 1)},
        ["Conv"],
    ),
    "convolutions SAME": (
        X4,
        'a = Conv<auto_pad="SAME_UPPER">(x, w) b = Conv<auto_pad="SAME_UPPER">(x, v) y = Add(a, b)',
        {"v": (8, 4, 3, 3), "w": (8, 4, 3, 3)},
        ["Conv"],
    ),
    "dilated": (
        X4,
        "a = Conv<dilations=[2,2], pads=[2,2,2,2]>(x, v) b = Conv<dilations=[2,2]>(x, w) y = Add(a, b)",
        {"v": (8, 4, 3, 3), "w": (8, 4, 1, 1)},
        ["Conv"],
    ),
    "other strides": (
        "(float[N,4,1,1] x) => (float y)",
        "a = Conv<strides=[2,2]>(x, w) b = Conv(x, w) y = Add(a, b)",
        {"w": (8, 4, 1, 1)},
        [],
    ),
    "other groups": (
        "(float[N,4,6,6] x) => (float y)",
        "a = Conv<group=2>(x, w) b = Conv(x, v) y = Add(a, b)",
        {"w": (8, 2, 1, 1), "v": (8, 4, 1, 1)},
        [],
    ),
    "a result that is enlarged": (
        "(float[N,4,3,3] x) => (float y)",
        "a = Conv(x, v) b = Conv(x, w) y = Add(a, b)",
        {"v": (8, 4, 3, 3), "w": (8, 4, 1, 1)},
        [],
    ),
    "weights that differ": (X3, "a = MatMul(x, v) b = MatMul(x, w) y = Add(a, b)", {"v": (4, 3), "w": (4, 1)}, []),
    "used elsewhere": (
        X3,
        "a = MatMul(x, v) b = MatMul(x, w) c = Add(a, b) y = Mul(a, c)",
        {"v": (4, 3), "w": (4, 3)},
        [],
    ),
    "one of them transposed": (
        "(float[4,4] x) => (float y)",
        "a = Gemm<transA=1>(x, v) b = Gemm(x, v) y = Add(a, b)",
        {"v": (4, 3)},
        [],
    ),
}


@pytest.mark.parametrize("name", PARALLEL)
def test_one_beside_the_other(fuse: Any, name: str) -> None:
    head, body, constants, left = PARALLEL[name]
    done = fuse(f"{head} {{ {body} }}", rules="fuse.parallel", **constants)
    assert bool(done.fired) is bool(left)
    if left:
        assert done.ops == left


@pytest.mark.parametrize("rules", ["fuse.chain", "fuse.parallel"])
def test_half_precision_does_not_overflow(fuse: Any, rules: str) -> None:
    big = np.full((4, 4), 4e4, "e")
    for body in ("c = MatMul(x, a) y = MatMul(c, b)", "c = MatMul(x, a) d = MatMul(x, b) y = Add(c, d)"):
        text = f"(float16[N,5,4] x) => (float16 y) {{ {body} }}"
        assert fuse(text, rules=rules, dtype="float16", a=big, b=big).fired == []
