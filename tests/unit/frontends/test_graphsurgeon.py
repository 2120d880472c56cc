"""The bridge to onnx-graphsurgeon: nothing is lost on the way there and back, and edits on the way arrive."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gopt.errors import MissingComponentError, ModelError
from gopt.frontends.graphsurgeon import from_gs, to_gs
from gopt.frontends.onnx import load, to_bytes, to_proto
from gopt.frontends.text import parse
from gopt.ir import Model, OptionalType, Role
from gopt.ir.check import check
from gopt.ir.printer import to_text

gs: Any = pytest.importorskip("onnx_graphsurgeon")

CASES = Path(onnx.__file__).parent / "backend" / "test" / "data"
SAMPLE = [p for k, p in enumerate(sorted((CASES / "node").rglob("*.onnx"))) if k % 25 == 0 or "_if" in p.parent.name]


def rich() -> Model:
    """A model with much that gs has no place for."""
    text = """
        <ir_version: 10, opset_import: ["" : 21, "acme" : 1]>
        g (float[N,2] x, float[2] w = {1, 2}) => (float[N,2] y, float[N,2] z)
          <float[2] k = {3, 4}, float[2] unused = {5, 6}, float l2 = {6}> {
          [add] a = Add (x, w)
          [act] b = acme.Act:fast <alpha = 0.5, kind = float[2]> (a, k)
          c = Constant <value = bool {1}> ()
          [if] y = If (c) <then_branch = t () => (float[N,2] d) { [mul] d = Mul (b, k) },
                           else_branch = e () => (float[N,2] f) <float[2] l = {7, 8}> { [sub] f = Sub (b, l) }>
          [clip] z = Clip (b, "", l2)
        }
        <domain: "acme", overload: "fast", opset_import: ["" : 21]>
        Act <kind, alpha: float = 1.0> (a, b) => (c) { t = LeakyRelu <alpha: float = @alpha> (a) c = Mul (t, b) }
    """
    proto = to_proto(parse(text))
    proto.metadata_props.add(key="names", value="{0: 'a'}")
    proto.producer_name, proto.doc_string = "me", "a model"
    proto.graph.doc_string = "a graph"
    proto.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, ["N", 2]))
    for node in proto.graph.node:
        node.doc_string = f"doc of {node.name}"
        node.metadata_props.add(key="k", value=node.name)
    proto.graph.initializer[0].doc_string = "doc"
    return load(proto)


def strip_unused(model: Model) -> bytes:
    """As it comes back: gs drops constants that nobody uses."""
    for value in model.graph.constants:
        if not value.uses and not value.is_output:
            model.graph.drop(value)
    return to_bytes(model)


# -- there and back ---------------------------------------------------------------------------------------------------


def test_nothing_is_lost() -> None:
    model = rich()
    graph = to_gs(model)
    back = from_gs(graph)
    check(back)
    assert to_bytes(back) == strip_unused(model)
    assert [v.role for v in back.graph.inputs] == [Role.INPUT, Role.INPUT]
    assert back.graph.inputs[1].tensor is not None


def test_a_copy_of_the_graph_is_restored_from_the_model() -> None:
    model = rich()
    back = from_gs(to_gs(model).copy(), like=model)
    assert to_bytes(back) == strip_unused(model)


def test_without_the_model_the_graph_is_all_there_is() -> None:
    graph = to_gs(rich()).copy()
    back = from_gs(graph)
    check(back)
    written = to_proto(back)
    assert not written.metadata_props
    assert written.graph.doc_string == "a graph"
    assert written.producer_name == graph.producer_name


@pytest.mark.parametrize("path", SAMPLE, ids=lambda p: p.parent.name)
def test_backend_cases(path: Path) -> None:
    back = from_gs(to_gs(load(path)))
    check(back)
    assert to_bytes(back) == path.read_bytes()


@pytest.mark.models
def test_real_models(model_path: Path) -> None:
    model = load(model_path)
    assert to_bytes(from_gs(to_gs(model))) == strip_unused(model)


def test_the_graph_is_the_one_that_gs_makes() -> None:
    model = load(CASES / "node" / "test_if" / "model.onnx")
    ours, theirs = to_gs(model), gs.import_onnx(to_proto(model))
    assert ours == theirs
    assert ours.tensors() == theirs.tensors()
    for name, tensor in theirs.tensors().items():
        assert (ours.tensors()[name].dtype, ours.tensors()[name].shape) == (tensor.dtype, tensor.shape)


def test_types_that_gs_cannot_import() -> None:
    """Its importer raises on optional and map types."""
    model = load(CASES / "node" / "test_if_opt" / "model.onnx")
    back = from_gs(to_gs(model))
    assert back.graph.inputs[0].declared is not None
    types = [v.declared.type for v in (*back.graph.inputs, *back.graph.outputs) if v.declared is not None]
    assert any(isinstance(t, OptionalType) for t in types)
    assert to_bytes(back) == to_bytes(model)


def test_element_types_that_numpy_lacks() -> None:
    tensor = helper.make_tensor("w", TensorProto.BFLOAT16, [2], [1.0, 2.0])
    node = helper.make_node("Add", ["x", "w"], ["y"])
    infos = [helper.make_tensor_value_info(name, TensorProto.BFLOAT16, [2]) for name in ("x", "y")]
    proto = helper.make_model(helper.make_graph([node], "g", infos[:1], infos[1:], [tensor]), ir_version=10)
    graph = to_gs(load(proto))
    assert graph.inputs[0].dtype == TensorProto.BFLOAT16
    assert graph.nodes[0].inputs[1].values.astype(np.float32).tolist() == [1, 2]
    assert to_bytes(from_gs(graph)) == proto.SerializeToString(), "looked at, but not changed"


# -- edits ------------------------------------------------------------------------------------------------------------


def simple() -> Model:
    return parse(
        """
        g (float[N,2] x) => (float[N,2] y) <float[2] w = {1, 2}> {
          [one] a = Add (x, w)
          [two] b = Identity (a)
          [three] y = LeakyRelu <alpha = 0.5> (b)
        }
        """
    )


def body(model: Model) -> str:
    return to_text(model).partition("\n")[2]


def test_removed_nodes() -> None:
    model = simple()
    graph = to_gs(model)
    identity = graph.nodes[1]
    graph.nodes[2].inputs = identity.inputs
    identity.outputs.clear()
    graph.cleanup().toposort()
    assert body(from_gs(graph)) == body(model).replace("  [two] b = Identity (a)\n", "").replace("(b)", "(a)")


def test_new_nodes_and_constants() -> None:
    graph = to_gs(simple())
    scale = gs.Constant("scale", np.float32([2]))
    made = gs.Variable("made", np.float32, ("N", 2))
    graph.nodes.append(gs.Node("Mul", "new", inputs=[graph.tensors()["a"], scale], outputs=[made]))
    other = gs.Node("Act", "other", {"mode": "x", "sizes": [1, 2], "to": np.float16, "fs": [1.0]}, domain="acme")
    other.inputs, other.outputs = [made], [gs.Variable("out", np.float16)]
    graph.nodes.append(other)
    graph.nodes.append(gs.Node("Constant", attrs={"value_ints": [1, 2]}, outputs=[gs.Variable("k", np.int64)]))
    graph.outputs += [other.outputs[0], graph.nodes[-1].outputs[0]]
    model = from_gs(graph)
    check(model)
    assert model.opsets == {"": 21, "acme": 1}
    written = to_proto(model)
    text = body(model)
    assert "[new] made = Mul (a, scale)" in text
    assert '[other] out = acme.Act <mode = "x", sizes = [1, 2], to = 10, fs = [1.0]> (made)' in text
    assert "float16[] out" in text
    assert [v.name for v in written.graph.value_info] == ["made"]
    assert {t.name: numpy_helper.to_array(t).tolist() for t in written.graph.initializer} == {
        "w": [1, 2],
        "scale": [2],
        "k": [1, 2],
    }


def test_changed_values_attributes_names_and_shapes() -> None:
    model = simple()
    graph = to_gs(model)
    graph.tensors()["w"].values[0] = 9
    graph.nodes[2].attrs["alpha"] = 0.25
    graph.nodes[0].name = "first"
    graph.inputs[0].name = "input"
    graph.inputs[0].shape = [1, 2]
    graph.outputs[0].dtype = np.float64
    graph.name, graph.doc_string, graph.producer_name = "h", "new", "p"
    written = to_proto(from_gs(graph))
    assert body(load(written)).splitlines() == [
        "h (float[1,2] input) => (double[N,2] y) <float[2] w = {9, 2}> {",
        "  [first] a = Add (input, w)",
        "  [two] b = Identity (a)",
        "  [three] y = LeakyRelu <alpha = 0.25> (b)",
        "}",
    ]
    assert (written.graph.doc_string, written.producer_name) == ("new", "p")
    assert model.graph.ops[0].inputs[1].tensor.numpy().tolist() == [1, 2], "the model itself is as it was"  # type: ignore[union-attr]


def test_an_edit_keeps_the_rest() -> None:
    model = rich()
    before = to_proto(model)
    graph = to_gs(model)
    graph.nodes[0].attrs["extra"] = 1
    after = to_proto(from_gs(graph))
    before.graph.node[0].attribute.append(helper.make_attribute("extra", 1))
    del before.graph.initializer[2]
    assert after.SerializeToString(deterministic=True) == before.SerializeToString(deterministic=True)


def test_edits_in_bodies_and_functions() -> None:
    model = rich()
    graph = to_gs(model)
    branch = graph.nodes[3].attrs["then_branch"]
    branch.nodes[0].op = "Div"
    graph.functions[0].nodes[0].attrs["alpha"] = 0.125
    back = from_gs(graph)
    check(back)
    text = to_text(back)
    assert "[mul] d = Div (b, k)" in text
    assert "t = LeakyRelu <alpha = 0.125> (a)" in text


def test_folding_by_gs(capsys: pytest.CaptureFixture[str]) -> None:
    model = parse("g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { a = Add (w, w) b = Neg (a) y = Mul (x, b) }")
    graph = to_gs(model)
    graph.fold_constants().cleanup()
    back = from_gs(graph)
    assert [op.op_type for op in back.graph.ops] == ["Mul"]
    assert back.graph.ops[0].inputs[1].const.numpy().tolist() == [-2, -4]  # type: ignore[union-attr]


def test_a_graph_that_a_script_made() -> None:
    x = gs.Variable("x", np.float32, ["n", 2])
    y = gs.Variable("y", np.float32, ["n", 2])
    graph = gs.Graph([gs.Node("Relu", inputs=[x], outputs=[y])], [x], [y], opset=17, name="made")
    model = from_gs(graph)
    assert to_text(model).splitlines()[1] == "made (float[n,2] x) => (float[n,2] y) {"
    onnx.checker.check_model(to_proto(model), full_check=True)


def test_lazy_values_and_sparse_values_of_gs() -> None:
    proto = to_proto(simple())
    proto.graph.sparse_initializer.append(
        helper.make_sparse_tensor(
            helper.make_tensor("w", TensorProto.FLOAT, [1], [5.0]),
            helper.make_tensor("i", TensorProto.INT64, [1], [1]),
            [2],
        )
    )
    del proto.graph.initializer[:]
    model = from_gs(gs.import_onnx(proto))
    assert model.graph.constants[0].tensor.numpy().tolist() == [0, 5]  # type: ignore[union-attr]
    model = from_gs(gs.import_onnx(to_proto(simple())))
    assert model.graph.constants[0].tensor.numpy().tolist() == [1, 2]  # type: ignore[union-attr]


# -- what cannot be ---------------------------------------------------------------------------------------------------


def test_graphs_that_are_refused() -> None:
    graph = to_gs(simple())
    graph.nodes[0].inputs[0] = gs.Variable("nowhere")
    with pytest.raises(ModelError, match="nowhere"):
        from_gs(graph)
    graph = to_gs(simple())
    graph.nodes[0].inputs[0] = graph.nodes[2].outputs[0]
    with pytest.raises(ModelError, match="cyclic"):
        from_gs(graph)
    graph = to_gs(simple())
    graph.nodes[0].attrs["bad"] = object()
    with pytest.raises(ModelError, match="bad"):
        from_gs(graph)
    graph = to_gs(simple())
    graph.nodes[1].outputs[0].name = "a"
    with pytest.raises(ModelError, match="named 'a'"):
        from_gs(graph)


def test_the_package_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = simple()
    monkeypatch.setitem(sys.modules, "onnx_graphsurgeon", None)
    with pytest.raises(MissingComponentError, match="pip install"):
        to_gs(model)
