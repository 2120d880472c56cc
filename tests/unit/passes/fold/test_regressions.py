"""Folding that once gave other numbers than ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

from gopt.rewrite import Numerics
from tests.unit.passes.clean.rewriting import rewrite


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax", "Hardmax"])
def test_an_old_softmax_is_not_computed_as_a_new_one(op_type: str) -> None:
    """Before version 13 it normalises over all dims from the axis on; onnx.reference knows today's meaning alone."""
    text = (
        "(float[2,3] x) => (float[2,3] y) <float[2,3] k = {1, 2, 3, 5, 4, 3}> "
        f"{{ a = {op_type}<axis = 0>(k) y = Add(x, a) }}"
    )
    assert rewrite(text, "fold", opset=11).ops == [op_type, "Add"]
    assert rewrite(text, "fold", opset=13).ops == ["Add"]
    assert rewrite(text.replace("axis = 0", "axis = 1"), "fold", opset=11).ops == ["Add"]


UNFAITHFUL = {
    "indices of MaxPool count per channel": (
        "(int64[1,2,2] x) => (int64[1,2,2] y) <float[1,2,2] k = {1, 2, 3, 4}> "
        "{ p, i = MaxPool<kernel_shape = [1]>(k) y = Add(x, i) }"
    ),
    "LpNormalization takes no magnitudes": (
        "(float[1,2] x) => (float[1,2] y) <float[1,2] k = {1, -3}> { n = LpNormalization<p = 1>(k) y = Add(x, n) }"
    ),
    "a reversed RNN is not reversed": (
        "(float[2,1,1,1] x) => (float[2,1,1,1] y) <float[2,1,1] k = {1, 3}, float[1,1,1] w = {1}> "
        '{ n = RNN<hidden_size = 1, direction = "reverse">(k, w, w) y = Add(x, n) }'
    ),
}


@pytest.mark.parametrize("name", UNFAITHFUL)
def test_onnx_reference_is_not_trusted_where_it_is_wrong(name: str) -> None:
    assert len(rewrite(UNFAITHFUL[name], "fold", opset=22).ops) == 2


@pytest.mark.parametrize("body", ["Clip(k, zero, one)", "Max(k, zero)", "Max(zero, k)", "Min(k, zero)", "Relu(k)"])
def test_which_zero_is_taken_is_not_promised(body: str) -> None:
    """0 and -0 are equal: runtimes take the one, numpy the other."""
    text = (
        "(float[2] x) => (float[2] y) <float[2] k = {-0.0, 0}, float zero = {0}, float one = {1}> "
        f"{{ a = {body} b = Neg(a) y = Add(x, b) }}"
    )
    assert rewrite(text, "fold", exact=True).ops == [body.split("(")[0], "Neg", "Add"]
    assert [e.numerics for e in rewrite(text, "fold").ctx.ledger.entries] == [Numerics.FINITE, Numerics.EXACT]
    assert rewrite(text.replace("-0.0", "-3").replace("float", "int64"), "fold", exact=True).ops == ["Add"]


def test_the_order_of_what_is_not_sorted_is_the_runtimes() -> None:
    text = (
        "(float[4] x) => (float[4] y) <float[4] k = {3, 3, 1, 3}, int64[1] n = {4}> "
        "{ a, i = TopK<largest = 0, sorted = 0>(k, n) y = Add(x, a) }"
    )
    assert rewrite(text, "fold").ops == ["TopK", "Add"]
    assert rewrite(text.replace("sorted = 0", "sorted = 1"), "fold").ops == ["Add"]


@pytest.mark.parametrize("opset", [7, 11, 13])
def test_the_mask_of_an_old_dropout_is_the_runtimes(opset: int) -> None:
    """Before version 12 the clause does not say what it holds in inference; ONNX Runtime makes it false."""
    text = "(bool[2] x) => (bool[2] y) <float[2] k = {1, 2}> { a, m = Dropout(k) n = Cast<to = 9>(m) y = And(x, n) }"
    assert rewrite(text, "fold", opset=opset).ops == (["And"] if opset >= 12 else ["Dropout", "Cast", "And"])


def test_an_end_of_32_bits_is_the_largest_of_them() -> None:
    """The largest number of 64 bits is -1 in 32: the last element was cut off."""
    text = (
        "(float[N,3] x) => (float[M,3] y) <int32[1] one = {1}, int64[1] first = {0}, int32[1] axis = {0}> "
        "{ s = Shape(x) n = Gather(s, first) e = Cast<to = 6>(n) y = Slice(x, one, e, axis) }"
    )
    feeds = {"x": np.arange(12, dtype=np.float32).reshape(4, 3)}
    found = rewrite(text, "fold.targets", feeds=feeds)
    assert found.fired == ["targets.slice_end"]
    assert found.outputs["y"].shape == (3, 3)


def test_a_cast_to_fewer_bits_does_not_keep_large_numbers() -> None:
    """Inference took 2 ** 40 + 1 for a number that 32 bits hold, and decided a comparison by it."""
    text = (
        "(float[N,3] x) => (bool y) <int64[1] big = {1099511627777}, int64 first = {0}, int32 five = {5}> "
        "{ s = Shape(x) c = Concat<axis = 0>(big, s) d = Cast<to = 6>(c) e = Gather(d, first) y = Less(e, five) }"
    )
    assert rewrite(text, "fold").outputs["y"].item()
