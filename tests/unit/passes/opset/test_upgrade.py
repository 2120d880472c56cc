"""`opset.upgrade`: newer where that can be had."""

from __future__ import annotations

import pytest

from gopt.api import apply
from gopt.frontends.text import parse

GELU = """<ir_version: 8, opset_import: ["": 13]>
g (float[N,4] x) => (float[N,4] y) <float half = {0.5}, float one = {1}, float root = {1.4142135}> {
    a = Div(x, root) b = Erf(a) c = Add(b, one) d = Mul(x, half) y = Mul(d, c) }"""


def test_a_newer_opset_has_single_operators() -> None:
    model = parse(GELU)
    apply(model, "@ort")
    assert model.opsets[""] == 21
    assert [op.op_type for op in model.graph.ops] == ["Gelu"]


@pytest.mark.parametrize("version", [21, 23])
def test_a_model_that_is_as_new_stays(version: int) -> None:
    model = parse(GELU.replace("13", str(version)))
    assert not apply(model, "opset.upgrade:to=21")[1].entries
    assert model.opsets[""] == version


def test_a_model_that_cannot_go_stays() -> None:
    """A Scan of version 8, over a batch, has no counterpart."""
    text = """<ir_version: 8, opset_import: ["": 8]>
g (float[2,3,4] x) => (float[2,3,4] y) {
    y = Scan<num_scan_inputs = 1, body = b (float[4] c) => (float[4] d) { d = Neg(c) }>(, x) }"""
    model = parse(text)
    _, ledger = apply(model, "opset.upgrade:to=21")
    assert not ledger.entries
    assert model.opsets[""] == 8


def test_it_runs_only_when_named() -> None:
    model = parse(GELU)
    apply(model, "opset:to=15")
    assert model.opsets[""] == 15
