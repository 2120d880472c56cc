"""What the layout passes once got wrong; most of it was found by `python -m gopt.testing.fuzz`."""

from __future__ import annotations

import numpy as np
import pytest

from gopt.rewrite import Numerics

from ..clean.rewriting import rewrite


def test_transposes_that_nobody_needs_do_not_keep_the_others_moving() -> None:
    """The dead ones counted as saved, but stayed: those before them were replaced by themselves for ever."""
    text = (
        "(float[2,4,2] x) => (float[2,4,2] i) { i = Identity(x) a = Transpose<perm = [2, 1, 0]>(i) "
        "b = Transpose<perm = [0, 2, 1]>(a) n = Neg(b) c = Transpose<perm = [0, 2, 1]>(i) "
        "d = Transpose<perm = [1, 2, 0]>(c) }"
    )
    found = rewrite(text, "layout.transpose", limit=20)
    assert len(found.fired) == 1
    assert found.ops == ["Identity", "Transpose", "Neg", "Transpose", "Transpose"]


@pytest.mark.parametrize("axes", [", axes", ""])
def test_bounds_of_a_slice_are_of_one_type(axes: str) -> None:
    """The axes were given as numbers of 64 bits beside bounds of 32: no model at all."""
    text = (
        "(float[2,3,4] x) => (float y) <int32[2] start = {0, 1}, int32[2] end = {2, 2}, int32[2] axes = {0, 1}> "
        "{ a = Transpose<perm = [0, 2, 1]>(x) s = Slice(a, start, end%s) y = Transpose<perm = [0, 2, 1]>(s) }"
    )
    assert rewrite(text % axes, "layout.transpose").ops == ["Slice"]


def test_nothing_backwards_is_nothing() -> None:
    """Of no elements taken backwards the start was said to be -1, which is the last one."""
    text = (
        "(float[5] x) => (float y) <int64[1] z = {0}, int64[1] m = {-1}, int64[1] e = {-6}> "
        "{ a = Slice(x, z, z) y = Slice(a, m, e, z, m) }"
    )
    assert rewrite(text, "layout.slices").outputs["y"].size == 0


def test_indices_that_count_from_the_end_do_not_count_all_there_is() -> None:
    """One and M times the indices -M to M - 1 come to 0, 1, 2, ..., but take the second row twice."""
    text = (
        "(float[2,M] x) => (float y) <int64 one = {1}, int64[1] e = {-1}> "
        "{ s = Shape(x) m = Gather(s, one) n = Neg(m) j = Range(n, m, one) h = Sub(j, j) i = Add(h, one) "
        "u = Unsqueeze(i, e) v = Unsqueeze(j, e) c = Concat<axis = -1>(u, v) y = GatherND(x, c) }"
    )
    assert "GatherND" in rewrite(text, "layout.gather").ops


@pytest.mark.parametrize("last, ops", [(3, ["Split"]), (19, ["Reshape", "Gather", "Gather"])])
def test_two_of_many_elements_are_not_picked_by_a_split_into_all(last: int, ops: list[str]) -> None:
    """A Split into twenty parts copied eighteen of them for nothing."""
    sizes = f"{{0, {last + 1}, {64 // (last + 1) * 4}}}"
    text = (
        f"(float[2,{(last + 1) * (64 // (last + 1) * 4)}] x) => (float y, float z) "
        f"<int64[3] s = {sizes}, int64 i = {{0}}, int64 j = {{{last}}}> "
        "{ a = Reshape(x, s) y = Gather<axis = 1>(a, i) z = Gather<axis = 1>(a, j) }"
    )
    assert rewrite(text, "layout.parts").ops == ops


@pytest.mark.parametrize("function, numerics", [("Log", Numerics.ROUNDING), ("Neg", Numerics.EXACT)])
def test_functions_of_elements_that_stand_elsewhere(function: str, numerics: Numerics) -> None:
    """ONNX Runtime computes Log of several elements at once, and of those left over in another way: they differ."""
    moved = f"(float[3,3] x) => (float y) {{ a = Transpose(x) b = {function}(a) y = Transpose(b) }}"
    spread = f"(float[1,3] x) => (float y) <int64[2] s = {{5, 3}}> {{ a = Expand(x, s) y = {function}(a) }}"
    for text, first in ((moved, function), (spread, function)):
        feeds = {"x": np.linspace(0.5, 2, 9 if text == moved else 3, dtype=np.float32).reshape(-1, 3)}
        found = rewrite(text, "layout", feeds=feeds)
        assert found.ops[0] == first
        assert {e.numerics for e in found.ctx.ledger.entries} == {numerics}


def test_parts_of_a_part_are_split_after_it() -> None:
    """The part had become another value when its own parts were split, and the pass was left out of the run."""
    text = (
        "(float[N,8] x) => (float y, float z, float w) "
        "<int64[1] o = {0}, int64[1] i = {2}, int64[1] j = {6}, int64[1] e = {8}, int64[1] a = {1}> "
        "{ p = Slice(x, o, j, a) q = Slice(x, j, e, a) r = Slice(p, o, i, a) s = Slice(p, i, j, a) "
        "t = Exp(p) y = Mul(t, p) z = Add(r, q) w = Neg(s) }"
    )
    assert rewrite(text, "layout.split.from_slices").ops.count("Split") == 2
