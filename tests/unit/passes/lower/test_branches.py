"""`lower.branches`: results of one rank."""

from __future__ import annotations

import numpy as np
import pytest

from gopt.ir import TensorType
from tests.unit.passes.clean.rewriting import Rewritten, rewrite

HEAD = """(bool c, float[2,1,3] x, float[2,3] w) => (float y)
<int64[1] a = {1}, int64[1] six = {6}, int64[2] t = {3, 2}>
{ r = If(c) <then_branch = p () => (float u) { u = Squeeze(x, a) }, else_branch = q () => (float v) { v = Neg(x) }> """


def branches(rest: str, **options: object) -> Rewritten:
    return rewrite(f"{HEAD} {rest} }}", "lower.branches", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize(
    ("rest", "moved"),
    [
        pytest.param("y = Reshape(r, six)", 1, id="reshape"),
        pytest.param("z = Exp(r) y = Reshape(z, six)", 2, id="in a row"),
        pytest.param("z = Add(r, r) y = Reshape(z, t)", 2, id="twice"),
        pytest.param("z = Reshape(r, t) y = MatMul(z, w)", 1, id="only as far as it takes"),
        pytest.param("z = Transpose(w) r2 = Reshape(r, t) y = Add(r2, z)", 1, id="something else before"),
        pytest.param("y = ReduceSum<keepdims = 0>(r)", 1, id="sum"),
        pytest.param("y = Flatten<axis = 1>(r)", 1, id="flatten"),
    ],
)
def test_what_makes_the_ranks_equal_goes_into_the_branches(rest: str, moved: int, taken: bool) -> None:
    done = branches(rest, sizes={"c": np.array(taken)})
    assert done.fired == ["branches"]
    op = done.op("If")
    for body in op.bodies:
        assert len(body.ops) == 1 + moved
    ranks = [v.type.rank for b in op.bodies for v in b.outputs if isinstance(v.type, TensorType)]
    assert len(ranks) == 2
    assert len(set(ranks)) == 1


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param("y = Exp(r)", id="never equal"),
        pytest.param("y = Reshape(r, six) k = Neg(r) m = ReduceSum<keepdims = 0>(k)", id="two users"),
        pytest.param("e = ReduceSum<keepdims = 1>(r) y = Add(r, e)", id="it depends on another user"),
    ],
)
def test_what_is_left(rest: str) -> None:
    if "m = " in rest:
        text = f"{HEAD} {rest} }}".replace("=> (float y)", "=> (float y, float m)")
        assert rewrite(text, "lower.branches").fired == []
    else:
        assert branches(rest, runs=False).fired == []


def test_a_result_that_is_an_output_is_left() -> None:
    text = f"{HEAD} y = Reshape(r, six) }}".replace("=> (float y)", "=> (float y, float r)")
    assert rewrite(text, "lower.branches", runs=False).fired == []


def test_equal_ranks_are_left() -> None:
    text = """(bool c, float[2,3] x) => (float y) <int64[1] six = {6}>
    { r = If(c) <then_branch = p () => (float u) { u = Exp(x) }, else_branch = q () => (float v) { v = Neg(x) }>
      y = Reshape(r, six) }"""
    assert rewrite(text, "lower.branches").fired == []


def test_a_branch_that_hands_on_what_it_captures() -> None:
    text = """(bool c, float[2,1,3] x) => (float y) <int64[1] a = {1}, int64[1] six = {6}>
    { n = Neg(x) r = If(c) <then_branch = p () => (float u) { u = Squeeze(n, a) },
      else_branch = q () => (float v) { v = Identity(n) }> y = Reshape(r, six) }"""
    done = rewrite(text, "clean,lower.branches,clean")
    assert "branches" in done.fired
    assert done.ops == ["Neg", "If"]
