"""Bounds on what is loaded, and where its external data may lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gopt.cli import main
from gopt.errors import ModelError
from gopt.frontends.limits import Limits, limited
from gopt.frontends.onnx import load, save
from gopt.frontends.onnx.models import MAX_CALLS
from gopt.ir import Model

SIZE = 5000


def info() -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("x", TensorProto.FLOAT, [SIZE])


def make(folder: Path, nodes: int = 1) -> Path:
    """A model whose weight is in a file of its own."""
    weight = numpy_helper.from_array(np.arange(SIZE, dtype=np.float32), "w")
    chain = [helper.make_node("Add", [f"v{k}" if k else "x", "w"], [f"v{k + 1}"]) for k in range(nodes)]
    last = helper.make_tensor_value_info(f"v{nodes}", TensorProto.FLOAT, [SIZE])
    graph = helper.make_graph(chain, "g", [info()], [last], [weight])
    proto = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(proto, folder / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    return folder / "m.onnx"


def relocated(path: Path, location: str) -> Path:
    """The same model with another name for its data."""
    proto = onnx.load(path, load_external_data=False)
    for entry in proto.graph.initializer[0].external_data:
        entry.value = location if entry.key == "location" else entry.value
    path.write_bytes(proto.SerializeToString())
    return path


def weight(model: Model) -> float:
    (found,) = model.graph.constants
    assert found.tensor is not None
    return float(found.tensor.numpy().sum())


EXPECTED = float(np.arange(SIZE, dtype=np.float32).sum())


def refused(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load(path)
    return str(caught.value)


# -- size -----------------------------------------------------------------------------------------------------------


def test_nodes_and_files_are_bounded(tmp_path: Path) -> None:
    path = make(tmp_path, 5)
    with limited(Limits(nodes=5, file=path.stat().st_size)):
        load(path)
    with limited(Limits(nodes=4)):
        assert "more than 4 nodes (--input-limit nodes=NUMBER)" in refused(path)
    with limited(Limits(file=10)):
        assert "--input-limit file=BYTES" in refused(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda proto, long: setattr(proto.graph.node[0], "name", long),
        lambda proto, long: setattr(proto.graph.node[0], "op_type", long),
        lambda proto, long: setattr(proto.graph.initializer[0], "name", long),
        lambda proto, long: setattr(proto.graph.input[0], "name", long),
        lambda proto, long: proto.graph.node[0].attribute.append(helper.make_attribute(long, 1)),
    ],
)
def test_names_are_bounded(tmp_path: Path, change: Callable[[onnx.ModelProto, str], None]) -> None:
    proto = onnx.load(make(tmp_path))
    change(proto, "n" * 70_000)
    with pytest.raises(ModelError, match="a name of 70000 bytes"):
        load(proto)


def test_attributes_are_bounded(tmp_path: Path) -> None:
    for value in ([1] * 200, [1.0] * 200, "a" * 200):
        proto = onnx.load(make(tmp_path))
        proto.graph.node[0].attribute.append(helper.make_attribute("a", value))
        load(proto)
        with limited(Limits(attribute=100)), pytest.raises(ModelError, match="--input-limit attribute"):
            load(proto)


def test_a_message_stays_short(tmp_path: Path) -> None:
    proto = onnx.load(make(tmp_path))
    proto.graph.node[0].input[0] = "n" * 60_000
    with pytest.raises(ModelError) as caught:
        load(proto)
    assert len(str(caught.value)) < 1100


def test_data_that_overlap_without_end_are_refused(tmp_path: Path) -> None:
    """The result of a few kilobytes would be gigabytes."""
    path = make(tmp_path)
    proto = onnx.load(path, load_external_data=False)
    for k in range(20):
        tensor = proto.graph.initializer.add(name=f"w{k}", data_type=TensorProto.UINT8, dims=[SIZE * 4 - k])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "m.data"), ("offset", str(k)), ("length", str(SIZE * 4 - k))):
            tensor.external_data.add(key=key, value=value)
    path.write_bytes(proto.SerializeToString())
    assert "overlap" in refused(path)


# -- places ---------------------------------------------------------------------------------------------------------


def test_a_cache_of_blobs(tmp_path: Path) -> None:
    """Model and data are links into one folder of blobs, as in the cache of Hugging Face."""
    made, blobs = make(tmp_path / "made"), tmp_path / "cache" / "blobs"
    snapshot = tmp_path / "cache" / "snapshots" / "main" / "onnx"
    for folder in (blobs, snapshot):
        folder.mkdir(parents=True)
    made.rename(blobs / "aa")
    (made.parent / "m.data").rename(blobs / "bb")
    for name, blob in (("m.onnx", "aa"), ("m.data", "bb")):
        (snapshot / name).symlink_to(Path("../../../blobs", blob))
    assert weight(load(snapshot / "m.onnx")) == EXPECTED
    assert main(["run", str(snapshot / "m.onnx"), "-o", str(tmp_path / "out.onnx"), "-q"]) == 0
    assert weight(load(tmp_path / "out.onnx")) == EXPECTED
    save(load(snapshot / "m.onnx"), snapshot / "again.onnx")
    assert (snapshot / "again.onnx.data").is_file()  # not into the blobs
    # A model that is a file of its own has no such rights, nor has one whose blobs are elsewhere.
    (snapshot / "copy.onnx").write_bytes((blobs / "aa").read_bytes())
    assert "outside" in refused(snapshot / "copy.onnx")
    (snapshot / "m.data").unlink()
    (tmp_path / "other").mkdir()
    (blobs / "bb").rename(tmp_path / "other" / "bb")
    (snapshot / "m.data").symlink_to(tmp_path / "other" / "bb")
    assert "outside" in refused(snapshot / "m.onnx")


@pytest.mark.parametrize("how", ["link", "parent", "absolute", "hard link"])
def test_further_folders(tmp_path: Path, how: str, capsys: pytest.CaptureFixture[str]) -> None:
    path, other = make(tmp_path / "model"), tmp_path / "other"
    other.mkdir()
    data = other / "m.data"
    (path.parent / "m.data").rename(data)
    if how == "link":
        (path.parent / "m.data").symlink_to(data)
    elif how == "hard link":
        os.link(data, path.parent / "m.data")
    else:
        relocated(path, "../other/m.data" if how == "parent" else str(data))
    assert "m.data" in refused(path)
    permitted = path.parent if how == "hard link" else other
    with limited(Limits(folders=(permitted.resolve(),))):
        assert weight(load(path)) == EXPECTED
        save(load(path), path.parent / "again.onnx")
    if how != "hard link":
        assert weight(load(path.parent / "again.onnx")) == EXPECTED  # which needs no permission
    argv = ["run", str(path), "-o", str(tmp_path / "out.onnx"), "-q"]
    assert main(argv) == 3
    assert "--allow-external" in capsys.readouterr().err
    assert main([*argv, "--allow-external", str(permitted)]) == 0
    assert weight(load(tmp_path / "out.onnx")) == EXPECTED
    assert "not verified" not in capsys.readouterr().err
    assert main([*argv, "--allow-external", str(tmp_path / "nowhere")]) == 2


def test_a_file_that_is_exchanged_is_not_read(tmp_path: Path) -> None:
    path = make(tmp_path / "model")
    secret, data = tmp_path / "secret", tmp_path / "model" / "m.data"
    secret.write_bytes(bytes(SIZE * 4))
    for exchange in (secret.read_bytes, None):
        model = load(path)
        kept = data.read_bytes()
        data.rename(tmp_path / "kept")
        if exchange is None:
            data.symlink_to(secret)
        else:
            data.write_bytes(exchange())
        with pytest.raises((ModelError, OSError)):
            weight(model)
        with pytest.raises((ModelError, OSError)):
            save(model, tmp_path / "out.onnx")
        assert not any(p.name.startswith((".out", "out")) for p in tmp_path.iterdir())
        (tmp_path / "kept").unlink()
        data.unlink()
        data.write_bytes(kept)


def test_a_folder_that_is_exchanged_is_not_followed(tmp_path: Path) -> None:
    path = make(tmp_path / "model")
    inner = path.parent / "inner"
    inner.mkdir()
    (path.parent / "m.data").rename(inner / "m.data")
    model = load(relocated(path, "inner/m.data"))
    inner.rename(tmp_path / "moved")
    inner.symlink_to(tmp_path / "moved")
    with pytest.raises(OSError, match="inner"):
        weight(model)


def test_limits_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(make(tmp_path, 5))
    assert main(["inspect", path, "--input-limit", "nodes=4"]) == 3
    assert "more than 4 nodes" in capsys.readouterr().err
    assert main(["inspect", path, "--input-limit", "nodes=5", "--input-limit", "file=1MB"]) == 0
    assert main(["inspect", path]) == 0
    assert main(["inspect", path, "--input-limit", "knots=5"]) == 2
    assert main(["run", path, "-o", str(tmp_path / "o.onnx"), "--mem-limit", "1kB"]) == 2
    assert main(["run", path, "-o", str(tmp_path / "o.onnx"), "--mem-limit", "2GB", "--time-limit", "30"]) == 0


def test_how_deep_functions_may_call(tmp_path: Path) -> None:
    def of(count: int) -> onnx.ModelProto:
        imports = [helper.make_opsetid("", 21), helper.make_opsetid("f", 1)]
        bodies = [helper.make_node(f"F{k + 1}", ["a"], ["b"], domain="f") for k in range(count - 1)]
        bodies.append(helper.make_node("Relu", ["a"], ["b"]))
        functions = [helper.make_function("f", f"F{k}", ["a"], ["b"], [body], imports) for k, body in enumerate(bodies)]
        graph = helper.make_graph([helper.make_node("F0", ["x"], ["y"], domain="f")], "g", [info()], [info()])
        graph.output[0].name = "y"
        return helper.make_model(graph, ir_version=10, opset_imports=imports, functions=functions[::-1])

    assert len(load(of(MAX_CALLS)).functions) == MAX_CALLS
    for count in (MAX_CALLS + 1, 5000):
        with pytest.raises(ModelError, match=f"more than {MAX_CALLS} deep"):
            load(of(count))
