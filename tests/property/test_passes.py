"""Whatever the graph: every family, alone and in any order, keeps the numbers, ends at a fixed point, stays valid."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gopt.api import apply
from gopt.frontends.onnx import load, to_bytes
from gopt.ir.check import check
from gopt.rewrite import Numerics
from gopt.testing.check import difference, run
from tests.property.graphs import models

FAMILIES = ("inline", "fold", "clean", "layout", "fuse")
EXAMPLES = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)


def numbers(model: bytes) -> dict[str, np.ndarray] | None:
    data = np.random.default_rng(0).uniform(0.3, 2.0, (2, 4, 3, 3)).astype(np.float32)
    return run(model, {"x": data})


def same_numbers(before: bytes, now: bytes) -> None:
    expected, got = numbers(before), numbers(now)
    assert expected is not None
    assert got is not None, "the result does not run"
    assert list(expected) == list(got)
    for name, want in expected.items():
        assert not difference(want, got[name], Numerics.ROUNDING)[1], name


@pytest.mark.parametrize("pipeline", [*FAMILIES, "lower", "@default", "@tensorrt"])
@EXAMPLES
@given(model=models())
def test_a_family_alone(pipeline: str, model: onnx.ModelProto) -> None:
    before = model.SerializeToString()
    rewritten = load(before)
    apply(rewritten, pipeline)
    check(rewritten)
    now = to_bytes(rewritten)
    onnx.checker.check_model(now)
    same_numbers(before, now)


@EXAMPLES
@given(model=models(), order=st.permutations(FAMILIES))
def test_families_in_any_order(model: onnx.ModelProto, order: list[str]) -> None:
    before = model.SerializeToString()
    rewritten = load(before)
    apply(rewritten, ",".join(order))
    check(rewritten)
    same_numbers(before, to_bytes(rewritten))


@EXAMPLES
@given(model=models())
def test_the_default_ends_at_a_fixed_point(model: onnx.ModelProto) -> None:
    once = load(model.SerializeToString())
    apply(once, "@default")
    again = load(to_bytes(once))
    _, ledger = apply(again, "@default")
    assert [str(e) for e in ledger.entries] == []


@EXAMPLES
@given(model=models(), share=st.floats(0, 1))
def test_every_prefix_of_the_ledger_is_a_correct_model(model: onnx.ModelProto, share: float) -> None:
    before = model.SerializeToString()
    whole = load(before)
    _, ledger = apply(whole, "@default")
    limit = int(share * len(ledger.entries))
    part = load(before)
    _, prefix = apply(part, "@default", limit=limit)
    assert [e.key for e in prefix.entries] == [e.key for e in ledger.entries[:limit]]
    same_numbers(before, to_bytes(part))


@EXAMPLES
@given(model=models())
def test_exact_is_bit_exact(model: onnx.ModelProto) -> None:
    before = model.SerializeToString()
    rewritten = load(before)
    apply(rewritten, "@default", exact=True)
    expected, got = numbers(before), numbers(to_bytes(rewritten))
    assert expected is not None
    assert got is not None
    for name, want in expected.items():
        assert not difference(want, got[name], Numerics.EXACT)[1], name
