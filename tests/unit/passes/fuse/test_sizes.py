"""`fuse.sizes`: lists of sizes by the fewest ops."""

from __future__ import annotations

from ..clean.rewriting import rewrite

C = "int64 i0 = {0}, int64 i1 = {1}, int64[1] o = {0}, int64[1] n1 = {1}, int64[1] n7 = {7}"
EXPAND = (
    f"(float[N,M,3] x, float[7] z) => (float y) <{C}> {{ s = Shape(x) a = Gather(s, i0) b = Gather(s, i1) "
    "e = Unsqueeze(a, o) f = Unsqueeze(b, o) t = Concat<axis = 0>(ORDER) y = Expand(z, t) }"
)


def test_neighbouring_dims_are_one_part_of_the_shape() -> None:
    done = rewrite(EXPAND.replace("ORDER", "e, f, n7"), "fuse.sizes")
    assert done.ops == ["Shape", "Concat", "Expand"]
    assert done.op("Shape").attr("end") == 2


def test_before_opset_15_a_part_of_a_shape_is_sliced() -> None:
    assert rewrite(EXPAND.replace("ORDER", "e, f, n7"), "fuse.sizes", opset=13).ops == [
        "Shape",
        "Slice",
        "Concat",
        "Expand",
    ]
    whole = EXPAND.replace("ORDER", "e, f").replace("x, float[7] z", "x, float[1,1] z").replace("N,M,3", "N,M")
    assert rewrite(whole, "fuse.sizes", opset=13).ops == ["Shape", "Expand"]


def test_before_opset_15_a_shape_that_stays_is_no_gain() -> None:
    text = (
        f"(float[N,M,3] x, float[7] z) => (float y) <{C}> "
        "{ s = Shape(x) a = Slice(s, o, n1, o) t = Concat<axis = 0>(a, n7) y = Expand(z, t) }"
    )
    assert rewrite(text, "fuse.sizes", opset=13).fired == []


def test_dims_that_change_places_take_a_part_each() -> None:
    done = rewrite(EXPAND.replace("ORDER", "f, e, n7"), "fuse.sizes")
    assert done.ops == ["Shape", "Shape", "Concat", "Expand"]


def test_what_is_as_short_already_stays() -> None:
    text = (
        f"(float[N,M,3] x, float[7] z) => (float y) <{C}> "
        "{ s = Shape<start = 0, end = 2>(x) t = Concat<axis = 0>(s, n7) y = Expand(z, t) }"
    )
    assert rewrite(text, "fuse.sizes").fired == []


def test_lists_that_share_ops_are_decided_on_together() -> None:
    """Each alone needs a Shape of its own; together they need one."""
    text = (
        f"(float[N,M,3] x, float[7] z) => (float p, float q) <{C}> {{ s = Shape(x) a = Cast<to = 6>(s) "
        "b = Slice(a, o, n1) c = Cast<to = 7>(b) t = Concat<axis = 0>(c, n7) u = Concat<axis = 0>(n1, c, n7) "
        "p = Expand(z, t) q = Expand(z, u) }"
    )
    done = rewrite(text, "fuse.sizes")
    assert done.ops.count("Shape") == 1
    assert len(done.ops) == 5


def test_a_list_that_is_there_is_a_part() -> None:
    text = (
        f"(float[N,M,3] x, float[7] z) => (float y, int64[1] k) <{C}> {{ s = Shape(x) a = Gather(s, o) "
        "b = Gather(s, n1) k = Mul(a, b) c = Cast<to = 6>(k) d = Cast<to = 7>(c) t = Concat<axis = 0>(d, n7) "
        "y = Expand(z, t) }"
    )
    assert rewrite(text, "fuse.sizes").ops == ["Shape", "Gather", "Gather", "Mul", "Concat", "Expand"]


def test_a_scalar_is_squeezed_from_a_part() -> None:
    text = (
        f"(float[N,M,3] x) => (int64 y) <{C}> {{ s = Shape(x) a = Gather(s, i0) b = Unsqueeze(a, o) "
        "c = Cast<to = 6>(b) d = Cast<to = 7>(c) e = Squeeze(d, o) y = Range(i0, e, i1) }"
    )
    assert rewrite(text, "fuse.sizes").ops == ["Shape", "Squeeze", "Range"]
