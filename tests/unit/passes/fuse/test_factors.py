"""`fuse.factors`: scalar factors that go into weights that are not beside them, and those that must stay."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnx
import pytest

from tests.unit.passes.clean.rewriting import Rewritten, rewrite


def factors(
    graph: str, dtype: str = "float", exact: bool = False, runs: bool = True, **constants: tuple[int, ...] | float
) -> Rewritten:
    """Run the pass; constants are numbers, or shapes of numbers that are all different."""

    def fill(model: onnx.ModelProto) -> None:
        rng = np.random.default_rng(3)
        for name, what in constants.items():
            made = rng.uniform(0.5, 2, what) if isinstance(what, tuple) else np.asarray(what)
            array = made.astype({"float": "f4", "float16": "f2"}[dtype])
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))

    return rewrite(graph, "fuse.factors", edit=fill, exact=exact, runs=runs)


W: Any = {"w": (4, 6), "b": (6,)}
X = "(float[N,4] x) => (float y)"
XZ = "(float[N,4] x, float[6,5] z) => (float y)"
SCALE = "<float k = {0.25}>"

UP: dict[str, tuple[str, str, Any]] = {
    "through moves": (X, "a = MatMul(x, w) c = Unsqueeze(a, o) d = Transpose<perm=[1,0,2]>(c) y = Mul(d, k)", {}),
    "through a sum": (X, "a = MatMul(x, w) c = Add(a, b) d = Transpose(c) y = Div(d, k)", {}),
    "a product of two": (XZ, "a = MatMul(x, w) t = Transpose(a) u = Transpose(t) c = MatMul(u, z) y = Mul(c, k)", {}),
    "of the second factor": (XZ, "a = MatMul(x, w) c = MatMul(a, z) y = Mul(k, c)", {}),
    "a branch each": (X, "a = MatMul(x, w) c = MatMul(x, w2) d = Add(a, c) y = Mul(d, k)", {"w2": (4, 6)}),
    "of a concatenation": (
        X,
        "a = MatMul(x, w) c = MatMul(x, w2) d = Concat<axis=1>(a, c) y = Mul(d, k)",
        {"w2": (4, 6)},
    ),
    "past a Relu": (X, "a = MatMul(x, w) c = Relu(a) y = Mul(c, k)", {}),
    "past a root": (X, "m = MatMul(x, w) a = Abs(m) c = Sqrt(a) y = Mul(c, k)", {}),
    "past a square": (X, "a = MatMul(x, w) c = Pow(a, two) y = Mul(c, k)", {}),
    "past a reciprocal": (X, "a = MatMul(x, w) c = Reciprocal(a) y = Neg(c)", {}),
    "past squares that are added": (X, "a = MatMul(x, w) c = ReduceSumSquare(a) y = Mul(c, k)", {}),
    "past bounds": (X, "a = MatMul(x, w) c = Clip(a, k, two) y = Mul(c, k)", {}),
    "past a maximum": (X, "a = MatMul(x, w) c = Max(a, k) y = Mul(c, two)", {}),
    "past a choice": (X, "e = IsNaN(x) a = MatMul(x, v) c = Where(e, two, a) y = Neg(c)", {"v": (4, 4)}),
    "negated": (X, "a = MatMul(x, w) c = Transpose(a) y = Neg(c)", {}),
    "a normalization": (X, "a = LayerNormalization(x, s, s) c = Transpose(a) y = Mul(c, k)", {"s": (4,)}),
    "a Gemm": (X, "a = Gemm(x, w, b) c = Transpose(a) y = Mul(c, k)", {}),
    "numerator": (X, "a = Exp(x) c = Div(s, a) d = Transpose(c) y = Mul(d, k)", {"s": (4,)}),
    "denominator": (X, "a = MatMul(x, v) e = Exp(x) d = Div(e, a) c = Transpose(d) y = Mul(c, k)", {"v": (4, 4)}),
}


@pytest.mark.parametrize("name", UP)
def test_a_factor_goes_up(name: str) -> None:
    head, body, more = UP[name]
    text = f"{head} <float k = {{0.25}}, int64[1] o = {{1}}, float two = {{2}}> {{ {body} }}"
    done = factors(text, **(W | more))
    assert done.fired == ["factors"]
    assert sorted(done.ops) == sorted(re.findall(r"= ([A-Z]\w+)", body)[:-1])


def test_a_factor_goes_down() -> None:
    text = f"(float[N,4] x) => (float y) {SCALE} {{ e = Exp(x) a = Mul(e, k) c = Mul(a, x) y = MatMul(c, w) }}"
    assert factors(text, **W).ops == ["Exp", "Mul", "MatMul"]
    assert factors(text.replace("Mul(e, k)", "Div(e, k)"), **W).ops == ["Exp", "Mul", "MatMul"]
    assert factors(text.replace("Mul(a, x)", "Div(x, a)"), **W).ops == ["Exp", "Div", "MatMul"]
    assert factors(text.replace("Mul(a, x)", "Div(a, x)"), **W).ops == ["Exp", "Div", "MatMul"]
    assert factors(text.replace("Mul(a, x)", "Sigmoid(a)"), **W).fired == []
    assert factors(text.replace("(float y)", "(float y, float c)"), **W).fired == []
    assert factors(text.replace("MatMul(c, w)", "Gemm(c, w, b)"), **W).ops == ["Exp", "Mul", "Gemm"]


def test_a_gate_of_a_scaled_value_takes_the_factor_back() -> None:
    """x * (1 + Erf(x / sqrt 2)) / 2 between two products is Erf, Add and Mul."""
    text = """(float[N,4] x) => (float y) <float r = {1.4142135}, float h = {0.5}, float one = {1}> {
        m = MatMul(x, w) a = Add(m, b) d = Div(a, r) e = Erf(d) f = Add(e, one) g = Mul(a, f) i = Mul(g, h)
        y = MatMul(i, v) }"""
    done = factors(text, v=(6, 5), **W)
    assert sorted(done.ops) == sorted(["MatMul", "Add", "Erf", "Add", "Mul", "MatMul"])
    exported = text.replace("(float y)", "(float y, float a)")
    assert sorted(factors(exported, v=(6, 5), **W).ops).count("Div") == 1


QKV = """(float[N,7,12] x) => (float y) <float k = {0.25}, int64[5] s = {0, 7, 3, 2, 4}, int64 i0 = {0}, int64 i1 = {1},
    int64 i2 = {2}, int64[1] ax = {0}> {
    m = MatMul(x, w) a = Add(m, b) r = Reshape(a, s) t = Transpose<perm=[2,0,3,1,4]>(r)
    PARTS
    kt = Transpose<perm=[0,1,3,2]>(kk) qs = Mul(q, k) p = MatMul(qs, kt) n = Softmax(p) y = MatMul(n, v) }"""
SPLIT = "q3, k3, v3 = Split<num_outputs=3>(t) q = Squeeze(q3, ax) kk = Squeeze(k3, ax) v = Squeeze(v3, ax)"
GATHER = "q = Gather(t, i0) kk = Gather(t, i1) v = Gather(t, i2)"


@pytest.mark.parametrize("parts", [SPLIT, GATHER])
def test_a_factor_of_some_columns(parts: str) -> None:
    done = factors(QKV.replace("PARTS", parts), w=(12, 24), b=(24,))
    assert done.fired == ["factors"]
    assert "Mul" not in done.ops


def test_a_factor_of_scores_goes_past_a_split() -> None:
    text = """(float[N,7,12] x) => (float y) <float k = {0.25}, int64[4] s = {0, 7, 2, 4}> {
        m = MatMul(x, w) a = Add(m, b) q, kk, v = Split<axis=2, num_outputs=3>(a)
        q1 = Reshape(q, s) q2 = Transpose<perm=[0,2,1,3]>(q1) k1 = Reshape(kk, s) k2 = Transpose<perm=[0,2,3,1]>(k1)
        p = MatMul(q2, k2) d = Mul(p, k) n = Softmax(d) v1 = Reshape(v, s) v2 = Transpose<perm=[0,2,1,3]>(v1)
        y = MatMul(n, v2) }"""
    done = factors(text, w=(12, 24), b=(24,))
    assert done.fired == ["factors"]
    assert "Mul" not in done.ops
    assert factors(text.replace("(float y)", "(float y, float q)"), w=(12, 24), b=(24,)).fired == ["factors"]  # of k
    assert factors(text.replace("(float y)", "(float y, float a)"), w=(12, 24), b=(24,)).fired == []


@pytest.mark.parametrize("table", [(1, 8), (8,), (5, 8)])
def test_a_factor_of_a_part_goes_into_a_table(table: tuple[int, ...]) -> None:
    """Rotary embedding: Concat(-b, a) times a table of sines."""
    text = """(float[N,5,8] x) => (float y, float z) {
        a, b = Split<axis=2, num_outputs=2>(x) n = Neg(b) c = Concat<axis=-1>(n, a) y = Mul(c, t) z = Sin(b) }"""
    done = factors(text, t=table)
    assert done.ops == ["Split", "Concat", "Mul", "Sin"] or sorted(done.ops) == ["Concat", "Mul", "Sin", "Split"]
    assert factors(text, t=(5, 1)).fired == []
    assert factors(text, t=(2, 1, 5, 8), runs=False).fired == []
    assert factors(text.replace("float z)", "float z, float c)"), t=table).fired == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Gather(t, i1)", "Gather(t, i0)"),
        ("v = Gather(t, i2)", "v = Gather<axis=1>(q, i2)"),
        ("(float y)", "(float y, float t)"),
        ("(float y)", "(float y, float r)"),
        ("(float y)", "(float y, float m)"),
        ("[5] s = {0, 7, 3, 2, 4}", "[5] s = {7, 3, 2, 4, -1}"),
        ("perm=[2,0,3,1,4]", "perm=[0,2,3,1,4]"),
        ("i1 = {1}", "i1 = {-3}"),
    ],
)
def test_no_factor_of_columns_that_others_see(old: str, new: str) -> None:
    text = QKV.replace("PARTS", GATHER)
    assert old in text
    assert factors(text.replace(old, new), runs=False, w=(12, 24), b=(24,)).fired == []


KEPT = {
    "exported between": ("(float[N,4] x) => (float y, float a)", "a = MatMul(x, w) c = Transpose(a) y = Mul(c, k)"),
    "used elsewhere": (
        "(float[N,4] x) => (float y, float z)",
        "a = MatMul(x, w) c = Transpose(a) y = Mul(c, k) z = Sin(a)",
    ),
    "a negative factor past a Relu": (X, "a = MatMul(x, w) c = Relu(a) y = Neg(c)"),
    "a negative factor past a square": (X, "a = MatMul(x, w) c = ReduceSumSquare(a) y = Neg(c)"),
    "a negative factor past a maximum": (X, "a = MatMul(x, w) c = Max(a, k) y = Neg(c)"),
    "a negative factor past bounds": (X, "a = MatMul(x, w) c = Clip(a, k) y = Neg(c)"),
    "past what is not linear": (X, "a = MatMul(x, w) c = Tanh(a) y = Mul(c, k)"),
    "a sum with an input": (
        "(float[N,4] x, float[N,6] q) => (float y)",
        "a = MatMul(x, w) d = Add(a, q) y = Mul(d, k)",
    ),
    "a value times itself": (X, "a = MatMul(x, w) c = Mul(a, a) y = Mul(c, k)"),
    "no weights": (X, "c = Transpose(x) y = Mul(c, k)"),
    "captured by a body": (
        "(float[N,4] x, bool i) => (float y, float z)",
        """a = MatMul(x, w) c = Transpose(a) y = Mul(c, k)
        z = If(i) <then_branch = g1 () => (float z1) { z1 = Sin(a) },
                   else_branch = g2 () => (float z2) { z2 = Cos(a) }>""",
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_factor_stays(name: str) -> None:
    head, body = KEPT[name]
    assert factors(f"{head} {SCALE} {{ {body} }}", **W).fired == []


@pytest.mark.parametrize("k", ["0", "inf", "nan"])
def test_zero_and_what_is_no_number_stay(k: str) -> None:
    text = f"{X} <float k = {{{k}}}> {{ a = MatMul(x, w) c = Transpose(a) y = Mul(c, k) }}"
    assert factors(text, **W).fired == []


def test_a_scalar_that_adds_dims_stays() -> None:
    text = f"{X} <float[1,1,1] k = {{2}}> {{ a = MatMul(x, w) c = Transpose(a) y = Mul(c, k) }}"
    assert factors(text, **W).fired == []


@pytest.mark.parametrize("opset", [9, 11, 17])
def test_bounds_that_are_attributes(opset: int) -> None:
    head = "<float[4,6] w = {" + ", ".join(map(str, range(24))) + "}, float k = {0.5}>"
    clip = "Clip<min=0.0, max=6.0>(a)" if opset < 11 else "Clip(a, k)"
    text = f"(float[N,4] x) => (float y) {head} {{ a = MatMul(x, w) c = {clip} y = Mul(c, k) }}"
    assert rewrite(text, "fuse.factors", opset).ops == ["MatMul", "Clip"]


def test_an_output_keeps_its_name() -> None:
    done = factors(f"(float[N,4] x) => (float y) {SCALE} {{ a = Div(x, k) y = Mul(a, k) }}")
    assert done.ops == ["Div"]
    assert [v.name for v in done.model.graph.outputs] == ["y"]


def test_large_weights_that_others_use_are_not_copied() -> None:
    head = f"(float[N,40] x) => (float y, float z) {SCALE}"
    text = f"{head} {{ a = MatMul(x, w) c = Transpose(a) y = Mul(c, k) z = MatMul(x, w) }}"
    assert factors(text, w=(40, 200)).fired == []
    assert factors(text, w=(40, 20)).fired == ["factors"]


def test_it_rounds() -> None:
    text = f"{X} {SCALE} {{ a = MatMul(x, w) c = Transpose(a) y = Mul(c, k) }}"
    assert factors(text, exact=True, **W).fired == []


@pytest.mark.parametrize(("k", "fires"), [(0.125, True), (8.0, False), (1e-4, False)])
def test_numbers_of_sixteen_bits_are_not_made_larger(k: float, fires: bool) -> None:
    text = "(float16[N,4] x) => (float16 y) { a = MatMul(x, w) c = Transpose(a) y = Mul(c, k) }"
    done = factors(text, dtype="float16", runs=False, w=(4, 6), k=k)
    assert bool(done.fired) is fires


def test_integers_stay() -> None:
    constants = "<int64 k = {3}, int64[4,1] w = {1, 2, 3, 4}>"
    text = f"(int64[N,4] x) => (int64 y) {constants} {{ a = MatMul(x, w) c = Transpose(a) y = Mul(c, k) }}"
    assert rewrite(text, "fuse.factors").fired == []
