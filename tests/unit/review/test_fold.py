"""Folding that once gave other numbers than ONNX Runtime."""

from __future__ import annotations

import pytest

from ..passes.clean.rewriting import rewrite


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
