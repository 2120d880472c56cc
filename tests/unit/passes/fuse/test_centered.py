"""`fuse.norm.centered`: weights that are freed of the mean of what they make."""

from __future__ import annotations

import pytest

from ..clean.rewriting import rewrite

CONSTANTS = (
    "float[3,4] w = {1, 2, 3, 4, -1, 2, -3, 4, 5, 5, 6, 7}, float[4] b = {1, 0, 2, 3}, float[1] one = {2}, "
    "float[2,1,3,2] k = {1, 2, 3, 4, 5, 6, 7, 8, 9, -1, 0, 2}, float[2] c = {3, 5}"
)


def text(body: str, more: str = "") -> str:
    return f"(float[N,3] a, float[N,1,5,4] p) => (float y{more}) <{CONSTANTS}> {{ {body} }}"


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("x = Gemm(a, w, b) m = ReduceMean<axes = [-1]>(x) y = Sub(x, m)", ["Gemm"]),
        ("x = Gemm(a, w) m = ReduceMean<axes = [1]>(x) y = Sub(x, m)", ["Gemm"]),
        ("t = Transpose(w) x = Gemm<transB = 1, alpha = 0.5>(a, t, b) m = ReduceMean<axes = [-1]>(x) y = Sub(x, m)",
         ["Gemm"]),
        ("x = MatMul(a, w) m = ReduceMean<axes = [1]>(x) y = Sub(x, m)", ["MatMul"]),
        ("u = MatMul(a, w) x = Add(b, u) m = ReduceMean<axes = [1]>(x) y = Sub(x, m)", ["MatMul", "Add"]),
        ("x = Conv(p, k, c) m = ReduceMean<axes = [1]>(x) y = Sub(x, m)", ["Conv"]),
        ("x = Conv<pads = [1, 1, 1, 1]>(p, k) m = ReduceMean<axes = [1]>(x) y = Sub(x, m)", ["Conv"]),
    ],
)  # fmt: skip
def test_the_mean_goes_into_the_weights(body: str, left: list[str]) -> None:
    found = rewrite(text(body), "fold,fuse.norm.centered", 13)
    assert found.ops == left
    assert "norm.centered.weights" in found.fired


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ("x = Gemm(a, w, b) m = ReduceMean<axes = [0]>(x) y = Sub(x, m)", ""),
        ("x = Gemm(a, w, b) m = ReduceMean<axes = [-1], keepdims = 0>(x) t = Transpose(x) y = Sub(t, m)", ""),
        ("x = Gemm(a, w, b) m = ReduceMean<axes = [-1]>(x) y = Sub(m, x)", ""),
        ("x = Gemm(a, w, b) m = ReduceMean<axes = [-1]>(x) y = Sub(x, m) z = Relu(x)", ", float z"),
        ("x = Gemm(a, w, b) m = ReduceMean<axes = [-1]>(x) y = Sub(x, m) z = Relu(m)", ", float z"),
        ("x = Gemm(a, w, one) m = ReduceMean<axes = [-1]>(x) y = Sub(x, m)", ""),
        ("x = Conv(p, k, c) m = ReduceMean<axes = [2]>(x) y = Sub(x, m)", ""),
        ("x = Relu(p) m = ReduceMean<axes = [1]>(x) y = Sub(x, m)", ""),
        ("u = MatMul(a, w) x = Add(b, u) m = ReduceMean<axes = [1]>(x) y = Sub(x, m) z = Relu(u)", ", float z"),
    ],
    ids=["axis", "keepdims", "turned", "x", "mean", "one bias", "kernel axis", "no product", "the product"],
)
def test_it_stays(body: str, more: str) -> None:
    assert rewrite(text(body, more), "fuse.norm.centered", 13).fired == []


def test_layer_normalization_is_better() -> None:
    body = text("x = Gemm(a, w, b) m = ReduceMean<axes = [-1]>(x) y = Sub(x, m)")
    assert rewrite(body, "fuse.norm.centered", 17).fired == []
    channels = text("x = Conv(p, k, c) m = ReduceMean<axes = [1]>(x) y = Sub(x, m)")
    assert rewrite(channels, "fuse.norm.centered", 17).ops == ["Conv"]
