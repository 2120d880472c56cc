"""Fusions that once failed, or gave other numbers."""

from __future__ import annotations

import pytest

from gopt.rewrite import Numerics

from ..passes.clean.rewriting import rewrite


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
    text = "(double[3] x) => (double[3] y) <double c = {0}, double d = {4}> { a = Max(x, c) y = Min(a, d) }"
    assert rewrite(text, "fuse", opset).ops == (["Max", "Min"] if opset < 12 else ["Clip"])
    assert rewrite(text.replace("double", "float"), "fuse", opset).ops == ["Clip"]
