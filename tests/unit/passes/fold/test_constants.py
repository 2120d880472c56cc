"""`fold.constants`: what is computed beforehand, and what is not, whatever its operands."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from gopt.ir import ArrayTensor, Graph, Model, Op
from gopt.passes import run_pipeline
from gopt.passes.fold.constants import Constants
from gopt.rewrite import Context, Ledger, Numerics

from ..clean.rewriting import rewrite

X = "(float[2] x) => (float[2] y)"
K = "<float[2] k = {1, 2}, float[2] l = {3, 4}>"

FOLDS = {
    "a sum": (f"{X} {K} {{ a = Add(k, l) y = Mul(x, a) }}", Numerics.EXACT),
    "a chain": (f"{X} {K} {{ a = Add(k, l) b = Neg(a) c = Sub(b, k) y = Mul(x, c) }}", Numerics.EXACT),
    "a function that is rounded": (f"{X} {K} {{ a = Exp(k) y = Mul(x, a) }}", Numerics.ROUNDING),
    "a sum of three": (f"{X} {K} {{ a = Sum(k, l, k) y = Mul(x, a) }}", Numerics.ROUNDING),
    "a reduction": (f"{X} {K} {{ a = ReduceMean(k) y = Mul(x, a) }}", Numerics.ROUNDING),
    "a choice": (
        f"{X} {K} {{ c = Less(k, l) a = Where(c, k, l) y = Mul(x, a) }}",
        Numerics.FINITE,
    ),
    "a cast": (f"{X} {K} {{ a = Cast<to = 7>(k) b = Cast<to = 1>(a) y = Mul(x, b) }}", Numerics.EXACT),
    "a product of matrices": (
        "(float[2,2] x) => (float[2,2] y) <float[2,2] k = {1, 2, 3, 4}> { a = MatMul(k, k) y = Mul(x, a) }",
        Numerics.ROUNDING,
    ),
    "a transposed weight": (
        "(float[2,2] x) => (float[2,3] y) <float[3,2] k = {1, 2, 3, 4, 5, 6}> { a = Transpose(k) y = MatMul(x, a) }",
        Numerics.EXACT,
    ),
    "a shape that is computed": (
        "(float[6] x) => (float[2,3] y) <int64[1] k = {2}, int64[1] l = {3}> "
        "{ s = Concat<axis = 0>(k, l) y = Reshape(x, s) }",
        Numerics.EXACT,
    ),
    "ConstantOfShape": (
        f"{X} <int64[1] n = {{2}}> {{ a = ConstantOfShape<value = float[1] {{3}}>(n) y = Add(x, a) }}",
        Numerics.EXACT,
    ),
    "Range": (
        "(int64[3] x) => (int64[3] y) <int64 a = {0}, int64 b = {3}, int64 c = {1}> "
        "{ r = Range(a, b, c) y = Add(x, r) }",
        Numerics.EXACT,
    ),
    "NonZero": (
        "(int64[1,1] x) => (int64[1,1] y) <int64[2] k = {0, 5}> { r = NonZero(k) y = Add(x, r) }",
        Numerics.EXACT,
    ),
    "several results": (
        "(float[1] x) => (float[1] y) <float[2] k = {1, 2}> "
        "{ a, b = Split<num_outputs = 2>(k) c = Add(x, a) y = Sub(c, b) }",
        Numerics.EXACT,
    ),
    "a result that is an output": (f"() => (float[2] y) {K} {{ y = Add(k, l) }}", Numerics.EXACT),
    "two results that are outputs": (
        "() => (float[1] y, float[1] z) <float[2] k = {1, 2}> { y, z = Split<num_outputs = 2>(k) }",
        Numerics.EXACT,
    ),
    "an operand that is omitted": (
        f"{X} <float[2] k = {{1, 2}}, float h = {{1.5}}> {{ a = Clip(k, , h) y = Add(x, a) }}",
        Numerics.FINITE,
    ),
    "an operator without a kernel of ours": (
        f"{X} {K} {{ a = ThresholdedRelu(k) b = MeanVarianceNormalization<axes = [0]>(a) y = Add(x, b) }}",
        Numerics.ROUNDING,
    ),
}


@pytest.mark.parametrize("name", FOLDS)
def test_it_folds(name: str) -> None:
    text, numerics = FOLDS[name]
    done = rewrite(text, "fold.constants")
    assert len(done.model.graph) <= 2
    assert {op.op_type for op in done.model.graph.ops} <= {"Mul", "Add", "Sub", "MatMul", "Reshape"}
    assert max(e.numerics for e in done.ctx.ledger.entries) == numerics


def test_there_is_an_entry_for_each_op() -> None:
    done = rewrite(f"{X} {K} {{ a = Add(k, l) b = Neg(a) c = Sub(b, k) y = Mul(x, c) }}", "fold.constants")
    assert [e.key for e in done.ctx.ledger.entries] == [f"fold.constants({name})" for name in "abc"]
    assert [v.name for v in done.model.graph.constants] == ["c"]
    (op,) = done.model.graph.ops
    assert done.ctx.ledger.origins(op) == (op.label,)


KEEPS = {
    "an overridable initializer": (
        "(float[2] x, float[2] k) => (float[2] y) <float[2] k = {1, 2}> { a = Neg(k) y = Add(x, a) }"
    ),
    "an identity, which clean bypasses": f"{X} {K} {{ a = Identity(k) y = Add(x, a) }}",
    "a dequantized weight": (
        f"{X} <int8[2] k = {{1, 2}}, float s = {{0.5}}> {{ a = DequantizeLinear(k, s) y = Add(x, a) }}"
    ),
    "a quantized weight": (
        f"{X} {K[:-1]}, float s = {{0.5}}, uint8 z = {{0}}> {{ a = QuantizeLinear(k, s, z) "
        "b = DequantizeLinear(a, s, z) y = Add(x, b) }"
    ),
    "a dead op": f"{X} {K} {{ a = Add(k, l) y = Neg(x) }}",
    "a NaN cast to an integer": (
        "(int64[1] x) => (int64[1] y) <float[1] k = {nan}> { a = Cast<to = 7>(k) y = Add(x, a) }"
    ),
}


@pytest.mark.parametrize("name", KEEPS)
def test_it_stays(name: str) -> None:
    done = rewrite(KEEPS[name], "fold")
    assert done.fired == []


CRASHES = {
    "division by zero": (
        "(int64[1] x) => (int64[1] y) <int64[1] k = {1}, int64[1] l = {0}> { a = Div(k, l) y = Add(x, a) }"
    ),
    "division that overflows": (
        "(int64[1] x) => (int64[1] y) <int64[1] k = {-9223372036854775808}, int64[1] l = {-1}> "
        "{ a = Div(k, l) y = Add(x, a) }"
    ),
    "modulo zero": "(int64[1] x) => (int64[1] y) <int64[1] k = {1}, int64[1] l = {0}> { a = Mod(k, l) y = Add(x, a) }",
    "an index out of range": (
        "(float[1] x) => (float[1] y) <float[2] k = {1, 2}, int64[1] l = {5}> { a = Gather(k, l) y = Add(x, a) }"
    ),
}


@pytest.mark.parametrize("name", CRASHES)
def test_what_would_crash_stays(name: str) -> None:
    assert rewrite(CRASHES[name], "fold", runs=False).fired == []


def test_random_ops_stay() -> None:
    text = (
        f"{X} {K} {{ a = RandomNormalLike(k) b = Bernoulli(l) r = Constant<value = float {{0.5}}>() "
        "t = Constant<value = bool {1}>() c = Dropout(k, r, t) d = Sum(a, b, c) y = Add(x, d) }"
    )
    assert rewrite(text, "fold", runs=False).fired == []


def test_what_is_unknown_stays_and_what_follows_is_folded() -> None:
    def edit(model: onnx.ModelProto) -> None:
        model.opset_import.append(onnx.helper.make_opsetid("acme", 1))
        model.graph.node[0].domain = "acme"

    text = f"{X} {K} {{ a = Neg(k) b = Neg(l) c = Add(a, b) y = Add(x, c) }}"
    done = rewrite(text, "fold", edit=edit, runs=False)
    assert done.fired == ["constants"]
    assert done.ops == ["Neg", "Add", "Add"]


def test_calls_stay_and_bodies_of_functions_are_folded() -> None:
    text = """<ir_version: 8, opset_import: ["" : 18, "f" : 1]>
    g (float[2] x) => (float[2] y) <float[2] k = {1, 2}> { a = f.inner(k) y = Add(x, a) }
    <domain: "f", opset_import: ["" : 18]> inner (a) => (b)
    { k = Constant<value = float {2}>() l = Neg(k) b = Mul(a, l) }
    """
    done = rewrite(text, "fold")
    assert [e.key for e in done.ctx.ledger.entries] == ["fold.constants(l)"]
    assert done.ops == ["inner", "Add"]


def test_an_attribute_of_the_enclosing_function_has_no_value() -> None:
    text = """<ir_version: 8, opset_import: ["" : 18, "f" : 1]>
    g (float[2] x) => (float[2] y) { y = f.inner<axis = 0>(x) }
    <domain: "f", opset_import: ["" : 18]> inner <axis> (a) => (b)
    { k = Constant<value = float[2] {2, 3}>() l = Softmax<axis : int = @axis>(k) b = Mul(a, l) }
    """
    assert rewrite(text, "fold").fired == []


def test_a_captured_constant_is_folded_in_the_body() -> None:
    text = (
        f"(bool c, float[2] x) => (float[2] y) {K} {{ a = Add(k, l) y = If(c) "
        "<then_branch = t () => (float[2] p) { n = Neg(a) p = Mul(x, n) }, "
        "else_branch = f () => (float[2] q) { q = Abs(x) }> }"
    )
    done = rewrite(text, "fold", feeds={"c": np.array(True), "x": np.ones(2, np.float32)})
    assert [e.key for e in done.ctx.ledger.entries] == ["fold.constants(a)", "fold.constants(n)"]
    assert [v.name for v in done.model.graph.constants] == []


def test_a_constant_result_of_a_body() -> None:
    text = (
        f"(bool c, float[2] x) => (float[2] y) {K} {{ y = If(c) "
        "<then_branch = t () => (float[2] p) { p = Add(k, l) }, "
        "else_branch = f () => (float[2] q) { q = Abs(x) }> }"
    )
    done = rewrite(text, "fold", feeds={"c": np.array(True), "x": np.ones(2, np.float32)})
    assert done.fired == ["constants"]


def test_a_condition_that_a_loop_body_computes() -> None:
    text = (
        "(int64 n, float[2] x) => (float[2] y) { t = Constant<value = bool {1}>() y = Loop(n, t, x) <body = b "
        "(int64 i, bool k, float[2] v) => (bool kk, float[2] w) "
        "{ f = Constant<value = bool {0}>() kk = Not(f) w = Neg(v) }> }"
    )
    done = rewrite(text, "fold", feeds={"n": np.array(3), "x": np.ones(2, np.float32)})
    assert done.fired == ["constants"]


# -- budgets -----------------------------------------------------------------------------------------------------------

LARGE = (
    "(float x) => (float y) <int64[2] n = {1000, 1000}> "
    "{ a = ConstantOfShape(n) b = Add(a, x) y = ReduceSum<keepdims = 0>(b) }"
)


def test_growth_is_bounded_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rewrite(LARGE, "fold").fired == ["constants"]
    monkeypatch.setattr("gopt.passes.fold.constants.evaluate", _never)
    done = rewrite(LARGE, "fold", max_growth=1_000_000)
    assert done.fired == []
    assert "it would enlarge the constants beyond the limit" in done.reasons


def _never(op: Op, arrays: Any) -> Any:
    raise AssertionError(f"{op.label} was evaluated")


@pytest.mark.parametrize(
    "text",
    [
        "(float x) => (float y) <float k = {1}, int64[1] n = {99999999}> "
        "{ a = Expand(k, n) b = Add(a, x) y = ReduceSum(b) }",
        "(float x) => (float y) <float[1] k = {1}, int64[1] n = {99999999}> "
        "{ a = Tile(k, n) b = Add(a, x) y = ReduceSum(b) }",
        "(int64 x) => (int64 y) <int64 a = {0}, int64 b = {999999999999}, int64 c = {1}> "
        "{ r = Range(a, b, c) s = Add(r, x) y = ReduceSum(s) }",
        "(float x) => (float y) <float[1] k = {1}, int64[2] n = {0, 99999999}> "
        "{ a = Pad(k, n) b = Add(a, x) y = ReduceSum(b) }",
        "(float x) => (float y) <int64[1] k = {1}, int64 d = {99999999}, float[2] v = {0, 1}> "
        "{ a = OneHot(k, d, v) b = Add(a, x) y = ReduceSum(b) }",
        "(float x) => (float y) <float[1,1,1,1] k = {1}, float[4] s = {1, 1, 30000, 30000}> "
        '{ a = Resize(k, "", s) b = Add(a, x) y = ReduceSum(b) }',
    ],
)
def test_what_makes_large_results_of_small_operands_stays(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gopt.passes.fold.constants.evaluate", _never)
    assert rewrite(text, "fold", runs=False).fired == []


def test_constants_that_die_make_room() -> None:
    text = "(float x) => (float y) <float[1024,8] k = {0}> { a = Transpose(k) b = Add(a, x) y = ReduceSum(b) }"

    def edit(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.ones((1024, 8), np.float32), "k"))

    assert rewrite(text.replace(" = {0}", " = {}"), "fold", edit=edit, max_growth=0).fired == ["constants"]


def test_what_is_freed_later_makes_room_again() -> None:
    def edit(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.ones((1024, 8), np.float32), "k"))

    text = (
        "(float x) => (float y) <float[1024,8] k = {}> "
        "{ a = Mul(k, k) b = Mul(a, a) c = Mul(b, b) d = Add(c, x) y = ReduceSum(d) }"
    )
    done = rewrite(text, "fold", edit=edit, max_growth=40_000)
    assert done.fired == ["constants"] * 3


def test_a_weight_that_others_use_is_not_doubled() -> None:
    def edit(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.ones((1024, 8), np.float32), "k"))

    text = (
        "(float x) => (float y) <float[1024,8] k = {}> "
        "{ a = Transpose(k) b = Add(a, x) c = Add(k, x) d = ReduceSum(b) e = ReduceSum(c) y = Add(d, e) }"
    )
    assert rewrite(text, "fold", edit=edit, max_growth=30_000).fired == []


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph("g", {"": 18})
    matrix = graph.add_const(ArrayTensor(np.ones((256, 256), np.float32)))
    graph.set_output(0, graph.add(Op("MatMul", [matrix, matrix])).result)
    model = Model(graph)
    ctx = Context(model, Ledger(keep_rejections=True))
    run_pipeline(model, [Constants(max_work=1 << 20)], ctx)
    assert len(graph) == 1
    assert "more work" in ctx.ledger.rejections[0].reason
    run_pipeline(model, [Constants(max_work=1 << 25)], ctx)
    assert len(graph) == 0


def test_exact_folds_what_is_exact() -> None:
    text = f"{X} {K} {{ a = Exp(k) b = Neg(l) c = Add(a, b) y = Add(x, c) }}"
    done = rewrite(text, "fold", exact=True)
    assert done.ops == ["Exp", "Add", "Add"]


def test_a_wrong_kernel_result_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gopt.passes.fold.constants.evaluate", lambda op, arrays: (np.zeros(3, np.float32),))
    done = rewrite(f"{X} {K} {{ a = Add(k, l) y = Mul(x, a) }}", "fold")
    assert done.fired == []
    monkeypatch.setattr("gopt.passes.fold.constants.evaluate", lambda op, arrays: (np.zeros(2, np.int64),))
    assert rewrite(f"{X} {K} {{ a = Add(k, l) y = Mul(x, a) }}", "fold").fired == []


def test_a_reshaped_weight_takes_no_memory() -> None:
    graph = Graph("g", {"": 18})
    array = np.ones((64, 32), np.float32)
    weight = graph.add_const(ArrayTensor(array))
    shape = graph.add_const(ArrayTensor(np.array([32, 64])))
    graph.set_output(0, graph.add(Op("Reshape", [weight, shape])).result)
    model = Model(graph)
    run_pipeline(model, "fold", Context(model))
    tensor = graph.outputs[0].const
    assert tensor is not None
    assert np.shares_memory(tensor.numpy(), array)


# -- elements that nobody takes ----------------------------------------------------------------------------------------

BUCKETS = (
    "(int64[4] x) => (int64[4] y) <int64[4] n = {0, 9, 70, 2}, int64 few = {8}, float eight = {8}, int64 most = {15}> "
    "{ f = Cast<to = 1>(n) q = Div(f, eight) l = Log(q) s = Mul(l, eight) i = Cast<to = 7>(s) j = Add(i, few) "
    "k = Min(j, most) c = Less(n, few) w = Where(c, n, k) y = Add(x, w) }"
)


def test_an_undefined_element_that_is_not_taken_hinders_nothing() -> None:
    """Buckets of relative positions: log(0) as an integer is whatever the processor makes of it."""
    done = rewrite(BUCKETS, "fold")
    assert done.ops == ["Add"]


@pytest.mark.parametrize("few", ["0", "-1"])
def test_an_undefined_element_that_is_taken_hinders(few: str) -> None:
    done = rewrite(BUCKETS.replace("int64 few = {8}", f"int64 few = {{{few}}}"), "fold", runs=False)
    assert "Where" in done.ops
    assert "runtimes differ in some elements, which may be taken by nobody" in done.reasons


def test_an_operand_with_undefined_elements_is_no_omitted_one() -> None:
    text = (
        "(int64[2] x) => (int64[2] y) <float[1] n = {1e30}, int64[2] k = {1, 2}> "
        "{ i = Cast<to = 7>(n) s = Squeeze(i) w = Clip(k, s) y = Add(x, w) }"
    )
    assert "Clip" in rewrite(text, "fold", runs=False).ops


def test_undefined_elements_are_followed_through_moves() -> None:
    text = (
        "(int64[2] x) => (int64[2] y) <float[4] n = {1e30, 3, -1e30, 7}, int64[2] s = {2, 2}, int64[1] one = {1}, "
        "int64[1] two = {2}> { i = Cast<to = 7>(n) r = Reshape(i, s) t = Transpose(r) p = Slice(t, one, two) "
        "y = Add(x, p) }"
    )
    assert rewrite(text, "fold").ops == ["Add"]
