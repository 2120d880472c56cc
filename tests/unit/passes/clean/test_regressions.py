"""Identities that once changed numbers, or that nothing finds."""

from __future__ import annotations

from tests.unit.passes.clean.rewriting import rewrite


def test_a_clip_without_bounds_makes_numbers_of_infinities() -> None:
    """Absent bounds are the limits of the type (operator Clip): bypassing it is exact for integers alone."""
    text = "(float[9] x) => (float[9] y) { a = Clip(x) y = Neg(a) }"
    assert rewrite(text, exact=True).ops == ["Clip", "Neg"]
    assert rewrite(text).ops == ["Neg"]
    assert rewrite(text.replace("float", "int64"), exact=True).ops == ["Neg"]
