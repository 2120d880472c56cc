"""What someone would try who wants more than an error: traps beside the model, names that lie, and sizes that lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from gopt.frontends.wire import bytes_field, encode_varint, string_field

from .bombs import nested
from .case import Case, info, model_of, node, sample, weight
from .external import data, link, model
from .faults import EVIL

INT64 = TensorProto.INT64
MANY = 100_000


def _trap(folder: Path) -> None:
    """Modules under the names of what gopt imports; each leaves a mark where it must not."""
    for name in ("gopt", "numpy", "onnx", "onnxruntime", "json", "yaml", "sitecustomize", "conftest", "plugin"):
        (folder / f"{name}.py").write_text(f"open({str(folder.parent / 'pwned')!r}, 'w').close()\n")


def _plugin() -> bytes:
    proto = sample()
    for key in ("plugin", "gopt.plugin", "gopt_plugins", "passes", "__import__"):
        proto.metadata_props.add(key=key, value="plugin.py")
        proto.graph.metadata_props.add(key=key, value="plugin.py")
        proto.graph.node[1].metadata_props.add(key=key, value="plugin.py")
    result: bytes = proto.SerializeToString()
    return result


def traps() -> Iterator[Case]:
    """Code that lies around, and files that are none."""
    yield Case("hostile", "modules beside the model", sample().SerializeToString(), _trap, accepted=True)
    yield Case("hostile", "a plugin that the model names", _plugin(), _trap, accepted=True)
    kinds: dict[str, Callable[[Path], object]] = {
        "a FIFO": os.mkfifo,
        "a folder": Path.mkdir,
        "a link to /dev/zero": lambda p: p.symlink_to("/dev/zero"),
        "a link to itself": lambda p: p.symlink_to(p.name),
        "a link to nothing": lambda p: p.symlink_to("nothing"),
        "a socket's place": lambda p: p.symlink_to("/dev/stdin"),
    }
    for name, make in kinds.items():

        def setup(folder: Path, make: Callable[[Path], object] = make) -> None:
            (folder / "m.onnx").unlink()
            make(folder / "m.onnx")

        yield Case("hostile", f"a model that is {name}", b"", setup, refused=True)


def _at(entry: str) -> bytes:
    return model({"location": entry, "offset": "0", "length": "8"})


def places() -> Iterator[Case]:
    """External data in places that are hard to see."""

    def named(name: str) -> Callable[[Path], None]:
        def setup(folder: Path) -> None:
            data(folder)
            (folder / "w.data").rename(folder / name)

        return setup

    for name in ("\u202eatad.w", "w\u200b.data", "\u0175.data", "w.data\x1b[2J", "w\n.data", " w.data ", "-w"):
        yield Case("hostile", f"a file called {name!r}", _at(name), named(name))
    yield Case("hostile", "a backslash in a name", _at("sub\\w.data"), named("sub\\w.data"))
    yield Case("hostile", "another spelling of \u00e9", _at("e\u0301.data"), named("\u00e9.data"), refused=True)
    yield Case("hostile", "letters of another case", _at("W.DATA"), data, refused=True)
    yield Case("hostile", "the model as its own data", _at("m.onnx"), None)
    yield Case("hostile", "the output as data", _at("out.onnx"), named("out.onnx"))
    yield Case("hostile", "the output's data as data", _at("out.onnx.data"), named("out.onnx.data"), accepted=True)
    yield Case("hostile", "a link from the output", sample().SerializeToString(), link("out.onnx.data", "w.data"))
    yield Case("hostile", "a link through folders", _at("a/b/w"), _links, refused=True)
    good = [("location", "w.data"), ("offset", "0"), ("length", "8")]
    for key in ("offset", "length"):
        for number in ("99999999999999999999", "9223372036854775807", "18446744073709551608", "-8", "+8", "08", "8.0"):
            entries = [(k, number if k == key else v) for k, v in good]
            refused = number != "08" or key == "offset"
            yield Case("hostile", f"{key} {number}", model(entries), data, refused=refused)
    yield Case("hostile", "entries twice", model([*good, *good]), data)
    yield Case("hostile", "10,000 entries", model(good + [("checksum", "x")] * 10_000), data)
    yield Case("hostile", "a sum of nonsense", model([*good, ("checksum", EVIL)]), data)
    yield from _elsewhere(good)


def _links(folder: Path) -> None:
    (folder / "a").mkdir()
    (folder / "a" / "b").symlink_to("../../outside")
    (folder.parent / "outside" / "w").write_bytes(bytes(8))


def _elsewhere(good: list[tuple[str, str]]) -> Iterator[Case]:
    """External data outside of the folder, of tensors that are no initializer."""
    bad = [("location", "../outside/secret.bin"), *good[1:]]

    def tensor(name: str, kind: int = TensorProto.FLOAT, count: int = 2) -> TensorProto:
        made = TensorProto(name=name, data_type=kind, dims=[count], data_location=TensorProto.EXTERNAL)
        for key, value in bad:
            made.external_data.add(key=key, value=value)
        return made

    constant = model_of([node("Constant", "", "k", value=tensor("t")), node("Add", "x k", "y")])
    sparse = model_of([node("Add", "x s", "y")])
    sparse.graph.sparse_initializer.add(dims=[2]).values.CopyFrom(tensor("s"))
    sparse.graph.sparse_initializer[0].indices.CopyFrom(weight("", [0, 1], np.int64))
    indices = model_of([node("Add", "x s", "y")])
    indices.graph.sparse_initializer.add(dims=[2]).values.CopyFrom(weight("s", [1.0]))
    indices.graph.sparse_initializer[0].indices.CopyFrom(tensor("", INT64, 1))
    body = helper.make_graph([node("Add", "x w", "r")], "b", [], [info("r")], [tensor("w")])
    branch = model_of([node("If", "c", "y", then_branch=body, else_branch=body)], [info("x"), info("c", [], 9)])
    function = model_of([helper.make_node("F", ["x"], ["y"], domain="f")], functions=[_function(tensor("t"))])
    training = model_of([node("Relu", "x", "y")])
    training.training_info.add().algorithm.initializer.append(tensor("w"))
    strings = model_of([node("Constant", "", "k", value=tensor("t", TensorProto.STRING)), node("Relu", "x", "y")])
    for name, proto in {"a Constant": constant, "a sparse initializer": sparse, "its indices": indices}.items():
        yield Case("hostile", f"data outside of {name}", proto.SerializeToString(), refused=True)
    for name, proto in {"a body": branch, "a function": function, "strings": strings}.items():
        yield Case("hostile", f"data outside in {name}", proto.SerializeToString(), refused=True)
    yield Case("hostile", "data outside in training info", training.SerializeToString())


def _function(tensor: TensorProto) -> onnx.FunctionProto:
    nodes = [node("Constant", "", "k", value=tensor), node("Add", "a k", "b")]
    return helper.make_function("f", "F", ["a"], ["b"], nodes, [helper.make_opsetid("", 21)])


def _calls(name: str, callee: str, through_body: bool = False) -> onnx.FunctionProto:
    call = helper.make_node(callee, ["a"], ["b"], domain="f")
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("f", 1)]
    if not through_body:
        return helper.make_function("f", name, ["a"], ["b"], [call], imports)
    body = helper.make_graph([helper.make_node(callee, ["a"], ["r"], domain="f")], "b", [], [info("r")])
    nodes = [node("Constant", "", "c", value=weight("t", True, np.bool_))]
    nodes.append(node("If", "c", "b", then_branch=body, else_branch=body))
    return helper.make_function("f", name, ["a"], ["b"], nodes, imports)


def functions() -> Iterator[Case]:
    """Functions that call themselves, each other, or very many."""
    call = [helper.make_node("F0", ["x"], ["y"], domain="f")]

    def of(*made: onnx.FunctionProto) -> bytes:
        result: bytes = model_of(call, functions=list(made)).SerializeToString()
        return result

    yield Case("hostile", "a function that calls itself", of(_calls("F0", "F0")), refused=True)
    yield Case("hostile", "one that does in a body", of(_calls("F0", "F0", through_body=True)), refused=True)
    ring = [_calls(f"F{k}", f"F{(k + 1) % 500}", k % 7 == 0) for k in range(500)]
    yield Case("hostile", "500 functions in a ring", of(*ring), refused=True)
    line = [_calls(f"F{k}", f"F{k + 1}") for k in range(3000)]
    relu = helper.make_function("f", "F3000", ["a"], ["b"], [node("Relu", "a", "b")], [helper.make_opsetid("", 21)])
    yield Case("hostile", "3000 functions in a line", of(*line, relu), refused=True)
    short = [_calls(f"F{k}", f"F{k + 1}" if k < 99 else "F3000", k % 9 == 0) for k in range(100)]
    yield Case("hostile", "100 functions in a line", of(*short, relu), accepted=True)
    wide = [node("Relu", "a", f"t{k}") for k in range(1000)] + [node("Neg", "t0", "b")]
    leaf = helper.make_function("f", "F1", ["a"], ["b"], wide, [helper.make_opsetid("", 21)])
    names = ["a", *(f"s{k}" for k in range(999)), "b"]
    calls = [helper.make_node("F1", [a], [b], domain="f") for a, b in pairwise(names)]
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("f", 1)]
    root = helper.make_function("f", "F0", ["a"], ["b"], calls, imports)
    yield Case("hostile", "a thousand times a thousand nodes", of(root, leaf), verify=False)


def many() -> Iterator[Case]:
    """Very many of one thing, and very long texts."""
    relu = [node("Relu", "x", "y")]
    inputs = model_of(relu, [info("x"), *(info(f"i{k}") for k in range(MANY))])
    yield Case("hostile", "100,000 inputs", inputs.SerializeToString(), verify=False)
    weights = [helper.make_tensor(f"w{k}", 1, [], [0.0]) for k in range(MANY)]
    yield Case("hostile", "100,000 weights", model_of(relu, weights=weights).SerializeToString(), verify=False)
    infos = model_of(relu)
    infos.graph.value_info.extend(info(f"v{k % 7}") for k in range(MANY))
    yield Case("hostile", "100,000 declarations", infos.SerializeToString(), verify=False)
    operands = model_of([helper.make_node("Sum", ["x"] * MANY, ["y"])])
    yield Case("hostile", "100,000 operands", operands.SerializeToString(), verify=False)
    attributes = model_of(relu)
    attributes.graph.node[0].attribute.extend(helper.make_attribute(f"a{k}", k) for k in range(MANY))
    yield Case("hostile", "100,000 attributes", attributes.SerializeToString(), verify=False)
    opsets = model_of(relu)
    opsets.opset_import.extend(helper.make_opsetid(f"d{k}", k) for k in range(MANY))
    opsets.opset_import.extend(helper.make_opsetid("", k) for k in range(1, 500))
    yield Case("hostile", "100,000 imports", opsets.SerializeToString(), verify=False)
    entries = model_of(relu)
    entries.metadata_props.add(key="k", value="v" * 100_000_000)
    yield Case("hostile", "100 MB of metadata", entries.SerializeToString(), verify=False)
    note = model_of(relu)
    note.graph.node[0].doc_string = "\x1b]0;x\x07" * 10_000_000
    yield Case("hostile", "80 MB of remarks", note.SerializeToString(), verify=False)
    shape = model_of(relu, [info("x", [2] * MANY)])
    yield Case("hostile", "an input of 100,000 dims", shape.SerializeToString())
    notes = model_of(relu)
    for k in range(2000):
        found = notes.graph.quantization_annotation.add(tensor_name=EVIL if k % 2 else "y")
        found.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value=f"nowhere{k}")
    yield Case("hostile", "2000 annotations of nobody", notes.SerializeToString())
    name = "n" * 60_000
    long = model_of([node("Relu", "x", name), node("Neg", name, "y")])
    yield Case("hostile", "a name of 60 kB", long.SerializeToString())


def numbers() -> Iterator[Case]:
    """Sizes that lie."""
    for dims in ([0, 2**62], [2**62, 0], [0, 2**63 - 1, 2**63 - 1], [2**63 - 1], [2**32, 2**32], [-(2**63)]):
        tensor = TensorProto(name="w", data_type=1, dims=dims, raw_data=b"")
        bad = model_of([node("Shape", "w", "s"), node("Cast", "s", "y", to=1)], weights=[tensor])
        yield Case("hostile", f"an empty tensor of {dims}", bad.SerializeToString())
    for dim in (2**63 - 1, -1, -(2**63), 0):
        shaped = model_of([node("Relu", "x", "y")], [info("x", [dim, dim])], [info("y", [dim, dim])])
        yield Case("hostile", f"an input of {dim} squared", shaped.SerializeToString())
    for text in ("(" * 150 + "a * b" + ")" * 150, "a // 0", "9 ** 9 ** 9 * n", "-" * 150 + " a * n", "__import__ * n"):
        shaped = model_of([node("Relu", "x", "y")], [info("x", [text])], [info("y", [text])])
        yield Case("hostile", f"a dim called {text[:20]}", shaped.SerializeToString())
    places = ([99], [-1], [2**62], [-(2**63)], [0, 0])
    for at in places:
        proto = model_of([node("Add", "x s", "y")])
        made = helper.make_sparse_tensor(weight("s", [1.0] * len(at)), weight("", at, np.int64), [2])
        proto.graph.sparse_initializer.append(made)
        yield Case("hostile", f"a sparse tensor with indices {at}", proto.SerializeToString())
    for dims in ([2**40], [2**31, 2**31], [2**62, 4], [-1], [1 << 27], [0]):
        proto = model_of([node("Shape", "s", "t"), node("Cast", "t", "y", to=1)])
        proto.graph.sparse_initializer.append(
            onnx.SparseTensorProto(values=weight("s", [1.0]), indices=weight("", [0], np.int64), dims=dims)
        )
        yield Case("hostile", f"a sparse tensor of {dims}", proto.SerializeToString(), refused=dims != [0])


def depths() -> Iterator[Case]:
    """What nests, in all places where it can."""
    for depth in (64, 1000, 5000):
        yield Case("hostile", f"{depth} bodies", nested(depth), refused=True)
        attribute = b""
        for _ in range(depth):  # an attribute that holds a list of graphs
            graph = bytes_field(1, string_field(4, "N") + (bytes_field(5, attribute) if attribute else b""))
            attribute = string_field(1, "a") + bytes_field(11, graph) + b"\xa0\x01\x0a"
        whole = bytes_field(
            1, string_field(1, "x") + string_field(2, "y") + string_field(4, "N") + bytes_field(5, attribute)
        )
        yield Case("hostile", f"{depth} lists of graphs", _framed(whole), refused=True)
        type_ = b""
        for _ in range(depth):
            type_ = bytes_field(4, bytes_field(1, type_))
        relu = node("Relu", "x", "y").SerializeToString()
        typed = bytes_field(5, string_field(1, "t") + bytes_field(14, type_) + b"\xa0\x01\x0d")
        yield Case("hostile", f"an attribute that is a type {depth} deep", _framed(bytes_field(1, relu + typed)))
        training = bytes_field(20, bytes_field(1, bytes_field(1, string_field(4, "N") + bytes_field(5, attribute))))
        yield Case("hostile", f"{depth} graphs in training info", _framed(bytes_field(1, relu)) + training)
        groups = b"\x9b\x01" * depth + b"\x9c\x01" * depth
        yield Case("hostile", f"{depth} groups in an unknown field", _framed(bytes_field(1, relu)) + groups)


def _framed(fields: bytes) -> bytes:
    ends = b"".join(bytes_field(n, info(k).SerializeToString()) for n, k in ((11, "x"), (12, "y")))
    return b"\x08\x0a" + bytes_field(7, fields + ends) + bytes_field(8, b"\x10" + encode_varint(21))


def cases() -> Iterator[Case]:
    """All of them."""
    for make in (traps, places, functions, many, numbers, depths):
        yield from make()
