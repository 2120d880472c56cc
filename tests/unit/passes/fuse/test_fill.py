"""`fuse.fill`: tensors of one number as operands of elementwise ops."""

from __future__ import annotations

import pytest

from tests.unit.passes.clean.rewriting import rewrite

LIKE = "s = Shape(x) k = ConstantOfShape<value = float[1] {2}>(s)"


@pytest.mark.parametrize("x", ["float[2,3]", "float[N,3]", "float[N,M]"])
@pytest.mark.parametrize("op", ["y = Mul(x, k)", "y = Sub(k, x)", "y = Pow(x, k)", "y = Max(k, x)"])
def test_like_another_operand(x: str, op: str) -> None:
    done = rewrite(f"({x} x) => (float y) {{ {LIKE} {op} }}", "(fuse.fill,clean)*")
    assert len(done.ops) == 1


def test_a_choice() -> None:
    text = f"(float[N,3] x, bool[N,1] m) => (float y) {{ {LIKE} y = Where(m, k, x) }}"
    assert rewrite(text, "fuse.fill").ops == ["Where"]


def test_zeros_without_a_value() -> None:
    text = "(float[N,3] x) => (bool y) { s = Shape(x) k = ConstantOfShape(s) y = Less(k, x) }"
    assert rewrite(text, "fuse.fill").ops == ["Less"]


@pytest.mark.parametrize(
    "text",
    [
        "(float[N,3] x, float[3] z) => (float y) { s = Shape(x) k = ConstantOfShape(s) y = Add(z, k) }",
        "(float[N,3] x, float[M,3] z) => (float y) { s = Shape(x) k = ConstantOfShape(s) y = Add(z, k) }",
        "(float[N,3] x) => (float y) { s = Shape(x) k = ConstantOfShape(s) y = Add(k, k) }",
        "(float[N,3] x, int64[2] s) => (float y) { k = ConstantOfShape(s) y = Add(x, k) }",
        "(float[N,3] x) => (float y) { s = Shape(x) k = ConstantOfShape(s) y = Concat<axis=0>(x, k) }",
    ],
)
def test_what_would_change_the_shape_stays(text: str) -> None:
    assert rewrite(text, "fuse.fill", runs=False).fired == []


def test_what_others_need_stays_as_well() -> None:
    text = f"(float[N,3] x) => (float y, float k) {{ {LIKE} y = Mul(x, k) }}"
    done = rewrite(text, "fuse.fill")
    assert done.ops == ["Shape", "ConstantOfShape", "Mul"]
    assert done.op("Mul").inputs[1].const is not None  # type: ignore[union-attr]


def test_in_a_body() -> None:
    text = f"""(float[N,3] x, bool p) => (float y) {{ {LIKE}
        y = If(p) <then_branch = t () => (float[] a) {{ a = Mul(x, k) }},
                   else_branch = e () => (float[] b) {{ b = Sub(k, x) }}> }}"""
    assert rewrite(text, "fuse.fill").ops == ["If"]


def test_integers() -> None:
    text = """(int64[N,3] x) => (int64 y) { s = Shape(x) k = ConstantOfShape<value = int64[1] {7}>(s) y = Add(x, k) }"""
    assert rewrite(text, "fuse.fill").ops == ["Add"]
