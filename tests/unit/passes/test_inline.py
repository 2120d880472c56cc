"""Inlining of functions and decided branches: same numbers, same interface, nothing of the old left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, parser
from onnx.reference import ReferenceEvaluator

from gopt.errors import ModelError
from gopt.frontends.onnx import load, to_proto
from gopt.ir import Model, Value
from gopt.ir.check import check
from gopt.passes import run_pipeline
from gopt.rewrite import Context, Ledger

X = np.arange(-3, 3, dtype=np.float32).reshape(2, 3)


def read(text: str) -> onnx.ModelProto:
    head, _, rest = text.strip().partition("\n")
    return parser.parse_model(f"<ir_version: 10, opset_import: [{head}]>\n{rest}")


Outputs = list[Any]


def by_reference(proto: onnx.ModelProto, feeds: Mapping[str, Any]) -> Outputs:
    return list(ReferenceEvaluator(proto).run(None, dict(feeds)))


def by_runtime(proto: onnx.ModelProto, feeds: Mapping[str, Any]) -> Outputs:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(feeds)))


def both(original: onnx.ModelProto, result: onnx.ModelProto, feeds: Mapping[str, Any]) -> tuple[Outputs, Outputs]:
    """What both models compute by onnx's reference, or by ONNX Runtime where the reference cannot call the functions.

    The reference comes first because ONNX Runtime returns garbage for a branch that exports one value twice.
    """
    try:
        wanted, run = by_reference(original, feeds), by_reference
    except (NotImplementedError, RuntimeError, TypeError):
        wanted, run = by_runtime(original, feeds), by_runtime
    return wanted, run(result, feeds)


def inline(source: str | onnx.ModelProto, passes: str = "inline", **feeds: Any) -> Model:
    """Inline, check that the model is whole, computes the same and has the same interface."""
    proto = read(source) if isinstance(source, str) else source
    model = load(proto)
    run_pipeline(model, passes)
    check(model)
    result = to_proto(model)
    onnx.checker.check_model(result, full_check=True)
    assert [o.name for o in result.graph.output] == [o.name for o in proto.graph.output]
    assert [i.name for i in result.graph.input] == [i.name for i in proto.graph.input]
    for wanted, got in zip(*both(proto, result, feeds or {"x": X})):
        np.testing.assert_array_equal(got, wanted)
    return model


def types(model: Model) -> list[str]:
    return [op.op_type for op in model.graph.ops]


# -- functions


def test_a_call_becomes_the_body() -> None:
    model = inline("""
        "" : 18, "f" : 1
        g (float[2,3] x) => (float[2,3] y) { h = f.twice(x) y = Neg(h) }
        <domain: "f", opset_import: ["" : 18]> twice (a) => (b) { b = Add(a, a) }
    """)
    assert types(model) == ["Add", "Neg"]
    assert not model.functions


def test_each_call_has_values_of_its_own() -> None:
    model = inline("""
        "" : 18, "f" : 1
        g (float[2,3] x) => (float[2,3] y) { h = f.step(x) y = f.step(h) }
        <domain: "f", opset_import: ["" : 18]> step (a) => (b) { t = Neg(a) u = Exp(t) b = Add(u, a) }
    """)
    assert types(model) == ["Neg", "Exp", "Add"] * 2
    names = [v.name for v in model.graph.values]
    assert len(set(names)) == len(names)


def test_nested_calls_go_too() -> None:
    model = inline("""
        "" : 18, "f" : 1, "g" : 3
        g (float[2,3] x) => (float[2,3] y) { y = f.outer(x) }
        <domain: "f", opset_import: ["" : 18, "g" : 3]> outer (a) => (b) { t = g.inner(a) b = g.inner(t) }
        <domain: "g", opset_import: ["" : 18]> inner (a) => (b) { t = Neg(a) b = Exp(t) }
    """)
    assert types(model) == ["Neg", "Exp"] * 2
    assert not model.functions


def test_attributes_come_from_the_call_or_the_default() -> None:
    model = inline("""
        "" : 18, "f" : 1
        g (float[2,3] x) => (float[2,3] y, float[2,3] z) {
            y = f.leak <alpha = 0.5, axis = 1> (x)
            z = f.leak <axis = 0> (x)
        }
        <domain: "f", opset_import: ["" : 18]> leak <axis, alpha: float = 0.25> (a) => (b) {
            t = LeakyRelu <alpha: float = @alpha> (a)
            b = Softmax <axis: int = @axis> (t)
        }
    """)
    assert [op.attr("alpha") for op in model.graph.ops if op.op_type == "LeakyRelu"] == [0.5, 0.25]
    assert [op.attr("axis") for op in model.graph.ops if op.op_type == "Softmax"] == [1, 0]


def test_an_attribute_that_is_not_given_is_left_out() -> None:
    proto = read("""
        "" : 18, "f" : 1
        g (float[2,3] x) => (float[2,3] y) { y = f.soft (x) }
        <domain: "f", opset_import: ["" : 18]> soft <axis> (a) => (b) { b = Softmax <axis: int = @axis> (a) }
    """)
    model = load(proto)
    run_pipeline(model, "inline")
    assert [dict(op.attrs) for op in model.graph.ops] == [{}]


def test_attributes_reach_into_nested_bodies_and_nested_calls() -> None:
    model = inline(
        """
        "" : 18, "f" : 1
        g (float[2,3] x, bool c) => (float[2,3] y) { y = f.outer <k = 1, e = 2.0> (x, c) }
        <domain: "f", opset_import: ["" : 18, "f" : 1]> outer <k, e> (a, c) => (b) {
            b = If (c) <
                then_branch = yes () => (u) {
                    t = f.inner <axis: int = @k> (a)
                    v = Constant <value_float: float = @e> ()
                    u = Mul(t, v)
                },
                else_branch = no () => (w) { w = Softmax <axis: int = @k> (a) }
            >
        }
        <domain: "f", opset_import: ["" : 18]> inner <axis> (a) => (b) { b = Softmax <axis: int = @axis> (a) }
    """,
        x=X,
        c=np.array(True),
    )
    (op,) = model.graph.ops
    yes, no = op.bodies
    assert [(o.op_type, o.attr("axis")) for o in yes.ops] == [("Softmax", 1), ("Mul", None)]
    assert [(o.op_type, o.attr("axis")) for o in no.ops] == [("Softmax", 1)]
    assert yes.ops[1].inputs[1] is not None
    assert yes.ops[1].inputs[1].const is not None


def test_a_constant_made_of_an_attribute_is_a_constant() -> None:
    model = inline(
        """
        "" : 18, "f" : 1
        g (float[2,3] x) => (float[2,3] y) { y = f.shift <by = 2.5, axes = [0]> (x) }
        <domain: "f", opset_import: ["" : 18]> shift <by, axes> (a) => (b) {
            c = Constant <value_float: float = @by> ()
            d = Constant <value_ints: ints = @axes> ()
            t = Add(a, c)
            b = ReduceSum <keepdims = 0> (t, d)
        }
    """.replace("float[2,3] y", "float[3] y")
    )
    add, reduce = model.graph.ops
    assert add.inputs[1] is not None
    assert add.inputs[1].const is not None
    assert add.inputs[1].const.item() == 2.5
    assert reduce.inputs[1] is not None
    assert reduce.inputs[1].const is not None


def test_overloads_are_told_apart() -> None:
    proto = read("""
        "" : 18, "f" : 1
        g (float[2,3] x) => (float[2,3] y) { t = f.go(x) y = f.go(t) }
        <domain: "f", opset_import: ["" : 18]> go (a) => (b) { b = Neg(a) }
        <domain: "f", opset_import: ["" : 18]> go2 (a) => (b) { b = Exp(a) }
    """)
    proto.functions[1].name, proto.functions[1].overload = "go", "exp"
    proto.graph.node[1].overload = "exp"
    model = load(proto)
    run_pipeline(model, "inline")
    assert types(model) == ["Neg", "Exp"]


def test_optional_operands_and_results_may_be_missing() -> None:
    body = [helper.make_node("Clip", ["a", "lo", "hi"], ["t"]), helper.make_node("Dropout", ["t"], ["b", "m"])]
    function = helper.make_function("f", "clip", ["a", "lo", "hi"], ["b", "m"], body, [helper.make_opsetid("", 18)])
    nodes = [
        helper.make_node("clip", ["x", "", "one"], ["h", ""], domain="f"),
        helper.make_node("clip", ["h"], ["y", "m"], domain="f"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])],
        [helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]
    model = inline(helper.make_model(graph, functions=[function], opset_imports=opsets, ir_version=10))
    first, second = (op for op in model.graph.ops if op.op_type == "Clip")
    assert [v and v.name for v in first.inputs] == ["x", None, "one"]
    assert len(second.inputs) == 1


def test_outputs_that_need_a_name_of_their_own_keep_it() -> None:
    model = inline("""
        "" : 18, "f" : 1
        g (float[2,3] x) => (float[2,3] p, float[2,3] q, float[2,3] r, float[1] s, float[1] u) {
            p, q, r, s, u = f.odd(x)
        }
        <domain: "f", opset_import: ["" : 18]> odd (a) => (a, t, t, k, k) {
            t = Neg(a)
            k = Constant <value_floats = [1.5]> ()
        }
    """)
    assert sorted(types(model)) == ["Identity", "Identity", "Identity", "Neg"]


def test_calls_in_bodies_of_ops_go_too() -> None:
    model = inline(
        """
        "" : 18, "f" : 1
        g (float[2,3] x, bool c) => (float[2,3] y) {
            y = If (c) <
                then_branch = yes () => (u) { t = f.twice(x) u = f.twice(t) },
                else_branch = no () => (w) { w = Neg(x) }
            >
        }
        <domain: "f", opset_import: ["" : 18]> twice (a) => (b) { b = Add(a, a) }
    """,
        x=X,
        c=np.array(True),
    )
    assert [o.op_type for o in model.graph.ops[0].bodies[0].ops] == ["Add", "Add"]


def test_a_function_that_calls_itself_is_an_error() -> None:
    model = load(
        read("""
        "" : 18, "f" : 1
        g (float[2,3] x) => (float[2,3] y) { y = f.a(x) }
        <domain: "f", opset_import: ["" : 18, "f" : 1]> a (p) => (q) { q = f.b(p) }
        <domain: "f", opset_import: ["" : 18, "f" : 1]> b (p) => (q) { q = Neg(p) }
    """)
    )
    # Frontends refuse such a file; a pass may have made it all the same.
    (neg,) = model.functions["f", "b", ""].graph.ops
    neg.domain, neg.op_type = "f", "a"
    with pytest.raises(ModelError, match="function f::a calls itself, through f::b"):
        run_pipeline(model, "inline")


def test_functions_that_blow_up_stay() -> None:
    calls = "".join(
        f'<domain: "f", opset_import: ["" : 18, "f" : 1]> f{k} (a) => (b) {{ t = f.f{k + 1}(a) b = f.f{k + 1}(t) }}'
        for k in range(60)
    )
    text = f"""
        "" : 18, "f" : 1
        g (float[2,3] x) => (float[2,3] y) {{ y = f.f0(x) }}
        {calls}
        <domain: "f", opset_import: ["" : 18]> f60 (a) => (b) {{ b = Neg(a) }}
    """
    model = load(read(text))
    run_pipeline(model, "inline")
    assert types(model) == ["f0"]
    assert len(model.functions) == 61


def opsets(ours: int, theirs: int, body: str) -> str:
    return f"""
        "" : {ours}, "f" : 1
        g (float[2,3] x) => (float[2,3] y) {{ y = f.go(x) }}
        <domain: "f", opset_import: ["" : {theirs}]> go (a) => (b) {{ {body} }}
    """


@pytest.mark.parametrize(
    ("ours", "theirs", "body", "goes"),
    [
        (18, 18, "b = Softmax(a)", True),
        (18, 14, "b = Softmax(a)", True),  # Softmax is the same from 13 on
        (18, 12, "b = Softmax(a)", False),
        (12, 13, "b = Softmax(a)", False),
        (18, 9, "b = Neg(a)", True),  # Neg-13 takes more types, no more
        (12, 18, "b = Neg(a)", False),  # which the body may make use of
        (13, 18, "b = Neg(a)", True),
        (18, 12, "b = Softmax <axis = -1> (a)", True),  # over the last axis both versions do the same
        (18, 11, "b = ReduceMax(a)", True),
        (18, 11, "b = ReduceMax <axes = [1]> (a)", False),  # an operand by now
        (18, 6, "b = Dropout(a)", False),  # the default of ratio came from an attribute
        (19, 18, "b = Cast <to = 1> (a)", True),
        (18, 8, "b = go2(a)", False),
    ],
)
def test_a_call_goes_only_where_its_ops_mean_the_same(ours: int, theirs: int, body: str, goes: bool) -> None:
    model = load(read(opsets(ours, theirs, body)))
    run_pipeline(model, "inline")
    assert (types(model) == ["go"]) is not goes
    assert bool(model.functions) is not goes


def test_imports_of_the_function_come_along() -> None:
    model = load(
        read("""
        "" : 18, "f" : 1
        g (float[2,3] x) => (float[2,3] y) { y = f.go(x) }
        <domain: "f", opset_import: ["ai.onnx.ml" : 3, "" : 18]> go (a) => (b) { b = ai.onnx.ml.Scaler(a) }
    """)
    )
    run_pipeline(model, "inline")
    assert model.opsets["ai.onnx.ml"] == 3


def test_functions_that_nobody_calls_go() -> None:
    model = load(
        read("""
        "" : 18, "f" : 1
        g (float[2,3] x) => (float[2,3] y) { y = Neg(x) }
        <domain: "f", opset_import: ["" : 18]> go (a) => (b) { b = Neg(a) }
    """)
    )
    ctx = Context(model)
    run_pipeline(model, "inline", ctx)
    assert not model.functions
    assert [e.key for e in ctx.ledger.entries] == ["inline.functions(f::go)"]


CALLS = """
    "" : 18, "f" : 1
    g (float[2,3] x) => (float[2,3] z) { h = f.twice(x) y = f.twice(h) z = f.twice(y) }
    <domain: "f", opset_import: ["" : 18]> twice (a) => (b) { b = Add(a, a) }
"""


def test_each_call_is_an_entry_of_the_ledger() -> None:
    model = load(read(CALLS))
    ctx = Context(model, Ledger(skip=frozenset({"inline.functions(y)"})))
    run_pipeline(model, "inline", ctx)
    assert types(model) == ["Add", "twice", "Add"]
    assert [e.key for e in ctx.ledger.entries] == ["inline.functions(h)", "inline.functions(z)"]
    assert ctx.ledger.entries[0].before[0].label == "f::twice 'h'"
    assert ctx.ledger.origins(model.graph.ops[0]) == ("f::twice 'h'",)
    assert len(model.functions) == 1


def test_the_limit_holds() -> None:
    model = load(read(CALLS))
    run_pipeline(model, "inline", Context(model, Ledger(limit=1)))
    assert types(model) == ["Add", "twice", "twice"]


# -- branches


def branches(condition: str, then: str, other: str, more: str = "") -> str:
    return f"""
        "" : 18
        g (float[2,3] x) => (float[2,3] y)
        <bool c = {{{condition}}}, float[1] k = {{3.0}}>
        {{
            h = Exp(x)
            y = If (c) < then_branch = yes () => (u) {{ {then} }}, else_branch = no () => (w) {{ {other} }} >
            {more}
        }}
    """


def test_the_branch_that_is_taken_stays() -> None:
    yes = inline(branches("1", "t = Neg(h) u = Add(t, k)", "w = Identity(x)"))
    assert types(yes) == ["Exp", "Neg", "Add"]
    no = inline(branches("0", "t = Neg(h) u = Add(t, k)", "w = Sin(x)"))
    assert [t for t in types(no) if t != "Exp"] == ["Sin"]
    # What only the dead branch used is gone.
    assert "k" not in [v.name for v in no.graph.values]


def test_a_capture_as_result() -> None:
    model = inline(branches("1", "u = Identity(h)", "w = Sin(x)"))
    assert types(model) == ["Exp", "Identity"]
    proto = read(branches("1", "u = Identity(h)", "w = Sin(x)"))
    del proto.graph.node[1].attribute[0].g.node[:]
    proto.graph.node[1].attribute[0].g.output[0].name = "h"
    model = inline(proto)
    assert types(model) == ["Exp", "Identity"]
    assert model.graph.outputs[0].name == "y"


def test_an_initializer_as_result() -> None:
    proto = read(branches("1", "u = Identity(h)", "w = Sin(x)"))
    branch = proto.graph.node[1].attribute[0].g
    del branch.node[:]
    branch.initializer.append(helper.make_tensor("u", TensorProto.FLOAT, [2, 3], np.arange(6.0)))
    model = inline(proto)
    assert model.graph.outputs[0].const is not None
    proto.graph.node.append(helper.make_node("Neg", ["y"], ["z"]))
    proto.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [2, 3]))
    inline(proto)


def test_a_condition_that_is_not_known_decides_nothing() -> None:
    text = branches("1", "u = Neg(h)", "w = Sin(x)")
    proto = read(text)
    proto.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))  # overridable now
    model = load(proto)
    run_pipeline(model, "inline")
    assert "If" in types(model)


def test_bodies_inside_of_the_branch_keep_their_captures() -> None:
    inner = """
        t = Neg(h)
        u = If (d) <
            then_branch = a () => (p) { q = Add(t, h) r = Add(q, s) p = Mul(r, k) },
            else_branch = b () => (o) { o = Identity(t) }
        >
    """
    text = f"""
        "" : 18
        g (float[2,3] x, bool d) => (float[2,3] y)
        <bool c = {{1}}, float[1] k = {{3.0}}>
        {{
            h = Exp(x)
            s = Sin(x)
            y = If (c) < then_branch = yes () => (u) {{ {inner} }}, else_branch = no () => (w) {{ w = Identity(x) }} >
        }}
    """
    for d in (True, False):
        model = inline(text, x=X, d=np.array(d))
    op = model.graph.ops[-1]
    assert op.op_type == "If"
    captured = {v.name: v for v in op.captures.values()}
    assert sorted(captured.keys() - {"h", "k", "s"}) == [v.name for v in captured.values() if _made_by(v) == "Neg"]


def _made_by(value: Value) -> str:
    return value.producer.op_type if value.producer is not None else ""


def test_decided_branches_inside_of_branches() -> None:
    inner = "u = If (c) < then_branch = a () => (p) { p = Neg(h) }, else_branch = b () => (o) { o = Sin(h) } >"
    model = inline(branches("1", inner, "w = Cos(x)"))
    assert types(model) == ["Exp", "Neg"]
    ctx_model = load(read(branches("0", inner, "w = Cos(x)")))
    ctx = Context(ctx_model)
    run_pipeline(ctx_model, "inline", ctx)
    # The If in the branch that went is not rewritten any more.
    assert len(ctx.ledger.entries) == 1


def test_a_decided_branch_in_a_body_that_stays() -> None:
    inner = "u = If (c) < then_branch = a () => (p) { p = Neg(h) }, else_branch = b () => (o) { o = Sin(h) } >"
    text = f"""
        "" : 18
        g (float[2,3] x, bool d) => (float[2,3] y)
        <bool c = {{1}}>
        {{
            h = Exp(x)
            y = If (d) < then_branch = yes () => (u) {{ {inner} }}, else_branch = no () => (w) {{ w = Identity(x) }} >
        }}
    """
    model = inline(text, x=X, d=np.array(True))
    assert [o.op_type for o in model.graph.ops[-1].bodies[0].ops] == ["Neg"]


def test_a_branch_in_a_function_is_decided_there() -> None:
    text = """
        "" : 18, "f" : 1
        g (float[2,3] x) => (float[2,3] y) { y = f.go(x) }
        <domain: "f", opset_import: ["" : 18]> go (a) => (b) {
            c = Constant <value = bool {1}> ()
            b = If (c) < then_branch = yes () => (u) { u = Neg(a) }, else_branch = no () => (w) { w = Sin(a) } >
        }
    """
    model = inline(text, "inline.branches")
    (function,) = model.functions.values()
    assert [op.op_type for op in function.graph.ops] == ["Neg"]
    assert types(inline(text)) == ["Neg"]


def test_outputs_of_several_branches_results() -> None:
    text = """
        "" : 18
        g (float[2,3] x) => (float[2,3] p, float[2,3] q, float[2,3] r)
        <bool c = {1}>
        {
            p, q, s = If (c) <
                then_branch = yes () => (u, u, v) { u = Neg(x) v = Sin(x) },
                else_branch = no () => (w, w, w) { w = Cos(x) }
            >
            r = Exp(s)
        }
    """
    model = inline(text)
    assert sorted(types(model)) == ["Exp", "Identity", "Neg", "Sin"]
