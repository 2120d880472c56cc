"""What ONNX can express comes back unchanged: a made model for each field, ONNX's own cases, real models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from gopt.frontends.onnx import load, save, to_bytes, to_proto
from gopt.ir import AttrKind, DType, MapType, Model, OptionalType, Role, SequenceType, SparseTensorType, TensorType
from gopt.ir.check import check

RoundTrip = Callable[[onnx.ModelProto], Model]


def model_of(graph: onnx.GraphProto, ir_version: int = 10, opset: int = 21) -> onnx.ModelProto:
    return helper.make_model(graph, ir_version=ir_version, opset_imports=[helper.make_opsetid("", opset)])


def tensor_info(
    name: str, shape: list[int | str | None] | None = None, dtype: int = TensorProto.FLOAT
) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, [2, 3] if shape is None else shape)


def simple_graph() -> onnx.GraphProto:
    """y = Relu(x + w)"""
    weight = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "w")
    nodes = [helper.make_node("Add", ["x", "w"], ["s"], "add"), helper.make_node("Relu", ["s"], ["y"], "relu")]
    return helper.make_graph(
        nodes, "g", [tensor_info("x")], [tensor_info("y")], [weight], value_info=[tensor_info("s")]
    )


def simple() -> onnx.ModelProto:
    return model_of(simple_graph())


def put(message: object, **entries: str) -> None:
    """Add metadata."""
    for key, value in entries.items():
        message.metadata_props.add(key=key, value=value)  # type: ignore[attr-defined]


# -- fields of the model and the graph ------------------------------------------------------------------------------


def test_metadata_at_every_level(round_trip: RoundTrip) -> None:
    proto = simple()
    put(proto, author="me", empty="")
    put(proto.graph, stage="1")
    for node in proto.graph.node:
        put(node, **{"pkg.torch.onnx.name": "x" * 200})
    for message in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info, *proto.graph.initializer):
        put(message, k="v")
    round_trip(proto)


def test_doc_strings_at_every_level(round_trip: RoundTrip) -> None:
    proto = simple()
    proto.graph.node[0].attribute.append(helper.make_attribute("extra", 1, doc_string="of the attribute"))
    for message in (proto, proto.graph, *proto.graph.node, *proto.graph.input, *proto.graph.output):
        message.doc_string = "what it is for"
    for message in (*proto.graph.value_info, *proto.graph.initializer):
        message.doc_string = "ünïcode"
    round_trip(proto)


def test_producer_domain_and_version(round_trip: RoundTrip) -> None:
    proto = simple()
    proto.producer_name, proto.producer_version, proto.domain, proto.model_version = "p", "1", "d", -3
    round_trip(proto)


def test_fields_that_are_present_but_empty(round_trip: RoundTrip) -> None:
    proto = simple()
    proto.producer_name = proto.doc_string = proto.graph.name = proto.graph.doc_string = ""
    for node in proto.graph.node:
        node.name = node.domain = node.overload = node.doc_string = ""
    proto.graph.initializer[0].doc_string = ""
    round_trip(proto)


def test_fields_that_are_absent(round_trip: RoundTrip) -> None:
    proto = simple()
    for field in ("producer_name", "doc_string", "model_version"):
        proto.ClearField(field)
    proto.graph.ClearField("name")
    for node in proto.graph.node:
        node.ClearField("name")
    round_trip(proto)


def test_opset_imports(round_trip: RoundTrip) -> None:
    proto = simple()
    proto.opset_import.extend([helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("ai.onnx.ml", 3)])
    model = round_trip(proto)
    assert model.opsets == {"": 21, "com.microsoft": 1, "ai.onnx.ml": 3}


def test_the_standard_domain_by_its_long_name(round_trip: RoundTrip) -> None:
    proto = simple()
    proto.opset_import[0].domain = proto.graph.node[0].domain = "ai.onnx"
    model = round_trip(proto)
    assert model.opsets == {"": 21}
    assert model.graph.ops[0].domain == ""


def test_quantization_annotations(round_trip: RoundTrip) -> None:
    proto = simple()
    annotation = proto.graph.quantization_annotation.add(tensor_name="s")
    annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="scale")
    annotation.quant_parameter_tensor_names.add(key="ZERO_POINT_TENSOR", value="nowhere")
    proto.graph.initializer.append(numpy_helper.from_array(np.float32(1), "scale"))
    model = round_trip(proto)
    (scale,) = model.graph.kept
    assert scale.name == "scale"
    assert scale.is_needed


def test_training_info(round_trip: RoundTrip) -> None:
    proto = simple()
    info = proto.training_info.add()
    info.initialization.CopyFrom(simple_graph())
    info.algorithm.CopyFrom(simple_graph())
    info.initialization_binding.add(key="w", value="y")
    info.update_binding.add(key="w", value="y")
    branch = helper.make_graph([helper.make_node("Neg", ["s"], ["n"])], "b", [], [tensor_info("n")])
    info.algorithm.node.append(helper.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=branch))
    model = round_trip(proto)
    assert {v.name for v in model.graph.kept} == {"x", "w", "s", "y"}


def test_device_configurations(round_trip: RoundTrip) -> None:
    proto = simple()
    proto.configuration.add(name="two", num_devices=2, device=["a", "b"])
    placed = proto.graph.node[0].device_configurations.add(configuration_id="two", pipeline_stage=1)
    spec = placed.sharding_spec.add(tensor_name="x", device=[0, 1])
    spec.index_to_device_group_map.add(key=0, value=[0, 1])
    spec.sharded_dim.add(axis=0).simple_sharding.add(dim_value=2, num_shards=2)
    round_trip(proto)


def test_denotations(round_trip: RoundTrip) -> None:
    proto = simple()
    proto.graph.input[0].type.denotation = "IMAGE"
    proto.graph.input[0].type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    round_trip(proto)


def test_unknown_fields_of_a_later_version() -> None:
    data = simple().SerializeToString()
    unknown = bytes([0xFA, 0x0F, 2]) + b"hi"  # field 255
    assert to_bytes(load(data + unknown)) == data + unknown


# -- declarations ---------------------------------------------------------------------------------------------------

TYPES = {
    "tensor": (helper.make_tensor_type_proto(TensorProto.FLOAT, [1, "n", None]), TensorType),
    "rank unknown": (helper.make_tensor_type_proto(TensorProto.FLOAT, None), TensorType),
    "scalar": (helper.make_tensor_type_proto(TensorProto.INT64, []), TensorType),
    "sparse": (helper.make_sparse_tensor_type_proto(TensorProto.FLOAT, [3]), SparseTensorType),
    "sequence": (
        helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.STRING, ["n"])),
        SequenceType,
    ),
    "optional": (
        helper.make_optional_type_proto(
            helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.INT4, [2]))
        ),
        OptionalType,
    ),
    "map": (helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(1, [1])), MapType),
    "none": (onnx.TypeProto(), type(None)),
}


@pytest.mark.parametrize("kind", TYPES)
def test_types(kind: str, round_trip: RoundTrip) -> None:
    type_, expected = TYPES[kind]
    infos = [helper.make_value_info(name, type_) for name in ("x", "y", "s")]
    nodes = [helper.make_node("Identity", ["x"], ["s"]), helper.make_node("Identity", ["s"], ["y"])]
    model = round_trip(model_of(helper.make_graph(nodes, "g", infos[:1], infos[1:2], value_info=infos[2:])))
    for value in (*model.graph.inputs, *model.graph.outputs, model.graph.ops[0].result):
        assert value.declared is not None
        assert isinstance(value.declared.type, expected)


def test_named_dims_are_interned_and_unknown_ones_fresh(round_trip: RoundTrip) -> None:
    infos = [tensor_info(name, ["n", None, 3, 0]) for name in ("x", "y")]
    node = helper.make_node("Relu", ["x"], ["y"])
    model = round_trip(model_of(helper.make_graph([node], "g", infos[:1], infos[1:])))
    shapes = []
    for value in (*model.graph.inputs, *model.graph.outputs):
        assert value.declared is not None
        assert isinstance(value.declared.type, TensorType)
        shapes.append(value.declared.type.shape)
    (first, second) = shapes
    assert first is not None
    assert second is not None
    assert first[0] is second[0] is model.symbol("n")
    assert first[1] is not second[1]
    assert first[2] == 3
    assert first[3] is not second[3], "a dim that is not positive says nothing"


def test_value_info_of_inputs_outputs_strangers_and_twice(round_trip: RoundTrip) -> None:
    graph = simple_graph()
    graph.value_info.extend([tensor_info("x"), tensor_info("y", [6]), tensor_info("nobody"), tensor_info("s", [1])])
    round_trip(model_of(graph))


def test_an_output_declared_twice_and_an_input_as_output(round_trip: RoundTrip) -> None:
    graph = simple_graph()
    graph.output.extend([tensor_info("y", [7]), tensor_info("x", [8]), tensor_info("w", [9])])
    model = round_trip(model_of(graph))
    assert [v.name for v in model.graph.outputs] == ["y", "y", "x", "w"]


# -- constants ------------------------------------------------------------------------------------------------------


def test_overridable_initializers_are_inputs(round_trip: RoundTrip) -> None:
    graph = simple_graph()
    graph.input.append(tensor_info("w"))
    model = round_trip(model_of(graph))
    weight = model.graph.inputs[1]
    assert weight.role is Role.INPUT
    assert weight.const is None
    assert weight.tensor is not None


def test_before_ir_version_4_listed_initializers_are_constants(round_trip: RoundTrip) -> None:
    graph = simple_graph()
    graph.input.insert(0, tensor_info("w"))
    model = round_trip(model_of(graph, ir_version=3))
    assert [v.name for v in model.graph.inputs] == ["x"]
    assert model.graph.ops[0].inputs[1].const is not None  # type: ignore[union-attr]


def test_constant_nodes_in_all_forms(round_trip: RoundTrip) -> None:
    forms = {
        "value": numpy_helper.from_array(np.ones((2, 3), np.float32), "inner"),
        "value_float": 1.5,
        "value_floats": [1.0, 2.0],
        "value_int": -1,
        "value_ints": [1, -2],
        "value_string": b"\xff raw",
        "value_strings": ["a", "ü"],
    }
    nodes = [
        helper.make_node("Constant", [], [f"c{k}"], **{form: value}) for k, (form, value) in enumerate(forms.items())
    ]
    nodes.insert(3, helper.make_node("Relu", ["x"], ["y"]))
    graph = helper.make_graph(nodes, "g", [tensor_info("x")], [tensor_info("y")])
    model = round_trip(model_of(graph))
    assert len(model.graph) == 1
    arrays = {v.name: v.tensor.numpy() for v in model.graph.constants if v.tensor is not None}
    assert arrays["c1"] == np.float32(1.5)
    assert arrays["c2"].tolist() == [1, 2]
    assert arrays["c2"].dtype == np.float32
    assert arrays["c3"].dtype == np.int64
    assert arrays["c4"].tolist() == [1, -2]
    assert arrays["c5"].item() == b"\xff raw"
    assert arrays["c6"].tolist() == [b"a", "ü".encode()]


def test_sparse_constants_stay_ops(round_trip: RoundTrip) -> None:
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("v", 1, [1], [5.0]), helper.make_tensor("i", TensorProto.INT64, [1], [2]), [4]
    )
    node = helper.make_node("Constant", [], ["y"], sparse_value=sparse)
    model = round_trip(model_of(helper.make_graph([node], "g", [], [tensor_info("y", [4])])))
    assert model.graph.ops[0].attrs["sparse_value"].kind is AttrKind.SPARSE_TENSOR


@pytest.mark.parametrize("indices", [np.array([1, 5]), np.array([[0, 1], [1, 2]])])
def test_sparse_initializers_are_constants(indices: np.ndarray, round_trip: RoundTrip) -> None:  # type: ignore[type-arg]
    graph = simple_graph()
    del graph.initializer[:]
    values = numpy_helper.from_array(np.array([7, 8], np.float32), "w")
    graph.sparse_initializer.append(helper.make_sparse_tensor(values, numpy_helper.from_array(indices, "i"), [2, 3]))
    graph.quantization_annotation.add(tensor_name="s")
    model = round_trip(model_of(graph))
    tensor = model.graph.ops[0].inputs[1].const  # type: ignore[union-attr]
    assert tensor is not None
    assert tensor.numpy().tolist() == [[0, 7, 0], [0, 0, 8]]


def _typed_tensors() -> Iterator[TensorProto]:
    """Every element type, in `raw_data` and in its typed field."""
    for dtype in DType:
        if dtype is DType.UNDEFINED:
            continue
        if dtype is DType.STRING:
            yield helper.make_tensor("string", dtype, [2, 1], [b"a", b"\xff"])
            continue
        bits = (
            np.arange(-4, 1, dtype=np.int8).view(np.uint8) if dtype.bits >= 8 else np.array([1, 3, 0, 2, 1], np.uint8)
        )
        array = np.repeat(bits, max(dtype.bits // 8, 1)).view(dtype.numpy if dtype.bits >= 8 else np.uint8)
        if dtype is DType.BOOL:
            array = np.array([True, False, True, True, False])
        if dtype.bits < 8:
            array = array.view(dtype.numpy)
        raw = numpy_helper.from_array(array, f"{dtype.name}_raw")
        assert raw.HasField("raw_data")
        yield raw
        values = array.astype(np.float32) if dtype.bits < 16 and dtype.is_float else array
        yield helper.make_tensor(f"{dtype.name}_typed", dtype, [5], values)


TYPED = {tensor.name: tensor for tensor in _typed_tensors()}


@pytest.mark.parametrize("name", TYPED)
def test_tensors_of_every_type_in_every_field(name: str, round_trip: RoundTrip) -> None:
    tensor = TYPED[name]
    graph = helper.make_graph([], "g", [], [], [tensor])
    (value,) = round_trip(model_of(graph)).graph.constants
    assert value.tensor is not None
    assert value.tensor.dtype == tensor.data_type
    found = value.tensor.numpy()
    if tensor.data_type == TensorProto.STRING:
        assert found.tolist() == [[b"a"], [b"\xff"]]
        return
    expected = numpy_helper.to_array(tensor)
    assert found.dtype == expected.dtype
    if value.tensor.dtype.bits < 8:  # the upper bits of an element's byte mean nothing
        found, expected = found.astype(np.float32), expected.astype(np.float32)
    assert found.tobytes() == expected.tobytes()
    assert not value.tensor.numpy().flags.writeable
    written = TensorProto(dims=tensor.dims, data_type=tensor.data_type, raw_data=bytes(value.tensor.raw()))
    assert numpy_helper.to_array(written).astype(expected.dtype).tobytes() == expected.tobytes()


# -- nodes ----------------------------------------------------------------------------------------------------------


def test_attributes_of_every_kind(round_trip: RoundTrip) -> None:
    tensor = numpy_helper.from_array(np.zeros(3, np.float16), "t")
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("v", 1, [1], [5.0]), helper.make_tensor("i", 7, [1], [2]), [4]
    )
    body = helper.make_graph([helper.make_node("Relu", ["x"], ["b"])], "body", [], [tensor_info("b")])
    type_ = helper.make_tensor_type_proto(1, [1])
    values: dict[str, object] = {
        "f": 0.1,
        "i": -(2**63),
        "s": b"\xff\x00",
        "t": tensor,
        "g": body,
        "fs": [float("nan"), float("inf"), -0.0],
        "is_": list(range(-100, 200)),
        "ss": [b"a", b"", b"\xff"],
        "ts": [tensor, tensor],
        "gs": [body, body],
        "sparse": sparse,
        "sparses": [sparse],
        "type": type_,
        "types": [type_, type_],
    }
    node = helper.make_node("Everything", ["x"], ["y"], "every", domain="com.acme")
    node.attribute.extend(helper.make_attribute(name, value) for name, value in values.items())
    empty = AttributeProto(name="none", type=AttributeProto.INTS)
    node.attribute.append(empty)
    for attribute in node.attribute:
        attribute.doc_string = "an attribute"
    proto = model_of(helper.make_graph([node], "g", [tensor_info("x")], [tensor_info("y")]))
    op = round_trip(proto).graph.ops[0]
    assert op.attr("i") == -(2**63)
    assert op.attr("s").encode("utf-8", "surrogateescape") == b"\xff\x00"
    assert op.attr("is_") == tuple(range(-100, 200))
    assert op.attr("none") == ()
    assert len(op.bodies) == 3
    assert len(op.captures) == 3
    assert [a.kind.name for a in op.attrs.values()] == [
        AttributeProto.AttributeType.Name(a.type) for a in node.attribute
    ]


def test_attributes_without_a_kind_as_in_ir_version_1(round_trip: RoundTrip) -> None:
    node = helper.make_node("Concat", ["x"], ["y"])
    node.attribute.add(name="axis", i=1)
    node.attribute.add(name="nothing")
    proto = model_of(helper.make_graph([node], "g", [tensor_info("x")], [tensor_info("y")]), ir_version=1)
    proto.ClearField("opset_import")
    model = round_trip(proto)
    assert model.graph.ops[0].attr("axis") == 1
    assert model.opsets == {"": 1}


def test_omitted_operands_and_results(round_trip: RoundTrip) -> None:
    nodes = [
        helper.make_node("Clip", ["x", "", "w"], ["c"]),
        helper.make_node("Dropout", ["c", "", ""], ["y", ""]),
        helper.make_node("LSTM", ["x", "w", "w"], ["", "h"]),
    ]
    graph = simple_graph()
    del graph.node[:]
    graph.node.extend(nodes)
    ops = round_trip(model_of(graph)).graph.ops
    assert ops[0].inputs[1] is None
    assert ops[2].outputs[0] is None


def test_nodes_out_of_order_are_sorted() -> None:
    graph = simple_graph()
    nodes = list(graph.node)[::-1]
    del graph.node[:]
    graph.node.extend(nodes)
    model = load(model_of(graph))
    assert [op.op_type for op in model.graph.ops] == ["Add", "Relu"]
    assert [n.op_type for n in to_proto(model).graph.node] == ["Add", "Relu"]


# -- bodies and functions -------------------------------------------------------------------------------------------


def nested(depth: int) -> onnx.GraphProto:
    """If inside If; the innermost body takes values of all graphs outside."""
    takes = ["x", *(f"v{k}" for k in range(depth))]
    graph = helper.make_graph([helper.make_node("Sum", takes, ["r"])], "inner", [], [tensor_info("r")])
    for k in reversed(range(depth)):
        nodes = [helper.make_node("Relu", ["x"], [f"v{k}"]), helper.make_node("If", ["c"], ["r" if k else "y"])]
        for branch in ("then_branch", "else_branch"):
            nodes[1].attribute.append(helper.make_attribute(branch, graph))
        graph = helper.make_graph(nodes, f"level{k}", [], [tensor_info("r" if k else "y")])
    graph.input.extend([tensor_info("x"), tensor_info("c", [], TensorProto.BOOL)])
    return graph


def rename_inner(graph: onnx.GraphProto, depth: int = 0) -> None:
    """Results of nested bodies get names of their own; those of siblings stay the same."""
    for node in graph.node:
        if node.op_type == "Sum" or (node.op_type == "If" and depth):
            node.output[0] += f"_{depth}"
        for attribute in node.attribute:
            rename_inner(attribute.g, depth + 1)
    if depth:
        graph.output[0].name += f"_{depth}"


def test_captures_at_any_depth(round_trip: RoundTrip) -> None:
    graph = nested(4)
    rename_inner(graph)
    model = round_trip(model_of(graph))
    assert sum(1 for _ in model.graphs()) == 1 + 2 + 4 + 8 + 16
    branch = model.graph.owners[0]
    assert {outer.name for outer in branch.captures.values()} == {"x", "c", "v0"}


def test_a_body_that_exports_an_outer_value_a_constant_or_its_input(round_trip: RoundTrip) -> None:
    outer = helper.make_graph([], "outer", [], [tensor_info("x")])
    constant = helper.make_graph([], "constant", [], [tensor_info("k")], [helper.make_tensor("k", 1, [2, 3], range(6))])
    body = helper.make_graph([], "scan", [tensor_info("i")], [tensor_info("i")])
    nodes = [
        helper.make_node("If", ["c"], ["y"], then_branch=outer, else_branch=constant),
        helper.make_node("Scan", ["x"], ["z"], body=body, num_scan_inputs=1),
    ]
    inputs = [tensor_info("x"), tensor_info("c", [], TensorProto.BOOL)]
    round_trip(model_of(helper.make_graph(nodes, "g", inputs, [tensor_info("y"), tensor_info("z")])))


def test_a_name_that_hides_an_outer_one_is_replaced() -> None:
    inner = helper.make_graph([helper.make_node("Neg", ["x"], ["s"])], "b", [], [tensor_info("s")])
    other = helper.make_graph([helper.make_node("Neg", ["s"], ["t"])], "b", [], [tensor_info("t")])
    graph = simple_graph()
    graph.node.append(helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=other))
    graph.input.append(tensor_info("c", [], TensorProto.BOOL))
    model = load(model_of(graph))
    check(model)
    written = to_proto(model)
    branches = {a.name: a.g for a in written.graph.node[-1].attribute}
    assert branches["then_branch"].node[0].output[0] == branches["then_branch"].output[0].name != "s"
    assert branches["else_branch"].node[0].input[0] == "s"


def function_model() -> onnx.ModelProto:
    """Two overloads of a function with a default and attribute references; one calls another function."""
    ref = helper.make_node("LeakyRelu", ["a"], ["t"])
    ref.attribute.append(AttributeProto(name="alpha", type=AttributeProto.FLOAT, ref_attr_name="slope"))
    constant = helper.make_node("Constant", [], ["k"])
    constant.attribute.append(AttributeProto(name="value", type=AttributeProto.TENSOR, ref_attr_name="bias"))
    plain = helper.make_node("Constant", [], ["one"], value_float=1.0)
    body = [ref, constant, plain, helper.make_node("Sum", ["t", "k", "one"], ["b"])]
    functions = [
        helper.make_function(
            "acme",
            "F",
            ["a"],
            ["b"],
            body,
            [helper.make_opsetid("", 21)],
            ["bias"],
            [helper.make_attribute("slope", 0.2)],
            overload=overload,
        )
        for overload in ("", "other")
    ]
    functions[0].value_info.append(tensor_info("t"))
    put(functions[0], k="v")
    functions[0].doc_string = "a function"
    calls = [helper.make_node("F", ["x"], ["y"], domain="acme", bias=helper.make_tensor("t", 1, [1], [1.0]))]
    calls.append(helper.make_node("F", ["y"], ["z"], domain="acme", overload="other", name="second"))
    proto = model_of(helper.make_graph(calls, "g", [tensor_info("x")], [tensor_info("z")]))
    proto.opset_import.append(helper.make_opsetid("acme", 1))
    proto.functions.extend(functions)
    return proto


def test_functions(round_trip: RoundTrip) -> None:
    model = round_trip(function_model())
    assert list(model.functions) == [("acme", "F", ""), ("acme", "F", "other")]
    function = model.functions["acme", "F", ""]
    assert function.attributes == ("bias",)
    assert function.defaults["slope"].value == pytest.approx(0.2)
    ops = function.graph.ops
    assert [op.op_type for op in ops] == ["LeakyRelu", "Constant", "Sum"], "a reference is no constant yet"
    assert ops[0].attrs["alpha"].ref == "slope"


# -- whole files ----------------------------------------------------------------------------------------------------


def test_sources_of_every_kind(tmp_path: Path) -> None:
    proto = simple()
    data = proto.SerializeToString()
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    for source in (path, str(path), data, bytearray(data), memoryview(data), proto):
        assert to_bytes(load(source)) == data  # type: ignore[arg-type]
    assert load(path).path == path
    with pytest.raises(TypeError):
        load(3)  # type: ignore[arg-type]


def test_a_large_file_is_mapped_and_may_be_replaced_by_itself(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.arange(1 << 20, dtype=np.float32), "w")
    graph = helper.make_graph([], "g", [], [tensor_info("w", [1 << 20])], [weight])
    path = tmp_path / "m.onnx"
    onnx.save(model_of(graph), path)
    before = path.read_bytes()
    model = load(path)
    save(model, path)
    assert path.read_bytes() == before
    assert model.graph.outputs[0].tensor.numpy()[-1] == (1 << 20) - 1  # type: ignore[union-attr]
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


def test_odd_but_legal_encodings_are_read() -> None:
    """Merged sub-messages, packed numbers where the schema says unpacked and the other way round."""
    node = helper.make_node("Concat", ["x"], ["y"]).SerializeToString()
    packed = bytes([0x0A, 1, ord("p"), 0x42, 2, 1, 2, 0xA0, 1, AttributeProto.INTS])
    node += bytes([0x2A, len(packed)]) + packed
    unpacked = bytes([0x08, 2, 0x10, TensorProto.INT64, 0x38, 5, 0x38, 6, 0x42, 1, ord("w")])
    graph = bytes([0x0A, len(node)]) + node + bytes([0x2A, len(unpacked)]) + unpacked
    rest = helper.make_graph([], "g", [tensor_info("x")], [tensor_info("y")]).SerializeToString()
    data = bytes([0x08, 10, 0x3A, len(graph)]) + graph + bytes([0x3A, len(rest)]) + rest
    model = load(data)
    assert model.graph.ops[0].attr("p") == (1, 2)
    assert model.graph.constants[0].tensor.numpy().tolist() == [5, 6]  # type: ignore[union-attr]
    assert to_bytes(model) == onnx.ModelProto.FromString(data).SerializeToString()


CASES = Path(onnx.__file__).parent / "backend" / "test" / "data"
KINDS = sorted(p.name for p in CASES.iterdir() if any(p.rglob("*.onnx")))


@pytest.mark.parametrize("kind", KINDS)
def test_every_tenth_backend_case(kind: str) -> None:
    paths = sorted((CASES / kind).rglob("*.onnx"))
    for path in paths[:: 10 if len(paths) > 100 else 1]:
        assert to_bytes(load(path)) == path.read_bytes(), path.parent.name


@pytest.mark.models
def test_real_models(model_path: Path, tmp_path: Path) -> None:
    model = load(model_path)
    check(model)
    target = tmp_path / "m.onnx"
    save(model, target)
    assert target.read_bytes() == model_path.read_bytes()
