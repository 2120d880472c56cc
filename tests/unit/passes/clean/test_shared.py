"""`clean.shared`: constants of bodies that stand elsewhere too."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser

from gopt.frontends.onnx import load, to_bytes
from gopt.ir.check import check
from gopt.passes import run_pipeline
from gopt.rewrite import Context, Numerics

from .rewriting import Rewritten, compare, rewrite

BIG = np.arange(300, dtype=np.float32)


def share(outer: str, then: str, other: str, **constants: str) -> Rewritten:
    """`constants` name the graph ("main", "t" or "e") in which a constant of 300 floats stands; /other: another one."""
    text = f"""<ir_version: 8, opset_import: ["": 18]> main (float[300] x, bool p) => (float[300] y) {{ {outer}
        y = If(p) <then_branch = t () => (float[] a) {{ {then} }},
                   else_branch = e () => (float[] b) {{ {other} }}> }}"""
    proto = onnx.parser.parse_model(text)
    node = next(n for n in proto.graph.node if n.op_type == "If")
    graphs = {a.g.name: a.g for a in node.attribute} | {"main": proto.graph}
    for name, where in constants.items():
        place, _, other_numbers = where.partition("/")
        array = BIG + 1 if other_numbers else BIG
        graphs[place].initializer.append(onnx.numpy_helper.from_array(array, name))
    before = proto.SerializeToString()
    model = load(before)
    ctx = Context(model)
    run_pipeline(model, "clean.shared", ctx)
    check(model)
    for p in (True, False):
        compare(before, to_bytes(model), {"x": BIG / 7, "p": np.array(p)}, Numerics.EXACT)
    return Rewritten(model, ctx, {})


def constants(done: Rewritten) -> list[int]:
    return [len(graph.constants) for graph in done.model.graphs()]


def test_a_constant_of_a_body_that_stands_outside() -> None:
    done = share("k = Add(x, w)", "a = Mul(k, v)", "b = Neg(k)", w="main", v="t")
    assert constants(done) == [1, 0, 0]


def test_constants_of_two_bodies() -> None:
    done = share("k = Neg(x)", "a = Mul(k, v)", "b = Add(k, u)", v="t", u="e")
    assert constants(done) == [1, 0, 0]


def test_other_constants_stay() -> None:
    done = share("k = Add(x, w)", "a = Mul(k, v)", "b = Neg(k)", w="main", v="t/other")
    assert done.fired == []


def test_small_ones_stay() -> None:
    text = """(float[3] x, bool p) => (float[3] y) <float[3] w = {1, 2, 3}> { k = Add(x, w)
        y = If(p) <then_branch = t () => (float[3] a) <float[3] v = {1, 2, 3}> { a = Mul(k, v) },
                   else_branch = e () => (float[3] b) { b = Neg(k) }> }"""
    assert rewrite(text, "clean.shared").fired == []
    assert rewrite(text, "clean.shared:least=1").fired == ["shared"]
