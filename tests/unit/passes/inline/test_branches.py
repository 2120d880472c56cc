"""`inline.branches`: which Ifs are decided beforehand, and which are not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.passes.clean.rewriting import Rewritten, rewrite

W = ",".join(str(k % 5 - 2) for k in range(24))
R = ",".join(str(k % 3 - 1) for k in range(16))
CELL = f"""<float[1,8,3] w = {{{W}}}, float[1,8,2] r = {{{R}}}, int64[1] zero = {{0}}, int64[1] one = {{1}},
    int64[1] two = {{2}}, float[3,6] k = {{1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9}}>"""
SQUEEZE_OR_NOT = """a = If(p) <
    then_branch = t () => (float[] s) { s = Squeeze(x, one) },
    else_branch = e () => (float[] i) { i = Identity(x) }>"""
UNSQUEEZE_OR_NOT = """a = If(p) <
    then_branch = t () => (float[] s) { s = Unsqueeze(x, zero) },
    else_branch = e () => (float[] i) { i = Identity(x) }>"""


def ifs(done: Rewritten) -> int:
    return sum(op.op_type == "If" for graph in done.model.graphs() for op in graph.ops)


@pytest.mark.parametrize(
    ("x", "body", "left", "p"),
    {
        "an LSTM wants rank 3": ("float[2,1,3]", f"{UNSQUEEZE_OR_NOT} y = LSTM<hidden_size=2>(a, w, r)", 0, False),
        "and gets it by Unsqueeze": ("float[1,3]", f"{UNSQUEEZE_OR_NOT} y = LSTM<hidden_size=2>(a, w, r)", 0, True),
        "a Transpose wants its rank": ("float[2,1,3]", f"{SQUEEZE_OR_NOT} y = Transpose<perm=[1,0]>(a)", 0, True),
        "one of any rank does not": ("float[2,1,3]", f"{SQUEEZE_OR_NOT} y = Transpose(a)", 1, True),
        "through Unsqueeze and Relu": (
            "float[2,1,3]",
            f"{SQUEEZE_OR_NOT} b = Unsqueeze(a, zero) c = Relu(b) y = Transpose<perm=[2,1,0]>(c)",
            0,
            True,
        ),
        "not through a broadcast": (
            "float[2,1,3]",
            f"{SQUEEZE_OR_NOT} b = Add(a, x) y = Transpose<perm=[2,1,0]>(b)",
            1,
            1,
        ),
        "Gemm wants a matrix": ("float[2,1,3]", f"{SQUEEZE_OR_NOT} y = Gemm(a, k)", 0, True),
        "or a vector": (
            "float[1,3]",
            f"{SQUEEZE_OR_NOT.replace('x, one', 'x, zero')} b = Gemm(a, k) y = Reshape(b, shape)",
            1,
            False,
        ),
        "an axis beyond the squeezed ones": ("float[2,1,3]", f"{SQUEEZE_OR_NOT} y = Softmax<axis=2>(a)", 0, False),
        "an axis that both have": ("float[2,1,3]", f"{SQUEEZE_OR_NOT} y = Softmax<axis=1>(a)", 1, False),
        "an axis counted back": ("float[2,1,3]", f"{SQUEEZE_OR_NOT} y = Gather<axis=-3>(a, zero)", 0, False),
        "an axis to sum up": ("float[2,1,3]", f"{SQUEEZE_OR_NOT} y = ReduceMean(a, two)", 0, False),
        "two that leave one rank": (
            "float[2,1,3]",
            f"{SQUEEZE_OR_NOT} b = Gather<axis=1>(a, zero) c = Relu(a) y = Transpose<perm=[1,0]>(c)",
            0,
            True,
        ),
        "nobody insists": ("float[2,1,3]", f"{SQUEEZE_OR_NOT} y = Relu(a)", 1, True),
        "only another branch insists": (
            "float[2,1,3]",
            f"""{SQUEEZE_OR_NOT} y = If(q) <
                then_branch = u () => (float[] v) {{ v = Transpose<perm=[1,0]>(a) }},
                else_branch = f () => (float[] j) {{ j = Relu(a) }}>""",
            2,
            True,
        ),
        "both fit": (
            "float[2,1,3]",
            """a = If(p) <then_branch = t () => (float[] s) { s = Relu(x) },
                else_branch = e () => (float[] i) { i = Neg(x) }> y = Transpose<perm=[1,0,2]>(a)""",
            1,
            True,
        ),
        "an unknown rank may fit": (
            "float[2,1,3]",
            """a = If(p) <then_branch = t () => (float[] s) { s = Reshape(x, shape) },
                else_branch = e () => (float[] i) { i = Identity(x) }> y = Transpose<perm=[1,0]>(a)""",
            0,
            True,
        ),
    }.values(),
    ids=str,
)
def test_by_rank(x: str, body: str, left: int, p: bool) -> None:
    extra = {"p": np.array(bool(p)), "q": np.array(True), "shape": np.array([2, 3])}
    text = f"({x} x, bool p, bool q, int64[K] shape) => (float y) {CELL} {{ {body} }}"
    done = rewrite(text, "inline.branches", sizes=extra)
    assert ifs(done) == left


def test_by_rank_can_be_switched_off() -> None:
    text = f"(float[2,1,3] x, bool p) => (float y) {CELL} {{ {SQUEEZE_OR_NOT} y = Transpose<perm=[1,0]>(a) }}"
    assert ifs(rewrite(text, "inline.branches:by_rank=false", sizes={"p": np.array(True)})) == 1


def test_what_may_be_of_two_ranks_is_looked_through() -> None:
    """A rank that depends on an If, and another If that asks for it: the rank of an LSTM's input decides both."""
    text = f"""(float[4,1,3] x, bool p) => (float y) {CELL} {{
        {SQUEEZE_OR_NOT}
        s = Shape(a) n = Size(s) is = Equal(n, three) not = Not(is)
        b = If(not) <then_branch = t2 () => (float[] u) {{ u = Unsqueeze(a, one) }},
                     else_branch = e2 () => (float[] i2) {{ i2 = Identity(a) }}>
        y = LSTM<hidden_size=2>(b, w, r)
    }}""".replace("int64[1] zero", "int64 three = {3}, int64[1] zero")
    for p in (True, False):
        done = rewrite(text, "(inline,fold,clean)*", sizes={"p": np.array(p)})
        # Squeeze and Unsqueeze give rank 3 too: two ways are possible, and both are right.
        assert ifs(done) == 2
    outside = text.replace("Unsqueeze(a, one)", "Unsqueeze(x, one)")
    assert ifs(rewrite(outside, "(inline,fold,clean)*", sizes={"p": np.array(False)})) == 0


def test_the_same_condition_inside_a_branch() -> None:
    text = """(float[2,3] x, bool p) => (float y) {
        n = Not(p)
        y = If(p) <
            then_branch = t () => (float[] a) {
                a = If(n) <then_branch = t1 () => (float[] b) { b = Neg(x) },
                           else_branch = e1 () => (float[] c) { c = Abs(x) }> },
            else_branch = e () => (float[] d) {
                d = If(p) <then_branch = t2 () => (float[] f) { f = Exp(x) },
                           else_branch = e2 () => (float[] g) { g = Ceil(x) }> }>
    }"""
    for p in (True, False):
        done = rewrite(text, "inline", sizes={"p": np.array(p)})
        (op,) = [o for o in done.model.graph.ops if o.op_type == "If"]
        assert [[o.op_type for o in body.ops] for body in op.bodies] == [["Abs"], ["Ceil"]]


def test_another_condition_inside_a_branch_stays() -> None:
    text = """(float[2,3] x, bool p, bool q) => (float y) {
        y = If(p) <
            then_branch = t () => (float[] a) {
                a = If(q) <then_branch = t1 () => (float[] b) { b = Neg(x) },
                           else_branch = e1 () => (float[] c) { c = Abs(x) }> },
            else_branch = e () => (float[] d) { d = Exp(x) }>
    }"""
    assert ifs(rewrite(text, "inline")) == 2


def test_what_one_demand_decides_holds_for_all_with_its_condition() -> None:
    text = f"""(float[2,1,3] x, bool p) => (float y, float z) {CELL} {{
        q = Identity(p)
        {SQUEEZE_OR_NOT.replace("If(p)", "If(q)")} n = Not(q) y = Transpose<perm=[1,0]>(a)
        z = If(n) <then_branch = t1 () => (float[] b) {{ b = Neg(x) }},
                   else_branch = e1 () => (float[] c) {{ c = Abs(x) }}>
    }}"""
    done = rewrite(text, "inline,clean", sizes={"p": np.array(True)})
    assert done.ops == ["Squeeze", "Transpose", "Abs"]
