"""`fuse.choices`: Ifs that are a Where."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.passes.clean.rewriting import Rewritten, rewrite

X = np.arange(6, dtype="f").reshape(2, 3)


def choose(
    then: str, other: str, names: str = "y", inner: str = "a|b", kind: str = "float[2,3]", p: str = "bool p"
) -> Rewritten:
    first, second = (", ".join(f"{kind.split('[')[0]}[] {n}" for n in part.split()) for part in inner.split("|"))
    outputs = ", ".join(f"{kind.split('[')[0]} {n}" for n in names.split())
    text = f"""({kind} x, {kind} z, float[3] w, {p}) => ({outputs}) {{
        {", ".join(names.split())} = If(p) <
            then_branch = t () => ({first}) {{ {then} }},
            else_branch = e () => ({second}) {{ {other} }}>
    }}"""
    for q in (True, False):
        sizes = {"p": np.array(q if "[" not in p else [q])}
        if kind == "float[2,3]":
            sizes |= {"x": X, "z": -X}
        done = rewrite(text, "fuse.choices", sizes=sizes)
    return done


def test_values_from_outside() -> None:
    assert choose("a = Identity(x)", "b = Identity(z)").ops == ["Where"]


def test_a_condition_of_one_element() -> None:
    assert choose("a = Identity(x)", "b = Identity(z)", p="bool[1] p").ops == ["Where"]


def test_a_constant_and_a_value() -> None:
    assert choose("a = Constant<value = float[3] {1,2,3}>()", "b = Identity(w)").ops == ["Where"]


def test_integers() -> None:
    assert choose("a = Identity(x)", "b = Identity(z)", kind="int64[2,3]").ops == ["Where"]


@pytest.mark.parametrize(
    ("then", "other", "kind"),
    [
        ("a = Identity(x)", "b = Identity(w)", "float[2,3]"),
        ("a = Identity(x)", "b = Neg(z)", "float[2,3]"),
        ("a = Identity(x)", "b = Identity(z)", "uint8[2,3]"),
        ("a = Constant<value = float[3] {1,2,3}>()", "b = Constant<value = float[3] {1,2,3}>()", "float[2,3]"),
    ],
)
def test_what_stays(then: str, other: str, kind: str) -> None:
    assert choose(then, other, kind=kind).fired == []


def test_shapes_that_may_differ() -> None:
    text = """(float[N] x, float[M] z, bool p) => (float y) {
        y = If(p) <then_branch = t () => (float[] a) { a = Identity(x) },
                   else_branch = e () => (float[] b) { b = Identity(z) }> }"""
    assert rewrite(text, "fuse.choices").fired == []
    assert rewrite(text.replace("float[M]", "float[N]"), "fuse.choices").ops == ["Where"]


def test_one_result_of_several() -> None:
    done = choose("a = Identity(x) c = Neg(x)", "b = Identity(z) d = Abs(x)", "y u", "a c|b d")
    assert sorted(done.ops) == ["If", "Where"]
    assert [v.name for v in done.model.graph.outputs] == ["y", "u"]


def test_one_result_that_saves_nothing_stays() -> None:
    done = choose(
        "a = Identity(x) c = Neg(x)", "b = Constant<value = float[2,3] {1,2,3,4,5,6}>() d = Abs(x)", "y u", "a c|b d"
    )
    assert done.fired == []
