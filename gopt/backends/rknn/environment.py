"""The toolkit's own environment: rknn-toolkit2 pins numpy, onnx and protobuf so that it cannot share that of gopt.

It lies in the user's data folder, or where the variable GOPT_RKNN_ENV says. `setup` makes it, `doctor` says what is
missing; nothing else of gopt installs anything.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...errors import GoptError, MissingComponentError, ResourceError, UsageError

TOOLKIT = "2.5.0"
"""The version of rknn-toolkit2 that all tables were measured with."""
VARIABLE = "GOPT_RKNN_ENV"
COMMAND = "gopt rknn setup"
PYTHONS = ((3, 9), (3, 12))
"""The oldest and the newest Python for which the toolkit and all that it pins have wheels."""
Torch = Literal["cpu", "default", "none"]
Tell = Callable[[str], None]

# The toolkit imports pkg_resources, which newer ones lack; torch asks for the newest.
_OLD = "setuptools<80"
# What the toolkit imports, at the newest versions that it works with; the order is that of installation.
PACKAGES = (
    "numpy==1.26.4",
    "onnx==1.18.0",
    "protobuf==4.25.4",
    "onnxruntime>=1.16",
    "psutil>=5.9",
    "ruamel.yaml>=0.17.21",
    "scipy>=1.9",
    "tqdm>=4.64",
    "opencv-python-headless<4.12",
    "fast-histogram>=0.11",
    _OLD,
)
TORCH = "2.13.0"
TORCH_INDEX = "GOPT_TORCH_INDEX"
"""The variable that names an index of wheels of PyTorch without CUDA, where pip's own has none."""
_MARK = "gopt-rknn.json"


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment that is there.

    Attributes:
        folder: the virtual environment.
        info: what `setup` noted about it.
    """

    folder: Path
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def toolkit(self) -> str:
        """Version of the toolkit in it."""
        return str(self.info.get("toolkit", TOOLKIT))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the doctor looked at: what, whether it is well, what was found, and what to do about it."""

    what: str
    ok: bool
    found: str
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The same in plain types."""
        return {"what": self.what, "ok": self.ok, "found": self.found, "remedy": self.remedy}


def folder() -> Path:
    """Where the environment is, or would be."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given).expanduser()
    from platformdirs import user_data_path

    return user_data_path("gopt", appauthor=False) / "rknn" / TOOLKIT


def locate() -> Environment | None:
    """The environment, if `setup` has made it."""
    place = folder()
    try:
        info = json.loads((place / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = Environment(place, info if isinstance(info, dict) else {})
    return found if found.python.exists() else None


def find() -> Environment:
    """The environment.

    Raises:
        MissingComponentError: it is not there; the message names the command that makes it.
    """
    found = locate()
    if found is None:
        raise MissingComponentError(f"the RKNN toolkit has no environment yet: {COMMAND} makes it (gopt rknn doctor)")
    return found


def setup(python: str | None = None, torch: Torch = "none", *, renew: bool = False, tell: Tell = print) -> Environment:
    """Make the environment, or leave it alone if it is there and complete.

    Args:
        python: the interpreter that it is made with; a fitting one is looked for by default.
        torch: "cpu": PyTorch without CUDA, from pip's index or the one that the variable `GOPT_TORCH_INDEX` names;
            "default": whatever pip finds; "none": none (only the quantization gdq needs it).
        renew: remove what is there and begin anew.
        tell: is told what happens.

    Raises:
        MissingComponentError: this machine has no Python, or is of a kind, that the toolkit has wheels for.
        ResourceError: pip failed; the message ends with what it said.
    """
    _refuse_system()
    place = folder()
    found = locate()
    # One with PyTorch is complete, too, where none is asked for.
    if found is not None and not renew and torch in (found.info.get("torch"), "none"):
        tell(f"{place}: complete, nothing to do")
        return found
    chosen = interpreter(python)
    if renew or not _same_python(place, chosen):
        _remove(place)
    if not (place / "bin" / "python").exists():
        tell(f"making {place} with {chosen}")
        place.parent.mkdir(parents=True, exist_ok=True)
        _run([chosen, "-m", "venv", str(place)], "python -m venv")
    for what, groups in _steps(torch):
        tell(what)
        _install(place, groups, what)
    made = Environment(
        place, {"toolkit": TOOLKIT, "torch": torch, "python": ".".join(map(str, _version(chosen) or ()))}
    )
    tell("trying the toolkit")
    if problem := _import_problem(made):
        raise ResourceError(f"the toolkit is installed in {place}, but does not start: {problem}")
    # Written last: an environment without it is incomplete, and the next `setup` goes on with it.
    (place / _MARK).write_text(json.dumps(made.info, indent=1) + "\n", encoding="utf-8")
    tell(f"{place}: complete")
    return made


def _steps(torch: Torch) -> Iterator[tuple[str, list[list[str]]]]:
    """What is installed, in order: a line for people, and alternatives of arguments for pip, tried one by one."""
    yield "installing what the toolkit imports (about 200 MB)", [[*PACKAGES]]
    if torch == "cpu":
        exact = f"torch=={TORCH}+cpu"
        index = os.environ.get(TORCH_INDEX)
        more = [["--extra-index-url", index, exact, _OLD]] if index else []
        yield "installing PyTorch without CUDA (about 200 MB)", [[exact, _OLD], *more]
    elif torch == "default":
        yield "installing PyTorch (up to 3 GB)", [["torch", _OLD]]
    yield f"installing rknn-toolkit2 {TOOLKIT} (about 200 MB)", [["--no-deps", f"rknn-toolkit2=={TOOLKIT}"]]


def _install(place: Path, alternatives: Sequence[Sequence[str]], what: str) -> None:
    said = ""
    for arguments in alternatives:
        command = [str(place / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        said = said or _last_line(done.stderr)
    about = ""
    if any(word.startswith("torch==") for group in alternatives for word in group) and TORCH_INDEX not in os.environ:
        about = f"; set {TORCH_INDEX} to an index that has wheels of PyTorch without CUDA, or say --torch default"
    raise ResourceError(f"{what}: pip failed: {said}; {COMMAND} tries again from here{about}")


def _run(command: Sequence[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ResourceError(f"{what} failed: {_last_line(done.stderr or done.stdout)}")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it said nothing"])[-1]


def _remove(place: Path) -> None:
    """Remove an environment that we made; anything else stays.

    Raises:
        UsageError: what lies there is something else.
    """
    if not place.exists():
        return
    if not (place / "pyvenv.cfg").exists() and any(place.iterdir()):
        raise UsageError(f"{place} is no virtual environment; it is not removed")
    shutil.rmtree(place)


def _same_python(place: Path, chosen: str) -> bool:
    python = place / "bin" / "python"
    return not place.exists() or (python.exists() and _version(str(python)) == _version(chosen))


def _refuse_system() -> None:
    """Raises MissingComponentError where the toolkit has no wheels."""
    for finding in (_system(),):
        if not finding.ok:
            raise MissingComponentError(f"the RKNN toolkit does not run here ({finding.found}): {finding.remedy}")


def _system() -> Finding:
    system, machine = platform.system(), platform.machine().lower()
    ok = system == "Linux" and machine in ("x86_64", "amd64", "aarch64", "arm64")
    remedy = "it has wheels for Linux on x86-64 and aarch64 alone; use such a machine, a container or WSL"
    return Finding("system", ok, f"{system} {machine}", "" if ok else remedy)


def interpreter(wanted: str | None = None) -> str:
    """An interpreter that the toolkit has wheels for: the one that is wanted, this one, or one on the path.

    Raises:
        MissingComponentError: there is none.
        UsageError: the one that is wanted is none of them.
    """
    low, high = (".".join(map(str, v)) for v in PYTHONS)
    if wanted is not None:
        version = _version(wanted)
        if version is None:
            raise UsageError(f"--python {wanted}: it is no Python interpreter that runs")
        if not _fits(version):
            named = ".".join(map(str, version))
            raise UsageError(f"--python {wanted} is Python {named}; the toolkit has wheels for {low} to {high}")
        return wanted
    # The base interpreter: an environment made with that of another environment would break with it.
    candidates = [getattr(sys, "_base_executable", None) or sys.executable]
    candidates += [f"python3.{minor}" for minor in (11, 12, 10, 9)]
    for candidate in candidates:
        if (version := _version(candidate)) is not None and _fits(version):
            return candidate
    raise MissingComponentError(
        f"no Python {low} to {high} on the path; install one, or name it: {COMMAND} --python PATH"
    )


def _fits(version: tuple[int, ...]) -> bool:
    return PYTHONS[0] <= version[:2] <= PYTHONS[1]


def _version(python: str) -> tuple[int, ...] | None:
    code = "import sys, venv; print(*sys.version_info[:3]) if sys.implementation.name == 'cpython' else exit(1)"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return tuple(map(int, done.stdout.split())) if done.returncode == 0 and done.stdout.strip() else None


def _import_problem(made: Environment) -> str:
    """What goes wrong when the toolkit is imported; "" if nothing does."""
    from .child import Crash, probe

    try:
        probe(made)
    except (Crash, GoptError) as error:
        return str(error)
    return ""


def doctor() -> list[Finding]:
    """Look at everything that converting a model needs."""
    findings = [_system()]
    try:
        chosen = interpreter()
        version = ".".join(map(str, _version(chosen) or ()))
        findings.append(Finding("python", True, f"{chosen} ({version})"))
    except MissingComponentError as error:
        findings.append(Finding("python", False, "none that fits", str(error)))
    place, found = folder(), locate()
    if found is None:
        state = "incomplete" if place.exists() else "not there"
        return [*findings, Finding("environment", False, f"{place}: {state}", COMMAND)]
    findings.append(Finding("environment", True, str(found.folder)))
    return [*findings, *_inside(found)]


def _inside(found: Environment) -> Iterator[Finding]:
    """What is in the environment, and whether the toolkit starts."""
    from .child import Crash, probe

    try:
        versions = probe(found)
    except (Crash, GoptError) as error:
        yield Finding("toolkit", False, str(error), f"{COMMAND} --renew")
        return
    for name in ("rknn-toolkit2", "numpy", "onnx", "protobuf", "onnxruntime"):
        version = versions.get(name)
        yield Finding(name, version is not None, version or "not installed", "" if version else f"{COMMAND} --renew")
    torch, asked = versions.get("torch"), found.info.get("torch", "none")
    if torch is None and asked != "none":
        yield Finding("torch", False, f"not installed, though setup was asked for {asked}", f"{COMMAND} --renew")
    else:
        yield Finding("torch", True, torch or "none: quantization by `gdq` needs it (--torch cpu), nothing else does")
