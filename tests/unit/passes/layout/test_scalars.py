"""`layout.scalars`: arithmetic on scalars that become lists."""

from __future__ import annotations

import pytest

from ..clean.rewriting import rewrite

HEAD = "(float[N,M] x) => (float y{more}) <int64 i = {{0}}, int64 j = {{1}}, int64 two = {{2}}, int64[1] z = {{0}}> "
S = "{{ s = Shape(x) n = Gather(s, i) m = Gather(s, j) "

FIRES = {
    "one chain": (
        "a = Mul(n, two) b = Add(a, m) u = Unsqueeze(b, z) y = Expand(x0, u) }}",
        "",
        ["Shape", "Gather", "Gather", "Mul", "Add", "Expand"],
    ),
    "a Reshape, and a cast": (
        "a = Cast<to = 6>(n) b = Cast<to = 7>(a) l = Constant<value = int64[1] {{-1}}>() u = Reshape(b, l) "
        "y = Expand(x0, u) }}",
        "",
        ["Shape", "Gather", "Cast", "Cast", "Expand"],
    ),
    "several chains of one scalar": (
        "a = Mul(n, two) u = Unsqueeze(a, z) b = Add(n, two) v = Unsqueeze(b, z) t = Expand(x0, u) w = Expand(x0, v) "
        "y = Concat<axis = 0>(t, w) }}",
        "",
        ["Shape", "Gather", "Mul", "Add", "Expand", "Expand", "Concat"],
    ),
    "a tensor takes the scalar, too": (
        "a = Mul(n, two) u = Unsqueeze(a, z) t = Expand(x0, u) f = Cast<to = 1>(a) w = Mul(x, f) y = ReduceSum(w) "
        "q = Neg(t) }}",
        ", float q",
        ["Shape", "Gather", "Mul", "Cast", "Mul", "ReduceSum", "Expand", "Neg"],
    ),
    "a scalar for a Range, and two lists": (
        "a = Mul(n, two) b = Add(a, m) u = Unsqueeze(a, z) v = Unsqueeze(b, z) r = Range(i, a, j) t = Expand(x0, u) "
        "w = Expand(x0, v) q = Neg(r) y = Concat<axis = 0>(t, w) }}",
        ", int64 q",
        ["Shape", "Gather", "Gather", "Mul", "Add", "Squeeze", "Range", "Expand", "Expand", "Neg", "Concat"],
    ),
    "a Squeeze before": (
        "k = Shape<end = 1>(x) a = Squeeze(k, z) b = Add(a, two) u = Unsqueeze(b, z) y = Expand(x0, u) }}",
        "",
        ["Shape", "Add", "Expand"],
    ),
    "a product of sizes": (
        "a = ReduceProd<keepdims = 0>(s) b = Add(a, two) u = Unsqueeze(b, z) y = Expand(x0, u) }}",
        "",
        ["Shape", "ReduceProd", "Add", "Expand"],
    ),
}


def text(body: str, more: str) -> str:
    return (HEAD + S + body).format(more=more).replace("int64 i", "float[1] x0 = {1}, int64 i", 1)


@pytest.mark.parametrize("name", FIRES)
def test_it_fires(name: str) -> None:
    body, more, left = FIRES[name]
    done = rewrite(text(body, more), "layout.scalars,clean.dead")
    assert "layout.scalars.lift" in [e.rule for e in done.ctx.ledger.entries]
    assert sorted(done.ops) == sorted(left)


STAYS = {
    "a Range and one list": (
        "a = Mul(n, two) u = Unsqueeze(a, z) r = Range(i, a, j) q = Neg(r) y = Expand(x0, u) }}",
        ", int64 q",
    ),
    "a list and an output": ("q = Mul(n, two) u = Unsqueeze(q, z) y = Expand(x0, u) }}", ", int64 q"),
    "a scalar from elsewhere": (
        "k = Size(x) a = Mul(k, two) u = Unsqueeze(a, z) y = Expand(x0, u) }}",
        "",
    ),
    "no arithmetic": ("u = Unsqueeze(n, z) r = Range(i, n, j) q = Neg(r) y = Expand(x0, u) }}", ", int64 q"),
}


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    body, more = STAYS[name]
    assert rewrite(text(body, more), "layout.scalars").fired == []
