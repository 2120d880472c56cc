"""The toolkit in a process of its own, one per model, under a time limit: it crashes and hangs on real models.

What the worker (`worker.py`) did is read from its events and its log; a crash becomes a `Crash` that names the phase
and, where the log tells, the node that the toolkit was at.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import GoptError, ResourceError
from ...ir import Array
from .environment import Environment
from .log import Log, read

WORKER = Path(__file__).with_name("worker.py")
PROBED = ("rknn-toolkit2", "numpy", "onnx", "protobuf", "onnxruntime", "torch", "opencv-python-headless", "setuptools")
# Variables that would lead the toolkit's interpreter to packages of ours.
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSTARTUP")


class Crash(GoptError):
    """The toolkit failed on a model.

    Attributes:
        phase: what it was doing: import, config, load, build, export, runtime, inference, analysis.
        reason: what it said, or how it died.
        node: the node that it was at, "" if the log does not tell.
        log: what it said until then.
        died: it ended by a signal, and not by an error.
    """

    def __init__(self, phase: str, reason: str, node: str = "", log: str = "", died: bool = False) -> None:
        where = f", at {node}" if node else ""
        super().__init__(f"the toolkit failed in phase {phase}{where}: {reason}")
        self.phase, self.reason, self.node, self.log, self.died = phase, reason, node, log, died


@dataclass(frozen=True, slots=True)
class Conversion:
    """What the toolkit is asked to do with a model.

    Attributes:
        model: the ONNX file.
        config: arguments of RKNN.config.
        load: arguments of RKNN.load_onnx beside the model.
        build: arguments of RKNN.build.
        output: where the result goes; None: nowhere.
        feeds: inputs for the simulator, in the model's order, each set to be run once.
        plain_names: give the values names without odd characters, which the toolkit cannot take apart.
        analysis: files with inputs for the comparison layer by layer, and the folder it writes to; None: no such thing.
    """

    model: Path
    config: Mapping[str, Any]
    build: Mapping[str, Any]
    load: Mapping[str, Any] = field(default_factory=dict)
    output: Path | None = None
    feeds: Sequence[Sequence[Array]] = ()
    analysis: tuple[list[Path], Path] | None = None
    plain_names: bool = False


@dataclass(slots=True)
class Outcome:
    """What a conversion gave.

    Attributes:
        log: what the log tells.
        text: the log itself.
        seconds: by phase.
        results: outputs of the simulator, per set of inputs.
    """

    log: Log
    text: str
    seconds: dict[str, float]
    results: list[list[Array]] = field(default_factory=list)


def convert(
    environment: Environment,
    conversion: Conversion,
    *,
    timeout: float = 600.0,
    memory: int | None = None,
) -> Outcome:
    """Convert a model, and run the simulator on inputs.

    Args:
        environment: the toolkit's.
        conversion: what is wanted.
        timeout: seconds for all of it.
        memory: bytes that the toolkit may allocate; None: no limit.

    Raises:
        Crash: the toolkit failed.
        ResourceError: the time was up.
    """
    with tempfile.TemporaryDirectory(prefix="gopt-rknn-") as name:
        place = Path(name)
        job: dict[str, Any] = {
            "do": "convert",
            "model": str(conversion.model.resolve()),
            "config": dict(conversion.config),
            "load": dict(conversion.load),
            "build": dict(conversion.build),
            "output": None if conversion.output is None else str(conversion.output.resolve()),
            "memory": memory,
            "plain_names": conversion.plain_names,
            "inputs": [],
        }
        for number, feed in enumerate(conversion.feeds):
            arrays, results = place / f"feed_{number}.npz", place / f"results_{number}.npz"
            # An array of no dims is given as one of one element: the toolkit knows no others.
            named: dict[str, Any] = {f"input_{i}": np.atleast_1d(a) for i, a in enumerate(feed)}
            np.savez(arrays, **named)
            job["inputs"].append({"arrays": str(arrays), "results": str(results)})
        if conversion.analysis is not None:
            inputs, folder = conversion.analysis
            job["analysis"] = {"inputs": [str(p.resolve()) for p in inputs], "folder": str(folder.resolve())}
        events, text = work(environment, job, place, timeout)
        outcome = Outcome(read(text), text, _seconds(events))
        outcome.results = [_results(Path(feed["results"])) for feed in job["inputs"]]
        return outcome


def probe(environment: Environment, *, timeout: float = 120.0) -> dict[str, str | None]:
    """Versions of what is installed there, once the toolkit was imported.

    Raises:
        Crash: it cannot be.
        ResourceError: the time was up.
    """
    with tempfile.TemporaryDirectory(prefix="gopt-rknn-") as name:
        events, _ = work(environment, {"do": "probe", "packages": list(PROBED)}, Path(name), timeout)
    found: dict[str, str | None] = {}
    for event in events:
        found.update(event.get("versions", {}))
    return found


def read_images(
    environment: Environment, wanted: Sequence[tuple[Path, tuple[int, ...], bool]], *, timeout: float = 60.0
) -> list[Array]:
    """Pictures as the toolkit reads them for calibration: sizes changed to those of the input, NCHW, 0 to 255.

    Args:
        environment: the toolkit's; its image library reads them.
        wanted: files, the shape [N,C,H,W] that each is to have, and whether blue comes first.
        timeout: seconds.

    Raises:
        Crash: one is no picture.
        ResourceError: the time was up.
    """
    with tempfile.TemporaryDirectory(prefix="gopt-rknn-") as name:
        results = Path(name) / "images.npz"
        images = [{"file": str(file.resolve()), "shape": list(shape), "bgr": bgr} for file, shape, bgr in wanted]
        work(environment, {"do": "images", "images": images, "results": str(results)}, Path(name), timeout)
        return _results(results)


def work(
    environment: Environment, job: dict[str, Any], place: Path, timeout: float
) -> tuple[list[dict[str, Any]], str]:
    """Run the worker; returns its events and its log."""
    events, log, file = place / "events", place / "log", place / "job.json"
    scratch = place / "scratch"  # the toolkit writes files into the folder that it stands in
    scratch.mkdir()
    job = {**job, "no_torch": environment.info.get("torch") == "none"}
    file.write_text(json.dumps({**job, "events": str(events)}), encoding="utf-8")
    variables = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    # Temporary files of a process that crashed would stay for ever.
    variables |= {"TMPDIR": str(scratch), "PYTHONDONTWRITEBYTECODE": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(environment.python), "-u", str(WORKER), str(file)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=scratch,
            env=variables,
            start_new_session=True,
        )
        with _ended(process):
            try:
                status: int | None = process.wait(timeout)
            except subprocess.TimeoutExpired:
                status = None
    found = list(_events(events))
    text = log.read_text(encoding="utf-8", errors="replace")
    if status is None:
        node = suspect(text)
        at = f", at {node}" if node else ""
        raise ResourceError(f"the toolkit took more than {timeout:g} s; it was in phase {_phase(found)}{at}")
    if status != 0 or not found or found[-1].get("state") != "done":
        raise _crash(status, found, text)
    return found, text


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """See to it that nothing of the process's group outlives the block."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _events(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # the process died while it wrote the line
            return


def _phase(events: list[dict[str, Any]]) -> str:
    """The phase that was begun last."""
    return next((str(e["phase"]) for e in reversed(events) if e.get("state") == "begin"), "start")


def _seconds(events: list[dict[str, Any]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for event in events:
        if event.get("state") == "end":
            found[event["phase"]] = found.get(event["phase"], 0.0) + event["seconds"]
    return found


def _results(path: Path) -> list[Array]:
    with np.load(path, allow_pickle=False) as data:
        return [data[f"output_{place}"] for place in range(len(data.files))]


def _crash(status: int, events: list[dict[str, Any]], text: str) -> Crash:
    phase = _phase(events)
    node = suspect(text)
    failed = next((e for e in reversed(events) if e.get("state") == "failed"), None)
    if failed is not None:
        said = essence(str(failed["message"]).removeprefix(f"{phase}: "), text)
        return Crash(phase, said, node or suspect(str(failed["message"])), text)
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return Crash(phase, f"it died of {name}", node, text, died=True)
    return Crash(phase, essence(f"it ended with status {status}", text), node, text, died=True)


_ERROR_LINE = re.compile(r"^(?:E |\w*Error: |ValueError: |.*\bError: )(?:RKNN: \[[\d:.]+\] |\w+: )?(?P<said>.*)$")


def essence(message: str, text: str) -> str:
    """The line of a traceback, or of the log, that says what was wrong."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if len(lines) > 1:
        errors = [line for line in lines if re.match(r"[\w.]*(?:Error|Exception)\b: ?", line)]
        # The first line is our own with the type of the error, its tail the beginning of the traceback.
        return (errors[1:] or errors or lines)[-1]
    said = [m["said"] for line in text.splitlines()[-80:] if (m := _ERROR_LINE.match(_plain(line))) and m["said"]]
    serious = [s for s in said if "Unkown op target: 0" not in s]
    return f"{message} ({serious[-1]})" if serious and lines else message


def _plain(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


# How an error names the node that it is about: as Type('name'), or as a name in quotes.
_QUOTED = re.compile(r"(?:\b[A-Z]\w+\(|\b(?:[Oo]p|[Nn]ode)(?: name)?\s*[:=]?\s*\[?)['\"](?P<node>[^'\"]+)['\"]")
# The toolkit lists the ops that one of its rewrites was at when it failed.
_LISTED = re.compile(r"^Op name: (?P<node>.+?)\s*$")
_TAIL = 80


def suspect(text: str) -> str:
    """The node that the last lines of a log name, "" if they name none."""
    lines = _plain(text).splitlines()[-_TAIL:]
    for line in reversed(lines):
        if re.match(r"E |\S*Error\b", line) and (found := _QUOTED.search(line)):
            return found["node"]
    return next((found["node"] for line in lines if (found := _LISTED.match(line))), "")
