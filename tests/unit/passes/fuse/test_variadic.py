"""`fuse.variadic`: chains of Max, Min and Add that become one op, and those that stay."""

from __future__ import annotations

import pytest

from tests.unit.passes.clean.rewriting import rewrite

XYZ = "(float[N,4] x, float[4] z, float[N,1] w) => (float y)"


@pytest.mark.parametrize("op", ["Max", "Min"])
def test_extremes(op: str) -> None:
    text = f"{XYZ} {{ a = {op}(x, z) b = {op}(w, a) y = {op}(b, x) }}"
    assert rewrite(text, "fuse.variadic").ops == [op]
    assert rewrite(text, "fuse.variadic", opset=7, runs=False).fired == []
    assert rewrite(text.replace("(float y)", "(float y, float b)"), "fuse.variadic").ops == [op, op]
    other = "Min" if op == "Max" else "Max"
    assert rewrite(text.replace(f"b = {op}", f"b = {other}"), "fuse.variadic").fired == []
    constant = text.replace("=> (float y)", "=> (float y) <float c = {1}>").replace("(w, a)", "(c, a)")
    assert rewrite(constant, "fuse.variadic").ops == [op, op, op]


@pytest.mark.parametrize("dtype", ["int32", "int64", "double"])
def test_extremes_of_other_types(dtype: str) -> None:
    text = f"({dtype}[N] x, {dtype}[N] z) => ({dtype} y) {{ a = Max(x, z) y = Max(a, x) }}"
    assert rewrite(text, "fuse.variadic").ops == ["Max"]


def test_sums() -> None:
    text = f"{XYZ} {{ a = Add(x, z) b = Add(w, a) y = Add(b, x) }}"
    assert rewrite(text, "fuse.variadic").fired == []
    done = rewrite(text, "fuse.variadic.sums")
    assert done.ops == ["Sum"]
    assert [v.name for v in done.op("Sum").inputs if v is not None] == ["x", "z", "w", "x"]
    assert rewrite(text, "fuse.variadic.sums:fewest=5").fired == []
    assert rewrite(text.replace("(float y)", "(float y, float b)"), "fuse.variadic.sums").ops == ["Sum", "Add"]
    assert rewrite(text.replace("float", "int64"), "fuse.variadic.sums").fired == []
    assert rewrite(text.replace("float", "float16"), "fuse.variadic.sums").fired == []
    assert rewrite(text, "fuse.variadic.sums", opset=7).fired == []


def test_sums_that_meet() -> None:
    text = f"{XYZ} {{ a = Add(x, z) b = Add(w, x) y = Add(a, b) }}"
    assert sorted(rewrite(text, "fuse.variadic.sums").ops) == ["Add", "Sum"]
    assert rewrite(f"{XYZ} {{ a = Add(x, z) y = Add(a, a) }}", "fuse.variadic.sums").fired == []
