"""`clean.contents`: sizes that are known to be equal are computed once."""

from __future__ import annotations

from .rewriting import rewrite

C = "int64 i0 = {0}, int64[1] o = {0}, int64[1] one = {1}"


def test_one_size_by_two_ways() -> None:
    text = (
        f"(float[N,3] x) => (int64[1] p, int64[1] q) <{C}> {{ s = Shape(x) a = Gather(s, i0) p = Unsqueeze(a, o) "
        "r = Relu(x) t = Shape(r) b = Slice(t, o, one) q = Neg(b) }"
    )
    done = rewrite(text, "clean.contents,clean.dead")
    assert done.ops == ["Shape", "Gather", "Unsqueeze", "Neg"]


def test_other_types_shapes_and_sizes_stay() -> None:
    text = (
        f"(float[N,M] x) => (int64[1] p, int64 q, int32[1] r, int64[1] t) <{C}> {{ s = Shape(x) a = Gather(s, o) "
        "b = Gather(s, i0) c = Gather(s, one) d = Cast<to = 6>(a) p = Neg(a) q = Neg(b) r = Neg(d) t = Neg(c) }"
    )
    assert rewrite(text, "clean.contents").fired == []


def test_two_outputs_stay_two() -> None:
    text = f"(float[N,3] x) => (int64[1] p, int64[1] q) <{C}> {{ s = Shape(x) p = Gather(s, o) q = Slice(s, o, one) }}"
    assert rewrite(text, "clean.contents").fired == []


def test_what_is_not_known_in_full_stays() -> None:
    text = (
        f"(float[N,3] x, int64[1] k) => (int64[2] p, int64[2] q) <{C}> {{ s = Shape(x) a = Gather(s, o) "
        "b = Concat<axis = 0>(a, k) c = Concat<axis = 0>(a, k) p = Neg(b) q = Neg(c) }"
    )
    assert rewrite(text, "clean.contents").fired == []
