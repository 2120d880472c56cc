"""Inlining that once made models that ONNX Runtime refuses."""

from __future__ import annotations

from tests.unit.passes.clean.rewriting import rewrite


def test_the_nodes_of_a_branch_get_names_of_their_own() -> None:
    """ONNX Runtime wants names of nodes unique in each graph; those of a body may be those of the graph outside."""
    text = """(float[2] x) => (float[2] y) <bool c = {1}> {
        [n] a = Neg(x)
        [m] b = If(c) <then_branch = t () => (float[2] s) { [n] r = Exp(a) [n_1] s = Abs(r) },
                       else_branch = e () => (float[2] u) { [n] u = Neg(a) }>
        y = Neg(b)
    }"""
    names = [op.name for op in rewrite(text, "inline").model.graph.ops if op.name]
    assert len(names) == len(set(names)) == 3


def test_the_nodes_of_a_function_get_names_of_their_own() -> None:
    """Every call brings the nodes of the body again."""
    text = """<ir_version: 8, opset_import: ["": 18, "f": 1]> g (float[2] x) => (float[2] y) {
        [n] a = f.twice(x) b = f.twice(a) y = f.twice(b)
    }
    <domain: "f", opset_import: ["": 18]> twice (x) => (y) { [n] a = Exp(x) [m] y = Neg(a) }"""
    names = [op.name for op in rewrite(text, "inline").model.graph.ops]
    assert names == ["n/n", "n/m", "n_1", "m", "n_2", "m_1"]
