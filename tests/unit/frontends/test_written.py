"""What is written after a change: the change, and all else as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper, numpy_helper

from gopt.analysis import infer
from gopt.frontends.onnx import load, to_bytes, to_proto
from gopt.ir import ArrayTensor, Attr, Declared, DType, Function, Graph, Model, Op, Role, Symbol, TensorType, Value
from gopt.ir.check import check

CASES = Path(onnx.__file__).parent / "backend" / "test" / "data"
SAMPLE = [p for k, p in enumerate(sorted(CASES.rglob("*.onnx"))) if k % 12 == 0 or "_if" in p.parent.name]


def info(name: str, shape: list[int] | None = None, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, [2] if shape is None else shape)


def chain(ir_version: int = 10, opset: int = 21) -> onnx.ModelProto:
    """y = Relu(LeakyRelu(x * w) + k), with a doc string and metadata wherever they can stand."""
    nodes = [
        helper.make_node("Constant", [], ["k"], "constant", value=numpy_helper.from_array(np.ones(2, np.float32))),
        helper.make_node("Mul", ["x", "w"], ["a"], "mul"),
        helper.make_node("LeakyRelu", ["a"], ["b"], "leaky", alpha=0.5),
        helper.make_node("Add", ["b", "k"], ["c"], "add"),
        helper.make_node("Relu", ["c"], ["y"], "relu"),
    ]
    for node in nodes:
        node.doc_string = f"doc of {node.name}"
        node.metadata_props.add(key="k", value=node.name)
        for attribute in node.attribute:
            attribute.doc_string = "doc"
    weight = numpy_helper.from_array(np.array([3, 4], np.float32), "w")
    weight.doc_string = "the weight"
    infos = [info("a"), info("b"), info("c")]
    inputs = [info("x")] + ([info("w")] if ir_version < 4 else [])
    graph = helper.make_graph(nodes, "g", inputs, [info("y")], [weight], value_info=infos)
    return helper.make_model(graph, ir_version=ir_version, opset_imports=[helper.make_opsetid("", opset)])


def expected(proto: onnx.ModelProto, model: Model) -> None:
    """Assert that the model is written as `proto`."""
    check(model)
    assert to_proto(model).SerializeToString(deterministic=True) == proto.SerializeToString(deterministic=True)


def op(model: Model, name: str) -> Op:
    return next(o for g in model.graphs() for o in g.ops if o.name == name)


# -- ops ------------------------------------------------------------------------------------------------------------


def test_a_changed_operand() -> None:
    proto = chain()
    model = load(proto)
    model.graph.set_operand(op(model, "add"), 0, op(model, "mul").result)
    proto.graph.node[3].input[0] = "a"
    expected(proto, model)


def test_a_changed_attribute_keeps_the_doc_strings_of_the_others() -> None:
    proto = chain()
    proto.graph.node[2].attribute.append(helper.make_attribute("other", [1, 2], doc_string="of the other"))
    model = load(proto)
    model.graph.set_attr(op(model, "leaky"), "alpha", 0.25)
    del proto.graph.node[2].attribute[0]
    proto.graph.node[2].attribute.append(helper.make_attribute("alpha", 0.25))
    expected(proto, model)


def test_a_changed_node_name() -> None:
    proto = chain()
    model = load(proto)
    op(model, "add").name = "sum"
    proto.graph.node[3].name = "sum"
    expected(proto, model)


def test_renamed_values() -> None:
    proto = chain()
    model = load(proto)
    graph = model.graph
    for value in graph.values:
        graph.rename(value, f"{value.name}_new")
    written = to_proto(model)
    onnx.checker.check_model(written, full_check=True)
    assert written.graph.node[3].doc_string == "doc of add"
    assert written.graph.initializer[0].doc_string == "the weight"
    renamed = written.SerializeToString(deterministic=True)
    model = load(written)
    for value in model.graph.values:
        model.graph.rename(value, value.name.removesuffix("_new"))
    expected(proto, model)
    assert b"a_new" in renamed


def test_swapped_names_move_the_declaration_with_the_value() -> None:
    proto = chain()
    model = load(proto)
    model.graph.swap_names(op(model, "mul").result, op(model, "leaky").result)
    for node, kind, names in ((1, "output", "b"), (2, "input", "b"), (2, "output", "a"), (3, "input", "a")):
        getattr(proto.graph.node[node], kind)[0] = names
    proto.graph.value_info[0].name, proto.graph.value_info[1].name = "b", "a"
    expected(proto, model)


def test_new_ops_and_constants() -> None:
    proto = chain()
    model = load(proto)
    graph = model.graph
    old = op(model, "leaky")
    scale = Value("scale", Role.CONST, ArrayTensor(np.array([2.0], np.float32)))
    text = Value("w", Role.CONST, ArrayTensor(np.array(["a", "b"])))  # the name is taken
    attrs = {"ints": Attr.of([1, -1]), "s": Attr.of("ü"), "f": Attr.of(0.1), "t": Attr.of(np.int8([1]))}
    new = Op("Scale", [old.inputs[0], None, scale, text, None], 1, attrs, "acme", "scaled", "v2")
    new.order = old.order
    graph.add(new)
    graph.replace_uses(old.result, new.result)
    graph.swap_names(old.result, new.result)
    graph.remove(old)
    check(model)
    graph_proto = to_proto(model).graph
    assert [n.op_type for n in graph_proto.node] == ["Constant", "Mul", "Scale", "Add", "Relu"]
    node = graph_proto.node[2]
    assert (node.domain, node.name, node.overload) == ("acme", "scaled", "v2")
    assert list(node.input) == ["a", "", "scale", "w_1"]
    assert list(node.output) == ["b"]
    values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    assert values["ints"] == [1, -1]
    assert values["s"] == "ü".encode()
    assert values["f"] == pytest.approx(0.1)
    assert numpy_helper.to_array(values["t"]).tolist() == [1]
    assert [t.name for t in graph_proto.initializer] == ["w", "scale", "w_1"]
    assert graph_proto.initializer[1].raw_data == np.float32(2).tobytes()
    assert list(graph_proto.initializer[2].string_data) == [b"a", b"b"]
    assert [v.name for v in graph_proto.value_info] == ["a", "c"], "nobody declared the new value"
    assert to_bytes(load(to_bytes(model))) == to_bytes(model)


def test_a_removed_op_takes_its_declaration_along() -> None:
    proto = chain()
    model = load(proto)
    relu = op(model, "leaky")
    model.graph.replace_uses(relu.result, relu.inputs[0])  # type: ignore[arg-type]
    model.graph.remove(relu)
    del proto.graph.node[2], proto.graph.value_info[1]
    proto.graph.node[2].input[0] = "a"
    expected(proto, model)


def test_a_constant_node_is_written_before_its_first_user() -> None:
    model = load(chain())
    mul, add = op(model, "mul"), op(model, "add")
    add.inputs[1].spelling.order = 9.0  # type: ignore[union-attr]
    model.graph.set_operand(mul, 1, add.inputs[1])
    names = [n.name for n in to_proto(model).graph.node]
    assert names == ["constant", "mul", "leaky", "add", "relu"]


def test_a_new_constant_of_every_element_type() -> None:
    model = load(chain())
    for dtype in list(DType)[1:]:
        codes = np.arange(1, 6, dtype=np.uint8) % (4 if dtype.bits == 2 else 8)
        array = codes.astype(object) if dtype is DType.STRING else codes.astype(np.float32).astype(dtype.numpy)
        if dtype is DType.STRING:
            array = np.array([b"a", b"\xff", b"", b"b", b"c"], object)
        value = model.graph.add_const(ArrayTensor(array, dtype), dtype.name)
        (written,) = [t for t in to_proto(model).graph.initializer if t.name == value.name]
        assert written.data_type == dtype
        if dtype is DType.STRING:
            assert list(written.string_data) == array.tolist()
        else:
            found = numpy_helper.to_array(written)
            assert found.dtype == array.dtype
            assert found.astype(np.complex128).tolist() == array.astype(np.complex128).tolist()


# -- interface ------------------------------------------------------------------------------------------------------


def test_declarations_that_a_pass_made() -> None:
    proto = chain()
    model = load(proto)
    n = Symbol("n")
    model.graph.inputs[0].declared = Declared(TensorType(DType.FLOAT, (n,)))
    model.graph.outputs[0].declared = Declared(TensorType(DType.FLOAT, (n, 2, Symbol())))
    op(model, "mul").result.declared = Declared(TensorType(DType.INT8))
    proto.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"]))
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2, None]))
    a = proto.graph.value_info.pop(0)
    a.CopyFrom(helper.make_tensor_value_info("a", TensorProto.INT8, None))
    proto.graph.value_info.append(a)
    expected(proto, model)


def test_inputs_and_outputs_that_come_and_go() -> None:
    model = load(chain())
    graph = model.graph
    mul = op(model, "mul").result
    mul.type = TensorType(DType.FLOAT, (2,))
    graph.set_output(1, mul)
    extra = Value("extra", type_=TensorType(DType.INT64, (Symbol("m"),)))
    graph.add_input(extra)
    written = to_proto(model)
    onnx.checker.check_model(written)
    assert [v.name for v in written.graph.output] == ["y", "a"]
    assert written.graph.output[0] == info("y")
    assert written.graph.input[1] == helper.make_tensor_value_info("extra", TensorProto.INT64, ["m"])
    graph.remove_output(0)
    graph.remove_input(extra)
    written = to_proto(model)
    assert [v.name for v in written.graph.output] == ["a"]
    assert [v.name for v in written.graph.input] == ["x"]


def test_another_opset() -> None:
    proto = chain()
    proto.opset_import.append(helper.make_opsetid("acme", 1))
    model = load(proto)
    model.opsets[""] = 22
    del model.opsets["acme"]
    model.opsets["new"] = 3
    assert [(i.domain, i.version) for i in to_proto(model).opset_import] == [("", 22), ("new", 3)]


def test_before_ir_version_4_constants_stay_listed() -> None:
    proto = chain(ir_version=3, opset=8)
    model = load(proto)
    graph = model.graph
    expected(proto, model)
    graph.set_operand(op(model, "add"), 0, graph.add_const(ArrayTensor(np.zeros(2, np.float32)), "zero"))
    leaky, mul = op(model, "leaky"), op(model, "mul")
    graph.remove(leaky)
    weight = mul.inputs[1]
    assert weight is not None
    graph.remove(mul)
    graph.drop(weight)
    written = to_proto(model)
    onnx.checker.check_model(written)
    assert [v.name for v in written.graph.input] == ["x", "zero"]
    assert written.graph.input[1] == info("zero")


def test_before_ir_version_4_new_constants_of_bodies_are_nodes() -> None:
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["r"])], "b", [], [info("r")])
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph([node], "g", [info("x"), info("c", [], TensorProto.BOOL)], [info("y")])
    model = load(helper.make_model(graph, ir_version=3, opset_imports=[helper.make_opsetid("", 8)]))
    body = model.graph.ops[0].bodies[0]
    new = body.add_const(ArrayTensor(np.zeros(2, np.float32)))
    body.set_operand(body.ops[0], 0, new)
    written = to_proto(model)
    onnx.checker.check_model(written)
    assert [n.op_type for n in written.graph.node[0].attribute[0].g.node] == ["Constant", "Relu"]


# -- bodies and functions -------------------------------------------------------------------------------------------


def branching() -> onnx.ModelProto:
    def branch(kind: str) -> onnx.GraphProto:
        node = helper.make_node(kind, ["s"], [f"{kind}_out"], f"in_{kind}", doc_string="inside")
        return helper.make_graph([node], f"{kind}_branch", [], [info(f"{kind}_out")])

    nodes = [
        helper.make_node("Neg", ["x"], ["s"], "neg"),
        helper.make_node("If", ["c"], ["y"], "if", then_branch=branch("Relu"), else_branch=branch("Abs")),
    ]
    for attribute in nodes[1].attribute:
        attribute.doc_string = "a branch"
    nodes[1].doc_string = "doc of if"
    inputs = [info("x"), info("c", [], TensorProto.BOOL)]
    graph = helper.make_graph(nodes, "g", inputs, [info("y")])
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])


def test_a_changed_body() -> None:
    proto = branching()
    model = load(proto)
    body = model.graph.owners[0].bodies[0]
    inner = body.ops[0]
    new = Op("Sigmoid", [inner.result])
    body.add(new)
    body.set_output(0, new.result)
    branch = proto.graph.node[1].attribute[0].g
    branch.node.append(helper.make_node("Sigmoid", ["Abs_out"], ["sigmoid_out"]))
    branch.output[0].name = "sigmoid_out"
    expected(proto, model)


def test_a_renamed_or_replaced_outer_value() -> None:
    proto = branching()
    model = load(proto)
    graph = model.graph
    graph.rename(op(model, "neg").result, "renamed")
    proto.graph.node[0].output[0] = "renamed"
    for attribute in proto.graph.node[1].attribute:
        attribute.g.node[0].input[0] = "renamed"
    expected(proto, model)
    graph.replace_uses(op(model, "neg").result, graph.inputs[0])
    graph.remove(op(model, "neg"))
    del proto.graph.node[0]
    for attribute in proto.graph.node[0].attribute:
        attribute.g.node[0].input[0] = "x"
    expected(proto, model)


def test_an_output_of_a_body_that_is_of_another_type() -> None:
    """It was declared as what stood in its place, which no checker took."""
    text = """<ir_version: 8, opset_import: ["" : 18]>
        g (bool c, float[2,3] x) => (float[3] y) {
          y = If (c) <then_branch = t () => (float[3] a) { s = Neg(x) a = ReduceSum<keepdims = 0>(s, axes) },
            else_branch = e () => (float[3] b) { r = Abs(x) b = ReduceSum<keepdims = 0>(r, axes) }>
        }"""
    proto = onnx.parser.parse_model(text.replace("g (bool c", "g (int64[1] axes, bool c"))
    model = load(proto)
    infer(model)
    (op,) = model.graph.ops
    for body in op.bodies:
        body.set_output(0, body.ops[0].result)
        body.remove(body.ops[1])
    for attr in to_proto(model).graph.node[0].attribute:
        (output,) = attr.g.output
        assert [d.dim_value for d in output.type.tensor_type.shape.dim] == [2, 3]


def test_outputs_of_a_body_whose_names_changed_hands() -> None:
    """Each was declared as what had its name in the file: a function was inlined that way, under other names."""
    text = """<ir_version: 8, opset_import: ["" : 18]>
        g (bool c, float x) => (float y, bool z) {
          y, z = If (c) <then_branch = t () => (float a, bool b) { a = Neg(x) b = Not(c) },
            else_branch = e () => (float d, bool f) { d = Abs(x) f = Identity(c) }>
        }"""
    model = load(onnx.parser.parse_model(text))
    infer(model)
    for body in model.graph.ops[0].bodies:
        for value in body.outputs:
            value.declared = None
        body.swap_names(*body.outputs)
    for attr in to_proto(model).graph.node[0].attribute:
        assert [o.type.tensor_type.elem_type for o in attr.g.output] == [TensorProto.FLOAT, TensorProto.BOOL]
        assert [o.name for o in attr.g.output] in (["b", "a"], ["f", "d"])


def test_constants_of_functions_are_nodes() -> None:
    node = helper.make_node("Relu", ["a"], ["b"], "inside")
    function = helper.make_function("acme", "F", ["a"], ["b"], [node], [helper.make_opsetid("", 21)])
    call = helper.make_node("F", ["x"], ["y"], domain="acme")
    graph = helper.make_graph([call], "g", [info("x")], [info("y")])
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("acme", 1)]
    proto = helper.make_model(graph, ir_version=10, opset_imports=imports, functions=[function])
    model = load(proto)
    inner = model.functions["acme", "F", ""].graph
    relu = inner.ops[0]
    new = Op("Mul", [relu.inputs[0], Value("two", Role.CONST, ArrayTensor(np.float32([2])))])
    inner.add(new)
    inner.set_operand(relu, 0, new.result)
    written = to_proto(model)
    onnx.checker.check_model(written, full_check=True)
    assert [n.op_type for n in written.functions[0].node] == ["Constant", "Mul", "Relu"]
    model.functions.clear()
    assert not to_proto(model).functions


def test_a_model_made_from_nothing() -> None:
    graph = Graph("made", {"": 21, "acme": 1})
    x = graph.add_input(Value("x", type_=TensorType(DType.FLOAT, (2,))))
    call = graph.add(Op("F", [x], domain="acme"))
    graph.set_output(0, call.result)
    call.result.type = x.type
    inner = Graph("F", {"": 21})
    a = inner.add_input(Value("a"))
    add = inner.add(Op("Add", [a, Value("one", Role.CONST, ArrayTensor(np.float32([1])))]))
    inner.set_output(0, add.result)
    model = Model(graph)
    function = Function("acme", "F", inner, "", ("unused",), {"k": Attr.of(1)})
    model.functions[function.key] = function
    written = to_proto(model)
    onnx.checker.check_model(written, full_check=True)
    assert written.functions[0].attribute == ["unused"]
    assert to_bytes(load(written)) == to_bytes(model)


# -- all paths of the writer on many models ---------------------------------------------------------------------------


def plain(data: bytes) -> bytes:
    """A model without what only untouched nodes keep."""
    proto = onnx.ModelProto.FromString(data)
    for graph in (proto.graph, *proto.functions):
        _strip(graph)
    return proto.SerializeToString(deterministic=True)


def _strip(graph: onnx.GraphProto | onnx.FunctionProto) -> None:
    for node in graph.node:
        node.ClearField("doc_string")
        del node.metadata_props[:]
        for field in ("name", "domain", "overload"):
            if not getattr(node, field):
                node.ClearField(field)
        for names in (node.input, node.output):
            while names and not names[-1]:
                del names[-1]
        for attribute in node.attribute:
            attribute.ClearField("doc_string")
            for inner in (attribute.g, *attribute.graphs):
                _strip(inner)
            if attribute.HasField("g") and not attribute.g.ByteSize():
                attribute.ClearField("g")


def forget_nodes(model: Model) -> None:
    """Make every op and attribute look new."""
    for graph in model.graphs():
        for each in graph.ops:
            each.source = None
            for attr in each.attrs.values():
                attr.raw = None


def touch_nodes(model: Model) -> None:
    """Make every node look changed."""
    for graph in model.graphs():
        for each in graph.ops:
            each.source.name += "?"  # so that the name is written anew as well
            each.attrs = dict(each.attrs)


@pytest.mark.parametrize("path", SAMPLE, ids=lambda p: p.parent.name)
def test_touched_nodes_are_written_as_they_were(path: Path) -> None:
    data = path.read_bytes()
    model = load(data)
    touch_nodes(model)
    written = to_bytes(model)
    assert plain(written) == plain(data)


@pytest.mark.parametrize("path", SAMPLE, ids=lambda p: p.parent.name)
def test_new_nodes_are_written_like_old_ones(path: Path) -> None:
    data = path.read_bytes()
    model = load(data)
    forget_nodes(model)
    assert plain(to_bytes(model)) == plain(data)


@pytest.mark.models
def test_real_models_by_all_paths(model_path: Path) -> None:
    data = model_path.read_bytes()
    for change in (touch_nodes, forget_nodes):
        model = load(model_path)
        change(model)
        assert plain(to_bytes(model)) == plain(data)
