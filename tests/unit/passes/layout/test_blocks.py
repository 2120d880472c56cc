"""`layout.blocks`: what rearranges blocks of an image, as single operators."""

from __future__ import annotations

import pytest

from gopt.passes.registry import REGISTRY
from gopt.rewrite import Rule

from ..clean.rewriting import rewrite

RULES = [rule for rule in REGISTRY.find("layout.blocks") if isinstance(rule, Rule)]


def blocks(x: str, between: str, perm: str, after: str, dtype: str = "float", opset: int = 18) -> list[str]:
    """Shapes of x and the reshapes; returns what is left, with the mode."""
    rank, final = (len(s.split(",")) for s in (between, after))
    text = (
        f"({dtype}[{x}] x) => ({dtype}[{','.join('abcd'[:final])}] y) "
        f"<int64[{rank}] s = {{{between}}}, int64[{final}] t = {{{after}}}> "
        f"{{ a = Reshape(x, s) b = Transpose<perm = [{perm}]>(a) y = Reshape(b, t) }}"
    )
    done = rewrite(text, "layout.blocks", opset)
    return [op.op_type + (op.attr("mode", "") or "") for op in done.model.graph.ops]


CRD, DCR, DEPTH = "0, 1, 4, 2, 5, 3", "0, 3, 4, 1, 5, 2", "0, 3, 5, 1, 2, 4"
FOUND: dict[str, tuple[tuple[str, str, str, str], str]] = {
    "pixel shuffle": (("N,8,3,5", "0, 2, 2, 2, 3, 5", CRD, "0, 2, 6, 10"), "DepthToSpaceCRD"),
    "pixel shuffle to one channel, in which both modes are one": (
        ("N,9,3,5", "0, 1, 3, 3, 3, 5", CRD, "0, 1, 9, 15"),
        "DepthToSpaceDCR",
    ),
    "pixel shuffle without the batch": (
        ("1,8,3,5", "2, 2, 2, 3, 5", "0, 3, 1, 4, 2", "1, 2, 6, 10"),
        "DepthToSpaceCRD",
    ),
    "pixel shuffle, height inferred": (("1,8,H,5", "1, 2, 2, 2, -1, 5", CRD, "1, 2, -1, 10"), "DepthToSpaceCRD"),
    "depth first": (("N,8,3,5", "0, 2, 2, 2, 3, 5", DCR, "0, 2, 6, 10"), "DepthToSpaceDCR"),
    "to depth": (("N,2,6,10", "0, 2, 3, 2, 5, 2", DEPTH, "0, 8, 3, 5"), "SpaceToDepth"),
    "to depth of one channel": (("2,1,6,10", "2, 3, 2, 5, 2", "0, 2, 4, 1, 3", "2, 4, 3, 5"), "SpaceToDepth"),
}


@pytest.mark.parametrize(("shapes", "left"), FOUND.values(), ids=FOUND)
def test_one_operator(shapes: tuple[str, str, str, str], left: str) -> None:
    assert blocks(*shapes) == [left]


STAY: dict[str, tuple[str, str, str, str]] = {
    "channel shuffle": ("N,8,3,5", "0, 2, 4, 3, 5", "0, 2, 1, 3, 4", "0, 8, 3, 5"),
    "pixel unshuffle, channels first": ("N,2,6,10", "0, 2, 3, 2, 5, 2", "0, 1, 3, 5, 2, 4", "0, 8, 3, 5"),
    "another permutation": ("N,8,3,5", "0, 2, 2, 2, 3, 5", "0, 1, 4, 3, 5, 2", "0, 2, 6, 10"),
    "no square": ("N,12,3,5", "0, 2, 2, 3, 3, 5", CRD, "0, 2, 6, 15"),
    "as many channels": ("N,8,4,4", "0, 2, 2, 2, 4, 4", CRD, "0, 8, 4, 4"),
    "windows of attention": ("1,4,4,8", "1, 2, 2, 2, 2, 8", "0, 1, 3, 2, 4, 5", "-1, 2, 2, 8"),
}


@pytest.mark.parametrize("shapes", STAY.values(), ids=STAY)
def test_what_is_something_else(shapes: tuple[str, str, str, str]) -> None:
    assert blocks(*shapes) == ["Reshape", "Transpose", "Reshape"]


def test_types_and_opsets_without_such_a_kernel() -> None:
    shapes = ("N,8,3,5", "0, 2, 2, 2, 3, 5", CRD, "0, 2, 6, 10")
    assert blocks(*shapes, dtype="double") == ["DepthToSpaceCRD"]
    assert blocks(*shapes, dtype="int64") == ["Reshape", "Transpose", "Reshape"]
    assert blocks(*shapes, opset=10) == ["Reshape", "Transpose", "Reshape"]
    assert blocks("N,8,3,5", "0, 2, 2, 2, 3, 5", DCR, "0, 2, 6, 10", opset=10)[0].startswith("DepthToSpace")


def test_a_value_between_that_others_take() -> None:
    text = (
        "(float[N,8,3,5] x) => (float[a,b,c,d] y, float[e,f,g,h,i,j] b) <int64[6] s = {0, 2, 2, 2, 3, 5}, "
        "int64[4] t = {0, 2, 6, 10}> { a = Reshape(x, s) b = Transpose<perm = [0, 1, 4, 2, 5, 3]>(a) "
        "y = Reshape(b, t) }"
    )
    assert rewrite(text, "layout.blocks").fired == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_examples_fire(rule: Rule) -> None:
    assert rewrite(rule.example, rule.name).fired
