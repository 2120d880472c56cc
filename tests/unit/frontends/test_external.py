"""External data: which files may be read, and where the data of a saved model are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gopt.errors import ModelError, UsageError
from gopt.frontends.onnx import load, save, to_bytes, writer
from gopt.ir import ArrayTensor, FileTensor, Model
from gopt.ir.check import check

SIZES = {"a": 5000, "b": 3, "c": 40000}
ARRAYS = {name: np.arange(size, dtype=np.float32) for name, size in SIZES.items()}


def make(folder: Path, location: str = "m.data") -> Path:
    """A model whose three weights are in one file; one is a Constant node, one lies in a body."""
    tensors = {name: numpy_helper.from_array(array, name) for name, array in ARRAYS.items()}
    tensors["a"].doc_string = "doc"
    tensors["a"].metadata_props.add(key="k", value="v")
    branch = helper.make_graph(
        [helper.make_node("Relu", ["c"], ["r"])], "b", [], [info("r", SIZES["c"])], [tensors["c"]]
    )
    nodes = [
        helper.make_node("Constant", [], ["b"], value=tensors["b"]),
        helper.make_node("If", ["p"], ["y"], then_branch=branch, else_branch=branch),
    ]
    inputs = [helper.make_tensor_value_info("p", TensorProto.BOOL, [])]
    outputs = [info("y", SIZES["c"]), info("a", SIZES["a"]), info("b", 3)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [tensors["a"]])
    proto = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(
        proto,
        folder / "m.onnx",
        save_as_external_data=True,
        location=location,
        size_threshold=0,
        convert_attribute=True,
    )
    return folder / "m.onnx"


def info(name: str, size: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [size])


def weights(model: Model) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    found = {v.name: v.tensor.numpy() for g in model.graphs() for v in g.constants if v.tensor is not None}
    return {name: found[name] for name in sorted(found)}


def assert_equal(path: Path) -> None:
    model = load(path)
    check(model)
    for name, array in weights(model).items():
        np.testing.assert_array_equal(array, ARRAYS[name])
    proto = onnx.load(path)
    onnx.checker.check_model(str(path), full_check=True)
    np.testing.assert_array_equal(numpy_helper.to_array(proto.graph.initializer[0]), ARRAYS["a"])


# -- loading --------------------------------------------------------------------------------------------------------


def test_data_stay_in_their_file(tmp_path: Path) -> None:
    path = make(tmp_path)
    model = load(path)
    tensors = [v.tensor for g in model.graphs() for v in g.constants]
    assert all(isinstance(t, FileTensor) for t in tensors)
    assert weights(model).keys() == SIZES.keys()
    assert_equal(path)
    assert to_bytes(model) == path.read_bytes()
    assert weights(load(path.read_bytes(), folder=tmp_path)).keys() == SIZES.keys()


def test_data_in_a_folder_below(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    path = make(tmp_path, "sub/m.data")
    assert_equal(path)


def external(folder: Path, location: str, **keys: object) -> Path:
    """A model with one weight of four bytes."""
    tensor = TensorProto(name="w", dims=[1], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **keys}.items():
        tensor.external_data.add(key=key, value=str(value))
    graph = helper.make_graph([], "g", [], [info("w", 1)], [tensor])
    path = folder / "m.onnx"
    path.write_bytes(helper.make_model(graph, ir_version=10).SerializeToString())
    return path


def refused(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert "tensor 'w'" in message
    return message


@pytest.mark.parametrize(
    "location",
    [
        "",
        ".",
        "/etc/passwd",
        "../outside",
        "sub/../../outside",
        "C:\\outside",
        "\\outside",
        "..\\outside",
        "a\0b",
        "a" * 5000,
    ],
)
def test_places_that_are_refused(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "outside").write_bytes(b"1234")
    (folder / "sub").mkdir()
    refused(external(folder, location))


def test_files_that_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "outside").write_bytes(b"1234")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "fifo")
    (folder / "sub").mkdir()
    for name in ("link", "loop", "zero", "up/outside", "fifo", "sub", "missing", "missing/too"):
        refused(external(folder, name))


def test_a_link_inside_of_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(np.float32(3).tobytes())
    (tmp_path / "link").symlink_to("data")
    model = load(external(tmp_path, "link"))
    assert model.graph.outputs[0].tensor.numpy() == [3]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "keys",
    [
        {"offset": -1},
        {"offset": 5, "length": 4},
        {"offset": 0, "length": 9},
        {"length": -4},
        {"length": 3},
        {"offset": "0x0"},
        {"offset": "1" * 30},
        {"offset": "\u0661"},
        {"length": ""},
        {"offset": 2**63, "length": 4},
        {"secret": 1},
        {"basepath": "/etc"},
    ],
)
def test_entries_that_are_refused(keys: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"12345678")
    refused(external(tmp_path, "data", **keys))


def test_a_model_in_memory_has_no_folder(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"1234")
    path = external(tmp_path, "data")
    load(path)
    with pytest.raises(ModelError, match="not read from a file"):
        load(path.read_bytes())


def test_strings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"1234")
    path = external(tmp_path, "data")
    proto = onnx.load(path, load_external_data=False)
    proto.graph.initializer[0].data_type = TensorProto.STRING
    path.write_bytes(proto.SerializeToString())
    refused(path)


# -- saving ---------------------------------------------------------------------------------------------------------


def test_saved_in_the_same_folder_the_data_are_one_new_file(tmp_path: Path) -> None:
    path = make(tmp_path)
    save(load(path), tmp_path / "n.onnx")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.data", "m.onnx", "n.onnx", "n.onnx.data"]
    for left in (path, tmp_path / "m.data"):
        left.unlink()
    assert_equal(tmp_path / "n.onnx")


def test_saved_over_itself(tmp_path: Path) -> None:
    path = make(tmp_path, "m.onnx.data")
    before = path.read_bytes()
    save(load(path), path)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert_equal(path)


def test_saved_over_itself_without_some_of_its_data(tmp_path: Path) -> None:
    path = make(tmp_path, "m.onnx.data")
    model = load(path)
    (op,) = model.graph.ops
    model.graph.remove_output(0)
    model.graph.remove(op)
    save(model, path)
    data = path.with_name("m.onnx.1.data")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", data.name, "m.onnx.data"], "the model reads it yet"
    assert data.stat().st_size == 64 + ARRAYS["a"].nbytes
    np.testing.assert_array_equal(numpy_helper.to_array(onnx.load(path).graph.initializer[0]), ARRAYS["a"])


def test_saved_elsewhere_the_data_go_along(tmp_path: Path) -> None:
    path = make(tmp_path / "from")
    target = tmp_path / "to" / "n.onnx"
    target.parent.mkdir()
    save(load(path), target)
    assert sorted(p.name for p in target.parent.iterdir()) == ["n.onnx", "n.onnx.data"]
    for left in sorted((tmp_path / "from").iterdir()):
        left.unlink()
    assert_equal(target)
    proto = onnx.load(target, load_external_data=False)
    (initializer,) = proto.graph.initializer
    assert initializer.doc_string == "doc"
    assert initializer.metadata_props[0].key == "k"
    offsets = [v.tensor.offset for g in load(target).graphs() for v in g.constants]  # type: ignore[union-attr]
    assert all(offset % 64 == 0 for offset in offsets)
    again = tmp_path / "again"
    again.mkdir()
    save(load(target), again / "n.onnx")
    assert (again / "n.onnx").read_bytes() == target.read_bytes(), "the same bytes from run to run"
    assert (again / "n.onnx.data").read_bytes() == target.with_name("n.onnx.data").read_bytes()


def test_data_shared_by_two_values_are_written_once(tmp_path: Path) -> None:
    path = make(tmp_path / "from")
    model = load(path)
    (value,) = [v for v in model.graph.constants if v.name == "a"]
    assert value.tensor is not None
    copy = model.graph.add_const(value.tensor, "copy")
    target = tmp_path / "n.onnx"
    save(model, target)
    data = target.with_name("n.onnx.data")
    model.graph.drop(copy)
    save(model, tmp_path / "without.onnx")
    assert data.stat().st_size == data.with_name("without.onnx.data").stat().st_size
    model.graph.set_output(3, model.graph.add_const(value.tensor, "copy"))
    save(model, target)
    proto = onnx.load(target)
    assert [t.name for t in proto.graph.initializer] == ["a", "copy_1"]
    assert proto.graph.initializer[0].raw_data == proto.graph.initializer[1].raw_data


def large(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a message have no more than 4000 bytes, and add a constant that is larger."""
    monkeypatch.setattr(writer, "MAX_MESSAGE", 4000)
    model.graph.set_output(len(model.graph.outputs), model.graph.add_const(ArrayTensor(ARRAYS["a"] + 1), "new"))


def test_what_is_too_large_for_a_message_is_spilled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weight = numpy_helper.from_array(ARRAYS["a"], "a")
    constant = helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(ARRAYS["c"]))
    outputs = [info("a", SIZES["a"]), info("k", SIZES["c"])]
    graph = helper.make_graph([constant], "g", [], outputs, [weight, helper.make_tensor("s", 1, [1], [1.0])])
    model = load(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)]))
    large(model, monkeypatch)
    with pytest.raises(ModelError, match="more than 4000"):
        to_bytes(model)
    target = tmp_path / "n.onnx"
    save(model, target)
    assert target.stat().st_size < 4000
    onnx.checker.check_model(str(target))
    proto = onnx.load(target)
    found = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    np.testing.assert_array_equal(found["a"], ARRAYS["a"])
    np.testing.assert_array_equal(found["new"], ARRAYS["a"] + 1)
    np.testing.assert_array_equal(numpy_helper.to_array(proto.graph.node[0].attribute[0].t), ARRAYS["c"])
    plain = onnx.load(target, load_external_data=False).graph.initializer
    assert [t.data_location for t in plain] == [1, 0, 1], "what is small stays"


def test_spilled_data_do_not_overwrite_those_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path, "m.onnx.data")
    model = load(path)
    large(model, monkeypatch)
    save(model, path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "m.onnx.1.data", "m.onnx.data"]
    found = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    np.testing.assert_array_equal(found["a"], ARRAYS["a"])
    np.testing.assert_array_equal(found["new"], ARRAYS["a"] + 1)


def test_a_model_too_large_without_its_constants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_MESSAGE", 10)
    with pytest.raises(ModelError, match="even without"):
        save(load(make(tmp_path)), tmp_path / "n.onnx")
    assert not (tmp_path / "n.onnx").exists()


def test_data_that_vanish(tmp_path: Path) -> None:
    model = load(make(tmp_path / "from"))
    data = tmp_path / "from" / "m.data"
    os.truncate(data, 100)
    with pytest.raises(ModelError, match="shorter"):
        save(model, tmp_path / "n.onnx")
    data.unlink()
    with pytest.raises(FileNotFoundError):
        save(model, tmp_path / "n.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["from"]


def test_places_to_save_that_are_refused(tmp_path: Path) -> None:
    model = load(make(tmp_path))
    for target in (tmp_path, tmp_path / "missing" / "m.onnx", Path("/dev/null")):
        with pytest.raises(UsageError):
            save(model, target)
