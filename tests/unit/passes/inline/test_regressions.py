"""What the inlining passes once got wrong; found by `python -m gopt.testing.fuzz`."""

from __future__ import annotations

import numpy as np

from ..clean.rewriting import rewrite


def test_the_number_of_the_turn_is_handed_on_as_a_copy() -> None:
    """ONNX Runtime counts in place: what was carried on, without a copy, was one more at the end."""
    text = """(int64 n) => (int64 y) {
        y = Loop(n, "", n) <body = body (int64 i, bool go, int64 last) => (bool on, int64 next) {
            on = Identity(go) next = Identity(i) }>
    }"""
    found = rewrite(text, "inline.carried", feeds={"n": np.array(3)})
    assert [op.op_type for op in found.model.graph.ops[0].bodies[0].ops] == ["Identity"]
