"""Passes of `fuse.branches`: what both branches of an If do."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.passes.clean.rewriting import Rewritten, rewrite

X = np.arange(6, dtype="f").reshape(2, 3)


def branches(then: str, other: str, passes: str, results: str = "y", inner: str = "", cond: str = "p") -> Rewritten:
    """An If over `p` whose branches export `a` and `b` (or the given lists)."""
    names = inner or "a|b"
    first, second = (", ".join(f"float[] {n}" for n in part.split()) for part in names.split("|"))
    outputs = ", ".join(f"float {n}" for n in results.split())
    text = f"""(float[2,3] x, float[3] w, bool p) => ({outputs}) <float two = {{2}}, float[3] v = {{1, 2, 3}}> {{
        {"n = Not(p)" if cond == "n" else ""}
        {", ".join(results.split())} = If({cond}) <
            then_branch = t () => ({first}) {{ {then} }},
            else_branch = e () => ({second}) {{ {other} }}>
    }}"""
    for p in (True, False):
        done = rewrite(text, passes, sizes={"p": np.array(p), "x": X})
    return done


def inside(done: Rewritten) -> list[list[str]]:
    return [[op.op_type for op in body.ops] for body in done.op("If").bodies]


def test_heads() -> None:
    done = branches("k = Exp(x) l = Neg(k) a = Mul(l, x)", "i = Exp(x) j = Neg(i) b = Add(j, x)", "fuse.branches.heads")
    assert done.ops == ["Exp", "Neg", "If"]
    assert inside(done) == [["Mul"], ["Add"]]


def test_heads_with_constants_of_their_own() -> None:
    done = branches(
        "c = Constant<value = float[3] {1,2,3}>() k = Add(x, c) a = Exp(k)",
        "d = Constant<value = float[3] {1,2,3}>() m = Add(x, d) b = Neg(m)",
        "fuse.branches.heads",
    )
    assert done.ops == ["Add", "If"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("k = Exp(x) a = Neg(k)", "m = Exp(w) b = Add(x, m)"),
        ("a = Exp(x)", "m = Exp(x) b = Abs(m)"),
        ("k = Add(x, two) a = Exp(k)", "m = Add(x, v) b = Neg(m)"),
        ("k = Softmax<axis=0>(x) a = Exp(k)", "m = Softmax<axis=1>(x) b = Neg(m)"),
        ("k = RandomNormalLike(x) l = Sub(k, k) a = Mul(l, x)", "m = RandomNormalLike(x) n = Sub(m, m) b = Add(n, x)"),
    ],
)
def test_no_heads(first: str, second: str) -> None:
    assert branches(first, second, "fuse.branches.heads").fired == []


def test_what_both_export_is_the_result() -> None:
    done = branches(
        "k = Exp(x) a = Neg(k) c = Abs(x)",
        "k2 = Exp(x) b = Neg(k2) d = Ceil(x)",
        "fuse.branches.heads",
        "y z",
        "a c|b d",
    )
    assert done.ops == ["Exp", "Neg", "If"]
    assert inside(done) == [["Abs"], ["Ceil"]]
    assert [v.name for v in done.model.graph.outputs] == ["y", "z"]


def test_equal_branches_go() -> None:
    done = branches("k = Exp(x) a = Neg(k)", "k2 = Exp(x) b = Neg(k2)", "fuse.branches.heads")
    assert done.ops == ["Exp", "Neg"]


def test_branches_that_hand_on_the_same() -> None:
    done = branches("a = Identity(x) c = Abs(x)", "b = Identity(x) d = Neg(x)", "fuse.branches", "y z", "a c|b d")
    assert inside(done) == [["Abs"], ["Neg"]]


def test_exports_in_other_places_stay() -> None:
    done = branches("a = Exp(x) c = Abs(x)", "d = Exp(x) b = Abs(x)", "fuse.branches.heads", "y z", "a c|b d")
    assert done.fired == []


def test_heads_out_of_nested_branches() -> None:
    inner = (
        "{0} = If(q) <then_branch = t{0} () => (float[] u{0}) {{ r{0} = Exp(x) u{0} = {1}(r{0}) }}, "
        "else_branch = e{0} () => (float[] v{0}) {{ s{0} = Exp(x) v{0} = {2}(s{0}) }}>"
    )
    text = f"""(float[2,3] x, bool p, bool q) => (float y) {{
        y = If(p) <then_branch = t () => (float[] a) {{ {inner.format("a", "Neg", "Abs")} }},
                   else_branch = e () => (float[] b) {{ {inner.format("b", "Sqrt", "Ceil")} }}> }}"""
    done = rewrite(text, "fuse.branches.heads", sizes={"x": X})
    assert done.ops == ["Exp", "If"]


def test_tails() -> None:
    done = branches(
        "k = Exp(x) l = Mul(k, two) a = Neg(l)", "i = Abs(x) j = Mul(i, two) b = Neg(j)", "fuse.branches.tails"
    )
    assert done.ops == ["If", "Mul", "Neg"]
    assert inside(done) == [["Exp"], ["Abs"]]
    assert done.model.graph.outputs[0].name == "y"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("k = Exp(x) a = Mul(k, two)", "m = Abs(x) b = Mul(m, v)"),
        ("k = Exp(x) a = Neg(k)", "b = Neg(x)"),
        ("k = Exp(x) a = Neg(k)", "m = Abs(w) b = Neg(m)"),
        ("k = Exp(x) a = Sub(k, two)", "m = Abs(x) b = Sub(two, m)"),
        ("k = Exp(x) l = Neg(k) a = Add(k, l)", "m = Abs(x) n = Ceil(x) b = Add(m, n)"),
        ("k = Exp(x) a = Softmax<axis=0>(k)", "m = Abs(x) b = Softmax<axis=1>(m)"),
    ],
)
def test_no_tails(first: str, second: str) -> None:
    assert branches(first, second, "fuse.branches.tails").fired == []


def test_an_operand_taken_twice() -> None:
    done = branches("k = Exp(x) a = Mul(k, k)", "m = Abs(x) b = Mul(m, m)", "fuse.branches.tails")
    assert done.ops == ["If", "Mul"]


def test_a_result_used_inside_too_stays() -> None:
    done = branches(
        "k = Exp(x) a = Neg(k) c = Abs(a)",
        "m = Ceil(x) b = Neg(m) d = Sqrt(b)",
        "fuse.branches.tails",
        "y z",
        "a c|b d",
    )
    assert done.fired == []


def test_constants_of_the_branches_come_along() -> None:
    done = branches(
        "c = Constant<value = float[3] {1,2,3}>() k = Exp(x) a = Add(k, c)",
        "d = Constant<value = float[3] {1,2,3}>() m = Abs(x) b = Add(m, d)",
        "fuse.branches.tails",
    )
    assert done.ops == ["If", "Add"]


def test_negated_conditions() -> None:
    done = branches("a = Exp(x)", "b = Abs(x)", "fuse.branches.negated", cond="n")
    assert done.ops == ["If"]
    assert done.op("If").inputs[0] is done.model.graph.inputs[2]
    assert [[op.op_type for op in a.value.ops] for a in done.op("If").attrs.values()] in (
        [["Abs"], ["Exp"]],
        [["Exp"], ["Abs"]],
    )


def test_a_negation_that_others_use_stays() -> None:
    text = """(float[2,3] x, bool p) => (float y, bool n) { n = Not(p)
        y = If(n) <then_branch = t () => (float[] a) { a = Exp(x) }, else_branch = e () => (float[] b) { b = Abs(x) }>
    }"""
    assert rewrite(text, "fuse.branches.negated").fired == []


def test_several_ifs_of_one_negation() -> None:
    text = """(float[2,3] x, bool p) => (float y, float z) { n = Not(p)
        y = If(n) <then_branch = t () => (float[] a) { a = Exp(x) }, else_branch = e () => (float[] b) { b = Abs(x) }>
        z = If(n) <then_branch = u () => (float[] c) { c = Ceil(x) }, else_branch = f () => (float[] d) { d = Neg(x) }>
    }"""
    for p in (True, False):
        assert rewrite(text, "fuse.branches.negated", sizes={"p": np.array(p), "x": X}).ops == ["If", "If"]
