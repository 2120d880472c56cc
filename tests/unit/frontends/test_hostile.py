"""Any bytes end in a model or in one clear line."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gopt.errors import ModelError
from gopt.frontends.onnx import load, save, to_bytes
from gopt.frontends.onnx.graphs import MAX_BODIES
from gopt.frontends.wire import bytes_field, string_field

Make = Callable[[], onnx.ModelProto]


def info(name: str, shape: list[int] | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [2] if shape is None else shape)


def model_of(*nodes: onnx.NodeProto, weights: tuple[TensorProto, ...] = ()) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "g", [info("x")], [info("y")], list(weights))
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])


def node(takes: str, gives: str, name: str = "") -> onnx.NodeProto:
    return helper.make_node("Sum", takes.split(), gives.split(), name)


def weight(**fields: object) -> onnx.ModelProto:
    return model_of(node("x w", "y"), weights=(TensorProto(name="w", **fields),))  # type: ignore[arg-type]


def refused(proto: onnx.ModelProto | bytes) -> str:
    """The one line with which a model is refused."""
    with pytest.raises(ModelError) as caught:
        load(proto)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("model: ")
    return message


# -- no model at all ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"Dear Sir or Madam,\n" * 100, b"\x00" * 64, b"\xff" * 64, b"PK\x03\x04" + b"\x00" * 60, b"\x08\x0a"],
)
def test_bytes_that_are_no_model(data: bytes) -> None:
    refused(data)


def test_files_that_are_no_model(tmp_path: Path) -> None:
    empty, fifo = tmp_path / "empty.onnx", tmp_path / "fifo.onnx"
    empty.touch()
    os.mkfifo(fifo)
    for path, reason in (
        (empty, "the file is empty"),
        (fifo, "it is no regular file"),
        (tmp_path, "it is a folder"),
        (tmp_path / "missing.onnx", "No such file or directory"),
        (Path("/dev/zero"), "it is no regular file"),
        (empty / "below.onnx", "Not a directory"),
    ):
        with pytest.raises(ModelError) as caught:
            load(path)
        assert str(caught.value) == f"{path}: {reason}"


def test_a_model_without_graph_or_version() -> None:
    proto = model_of(node("x", "y"))
    proto.ClearField("ir_version")
    assert "no version" in refused(proto)
    proto = model_of()
    proto.ClearField("graph")
    assert "no graph" in refused(proto)


# -- graphs ---------------------------------------------------------------------------------------------------------


def test_names() -> None:
    assert "'y'" in refused(model_of(node("x", "y"), node("x", "y")))
    assert "'x'" in refused(model_of(node("x", "x"), node("x", "y")))
    assert "takes 'nowhere', which nothing defines" in refused(model_of(node("nowhere", "y", "first")))
    assert "output 'y'" in refused(model_of(node("x", "z")))
    tensor = numpy_helper.from_array(np.ones(2, np.float32), "w")
    assert "two initializers are named 'w'" in refused(model_of(node("x", "y"), weights=(tensor, tensor)))
    tensor.name = ""
    assert "no name" in refused(model_of(node("x", "y"), weights=(tensor,)))
    proto = model_of(node("x", "y"))
    proto.graph.input.append(info("x"))
    assert "'x'" in refused(proto)
    proto.graph.input[1].name = ""
    assert "empty" in refused(proto)


def test_cycles() -> None:
    assert "cyclic" in refused(model_of(node("x b", "a"), node("a", "b"), node("b", "y")))
    assert "cyclic" in refused(model_of(node("a", "a"), node("a", "y")))
    body = helper.make_graph([node("y", "r")], "b", [], [info("r")])
    assert "cyclic" in refused(model_of(helper.make_node("If", ["x"], ["y"], then_branch=body, else_branch=body)))


def test_names_in_messages_cannot_spoil_a_terminal() -> None:
    evil = "a\n\x1b[2Jb"
    call = helper.make_node(evil, ["a"], ["b"], domain=evil)
    proto = model_of(node("x", "y"))
    proto.functions.append(helper.make_function(evil, evil, ["a"], ["b"], [call], [helper.make_opsetid("f", 1)]))
    assert "calls itself" in refused(proto)
    proto = model_of(helper.make_node(evil, ["y"], ["y"], domain=evil))
    assert refused(proto).isprintable()


def test_a_long_cycle_and_a_long_chain() -> None:
    count = 3000
    chain = [node("x" if not k else f"v{k - 1}", f"v{k}") for k in range(count)]
    chain.append(node(f"v{count - 1}", "y"))
    assert len(load(model_of(*reversed(chain))).graph) == count + 1
    chain[0].input.append("y")
    assert "cyclic" in refused(model_of(*chain))


def test_functions_that_call_themselves() -> None:
    def function(name: str, calls: str) -> onnx.FunctionProto:
        call = helper.make_node(calls, ["a"], ["b"], domain="f")
        return helper.make_function("f", name, ["a"], ["b"], [call], [helper.make_opsetid("f", 1)])

    proto = model_of(helper.make_node("A", ["x"], ["y"], domain="f"))
    proto.functions.extend([function("A", "B"), function("B", "C"), function("C", "D")])
    load(proto)
    proto.functions.append(function("D", "B"))
    assert "calls itself" in refused(proto)
    proto.functions.append(function("D", "E"))
    assert "twice" in refused(proto)


def nested(depth: int) -> onnx.ModelProto:
    """Bodies inside bodies, made as bytes: protobuf itself does not take as many."""
    type_ = info("r").SerializeToString()
    graph = bytes_field(1, node("x", "r").SerializeToString()) + bytes_field(12, type_)
    for _ in range(depth):
        attribute = string_field(1, "then_branch") + bytes_field(6, graph) + b"\xa0\x01\x05"
        inner = string_field(2, "r") + string_field(4, "If") + bytes_field(5, attribute)
        graph = bytes_field(1, inner) + bytes_field(12, type_)
    return b"\x08\x0a" + bytes_field(7, graph + bytes_field(11, info("x").SerializeToString()))  # type: ignore[return-value]


def test_deep_nesting() -> None:
    assert sum(1 for _ in load(nested(MAX_BODIES)).graphs()) == MAX_BODIES + 1
    for depth in (MAX_BODIES + 1, 200, 3000):
        assert "nest" in refused(nested(depth))


def test_deep_types_and_unread_messages() -> None:
    type_ = b""
    for _ in range(3000):
        type_ = bytes_field(4, bytes_field(1, type_))
    value = string_field(1, "x") + bytes_field(2, type_)
    assert "nest" in refused(b"\x08\x0a" + bytes_field(7, bytes_field(11, value)))
    graph = b""
    for _ in range(1000):
        graph = bytes_field(1, bytes_field(5, bytes_field(6, graph)))
    assert "nest" in refused(b"\x08\x0a" + bytes_field(7, b"") + bytes_field(20, bytes_field(1, graph)))


def test_attributes() -> None:
    twice = helper.make_node("Concat", ["x"], ["y"], axis=1)
    twice.attribute.append(helper.make_attribute("axis", 0))
    assert "'axis' twice" in refused(model_of(twice))
    unknown = string_field(1, "a") + b"\xa0\x01\x63"
    for attribute in (unknown, string_field(1, "a") + b"\xa0\x01\x04", string_field(1, "a") + b"\xa0\x01\x05"):
        inner = string_field(2, "y") + string_field(4, "Op") + bytes_field(5, attribute)
        assert "attribute 'a'" in refused(b"\x08\x0a" + bytes_field(7, bytes_field(1, inner)))


# -- tensors --------------------------------------------------------------------------------------------------------

WRONG: dict[str, dict[str, object]] = {
    "too few bytes": {"dims": [2], "data_type": 1, "raw_data": b"1234567"},
    "too many bytes": {"dims": [2], "data_type": 1, "raw_data": b"123456789"},
    "no bytes": {"dims": [2], "data_type": 1},
    "no type": {"dims": [2], "raw_data": b"12345678"},
    "unknown type": {"dims": [2], "data_type": 99, "raw_data": b"12345678"},
    "negative type": {"dims": [2], "data_type": -1, "raw_data": b"12345678"},
    "negative dim": {"dims": [-2], "data_type": 1, "raw_data": b""},
    "two negative dims": {"dims": [-1, -2], "data_type": 1, "raw_data": b"12345678"},
    "huge dim": {"dims": [2**62], "data_type": 1, "raw_data": b""},
    "huge product": {"dims": [2**32, 2**32], "data_type": 1, "raw_data": b""},
    "huge empty": {"dims": [0, 2**62], "data_type": 1, "raw_data": b""},
    "huge rank": {"dims": [1] * 65, "data_type": 1, "raw_data": b"1234"},
    "few floats": {"dims": [3], "data_type": 1, "float_data": [1.0, 2.0]},
    "many ints": {"dims": [1], "data_type": 7, "int64_data": [1, -2]},
    "wrong field": {"dims": [2], "data_type": 7, "float_data": [1.0, 2.0]},
    "half a complex": {"dims": [2], "data_type": 14, "float_data": [1.0, 2.0]},
    "few nibbles": {"dims": [3], "data_type": 22, "int32_data": [1]},
    "few strings": {"dims": [3], "data_type": 8, "string_data": [b"a"]},
    "raw strings": {"dims": [3], "data_type": 8, "raw_data": b"abc"},
    "segment": {"dims": [2], "data_type": 1, "raw_data": b"12345678", "segment": TensorProto.Segment(begin=0, end=1)},
}


@pytest.mark.parametrize("fault", WRONG)
def test_tensors(fault: str) -> None:
    message = refused(weight(**WRONG[fault]))
    assert "'w'" in message or "element type" in message


def test_sparse_tensors() -> None:
    def sparse(values: list[float], indices: list[int], dims: list[int]) -> onnx.ModelProto:
        proto = model_of(node("x w", "y"))
        parts = np.array(values, np.float32), np.array(indices, np.int64)
        tensors = [numpy_helper.from_array(part, "w") for part in parts]
        proto.graph.sparse_initializer.append(helper.make_sparse_tensor(*tensors, dims))
        return proto

    assert "do not fit" in refused(sparse([1.0], [0, 1], [2]))
    assert "too large" in refused(sparse([1.0], [0], [2**40]))
    model = load(sparse([1.0], [5], [2]))
    (constant,) = model.graph.constants
    with pytest.raises(ModelError, match="outside"):
        constant.tensor.numpy()  # type: ignore[union-attr]


# -- damage ---------------------------------------------------------------------------------------------------------


def sample() -> bytes:
    """A small model with something of everything."""
    branch = helper.make_graph([node("s w", "r")], "b", [], [info("r")], value_info=[info("s")])
    raw = numpy_helper.from_array(np.array([3, 4], np.float32), "w")
    typed = helper.make_tensor("t", TensorProto.INT64, [3], [1, -2, 300])
    nodes = [
        helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(np.ones(2, np.float16))),
        helper.make_node("Conv", ["x", "w"], ["s"], "conv", pads=[0, 1], group=1, auto_pad="NOTSET", alpha=0.5),
        helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch),
    ]
    nodes[1].metadata_props.add(key="k", value="v")
    inputs = [info("x"), helper.make_tensor_value_info("c", TensorProto.BOOL, ["n", None])]
    graph = helper.make_graph(nodes, "g", inputs, [info("y")], [raw, typed], value_info=[info("s")])
    function = helper.make_function("f", "F", ["a"], ["b"], [node("a", "b")], [helper.make_opsetid("", 21)])
    proto = helper.make_model(
        graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)], functions=[function], producer_name="p"
    )
    proto.metadata_props.add(key="k", value="v")
    return proto.SerializeToString()


def looked_at(data: bytes) -> bytes:
    """Load bytes, look at everything, write."""
    model = load(data)
    for graph in model.graphs():
        for value in graph.values:
            if value.declared is not None:
                assert value.declared.type is None or str(value.declared.type)
            if value.tensor is not None:
                value.tensor.numpy()
    return to_bytes(model)


def survives(data: bytes) -> bool:
    """True if what was loaded is written as a model, False if it was refused in one line."""
    try:
        written = looked_at(data)
    except ModelError as error:
        message = str(error)
    else:
        onnx.ModelProto.FromString(written)
        return to_bytes(load(written)) == written
    assert "\n" not in message
    return False


def test_every_truncation() -> None:
    data = sample()
    assert survives(data)
    for size in range(len(data)):
        survives(data[:size])


def test_every_bit() -> None:
    data = sample()
    accepted = 0
    for place in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            accepted += survives(bytes(damaged))
    assert accepted  # a letter in a name does no harm


@pytest.mark.parametrize("seed", range(20))
def test_random_damage(seed: int) -> None:
    data = sample()
    rng = random.Random(seed)
    for _ in range(40):
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 2, 5, 20))):
            place = rng.randrange(len(damaged))
            match rng.randrange(3):
                case 0:
                    damaged[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
                case 1:
                    del damaged[place : place + rng.randrange(1, 9)]
                case _:
                    damaged[place:place] = rng.randbytes(rng.randrange(1, 5))
        survives(bytes(damaged))


# -- saving ---------------------------------------------------------------------------------------------------------


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(sample())
    target = tmp_path / "m.onnx"
    target.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gopt.frontends.wire.Chunks.write", fail)
    with pytest.raises(OSError, match="No space"):
        save(model, target)
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    assert target.read_text() == "old"
