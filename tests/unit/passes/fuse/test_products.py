"""Rules of `fuse.gemm` and `fuse.matmul`: each where it applies, and where a guard keeps it from applying."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

X2 = "(float[M,4] x) => (float y)"
X3 = "(float[N,5,4] x) => (float y)"
W = {"w": (4, 3)}
WT = {"w": (3, 4)}
NORM_3 = {"s": (3,), "t": (3,), "m": (3,), "v": (3,)}
NORM_4 = {"s": (4,), "t": (4,), "m": (4,), "v": (4,)}

GEMM = {
    "batchnorm": ("c = Gemm(x, w, b) y = BatchNormalization(c, s, t, m, v)", W | {"b": (3,)} | NORM_3, ["batchnorm"]),
    "batchnorm after MatMul": ("c = MatMul(x, w) y = BatchNormalization(c, s, t, m, v)", W | NORM_3, ["batchnorm"]),
    "batchnorm after a scaled Gemm": (
        "c = Gemm<alpha=0.5, beta=2.0, transB=1>(x, w, b) y = BatchNormalization(c, s, t, m, v)",
        WT | {"b": (1, 3)} | NORM_3,
        ["batchnorm"],
    ),
    "batchnorm before": (
        "c = BatchNormalization(x, s, t, m, v) y = Gemm<alpha=0.5, beta=2.0, transB=1>(c, w, b)",
        WT | {"b": (3,)} | NORM_4,
        ["batchnorm_before"],
    ),
    "batchnorm before MatMul": (
        "c = BatchNormalization(x, s, t, m, v) y = MatMul(c, w)",
        W | NORM_4,
        ["batchnorm_before"],
    ),
    "add": ("c = Gemm<beta=0.5>(x, w, b) y = Add(c, k)", W | {"b": (3,), "k": (3,)}, ["add"]),
    "add to no bias": ("c = Gemm(x, w) y = Add(k, c)", W | {"k": (1, 3)}, ["add"]),
    "sub": ("c = Gemm(x, w, b) y = Sub(c, k)", W | {"b": 1.0, "k": 2.0}, ["add"]),
    "sub reversed": ("c = Gemm<alpha=2.0>(x, w, b) y = Sub(k, c)", W | {"b": (3,), "k": (3,)}, ["add"]),
    "add that enlarges": ("c = Gemm(x, w, b) y = Add(c, k)", W | {"b": (3,), "k": (2, 1, 3)}, []),
    "mul": ("c = Gemm<transB=1>(x, w, b) y = Mul(c, k)", WT | {"b": (3,), "k": (3,)}, ["scale"]),
    "div": ("c = Gemm(x, w) y = Div(c, k)", W | {"k": (1, 3)}, ["scale"]),
    "neg": ("c = Gemm(x, w, b) y = Neg(c)", W | {"b": (3,)}, ["scale"]),
    "mul of a computed addend": ("q = Neg(b) c = Gemm(x, w, q) y = Mul(c, k)", W | {"b": (3,), "k": 2.0}, ["scale"]),
    "mul by a row of a computed addend": ("q = Neg(b) c = Gemm(x, w, q) y = Mul(c, k)", W | {"b": (3,), "k": (3,)}, []),
    "add to a computed addend": ("q = Neg(b) c = Gemm(x, w, q) y = Add(c, k)", W | {"b": (3,), "k": 2.0}, []),
    "mul along rows": ("c = Gemm<transA=1>(x, w) y = Mul(c, k)", {"w": (2, 3), "k": (4, 1)}, []),
    "add along rows": ("c = Gemm<transA=1>(x, w) y = Add(c, k)", {"w": (2, 3), "k": (4, 1)}, ["add"]),
    "add before": ("c = Add(x, k) y = Gemm(c, w, b)", W | {"b": (3,), "k": (4,)}, ["add_before"]),
    "sub before, reversed": ("c = Sub(k, x) y = MatMul(c, w)", W | {"k": 0.5}, ["add_before"]),
    "mul before": ("c = Mul(x, k) y = Gemm<transB=1>(c, w, b)", WT | {"b": (3,), "k": (4,)}, ["scale_before"]),
    "mul before, transposed": ("c = Mul(x, k) y = Gemm<transA=1>(c, w)", {"w": (2, 3), "k": (4,)}, []),
    "neg before": ("c = Neg(x) y = Gemm(c, w)", W, ["scale_before"]),
    "MatMul and Add": ("c = MatMul(x, w) y = Add(c, b)", W | {"b": (3,)}, ["matmul_add"]),
    "MatMul and a computed addend": (
        "c = MatMul(x, w) d = MatMul(x, u) y = Add(c, d)",
        W | {"u": (4, 3)},
        ["matmul_add"],
    ),
    "MatMul and Add of a column": ("c = MatMul(x, w) y = Add(c, b)", W | {"b": (2, 1)}, []),
    "MatMul and Add that enlarges": ("c = MatMul(x, w) y = Add(c, b)", W | {"b": (2, 1, 3)}, []),
    "zero bias": ("y = Gemm<beta=3.0>(x, w, b)", W | {"b": np.zeros(3, "f")}, ["zero_bias"]),
    "transposed weights": ("c = Transpose<perm=[1,0]>(w) d = Identity(c) y = Gemm(x, d)", WT, []),
    "transposed twice": (
        "c = Transpose(x) d = Neg(w) e = Transpose(d) y = Gemm<transA=1, transB=1>(c, e)",
        W,
        ["transpose_operand"] * 2,
    ),
    "transposed factor": ("d = Neg(w) e = Transpose<perm=[1,0]>(d) y = Gemm(x, e)", WT, ["transpose_operand"]),
    "transposed by nothing": ("d = Neg(w) e = Transpose<perm=[0,1]>(d) y = Gemm(x, e)", W, []),
    "transposed factor of MatMul": ("d = Neg(w) e = Transpose(d) y = MatMul(x, e)", WT, ["transpose_matmul"]),
}


@pytest.mark.parametrize("name", GEMM)
def test_gemm(fuse: Any, name: str) -> None:
    body, constants, fired = GEMM[name]
    done = fuse(f"{X2} {{ {body} }}", rules="fuse.gemm", **constants)
    assert [f.removeprefix("gemm.") for f in done.fired] == fired


def test_a_column_of_known_height_is_no_enlargement(fuse: Any) -> None:
    text = "(float[2,4] x) => (float y) { c = MatMul(x, w) y = Add(c, b) }"
    assert fuse(text, w=(4, 3), b=(2, 1)).ops == ["Gemm"]
    assert fuse(text, w=(4, 3), b=(3, 1, 1), rules="fuse.gemm").fired == []


def test_a_gemm_that_must_have_an_addend(fuse: Any) -> None:
    text = f"{X2} {{ c = MatMul(x, w) y = Add(c, b) }}"
    assert fuse(text, opset=10, w=(4, 3), b=(3,)).fired == ["gemm.matmul_add"]
    assert fuse(f"{X2} {{ y = Gemm(x, w, b) }}", opset=10, w=(4, 3), b=np.zeros(3, "f")).fired == []
    assert fuse(f"{X2} {{ c = Transpose(x) y = MatMul(c, w) }}", opset=10, w=(2, 3)).fired == []


def test_integers_stay_a_matmul(fuse: Any) -> None:
    text = "(int32[2,4] x) => (int32 y) { c = MatMul(x, w) y = Add(c, b) }"
    assert fuse(text, w=np.ones((4, 3), np.int32), b=np.ones(3, np.int32)).fired == []


def test_perceptron_becomes_gemms(fuse: Any) -> None:
    text = f"""{X2} {{ n = Sub(x, m) o = Div(n, v) a = MatMul(o, w) b = Add(a, k) r = Relu(b) c = MatMul(r, u)
        d = Add(c, k) y = Mul(d, h) }}"""
    done = fuse(text, m=(4,), v=(4,), w=(4, 3), u=(3, 3), k=(3,), h=0.5)
    assert done.ops == ["Gemm", "Relu", "Gemm"]


MATMUL = {
    "mul": ("c = MatMul(x, w) y = Mul(c, k)", W | {"k": (3,)}, ["scale"]),
    "div scalar": ("c = MatMul(x, w) y = Div(c, k)", W | {"k": 8.0}, ["scale"]),
    "neg": ("c = MatMul(x, w) y = Neg(c)", W, ["scale"]),
    "mul along rows": ("c = MatMul(x, w) y = Mul(c, k)", W | {"k": (5, 1)}, []),
    "mul, weights on the left": ("c = MatMul(w, x) y = Mul(c, k)", {"w": (3, 5), "k": (3, 1)}, ["scale"]),
    "mul by columns, weights on the left": ("c = MatMul(w, x) y = Mul(c, k)", {"w": (3, 5), "k": (4,)}, []),
    "mul, batched weights": ("c = MatMul(x, w) y = Mul(c, k)", {"w": (2, 4, 3), "k": (1, 3)}, ["scale"]),
    "mul of a vector": ("c = MatMul(x, w) y = Mul(c, k)", {"w": (4,), "k": 2.0}, ["scale"]),
    "mul of a vector by one": ("c = MatMul(x, w) y = Mul(c, k)", {"w": (4,), "k": (5,)}, []),
    "mul that enlarges": ("c = MatMul(x, w) y = Mul(c, k)", {"w": (4, 1), "k": (3,)}, []),
    "mul of computed weights": ("d = Neg(w) c = MatMul(x, d) y = Mul(c, k)", W | {"k": 2.0}, []),
    "mul before": ("c = Mul(x, k) y = MatMul(c, w)", W | {"k": (4,)}, ["scale_before"]),
    "mul before along rows": ("c = Mul(x, k) y = MatMul(c, w)", W | {"k": (5, 1)}, []),
    "div before, weights on the left": ("c = Div(x, k) y = MatMul(w, c)", {"w": (3, 5), "k": (5, 1)}, ["scale_before"]),
    "mul before, a vector of weights": ("c = Mul(x, k) y = MatMul(c, w)", {"w": (4,), "k": (4,)}, ["scale_before"]),
    "mul before, batched weights": ("c = Neg(x) y = MatMul(c, w)", {"w": (2, 4, 3)}, ["scale_before"]),
    "mul past an addend": (
        "c = MatMul(x, w) d = Add(b, c) y = Mul(d, k)",
        W | {"b": (3,), "k": (3,)},
        ["scale_past_add"],
    ),
    "mul past a scalar": (
        "c = MatMul(x, w) d = Add(c, b) y = Div(d, k)",
        W | {"b": 1.0, "k": (3,)},
        ["scale_past_add"],
    ),
    "mul past a column": ("c = MatMul(x, w) d = Add(c, b) y = Mul(d, k)", W | {"b": (5, 1), "k": (3,)}, []),
    "add past": ("c = Add(x, k) d = MatMul(c, w) y = Add(d, b)", W | {"k": (4,), "b": (3,)}, ["add_past_matmul"]),
    "sub past": ("c = Sub(k, x) d = MatMul(c, w) y = Add(d, b)", W | {"k": 1.0, "b": (3,)}, ["add_past_matmul"]),
    "add past, along rows": ("c = Add(x, k) d = MatMul(c, w) y = Add(d, b)", W | {"k": (5, 1), "b": (3,)}, []),
    "add past, to a column": ("c = Add(x, k) d = MatMul(c, w) y = Add(d, b)", W | {"k": (4,), "b": (5, 1)}, []),
    "two scales": (
        "a = Neg(x) c = Mul(x, k) t = Transpose<perm=[0,2,1]>(a) d = Div(t, l) y = MatMul(c, d)",
        {"k": 0.5, "l": 2.0},
        ["two_scales"],
    ),
    "two scales that are no scalars": (
        "a = Neg(x) c = Mul(x, k) t = Transpose<perm=[0,2,1]>(a) d = Div(t, l) y = MatMul(c, d)",
        {"k": (4,), "l": 2.0},
        [],
    ),
}


@pytest.mark.parametrize("name", MATMUL)
def test_matmul(fuse: Any, name: str) -> None:
    body, constants, fired = MATMUL[name]
    done = fuse(f"{X3} {{ {body} }}", rules="fuse.matmul", **constants)
    assert [f.removeprefix("matmul.") for f in done.fired] == fired
