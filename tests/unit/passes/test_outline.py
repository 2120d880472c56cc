"""`outline.elementwise`: which ops become functions, and that inlining brings them back."""

from __future__ import annotations

import onnx
import pytest

from gopt.errors import UsageError
from gopt.frontends.onnx import load, to_bytes
from gopt.ir import Model
from gopt.ir.printer import to_text
from gopt.passes import run_pipeline
from gopt.rewrite import Context, Numerics
from tests.unit.passes.clean.rewriting import compare, make_feeds, parse

OUTLINE = "outline.elementwise"


def outline(text: str, passes: str = OUTLINE) -> Model:
    """Outline the regions of a model and inline them again, comparing all three; returns the outlined one."""
    proto = parse(text, 17)
    before = proto.SerializeToString()
    model = load(before)
    run_pipeline(model, passes, ctx := Context(model))
    after = to_bytes(model)
    onnx.checker.check_model(after)
    assert all(e.numerics is Numerics.EXACT for e in ctx.ledger.entries)
    compare(before, after, make_feeds(proto, finite=False), Numerics.EXACT)
    again = load(after)
    run_pipeline(again, "inline,clean.dead", Context(again))
    assert not again.functions
    first, second = ([op.op_type for g in m.graphs() for op in g.ops] for m in (load(before), again))
    assert sorted(first) == sorted(second)
    compare(before, to_bytes(again), make_feeds(proto, finite=False), Numerics.EXACT)
    return model


def calls(model: Model) -> list[str]:
    return [op.op_type for graph in model.graph.walk() for op in graph.ops if op.domain]


def bodies(model: Model) -> list[list[str]]:
    return [[op.op_type for op in f.graph.ops] for f in model.functions.values()]


def test_a_chain() -> None:
    model = outline(
        "(float[N,4] x) => (float y) <float c = {2}> { a = Mul(x, c) b = Add(a, c) s = Softmax(b) y = Exp(s) }"
    )
    assert bodies(model) == [["Mul", "Add"]]
    (function,) = model.functions.values()
    assert len(function.graph.inputs) == 1
    assert [op.op_type for op in model.graph.ops] == [function.name, "Softmax", "Exp"]


def test_several_results_and_operands() -> None:
    model = outline(
        "(float[N,4] x, float[4] z) => (float y, float t) <float[4] w = {1, 2, 3, 4}> "
        "{ a = Mul(x, w) b = Add(a, z) s = Softmax(a) y = Relu(b) t = Sub(s, x) }"
    )
    assert bodies(model) == [["Mul", "Add", "Relu"]]
    (function,) = model.functions.values()
    assert (len(function.graph.inputs), len(function.graph.outputs)) == (3, 2)


def test_a_region_is_convex() -> None:
    """Exp and Mul are neighbours, but what lies between them is not elementwise."""
    model = outline("(float[N,4] x) => (float y) { a = Exp(x) b = Neg(a) s = Softmax(b) y = Mul(s, a)}")
    assert all("Mul" not in body or "Exp" not in body for body in bodies(model))
    model = outline("(float[N,4] x) => (float y) { a = Exp(x) s = Softmax(a) y = Mul(s, a) }")
    assert bodies(model) == []


def test_regions_that_compute_the_same_share_a_function() -> None:
    model = outline(
        "(float[N,4] x, float[M] z) => (float y, float w) <float c = {2}, float d = {2}> "
        "{ a = Mul(x, c) b = Add(a, x) y = Softmax(b) e = Mul(z, d) f = Add(e, z) w = Softmax(f) }"
    )
    assert len(bodies(model)) == 1
    assert len(calls(model)) == 2
    model = outline(
        "(float[N,4] x, float[M] z) => (float y, float w) <float c = {2}, float d = {3}> "
        "{ a = Mul(x, c) b = Add(a, x) y = Softmax(b) e = Mul(z, d) f = Add(e, z) w = Softmax(f) }"
    )
    assert len(bodies(model)) == 2


def test_element_types_are_not_mixed() -> None:
    model = outline(
        "(float[N] x, int64[N] i) => (float y) "
        "{ a = Exp(x) b = Neg(a) j = Neg(i) k = Abs(j) c = Cast<to=1>(k) y = Mul(b, c) }"
    )
    assert sorted(bodies(model)) == [["Exp", "Neg", "Mul"], ["Neg", "Abs"]]


def test_bodies_have_regions_of_their_own() -> None:
    model = outline(
        """(float[N] x, bool i) => (float y) { a = Exp(x) b = Neg(a)
        y = If(i) <then_branch = g1 () => (float t) { t1 = Sin(b) t = Abs(t1) },
                   else_branch = g2 () => (float e) { e1 = Cos(b) e = Identity(e1) }> }"""
    )
    assert bodies(model) == [["Exp", "Neg"], ["Sin", "Abs"]]


def test_options() -> None:
    text = "(float[N] x) => (float y) { a = Exp(x) y = Neg(a) }"
    assert calls(outline(text, f"{OUTLINE}:fewest=3")) == []
    model = outline(text, f"{OUTLINE}:domain=acme")
    assert [f.domain for f in model.functions.values()] == ["acme"]
    assert model.opsets["acme"] == 1
    with pytest.raises(UsageError):
        outline(text, f"{OUTLINE}:domain=ai.onnx")


def test_twice_is_once() -> None:
    proto = parse("(float[N] x) => (float y) { a = Exp(x) b = Neg(a) s = Softmax(b) c = Sin(s) y = Abs(c) }", 17)
    model = load(proto.SerializeToString())
    run_pipeline(model, OUTLINE, Context(model))
    once = to_text(model)
    run_pipeline(model, OUTLINE, Context(model))
    assert to_text(model) == once


def test_the_version_that_has_functions() -> None:
    proto = parse('<ir_version: 6, opset_import: ["": 11]> g (float[N] x) => (float[N] y) { a = Exp(x) y = Neg(a) }')
    model = load(proto.SerializeToString())
    run_pipeline(model, OUTLINE, Context(model))
    assert model.ir_version == 8
