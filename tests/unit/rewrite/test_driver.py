"""The driver and the context: what a rule may do, and what it never does whatever its author wrote."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gopt.errors import PassError, RewriteLoopError, UsageError
from gopt.ir import ArrayTensor, Attr, AttrKind, Declared, DType, Graph, Model, Op, TensorType, Value
from gopt.ir.check import check
from gopt.rewrite import Context, Ledger, Numerics, P, Rewriter, Rule, apply_rules, rule

FLOATS = TensorType(DType.FLOAT, (2, 3))


class Net:
    """A little model, built by hand: `net.Relu(net.x)`."""

    def __init__(self, opset: int = 17) -> None:
        self.graph = Graph("net", {"": opset})
        self.model = Model(self.graph)
        self.x = self.input("x")

    def input(self, name: str, type_: TensorType = FLOATS) -> Value:
        value = Value(name)
        value.declared = Declared(type_)
        return self.graph.add_input(value)

    def const(self, data: Any, dtype: Any = np.float32) -> Value:
        return self.graph.add_const(ArrayTensor(np.array(data, dtype)))

    def op(self, op_type: str, *operands: Value | None, outputs: int = 1, **attrs: Any) -> Op:
        return self.graph.add(Op(op_type, operands, outputs, {k: Attr.of(v) for k, v in attrs.items()}))

    def export(self, *values: Value) -> None:
        for value in values:
            self.graph.set_output(len(self.graph.outputs), value)

    def apply(self, *rules: Rule, **options: Any) -> Context:
        ledger = Ledger(limit=options.pop("limit", None), skip=frozenset(options.pop("skip", ())), keep_rejections=True)
        ctx = Context(self.model, ledger, **options)
        apply_rules(ctx, rules)
        check(self.model)
        return ctx

    @property
    def types(self) -> list[str]:
        return [op.op_type for op in self.graph.ops]


@rule(P.Relu(P.Relu("x")))
def relu_relu(rw: Rewriter, x: Value) -> Any:
    """Relu(Relu(x)) -> Relu(x)"""
    return rw.Relu(x)


@rule(P.Neg(P.Neg("x")))
def neg_neg(rw: Rewriter, x: Value) -> Any:
    """Neg(Neg(x)) -> x"""
    return x


@rule(P.Add("x", P.Mul("y", P.const("c"))), numerics=Numerics.ROUNDING)
def add_mul(rw: Rewriter, x: Value, y: Value, c: Value) -> Any:
    """x + y*c -> Sum(x, y*c)"""
    return rw.Sum(x, rw.Mul(y, c))


def chain(*op_types: str) -> Net:
    net = Net()
    value = net.x
    for op_type in op_types:
        value = net.op(op_type, value).result
    net.export(value)
    return net


def test_a_name_comes_from_module_and_function() -> None:
    assert relu_relu.name == "test_driver.relu_relu"
    assert relu_relu.equation == "Relu(Relu(x)) -> Relu(x)"


def test_a_rule_is_applied_until_nothing_matches() -> None:
    net = chain("Relu", "Relu", "Relu", "Relu", "Exp")
    ctx = net.apply(relu_relu)
    assert net.types == ["Relu", "Exp"]
    assert len(ctx.ledger.entries) == 3
    assert net.graph.ops[0].result.type == FLOATS


def test_the_result_keeps_the_name_of_what_it_replaces() -> None:
    net = chain("Relu", "Relu")
    name = net.graph.outputs[0].name
    net.apply(relu_relu)
    assert [v.name for v in net.graph.outputs] == [name]


def test_node_names_are_handed_on_once_and_only_when_free() -> None:
    def two(rw: Rewriter, x: Value, inner: Op) -> Any:
        return rw.op("Abs", rw.op("Exp", x, name=inner.name), name="")

    net = chain("Relu", "Relu", "Neg")
    for number, op in enumerate(net.graph.ops):
        op.name = f"n{number}"
    net.export(net.op("Sin", net.graph.ops[0].result).result)
    net.apply(Rule("test.two", P.Relu(P.Relu("x").as_("inner").shared()), two))
    assert {op.op_type: op.name for op in net.graph.ops} == {
        "Relu": "n0",
        "Exp": "",
        "Abs": "n1",
        "Neg": "n2",
        "Sin": "",
    }


def test_an_output_takes_its_name_along_when_its_op_is_bypassed() -> None:
    net = chain("Exp", "Neg", "Neg")
    name = net.graph.outputs[0].name
    net.apply(neg_neg)
    assert net.types == ["Exp"]
    assert net.graph.outputs[0].name == name


def test_an_output_that_would_become_an_input_is_left() -> None:
    net = chain("Neg", "Neg")
    ctx = net.apply(neg_neg)
    assert net.types == ["Neg", "Neg"]
    assert "value of its own" in ctx.ledger.rejections[0].reason


def test_two_outputs_never_become_one_value() -> None:
    net = Net()
    value = net.op("Exp", net.x).result
    net.export(value, net.op("Neg", net.op("Neg", value).result).result)
    net.apply(neg_neg)
    assert net.types == ["Exp", "Neg", "Neg"]


def test_an_interior_value_used_elsewhere_forbids() -> None:
    net = chain("Relu", "Relu")
    net.export(net.op("Abs", net.graph.ops[0].result).result)
    ctx = net.apply(relu_relu)
    assert net.types == ["Relu", "Relu", "Abs"]
    assert "used elsewhere" in ctx.ledger.rejections[0].reason


def test_an_exported_interior_value_forbids() -> None:
    net = chain("Relu", "Relu")
    net.export(net.graph.ops[0].result)
    net.apply(relu_relu)
    assert net.types == ["Relu", "Relu"]


def test_an_interior_value_captured_by_a_body_forbids() -> None:
    net = chain("Relu", "Relu")
    body = Graph("body", net.graph.opsets, net.graph.names)
    owner = Op("If", [net.x], attrs={"then_branch": Attr(AttrKind.GRAPH, body)})
    body.set_output(0, body.add(Op("Neg", [body.capture(net.graph.ops[0].result)])).result)
    net.graph.add(owner)
    net.export(owner.result)
    ctx = net.apply(relu_relu)
    assert net.types == ["Relu", "Relu", "If"]
    assert "used elsewhere" in ctx.ledger.rejections[0].reason


def test_shared_interiors_may_stay() -> None:
    shared = Rule("test.shared", P.Relu(P.Relu("x").shared()), lambda rw, x: rw.Relu(x))
    net = chain("Relu", "Relu")
    inner = net.graph.ops[0].result
    net.export(net.op("Abs", inner).result)
    net.apply(shared)
    assert net.types == ["Relu", "Relu", "Abs"]
    assert all(op.inputs == (net.x,) for op in net.graph.ops[:2])


def test_commutation_is_tried() -> None:
    net = Net()
    y = net.input("y")
    product = net.op("Mul", net.const(2.0), y).result
    net.export(net.op("Add", product, net.x).result)
    net.apply(add_mul)
    assert sorted(net.types) == ["Mul", "Sum"]
    total = next(op for op in net.graph.ops if op.op_type == "Sum")
    assert total.inputs[0] is net.x


def test_repeated_captures_must_be_the_same_value() -> None:
    square = Rule("test.square", P.Mul("x", "x"), lambda rw, x: rw.Abs(x))
    net = Net()
    y = net.input("y")
    net.export(net.op("Mul", net.x, y).result, net.op("Mul", y, y).result)
    net.apply(square)
    assert net.types == ["Mul", "Abs"]


def test_an_overridable_initializer_is_not_constant() -> None:
    folded = Rule("test.const", P.Mul("x", P.const("c")), lambda rw, x, c: rw.Abs(x))
    net = Net()
    weight = net.graph.add_input(Value("w", tensor=ArrayTensor(np.ones((2, 3), np.float32))))
    weight.declared = Declared(FLOATS)
    net.export(net.op("Mul", net.x, weight).result)
    net.apply(folded)
    assert net.types == ["Mul"]


def test_an_operand_that_the_pattern_does_not_name_must_be_absent() -> None:
    unbiased = Rule("test.unbiased", P.Gemm("a", "b"), lambda rw, a, b: rw.MatMul(a, b))
    net = Net()
    a, b = net.input("a", TensorType(DType.FLOAT, (2, 2))), net.input("b", TensorType(DType.FLOAT, (2, 2)))
    net.export(net.op("Gemm", a, b).result, net.op("Gemm", a, b, net.const([1.0, 2.0])).result)
    net.apply(unbiased)
    assert net.types == ["MatMul", "Gemm"]


def test_an_operand_may_be_captured_by_its_name_in_the_schema() -> None:
    by_name = Rule("test.by_name", P.Gemm("a", "b", C="c"), lambda rw, a, b, c: rw.Add(rw.MatMul(a, b), c))
    net = Net()
    a, b = net.input("a", TensorType(DType.FLOAT, (2, 2))), net.input("b", TensorType(DType.FLOAT, (2, 2)))
    net.export(net.op("Gemm", a, b, net.const([1.0, 2.0])).result)
    net.apply(by_name)
    assert net.types == ["MatMul", "Add"]


def test_a_random_op_is_never_matched() -> None:
    gone = Rule("test.random", P.Relu(P.RandomNormalLike("x")), lambda rw, x: rw.Relu(x))
    net = chain("RandomNormalLike", "Relu")
    ctx = net.apply(gone)
    assert net.types == ["RandomNormalLike", "Relu"]
    assert "random" in ctx.ledger.rejections[0].reason


def test_a_contradicting_type_is_refused() -> None:
    wrong = Rule("test.wrong", P.Relu("x"), lambda rw, x: rw.Cast(x, to=int(DType.DOUBLE)))
    net = chain("Relu")
    ctx = net.apply(wrong)
    assert net.types == ["Relu"]
    assert "double would stand for float" in ctx.ledger.rejections[0].reason


def test_an_operator_newer_than_the_opset_is_refused() -> None:
    newer = Rule("test.newer", P.Relu("x"), lambda rw, x: rw.Gelu(x))
    net = chain("Relu")
    net.apply(newer)
    assert net.types == ["Relu"]


def test_other_results_in_use_forbid() -> None:
    first = Rule("test.first", P.Split("x", ...), lambda rw, x: rw.Identity(x))
    net = Net()
    split = net.op("Split", net.x, net.const([1, 1], np.int64), outputs=2, axis=0)
    net.export(*(v for v in split.outputs if v is not None))
    net.apply(first)
    assert net.types == ["Split"]


def test_results_that_nothing_needs_are_not_inserted() -> None:
    net = chain("Relu", "Relu")

    def build(rw: Rewriter, x: Value) -> Any:
        rw.Exp(x)
        return rw.Relu(x)

    net.apply(Rule("test.wasteful", P.Relu(P.Relu("x")), build))
    assert net.types == ["Relu"]


def test_a_constant_of_the_interior_dies_with_it() -> None:
    drop = Rule("test.drop", P.Mul("x", P.const("c")), lambda rw, x, c: rw.Abs(x))
    net = Net()
    net.export(net.op("Mul", net.x, net.const(2.0)).result)
    net.apply(drop)
    assert not net.graph.constants


@pytest.mark.parametrize("limit, result", [(255, ["Relu"]), (256, ["Add"])])
def test_growth_is_bounded(limit: int, result: list[str]) -> None:
    big = Rule("test.big", P.Relu("x"), lambda rw, x: rw.Add(x, rw.const(np.zeros((8, 8), np.float32))))
    net = Net()
    square = net.input("square", TensorType(DType.FLOAT, (8, 8)))
    net.export(net.op("Relu", square).result)
    ctx = net.apply(big, max_growth=limit)
    assert net.types == result
    assert ("enlarge" in ctx.ledger.rejections[0].reason) if ctx.ledger.rejections else result == ["Add"]


def test_a_constant_that_frees_another_is_no_growth() -> None:
    scaled = Rule("test.scaled", P.Mul("x", P.const("c")), lambda rw, x, c: rw.Add(x, rw.const(rw.array(c) + 1)))
    net = Net()
    square = net.input("square", TensorType(DType.FLOAT, (8, 8)))
    net.export(net.op("Mul", square, net.const(np.ones((8, 8)))).result)
    net.apply(scaled, max_growth=0)
    assert net.types == ["Add"]


def test_a_constant_above_a_fork_that_dies_is_no_growth() -> None:
    """Its result was used twice, and so nothing above was taken for freed."""

    def scaled(rw: Rewriter, x: Value, c: Value) -> Value:
        return rw.Add(x, rw.const(rw.array(c) + 1))

    net = Net()
    square = net.input("square", TensorType(DType.FLOAT, (8, 8)))
    product = net.op("Mul", square, net.const(np.ones((8, 8)))).result
    net.export(net.op("Sub", product, net.op("Neg", product).result).result)
    fork = P.Mul("x", P.const("c"))
    net.apply(Rule("test.fork", P.Sub(fork, P.Neg(fork)), scaled), max_growth=0)
    assert net.types == ["Add"]


def test_a_kept_constant_stays() -> None:
    drop = Rule("test.drop", P.Mul("x", P.const("c")), lambda rw, x, c: rw.Abs(x))
    net = Net()
    scale = net.const(2.0)
    net.graph.kept[scale] = None
    net.export(net.op("Mul", net.x, scale).result)
    net.apply(drop)
    assert net.graph.constants == [scale]


def test_limit_commits_a_prefix() -> None:
    full = chain("Relu", "Relu", "Relu", "Relu").apply(relu_relu)
    net = chain("Relu", "Relu", "Relu", "Relu")
    ctx = net.apply(relu_relu, limit=2)
    assert [e.key for e in ctx.ledger.entries] == [e.key for e in full.ledger.entries[:2]]
    assert net.types == ["Relu", "Relu"]


def test_one_entry_is_left_out_by_its_key() -> None:
    net = chain("Relu", "Relu", "Exp", "Relu", "Relu")
    keys = [e.key for e in chain("Relu", "Relu", "Exp", "Relu", "Relu").apply(relu_relu).ledger.entries]
    ctx = net.apply(relu_relu, skip=[keys[0]])
    assert [e.key for e in ctx.ledger.entries] == keys[1:]
    assert len(net.types) == 4


@pytest.mark.parametrize("name", ["test_driver", "test_driver.relu_relu"])
def test_a_rule_or_its_file_is_skipped(name: str) -> None:
    net = chain("Relu", "Relu")
    net.apply(relu_relu, skip=[name])
    assert net.types == ["Relu", "Relu"]


def test_exact_keeps_exact_rewrites_only() -> None:
    net = Net()
    product = net.op("Mul", net.x, net.const(2.0)).result
    net.export(net.op("Add", net.x, product).result)
    ctx = net.apply(add_mul, exact=True)
    assert net.types == ["Mul", "Add"]
    assert ctx.ledger.rejections[0].reason == "it is not exact"


def test_provenance_leads_back_to_the_input_model() -> None:
    net = chain("Relu", "Relu", "Relu")
    for number, op in enumerate(net.graph.ops):
        op.name = f"n{number}"
    ctx = net.apply(relu_relu)
    (op,) = net.graph.ops
    assert sorted(ctx.ledger.origins(op)) == ["Relu 'n0'", "Relu 'n1'", "Relu 'n2'"]


def test_a_rewrite_loop_is_named() -> None:
    to_exp = Rule("test.to_exp", P.Relu("x"), lambda rw, x: rw.Exp(x))
    to_relu = Rule("test.to_relu", P.Exp("x"), lambda rw, x: rw.Relu(x))
    with pytest.raises(RewriteLoopError, match=r"test\.to_(exp|relu) -> test\.to_(exp|relu) -> test\.to_(exp|relu)"):
        chain("Relu").apply(to_exp, to_relu)


def test_a_rule_that_raises_is_named() -> None:
    broken = Rule("test.broken", P.Relu("x"), lambda rw, x: 1 // 0)
    with pytest.raises(PassError, match=r"test\.broken .*ZeroDivisionError"):
        chain("Relu").apply(broken)


def test_parameters_are_checked_at_import() -> None:
    with pytest.raises(UsageError, match="captures no 'y'"):
        rule(P.Relu("x"), name="bad")(lambda rw, y: y)


def test_bodies_are_rewritten_too() -> None:
    net = Net()
    body = Graph("body", net.graph.opsets, net.graph.names)
    owner = Op("If", [net.x], attrs={"then_branch": Attr(AttrKind.GRAPH, body)})
    inner = body.capture(net.x)
    value = body.add(Op("Relu", [body.add(Op("Relu", [inner])).result])).result
    body.set_output(0, value)
    net.graph.add(owner)
    net.export(owner.result)
    net.apply(relu_relu)
    assert [op.op_type for op in body.ops] == ["Relu"]


def test_what_a_dead_capture_kept_alive_dies_outside() -> None:
    net = Net()
    outside = net.op("Exp", net.x).result
    body = Graph("body", net.graph.opsets, net.graph.names)
    owner = Op("If", [net.x], attrs={"then_branch": Attr(AttrKind.GRAPH, body)})
    kept = body.capture(net.x)
    body.set_output(0, body.add(Op("Max", [kept, body.capture(outside)])).result)
    net.graph.add(owner)
    net.export(owner.result)
    net.apply(Rule("test.max", P.Max("a", "b"), lambda rw, a, b: rw.Relu(a)))
    assert net.types == ["If"]


def test_unknown_dims_do_not_contradict() -> None:
    net = Net()
    n = net.model.symbol("N")
    y = net.input("y", TensorType(DType.FLOAT, (n, 3)))
    net.export(net.op("Relu", net.op("Relu", y).result).result)
    net.apply(relu_relu)
    assert net.types == ["Relu"]
    assert net.graph.outputs[0].type == TensorType(DType.FLOAT, (n, 3))
