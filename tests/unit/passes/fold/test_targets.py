"""`fold.targets`: shapes that ops are told, from constants in place of sizes."""

from __future__ import annotations

import pytest

from ..clean.rewriting import rewrite

C = "int64 i0 = {0}, int64 i1 = {1}, int64 i2 = {2}, int64[1] o = {0}, int64[1] one = {1}, int64[1] rest = {-1}"
PICK = "s = Shape(x) a = Gather(s, i0) b = Gather(s, i1) c = Gather(s, i2) e = Unsqueeze(a, o) f = Unsqueeze(b, o) "

RESHAPES = {
    "dims at their place": ("float[N,M,8]", "t = Concat<axis = 0>(e, f, rest)", [0, 0, 8]),
    "one dim elsewhere": ("float[N,4,8]", "t = Concat<axis = 0>(one, e, rest)", [1, -1, 32]),
    "a product": ("float[N,M,8]", "d = Mul(a, b) g = Unsqueeze(d, o) t = Concat<axis = 0>(g, rest)", [-1, 8]),
}


@pytest.mark.parametrize("name", RESHAPES)
def test_a_target_that_a_constant_can_say(name: str) -> None:
    dims, chain, target = RESHAPES[name]
    done = rewrite(f"({dims} x) => (float y) <{C}> {{ {PICK}{chain} y = Reshape(x, t) }}", "fold.targets,clean.dead")
    assert done.ops == ["Reshape"]
    tensor = done.op("Reshape").inputs[1].const  # type: ignore[union-attr]
    assert tensor is not None
    assert tensor.numpy().tolist() == target


KEPT = {
    "a quotient and what it leaves": (
        "float[N,4,M]",
        "d = Div(c, i2) g = Unsqueeze(d, o) t = Concat<axis = 0>(e, g, rest)",
    ),
    "two dims that change places": ("float[N,M,8]", "t = Concat<axis = 0>(f, e, rest)"),
    "two dims at other places": ("float[N,M,8]", "t = Concat<axis = 0>(one, e, f, rest)"),
    "a size that may be negative": (
        "float[N,M,8]",
        "d = Sub(a, b) g = Unsqueeze(d, o) h = Neg(f) t = Concat<axis = 0>(e, g, h)",
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_target_that_no_constant_can_say(name: str) -> None:
    dims, chain = KEPT[name]
    text = f"({dims} x) => (float y) <{C}> {{ {PICK}{chain} y = Reshape(x, t) }}"
    assert rewrite(text, "fold.targets", runs=False).fired == []


def test_a_zero_that_means_zero_stays() -> None:
    text = (
        f"(float[N,0] x) => (float y) <{C}> {{ s = Shape(x) e = Gather(s, o) t = Concat<axis = 0>(o, e) "
        "y = Reshape<allowzero = 1>(x, t) }"
    )
    assert rewrite(text, "fold.targets", runs=False).fired == []


def test_expand_to_own_dims() -> None:
    text = (
        f"(float[N,1] x) => (float y) <{C}, int64[1] n = {{5}}> "
        "{ s = Shape(x) a = Gather(s, o) t = Concat<axis = 0>(a, n) y = Expand(x, t) }"
    )
    done = rewrite(text, "fold.targets,clean.dead")
    assert done.ops == ["Expand"]
    assert done.op("Expand").inputs[1].const.numpy().tolist() == [1, 5]  # type: ignore[union-attr]
    other = text.replace("float[N,1] x", "float[N,1] x, float[M] z").replace("Shape(x)", "Shape(z)")
    assert rewrite(other, "fold.targets", sizes=None, runs=False).fired == []


RESIZE = (
    "(float[1,1,N,4] x) => (float y) <int64[2] two = {0, 1}, int64[2] last = {2, 3}, int64[2] k = {2, 3}> "
    "{ s = Shape(x) a = Gather(s, two) b = Gather(s, last) c = Mul(b, k) t = Concat<axis = 0>(a, c) "
    'y = Resize<mode = "linear", coordinate_transformation_mode = "half_pixel">(x, , , t) }'
)


def test_sizes_that_are_multiples_are_scales() -> None:
    done = rewrite(RESIZE, "fold.targets,clean.dead")
    assert done.ops == ["Resize"]
    assert done.op("Resize").inputs[2].const.numpy().tolist() == [1, 1, 2, 3]  # type: ignore[union-attr]


def test_sizes_that_are_no_multiples_stay() -> None:
    assert rewrite(RESIZE.replace("Mul(b", "Div(b"), "fold.targets").fired == []
    assert rewrite(RESIZE.replace("Mul(b", "Add(b"), "fold.targets").fired == []


def test_an_end_at_or_behind_the_dim() -> None:
    text = f"(float[N,3,M] x) => (float y) <{C}> {{ s = Shape(x) n = Gather(s, o) y = Slice(x, one, n, o) }}"
    done = rewrite(text, "fold.targets,clean.dead")
    assert done.ops == ["Slice"]
    before = text.replace("y = Slice", "m = Sub(n, one) y = Slice").replace("(x, one, n", "(x, one, m")
    assert rewrite(before, "fold.targets").fired == []
    assert rewrite(text.replace("Gather(s, o)", "Gather(s, rest)"), "fold.targets").fired == []


def test_no_wildcard_beside_a_size_that_may_be_zero() -> None:
    """There may be no index that is not zero; what -1 means is then open, and ONNX Runtime refuses it."""
    text = (
        f"(float[Z] z, float[5,N,M] w) => (float y) <{C}> {{ k = NonZero(z) k1 = Squeeze(k, o) x = Gather(w, k1) "
        f"{PICK} d = Mul(b, c) g = Unsqueeze(d, o) t = Concat<axis = 0>(e, g) y = Reshape(x, t) }}"
    )
    assert rewrite(text, "fold.targets", runs=False).fired == []
    filled = text.replace("Gather(w, k1)", "Relu(w)")
    assert rewrite(filled, "fold.targets,clean.dead", runs=False).ops[-1] == "Reshape"
    assert rewrite(filled, "fold.targets", runs=False).fired == ["targets.reshape"]
    wild = text.replace("Concat<axis = 0>(e, g)", "Concat<axis = 0>(e, rest)")
    assert rewrite(wild, "fold.targets", runs=False).fired == ["targets.reshape"]
