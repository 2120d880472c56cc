"""`fuse.siblings`: products and convolutions of one operand that become one, and those that must not."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.unit.passes.clean.rewriting import Rewritten, rewrite

SHAPES = {
    "u": (4, 3),
    "v": (4, 3),
    "w": (4, 5),
    "b": (3,),
    "c": (5,),
    "ct": (5, 4),
    "k": (2, 4, 1, 1),
    "l": (3, 4, 1, 1),
}
SHAPES |= {"d": (2,), "m": (3, 4, 3, 3), "g": (2, 2, 1, 1)}


def merge(text: str, passes: str = "fuse.siblings.products", opset: int = 18) -> Rewritten:
    def fill(model: onnx.ModelProto) -> None:
        rng = np.random.default_rng(3)
        used = {name for node in model.graph.node for name in node.input}
        for name, shape in SHAPES.items():
            if name in used:
                array = rng.uniform(-1, 1, shape).astype("f4")
                model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))

    return rewrite(text, passes, opset, edit=fill)


X = "(float[N,7,4] x) => (float q, float p, float r)"
X2 = "(float[N,4] x) => (float q, float p)"
X4 = "(float[N,4,5,5] x) => (float q, float p)"


@pytest.mark.parametrize("opset", [11, 13, 18, 21])
def test_queries_keys_and_values(opset: int) -> None:
    text = f"{X} {{ a = MatMul(x, u) q = Add(a, b) p = MatMul(x, v) e = MatMul(x, w) r = Add(c, e) }}"
    done = merge(text, opset=opset)
    assert done.ops == ["MatMul", "Add", "Split"]
    assert [v.name for v in done.model.graph.outputs] == ["q", "p", "r"]


def test_products_without_constants_to_add() -> None:
    assert merge(f"{X} {{ q = MatMul(x, u) p = MatMul(x, v) r = MatMul(x, w) }}").ops == ["MatMul", "Split"]


def test_a_product_that_others_use_as_well_keeps_its_sum() -> None:
    text = f"{X} {{ q = MatMul(x, u) p = Add(q, b) r = MatMul(x, w) }}"
    assert sorted(merge(text).ops) == ["Add", "MatMul", "Split"]


def test_gemms() -> None:
    text = f"{X2} {{ q = Gemm<alpha=0.5>(x, u, b) p = Gemm<transB=1, beta=2.0>(x, ct, c) }}"
    assert merge(text).ops == ["Gemm", "Split"]
    assert merge(text.replace("transB=1", "transB=1, transA=0")).ops == ["Gemm", "Split"]


@pytest.mark.parametrize(
    "body",
    [
        "q = MatMul(x, u) p = MatMul(z, v)",
        "q = MatMul(x, u) p = Sin(x)",
        "q = Gemm(x, u) p = MatMul(x, u)",
        "s = Neg(u) q = MatMul(x, s) p = MatMul(x, v)",
    ],
)
def test_other_products(body: str) -> None:
    assert merge(f"(float[N,4] x, float[N,4] z) => (float q, float p) {{ {body} }}").fired == []


def test_the_fewest_that_are_merged() -> None:
    text = f"{X2} {{ q = MatMul(x, u) p = MatMul(x, v) }}"
    assert merge(text, "fuse.siblings.products:fewest=3").fired == []
    assert merge(text, "fuse.siblings.products:fewest=2").ops == ["MatMul", "Split"]


CONVOLUTIONS: dict[str, tuple[str, list[str]]] = {
    "one of them with a bias": ("q = Conv(x, k, d) p = Conv(x, l)", ["Conv", "Split"]),
    "strides": ("q = Conv<strides=[2,2]>(x, k) p = Conv<strides=[2,2]>(x, l)", ["Conv", "Split"]),
    "other strides": ("q = Conv<strides=[2,2]>(x, k) p = Conv(x, l)", []),
    "other kernels": ("q = Conv(x, k) p = Conv<pads=[1,1,1,1]>(x, m)", []),
    "groups": ("q = Conv<group=2>(x, g) p = Conv<group=2>(x, g)", []),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str) -> None:
    body, left = CONVOLUTIONS[name]
    done = merge(f"{X4} {{ {body} }}", "fuse.siblings.convolutions")
    assert done.ops == left if left else not done.fired


def test_they_run_only_when_named() -> None:
    text = f"{X2} {{ q = MatMul(x, u) p = MatMul(x, v) }}"
    assert merge(text, "fuse").fired == []
