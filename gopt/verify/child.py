"""The process that runs models, as seen from gopt: started early, asked later, never trusted to come back.

A crash, a hang or too much memory ends the child and becomes a `ChildError` here. Its folder for files goes with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

WORKER = ("-P", "-m", "gopt.verify.worker")
_FREE_SHARE = 0.8
_SILENT = {"ORT_DISABLE_TELEMETRY": "1"}  # ONNX Runtime 1.31 and later would tell its maker about models


class ChildError(Exception):
    """The child ended or was ended; the message says how.

    Attributes:
        dims: the sizes that it was trying, if any.
        further: it was trying more than it has to.
    """

    def __init__(self, message: str, dims: dict[str, int] | None = None, further: bool = False) -> None:
        super().__init__(message)
        self.dims, self.further = dims, further


class ChildTimeout(ChildError):
    """The child did not answer in time and was ended."""


class Child:
    """One worker process in a group of its own.

    Attributes:
        folder: a temporary folder that both sides use; removed by `close`, and by the child if gopt itself dies.
    """

    def __init__(self, memory: int | None = None, command: Sequence[str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gopt-verify-"))
        self._started = False
        self._dims: dict[str, int] | None = None
        self._further = False
        self._lines: queue.Queue[str | None] = queue.Queue()
        (self.folder / "data").mkdir()
        package_root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join([package_root, *filter(None, [os.environ.get("PYTHONPATH")])])
        self._errors = (self.folder / "stderr").open("w+b")
        try:
            self._process = subprocess.Popen(
                [*(command or (sys.executable, *WORKER)), str(self.folder), str(memory or default_memory())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=os.environ | {"PYTHONPATH": path, "PYTHONFAULTHANDLER": "", **_SILENT},
                start_new_session=True,  # Ctrl-C is for gopt, which ends the child; kill reaches its children too
                text=True,
                encoding="utf-8",
            )
        except OSError:
            self._errors.close()
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        assert self._process.stdout is not None
        threading.Thread(target=_read, args=(self._process.stdout, self._lines), daemon=True).start()
        self._finalizer = weakref.finalize(self, _dispose, self._process, self._errors, self.folder)

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process.poll() is None

    def send(self, request: dict[str, Any]) -> None:
        """Ask something; `receive` gets the answer."""
        self._dims, self._further = None, False
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, OSError):  # `receive` says what happened to it
            print(json.dumps(request), file=self._process.stdin, flush=True)

    def receive(self, seconds: float, to_start: float = 0.0) -> dict[str, Any]:
        """The next answer; a child that has not started gets `to_start` more seconds for that.

        Raises:
            ChildTimeout: none came in time; the child has been ended.
            ChildError: the child ended.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                more = 0.0 if self._started else to_start
                line = self._lines.get(timeout=max(0.0, deadline + more - time.monotonic()))
            except queue.Empty:
                self.close()
                raise ChildTimeout(f"no answer within {seconds:.3g} s", self._dims, self._further) from None
            if line is None:
                how = self._how_it_ended()
                self.close()
                raise ChildError(how, self._dims, self._further)
            try:
                message = json.loads(line)
            except ValueError:
                continue
            self._started = True
            if message.get("event") == "started":
                continue
            if message.get("event") == "trying":
                self._dims, self._further = message["dims"], bool(message.get("further"))
            else:
                return dict(message)

    def close(self) -> None:
        """End the child and remove its files; may be called again."""
        self._finalizer()

    def _how_it_ended(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        code = self._process.poll()
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip()
        last = said.splitlines()[-1][:200] if said else ""
        if "bad_alloc" in said or "MemoryError" in said or "Cannot allocate memory" in said:
            return "out of memory"
        if code is None:
            return "it closed its output"
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            meaning = _SIGNALS.get(name, name)
            return f"{meaning} ({name})" + (f": {last}" if last and name == "SIGABRT" else "")
        return f"it ended with status {code}" + (f": {last}" if last else "")


_SIGNALS = {
    "SIGSEGV": "segmentation fault",
    "SIGFPE": "arithmetic error",
    "SIGABRT": "aborted",
    "SIGILL": "illegal instruction",
    "SIGBUS": "bus error",
    "SIGKILL": "killed, perhaps for its use of memory",
}


def _read(pipe: IO[str], lines: queue.Queue[str | None]) -> None:
    with contextlib.suppress(ValueError, OSError):  # closed meanwhile
        for line in pipe:
            lines.put(line)
    lines.put(None)


def _dispose(process: subprocess.Popen[str], errors: IO[bytes], folder: Path) -> None:
    """End the process and all that it started, wait for it, remove the folder."""
    if process.poll() is None:
        kill: Callable[[], None] = process.kill
        if hasattr(os, "killpg"):
            kill = lambda: os.killpg(process.pid, signal.SIGKILL)  # noqa: E731
        with contextlib.suppress(OSError):
            kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    for pipe in (process.stdin, process.stdout, errors):
        with contextlib.suppress(OSError, ValueError):
            if pipe is not None:
                pipe.close()
    shutil.rmtree(folder, ignore_errors=True)


_bound: ContextVar[int | None] = ContextVar("bound", default=None)


@contextlib.contextmanager
def bounded(memory: int) -> Iterator[None]:
    """Let children that are started meanwhile, and about which nobody says anything else, use so many bytes."""
    token = _bound.set(memory)
    try:
        yield
    finally:
        _bound.reset(token)


def default_memory() -> int:
    """Bytes that a child may use when nobody says: four fifths of what is free, but never less than 2 GiB."""
    bound = _bound.get()
    if bound is not None:
        return bound
    free = [8 << 30]
    with contextlib.suppress(OSError, ValueError, IndexError, StopIteration):
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        free = [next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))]
    with contextlib.suppress(OSError, ValueError):  # a container's own limit ("max" if it has none)
        group = Path("/sys/fs/cgroup")
        limit, used = (int((group / f"memory.{name}").read_text("ascii")) for name in ("max", "current"))
        free.append(limit - used)
    return max(2 << 30, int(min(free) * _FREE_SHARE))
