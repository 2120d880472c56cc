"""`shape.fix`: sizes and constants for inputs, what is declared afterwards, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper

import gopt
from gopt.errors import UsageError
from gopt.frontends.onnx import load, to_proto
from gopt.frontends.text import parse
from gopt.ir import Model, TensorType
from gopt.passes.shape.fix import Fix

HEAD = '<ir_version: 8, opset_import: ["": 17]>\n'
PLAIN = HEAD + "g (float[batch,3,h,w] x, float[batch,k] z) => (float[batch,k] y, float[batch,c] s) {\n"
PLAIN += (
    "n = Relu(x) y = Abs(z) axes = Constant<value_ints = [2, 3]>() s = ReduceMean<axes = [2, 3], keepdims = 0>(n) }"
)


def fixed(text: str, passes: str) -> Model:
    """A model after passes."""
    model = parse(text)
    gopt.run(model, passes, verify=False)
    return model


def interface(model: Model) -> dict[str, list[int | str]]:
    """Declared shapes of inputs and outputs, as a file would have them."""
    graph = to_proto(model).graph
    return {
        v.name: [d.dim_value if d.HasField("dim_value") else d.dim_param for d in v.type.tensor_type.shape.dim]
        for v in [*graph.input, *graph.output]
    }


def refusal(text: str, passes: str) -> str:
    with pytest.raises(UsageError) as caught:
        fixed(text, passes)
    return str(caught.value)


def test_the_shape_of_an_input_settles_the_dims_that_it_names() -> None:
    model = fixed(PLAIN, "shape.fix:x=2x3x8x9")
    assert interface(model) == {"x": [2, 3, 8, 9], "z": [2, "k"], "y": [2, "k"], "s": [2, 3]}


def test_a_named_dim_is_settled_everywhere() -> None:
    model = fixed(PLAIN, "shape.fix:dim=batch=4+k=5")
    assert interface(model) == {"x": [4, 3, "h", "w"], "z": [4, 5], "y": [4, 5], "s": [4, 3]}


def test_a_dim_can_stay_as_it_is_and_one_of_an_input_be_named_by_its_place() -> None:
    model = fixed(PLAIN, "fix-shapes:x=?x3x8x?;dim=x.3=7")
    assert interface(model)["x"] == ["batch", 3, 8, 7]
    assert interface(model)["z"] == ["batch", "k"]


def test_types_are_inferred_anew() -> None:
    model = fixed(PLAIN, "shape.fix:dim=batch=4+k=5+h=6+w=7")
    types = {v.name: v.type for v in model.graph.values}
    assert types["n"] == TensorType(types["x"].dtype, (4, 3, 6, 7))  # type: ignore[union-attr]
    assert all(isinstance(t, TensorType) and t.is_static for name, t in types.items() if t is not None)


def test_wrong_declarations_do_not_survive() -> None:
    text = HEAD + "g (float[batch,4] x) => (float[1,2] y) <float[1,4] n> { n = Neg(x) y = Concat<axis = 1>(n, n) }"
    model = parse(text)
    gopt.run(model, "shape.fix:dim=batch=3", verify=False)
    assert interface(model) == {"x": [3, 4], "y": [3, 8]}
    (info,) = to_proto(model).graph.value_info
    assert [d.dim_value for d in info.type.tensor_type.shape.dim] == [3, 4]


def test_a_number_that_inference_cannot_confirm_is_dropped_and_a_name_kept() -> None:
    text = '<ir_version: 8, opset_import: ["": 17, "acme": 1]>\n'
    text += "g (float[batch,n] x, float[m] z) => (float[batch,7,q] y, float[3] t) { y = acme.Odd(x) t = acme.Odd(z) }"
    # What does not depend on the input stays declared as it was.
    assert interface(fixed(text, "shape.fix:dim=batch=3")) == {"x": [3, "n"], "z": ["m"], "y": ["", "", "q"], "t": [3]}


def test_bodies_are_inferred_anew_and_their_declarations_follow() -> None:
    text = (
        HEAD
        + """g (float[batch,2] x, bool c) => (float[batch,2] y) {
        y = If(c) <then_branch = a () => (float[1,2] p) { p = Neg(x) },
                   else_branch = b () => (float[1,2] q) { q = Abs(x) }>
    }"""
    )
    model = fixed(text, "shape.fix:dim=batch=3")
    assert interface(model)["y"] == [3, 2]
    for attr in to_proto(model).graph.node[0].attribute:
        assert attr.g.output[0].type.tensor_type.shape.dim[0].dim_value == 3


def test_documentation_of_declarations_is_kept_and_repeats_in_value_info_go() -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"], doc_string="samples")
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"], doc_string="result")
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", [x], [y], value_info=[y])
    model = load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))
    gopt.run(model, "shape.fix:x=5", verify=False)
    made = to_proto(model).graph
    assert [made.input[0].doc_string, made.output[0].doc_string] == ["samples", "result"]
    assert made.output[0].type.tensor_type.shape.dim[0].dim_value == 5
    assert not made.value_info


def test_arithmetic_on_names_follows() -> None:
    text = HEAD + 'g (float[1,past] a, float[1,"past + 1"] b) => (float[1,n] y) { y = Concat<axis = 1>(a, b) }'
    assert interface(fixed(text, "shape.fix:dim=past=3")) == {"a": [1, 3], "b": [1, 4], "y": [1, 7]}
    assert interface(fixed(text, "shape.fix:b=1x4")) == {"a": [1, 3], "b": [1, 4], "y": [1, 7]}
    assert "comes to 4, not 6" in refusal(text, "shape.fix:b=1x6;dim=past=3")


def test_an_input_without_a_rank_gets_one() -> None:
    model = load(_no_rank())
    gopt.run(model, "shape.fix:x=2x3", verify=False)
    assert interface(model) == {"x": [2, 3], "y": [2, 3]}


def _no_rank() -> onnx.ModelProto:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy")
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("x=2x3x8x9;z=3x1", "dim 'batch': 2 (shape of x) and 3 (shape of z)"),
        ("dim=batch=1+batch=2", "dim 'batch': 1 (dim batch) and 2 (dim batch)"),
        ("x=2x3x8", "input 'x' has 4 dims"),
        (
            "x=2x4x8x8",
            "axis 1 is fixed to 3 in the model, not 4; a batch size that is baked in can be changed by set-batch",
        ),
        ("img=1x3x8x8", "the model has no input 'img'; there are 'x', 'z'"),
        ("dim=bacth=2", "no input has a dim 'bacth'; did you mean 'batch'?"),
        ("x=0x3x8x8", "axis 0 of input 'x': a size is at least 1, not 0"),
        ("x=-1x3x8x8", "a size is at least 1, not -1"),
        ("x=ax3x8x8", "'a' is no size"),
        ("dim=batch", "is not NAME=SIZE"),
        ("freeze=z=1", "not all of known size"),
        ("freeze=z", "'z' is not INPUT=VALUE"),
        ('freeze="z=[[1,2],[3]]"', "no list whose rows are equally long"),
        ("freeze=z=@none.npy", "none.npy is not a .npy file that can be read"),
        ('freeze="z=[1,2]"', "input 'z' has 2 dims"),
        ("freeze=z=abc", "is of type float, which 'abc' is not"),
    ],
)
def test_contradictions_are_explained(options: str, told: str) -> None:
    assert told in refusal(PLAIN, f"shape.fix:{options}")


def test_each_contradiction_is_told_in_a_line_of_its_own() -> None:
    assert len(refusal(PLAIN, "shape.fix:x=0x4x8x8;dim=bacth=1").splitlines()) == 3


def test_without_a_request_it_is_an_error() -> None:
    assert "needs an input's shape" in refusal(PLAIN, "shape.fix")


def test_sizes_with_which_an_operator_cannot_work_are_refused() -> None:
    text = HEAD + "g (float[n,k] x, float[4,2] w) => (float[n,2] y) { y = MatMul(x, w) }"
    assert "MatMul 'y' cannot work with these sizes: x: float[1,5], w: float[4,2]" in refusal(text, "shape.fix:x=1x5")


def test_the_default_of_an_input_must_have_the_shape() -> None:
    text = HEAD + "g (float[n] x, float[2] w = {1, 2}) => (float[k] y) { y = Concat<axis = 0>(x, w) }"
    proto = onnx.parser.parse_model(text)
    proto.graph.input[1].type.tensor_type.shape.dim[0].dim_param = "m"
    model = load(proto)
    gopt.run(model, "shape.fix:x=3;w=2", verify=False)
    assert interface(model) == {"x": [3], "w": [2], "y": [5]}
    with pytest.raises(UsageError, match=r"has a default of shape \[2\]: axis 0 is not 3"):
        gopt.run(load(proto), "shape.fix:w=3", verify=False)


# -- frozen inputs -----------------------------------------------------------------------------------------------------

RATE = HEAD + "g (float[n] x, int64 sr) => (float[n] y) { r = Cast<to = 1>(sr) y = Div(x, r) }"


def test_an_input_becomes_a_constant_of_its_type() -> None:
    model = fixed(RATE, "shape.fix:freeze=sr=16000")
    assert [v.name for v in model.graph.inputs] == ["x"]
    (constant,) = to_proto(model).graph.initializer
    assert (constant.name, constant.data_type, list(constant.dims)) == ("sr", TensorProto.INT64, [])
    assert onnx.numpy_helper.to_array(constant) == 16000


def test_one_number_fills_an_input_of_known_size_and_a_list_settles_dims() -> None:
    text = HEAD + "g (float[n] x, float[2,k] a) => (float[2,n] y) { m = ReduceSum<keepdims = 1>(a) y = Add(x, m) }"
    model = fixed(text, "shape.fix:freeze=a=0.5;dim=k=3")
    assert to_proto(model).graph.initializer[0].dims == [2, 3]
    shared = HEAD + "g (float[n] x, float[n] a) => (float[n] y) { y = Add(x, a) }"
    assert interface(fixed(shared, 'shape.fix:freeze="a=1,2,3"')) == {"x": [3], "y": [3]}


def test_values_from_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3, dtype=np.float64))
    text = HEAD + "g (float[n] x, float[n] a) => (float[n] y) { y = Add(x, a) }"
    model = fixed(text, f"shape.fix:freeze=a=@{tmp_path / 'a.npy'}")
    assert onnx.numpy_helper.to_array(to_proto(model).graph.initializer[0]).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("type_", "value", "told"),
    [
        ("uint8", "300", "is of type uint8, which 300 is not"),
        ("int64", "1.5", "which 1.5 is not"),
        ("float16", "1e6", "1000000.0 is too large"),
        ("bool", "2", "which 2 is not"),
    ],
)
def test_values_must_fit_the_type(type_: str, value: str, told: str) -> None:
    text = HEAD + f"g ({type_} x) => ({type_} y) {{ y = Identity(x) }}"
    assert told in refusal(text, f"shape.fix:freeze=x={value}")


def test_a_frozen_input_that_is_an_output_keeps_its_name() -> None:
    text = HEAD + "g (float[n] x, float a) => (float[n] y, float a) { y = Add(x, a) }"
    model = fixed(text, "shape.fix:freeze=a=2")
    assert [v.name for v in model.graph.outputs] == ["y", "a"]
    onnx.checker.check_model(to_proto(model), full_check=True)


def test_a_captured_input_is_frozen_in_the_body_too() -> None:
    text = (
        HEAD
        + """g (float[n] x, bool c, float a) => (float[n] y) {
        y = If(c) <then_branch = t () => (float[n] p) { p = Add(x, a) },
                   else_branch = e () => (float[n] q) { q = Sub(x, a) }>
    }"""
    )
    result = gopt.run(parse(text), "shape.fix:freeze=a=2+c=true,@default")
    assert result.verification is not None
    assert result.verification.ok
    assert [op.op_type for op in result.model.graph.ops] == ["Add"]


def test_in_old_models_a_frozen_input_is_an_initializer_like_others() -> None:
    text = '<ir_version: 3, opset_import: ["": 8]>\ng (float[n] x, float a) => (float[n] y) { y = Add(x, a) }'
    proto = to_proto(fixed(text, "shape.fix:freeze=a=2"))
    assert sorted(v.name for v in proto.graph.input) == ["a", "x"]
    onnx.checker.check_model(proto)


# -- runs --------------------------------------------------------------------------------------------------------------


def test_the_result_is_compared_with_the_original_at_these_sizes_and_values() -> None:
    result = gopt.run(parse(RATE), "shape.fix:freeze=sr=8000;x=12,@default")
    assert result.verification is not None
    assert result.verification.ok
    assert result.verification.cases == ({"n": 12},)
    assert [op.op_type for op in result.model.graph.ops] in (["Div"], ["Mul"])


def test_an_input_without_a_rank_is_fed_at_the_fixed_shape() -> None:
    result = gopt.run(load(_no_rank()), "shape.fix:x=2x3")
    assert result.verification is not None
    assert result.verification.ok


def test_a_default_can_be_frozen_to_another_value() -> None:
    text = HEAD + "g (float[n] x, float[2] w = {1, 2}) => (float[k] y) { y = Concat<axis = 0>(x, w) }"
    result = gopt.run(parse(text), 'shape.fix:freeze="w=3,4"')
    assert result.verification is not None
    assert result.verification.ok
    assert [v.name for v in result.model.graph.inputs] == ["x"]


def test_dims_given_for_verification_must_agree() -> None:
    with pytest.raises(UsageError, match=r"dim 'n': 12 \(shape\.fix\) and 5"):
        gopt.run(parse(RATE), "shape.fix:x=12", dims={"n": 5})
    with pytest.raises(UsageError, match="'sr' is given twice"):
        gopt.run(parse(RATE), "shape.fix:freeze=sr=1", inputs={"sr": np.array(2)})


def test_in_a_repeated_group_it_is_done_once() -> None:
    result = gopt.run(parse(RATE), "(shape.fix:freeze=sr=8000;dim=n=3,fold)*", verify=False)
    assert result.ledger.by_rule()["shape.fix"] == 1
    assert interface(result.model) == {"x": [3], "y": [3]}


def test_rules_of_a_group_see_the_new_sizes() -> None:
    text = HEAD + "g (float[n,4] x) => (float[a,b] y) { s = Shape(x) y = Reshape(x, s) }"
    result = gopt.run(parse(text), "(fold,clean,shape.fix:x=3x4)*", verify=False)
    assert len(result.model.graph) <= 1


def test_the_request_reads_back_from_its_text() -> None:
    from gopt.passes import parse as pipeline

    text = 'shape.fix:x=1x3x8x8;dim=batch=1+k=2;freeze="z=1,2"'
    assert str(pipeline(text)) == text
    assert pipeline(str(pipeline(text))) == pipeline(text)
    assert isinstance(pipeline("fix-shapes:x=1").members[0], Fix)


def test_outputs_are_declared_as_they_are_known_at_the_end() -> None:
    text = (
        HEAD
        + """g (float[n,4] x) => (float[p,q] y) <int64[1] one = {1}, int64[1] m = {-1}> {
        s = Shape(x) z = Identity(x) y = Identity(z) }"""
    )
    model = fixed(text, "shape.declare")
    assert interface(model)["y"] == ["n", 4]
