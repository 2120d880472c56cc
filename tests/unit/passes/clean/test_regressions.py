"""Identities that once changed numbers, or that nothing finds."""

from __future__ import annotations

from tests.unit.passes.clean.rewriting import rewrite


def test_a_clip_without_bounds_makes_numbers_of_infinities() -> None:
    """Absent bounds are the limits of the type (operator Clip): bypassing it is exact for integers alone."""
    text = "(float[9] x) => (float[9] y) { a = Clip(x) y = Neg(a) }"
    assert rewrite(text, exact=True).ops == ["Clip", "Neg"]
    assert rewrite(text).ops == ["Neg"]
    assert rewrite(text.replace("float", "int64"), exact=True).ops == ["Neg"]


def test_omitted_results_go_with_what_computes_them() -> None:
    """To drop the last one dropped the omitted one with it; the bodies lost only one."""
    text = """(float[2] x, bool q) => (float[2] y) {
        a, , c = If(q) <then_branch = t () => (float[2] o, float[2] p, float[2] r) { o = Neg(x) p = Abs(x) r = Exp(x) },
                        else_branch = e () => (float[2] u, float[2] v, float[2] w) { u = Abs(x) v = Neg(x) w = Exp(x) }>
        y = Neg(a) }"""
    op = rewrite(text, "clean.dead", runs=False).op("If")  # ONNX Runtime takes no If with an omitted result
    assert len(op.outputs) == 1
    assert [len(body.outputs) for body in op.bodies] == [1, 1]


def test_a_layer_with_an_omitted_result_before_an_unused_one() -> None:
    """The omitted one went with the last one, and was looked for again: the pass failed."""
    weights = f"float[1,8,3] w = {{{','.join('1' * 24)}}}, float[1,8,2] r = {{{','.join('1' * 16)}}}"
    text = f'(float[4,2,3] x) => (float y) <{weights}> {{ a, "", c = LSTM<hidden_size = 2>(x, w, r) y = Neg(a) }}'
    assert len(rewrite(text, "clean.dead").op("LSTM").outputs) == 1
