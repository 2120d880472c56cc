"""`layout.transpose.cancel`: Transposes that vanish with what stands between them, and those that must stay."""

from __future__ import annotations

import numpy as np
import pytest

from gopt.passes.layout._orders.perms import having, inverse, is_identity, moves_nothing, then, without
from gopt.rewrite import Numerics

from ..clean.rewriting import Rewritten, rewrite

PASS = "layout.transpose"
X = "(float[N,3,4,5] x)"
TO_LAST, TO_FIRST = "Transpose<perm = [0, 2, 3, 1]>", "Transpose<perm = [0, 3, 1, 2]>"
XZ = "(float[2,3,4,5] x, float[2,3,4,5] z)"


def cancel(text: str, opset: int = 18, **options: object) -> Rewritten:
    return rewrite(text, PASS, opset, **options)  # type: ignore[arg-type]


def between(body: str, consts: str = "", inputs: str = X) -> str:
    """Ops from t to u, axes in the order batch, height, width, channels, between Transposes to that order and back."""
    return f"{inputs} => (float[a,b,c,d] y) {consts} {{ t = {TO_LAST}(x) {body} y = {TO_FIRST}(u) }}"


# What stands between Transposes: constants, ops from t to u, and the ops that are left.
CANCELS = {
    "a function": ("", "u = Relu(t)", ["Relu"]),
    "nothing": ("", "u = Identity(t)", ["Transpose", "Identity", "Transpose"]),
    "a chain": ("", "a = Relu(t) b = Neg(a) u = Sigmoid(b)", ["Relu", "Neg", "Sigmoid"]),
    "a branch": ("", "a = Sigmoid(t) u = Mul(t, a)", ["Sigmoid", "Mul"]),
    "a scalar": ("<float c = {2}>", "u = Mul(t, c)", ["Mul"]),
    "one element of rank 3": ("<float[1,1,1] c = {2}>", "u = Mul(c, t)", ["Mul"]),
    "one per channel": ("<float[3] c = {2, 3, 4}>", "u = Add(t, c)", ["Add"]),
    "one per column": ("<float[5,1] c = {1, 2, 3, 4, 5}>", "u = Sub(c, t)", ["Sub"]),
    "one per row": ("<float[1,4,1,1] c = {1, 2, 3, 4}>", "u = Max(t, c)", ["Max"]),
    "bounds": ("<float low = {0}, float high = {6}>", "u = Clip(t, low, high)", ["Clip"]),
    "slopes": ("<float[3] s = {1, 2, 3}>", "u = PRelu(t, s)", ["PRelu"]),
    "casts": ("", "a = Cast<to = 11>(t) b = Exp(a) u = Cast<to = 1>(b)", ["Cast", "Exp", "Cast"]),
    "a choice": ("<float c = {0}>", "a = Greater(t, c) u = Where(a, t, c)", ["Greater", "Where"]),
    "a Softmax that then is the last": ("", "u = Softmax<axis = 2>(t)", ["Softmax"]),
    "a Softmax along a negative axis": ("", "u = Softmax<axis = -2>(t)", ["Softmax"]),
    "a Softmax away from the last axis": ("", "u = Softmax(t)", ["Softmax"]),
    "a sum": ("<int64[2] c = {1, -2}>", "u = ReduceL1(t, c)", ["ReduceL1"]),
    "a Concat": ("", "u = Concat<axis = -1>(t, t)", ["Concat"]),
    "a Concat with a constant": (
        f"<float[2,4,5,1] c = {{{', '.join(map(str, range(40)))}}}>",
        "u = Concat<axis = 3>(t, c)",
        ["Concat"],
    ),
    "a Split": ("", "a, b = Split<axis = 3, num_outputs = 2>(t) u = Concat<axis = 1>(a, a)", ["Split", "Concat"]),
    "a Slice": (
        "<int64[1] one = {1}, int64[1] two = {2}, int64[1] at = {-1}>",
        "u = Slice(t, one, two, at)",
        ["Slice"],
    ),
    "a Slice without axes": ("<int64[2] one = {0, 1}, int64[2] two = {9, 2}>", "u = Slice(t, one, two)", ["Slice"]),
    "a Gather": ("<int64[3] i = {2, 0, -1}>", "u = Gather<axis = 3>(t, i)", ["Gather"]),
    "a Pad": ("<int64[8] p = {0, 1, 2, 0, 0, 0, 0, 3}>", "u = Pad(t, p)", ["Pad"]),
    "a Pad of one axis": ("<int64[2] p = {1, 2}, int64[1] a = {3}>", "u = Pad(t, p, , a)", ["Pad"]),
    "a Tile": ("<int64[4] r = {1, 2, 1, 3}>", "u = Tile(t, r)", ["Tile"]),
    "a CumSum": ("<int64 a = {-1}>", "u = CumSum(t, a)", ["CumSum"]),
    "a TopK": ("<int64[1] k = {2}>", "u, i = TopK<axis = 3>(t, k)", ["TopK"]),
    "a normalization of other axes": ("", "u = LpNormalization<axis = 3>(t)", ["LpNormalization"]),
    "a Reshape that drops dims of 1 and adds them again": (
        "<int64[1] a = {4}>",
        "a5 = Unsqueeze(t, a) b = Relu(a5) u = Squeeze(b, a)",
        ["Unsqueeze", "Relu", "Squeeze"],
    ),
    "a BatchNormalization": (
        "<float[4] s = {1, 2, 3, 4}, float[4] b = {1, 2, 3, 4}, float[4] m = {1, 2, 3, 4}, float[4] v = {1, 2, 3, 4}>",
        "u = BatchNormalization(t, s, b, m, v)",
        ["Mul", "Add"],
    ),
    "an average of the image": ("", "u = GlobalAveragePool(t)", ["ReduceMean"]),
    "a scale for quantization per channel": (
        "<float[3] s = {0.1, 0.2, 0.3}, uint8[3] z = {0, 1, 2}>",
        "a = QuantizeLinear<axis = 3>(t, s, z) u = DequantizeLinear<axis = -1>(a, s, z)",
        ["QuantizeLinear", "DequantizeLinear"],
    ),
}


@pytest.mark.parametrize(("consts", "body", "left"), CANCELS.values(), ids=CANCELS)
def test_ops_between_transposes_compute_without(consts: str, body: str, left: list[str]) -> None:
    assert cancel(between(body, consts, "(float[2,3,4,5] x)")).ops == left


# Whole graphs, and the ops that are left.
REGIONS = {
    "two in a row are one": (
        f"{X} => (float[a,b,c,d] y) {{ t = {TO_LAST}(x) y = {TO_LAST}(t) }}",
        ["Transpose"],
    ),
    "two operands": (
        f"{XZ} => (float[a,b,c,d] y) {{ s = {TO_LAST}(x) t = {TO_LAST}(z) y = Add(s, t) }}",
        ["Add", "Transpose"],
    ),
    "operands of a Concat": (
        f"{XZ} => (float[a,b,c,d] y) {{ s = {TO_LAST}(x) t = {TO_LAST}(z) y = Concat<axis = 3>(s, t) }}",
        ["Concat", "Transpose"],
    ),
    "parts of a Split": (
        f"{X} => (float[a,b,c,d] y, float[a,b,c,d] z) <int64[2] n = {{1, 2}}> "
        f"{{ p, q = Split<axis = 1>(x, n) y = {TO_LAST}(p) z = {TO_LAST}(q) }}",
        ["Transpose", "Split"],
    ),
    "an operand of a lower rank": (
        "(float[2,3,4] x, float[3,4] z) => (float[a,b,c] y) { s = Transpose<perm = [0, 2, 1]>(x) "
        "t = Transpose(z) y = Add(s, t) }",
        ["Add", "Transpose"],
    ),
    "a reduction that keeps no dims": (
        f"{X} => (float[a,b] y) <int64[2] axes = {{1, 2}}> {{ t = {TO_LAST}(x) y = ReduceMax<keepdims = 0>(t, axes) }}",
        ["ReduceMax"],
    ),
    "an index of the largest": (
        f"{X} => (int64[a,b,c] y) {{ t = {TO_LAST}(x) a = ArgMax<axis = 3, keepdims = 0>(t) y = Abs(a) }}",
        ["ArgMax", "Abs"],
    ),
    "an Unsqueeze of another axis": (
        "(float[N,4,5] x) => (float[a,b,c,d] y) <int64[1] a = {3}> "
        "{ t = Unsqueeze(x, a) y = Transpose<perm = [0, 3, 1, 2]>(t) }",
        ["Unsqueeze"],
    ),
    "a Squeeze of another axis": (
        "(float[N,1,4,5] x) => (float[a,b,c] y) <int64[1] a = {2}> "
        "{ t = Transpose<perm = [0, 2, 1, 3]>(x) y = Squeeze(t, a) }",
        ["Squeeze"],
    ),
    "a Reshape of what is only dims of 1 apart": (
        "(float[N,1,6] x) => (float[a,b] y) <int64[2] s = {0, 6}> "
        "{ t = Transpose<perm = [0, 2, 1]>(x) y = Reshape(t, s) }",
        ["Squeeze"],
    ),
    "a Flatten of a pooled image": (
        "(float[N,6,1,1] x) => (float[a,b] y) { t = Transpose<perm = [0, 2, 3, 1]>(x) y = Flatten(t) }",
        ["Squeeze"],
    ),
    "a Reshape that merges axes behind": (
        "(float[7,2,3,4] x) => (float[a,b,c] y) <int64[3] s = {0, 0, -1}> "
        "{ t = Transpose<perm = [0, 2, 1, 3]>(x) r = Reshape(t, s) y = Transpose<perm = [1, 0, 2]>(r) }",
        ["Transpose", "Reshape"],
    ),
    "one index": (
        "(float[3,4,5] x) => (float[a,b] y) <int64 i = {1}> "
        "{ t = Transpose<perm = [2, 0, 1]>(x) g = Gather<axis = 1>(t, i) y = Transpose(g) }",
        ["Gather"],
    ),
    "weights on the right": (
        "(float[N,3,4] x) => (float[a,b,c] y) <float[3,2] w = {1, 2, 3, 4, 5, 6}, float[2] b = {1, 2}> "
        "{ t = Transpose<perm = [0, 2, 1]>(x) m = MatMul(t, w) s = Add(m, b) y = Transpose<perm = [0, 2, 1]>(s) }",
        ["MatMul", "Add"],
    ),
    "weights on the left": (
        "(float[N,3,4] x) => (float[a,b,c] y) <float[2,4] w = {1, 2, 3, 4, 5, 6, 7, 8}> "
        "{ t = Transpose<perm = [0, 2, 1]>(x) m = MatMul(w, t) y = Transpose<perm = [0, 2, 1]>(m) }",
        ["MatMul"],
    ),
    "weights on the right of leading axes": (
        "(float[2,3,4] x) => (float[a,b,c] y) <float[4,2] w = {1, 2, 3, 4, 5, 6, 7, 8}> "
        "{ t = Transpose<perm = [1, 0, 2]>(x) m = MatMul(t, w) y = Transpose<perm = [1, 0, 2]>(m) }",
        ["MatMul"],
    ),
    "both factors": (
        "(float[2,3,4] x, float[2,5,3] z) => (float[a,b,c] y) { s = Transpose<perm = [0, 2, 1]>(x) "
        "t = Transpose<perm = [0, 2, 1]>(z) y = MatMul(s, t) }",
        ["MatMul", "Transpose"],
    ),
    "a product of matrices": (
        "(float[2,3] x, float[3,4] z) => (float[a,b] y) { m = MatMul(x, z) y = Transpose(m) }",
        ["Gemm"],
    ),
    "a Gemm": (
        "(float[2,3] x) => (float[a,b] y) <float[3,4] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, "
        "float[4] c = {1, 2, 3, 4}> { m = Gemm<alpha = 2.0>(x, w, c) y = Transpose(m) }",
        ["Gemm"],
    ),
    "a normalization of the last axis": (
        "(float[2,3,4] x) => (float[a,b,c] y) <float[4] s = {1, 2, 3, 4}> { t = Transpose<perm = [1, 0, 2]>(x) "
        "l = LayerNormalization(t, s) y = Transpose<perm = [1, 0, 2]>(l) }",
        ["LayerNormalization"],
    ),
    "a quantization of its own": (
        f"{X} => (uint8[a,b,c,d] y, float s) "
        f"{{ t = {TO_LAST}(x) q, s, z = DynamicQuantizeLinear(t) y = {TO_FIRST}(q) }}",
        ["DynamicQuantizeLinear"],
    ),
    "a result that others take too": (
        f"{X} => (float[a,b,c,d] y, float[a,b,c,d] w) {{ t = {TO_LAST}(x) u = Relu(t) y = {TO_FIRST}(u) w = Neg(u) }}",
        ["Relu", "Transpose", "Neg"],
    ),
    "three against one": (
        "(float[2,3,4] x, float[2,3,4] z, float[2,4,3] v) => (float[a,b,c] y) { s = Transpose<perm = [0, 2, 1]>(x) "
        "t = Transpose<perm = [0, 2, 1]>(z) a = Add(s, t) b = Mul(a, v) y = Transpose<perm = [0, 2, 1]>(b) }",
        ["Transpose", "Add", "Mul"],
    ),
    "one that is no move for these dims": (
        "(float[3,1,1] x) => (float[a,b,c] y) { n = Neg(x) y = Transpose<perm = [0, 2, 1]>(n) }",
        ["Neg"],
    ),
}


@pytest.mark.parametrize(("text", "left"), REGIONS.values(), ids=REGIONS)
def test_regions_with_fewer_transposes(text: str, left: list[str]) -> None:
    done = cancel(text)
    assert sorted(done.ops) == sorted(left)


STAY = {
    "one alone": f"{X} => (float[a,b,c,d] y) {{ t = {TO_LAST}(x) y = Relu(t) }}",
    "one that others take": (
        f"{X} => (float[a,b,c,d] y, float[a,b,c,d] t) {{ t = {TO_LAST}(x) u = Relu(t) y = {TO_LAST}(u) }}"
    ),
    "what is between is exported": (
        f"{X} => (float[a,b,c,d] y, float[a,b,c,d] u) {{ t = {TO_LAST}(x) u = Relu(t) y = {TO_LAST}(u) }}"
    ),
    "an op that knows its axes": (
        "(float[1,5,4,3] x) => (float[a,b,c,d] y) <float[2,3,1,1] w = {1, 2, 3, 4, 5, 6}> "
        "{ t = Transpose<perm = [0, 3, 1, 2]>(x) u = Conv(t, w) y = Transpose<perm = [0, 2, 3, 1]>(u) }"
    ),
    "a Reshape that parts what the Transpose joined": (
        "(float[2,3,4] x) => (float[a,b] y) <int64[2] s = {2, 12}> "
        "{ t = Transpose<perm = [0, 2, 1]>(x) y = Reshape(t, s) }"
    ),
    "an operand of a lower rank whose axis moves": (
        "(float[2,3,4] x, float[3] z) => (float[a,b,c] y) { t = Transpose<perm = [0, 2, 1]>(x) a = Add(t, z) "
        "y = Transpose<perm = [2, 1, 0]>(a) }"
    ),
    "an axis that is normalised": (
        "(float[2,3,4] x) => (float[a,b,c] y) <float[3] s = {1, 2, 3}> { t = Transpose<perm = [0, 2, 1]>(x) "
        "l = LayerNormalization(t, s) y = Transpose<perm = [0, 2, 1]>(l) }"
    ),
    "a Softmax of old": (
        f"{X} => (float[a,b,c,d] y) {{ t = {TO_LAST}(x) u = Softmax<axis = 1>(t) y = {TO_FIRST}(u) }}"
    ),
    "a Pad by what is computed": (
        f"(float[2,3,4,5] x, int64[8] p) => (float[a,b,c,d] y) {{ t = {TO_LAST}(x) u = Pad(t, p) y = {TO_FIRST}(u) }}"
    ),
    "a Slice of axes that are computed": (
        "(float[2,3] x, int64[1] a) => (float[p,q] y) <int64[1] n = {1}, int64[1] m = {2}> "
        "{ t = Transpose(x) u = Slice(t, n, m, a) y = Transpose(u) }"
    ),
    "a rank that is not known": (
        "(float[2,3] x, int64[N] s) => (float[p,q] y) { r = Reshape(x, s) u = Relu(r) t = Transpose(u) v = Neg(t) "
        "w = Transpose(v) y = Abs(w) }"
    ),
    "two orders of one value": "(float[3,3] x) => (float[3,3] y) { t = Transpose(x) y = Add(x, t) }",
}


@pytest.mark.parametrize("text", STAY.values(), ids=STAY)
def test_what_must_stay(text: str) -> None:
    opset = 11 if "Softmax" in text else 18
    done = cancel(text, opset, runs="[p,q]" not in text and "p)" not in text)
    assert done.fired == []


def test_exact_runs_move_no_sums() -> None:
    text = between("u = ReduceL1(t, c)", "<int64[2] c = {1, 2}>")
    assert cancel(text, exact=True).fired == []
    assert cancel(between("u = Relu(t)"), exact=True).ops == ["Relu"]


def test_what_it_promises() -> None:
    def promised(body: str, consts: str = "") -> Numerics:
        return max(e.numerics for e in cancel(between(body, consts)).ctx.ledger.entries)

    assert promised("u = Relu(t)") is Numerics.EXACT
    assert promised("u = ReduceL1(t, c)", "<int64[1] c = {1}>") is Numerics.ROUNDING


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 17, 21])
def test_each_spelling(opset: int) -> None:
    text = between("u = LeakyRelu(t)")
    assert cancel(text, opset).ops == ["LeakyRelu"]
    axes = "<axes = [1, 2]>(t)" if opset < 18 else "(t, c)"
    consts = "" if opset < 18 else "<int64[2] c = {1, 2}>"
    assert cancel(between(f"u = ReduceMax{axes}", consts), opset).ops == ["ReduceMax"]


def test_an_overridable_initializer_is_no_constant() -> None:
    text = (
        "(float[2,3,4] x, float[3] z = {1, 2, 3}) => (float[a,b,c] y) { t = Transpose<perm = [0, 2, 1]>(x) "
        "a = Add(t, z) y = Transpose<perm = [0, 2, 1]>(a) }"
    )
    assert cancel(text).fired == []


def test_a_shared_constant_is_turned_for_one_user_alone() -> None:
    text = (
        f"{X} => (float[a,b,c,d] y, float[a,b,c,d] w) <float[1,3,1,1] c = {{1, 2, 3}}> "
        f"{{ t = {TO_LAST}(x) k = Transpose<perm = [0, 2, 3, 1]>(c) u = Add(t, k) y = {TO_FIRST}(u) w = Mul(x, c) }}"
    )
    assert sorted(rewrite(text, f"(fold,{PASS})*").ops) == ["Add", "Mul"]


def test_in_a_body() -> None:
    text = """<ir_version: 8, opset_import: ["": 18]>
    g (float[2,3] x, bool c) => (float[a,b] y) {
        y = If (c) <
            then_branch = t () => (float[a,b] p) { s = Transpose(x) r = Relu(s) p = Transpose(r) },
            else_branch = e () => (float[a,b] q) { q = Neg(x) }
        >
    }"""
    done = cancel(text, feeds={"x": np.ones((2, 3), np.float32), "c": np.array(True)})
    assert [op.op_type for g in done.model.graphs() for op in g.ops] == ["If", "Relu", "Neg"]


def test_a_limit_stops_it_and_a_second_run_finds_nothing() -> None:
    text = f"{XZ} => (float[a,b,c,d] y) {{ s = {TO_LAST}(x) t = {TO_LAST}(z) y = Add(s, t) }}"
    assert cancel(text, limit=0).ops == ["Transpose", "Transpose", "Add"]
    done = rewrite(text, f"{PASS},{PASS}")
    assert done.fired == ["transpose.cancel"]


def test_permutations() -> None:
    p, q = (2, 0, 1), (1, 0, 2)
    x = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(x.transpose(p).transpose(q), x.transpose(then(p, q)))
    assert is_identity(then(p, inverse(p)))
    assert without((3, 0, 2, 1), (2,)) == (2, 0, 1)
    assert moves_nothing((1, 0, 2), (1, 1, 5))
    assert not moves_nothing((1, 0, 2), (1, 4, 5))
    assert not moves_nothing((1, 0), None)


def test_axes_that_may_stand_anywhere_stand_where_a_transpose_wants_them() -> None:
    done = cancel(
        "(float[N,4,5] x) => (float[a,b,c,d] y) <int64[1] a = {3}> { t = Transpose<perm = [0, 2, 1]>(x) "
        "u = Unsqueeze(t, a) y = Transpose<perm = [0, 3, 2, 1]>(u) }"
    )
    assert done.ops == ["Unsqueeze"]
    value = done.model.graph.inputs[0]
    assert having([1, 0], [2], value) == (1, 0, 2)


# Ops from t to u as opset 9 writes them.
OLD = {
    "Pad": "u = Pad<pads = [0, 1, 2, 0, 0, 0, 0, 3]>(t)",
    "Slice": "u = Slice<axes = [3, 1], starts = [1, 0], ends = [2, 2]>(t)",
    "Slice without axes": "u = Slice<starts = [0, 1], ends = [2, 3]>(t)",
    "Clip": "u = Clip<min = 0.0, max = 6.0>(t)",
    "ReduceMax": "u = ReduceMax<axes = [3]>(t)",
    "Split": "a, b = Split<axis = 3, split = [1, 2]>(t) u = Concat<axis = 3>(b, a)",
    "Squeeze": "a = Unsqueeze<axes = [2]>(t) b = Relu(a) u = Squeeze<axes = [2]>(b)",
    "TopK": "u, i = TopK<axis = 3, k = 2>(t)",
}


@pytest.mark.parametrize("body", OLD.values(), ids=OLD)
def test_parameters_that_were_attributes(body: str) -> None:
    done = cancel(between(body, inputs="(float[2,3,4,5] x)"), 9)
    assert done.fired
    assert "Transpose" not in done.ops


SIZES = "a = Transpose<perm = [2, 0, 1]>(x) s = Shape(a)"


def test_a_dim_of_what_is_transposed_is_one_of_the_operand() -> None:
    text = f"(float[N,3,M] x) => (int64[2] y, int64 z) <int64[2] i = {{0, -1}}, int64 j = {{1}}> {{ {SIZES} "
    done = rewrite(text + "y = Gather(s, i) z = Gather(s, j) }", "layout.transpose.size,clean")
    assert done.ops == ["Shape", "Gather", "Gather"]
    assert done.outputs["y"].tolist() == [2, 3]


@pytest.mark.parametrize(
    "rest",
    [
        "y = Gather(s, i) z = Neg(s) }",
        "y = Gather(s, i) z = Shape<start = 1>(a) w = Gather(z, i) }",
        "y = Gather(s, k) z = Neg(k) }",
    ],
    ids=["used as a whole", "another part", "a place that is computed"],
)
def test_a_shape_that_stays(rest: str) -> None:
    text = f"(float[N,3,M] x, int64 k) => (int64 y, int64[n] z) <int64 i = {{0}}> {{ {SIZES} {rest}"
    rejected = rewrite(text, "layout.transpose.size", runs="k)" not in rest)
    assert "Transpose" in rejected.ops


SWAP = "Transpose<perm = [0, 1, 3, 2]>"
WEIGHTS = f"<float[2,3,2,3] w = {{{', '.join(map(str, range(36)))}}}, float[2] b = {{1, 2}}>"
WINDOWS = {
    "Conv": (
        "Conv<pads = [0, 1, 2, 0], strides = [2, 1], dilations = [1, 2], kernel_shape = [2, 3]>(t, w, b)",
        ["Conv"],
    ),
    "Conv that pads itself": ('Conv<auto_pad = "SAME_UPPER", strides = [2, 1]>(t, w)', ["Conv"]),
    "MaxPool": ("MaxPool<kernel_shape = [2, 3], pads = [1, 0, 0, 2], ceil_mode = 1>(t)", ["MaxPool"]),
    "AveragePool": ("AveragePool<kernel_shape = [3, 2], strides = [1, 2]>(t)", ["AveragePool"]),
}


@pytest.mark.parametrize(("op", "left"), WINDOWS.values(), ids=WINDOWS)
def test_windows_are_exchanged_with_the_image(op: str, left: list[str]) -> None:
    text = f"(float[N,3,8,9] x) => (float[a,b,c,d] y) {WEIGHTS} {{ t = {SWAP}(x) u = {op} y = {SWAP}(u) }}"
    assert cancel(text).ops == left


def test_a_transposed_spectrogram_is_not() -> None:
    text = (
        "(float[N,9,8] x) => (float[a,b] y) <float[2,1,2,3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, "
        "int64[1] one = {1}, int64[2] axes = {2, 3}> { t = Transpose<perm = [0, 2, 1]>(x) u = Unsqueeze(t, one) "
        "c = Conv(u, w) r = Relu(c) p = MaxPool<kernel_shape = [2, 2]>(r) y = ReduceMax<keepdims = 0>(p, axes) }"
    )
    assert cancel(text).ops == ["Unsqueeze", "Conv", "Relu", "MaxPool", "ReduceMax"]


WINDOWS_STAY = {
    "indices": "(float[N,3,8,9] x) => (float[a,b,c,d] y, int64[e,f,g,h] i) "
    f"{{ t = {SWAP}(x) u, i = MaxPool<kernel_shape = [2, 3]>(t) y = {SWAP}(u) }}",
    "weights that are computed": "(float[N,3,8,9] x, float[2,3,2,3] w) => (float[a,b,c,d] y) "
    f"{{ t = {SWAP}(x) y = Conv(t, w) }}",
    "channels that move": "(float[N,8,3,9] x) => (float[a,b,c,d] y) "
    "{ t = Transpose<perm = [0, 2, 1, 3]>(x) u = MaxPool<kernel_shape = [2, 3]>(t) "
    "y = Transpose<perm = [0, 2, 1, 3]>(u) }",
}


@pytest.mark.parametrize("text", WINDOWS_STAY.values(), ids=WINDOWS_STAY)
def test_windows_that_cannot_be_exchanged(text: str) -> None:
    assert cancel(text).fired == []


def test_dims_of_one_stay_where_an_operator_wants_them() -> None:
    text = (
        "(float[N,9,8] x) => (float[a,b] y) <float[2,1,2,3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, "
        "int64[1] last = {3}, int64[2] axes = {2, 3}> { u = Unsqueeze(x, last) t = Transpose<perm = [0, 3, 2, 1]>(u) "
        "c = Conv(t, w) y = ReduceMax<keepdims = 0>(c, axes) }"
    )
    assert cancel(text).ops == ["Unsqueeze", "Conv", "ReduceMax"]


def test_of_as_many_ops_those_that_move_fewer_elements() -> None:
    text = (
        "(float[2,3,4,1] x) => (float[a,b,c,d] y) "
        "{ a = Concat<axis = 3>(x, x, x) y = Transpose<perm = [0, 3, 2, 1]>(a) }"
    )
    done = rewrite(text, "layout.transpose.cancel")
    assert done.ops == ["Transpose", "Concat"]
    assert done.op("Concat").attr("axis") == 1
    assert rewrite(text.replace("x, x, x", "x"), "layout.transpose.cancel").fired == []
