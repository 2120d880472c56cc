"""The chain of source files: what each must hold, and what may not change on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from gopt.api.sources import next_source, problems, template
from gopt.backends.rknn.sources import read, text
from gopt.errors import ModelError, UsageError
from gopt.frontends import onnx as frontend
from gopt.frontends.text import parse
from tests.malformed.inputs import sources as hostile

TRAINING = """\
kind: training_source
version: 1
name: best
inputs:
- {name: images, width: 8, height: 4, channels: 3, color: RGB, preprocess: letterbox,
   pad_color: [114, 114, 114], mean: [0, 0, 0], std: [255, 255, 255]}
classes: {count: 2, names: [cat, dog]}
thresholds: {confidence: 0.25}
"""
MODEL = """<ir_version: 8, opset_import: ["": 17]>
g (float[1,3,4,8] images) => (float[1,3,4,8] y) { y = Relu(images) }"""


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A folder with the first two files and the model."""
    (tmp_path / "training_source.yaml").write_text(TRAINING)
    frontend.save(parse(MODEL), tmp_path / "best.onnx")
    made = next_source(tmp_path / "training_source.yaml", tmp_path / "best.onnx")
    (tmp_path / "onnx_source.yaml").write_text(made)
    return tmp_path


def files(folder: Path) -> list[Path]:
    return [folder / "training_source.yaml", folder / "onnx_source.yaml"]


def test_the_second_file_follows_from_the_first(chain: Path) -> None:
    found = read(chain / "onnx_source.yaml")
    assert found.kind == "onnx_source"
    assert found.inputs == read(chain / "training_source.yaml").inputs
    assert found.onnx is not None
    assert found.onnx.path == "best.onnx"
    assert problems(files(chain)) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("color: RGB", "color: BGR", "inputs.images.color is 'BGR', but 'RGB' in"),
        ("width: 8", "width: 16", "inputs.images.width is 16, but 8 in"),
        ("letterbox", "resize", "inputs.images.preprocess is 'resize', but 'letterbox' in"),
        ("[114, 114, 114]", "[0, 0, 0]", "inputs.images.pad_color is [0, 0, 0], but [114, 114, 114] in"),
        ("255.0", "1.0", "inputs.images.std is [1.0, 1.0, 1.0], but [255.0, 255.0, 255.0] in"),
        ("dog", "cow", "classes.names.1 is 'cow', but 'dog' in"),
    ],
)
def test_a_critical_value_that_changes_is_named_twice(chain: Path, old: str, new: str, complaint: str) -> None:
    place = chain / "onnx_source.yaml"
    written = text(read(place))
    assert old in written
    place.write_text(written.replace(old, new))
    assert any(complaint in problem for problem in problems(files(chain)))


def test_thresholds_may_change(chain: Path) -> None:
    place = chain / "onnx_source.yaml"
    place.write_text(place.read_text().replace("0.25", "0.5"))
    assert problems(files(chain)) == []


def test_another_model_than_the_one_described_is_seen(chain: Path) -> None:
    frontend.save(parse(MODEL.replace("Relu", "Abs")), chain / "best.onnx")
    assert any("another file" in problem for problem in problems(files(chain)))


def test_a_model_of_another_size_is_refused(chain: Path) -> None:
    frontend.save(parse(MODEL.replace("4,8", "4,9")), chain / "best.onnx")
    with pytest.raises(ModelError, match="says width 8 of input images, the model has 9"):
        next_source(chain / "training_source.yaml", chain / "best.onnx")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("color: RGB", "color: rgb", "inputs.0.color: Input should be 'RGB', 'BGR' or 'GRAY' (given: 'rgb')"),
        ("pad_color: [114, 114, 114], ", "", "letterbox needs pad_color"),
        ("[cat, dog]", "[cat]", "there are 1 names for 2 classes"),
        ("mean: [0, 0, 0]", "mean: [0, 0]", "mean has 2 values for 3 channels"),
        ("std: [255, 255, 255]", "std: [0, 255, 255]", "std must be positive"),
        ("thresholds", "treshholds", "treshholds: there is no such key"),
        ("version: 1", "version: 2", "version: Input should be 1"),
        ("confidence: 0.25", "confidence: 25", "less than or equal to 1"),
        (TRAINING, "- a", "holds no mapping"),
        (TRAINING, "a: [", "no valid YAML"),
    ],
)
def test_complaints_name_the_place(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    place = tmp_path / "training_source.yaml"
    place.write_text(TRAINING.replace(old, new))
    (found,) = problems([place])
    assert complaint in found


def test_the_template_is_a_valid_file(tmp_path: Path) -> None:
    place = tmp_path / "training_source.yaml"
    place.write_text(template())
    assert problems([place]) == []
    frontend.save(parse(MODEL), tmp_path / "m.onnx")
    place.write_text(template(tmp_path / "m.onnx"))
    assert (read(place).inputs[0].width, read(place).inputs[0].height) == (8, 4)


def test_files_in_another_order_are_refused(chain: Path) -> None:
    with pytest.raises(UsageError, match="in the order"):
        problems(files(chain)[::-1])


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    assert "No such file" in problems([tmp_path / "none.yaml"])[0]


@pytest.mark.parametrize("case", sorted(hostile()))
def test_hostile_files_are_one_error(tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "s.yaml"
    place.write_bytes(hostile()[case])
    with pytest.raises(ModelError) as caught:
        read(place)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 4000
    assert [p.name for p in tmp_path.iterdir()] == ["s.yaml"], "no code ran"
