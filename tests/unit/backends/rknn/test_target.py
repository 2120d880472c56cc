"""The target: what it refuses before the toolkit starts, what it converts, and the package that it writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gopt import backends
from gopt.analysis import infer
from gopt.api.targets import check, make
from gopt.backends import Blocker
from gopt.backends.rknn import environment
from gopt.backends.rknn.sources import read
from gopt.backends.rknn.target import INTERFACE, RKNN
from gopt.errors import MissingComponentError, ModelError, UsageError
from gopt.frontends import onnx as frontend
from gopt.frontends.text import parse

from . import fake

HEAD = '<ir_version: 8, opset_import: ["": 17]>\n'
RELU = HEAD + "g (float[1,3,4,8] x) => (float[1,3,4,8] y) { y = Relu(x) }"
linux = pytest.mark.skipif(sys.platform == "win32", reason="the toolkit runs on Linux alone")


@pytest.fixture
def toolkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with the toolkit that is none."""
    folder = tmp_path / "env"
    fake.environment(folder)
    monkeypatch.setenv(environment.VARIABLE, str(folder))
    return folder


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No environment."""
    monkeypatch.setenv(environment.VARIABLE, str(tmp_path / "none"))


def refusals(text: str, **options: str) -> list[Blocker]:
    model = parse(text)
    infer(model)
    return backends.target("rknn", options).check(model)


def saved(tmp_path: Path, text: str = RELU, name: str = "best.onnx") -> Path:
    frontend.save(parse(text), tmp_path / name)
    return tmp_path / name


def test_a_plain_model_is_taken() -> None:
    assert refusals(RELU) == []


@pytest.mark.parametrize(
    ("text", "node", "reason"),
    [
        (RELU.replace("[1,3,4,8]", "[N,3,4,8]"), "x", "computes on fixed sizes"),
        (RELU.replace('"": 17', '"": 21'), "", "opset 21; the toolkit reads up to 19"),
        (RELU.replace("Relu", "Acos"), "Acos 'y'", "no kernel on the board can run it"),
        (RELU.replace("Relu", "acme.Odd").replace("17]", '17, "acme": 1]'), "acme::Odd 'y'", "of another domain"),
        (RELU.replace("float", "uint8").replace("Relu", "Identity"), "x", "is uint8, which the toolkit does not take"),
        (
            HEAD + "g (float[4] x) => (float[4] y) { a = Cast<to = 2>(x) y = Cast<to = 1>(a) }",
            "Cast 'a'",
            "uint8, on which the toolkit aborts",
        ),
        (
            HEAD + "g (float[4,4] x) => (float[4,4] y) { y = Trilu(x) }",
            "Trilu 'y'",
            "no kernel on the board can run it",
        ),
        (
            HEAD + "g (float[1,3,4,4] x) => (float[1,3,8,8] y) <float[4] s = {1,1,2,2}> "
            '{ y = Resize<mode = "cubic">(x, , s) }',
            "Resize 'y'",
            "cubic",
        ),
        (
            HEAD + "g (bool[1,1] c, float[1,1] x) => (float[1,1] y) { y = Where(c, x, x) }",
            "Where 'y'",
            "single numbers",
        ),
        (
            HEAD + "g (float[4,1,3] x, float[1,6,3] w, float[1,6,2] r) => (float[1,1,2] h) "
            "{ , h = GRU<hidden_size = 2>(x, w, r) }",
            "GRU 'h'",
            "leaves out a result",
        ),
        (
            HEAD + "g (float[4] x) => (float[4] y) { s = Shape(x) y = ConstantOfShape(s) }",
            "ConstantOfShape 'y'",
            "left to the default",
        ),
        (HEAD + "g (float[4] x) => (int64[1,N] y) { y = NonZero(x) }", "NonZero 'y'", "depends on data"),
    ],
)
def test_what_the_toolkit_would_refuse_is_told_by_node(text: str, node: str, reason: str) -> None:
    found = refusals(text)
    assert any(b.node == node and reason in b.reason for b in found), found


def test_an_open_batch_is_to_be_one() -> None:
    (found, *_) = refusals(RELU.replace("[1,3,4,8]", "[N,3,4,8]"))
    assert found.settle == (("x.0", 1),)
    (found, *_) = refusals(RELU.replace("[1,3,4,8]", "[1,3,H,W]"))
    assert found.settle == ()


def test_remedies_are_passes_that_exist() -> None:
    from gopt.backends.rknn.legal import _REMEDIES
    from gopt.backends.support import read_table
    from gopt.passes.pipeline import as_pipeline

    rows = read_table("gopt.backends.rknn")["row"]
    for remedy in {*_REMEDIES.values(), *(row["remedy"] for row in rows if "remedy" in row)}:
        as_pipeline(remedy)


def test_every_platform_is_known_by_its_table() -> None:
    for name in ("rk3588", "rk3566", "rk3576", "rv1106", "rv1103"):
        options = {"platform": name, "dtype": "int8"}
        assert any("no kernel" in b.reason for b in refusals(RELU.replace("Relu", "Asin"), **options))


def test_without_the_environment_the_table_still_answers(tmp_path: Path, nothing: None) -> None:
    found = check(saved(tmp_path), "rknn")
    assert found.ok
    assert "gopt rknn setup" in found.missing
    with pytest.raises(MissingComponentError, match="gopt rknn setup"):
        check(saved(tmp_path), "rknn", level="converted")


def test_without_the_environment_a_run_says_what_is_missing(tmp_path: Path, nothing: None) -> None:
    with pytest.raises(MissingComponentError, match="gopt rknn setup"):
        make(saved(tmp_path), "rknn", output=tmp_path / "out")
    assert (tmp_path / "out" / "best.onnx").exists()


@linux
def test_a_run_writes_the_package(tmp_path: Path, toolkit: Path) -> None:
    options = {"platform": "rk3588", "mean": "0,0,0", "std": "1,1,1"}
    made = make(saved(tmp_path), "rknn", options, output=tmp_path / "out")
    assert made.verdict.ok, made.verdict
    assert made.verdict.level == "simulated"
    names = {path.name for path in made.files}
    assert names == {"best.onnx", "best_fp16.rknn", "rknn_source.yaml", "performance_rknn.json", "npu_inference.py"}
    source = read(tmp_path / "out" / "rknn_source.yaml")
    assert source.rknn is not None
    assert source.rknn.graph == "original"
    assert source.inputs[0].std == (1, 1, 1)
    report = json.loads((tmp_path / "out" / "performance_rknn.json").read_text())
    assert {c["graph"] for c in report["compared"]} == {"original", "optimized"}
    assert report["summary"]["layers_npu"] == 4
    assert report["simulator"]["outputs"][0]["output"] == "y"


BYTES = HEAD + "g (uint8[1,3,4,8] x) => (uint8[1,3,4,8] y) { f = Cast<to = 1>(x) r = Relu(f) y = Cast<to = 2>(r) }"


def test_integers_stay_clipped(tmp_path: Path, nothing: None) -> None:
    text = HEAD + "g (int64[4] x) => (int64[4] y) <int64 l = {0}, int64 h = {5}> { y = Clip(x, l, h) }"
    made = make(saved(tmp_path, text), "rknn", output=tmp_path / "out", level="static")
    assert made.verdict.ok
    assert [op.op_type for op in made.result.model.graph.ops] == ["Clip"]


def test_another_interface_is_told_where_nothing_is_converted(tmp_path: Path, nothing: None) -> None:
    made = make(saved(tmp_path, BYTES), "rknn", output=tmp_path / "out", level="static")
    assert made.verdict.ok
    assert made.verdict.facts[INTERFACE] == {
        "x": "is float, was uint8: give it the same numbers as float",
        "r": "is float, was uint8 y: the cast is left to you",
    }


@linux
def test_bytes_come_and_go_as_floats(tmp_path: Path, toolkit: Path) -> None:
    made = make(saved(tmp_path, BYTES), "rknn", output=tmp_path / "out")
    assert made.verdict.ok, made.verdict
    report = json.loads((tmp_path / "out" / "performance_rknn.json").read_text())
    assert report["interface"] == made.verdict.facts[INTERFACE]
    assert report["graph"] == "optimized"  # the other one was not even tried
    (output,) = report["simulator"]["outputs"]
    assert (output["output"], output["cosine"], output["scaled_error"]) == ("y", 1, 0)


@linux
def test_nothing_to_compare_with_is_said(tmp_path: Path, toolkit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gopt.api.targets.reference", lambda *_: None, raising=False)
    monkeypatch.setattr("gopt.api.samples.reference", lambda *_: None)
    made = make(saved(tmp_path), "rknn", output=tmp_path / "out")
    assert made.verdict.ok
    assert made.verdict.level == "converted"
    assert "compared with nothing" in made.verdict.missing
    made = make(saved(tmp_path), "rknn", output=tmp_path / "out", level="simulated")
    assert not made.verdict.ok
    assert "compared with nothing" in made.verdict.blockers[-1].reason


@linux
def test_a_crash_is_a_blocker(tmp_path: Path, toolkit: Path) -> None:
    made = make(saved(tmp_path, name="segfault.onnx"), "rknn", output=tmp_path / "out")
    assert not made.verdict.ok
    (found,) = made.verdict.blockers
    assert (found.node, found.rule, found.evidence) == ("Conv_7", "build", "reported")
    assert not list((tmp_path / "out").glob("*.rknn"))


@linux
def test_int8_asks_for_a_dataset(tmp_path: Path, toolkit: Path) -> None:
    with pytest.raises(UsageError, match="needs a dataset"):
        make(saved(tmp_path), "rknn", {"dtype": "int8"}, output=tmp_path / "out")


TWO = HEAD + ("g (float[1,3,4,8] a, float[1,2] b) => (float[1,3,4,8] y, float[1,2] z) { y = Relu(a) z = Relu(b) }")


def source(folder: Path, *inputs: str) -> Path:
    place = folder / "training_source.yaml"
    place.write_text("kind: training_source\nname: n\ninputs:\n" + "".join(f"- {{{one}}}\n" for one in inputs))
    return place


IMAGE = "width: 8, height: 4, channels: 3, color: BGR, mean: [1, 2, 3], std: [4, 5, 6]"


@linux
def test_what_needs_pytorch_says_so_before_it_starts(tmp_path: Path, toolkit: Path) -> None:
    (tmp_path / "dataset.txt").write_text("a.npy\n")
    options = {"dtype": "int8", "dataset": str(tmp_path / "dataset.txt"), "quant-algorithm": "gdq"}
    with pytest.raises(MissingComponentError, match="gopt rknn setup --torch cpu"):
        make(saved(tmp_path), "rknn", options, output=tmp_path / "out")


@linux
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"mean": "1,2"}, r"mean has 2 values for input a, which is \[1, 3, 4, 8\]"),
        ({"std": "/1,2,3"}, r"std has 3 values for input b, which is \[1, 2\]"),
    ],
)
def test_mean_and_std_must_fit_the_channels(
    tmp_path: Path, toolkit: Path, options: dict[str, str], complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint):
        make(saved(tmp_path, TWO), "rknn", options, output=tmp_path / "out")


@linux
@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        (("name: b", f"name: a, {IMAGE}"), r"describes the inputs \['b', 'a'\], the model has \['a', 'b'\]"),
        ((f"name: a, {IMAGE}",), "describes 1 inputs, the model has 2"),
        ((f"name: a, {IMAGE}".replace("width: 8", "width: 9"), "name: b"), r"input a is \(3, 4, 9\), the model has"),
    ],
)
def test_what_the_source_says_is_checked_before_the_toolkit_starts(
    tmp_path: Path, toolkit: Path, monkeypatch: pytest.MonkeyPatch, inputs: tuple[str, ...], complaint: str
) -> None:
    monkeypatch.setattr("gopt.backends.rknn.target.attempt", None)
    with pytest.raises(ModelError, match=complaint):
        make(saved(tmp_path, TWO), "rknn", {"source": str(source(tmp_path, *inputs))}, output=tmp_path / "out")


def test_colours_are_those_of_each_input(tmp_path: Path) -> None:
    target = backends.target("rknn", {"source": str(source(tmp_path, f"name: a, {IMAGE}", "name: b"))})
    assert isinstance(target, RKNN)
    assert target.settings.bgr == (True, False)
    assert target.settings.means == ((1, 2, 3), None)
