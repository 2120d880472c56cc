"""`opset.downgrade`: older where that can be had."""

from __future__ import annotations

import pytest

from gopt.api import apply
from gopt.frontends.text import parse

GELU = """<ir_version: 10, opset_import: ["": 21]>
g (float[1,4] x) => (float[1,4] y) { a = Relu(x) y = Gelu(a) }"""


def test_what_an_older_opset_lacks_is_said_by_what_it_has() -> None:
    model = parse(GELU)
    apply(model, "opset.downgrade:to=19")
    assert model.opsets[""] == 19
    assert "Gelu" not in [op.op_type for op in model.graph.ops]


@pytest.mark.parametrize("version", [17, 19])
def test_a_model_that_is_as_old_stays(version: int) -> None:
    model = parse(GELU.replace("21", str(version)).replace("Gelu", "Neg"))
    assert not apply(model, "opset.downgrade:to=19")[1].entries
    assert model.opsets[""] == version


def test_a_model_that_cannot_go_stays() -> None:
    model = parse("""<ir_version: 10, opset_import: ["": 20]>
g (float[1,1,2,4,4] x, float[1,3,4,4,3] z) => (float[1,1,3,4,4] y) { y = GridSample(x, z) }""")
    _, ledger = apply(model, "opset.downgrade:to=19")
    assert not ledger.entries
    assert model.opsets[""] == 20


def test_an_exact_run_leaves_what_rounds() -> None:
    model = parse(GELU)
    apply(model, "opset.downgrade:to=19", exact=True)
    assert model.opsets[""] == 21


def test_it_runs_only_when_named() -> None:
    model = parse(GELU)
    apply(model, "opset:to=20")
    assert model.opsets[""] == 20
