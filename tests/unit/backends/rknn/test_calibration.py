"""Calibration files: whether they fit the model, and what the network gets of the first ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gopt.analysis import infer
from gopt.api.targets import make
from gopt.backends.rknn import environment as environments
from gopt.backends.rknn.calibration import first_sample, lines
from gopt.backends.rknn.convert import Sample
from gopt.backends.rknn.options import settings
from gopt.errors import ModelError, UsageError
from gopt.frontends import onnx as frontend
from gopt.frontends.text import parse

from . import fake

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the toolkit runs on Linux alone")
HEAD = '<ir_version: 8, opset_import: ["": 17]>\n'
MODEL = HEAD + "g (float[1,3,2,4] x, float[1,2] n) => (float[1,3,2,4] y, float[1,2] z) { y = Relu(x) z = Relu(n) }"
# A picture is a .npy file under another name, blue first.
IMAGES = """
import numpy
IMREAD_GRAYSCALE, IMREAD_COLOR = 0, 1
def imread(path, flag):
    try:
        with open(path, "rb") as file:
            return numpy.load(file)
    except ValueError:
        return None
def resize(image, size):
    return numpy.broadcast_to(image[0, 0], (size[1], size[0], image.shape[2]))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a list of two runs, and an environment that reads pictures."""
    for k in range(2):
        np.save(tmp_path / f"x{k}.npy", np.full((1, 3, 2, 4), 10.0 + k))
        np.save(tmp_path / f"n{k}.npy", np.array([[3.0, 4.0]]))
    (tmp_path / "dataset.txt").write_text("x0.npy n0.npy\n\nx1.npy n1.npy\n")
    fake.environment(tmp_path / "env")
    (tmp_path / "env" / "fake" / "cv2.py").write_text(IMAGES)
    return tmp_path


def sample(place: Path, **given: str) -> dict[str, Any]:
    model = parse(MODEL)
    infer(model)
    options = {"dtype": "int8", "dataset": str(place / "dataset.txt"), **given}
    return first_sample(settings(options), model, environments.Environment(place / "env", {"torch": "none"}))


def test_files_are_relative_to_the_list(place: Path) -> None:
    assert list(lines(place / "dataset.txt", 2)) == [[place / f"x{k}.npy", place / f"n{k}.npy"] for k in range(2)]


@pytest.mark.parametrize(
    ("text", "kind", "complaint"),
    [
        ("x0.npy n0.npy\nx1.npy\n", UsageError, "dataset.txt:2: 1 files for a model of 2 inputs"),
        ("x0.npy none.npy\n", ModelError, "none.npy: there is no such file"),
        ("\n", UsageError, "it names no files"),
    ],
)
def test_a_list_that_does_not_fit(place: Path, text: str, kind: type[Exception], complaint: str) -> None:
    (place / "dataset.txt").write_text(text)
    with pytest.raises(kind, match=complaint):
        sample(place)


def test_the_network_gets_normalized_data(place: Path) -> None:
    found = sample(place, mean="1,2,3/", std="1,1,2/")
    assert found["x"].dtype == np.float32
    assert found["x"][0, :, 0, 0].tolist() == [9.0, 8.0, 3.5]
    assert found["n"].tolist() == [[3.0, 4.0]]


@pytest.mark.parametrize(("bgr", "colours"), [("false", [30, 20, 10]), ("true", [10, 20, 30])])
def test_pictures_are_read_as_the_toolkit_reads_them(place: Path, bgr: str, colours: list[int]) -> None:
    with (place / "photo.jpg").open("wb") as file:
        np.save(file, np.broadcast_to(np.array([10, 20, 30], np.uint8), (5, 5, 3)))
    (place / "dataset.txt").write_text("photo.jpg n0.npy\n")
    found = sample(place, bgr=bgr)
    assert found["x"].shape == (1, 3, 2, 4)
    assert found["x"][0, :, 1, 3].tolist() == colours


def test_what_cannot_be_read_is_left_to_the_toolkit(place: Path) -> None:
    (place / "photo.jpg").write_bytes(b"text")
    (place / "dataset.txt").write_text("photo.jpg n0.npy\n")
    assert sample(place) == {}
    np.save(place / "x0.npy", np.zeros((1, 3, 2, 5)))
    (place / "dataset.txt").write_text("x0.npy n0.npy\n")
    assert sample(place) == {}


def test_the_simulator_is_run_on_calibration_data(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(environments.VARIABLE, str(place / "env"))
    frontend.save(parse(MODEL), place / "model.onnx")
    seen: list[Sample] = []
    monkeypatch.setattr("gopt.backends.rknn.target.attempt", lambda *given: seen.append(given[4]))
    options = {"dtype": "int8", "dataset": str(place / "dataset.txt"), "mean": "1,2,3", "std": "1,1,2"}
    make(place / "model.onnx", "rknn", options, output=place / "out")
    assert seen[0].feed["x"][0, :, 0, 0].tolist() == [9.0, 8.0, 3.5]
    assert seen[0].outputs["z"].tolist() == [[3.0, 4.0]]
    np.save(place / "own.npy", np.ones((1, 2), np.float32))
    make(place / "model.onnx", "rknn", options, output=place / "out", inputs={"n": place / "own.npy"})
    assert seen[-1].outputs["z"].tolist() == [[1.0, 1.0]]
    assert seen[-1].feed["x"][0, 0, 0, 0] == 9.0
