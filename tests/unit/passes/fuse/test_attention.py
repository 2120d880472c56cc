"""The pass `fuse.attention` and its rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from gopt.frontends.onnx import load, to_bytes
from gopt.ir.check import check
from gopt.passes.fuse._attention import RULES
from gopt.passes.fuse.attention import Attention
from gopt.passes.registry import REGISTRY
from gopt.rewrite import Context, Ledger
from gopt.testing import check_rule
from tests.unit.passes.fuse import conftest as helpers

SHAPES = "float[N,2,3,4] q, float[N,2,5,4] k, float[N,2,5,4] v"
CORE = "t = Transpose<perm = [0, 1, 3, 2]>(k) s = MatMul(q, t)"
REST = "p = Softmax(m) y = MatMul(p, v)"


def _fused(text: str, opset: int = 23, **constants: Any) -> Any:
    """The ops that are left after the pass, and the numbers compared."""
    data = helpers._model(text, opset, "float32", constants)
    model = load(data)
    Attention().run(model, Context(model, Ledger()))
    check(model)
    after = to_bytes(model)
    onnx.checker.check_model(after)
    helpers._compare(data, after)
    return [op.op_type for op in model.graph.ops]


FORMS = {
    "no scale, no mask": (f"{CORE} p = Softmax(s) y = MatMul(p, v)", ["Attention"]),
    "a scale": (f"{CORE} m = Mul(s, c) {REST}", ["Attention"]),
    "a divisor": (f"{CORE} m = Div(s, c) {REST}", ["Attention"]),
    "a mask": (f"{CORE} m = Add(s, mask) {REST}", ["Attention"]),
    "a scale and a mask": (f"{CORE} d = Mul(s, c) m = Add(mask, d) {REST}", ["Attention"]),
    "keys that are transposed": ("s = MatMul(q, kt) p = Softmax(s) y = MatMul(p, v)", ["Transpose", "Attention"]),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form(name: str) -> None:
    body, left = FORMS[name]
    text = f"({SHAPES}, float[3,5] mask, float[N,2,4,5] kt) => (float y) {{ {body} }}"
    constants: dict[str, Any] = {"c": 0.5} if "c)" in body else {}
    assert _fused(text, **constants) == left


def test_it_runs_when_named_and_not_else() -> None:
    assert Attention not in REGISTRY.find("fuse")
    assert REGISTRY.find("fuse.attention") == (Attention,)


STAY = {
    "an old opset": (22, SHAPES, f"{CORE} p = Softmax(s) y = MatMul(p, v)"),
    "another axis": (23, SHAPES, f"{CORE} p = Softmax<axis = 2>(s) y = MatMul(p, v)"),
    "heads that broadcast": (
        23,
        "float[N,2,3,4] q, float[1,1,5,4] k, float[N,2,5,4] v",
        f"{CORE} p = Softmax(s) y = MatMul(p, v)",
    ),
    "a mask that enlarges": (
        23,
        "float[1,2,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v, float[2,1,3,5] mask",
        f"{CORE} m = Add(s, mask) {REST}",
    ),
    "a negative scale": (23, SHAPES, f"{CORE} m = Mul(s, c) {REST}"),
    "weights that are needed": (23, SHAPES, f"{CORE} p = Softmax(s) w = MatMul(p, v) u = ReduceMax(p) y = Add(w, u)"),
}


@pytest.mark.parametrize("name", STAY)
def test_what_stays(name: str) -> None:
    opset, inputs, body = STAY[name]
    constants: dict[str, Any] = {"c": -0.5} if "c)" in body else {}
    assert "Attention" not in _fused(f"({inputs}) => (float y) {{ {body} }}", opset, **constants)


HEADS = "h{0} = Reshape({0}, cut) {0}h = Transpose<perm = [0, 2, 1, 3]>(h{0})"


def test_heads_that_are_packed() -> None:
    heads = " ".join(HEADS.format(x) for x in "qkv")
    body = f"{heads} t = Transpose<perm = [0, 1, 3, 2]>(kh) s = MatMul(qh, t) p = Softmax(s) w = MatMul(p, vh) "
    body += "o = Transpose<perm = [0, 2, 1, 3]>(w) y = Reshape(o, join)"
    constants: dict[str, Any] = {"cut": np.asarray([0, 0, 2, 4]), "join": np.asarray([0, 0, 8])}
    text = f"(float[N,3,8] q, float[N,5,8] k, float[N,5,8] v) => (float y) {{ {body} }}"
    assert _fused(text, **constants) == ["Attention"]


def test_heads_that_are_split() -> None:
    body = "r = Reshape(x, cut) h = Transpose<perm = [0, 2, 1, 3]>(r) q, k, v = Split<axis = 1, num_outputs = 3>(h) "
    body += f"{CORE} p = Softmax(s) w = MatMul(p, v) o = Transpose<perm = [0, 2, 1, 3]>(w) y = Reshape(o, join)"
    constants: dict[str, Any] = {"cut": np.asarray([0, 0, 6, 4]), "join": np.asarray([0, 0, 8])}
    assert _fused(f"(float[N,3,24] x) => (float y) {{ {body} }}", **constants) == ["Split", "Attention"]


def test_heads_that_stay_apart() -> None:
    heads = " ".join(HEADS.format(x) for x in "qkv")
    body = f"{heads} w = Attention(qh, kh, vh) o = Transpose<perm = [0, 2, 1, 3]>(w) y = Reshape(o, join)"
    constants: dict[str, Any] = {"cut": np.asarray([0, 0, 2, 4]), "join": np.asarray([0, 0, 4, 2])}
    text = f"(float[N,3,8] q, float[N,5,8] k, float[N,5,8] v) => (float y) {{ {body} }}"
    assert _fused(text, **constants).count("Transpose") == 4


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_the_rules_keep_the_numbers(rule: Any) -> None:
    report = check_rule(rule, cases=15)
    assert report.fired
    assert not report.failures
