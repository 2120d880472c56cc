"""`gopt expose`, `extract`, `split` and `dump`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from gopt.api.dumping import dump, groups
from gopt.cli import parts
from gopt.frontends.onnx import save
from gopt.frontends.text import parse
from gopt.passes.cut.expose import Expose
from gopt.verify.dumping import escaped

from .conftest import Cli


def names(path: Path) -> tuple[list[str], list[str]]:
    graph = onnx.load(path).graph
    return [v.name for v in graph.input], [v.name for v in graph.output]


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(path: Path, text: str) -> Path:
    save(parse(text), path)
    return path


# -- expose and extract ----------------------------------------------------------------------------------------------


def test_expose_writes_and_verifies(cli: Cli, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    done = cli("expose", model, "-o", out, "--value", "same,scaled", "--node", "gate", "--json")
    assert done.status == 0, done.err
    assert names(out) == (["x"], ["y", "z", "scaled", "same", "gate"])
    assert done.json["verification"]["status"] == "ok"
    assert done.json["outputs"][2] == {"name": "scaled", "type": "float[n,4]"}
    text = cli("expose", model, "-o", out, "--all", "--force")
    assert text.status == 0
    assert "unused  float[n,4]" in text.out
    assert "verified: equal" in text.out


def test_run_exposes_what_the_original_has(cli: Cli, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    done = cli("run", model, "-o", out, "--expose", "gate", "--expose", "scaled", "--json")
    assert done.status == 0, done.err
    assert names(out)[1] == ["y", "z", "scaled", "gate"]
    assert done.json["verification"]["status"] == "ok"
    assert done.json["verification"]["notes"] == []


def test_extract_writes_and_verifies(cli: Cli, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    done = cli("extract", model, "-o", out, "--inputs", "gate,x", "--outputs", "z", "--json")
    assert done.status == 0, done.err
    assert names(out) == (["gate", "x"], ["z"])
    assert done.json["verification"]["status"] == "ok"
    assert done.json["ops_after"] == {"Mul": 1}
    done = cli("extract", model, "-o", out, "-f", "--outputs", "same", "--no-verify")
    assert names(out) == (["x"], ["same"])
    assert "not verified" in done.out


ERRORS: list[tuple[list[str], int, str]] = [
    (["expose", "-o", "out.onnx"], 2, "what is to be exposed?"),
    (["expose", "-o", "out.onnx", "--value", "scald"], 2, "no value 'scald'; did you mean 'scaled'?"),
    (["expose", "-o", "out.onnx", "--value", "times_one"], 2, "no value 'times_one'; a node has that name"),
    (["expose", "-o", "model.onnx", "--all", "--force"], 2, "is the input"),
    (["expose", "-o", "taken", "--all"], 2, "taken exists; --force replaces it"),
    (["expose", "-o", "nowhere/out.onnx", "--all"], 2, "there is no folder"),
    (["extract", "-o", "out.onnx"], 2, "what is to be extracted?"),
    (["extract", "-o", "out.onnx", "--inputs", "gate", "--outputs", "z"], 2, "also need the input 'x'"),
    (["extract", "-o", "taken", "--outputs", "z"], 2, "taken exists"),
    (["split", "-o", "stages"], 2, "where is the model to be split?"),
    (["split", "-o", "stages", "--at", "gate", "--stages", "2"], 2, "where is the model to be split?"),
    (["split", "-o", "stages", "--at", "gat"], 2, "no value 'gat'; did you mean 'gate'?"),
    (["split", "-o", "stages", "--at", "unused"], 2, "no output of the model depends on it"),
    (["split", "-o", "stages", "--stages", "6"], 2, "too few for 6 stages"),
    (["split", "-o", "taken", "--at", "gate", "-f"], 2, "exists and is no folder"),
    (["split", "-o", ".", "--at", "gate"], 2, "exists"),
    (["split", "-o", ".", "--at", "gate", "-f"], 2, "holds other things than stages"),
    (["split", "-o", "nowhere/stages", "--at", "gate"], 2, "there is no folder"),
    (["dump", "-o", "out.npz", "--value", "gat"], 2, "no value 'gat'"),
    (["dump", "-o", "taken"], 2, "taken exists"),
    (["dump", "-o", "model.onnx", "-f"], 2, "is the input"),
    (["dump", "-o", "nowhere/out.npz"], 2, "there is no folder"),
    (["dump", "-o", "out.npz", "--inputs", "q=taken"], 2, "is not a .npy file"),
    (["dump", "-o", "out.npz", "--dim", "m=3"], 2, "no input has a dim 'm'"),
]


@pytest.mark.parametrize(("arguments", "status", "message"), ERRORS, ids=[" ".join(e[0]) for e in ERRORS])
def test_errors_are_one_line_and_nothing_is_written(
    arguments: list[str], status: int, message: str, cli: Cli, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    Path("taken").write_text("mine")
    before = model.read_bytes()
    done = cli(arguments[0], "model.onnx", *arguments[1:])
    assert (done.status, done.out) == (status, "")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert left_in(model.parent) == ["model.onnx", "taken"]
    assert (Path("taken").read_text(), model.read_bytes()) == ("mine", before)


def test_broken_files_are_bad_input(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x08\x07 nonsense")
    for command, *rest in (["expose", "--all"], ["extract", "--outputs", "y"], ["split", "--stages", "2"], ["dump"]):
        done = cli(command, tmp_path / "model.onnx", "-o", tmp_path / "out", *rest)
        assert done.status == 3
        assert done.err.count("\n") == 1
    assert left_in(tmp_path) == ["model.onnx"]


# -- split -----------------------------------------------------------------------------------------------------------


def test_stages_run_by_the_manifest_equal_the_whole(cli: Cli, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "stages"
    done = cli("split", model, "-o", folder, "--at", "scaled", "--at", "gate,same", "--json")
    assert done.status == 0, done.err
    assert left_in(folder) == ["stage-1.onnx", "stage-2.onnx", "stage-3.onnx", "stages.json"]
    assert left_in(tmp_path) == ["model.onnx", "stages"]
    assert [s["verification"]["status"] for s in done.json["stages"]] == ["ok"] * 3
    manifest = json.loads((folder / "stages.json").read_text())
    values: dict[str, Any] = {"x": np.linspace(-2, 2, 12, dtype=np.float32).reshape(3, 4)}
    assert (manifest["model"], manifest["inputs"], manifest["outputs"]) == ("model.onnx", ["x"], ["y", "z"])
    whole = session(model).run(None, values)
    for stage in manifest["stages"]:
        made = session(folder / stage["file"]).run(stage["outputs"], {n: values[n] for n in stage["inputs"]})
        values.update(zip(stage["outputs"], made))
    for name, expected in zip(manifest["outputs"], whole):
        np.testing.assert_array_equal(values[name], expected)


def session(path: Path) -> Any:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def test_external_data_go_with_their_stages(cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nodes = [helper.make_node("MatMul", ["x", "u"], ["a"]), helper.make_node("MatMul", ["a", "v"], ["y"])]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 32]) for n in ("x", "y")]
    weights = [numpy_helper.from_array(rng.standard_normal((32, 32)).astype(np.float32), n) for n in ("u", "v")]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], weights)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "model.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    done = cli("split", path, "-o", tmp_path / "stages", "--at", "a", "--json")
    assert done.status == 0, done.err
    assert [s["verification"]["status"] for s in done.json["stages"]] == ["ok", "ok"]
    assert all(4096 <= s["bytes"] < 8192 for s in done.json["stages"])
    x = rng.standard_normal((2, 32)).astype(np.float32)
    (a,) = session(tmp_path / "stages" / "stage-1.onnx").run(None, {"x": x})
    (y,) = session(tmp_path / "stages" / "stage-2.onnx").run(None, {"a": a})
    np.testing.assert_array_equal(y, session(path).run(None, {"x": x})[0])
    np.save(tmp_path / "x.npy", x)
    assert cli("dump", path, "-o", tmp_path / "v.npz", "--all", "--inputs", f"x={tmp_path / 'x.npy'}").status == 0
    np.testing.assert_array_equal(np.load(tmp_path / "v.npz")["a"], a)
    beside = tmp_path / "in" / "tail.onnx"
    assert cli("extract", path, "-o", beside, "--inputs", "a").status == 0
    assert left_in(tmp_path / "in") == ["model.onnx", "tail.onnx", "tail.onnx.data", "weights.bin"]
    assert beside.with_name("tail.onnx.data").stat().st_size == 4096, "its own weights alone"
    np.testing.assert_array_equal(session(beside).run(None, {"a": a})[0], y)


def test_a_folder_of_stages_is_replaced_only_with_force(cli: Cli, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "stages"
    assert cli("split", model, "-o", folder, "--stages", "3", "--no-verify").status == 0
    again = cli("split", model, "-o", folder, "--stages", "2", "--no-verify")
    assert (again.status, "--force" in again.err) == (2, True)
    assert cli("split", model, "-o", folder, "--stages", "2", "--no-verify", "-f").status == 0
    assert left_in(folder) == ["stage-1.onnx", "stage-2.onnx", "stages.json"]
    assert left_in(tmp_path) == ["model.onnx", "stages"]


def test_a_stage_that_differs_is_not_written(
    cli: Cli, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gopt.api import cutting

    def wrong(source: Path, stage: Any) -> Any:
        return parse("g (float[n,4] x) => (float[n,4] scaled) { scaled = Neg(x) }")

    monkeypatch.setattr(cutting, "_part", wrong)
    done = cli("split", model, "-o", tmp_path / "stages", "--at", "scaled")
    assert done.status == 4
    assert "stage 1: verification failed" in done.err
    assert left_in(tmp_path) == ["model.onnx"]


# -- dump ------------------------------------------------------------------------------------------------------------


def test_dump_writes_what_a_run_computes(cli: Cli, model: Path, tmp_path: Path) -> None:
    x = np.linspace(-2, 2, 12, dtype=np.float32).reshape(3, 4)
    np.save(tmp_path / "x.npy", x)
    out = tmp_path / "values.npz"
    done = cli("dump", model, "-o", out, "--all", "--inputs", f"x={tmp_path / 'x.npy'}", "--json")
    assert done.status == 0, done.err
    assert (done.json["runs"], done.json["dims"], done.json["left_out"]) == (1, {"n": 3}, {})
    with np.load(out) as found:
        assert found.files == ["scaled", "same", "y", "gate", "z", "unused"]
        np.testing.assert_array_equal(found["unused"], -x)
        np.testing.assert_array_equal(found["y"], np.maximum(x, 0))
    assert left_in(tmp_path) == ["model.onnx", "values.npz", "x.npy"]


def test_without_a_selection_the_outputs_are_dumped(cli: Cli, model: Path, tmp_path: Path) -> None:
    done = cli("dump", model, "-o", tmp_path / "values.npz", "--dim", "n=2")
    assert done.status == 0, done.err
    assert "y  float32[2,4]  32 B" in done.out
    assert "2 values, 64 B, 1 run, n=2" in done.out
    assert np.load(tmp_path / "values.npz").files == ["y", "z"]


def test_groups_fit_into_memory_and_give_the_same(model: Path, tmp_path: Path) -> None:
    one = dump(model, tmp_path / "one.npz", Expose(all=True), dims={"n": 2})
    many = dump(model, tmp_path / "many.npz", Expose(all=True), dims={"n": 2}, memory=64)
    assert (one.runs, many.runs) == (1, 3)
    assert one.values == many.values
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "many.npz").read_bytes()


def test_how_groups_are_made() -> None:
    sizes: dict[str, int | None] = {"a": 3, "b": 7, "c": 1, "d": None, "e": 20, "f": 1, "g": 2}
    assert list(groups(sizes, 10)) == [["a", "b"], ["c"], ["d"], ["e"], ["f", "g"]]


def test_all_kinds_of_values(tmp_path: Path) -> None:
    text = """<ir_version: 10, opset_import: ["": 21]> g (float[N] x) => (float[N] y) {
        h = Cast<to = 10>(x)  b = Cast<to = 16>(x)  i = Cast<to = 22>(x)  t = Cast<to = 8>(x)  m = Neg(x)
        s = SequenceConstruct(x, m)  n = NonZero(x)  r = RandomNormalLike(x)  y = Add(x, r) }"""
    path = write(tmp_path / "model.onnx", text)
    done = dump(path, tmp_path / "values.npz", Expose(all=True), dims={"N": 5}, memory=1)
    found = np.load(tmp_path / "values.npz")
    kinds = {v.name: (v.type, found[v.member].dtype.str) for v in done.values}
    assert kinds["h"] == ("float16", "<f2")
    assert kinds["b"] == ("bfloat16", "<u2")
    assert kinds["i"] == ("int4", "|u1")
    assert kinds["t"][1].startswith("<U")
    np.testing.assert_array_equal(found["s[0]"], -found["s[1]"])
    np.testing.assert_array_equal(found["y"], found["s[0]"] + found["r"])  # another run, the same random numbers
    assert found["n"].shape[0] == 1


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("/block/Conv_output_0", "/block/Conv_output_0"),
        ("x:0", "x:0"),
        ("naïve", "naïve"),
        ("a\0b", "a%00b"),
        ("a\\b", "a%5Cb"),
        ("a%00b", "a%2500b"),
        ("a.npy", "a%2Enpy"),
        ("../../up", "%2E%2E/%2E%2E/up"),
        ("..a/b..", "..a/b.."),
        ("line\nend", "line%0Aend"),
    ],
)
def test_names_in_the_file(name: str, member: str) -> None:
    assert escaped(name) == member


def test_odd_names_are_found_again(tmp_path: Path) -> None:
    odd = ["a", "a.npy", "b\\c", "../up", "%", "/d/e", "seq[0]"]
    nodes = [helper.make_node("Add", ["x", f"w{k}"], [name]) for k, name in enumerate(odd)]
    weights = [helper.make_tensor(f"w{k}", TensorProto.FLOAT, [1], [float(k)]) for k in range(len(odd))]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ["x", *odd]]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", np.zeros(2, np.float32))
    done = dump(tmp_path / "m.onnx", tmp_path / "v.npz", inputs={"x": tmp_path / "x.npy"})
    found = np.load(tmp_path / "v.npz")
    assert {v.name: float(found[v.member][0]) for v in done.values} == {name: float(k) for k, name in enumerate(odd)}


def test_a_model_that_does_not_run_is_bad_input_and_leaves_nothing(cli: Cli, tmp_path: Path) -> None:
    text = '<ir_version: 8, opset_import: ["": 17, "acme": 1]> g (float[3] x) => (float[3] y) { y = acme.Odd(x) }'
    path = write(tmp_path / "model.onnx", text)
    done = cli("dump", path, "-o", tmp_path / "v.npz")
    assert done.status == 3
    assert done.err.count("\n") == 1
    assert left_in(tmp_path) == ["model.onnx"]


def test_the_selection_of_no_option_is_none() -> None:
    nothing: dict[str, Any] = {"value": (), "node": (), "op_type": (), "regex": (), "all_": False}
    assert parts.selection(nothing) is None
