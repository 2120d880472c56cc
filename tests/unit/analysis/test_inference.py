"""Inference over graphs: sweeps, what is done again after edits, bodies, functions, symbols."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import parser

from gopt import ops
from gopt.analysis import forget, infer, infer_op
from gopt.frontends.onnx import load
from gopt.ir import DType, Graph, Model, Op, Role, SequenceType, Symbol, TensorType, Type, Value

FLOAT, INT64 = DType.FLOAT, DType.INT64


def read(text: str, opsets: str = '"" : 18') -> Model:
    """A model from onnx's textual syntax, its types inferred."""
    model = load(parser.parse_model(f"<ir_version: 10, opset_import: [{opsets}]>\n{text}"))
    infer(model)
    return model


def named(graph: Graph, name: str) -> Value:
    return next(v for v in graph.values if v.name == name)


def type_of(model: Model, name: str) -> Type | None:
    return named(model.graph, name).type


def shape_of(model: Model, name: str) -> list[Any]:
    """Dims of a value; a symbol by its name, a nameless one as "?"."""
    type_ = type_of(model, name)
    assert isinstance(type_, TensorType)
    assert type_.shape is not None
    return [d if isinstance(d, int) else repr(d) for d in type_.shape]


def test_named_dims_are_one_symbol_throughout() -> None:
    model = read("g (float[n,3] x, float[n,1] y) => (float[a] z) { z = Add (x, y) }")
    assert type_of(model, "z") == TensorType(FLOAT, (model.symbol("n"), 3))


def test_dims_that_are_not_positive_are_unknown() -> None:
    model = load(
        onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 18]> g (float[0,3] x) => (y) { y = Relu (x) }')
    )
    infer(model)
    assert shape_of(model, "y") == ["?", 3]


def test_broadcasting_claims_no_more_than_is_certain() -> None:
    model = read(
        """g (float[n] a, float[m] b, float[5] c, float[1] d) => (s, t, u, v) {
            s = Add (a, b)
            t = Add (a, c)
            u = Add (a, d)
            v = Sum (a, b, c)
        }"""
    )
    assert shape_of(model, "s") == ["broadcast(n, m)"]
    assert shape_of(model, "t") == [5]
    assert shape_of(model, "u") == ["n"]
    assert shape_of(model, "v") == [5]


def test_declared_types_of_results_are_not_believed() -> None:
    model = read("g (float[2,3] x) => (int64[7] y) { y = Relu (x) }")
    assert type_of(model, "y") == TensorType(FLOAT, (2, 3))


def test_types_are_shared() -> None:
    model = read("g (float[n,3] x) => (z) { y = Relu (x) z = Exp (y) }")
    assert type_of(model, "x") is type_of(model, "y") is type_of(model, "z")


def test_unknown_operators_are_opaque_and_nothing_else_is_lost() -> None:
    model = read("g (float[2] x) => (z, w) { y = acme.Gadget (x) z = Relu (y) w = Relu (x) }", '"": 18, "acme": 1')
    assert type_of(model, "y") is None
    assert type_of(model, "z") is None
    assert type_of(model, "w") == TensorType(FLOAT, (2,))


@pytest.mark.parametrize(
    "op",
    [
        "y = Add (x)",
        "y = Add (x, x, x)",
        "y = Relu ()",
        "y = Concat <axis = 9> (x, x)",
        "y = Concat (x, x)",
        'y = Concat <axis = "one"> (x, x)',
        "y = Cast <to = 99> (x)",
        "y = Cast (x)",
        "y = Conv (x)",
        "y = Reshape (x, x)",
        "y = ReduceSum <keepdims = 1.5> (x, x)",
        "y = Transpose <perm = [0, 0, 5]> (x)",
        "y = Split <axis = 1> (x)",
        "y = LSTM (x)",
        "y = Softmax <axis = [1]> (x)",
        "y = Gather (x)",
        "y = If (x)",
        "y = Loop (x)",
        "y = Einsum (x)",
        "y = TopK (x)",
        "y = Upsample (x)",
        "y = NoSuchOperator (x)",
    ],
)
def test_malformed_ops_have_results_of_unknown_type(op: str) -> None:
    model = load(parser.parse_model(f'<ir_version: 10, opset_import: ["": 18]> g (float[2,3] x) => (y) {{ {op} }}'))
    infer(model)
    type_ = type_of(model, "y")
    assert type_ is None or isinstance(type_, TensorType)


def test_shapes_that_do_not_broadcast_give_no_type() -> None:
    assert type_of(read("g (float[2] x, float[3] y) => (z) { z = Add (x, y) }"), "z") is None


def test_old_versions_with_other_semantics_go_by_onnx() -> None:
    model = read(
        "g (float[1,1,2,2] x) => (y) { s = Constant <value = float[4] {1,1,2,3}> () y = Upsample (x, s) }", '"": 9'
    )
    assert shape_of(model, "y") == [1, 1, 4, 6]


# -- after edits -----------------------------------------------------------------------------------------------------


def _relu_chain() -> Model:
    return read("g (float[n,3] x) => (d) { a = Relu (x) b = Exp (a) c = Neg (b) d = Sqrt (c) }")


def test_nothing_is_done_again_without_edits() -> None:
    model = _relu_chain()
    assert infer(model) == []


def test_only_what_an_edit_changes_is_retyped() -> None:
    model = _relu_chain()
    graph = model.graph
    cast = ops.make("Cast", [named(graph, "b")], {"to": DType.DOUBLE}, opsets=model.opsets)
    graph.add(cast)
    graph.set_operand(named(graph, "c").producer, 0, cast.result)
    assert [op.op_type for op in infer(model)] == ["Cast", "Neg", "Sqrt"]
    assert type_of(model, "d") == TensorType(DType.DOUBLE, (model.symbol("n"), 3))
    assert not graph.dirty


def test_propagation_stops_where_types_are_the_same() -> None:
    model = _relu_chain()
    graph = model.graph
    graph.set_operand(named(graph, "c").producer, 0, named(graph, "a"))
    assert infer(model) == []


def test_sizes_that_pass_through_shape_tensors_are_followed() -> None:
    """The Shape result's own type does not change, what it holds does."""
    model = read(
        """g (float[2,3] x, float[5,7] w) => (y, z) {
            a = Relu (x)
            s = Shape (a)
            z = ConstantOfShape (s)
            y = Exp (z)
            u0 = Neg (w) u1 = Neg (u0) u2 = Neg (u1) u3 = Neg (u2) u4 = Neg (u3)
        }"""
    )
    graph = model.graph
    assert shape_of(model, "y") == [2, 3]
    graph.set_operand(named(graph, "s").producer, 0, named(graph, "w"))
    infer(model)
    assert shape_of(model, "y") == [5, 7]


def test_fresh_symbols_do_not_look_like_changes() -> None:
    model = read("g (float[n] x) => (z) { y = NonZero (x) z = Neg (y) w = Neg (z) v = Neg (w) u = Neg (v) }")
    graph = model.graph
    before = type_of(model, "z")
    graph.dirty[named(graph, "y").producer] = None
    assert infer(model) == []
    assert type_of(model, "z") is before


def test_forget_and_find_again() -> None:
    model = _relu_chain()
    named(model.graph, "x").declared = None
    named(model.graph, "x").type = None
    forget(model)
    infer(model)
    assert type_of(model, "d") is None


def test_an_input_without_a_type_gets_the_declared_one() -> None:
    model = _relu_chain()
    x = named(model.graph, "x")
    x.type = None
    assert infer(model) == []
    assert x.type == TensorType(FLOAT, (model.symbol("n"), 3))


def test_a_detached_op_is_inferred_from_its_operands() -> None:
    x = Value("x", type_=TensorType(FLOAT, (2, Symbol("n"))))
    op = ops.make("Concat", [x, np.ones((2, 3), np.float32)], {"axis": 1}, opsets={"": 18})
    infer_op(op)
    assert isinstance(op.result.type, TensorType)
    assert op.result.type.rank == 2
    const = Value("c", Role.CONST, ops.constant(np.zeros(3)).tensor)
    op = Op("Neg", [const])
    op.imports = {"": 18}
    infer_op(op)
    assert op.result.type == TensorType(DType.DOUBLE, (3,))


# -- bodies ----------------------------------------------------------------------------------------------------------


def _branches(then: str, other: str) -> Model:
    return read(
        f"""g (bool c, float[n,3] x, float[m,3] w) => (y) {{
            y = If (c) <then_branch = t () => (a) {{ {then} }}, else_branch = e () => (b) {{ {other} }}>
        }}"""
    )


def test_branches_that_agree() -> None:
    model = _branches("a = Relu (x)", "b = Neg (x)")
    assert type_of(model, "y") == TensorType(FLOAT, (model.symbol("n"), 3))


@pytest.mark.parametrize(
    ("then", "other", "shape"),
    [
        ("a = Relu (x)", "b = Neg (w)", ["?", 3]),
        ("a = Relu (x)", "b = Transpose (x)", ["?", "?"]),
        ("a = NonZero (x)", "b = NonZero (x)", [2, "?"]),
    ],
)
def test_branches_that_differ_in_sizes(then: str, other: str, shape: list[Any]) -> None:
    assert shape_of(_branches(then, other), "y") == shape


def test_branches_that_differ_in_rank_or_type() -> None:
    model = _branches("a = Relu (x)", "i = Constant <value_ints = [0]> () b = Squeeze (x, i)")
    assert type_of(model, "y") == TensorType(FLOAT)
    model = _branches("a = Relu (x)", "b = Shape (x)")
    assert type_of(model, "y") is None


def test_a_change_outside_reaches_the_results_of_a_body() -> None:
    model = _branches("a = Relu (x)", "b = Neg (x)")
    graph = model.graph
    (owner,) = graph.owners
    cast = ops.make("Cast", [named(graph, "x")], {"to": DType.DOUBLE}, opsets=model.opsets)
    graph.add(cast)
    for inner, outer in list(owner.captures.items()):
        assert outer.name == "x"
        body = inner.graph
        body.replace_uses(inner, body.capture(cast.result))
    infer(model)
    assert type_of(model, "y") == TensorType(DType.DOUBLE, (model.symbol("n"), 3))


def test_a_change_inside_reaches_the_results_of_the_owner() -> None:
    model = _branches("a = Relu (x)", "b = Neg (x)")
    (owner,) = model.graph.owners
    for body in owner.bodies:
        cast = ops.make("Cast", [body.outputs[0]], {"to": DType.DOUBLE}, opsets=model.opsets)
        body.add(cast)
        body.set_output(0, cast.result)
    assert infer(model)[-1] is owner
    assert type_of(model, "y") == TensorType(DType.DOUBLE, (model.symbol("n"), 3))


LOOP = """g (int64 m, bool c, float[n,3] x) => (y, z) {{
    {before}
    y, z = Loop (m, c, {start}) <body = b (i, ci, s) => (co, t, u) {{ co = Identity (ci) {body} }}>
}}"""


def _loop(body: str, start: str = "x", before: str = "") -> Model:
    return read(LOOP.format(body=body, start=start, before=before))


def test_carried_values_that_keep_their_type() -> None:
    model = _loop("t = Relu (s) u = Neg (s)")
    assert type_of(model, "y") == TensorType(FLOAT, (model.symbol("n"), 3))
    assert shape_of(model, "z") == ["?", "n", 3]


def test_carried_values_that_grow() -> None:
    model = _loop("t = Concat <axis = 1> (s, x) u = Neg (s)")
    assert shape_of(model, "y") == ["n", "?"]
    assert shape_of(model, "z") == ["?", "n", "?"]
    (body,) = model.graph.owners[0].bodies
    inner, outer = body.inputs[2].type, type_of(model, "y")
    assert isinstance(inner, TensorType)
    assert isinstance(outer, TensorType)
    assert inner.shape is not None
    assert outer.shape is not None
    assert inner.shape[1] is not outer.shape[1], "the size in one iteration is not the size at the end"


def test_carried_values_that_change_rank_or_type() -> None:
    model = _loop("a = Constant <value_ints = [0]> () t = Unsqueeze (s, a) u = Neg (s)")
    assert type_of(model, "y") == TensorType(FLOAT)
    model = _loop("t = Cast <to = 11> (s) u = Neg (s)")
    assert type_of(model, "y") is None


def test_a_carried_value_that_another_makes_grow() -> None:
    model = read(
        """g (int64 m, bool c, float[2] x) => (y, z) {
            y, z = Loop (m, c, x, x) <body = b (i, ci, s, t) => (co, s2, t2) {
                co = Identity (ci) s2 = Concat <axis = 0> (s, x) t2 = Identity (s) }>
        }"""
    )
    assert shape_of(model, "y") == ["?"]
    assert shape_of(model, "z") == ["?"]


def test_a_loop_inferred_again_gives_the_same_types() -> None:
    model = _loop("t = Concat <axis = 1> (s, x) u = Neg (s)")
    before = type_of(model, "y"), type_of(model, "z")
    (owner,) = model.graph.owners
    model.graph.dirty[owner] = None
    infer(model)
    assert (type_of(model, "y"), type_of(model, "z")) == before


def test_scan() -> None:
    model = read(
        """g (float[3] s, float[n,3] x) => (y, z) {
            y, z = Scan <num_scan_inputs = 1, body = b (a, e) => (f, h) { f = Add (a, e) h = Neg (e) }> (s, x)
        }"""
    )
    assert shape_of(model, "y") == [3]
    assert shape_of(model, "z") == ["n", 3]


def test_scan_along_other_axes() -> None:
    model = read(
        """g (float[3] s, float[3,n] x) => (y, z) {
            y, z = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [-1],
                         body = b (a, e) => (f, h) { f = Add (a, e) h = Neg (e) }> (s, x)
        }"""
    )
    assert shape_of(model, "z") == [3, "n"]


def test_bodies_of_unknown_operators_see_what_they_capture() -> None:
    model = read(
        "g (float[n] x) => (y) { y = acme.Apply <body = b (i) => (o) { c = Neg (x) o = Add (c, i) }> (x) }",
        '"": 18, "acme": 1',
    )
    (body,) = model.graph.owners[0].bodies
    assert named(body, "c").type == TensorType(FLOAT, (model.symbol("n"),))
    assert named(body, "o").type == TensorType(FLOAT)
    assert type_of(model, "y") is None


def test_sequences_through_a_loop() -> None:
    model = _loop("t = SequenceInsert (s, x) u = Neg (x)", "q", "q = SequenceEmpty <dtype = 1> ()")
    type_ = type_of(model, "y")
    assert type_ is None or (isinstance(type_, SequenceType) and type_.elem == TensorType(FLOAT))


# -- functions -------------------------------------------------------------------------------------------------------


def _with_function(calls: str, outputs: str) -> Model:
    text = f"""<ir_version: 10, opset_import: ["": 18, "local": 1]>
        g (float[n,3] x, int64[4] k) => ({outputs}) {{ {calls} }}
        <domain: "local", opset_import: ["": 18]>
        twice (a) => (b) {{ t = Identity (a) b = Concat <axis = 0> (t, t) }}"""
    model = load(parser.parse_model(text))
    infer(model)
    return model


def test_a_function_that_is_called_once_is_looked_into() -> None:
    model = _with_function("y = local.twice (k)", "y")
    assert type_of(model, "y") == TensorType(INT64, (8,))


def test_the_body_of_a_function_with_several_calls_claims_nothing_of_its_operands() -> None:
    model = _with_function("y = local.twice (x) z = local.twice (k)", "y, z")
    (function,) = model.functions.values()
    assert function.graph.inputs[0].type is None
    assert type_of(model, "y") is None


def test_a_second_call_withdraws_what_the_first_said() -> None:
    model = _with_function("y = local.twice (k)", "y")
    graph = model.graph
    call = Op("twice", [named(graph, "x")], domain="local")
    graph.add(call)
    infer(model)
    (function,) = model.functions.values()
    assert function.graph.inputs[0].type is None
    assert all(v.type is None for v in function.graph.outputs)


def test_a_change_in_a_function_reaches_its_call() -> None:
    model = _with_function("y = local.twice (k) a0 = Neg (x) a1 = Neg (a0) a2 = Neg (a1)", "y")
    (function,) = model.functions.values()
    body = function.graph
    cast = ops.make("Cast", [body.outputs[0]], {"to": DType.DOUBLE}, opsets=body.opsets)
    body.add(cast)
    body.set_output(0, cast.result)
    infer(model)
    assert type_of(model, "y") == TensorType(DType.DOUBLE, (8,))


def test_attributes_of_the_enclosing_function_are_unknown() -> None:
    text = """<ir_version: 10, opset_import: ["": 18, "local": 1]>
        g (float[2,3] x) => (y) { y = local.total <axis = 1> (x) }
        <domain: "local", opset_import: ["": 18]> total <axis> (a) => (b) { b = Concat <axis: int = @axis> (a, a) }"""
    model = load(parser.parse_model(text))
    infer(model)
    assert type_of(model, "y") is None
