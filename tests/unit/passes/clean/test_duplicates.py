"""`clean.duplicates`: equal constants and equal ops become one; what only looks equal does not."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from gopt.ir import ArrayTensor, Attr, Graph, Model, Op, Role, Value
from gopt.passes import run_pipeline
from gopt.passes.clean import duplicates
from gopt.passes.clean.duplicates import equal_constants
from gopt.rewrite import Context

from .rewriting import rewrite

XY = "(float[2] x, float[2] z) => (float[2] y)"
TRUE = {"c": np.array(True), "x": np.ones(2, np.float32)}

MERGES = {
    "two alike": (f"{XY} {{ a = Add(x, z) b = Add(x, z) y = Mul(a, b) }}", ["Add", "Mul"]),
    "commuted": (f"{XY} {{ a = Add(x, z) b = Add(z, x) y = Mul(a, b) }}", ["Add", "Mul"]),
    "a whole branch": (
        f"{XY} {{ a = Exp(x) b = Exp(x) c = Mul(a, z) d = Mul(z, b) e = Neg(c) f = Neg(d) y = Sub(e, f) }}",
        ["Exp", "Mul", "Neg", "Sub"],
    ),
    "equal attributes": (
        f"{XY} {{ a = Softmax<axis = 0>(x) b = Softmax<axis = 0>(x) y = Mul(a, b) }}",
        ["Softmax", "Mul"],
    ),
    "an attribute that is the default": (
        f"{XY} {{ a = Softmax(x) b = Softmax<axis = -1>(x) y = Mul(a, b) }}",
        ["Softmax", "Mul"],
    ),
    "tensor attributes": (
        "(int64[1] n) => (float[N] y) { a = ConstantOfShape<value = float[1] {2}>(n) "
        "b = ConstantOfShape<value = float[1] {2}>(n) y = Mul(a, b) }",
        ["ConstantOfShape", "Mul"],
    ),
    "equal constants": (
        f"{XY} <float[2] p = {{1, 2}}, float[2] q = {{1, 2}}> {{ a = Add(x, p) b = Add(x, q) y = Mul(a, b) }}",
        ["Add", "Mul"],
    ),
    "one of them an output": (
        "(float[2] x) => (float[2] y, float[2] b) { a = Exp(x) b = Exp(x) y = Neg(a) }",
        ["Exp", "Neg"],
    ),
    "several results": (
        "(float[4] x, int64[1] k) => (float y, int64 i) "
        "{ a, b = TopK(x, k) c, d = TopK(x, k) y = Add(a, c) i = Add(b, d) }",
        ["TopK", "Add", "Add"],
    ),
    "an operand that is omitted": (
        "(float[2] x, float k) => (float[2] y) { a = Clip(x, , k) b = Clip(x, , k) y = Add(a, b) }",
        ["Clip", "Add"],
    ),
    "Dropout at inference": (f"{XY} {{ a = Dropout(x) b = Dropout(x) y = Add(a, b) }}", ["Dropout", "Add"]),
}


@pytest.mark.parametrize("name", MERGES)
def test_it_merges(name: str) -> None:
    text, left = MERGES[name]
    sizes = {"n": np.array([2]), "k": np.array([2]) if "int64[1] k" in text else np.array(0.5, np.float32)}
    sizes = {k: v for k, v in sizes.items() if f" {k}" in text.split("=>", 1)[0]}
    done = rewrite(text, "clean.duplicates", sizes=sizes)
    assert done.ops == left


KEEPS = {
    "other operands": f"{XY} {{ a = Sub(x, z) b = Sub(z, x) y = Mul(a, b) }}",
    "other attributes": "(float[2,2] x) => (float[2,2] y) { a = Softmax<axis = 0>(x) b = Softmax(x) y = Mul(a, b) }",
    "the sign of a zero": f"{XY} {{ a = LeakyRelu<alpha = 0.0>(x) b = LeakyRelu<alpha = -0.0>(x) y = Mul(a, b) }}",
    "other types of constants": (
        "(float[2] x) => (float y) <int64 p = {1}, int32 q = {1}> { a = Pow(x, p) b = Pow(x, q) y = Mul(a, b) }"
    ),
    "other shapes of constants": (
        "(float[2] x) => (float y) <float p = {1}, float[1] q = {1}> { a = Pow(x, p) b = Pow(x, q) y = Mul(a, b) }"
    ),
    "constants that differ in the sign of a zero": (
        "(float[2] x) => (float y) <float p = {0}, float q = {-0.0}> { a = Sub(x, p) b = Sub(x, q) y = Mul(a, b) }"
    ),
    "both are outputs": "(float[2] x) => (float[2] y, float[2] b) { y = Exp(x) b = Exp(x) }",
    "parts of another number": (
        "(float[6] x) => (float y, float z) { y, p = Split<num_outputs = 2>(x) z, q, r = Split<num_outputs = 3>(x) }"
    ),
    "a three-fold sum in another order": (
        "(float[2] x, float[2] z, float[2] w) => (float[2] y) { a = Sum(x, z, w) b = Sum(w, z, x) y = Mul(a, b) }"
    ),
    "overridable constants": (
        "(float[2] x, float[2] p, float[2] q) => (float[2] y) <float[2] p = {1, 2}, float[2] q = {1, 2}> "
        "{ a = Add(x, p) b = Add(x, q) y = Mul(a, b) }"
    ),
    "dequantized weights": (
        "(float[2] x) => (float[2] y) <int8[2] w = {1, 2}, float s = {0.5}> { a = DequantizeLinear(w, s) "
        "b = DequantizeLinear(w, s) c = Mul(a, x) y = Add(c, b) }"
    ),
}


@pytest.mark.parametrize("name", KEEPS)
def test_it_stays(name: str) -> None:
    assert rewrite(KEEPS[name], "clean.duplicates").fired == []


def test_random_ops_stay() -> None:
    text = (
        "(float[2] x) => (float[2] y) { a = RandomNormalLike(x) b = RandomNormalLike(x) c = Mul(a, b) "
        "t = Constant<value = bool {1}>() r = Constant<value = float {0.5}>() "
        "d = Dropout(x, r, t) e = Dropout(x, r, t) f = Mul(d, e) y = Mul(c, f) }"
    )
    assert rewrite(text, "clean.duplicates", runs=False).fired == []


def test_ops_with_bodies_and_calls_stay() -> None:
    branches = (
        "<then_branch = {} () => (float[2] {}) {{ {} = RandomNormalLike(x) }}, "
        "else_branch = {} () => (float[2] {}) {{ {} = Abs(x) }}>"
    )
    first, second = branches.format(*"tppfqq"), branches.format(*"urrgss")
    text = f"(bool c, float[2] x) => (float[2] y) {{ a = If(c) {first} b = If(c) {second} y = Mul(a, b) }}"
    assert rewrite(text, "clean.duplicates", runs=False).fired == []
    call = """<ir_version: 8, opset_import: ["" : 18, "f" : 1]>
    g (float[2] x) => (float[2] y) { a = f.noise(x) b = f.noise(x) y = Mul(a, b) }
    <domain: "f", opset_import: ["" : 18]> noise (a) => (b) { b = RandomNormalLike(a) }
    """
    assert rewrite(call, "clean.duplicates", runs=False).fired == []


def test_unknown_operators_stay() -> None:
    def edit(model: onnx.ModelProto) -> None:
        model.opset_import.append(onnx.helper.make_opsetid("acme", 1))
        for node in model.graph.node[:2]:
            node.domain = "acme"

    text = f"{XY} {{ a = Exp(x) b = Exp(x) y = Mul(a, b) }}"
    assert rewrite(text, "clean.duplicates", edit=edit, runs=False).fired == []


def test_a_result_that_the_first_op_omits_keeps_both() -> None:
    def edit(model: onnx.ModelProto) -> None:
        model.graph.node[0].output[1] = ""

    text = (
        "(float[1,1,4,4] x) => (float y, int64 j) "
        "{ a, i = MaxPool<kernel_shape = [2, 2]>(x) b, j = MaxPool<kernel_shape = [2, 2]>(x) y = Add(a, b) }"
    )
    assert rewrite(text, "clean.duplicates", edit=edit).fired == []


def test_duplicates_in_a_body_of_captured_values() -> None:
    text = (
        "(bool c, float[2] x) => (float[2] y) { e = Exp(x) y = If(c) "
        "<then_branch = t () => (float[2] p) { a = Neg(e) b = Neg(e) p = Mul(a, b) }, "
        "else_branch = f () => (float[2] q) { q = Abs(e) }> }"
    )
    done = rewrite(text, "clean.duplicates", feeds=TRUE)
    assert done.fired == ["duplicates"]


def test_a_constant_of_a_body_is_not_that_outside() -> None:
    text = (
        "(bool c, float[2] x) => (float[2] y) <float k = {2}> { e = Mul(x, k) y = If(c) "
        "<then_branch = t () => (float[2] p) { m = Constant<value = float {2}>() p = Mul(e, m) }, "
        "else_branch = f () => (float[2] q) { q = Abs(e) }> }"
    )
    assert rewrite(text, "clean.duplicates", feeds=TRUE).fired == []


def test_strings_and_large_constants() -> None:
    def edit(model: onnx.ModelProto) -> None:
        large = np.arange(4000, dtype=np.float32)
        other = large.copy()
        other[2000] = -1
        for name, array in {"p": large, "q": large, "r": other}.items():
            model.graph.initializer.append(numpy_helper.from_array(array, name))
        for name, texts in {"s": ["a", "b"], "t": ["a", "b"], "u": ["a", "c"]}.items():
            model.graph.initializer.append(numpy_helper.from_array(np.array(texts, object), name))

    text = (
        "(float[4000] x, string[2] w) => (float y, bool v) { a = Add(x, p) b = Sub(a, q) y = Mul(b, r) "
        "c = Equal(w, s) d = Equal(w, t) e = Equal(w, u) f = And(c, d) v = And(e, f) }"
    )
    done = rewrite(text, "clean.duplicates", edit=edit, runs=False)
    assert sorted(v.name for v in done.model.graph.constants) == ["p", "r", "s", "u"]
    assert len(done.fired) == 3


def test_a_transposed_view_equals_a_copy() -> None:
    graph = Graph("g", {"": 18})
    array = np.arange(600, dtype=np.float32).reshape(20, 30)
    view = graph.add_const(ArrayTensor(array.T), "view")
    copy = graph.add_const(ArrayTensor(np.ascontiguousarray(array.T)), "copy")
    graph.add_const(ArrayTensor(array.reshape(30, 20)), "other")
    assert equal_constants(graph) == {copy: view}


def test_an_exported_constant_is_the_one_that_stays() -> None:
    text = "(float[2] x) => (float[2] y, float[2] q) <float[2] p = {1, 2}, float[2] q = {1, 2}> { y = Add(x, p) }"
    done = rewrite(text, "clean.duplicates")
    assert [v.name for v in done.model.graph.constants] == ["q"]


def test_each_op_is_compared_once_where_one_value_has_many_users(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    compute = duplicates.attributes_of
    monkeypatch.setattr(duplicates, "attributes_of", lambda op: calls.append(op) or compute(op))
    graph = Graph("g", {"": 9})
    x = graph.add_input(Value("x"))
    for k in range(100):
        attrs = {"starts": Attr.of([k]), "ends": Attr.of([k + 1]), "axes": Attr.of([0])}
        graph.set_output(k, graph.add(Op("Slice", [x], 1, attrs)).result)
    model = Model(graph)
    run_pipeline(model, "clean.duplicates", Context(model))
    assert len(graph) == len(calls) == 100


def test_every_constant_of_a_scope_is_looked_at_once() -> None:
    graph = Graph("g", {"": 18})
    for k in range(50):
        graph.attach(Value(f"c{k}", Role.CONST, ArrayTensor(np.float32(k % 7))))
    same = equal_constants(graph)
    assert len(same) == 43
    assert {v.name for v in same.values()} == {f"c{k}" for k in range(7)}


def test_what_was_merged_outside_is_one_inside() -> None:
    text = (
        "(bool c, bool d, float[1,2,3,3] x) => (float[1,2,3,3] y) "
        "<float[2,2,1,1] v = {1, 2, 3, 4}, float[2,2,1,1] w = {1, 2, 3, 4}> { y = If(c) <"
        "then_branch = p () => (float[1,2,3,3] r) { r = If(d) <"
        "then_branch = i () => (float[1,2,3,3] g) { a = Conv(x, v) b = Conv(x, w) g = Add(a, b) }, "
        "else_branch = j () => (float[1,2,3,3] h) { h = Neg(x) }> }, "
        "else_branch = q () => (float[1,2,3,3] s) { s = Abs(x) }> }"
    )
    found = rewrite(text, "clean.duplicates", feeds={"c": np.array(True), "d": np.array(True)}, runs=False)
    assert [op.op_type for graph in found.model.graphs() for op in graph.ops].count("Conv") == 1
