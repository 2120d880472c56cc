"""Fusions that once failed, or gave other numbers."""

from __future__ import annotations

import numpy as np
import pytest

from gopt.rewrite import Numerics
from tests.unit.passes.clean.rewriting import rewrite


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64", "int8", "int64"])
def test_unsigned_integers_are_negated_modulo_their_range(dtype: str) -> None:
    """-1 is the largest number of an unsigned type; numpy refuses to make one of it."""
    text = (
        f"({dtype}[3] x) => ({dtype}[3] y) <{dtype} c = {{6}}, {dtype} d = {{4}}> "
        "{ a = Mul(x, c) b = Sub(d, a) y = Add(b, d) }"
    )
    assert rewrite(text, "fuse").ops == ["Mul", "Sub"]
    assert rewrite(text.replace("Mul(x, c)", "Sub(c, x)"), "fuse").ops == ["Add"]
    assert rewrite(text.replace("Mul(x, c)", "Add(c, x)"), "fuse").ops == ["Sub"]


def test_a_chain_of_constants_without_elements() -> None:
    """The largest of no numbers is none; the rule failed where a factor had no elements and a shift had."""
    text = (
        "(float[2,0] x) => (float[2,2,0] y) <float[0] c = {}, float[1,1] d = {0}, float[2,1,1] e = {0, 0}> "
        "{ a = Mul(c, x) b = Sub(d, a) y = Mul(e, b) }"
    )
    assert rewrite(text, "fuse", exact=True).ops == ["Mul", "Sub", "Mul"]
    assert rewrite(text, "fuse").ops == ["Mul", "Mul"]


def test_a_gemm_without_an_addend_is_not_promised_to_be_bit_equal() -> None:
    """ONNX Runtime starts its sums from the addend where there is one, with beta other than 1 in another way."""
    weights = "<float[3,1] w = {1, 2, 3}, float[1,1] b = {0}>"
    text = f"(float[2,3] x) => (float[2,1] y) {weights} {{ y = Gemm<beta = 2.0>(x, w, b) }}"
    done = rewrite(text, "fuse")
    assert [e.numerics for e in done.ctx.ledger.entries] == [Numerics.ROUNDING]


@pytest.mark.parametrize("opset", [8, 11, 12])
def test_no_clip_is_made_that_the_runtime_does_not_have(opset: int) -> None:
    """ONNX Runtime knows Max and Min of doubles from version 8 on, but Clip of them from 12 on."""
    text = "(double[3] x) => (double[3] y) <double c = {1}, double d = {4}> { a = Max(x, c) y = Min(a, d) }"
    assert rewrite(text, "fuse", opset).ops == (["Max", "Min"] if opset < 12 else ["Clip"])
    assert rewrite(text.replace("double", "float"), "fuse", opset).ops == ["Clip"]


def test_a_factor_of_rows_does_not_scale_the_only_axis_of_a_vector() -> None:
    """The axis of constant weights that are a vector is summed over; the factor goes along the other operand's rows."""
    weights = "<float[3] w = {1, 2, 3}, float[3] b = {3, 1, 4}, float[3] c = {5, 6, 7}>"
    text = f"(float[3,3] x) => (float[3] y) {weights} {{ a = MatMul(x, w) d = Add(a, b) y = Mul(d, c) }}"
    assert rewrite(text, "fuse").ops == ["MatMul", "Add", "Mul"]
    assert rewrite(text.replace("float[3] c = {5, 6, 7}", "float[1] c = {5}"), "fuse").ops == ["MatMul", "Add"]


def test_a_factor_is_not_for_channels_where_the_shift_adds_dims() -> None:
    """Axis 1 of an operand of rank 3 is not that of the channels if a shift of rank 4 is added to it."""
    shift = ", ".join(map(str, range(27)))
    text = (
        f"(float[3,3,3] x) => (float[1,1,3,3] y) <float[3,1] c = {{1, 2, 3}}, float[1,3,3,3] d = {{{shift}}}, "
        "float[1,3,1,1] w = {1, 2, 3}> { a = Mul(x, c) b = Add(a, d) y = Conv(b, w) }"
    )
    assert rewrite(text, "fuse").ops == ["Mul", "Add", "Conv"]
    assert rewrite(text.replace("[3,3,3] x", "[1,3,3,3] x").replace("[3,1] c", "[3,1,1] c"), "fuse").ops == [
        "Add",
        "Conv",
    ]


def test_a_clamp_of_constants_knows_which_of_them_is_the_bound() -> None:
    text = (
        "(float[1] z) => (float[1] y) <float[1] k = {1}, float[1] l = {5}> { a = Max(k, l) b = Relu(a) y = Add(b, z) }"
    )
    assert rewrite(text, "fuse").fired == ["clamp.clamp"]
    assert rewrite(text.replace("Max(k, l)", "Max(l, k)"), "fuse").fired == ["clamp.clamp"]


def test_a_factor_of_double_precision_does_not_become_an_attribute_of_single_precision() -> None:
    text = "(double[3,2] x, double[2,4] z) => (double[3,4] y) <double c = {0.1}> { a = Gemm(x, z) y = Mul(a, c) }"
    assert rewrite(text, "fuse").ops == ["Gemm", "Mul"]
    assert rewrite(text.replace("0.1", "0.5"), "fuse").ops == ["Gemm"]
    assert rewrite(text.replace("double", "float"), "fuse").ops == ["Gemm"]


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_no_relu_of_integers_is_made(dtype: str) -> None:
    """By the schema there is one since version 14; ONNX Runtime has it for few types, before version 18."""
    text = (
        f"({dtype}[3] x) => ({dtype}[3] y) <{dtype} c = {{0}}, {dtype} d = {{9}}, {dtype} e = {{0}}> "
        "{ a = Max(x, c) b = Min(a, d) y = Max(b, e) }"
    )
    assert rewrite(text, "fuse", opset=14).ops == ["Clip"]
    assert rewrite(text.replace("Min(a, d)", "Max(a, e)"), "fuse", opset=14).ops in (["Clip"], ["Max"])


def test_no_clip_is_made_with_a_bound_beyond_an_absent_one() -> None:
    """Before version 11 ONNX Runtime refuses a Clip to -inf, because the lower bound that it lacks is finite."""
    text = "(float[3] x) => (float[3] y) <float c = {2}, float d = {-inf}> { a = Min(x, c) y = Min(d, a) }"
    assert rewrite(text, "fuse", opset=9).ops in (["Min"], ["Min", "Min"])
    assert rewrite(text.replace("-inf", "-3"), "fuse", opset=9).ops == ["Clip"]


def test_a_shape_that_died_is_not_used_for_the_next_size() -> None:
    """What takes the dims at a place that is computed needs its Shape; it was given one that had gone."""
    text = (
        "(float[N,M] x, int64 i) => (int64[1] y) <int64 zero = {0}, int64[1] one = {0}> "
        "{ s = Shape(x) n = Gather(s, zero) a = Unsqueeze(n, one) t = Shape(x) m = Gather(t, i) "
        "b = Unsqueeze(m, one) y = Mul(a, b) }"
    )
    found = rewrite(text, "fuse.sizes", sizes={"i": np.array(1)})
    assert found.ops == ["Shape", "Shape", "Gather", "Unsqueeze", "Mul"]


def test_what_only_the_last_ops_of_branches_took_stays_for_the_one_behind() -> None:
    """The Shape died with the Reshapes in the branches, before the one behind the If took it."""
    text = """(float[4] x, int64[1] k, bool c) => (int64[a] y) { s = Shape(x)
        y = If(c) <then_branch = t () => (int64[d] u) { p = Neg(k) u = Reshape(s, p) },
                   else_branch = e () => (int64[f] v) { q = Abs(k) v = Reshape(s, q) }>
    }"""
    found = rewrite(text, "fuse.branches.tails", feeds={"x": np.ones(4, "f"), "k": np.array([1]), "c": np.array(False)})
    assert found.ops == ["Shape", "If", "Reshape"]


def test_a_layer_stays_one_where_the_squeezed_sequence_is_used_elsewhere() -> None:
    """The layer was made again for its final state, and the first one stayed for the sequence."""
    weights = f"float[1,8,3] w = {{{','.join('1' * 24)}}}, float[1,8,2] r = {{{','.join('1' * 16)}}}"
    text = (
        f"(float[4,2,3] x) => (float y, float z) <{weights}, int64 last = {{-1}}, int64[1] one = {{1}}> "
        "{ a = LSTM<hidden_size = 2>(x, w, r) b = Squeeze(a, one) y = Gather<axis = 0>(b, last) z = Neg(b) }"
    )
    assert rewrite(text, "fuse.last_step").fired == []


LEAST = {
    "y = Relu(a)": "{ a = Abs(x) y = Relu(a) }",
    "y = MaxPool(...)": "{ a = Abs(x) b = Pad(a, p, zero) y = MaxPool<kernel_shape = [3, 3]>(b) }",
}


@pytest.mark.parametrize("body", LEAST.values(), ids=LEAST)
def test_the_absolute_value_of_the_least_integer_is_below_zero(body: str) -> None:
    text = f"(int8[1,1,3,3] x) => (int8 y) <int64[8] p = {{0, 0, 1, 1, 0, 0, 1, 1}}, int8 zero = {{0}}> {body}"
    assert rewrite(text, "fuse", feeds={"x": np.full((1, 1, 3, 3), -128, np.int8)}).fired == []


def test_relus_of_both_signs_are_no_absolute_value_of_the_least_integer() -> None:
    text = "(int32[3] x) => (int32 y) { n = Neg(x) a = Relu(x) b = Relu(n) y = Add(a, b) }"
    assert rewrite(text, "fuse", feeds={"x": np.array([-(2**31), 3, -4], np.int32)}).fired == []
    assert rewrite(text.replace("int32", "float"), "fuse").ops == ["Abs"]


def test_a_power_is_not_promised_to_be_the_same_for_a_scalar_exponent() -> None:
    """ONNX Runtime multiplies for scalar exponents of 2 and 3, and asks the C library for others."""
    text = "(float[64] x) => (float y) { s = Shape(x) f = ConstantOfShape<value = float[1] {3}>(s) y = %s(x, f) }"
    assert [e.numerics for e in rewrite(text % "Pow", "fuse.fill").ctx.ledger.entries] == [Numerics.ROUNDING]
    assert [e.numerics for e in rewrite(text % "Mul", "fuse.fill").ctx.ledger.entries] == [Numerics.EXACT]
    assert rewrite(text % "Pow", "fuse.fill", exact=True).fired == []


@pytest.mark.parametrize("mask, fits", [("3,5", True), ("1,2,3,5", True), ("1,1,1,5", False), ("3,1", False)])
def test_attention_takes_masks_of_all_rows_and_columns(mask: str, fits: bool) -> None:
    """ONNX Runtime refused to run what had a mask of one row for all."""
    text = (
        f"(float[1,2,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v, float[{mask}] m) => (float y) <float c = {{0.5}}> "
        "{ t = Transpose<perm = [0, 1, 3, 2]>(k) s = MatMul(q, t) d = Mul(s, c) e = Add(d, m) f = Softmax(e) "
        "y = MatMul(f, v) }"
    )
    assert ("Attention" in rewrite(text, "fuse.attention", opset=23).ops) == fits


@pytest.mark.parametrize("axes, fired", [("int64[0] axes = {}", []), ("int64[1] axes = {1}", ["reduce.sum_square"])])
def test_what_reduces_nothing_is_no_sum_of_squares(axes: str, fired: list[str]) -> None:
    """Of no axes the clause makes ReduceSumSquare its operand, which is not squared."""
    text = f"(float[2,3] x) => (float y) <{axes}> {{ a = Mul(x, x) y = ReduceSum<noop_with_empty_axes = 1>(a, axes) }}"
    assert rewrite(text, "fuse.reduce").fired == fired
