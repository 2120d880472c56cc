"""What holds of a conversion as a whole: all or nothing, written down, lossless for the rest."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import gopt
from gopt.api import apply
from gopt.errors import GoptError, ModelError, TargetError, UsageError
from gopt.frontends.onnx import to_bytes
from gopt.frontends.text import parse
from gopt.ir.check import check
from gopt.ops import NotAvailable
from gopt.passes.opset.convert import Convert as Pass
from gopt.passes.opset.plan import plan, survey
from gopt.rewrite import Numerics

from .conftest import Convert, kinds, numbers

OLD = """<ir_version: 8, opset_import: ["": 11, "acme": 3]>
g (float[3,4,5] x) => (float[3,4,5] y, float[3,4] z) {
    a = Relu(x)
    b = Softmax <axis = 1> (a)
    c = acme.Twist <turns = 2> (b)
    d = Squeeze <axes = [0]> (e)
    e = Unsqueeze <axes = [0]> (b)
    y = Add(b, d)
    z = ReduceSum <axes = [2], keepdims = 0> (b) }"""


def test_each_op_that_changes_is_an_entry() -> None:
    model = parse(OLD.replace("d = Squeeze <axes = [0]> (e)\n    e =", "e =").replace("(b, d)", "(b, e)"))
    _, ledger = apply(model, "opset:to=17")
    assert [e.key for e in ledger.entries] == [
        "opset.convert(11->17)",
        "opset.convert(b)",
        "opset.convert(e)",
        "opset.convert(z)",
    ]
    flatten, softmax = (next(op for op in model.graph.ops if op.op_type == k) for k in ("Flatten", "Softmax"))
    assert ledger.origins(flatten) == ledger.origins(softmax) == ("Softmax 'b'",)
    assert ledger.origins(model.graph.ops[0]) == ("Relu 'a'",)
    check(model)


def test_other_domains_stay() -> None:
    model = parse(OLD.replace("d = Squeeze <axes = [0]> (e)\n    e =", "e =").replace("(b, d)", "(b, e)"))
    apply(model, "opset:to=17")
    assert model.opsets == {"": 17, "acme": 3}
    twist = next(op for op in model.graph.ops if op.op_type == "Twist")
    assert twist.attr("turns") == 2


SMALL = """<ir_version: 8, opset_import: ["": 11]> g (float[3,4,5] x) => (float[3,4] y)
    { a = Softmax <axis = 1> (x) y = ReduceSum <axes = [2], keepdims = 0> (a) }"""


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_a_limit_within_leaves_all_as_it_was(limit: int) -> None:
    model = parse(SMALL)
    before = to_bytes(model)
    apply(model, "opset:to=17", limit=limit)
    assert to_bytes(model) == before


def test_a_limit_behind_takes_all_of_it() -> None:
    model = parse(SMALL)
    apply(model, "opset:to=17", limit=3)
    assert model.opsets[""] == 17


@pytest.mark.parametrize("key", ["opset.convert(a)", "opset.convert(11->17)", "opset", "opset.convert"])
def test_what_leaves_out_one_leaves_out_all(key: str) -> None:
    model = parse(SMALL)
    before = to_bytes(model)
    apply(model, "opset:to=17", skip=[key])
    assert to_bytes(model) == before


def test_a_run_that_must_leave_the_conversion_out_delivers_nothing() -> None:
    with pytest.raises(GoptError, match="had to be left out, so that it is at opset 11, not 17"):
        gopt.run(parse(SMALL), "opset:to=17", skip=["opset.convert(a)"], verify=False)


def test_exact_conversions_alone() -> None:
    exact, free = (apply(parse(SMALL), "opset:to=17", exact=e)[1].entries for e in (True, False))
    assert {e.numerics for e in exact} == {Numerics.EXACT}
    # Runtimes may have another kernel for another version of what is kept.
    assert [e.numerics for e in free] == [Numerics.ROUNDING, *(Numerics.EXACT for _ in free[1:])]
    text = '<ir_version: 8, opset_import: ["": 17]> g (float[3] x) => (float[3] y) { y = HardSwish(x) }'
    with pytest.raises(TargetError, match="cannot be reached exactly: HardSwish 'y'"):
        apply(parse(text), "opset:to=13", exact=True)


def test_the_same_opset_changes_nothing() -> None:
    model = parse(SMALL)
    before = to_bytes(model)
    assert not apply(model, "opset:to=11")[1].entries
    assert to_bytes(model) == before


@pytest.mark.parametrize("to", [0, 99])
def test_there_is_no_such_opset(to: int) -> None:
    with pytest.raises(UsageError, match=f"there is no opset {to}; the installed onnx knows 1 to "):
        apply(parse(SMALL), f"opset:to={to}")


def test_a_model_without_standard_operators_has_no_opset_to_change() -> None:
    model = parse('<ir_version: 8, opset_import: ["acme": 3]> g (float[3] x) => (float[3] y) { y = acme.Twist(x) }')
    before = to_bytes(model)
    gopt.run(model, "opset:to=13", verify=False)
    assert to_bytes(model) == before


def test_an_operator_that_nobody_knows_is_in_the_way() -> None:
    text = '<ir_version: 8, opset_import: ["": 11]> g (float[3] x) => (float[3] y) { y = Twist(x) }'
    with pytest.raises(TargetError, match="Twist 'y': gopt knows no operator Twist"):
        apply(parse(text), "opset:to=13")


@pytest.mark.parametrize(
    ("at", "to", "ir", "now"),
    [(11, 24, 6, 6), (21, 19, 10, 9), (21, 17, 10, 8), (17, 13, 4, 4), (13, 9, 8, 4), (17, 17, 10, 10), (13, 7, 3, 3)],
)
def test_the_ir_version_goes_down_with_the_opset_and_never_up(
    convert: Convert, at: int, to: int, ir: int, now: int
) -> None:
    text = f'<ir_version: {ir}, opset_import: ["": {at}]> g (float[3] x) => (float[3] y) {{ y = Relu(x) }}'
    assert convert(text, to).ir_version == now


def test_names_docs_and_metadata_stay() -> None:
    node = helper.make_node("ReduceSum", ["x"], ["s"], name="sum", axes=[1], doc_string="of rows")
    other = helper.make_node("Relu", ["s"], ["y"], name="act", doc_string="kept")
    other.metadata_props.add(key="who", value="me")
    graph = helper.make_graph(
        [node, other],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        value_info=[helper.make_tensor_value_info("s", TensorProto.FLOAT, ["n", 1])],
        doc_string="a graph",
    )
    graph.quantization_annotation.add(tensor_name="s").quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="s")
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=10, producer_name="me")
    proto.metadata_props.add(key="labels", value="{}")
    model = gopt.load(proto)
    apply(model, "opset:to=18")
    made = onnx.load_from_string(to_bytes(model))
    assert [n.name for n in made.graph.node] == ["sum", "act"]
    assert made.graph.node[0].output == ["s"]
    assert made.graph.node[1] == other
    assert made.graph.value_info == graph.value_info
    assert made.graph.quantization_annotation == graph.quantization_annotation
    assert (made.producer_name, made.graph.doc_string, made.metadata_props) == ("me", "a graph", proto.metadata_props)


def test_bodies_and_what_they_capture(convert: Convert) -> None:
    text = """g (float[3,4] x, bool c) => (float[3,4] y) {
        s = Softmax <axis = 0> (x)
        y = If (c) <
            then_branch = t () => (float[3,4] p) { u = Unsqueeze <axes = [0]> (s) v = Squeeze <axes = [0]> (u)
                                                   p = Softmax <axis = 0> (v) },
            else_branch = e () => (float[3,4] q) { q = Neg(s) }> }"""
    x = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    model = convert(text, 17, at=11, x=x, c=np.asarray(True))
    body = next(op for op in model.graph.ops if op.bodies).bodies[0]
    assert [op.op_type for op in body.ops][-3:] == ["Flatten", "Softmax", "Reshape"]
    check(model)


FUNCTIONS = """<ir_version: 8, opset_import: ["": 17, "local": 1]>
g (float[3,4] x) => (float[3,1] y, float[3,4] z) { y = local.mean <axes = [1]> (x) z = local.soft(x) }
<domain: "local", opset_import: ["": 17]> mean <axes> (a) => (b) { b = ReduceMean <axes: ints = @axes> (a) }
<domain: "local", opset_import: ["": 11]> soft (a) => (b) { c = Relu(a) b = Softmax <axis = -1> (c) }"""


def test_functions_go_along_each_from_its_own_opset(convert: Convert) -> None:
    x = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    text = FUNCTIONS.replace('["": 11]', '["": 17]')
    model = convert(text, 18, x=x)
    assert {f.graph.opsets[""] for f in model.functions.values()} == {18}
    holder, mean = model.functions["local", "mean", ""].graph.ops
    assert (holder.op_type, holder.attrs["value_ints"].ref) == ("Constant", "axes")
    assert mean.inputs[1] is holder.result
    parts = convert(FUNCTIONS, 18)
    assert parts.functions["local", "soft", ""].graph.ops[-1].attr("axis") == -1


def test_a_function_in_the_way_is_named() -> None:
    text = """<ir_version: 8, opset_import: ["": 18, "local": 1]>
    g (int32[3] x) => (int32[3] y) { y = local.flip(x) }
    <domain: "local", opset_import: ["": 18]> flip (a) => (b) { b = BitwiseNot(a) }"""
    with pytest.raises(TargetError, match="BitwiseNot 'b' in function local::flip: "):
        apply(parse(text), "opset:to=17")


def test_an_attribute_of_the_function_that_the_opset_lacks_is_in_the_way() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "local": 1]>
    g (float[3,4] x) => (int64[K] y) { y = local.rest <n = 1> (x) }
    <domain: "local", opset_import: ["": 17]> rest <n> (a) => (b) { b = Shape <start: int = @n> (a) }"""
    assert apply(parse(text), "opset:to=15")[1].entries
    with pytest.raises(TargetError, match=r"Shape 'b' in function local::rest: .*inlining the function"):
        apply(parse(text), "opset:to=13")


def test_constants_that_a_version_cannot_spell_become_initializers(convert: Convert) -> None:
    text = "g (float[3,4] x) => (float[12] y) { s = Constant <value_ints = [12]> () y = Reshape(x, s) }"
    model = convert(text, 11, x=np.zeros((3, 4), np.float32))
    made = onnx.load_from_string(to_bytes(model))
    assert [n.op_type for n in made.graph.node] == ["Reshape"]
    assert numpy_helper.to_array(made.graph.initializer[0]).tolist() == [12]


def test_overridable_inputs_stay_so(convert: Convert) -> None:
    text = "g (float[3,4] x, float[4] b = {1, 2, 3, 4}) => (float[3,4] y) { a = Softmax(x) y = Add(a, b) }"
    model = convert(text, 17, at=11)
    assert [v.name for v in model.graph.inputs] == ["x", "b"]


def test_a_value_used_twice_and_exported(convert: Convert) -> None:
    text = """g (float[3,4,5] x) => (float[3,4,5] a, float[3,4,5] y) { a = Softmax(x) y = Mul(a, a) }"""
    x = np.random.default_rng(1).standard_normal((3, 4, 5)).astype(np.float32)
    model = convert(text, 17, at=11, x=x)
    assert [v.name for v in model.graph.outputs] == ["a", "y"]


def test_training_graphs_are_not_read_so_the_model_stays() -> None:
    proto = onnx.parser.parse_model(SMALL)
    proto.training_info.add().algorithm.name = "step"
    with pytest.raises(TargetError, match="training_info"):
        apply(gopt.load(proto), "opset:to=17")


def test_a_plan_changes_nothing() -> None:
    model = parse(SMALL)
    before, version = to_bytes(model), model.version
    found = survey(model, 17)
    assert [s.op.op_type for s in found.steps] == ["Softmax", "ReduceSum"]
    assert (found.before, found.to, found.blockers) == (11, 17, [])
    assert (to_bytes(model), model.version) == (before, version)
    with pytest.raises(NotAvailable):
        plan(model, 1000)


def test_a_malformed_model_is_refused() -> None:
    model = parse('<ir_version: 8, opset_import: ["": 11]> g (float[3] x) => (float[3] y) { y = Add(x) }')
    with pytest.raises(ModelError):
        survey(model, 13)


def test_the_pass_says_when_its_work_is_undone() -> None:
    model = parse(SMALL)
    assert Pass(11).unmet(model) == ""
    assert "at opset 11, not 12" in Pass(12).unmet(model)


def test_conversion_with_everything_behind_it() -> None:
    x = np.random.default_rng(1).standard_normal((3, 4, 5)).astype(np.float32)
    want = numbers(parse(SMALL), {"x": x})
    result = gopt.run(parse(SMALL), "opset:to=17,@default", verify=False)
    np.testing.assert_allclose(numbers(result.model, {"x": x})[0], want[0], rtol=1e-5)
    assert "Shape" not in kinds(result.model)
