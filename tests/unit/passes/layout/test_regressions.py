"""What the layout passes once got wrong; most of it was found by `python -m gopt.testing.fuzz`."""

from __future__ import annotations

import pytest

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
