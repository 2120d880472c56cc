"""NVIDIA's parser and builder, in a child process: it may crash, hang or exhaust the memory without harm."""

from __future__ import annotations

import importlib.util
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from ...errors import ResourceError

PYTHON = "GOPT_TENSORRT_PYTHON"
"""Environment variable that names another interpreter, one which has TensorRT."""
RTX = "tensorrt_rtx"
FULL = "tensorrt"
ADVICE = f"pip install tensorrt-rtx lets NVIDIA's own builder judge, without a GPU (or name a Python by {PYTHON})"
_WORKER = Path(__file__).with_name("worker.py")


@dataclass(slots=True)
class Stage:
    """What the parser or the builder said.

    Attributes:
        name: parsed or built.
        ok: it took the model.
        errors: what it complained of: node, op, text and more.
        facts: layers, bytes, seconds.
    """

    name: str
    ok: bool
    errors: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def interpreter() -> str:
    """The Python that TensorRT is asked in."""
    return os.environ.get(PYTHON) or sys.executable


def module_for(major: str) -> str:
    """The package that can judge for a TensorRT: the full one of that version, or else TensorRT for RTX; "" if none."""
    if os.environ.get(PYTHON):
        names = _elsewhere(os.environ[PYTHON])
    else:
        names = {name: _version(name) for name in (FULL, RTX) if importlib.util.find_spec(name) is not None}
    if major and names.get(FULL, "").split(".")[0] == major:
        return FULL
    return RTX if RTX in names else ""


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return ""


_asked: dict[str, dict[str, str]] = {}


def _elsewhere(python: str) -> dict[str, str]:
    """Which of the packages another interpreter has."""
    if python not in _asked:
        code = (
            "import importlib.util as u, importlib.metadata as m, json\n"
            f"print(json.dumps({{n: m.version(n) for n in {(FULL, RTX)!r} if u.find_spec(n)}}))"
        )
        try:
            done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=True)
            _asked[python] = json.loads(done.stdout)
        except (OSError, subprocess.SubprocessError, ValueError):
            _asked[python] = {}
    return _asked[python]


class Builder:
    """A child that parses and builds one model after the other.

    Attributes:
        module: the package that it imports.
        version: of that package, once it has answered.
    """

    def __init__(self, module: str) -> None:
        self.module = module
        self.version = ""
        self._child: subprocess.Popen[str] | None = None
        self._answers = -1

    def __enter__(self) -> Builder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(
        self,
        model: Path,
        level: str,
        *,
        profile: Mapping[str, Sequence[Sequence[int]]] | None = None,
        values: Mapping[str, Sequence[Sequence[int]]] | None = None,
        strong: bool = True,
        capability: Sequence[str] = (),
        workspace: int = 0,
        timeout: float = 600.0,
    ) -> list[Stage]:
        """Parse a model, and build it if the level says so; the last stage tells how far it came.

        A crash of the child is a stage that failed.

        Args:
            model: the ONNX file.
            level: parsed or built.
            profile: the smallest, usual and largest shape of inputs with dynamic dims.
            values: the smallest, usual and largest elements of inputs that hold sizes.
            strong: take every type as the model has it.
            capability: compute capabilities to build for.
            workspace: bytes of scratch memory; 0 for the builder's default.
            timeout: seconds.

        Raises:
            ResourceError: the time was up.
        """
        job = {
            "model": str(model),
            "module": self.module,
            "level": level,
            "profile": {name: [list(s) for s in shapes] for name, shapes in (profile or {}).items()},
            "values": {name: [list(s) for s in elements] for name, elements in (values or {}).items()},
            "strong": strong,
            "capability": list(capability),
            "workspace": workspace,
        }
        child = self._started()
        assert child.stdin is not None
        stages: list[Stage] = []
        try:
            child.stdin.write(json.dumps(job) + "\n")
            child.stdin.flush()
            for event in self._events(timeout):
                if event.get("end"):
                    self.version = event["version"]
                    return stages
                stages.append(_stage(event))
        except BrokenPipeError:
            pass  # the child died before it read the job: told below, with its status
        except ResourceError:
            self.close()
            raise
        code = self._ended()
        name = "parsed" if not stages else "built"
        text = f"{self.module} crashed (status {code}) while it {'parsed' if name == 'parsed' else 'built'} the model"
        stages.append(Stage(name, False, [{"text": text, "node": "", "crash": True}]))
        return stages

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._ended()

    def _started(self) -> subprocess.Popen[str]:
        if self._child is None:
            self._answers, theirs = os.pipe()
            # What native code prints is not for the terminal: the errors come as events.
            self._child = subprocess.Popen(
                [interpreter(), str(_WORKER), str(theirs)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs],
                text=True,
            )
            os.close(theirs)
            self._rest = b""
        return self._child

    def _ended(self) -> int:
        child, self._child = self._child, None
        if child is None:
            return 0
        if child.stdin is not None:
            child.stdin.close()
        code = child.wait()
        os.close(self._answers)
        return code

    def _events(self, timeout: float) -> Iterator[dict[str, Any]]:
        """Lines of the child until it says that it is done, or is gone.

        Raises:
            ResourceError: the time was up.
        """
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while True:
                while b"\n" in self._rest:
                    line, _, self._rest = self._rest.partition(b"\n")
                    event = json.loads(line)
                    yield event
                    if event.get("end"):
                        return
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise ResourceError(f"{self.module} was not done with the model after {timeout:g} s")
                data = os.read(self._answers, 1 << 16)
                if not data:
                    return
                self._rest += data


def _stage(event: dict[str, Any]) -> Stage:
    facts: dict[str, Any] = {name: event[name] for name in ("layers", "bytes", "seconds") if name in event}
    return Stage(event["stage"], event["ok"], event["errors"], facts)
