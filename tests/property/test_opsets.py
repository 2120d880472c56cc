"""Whatever the graph: at another opset it computes the same, and what it was made into can be optimized there."""

from __future__ import annotations

import onnx
from hypothesis import given
from hypothesis import strategies as st

from gopt.api import apply
from gopt.errors import TargetError
from gopt.frontends.onnx import load, to_bytes
from gopt.ir.check import check

from .graphs import models
from .test_passes import EXAMPLES, same_numbers

OPSETS = st.integers(10, 26)


def brought(data: bytes, opsets: list[int]) -> bytes | None:
    """The model after conversion to each opset in turn; None if one is out of reach."""
    model = load(data)
    for opset in opsets:
        try:
            apply(model, f"opset:to={opset}")
        except TargetError:
            assert to_bytes(load(to_bytes(model))) == to_bytes(model)
            return None
        check(model)
    return to_bytes(model)


@EXAMPLES
@given(model=models(), opsets=st.lists(OPSETS, min_size=1, max_size=3))
def test_from_opset_to_opset(model: onnx.ModelProto, opsets: list[int]) -> None:
    before = model.SerializeToString()
    now = brought(before, opsets)
    if now is not None:
        onnx.checker.check_model(now)
        same_numbers(before, now)


@EXAMPLES
@given(model=models(), opset=OPSETS)
def test_to_an_opset_and_on(model: onnx.ModelProto, opset: int) -> None:
    before = model.SerializeToString()
    now = brought(before, [opset])
    if now is not None:
        made = load(now)
        apply(made, "@default")
        same_numbers(before, to_bytes(made))
