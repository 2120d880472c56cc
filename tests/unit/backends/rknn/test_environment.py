"""Where the toolkit's environment is, what makes it, and what the doctor says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gopt.backends.rknn import environment
from gopt.backends.rknn.environment import Environment, doctor, find, folder, interpreter, locate, setup
from gopt.cli import main
from gopt.errors import MissingComponentError, ResourceError, UsageError

from . import fake

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the toolkit runs on Linux alone")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(environment.VARIABLE, str(tmp_path / "env"))
    return tmp_path / "env"


@pytest.fixture
def pip(place: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Installs nothing: notes what was asked of pip, and puts the fake toolkit there."""
    asked: list[list[str]] = []

    def make(command: list[str], what: str) -> None:
        fake.environment(place)
        (place / "gopt-rknn.json").unlink()
        (place / "pyvenv.cfg").write_text("")

    monkeypatch.setattr(environment, "_run", make)
    monkeypatch.setattr(environment, "_install", lambda place, groups, what: asked.append(list(groups[0])))
    monkeypatch.setattr(environment, "_system", lambda: environment.Finding("system", True, "Linux x86_64"))
    monkeypatch.setattr(environment, "interpreter", lambda wanted=None: sys.executable)
    return asked


def test_the_variable_says_where(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder() == place
    monkeypatch.delenv(environment.VARIABLE)
    assert folder().name == environment.TOOLKIT


def test_without_it_the_command_is_named(place: Path) -> None:
    assert locate() is None
    with pytest.raises(MissingComponentError, match="gopt rknn setup"):
        find()


def test_setup_makes_it_once(place: Path, pip: list[list[str]]) -> None:
    said: list[str] = []
    made = setup(torch="none", tell=said.append)
    assert made == locate()
    assert [group[-1] for group in pip] == ["setuptools<80", f"rknn-toolkit2=={environment.TOOLKIT}"]
    assert "--no-deps" in pip[-1]
    assert json.loads((place / "gopt-rknn.json").read_text())["torch"] == "none"
    pip.clear()
    setup(torch="none", tell=said.append)
    assert pip == []
    assert "nothing to do" in said[-1]


def test_another_torch_is_installed_on_top(place: Path, pip: list[list[str]]) -> None:
    setup(torch="none", tell=lambda _: None)
    pip.clear()
    setup(torch="cpu", tell=lambda _: None)
    assert any(group[0].startswith("torch==") for group in pip)
    pip.clear()
    setup(torch="none", tell=lambda _: None)
    assert pip == []
    assert json.loads((place / "gopt-rknn.json").read_text())["torch"] == "cpu"


def test_what_does_not_start_is_not_complete(
    place: Path, pip: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_import_problem", lambda made: "no libGL")
    with pytest.raises(ResourceError, match="does not start: no libGL"):
        setup(torch="none", tell=lambda _: None)
    assert locate() is None


def test_renew_removes_environments_alone(place: Path, pip: list[list[str]]) -> None:
    place.mkdir()
    (place / "thesis.txt").write_text("")
    with pytest.raises(UsageError, match="no virtual environment"):
        setup(torch="none", renew=True, tell=lambda _: None)
    assert (place / "thesis.txt").exists()


def test_a_system_without_wheels_is_refused(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    with pytest.raises(MissingComponentError, match="wheels for Linux"):
        setup(tell=lambda _: None)


def test_the_python_that_is_named_must_fit(tmp_path: Path) -> None:
    old = tmp_path / "python3.8"
    old.write_text("#!/bin/sh\necho 3 8 18\n")
    old.chmod(0o755)
    with pytest.raises(UsageError, match=r"is Python 3.8.18; the toolkit has wheels for 3.9 to 3.12"):
        interpreter(str(old))
    with pytest.raises(UsageError, match="no Python interpreter"):
        interpreter(str(tmp_path / "none"))


def test_the_doctor_finds_what_is_there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {f.what: f for f in doctor()}
    assert not found["environment"].ok
    assert found["environment"].remedy == "gopt rknn setup"
    fake.environment(place)
    found = {f.what: f for f in doctor()}
    assert found["environment"].ok
    assert not found["rknn-toolkit2"].ok  # the fake one has no metadata


def test_the_doctors_exit_status(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rknn", "doctor", "--json"]) == 7
    data = json.loads(capsys.readouterr().out)
    assert {f["what"] for f in data["findings"]} == {"system", "python", "environment"}


def test_an_environment_without_its_python_is_none(place: Path) -> None:
    place.mkdir()
    (place / "gopt-rknn.json").write_text("{}")
    assert locate() is None
    assert Environment(place).toolkit == environment.TOOLKIT


class Pip:
    """Takes the place of `subprocess.run`: notes commands, and refuses those that hold a word."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refuses: str = "") -> None:
        self.commands: list[list[str]] = []
        self.refuses = refuses
        monkeypatch.setattr(environment.subprocess, "run", self)

    def __call__(self, command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        refused = bool(self.refuses) and any(self.refuses in word for word in command)
        said = "ERROR: No matching distribution found for torch==2.13.0+cpu\n" if refused else ""
        return subprocess.CompletedProcess(command, int(refused), "", said)


INDEX = "https://wheels.example/cpu"


@pytest.mark.parametrize(
    ("torch", "index", "asked"),
    [
        ("none", "", []),
        ("cpu", "", ["torch==2.13.0+cpu", "setuptools<80"]),
        ("default", "", ["torch", "setuptools<80"]),
        ("default", INDEX, ["torch", "setuptools<80"]),
    ],
)
def test_what_pip_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torch: environment.Torch, index: str, asked: list[str]
) -> None:
    monkeypatch.setenv(environment.TORCH_INDEX, index) if index else monkeypatch.delenv(environment.TORCH_INDEX, False)
    pip = Pip(monkeypatch)
    for what, groups in environment._steps(torch):
        environment._install(tmp_path, groups, what)
    head = [str(tmp_path / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
    assert all(command[:5] == head for command in pip.commands)
    first, *middle, last = [command[5:] for command in pip.commands]
    assert first == list(environment.PACKAGES)
    assert last == ["--no-deps", f"rknn-toolkit2=={environment.TOOLKIT}"]
    assert middle == ([asked] if asked else [])


def test_pytorch_without_cuda_comes_from_the_index_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(environment.TORCH_INDEX, INDEX)
    _, (what, groups), _ = environment._steps("cpu")
    pip = Pip(monkeypatch)
    environment._install(tmp_path, groups, what)
    assert len(pip.commands) == 1  # pip's own index has it
    pip = Pip(monkeypatch, refuses="torch==")
    with pytest.raises(ResourceError, match="No matching distribution"):
        environment._install(tmp_path, groups, what)
    assert [command[5:7] for command in pip.commands][1] == ["--extra-index-url", INDEX]


def test_where_there_is_no_pytorch_without_cuda_the_variable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(environment.TORCH_INDEX, False)
    _, (what, groups), _ = environment._steps("cpu")
    Pip(monkeypatch, refuses="torch==")
    with pytest.raises(ResourceError, match=r"set GOPT_TORCH_INDEX to an index .* or say --torch default"):
        environment._install(tmp_path, groups, what)


@pytest.mark.parametrize(
    ("asked", "version", "ok", "said"),
    [
        ("none", None, True, "quantization by `gdq` needs it"),
        ("cpu", None, False, "though setup was asked for cpu"),
        ("cpu", "2.13.0+cpu", True, "2.13.0+cpu"),
    ],
)
def test_what_the_doctor_says_of_pytorch(
    place: Path, monkeypatch: pytest.MonkeyPatch, asked: str, version: str | None, ok: bool, said: str
) -> None:
    fake.environment(place)
    (place / "gopt-rknn.json").write_text(json.dumps({"toolkit": environment.TOOLKIT, "torch": asked}))
    monkeypatch.setattr("gopt.backends.rknn.child.probe", lambda made: {"torch": version})
    (found,) = [finding for finding in doctor() if finding.what == "torch"]
    assert (found.ok, said in found.found) == (ok, True)
