"""Structural faults, one at a time, in a model that is right otherwise."""

# mypy: disable-error-code="func-returns-value,list-item,no-any-return"

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gopt.frontends.wire import bytes_field, encode_varint, string_field

from .case import Case, info, model_of, node, sample, weight

Change = Callable[[onnx.ModelProto], object]


def _nodes(*nodes: onnx.NodeProto, **kwargs: object) -> bytes:
    return model_of(list(nodes), **kwargs).SerializeToString()  # type: ignore[arg-type]


def _function(name: str, calls: str) -> onnx.FunctionProto:
    call = helper.make_node(calls, ["a"], ["b"], domain="f")
    return helper.make_function("f", name, ["a"], ["b"], [call], [helper.make_opsetid("f", 1)])


def _body(takes: str, gives: str) -> onnx.GraphProto:
    return helper.make_graph([node("Relu", takes, "r")], "b", [], [info(gives)])


EVIL = "\x1b]0;owned\x07\x1b[2J\r\n\u202e<script>alert(1)</script>"

# What is changed in the sample; each of these must be refused.
REFUSED: dict[str, Change] = {
    "no graph": lambda m: m.ClearField("graph"),
    "no version": lambda m: m.ClearField("ir_version"),
    "a result twice": lambda m: m.graph.node.append(node("Relu", "s", "s")),
    "a result that is an input": lambda m: m.graph.node.append(node("Relu", "s", "x")),
    "an operand of nobody": lambda m: m.graph.node.append(node("Relu", "nowhere", "n")),
    "an operand of its own": lambda m: m.graph.node.append(node("Relu", "n", "n")),
    "an output of nobody": lambda m: m.graph.output.append(info("nowhere")),
    "an input twice": lambda m: m.graph.input.append(info("x")),
    "an input without a name": lambda m: m.graph.input.append(info("")),
    "an initializer twice": lambda m: m.graph.initializer.append(m.graph.initializer[0]),
    "an initializer without a name": lambda m: m.graph.initializer.append(weight("", [1.0])),
    "a cycle through a body": lambda m: m.graph.node[2].attribute[0].g.node[0].input.append("y"),
    "a body without its output": lambda m: m.graph.node[2].attribute[0].g.output.append(info("nowhere")),
    "an attribute twice": lambda m: m.graph.node[1].attribute.append(m.graph.node[1].attribute[0]),
    "a function twice": lambda m: m.functions.append(m.functions[0]),
    "functions that call each other": lambda m: m.functions.extend([_function("A", "B"), _function("B", "A")]),
    "a function whose output nobody computes": lambda m: m.functions[0].output.append("nowhere"),
    "a function whose inputs have one name": lambda m: m.functions[0].input.append("a"),
    "a name of 70 kB": lambda m: m.graph.node.append(node("Relu", "s", "n" * 70_000)),
    "a tensor with too few bytes": lambda m: setattr(m.graph.initializer[0], "raw_data", b"1234567"),
    "a tensor with too many bytes": lambda m: setattr(m.graph.initializer[0], "raw_data", b"123456789"),
    "a tensor of no type": lambda m: m.graph.initializer[0].ClearField("data_type"),
    "a tensor of an unknown type": lambda m: setattr(m.graph.initializer[0], "data_type", 99),
    "a tensor of a negative size": lambda m: m.graph.initializer[0].dims.__setitem__(0, -2),
    "a tensor of 2^62 elements": lambda m: m.graph.initializer[0].dims.__setitem__(0, 2**62),
    "a tensor of 2^64 + 2 elements": lambda m: m.graph.initializer[0].dims.extend([2**62, 4]),
    "a tensor of 70 dims": lambda m: m.graph.initializer[0].dims.extend([1] * 70),
    "a tensor in segments": lambda m: setattr(m.graph.initializer[0].segment, "end", 1),
}

# Faults that a command may live with, or refuse.
OPEN: dict[str, Change] = {
    "an unknown operator": lambda m: m.graph.node.append(node("Nonsense", "x", "n")),
    "an unknown domain": lambda m: m.graph.node.append(helper.make_node("N", ["x"], ["n"], domain="evil")),
    "an opset of 0": lambda m: setattr(m.opset_import[0], "version", 0),
    "an opset of 2^62": lambda m: setattr(m.opset_import[0], "version", 2**62),
    "a negative opset": lambda m: setattr(m.opset_import[0], "version", -1),
    "no opset": lambda m: m.ClearField("opset_import"),
    "an opset twice": lambda m: m.opset_import.append(helper.make_opsetid("", 7)),
    "a version of 2^62": lambda m: setattr(m, "ir_version", 2**62),
    "a negative version": lambda m: setattr(m, "ir_version", -(2**63)),
    "an operand too few": lambda m: m.graph.node[1].ClearField("input"),
    "many operands too many": lambda m: m.graph.node[1].input.extend(["x"] * 1000),
    "a result too many": lambda m: m.graph.node[1].output.append("more"),
    "no results": lambda m: m.graph.node.append(node("Relu", "x", "")),
    "an empty result": lambda m: m.graph.node.append(helper.make_node("Relu", ["x"], [""])),
    "an attribute of another kind": lambda m: m.graph.node[1].attribute.append(helper.make_attribute("dilations", "x")),
    "a kernel of another rank": lambda m: m.graph.node[1].attribute.append(
        helper.make_attribute("kernel_shape", [1] * 9)
    ),
    "a negative group": lambda m: setattr(_attr(m, "group"), "i", -1),
    "a group of 0": lambda m: setattr(_attr(m, "group"), "i", 0),
    "a group of 2^62": lambda m: setattr(_attr(m, "group"), "i", 2**62),
    "strides of 0": lambda m: _attr(m, "strides").ints.__setitem__(0, 0),
    "strides of -2^63": lambda m: _attr(m, "strides").ints.__setitem__(0, -(2**63)),
    "pads of 2^62": lambda m: _attr(m, "pads").ints.__setitem__(0, 2**62),
    "pads of -2^63": lambda m: _attr(m, "pads").ints.__setitem__(0, -(2**63)),
    "an odd number of pads": lambda m: _attr(m, "pads").ints.append(0),
    "an unknown auto_pad": lambda m: setattr(_attr(m, "auto_pad"), "s", b"\xff\x00"),
    "a contradictory declaration": lambda m: m.graph.value_info.append(info("m", [7, 7, 7])),
    "a declaration of another type": lambda m: m.graph.value_info.append(info("i", [1, 1, 2], TensorProto.STRING)),
    "an output declared otherwise": lambda m: m.graph.output[0].CopyFrom(info("y", [3, 3])),
    "an input of a negative size": lambda m: m.graph.input[0].CopyFrom(info("x", [-1, -5, 2])),
    "an input of 2^62": lambda m: m.graph.input[0].CopyFrom(info("x", [2**62, 2**62, 2])),
    "an input without a type": lambda m: m.graph.input[0].ClearField("type"),
    "no input": lambda m: m.graph.ClearField("input"),
    "no output": lambda m: m.graph.ClearField("output"),
    "no node": lambda m: m.graph.ClearField("node"),
    "a target of a wrong size": lambda m: m.graph.initializer[1].CopyFrom(weight("t", [5, 5, 5], np.int64)),
    "a target of -2s": lambda m: m.graph.initializer[1].CopyFrom(weight("t", [-2, -2, -2], np.int64)),
    "a target of two -1s": lambda m: m.graph.initializer[1].CopyFrom(weight("t", [-1, -1, 2], np.int64)),
    "a target of 2^62s": lambda m: m.graph.initializer[1].CopyFrom(weight("t", [2**62, 2**62, 2**62], np.int64)),
    "a target of floats": lambda m: m.graph.initializer[1].CopyFrom(weight("t", [1.0, 1, 2])),
    "a target of strings": lambda m: m.graph.initializer[1].CopyFrom(
        helper.make_tensor("t", 8, [3], [b"a", b"", b"\xff"])
    ),
    "weights that are NaN": lambda m: m.graph.initializer[0].CopyFrom(weight("w", [np.nan, np.inf])),
    "a condition that is no bool": lambda m: m.graph.input[1].CopyFrom(info("c", [2])),
    "bodies with another number of outputs": lambda m: m.graph.node[2].attribute[0].g.output.append(info("r")),
    "a body with inputs": lambda m: m.graph.node[2].attribute[0].g.input.append(info("q")),
    "one branch only": lambda m: m.graph.node[2].attribute.pop(),
    "a call with too many operands": lambda m: m.graph.node[4].input.extend(["x"] * 5),
    "a call of nobody": lambda m: setattr(m.graph.node[4], "op_type", "G"),
    "a function without outputs": lambda m: m.functions[0].ClearField("output"),
    "a function without opsets": lambda m: m.functions[0].ClearField("opset_import"),
    "a function that refers to an attribute": lambda m: (
        m.functions[0].node[0].attribute.add(name="alpha", ref_attr_name="nowhere", type=1)
    ),
    "a function named like an operator": lambda m: (
        setattr(m.functions[0], "domain", ""),
        setattr(m.functions[0], "name", "Conv"),
    ),
    "names that steer a terminal": lambda m: (
        setattr(m.graph, "name", EVIL),
        setattr(m.graph.node[1], "name", EVIL),
        m.graph.node.append(helper.make_node(EVIL, ["x"], [EVIL], domain=EVIL)),
        m.graph.output.append(info(EVIL)),
        m.metadata_props.add(key=EVIL, value=EVIL),
        setattr(m, "producer_name", EVIL),
        setattr(m, "doc_string", EVIL),
        m.opset_import.append(helper.make_opsetid(EVIL, 1)),
    ),
    "a dim named to steer a terminal": lambda m: m.graph.input[0].CopyFrom(info("x", [EVIL, 1, 2])),
    "a quantization annotation of nobody": lambda m: m.graph.quantization_annotation.add(tensor_name="nowhere"),
    "a sparse initializer with indices outside": lambda m: m.graph.sparse_initializer.append(
        helper.make_sparse_tensor(weight("sp", [1.0]), weight("sp", [99], np.int64), [2])
    ),
    "training info": lambda m: m.training_info.add().algorithm.CopyFrom(m.graph),
}


def _attr(model: onnx.ModelProto, name: str) -> onnx.AttributeProto:
    return next(a for a in model.graph.node[1].attribute if a.name == name)


# Operators with operands and attributes that no runtime takes; inference and folding must live with them.
_BAD_NODES: dict[str, tuple[onnx.NodeProto, ...]] = {
    "Gather out of range": (node("Gather", "w far", "g"),),
    "GatherND out of range": (node("GatherND", "w far", "g"),),
    "Slice with a step of 0": (node("Slice", "w zero far zero zero", "g"),),
    "Slice of -2^63": (node("Slice", "w low low zero low", "g"),),
    "Concat of ranks": (node("Concat", "w square", "g", axis=0),),
    "Concat on axis 2^31": (node("Concat", "w w", "g", axis=2**31),),
    "Transpose with a wrong perm": (node("Transpose", "square", "g", perm=[0, 0]),),
    "Transpose with a long perm": (node("Transpose", "square", "g", perm=list(range(2000))),),
    "Squeeze of 2": (node("Squeeze", "square zero", "g"),),
    "Unsqueeze on -2^63": (node("Unsqueeze", "w low", "g"),),
    "Unsqueeze twice": (node("Unsqueeze", "w zeros", "g"),),
    "Split into 2^31": (node("Split", "w", "g h", num_outputs=2**31),),
    "Split into negative parts": (node("Split", "w parts", "g h"),),
    "Tile by -1": (node("Tile", "w minus", "g"),),
    "Expand to -1": (node("Expand", "w minus", "g"),),
    "Pad by -2^63": (node("Pad", "w lows", "g"),),
    "Pad by 2^62": (node("Pad", "w fars", "g"),),
    "Range with a step of 0": (node("Range", "zero0 far0 zero0", "g"),),
    "ConstantOfShape of -1": (node("ConstantOfShape", "minus", "g"),),
    "Mod by 0": (node("Mod", "far zero", "g"),),
    "Div by 0": (node("Div", "far zero", "g"),),
    "Div of INT64_MIN by -1": (node("Div", "low minus", "g"),),
    "Mod of INT64_MIN by -1": (node("Mod", "low minus", "g"),),
    "Abs of INT64_MIN": (node("Abs", "low", "g"),),
    "BitShift by 200": (node("BitShift", "bits shift", "g", direction="LEFT"),),
    "Pow of far": (node("Pow", "far far", "g"),),
    "Cast to 99": (node("Cast", "w", "g", to=99),),
    "Cast of NaN to int": (node("Cast", "nan", "g", to=7),),
    "Einsum of nonsense": (node("Einsum", "w w", "g", equation="...->,,->ii"),),
    "Einsum of a long text": (node("Einsum", "w", "g", equation="i" * 10_000),),
    "Conv with a kernel of 0": (node("Conv", "image zerokernel", "g"),),
    "Conv of another rank": (node("Conv", "w w", "g"),),
    "MaxPool with a kernel of 2^31": (node("MaxPool", "image", "g", kernel_shape=[2**31, 2**31]),),
    "MaxPool with a dilation of 2^62": (node("MaxPool", "image", "g", kernel_shape=[2, 2], dilations=[2**62] * 2),),
    "MaxPool with a stride of 0": (node("MaxPool", "image", "g", kernel_shape=[1, 1], strides=[0, 0]),),
    "AveragePool with negative pads": (node("AveragePool", "image", "g", kernel_shape=[1, 1], pads=[-9] * 4),),
    "Resize by 0": (helper.make_node("Resize", ["image", "", "zerof"], ["g"]),),
    "Resize by NaN": (helper.make_node("Resize", ["image", "", "nanf"], ["g"]),),
    "Resize by -1": (helper.make_node("Resize", ["image", "", "minusf"], ["g"]),),
    "Upsample by 1e30": (node("Upsample", "image bigf", "g"),),
    "DepthToSpace of 0": (node("DepthToSpace", "image", "g", blocksize=0),),
    "SpaceToDepth of -1": (node("SpaceToDepth", "image", "g", blocksize=-1),),
    "TopK of -1": (node("TopK", "w minus", "g h"),),
    "OneHot of -1": (node("OneHot", "far minus w", "g"),),
    "Reshape to 0s": (node("Reshape", "w zeros", "g"),),
    "MatMul of vectors of other lengths": (node("MatMul", "w far3", "g"),),
    "Gemm of rank 1": (node("Gemm", "w w", "g"),),
    "BatchNormalization of other sizes": (node("BatchNormalization", "image w w w w", "g"),),
    "LayerNormalization on axis 99": (node("LayerNormalization", "w w", "g", axis=99),),
    "Softmax on axis -99": (node("Softmax", "w", "g", axis=-99),),
    "ReduceSum on axis 2^62": (node("ReduceSum", "w far", "g"),),
    "CumSum on axis 2^62": (node("CumSum", "w far0", "g"),),
    "Loop without a body": (node("Loop", "far0 true w", "g"),),
    "Scan over nothing": (node("Scan", "w", "g", num_scan_inputs=2**62, body=_body("w", "r")),),
    "If of a constant without branches": (node("If", "true", "g"),),
    "LSTM of nonsense": (node("LSTM", "w w w", "g h k", hidden_size=-5),),
    "DequantizeLinear of another axis": (node("DequantizeLinear", "bits w", "g", axis=77, block_size=-3),),
    "SequenceAt of a tensor": (node("SequenceAt", "w far0", "g"),),
    "Constant of nothing": (node("Constant", "", "g"),),
    "Constant of two values": (node("Constant", "", "g", value_int=1, value_float=1.0),),
    "Identity of nothing": (helper.make_node("Identity", [""], ["g"]),),
}


def _weights() -> list[TensorProto]:
    low, far = -(2**63), 2**62
    ints: dict[str, object] = {
        "far": [far],
        "zero": [0],
        "low": [low],
        "minus": [-1],
        "zeros": [0, 0],
        "parts": [-1, 3],
    }
    ints |= {"lows": [low, low], "fars": [far, far], "far0": far, "zero0": 0, "far3": [far] * 3}
    floats: dict[str, object] = {"w": [1, 2], "square": [[1, 2], [3, 4]], "nan": [np.nan, np.inf]}
    floats |= {"zerof": [0] * 4, "nanf": [np.nan] * 4, "minusf": [-1] * 4, "bigf": [1, 1, 1e30, 1e30]}
    made = [weight(n, v, np.int64) for n, v in ints.items()] + [weight(n, v) for n, v in floats.items()]
    made += [weight("bits", [1, 255], np.uint8), weight("shift", [200, 255], np.uint8), weight("true", True, np.bool_)]
    made.append(weight("image", np.ones((1, 1, 2, 2))))
    made.append(numpy_helper.from_array(np.ones((1, 1, 0, 0), np.float32), "zerokernel"))
    return made


def _bytes() -> Iterator[tuple[str, bytes]]:
    """What is no protobuf, or hardly."""
    good = sample().SerializeToString()
    yield "nothing", b""
    yield "a letter", b"Dear Sir or Madam,\n" * 100
    yield "zeros", bytes(4096)
    yield "ones", b"\xff" * 4096
    yield "a zip file", b"PK\x03\x04" + bytes(100)
    yield "a pickle", b"\x80\x04\x95cposix\nsystem\n(S'touch pwned'\ntR."
    yield "an ELF file", b"\x7fELF" + bytes(200)
    yield "HTML", b"<html><script>alert(1)</script></html>"
    yield "a model twice", good + good
    yield "a model and garbage", good + b"\xff" * 7
    yield "a byte order mark", b"\xef\xbb\xbf" + good
    yield "text of a model", b"<ir_version: 10, opset_import: ['': 21]> g (float[2] x) => (float[2] y) { y = Relu(x) }"
    yield "a length beyond the end", b"\x08\x0a\x3a" + encode_varint(2**40) + good
    yield "a length of 2^64", b"\x08\x0a\x3a" + b"\xff" * 9 + b"\x01" + good
    yield "a number of eleven bytes", b"\x08" + b"\xff" * 10 + b"\x01"
    yield "a field of number 0", b"\x00\x01" + good
    yield "groups", b"\x0b" * 2000 + b"\x0c" * 2000
    yield "wire type 7", b"\x0f" + good
    yield "messages 3000 deep", b"\x08\x0a" + bytes_field(7, _deep(1, 5, 6))
    yield (
        "types 3000 deep",
        b"\x08\x0a" + bytes_field(7, bytes_field(11, string_field(1, "x") + bytes_field(2, _deep(4, 1)))),
    )
    yield "names that are no UTF-8", good.replace(b"conv", b"\xff\xfe\x80\x81")


def _deep(*numbers: int) -> bytes:
    message = b""
    for _ in range(1000):
        for number in reversed(numbers):
            message = bytes_field(number, message)
    return message


def cases() -> Iterator[Case]:
    """All of them."""
    yield Case("faults", "the sample", sample().SerializeToString(), accepted=True)
    for changes, refused in ((REFUSED, True), (OPEN, False)):
        for name, change in changes.items():
            model = sample()
            change(model)
            yield Case("faults", name, model.SerializeToString(), refused=refused)
    for name, nodes in _BAD_NODES.items():
        last = node("Identity", "x", "y")
        for used in (False, True):
            outputs = [info("y"), *([info("g", None)] if used else [])]
            data = _nodes(*nodes, last, outputs=outputs, weights=_weights())
            yield Case("faults", name + (", used" if used else ""), data, verify=used)
    for name, data in _bytes():
        yield Case("faults", name, data, refused=name not in ("a model twice", "names that are no UTF-8"))
