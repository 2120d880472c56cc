"""The script for the board, run as it is run there, with a runtime that writes down what it gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gopt.analysis import infer
from gopt.backends.rknn.options import settings
from gopt.backends.rknn.package import inference_script
from gopt.backends.rknn.sources import Source
from gopt.frontends.text import parse

HEAD = '<ir_version: 8, opset_import: ["": 17]>\n'
MODEL = HEAD + "g (float[1,3,4,8] x) => (float[1,3,4,8] y) { y = Relu(x) }"
RUNTIME = """
import json, os
import numpy

CALLS = os.environ["CALLS"]


class RKNNLite:
    NPU_CORE_AUTO, NPU_CORE_0, NPU_CORE_1, NPU_CORE_2, NPU_CORE_0_1, NPU_CORE_0_1_2 = 0, 1, 2, 4, 3, 7

    def _note(self, **what):
        with open(CALLS, "a") as file:
            file.write(json.dumps(what) + "\\n")

    def load_rknn(self, path):
        self._note(load=os.path.basename(path))
        return int(os.environ.get("LOAD", "0"))

    def init_runtime(self, **options):
        self._note(init=options)
        return int(os.environ.get("INIT", "0"))

    def inference(self, inputs, data_format=None):
        self._note(run=[[str(a.dtype), list(a.shape)] for a in inputs], layouts=data_format)
        numpy.savez(CALLS + ".npz", *inputs)
        if "BREAK" in os.environ:
            raise RuntimeError("the NPU is busy")
        return [numpy.array([[0.25, 0.75]], numpy.float32)]

    def release(self):
        self._note(release=True)
"""
# Images are .npy files under another name; sizes change by taking the nearest element.
IMAGES = """
import numpy

IMREAD_GRAYSCALE, IMREAD_COLOR, COLOR_BGR2RGB, INTER_LINEAR, BORDER_CONSTANT = 0, 1, 4, 1, 0


def imread(path, flag):
    with open(path, "rb") as file:
        try:
            image = numpy.load(file)
        except ValueError:
            return None
    return image[:, :, 0] if flag == IMREAD_GRAYSCALE else image


def cvtColor(image, code):
    return image[:, :, ::-1]


def resize(image, size, interpolation):
    rows = numpy.arange(size[1]) * image.shape[0] // size[1]
    columns = numpy.arange(size[0]) * image.shape[1] // size[0]
    return image[rows][:, columns]


def copyMakeBorder(image, top, bottom, left, right, kind, value):
    made = numpy.empty((image.shape[0] + top + bottom, image.shape[1] + left + right, image.shape[2]), image.dtype)
    made[:] = value
    made[top : top + image.shape[0], left : left + image.shape[1]] = image
    return made
"""


@dataclass
class Ran:
    """What came of a run of the script."""

    status: int
    out: str
    err: str
    calls: list[dict[str, Any]]
    inputs: list[np.ndarray]


class Board:
    """A folder with the script and the stand-ins for what a board has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "lib" / "rknnlite").mkdir(parents=True)
        (folder / "lib" / "rknnlite" / "__init__.py").write_text("")
        (folder / "lib" / "rknnlite" / "api.py").write_text(RUNTIME)
        (folder / "lib" / "cv2.py").write_text(IMAGES)

    def write(self, model: str = MODEL, platform: str = "rk3588", **given: Any) -> None:
        """Write the script of a model whose inputs are described so."""
        source = Source.model_validate({"kind": "training_source", "name": "n", **given})
        loaded = parse(model)
        infer(loaded)
        text = inference_script(source, settings({"platform": platform}), "n_fp16.rknn", loaded)
        (self.folder / "npu_inference.py").write_text(text)

    def run(self, *arguments: str, **variables: str) -> Ran:
        """Run it as a program."""
        calls = self.folder / "calls"
        found = {k: v for k, v in os.environ.items() if k not in ("LOAD", "INIT", "BREAK")}
        found |= {"PYTHONPATH": str(self.folder / "lib"), "CALLS": str(calls), **variables}
        script = str(self.folder / "npu_inference.py")
        done = subprocess.run(
            [sys.executable, script, *arguments], capture_output=True, text=True, env=found, check=False, timeout=60
        )
        noted = [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []
        arrays: list[np.ndarray] = []
        if (saved := self.folder / "calls.npz").exists():
            with np.load(saved) as data:
                arrays = [data[name] for name in data.files]
        return Ran(done.returncode, done.stdout, done.stderr, noted, arrays)

    def image(self, height: int = 8, width: int = 8) -> str:
        """A picture whose channels are 10, 20 and 30 in the order blue, green, red; returns its path."""
        place = self.folder / "photo.jpg"
        with place.open("wb") as file:
            np.save(file, np.broadcast_to(np.array([10, 20, 30], np.uint8), (height, width, 3)))
        return str(place)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def described(**more: Any) -> dict[str, Any]:
    one = {"width": 8, "height": 4, "channels": 3, "color": "RGB", "mean": [1, 2, 3], "std": [4, 5, 6], **more}
    return {"inputs": [one]}


def test_letterbox_keeps_the_colours_apart_and_normalizes_nothing(board: Board) -> None:
    board.write(**described(preprocess="letterbox", pad_color=[114, 115, 116]))
    ran = board.run(board.image(), "--any-board", "--repeat", "3")
    assert ran.status == 0, ran.err
    (image,) = ran.inputs
    assert (image.dtype, image.shape) == (np.uint8, (1, 4, 8, 3))
    # A square becomes 4 x 4 in the middle, red first; the declared colour is left and right of it.
    assert image[0, :, 2:6].reshape(-1, 3).tolist() == [[30, 20, 10]] * 16
    assert image[0, :, [0, 1, 6, 7]].reshape(-1, 3).tolist() == [[114, 115, 116]] * 16
    assert ran.calls[0] == {"load": "n_fp16.rknn"}
    assert ran.calls[1] == {"init": {"core_mask": 0}}
    runs = [call for call in ran.calls if "run" in call]
    assert len(runs) == 1 + 3  # the first one warms up
    assert all(call["layouts"] == ["nhwc"] for call in runs)
    assert ran.calls[-1] == {"release": True}
    assert "3 runs: median" in ran.out
    assert "input x: scale 0.5000 x 0.5000, corner (2, 0)" in ran.out
    assert "output 0: shape [1, 2], from 0.25 to 0.75" in ran.out


@pytest.mark.parametrize(("color", "pixel"), [("RGB", [30, 20, 10]), ("BGR", [10, 20, 30])])
def test_the_order_of_colours_is_the_declared_one(board: Board, color: str, pixel: list[int]) -> None:
    board.write(**described(color=color, preprocess="resize"))
    (image,) = board.run(board.image(), "--any-board").inputs
    assert image.reshape(-1, 3).tolist() == [pixel] * 32


def test_one_channel_is_grey(board: Board) -> None:
    one = {"width": 8, "height": 4, "channels": 1, "color": "GRAY"}
    board.write(MODEL.replace("1,3,4,8", "1,1,4,8"), inputs=[one])
    (image,) = board.run(board.image(), "--any-board").inputs
    assert image.shape == (1, 4, 8, 1)
    assert (image == 10).all()


def test_the_middle_is_cut_out(board: Board) -> None:
    board.write(**described(preprocess="center_crop"))
    ran = board.run(board.image(8, 8), "--any-board")
    assert ran.inputs[0].shape == (1, 4, 8, 3)
    assert "corner (0, -2)" in ran.out


def test_a_network_that_takes_rows_of_pixels_gets_them_as_they_are(board: Board) -> None:
    board.write(MODEL.replace("1,3,4,8", "1,4,8,3"), **described(preprocess="resize", mean=None, std=None))
    ran = board.run(board.image(), "--any-board")
    assert ran.inputs[0].shape == (1, 4, 8, 3)
    assert [call["layouts"] for call in ran.calls if "run" in call] == [["nchw"]] * 2


def test_data_come_from_files_in_the_type_of_the_model(board: Board) -> None:
    text = HEAD + "g (float[1,3,4,8] x, int64[1,2] n) => (float[1,3,4,8] y, int64[1,2] z) { y = Relu(x) z = Neg(n) }"
    board.write(text, inputs=[{"name": "x"}, {"name": "n"}])
    np.save(board.folder / "x.npy", np.full((1, 3, 4, 8), 0.5))
    np.save(board.folder / "n.npy", np.array([[1.0, 2.0]]))
    files = [str(board.folder / name) for name in ("x.npy", "n.npy")]
    ran = board.run(*files, "--any-board", "--save", str(board.folder / "out.npz"))
    assert ran.status == 0, ran.err
    first = next(call for call in ran.calls if "run" in call)
    assert first == {"run": [["float32", [1, 3, 4, 8]], ["int64", [1, 2]]], "layouts": ["nchw", None]}
    with np.load(board.folder / "out.npz") as saved:
        assert saved["output_0"].tolist() == [[0.25, 0.75]]
    np.save(board.folder / "x.npy", np.zeros((1, 3, 4, 9)))
    ran = board.run(*files, "--any-board")
    assert ran.status == 1
    assert "has the shape [1, 3, 4, 9]; input x takes [1, 3, 4, 8]" in ran.err


def test_what_was_not_declared_is_pointed_out(board: Board) -> None:
    board.write(inputs=[{"name": "x"}])
    text = (board.folder / "npu_inference.py").read_text()
    assert "# not declared in a source file: check this" in text
    assert "# mean and std are not declared: the network gets numbers from 0 to 255" in text
    board.write(**described())
    assert "not declared" not in (board.folder / "npu_inference.py").read_text()


def test_classes_are_named(board: Board) -> None:
    board.write(**described(), classes={"count": 2, "names": ["cat", "dog"]})
    lines = board.run(board.image(), "--any-board").out.splitlines()
    assert lines[-2].split() == ["dog", "0.75000"]


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"LOAD": "-1"}, "cannot be loaded"),
        ({"INIT": "-1"}, "the NPU cannot be started"),
        ({"BREAK": "1"}, "the NPU is busy"),
    ],
)
def test_the_npu_is_released_whatever_happens(board: Board, variables: dict[str, str], complaint: str) -> None:
    board.write(**described())
    ran = board.run(board.image(), "--any-board", **variables)
    assert ran.status == 1
    assert complaint in ran.err
    assert ran.calls[-1] == {"release": True}


@pytest.mark.parametrize(
    ("platform", "core", "options"),
    [
        ("rk3588", "all", {"core_mask": 7}),
        ("rk3588", "2", {"core_mask": 4}),
        ("rk3576", "all", {"core_mask": 3}),
        ("rk3566", "auto", {}),
    ],
)
def test_cores_are_those_of_the_chip(board: Board, platform: str, core: str, options: dict[str, int]) -> None:
    board.write(platform=platform, **described())
    ran = board.run(board.image(), "--any-board", "--core", core)
    assert ran.calls[1] == {"init": options}


def test_another_machine_than_the_board_is_refused_before_anything_is_loaded(board: Board) -> None:
    board.write(**described())
    ran = board.run(board.image())
    assert ran.status == 1
    assert "rk3588" in ran.err
    assert ran.calls == []


def test_the_board_is_known_by_what_it_says_of_itself(board: Board) -> None:
    board.write(**described())
    script = board.folder / "npu_inference.py"
    said = board.folder / "compatible"
    code = f"import runpy; runpy.run_path({str(script)!r})['check_platform']({str(said)!r})"
    for text, status in ((b"radxa,rock-5b\0rockchip,rk3588\0", 0), (b"radxa,zero3\0rockchip,rk3566\0", 1)):
        said.write_bytes(text)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == status
    assert "for rk3588, this board says radxa,zero3, rockchip,rk3566" in done.stderr


def test_what_is_no_image_is_said(board: Board) -> None:
    board.write(**described())
    (board.folder / "photo.jpg").write_bytes(b"text")
    ran = board.run(str(board.folder / "photo.jpg"), "--any-board")
    assert (ran.status, ran.calls) == (1, [])
    assert "no image that OpenCV reads" in ran.err
