"""Runs the command line on a case, each command in a process of its own, and judges what it did.

The processes are forks of one that has imported gopt: a start costs milliseconds instead of a second.
"""

from __future__ import annotations

import io
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import onnx

from gopt.cli import main

from .case import Case, sample

SECONDS = 30.0
"""Time that one command may take; 120 s for one that verifies, whose own limit is 5 s."""
MEMORY = 4 << 30
"""Highest resident set of a command, that of a child that verifies included."""
SECRET = b"nobody may read this" * 100
_STATUS = frozenset({0, 2, 3, 4, 5, 6, 7})


@dataclass(frozen=True)
class Outcome:
    """What one command did.

    Attributes:
        status: of its exit; negative if a signal ended it.
        output, errors: what it printed.
        seconds: wall time.
        memory: highest resident set, in bytes.
        wrong: what is wrong about it; "" if nothing is.
    """

    status: int
    output: str
    errors: str
    seconds: float
    memory: int
    wrong: str = ""

    @property
    def kind(self) -> str:
        """What it is counted as."""
        return "FAULT" if self.wrong else {0: "accepted", 5: "accepted"}.get(self.status, f"refused ({self.status})")


def commands(case: Case) -> list[list[str]]:
    """What is run on a case."""
    verify = ["--verify-timeout", "5"] if case.verify else ["--no-verify"]
    return [
        ["run", "m.onnx", "-o", "out.onnx", *verify],
        ["inspect", "m.onnx"],
        ["check", "m.onnx", "--target", "tensorrt", "--level", "static"],
    ]


def judge(case: Case, only: Sequence[str] = ()) -> Iterator[tuple[str, Outcome]]:
    """Run the commands on a case, in a folder made for it; yields the name of each and what it did."""
    with placed(case) as folder:
        for argv in commands(case):
            if not only or argv[0] in only:
                before = _listing(folder.parent)
                outcome = run(argv, folder, 120.0 if argv[0] == "run" and case.verify else SECONDS)
                yield argv[0], _judged(case, argv[0], outcome, folder, before)


@contextmanager
def placed(case: Case) -> Iterator[Path]:
    """The folder of a case's model, with what lies around it."""
    root = Path(tempfile.mkdtemp(prefix="gopt-malformed-"))
    try:
        folder, outside = root / "model", root / "outside"
        folder.mkdir()
        outside.mkdir()
        (outside / "secret.bin").write_bytes(SECRET)
        (folder / "m.onnx").write_bytes(case.data)
        if case.setup is not None:
            case.setup(folder)
        yield folder
    finally:
        shutil.rmtree(root, ignore_errors=True)


@cache
def _warm() -> None:
    """Import what the commands import, so that no fork has to."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        path = Path(folder, "m.onnx")
        path.write_bytes(sample().SerializeToString())
        case = Case("", "", b"", verify=False)
        for argv in commands(case):
            main([str(path) if a == "m.onnx" else str(Path(folder, a)) if a == "out.onnx" else a for a in argv])


def run(argv: Sequence[str], folder: Path, seconds: float) -> Outcome:
    """Run `gopt ARGV` in a fork, with limits."""
    _warm()
    streams = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115  # closed below
    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the tests' own threads are not used in the child
        pid = os.fork()
    if not pid:
        _child(argv, folder, [s.fileno() for s in streams])
    status, memory = _wait(pid, start + seconds)
    spent = time.monotonic() - start
    texts = []
    for stream in streams:
        stream.seek(0)
        texts.append(stream.read().decode("utf-8", "backslashreplace"))
        stream.close()
    wrong = f"it hangs: no end within {seconds:.0f} s" if status is None else ""
    if not wrong and memory > MEMORY:
        wrong = f"it took {memory >> 20} MB"
    return Outcome(-9 if status is None else status, texts[0], texts[1], spent, memory, wrong)


def _child(argv: Sequence[str], folder: Path, streams: list[int]) -> None:
    """The forked process; does not come back."""
    status = 1
    try:
        os.setsid()
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, stream in enumerate(streams, 1):
            os.dup2(stream, number)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(n, m, encoding="utf-8") for n, m in ((0, "r"), (1, "w"), (2, "w"))
        )
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        status = main(list(argv))
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _wait(pid: int, deadline: float) -> tuple[int | None, int]:
    """Exit status (None if it had to be killed) and highest resident set of a process."""
    while time.monotonic() < deadline:
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss << 10
        time.sleep(0.002)
    os.killpg(pid, signal.SIGKILL)
    return None, os.wait4(pid, 0)[2].ru_maxrss << 10


def _judged(case: Case, command: str, outcome: Outcome, folder: Path, before: dict[str, bytes | None]) -> Outcome:
    wrong = outcome.wrong or _fault(case, command, outcome, folder, before)
    (folder / "out.onnx").unlink(missing_ok=True)
    return Outcome(outcome.status, outcome.output, outcome.errors, outcome.seconds, outcome.memory, wrong)


def _fault(case: Case, command: str, outcome: Outcome, folder: Path, before: dict[str, bytes | None]) -> str:
    """What is wrong about what a command did; "" if nothing is."""
    status, errors = outcome.status, outcome.errors
    if status not in _STATUS:
        return f"exit status {status}"
    if "Traceback" in errors or "Traceback" in outcome.output:
        return "a traceback"
    lines = [line for line in errors.splitlines() if not line.startswith("gopt: warning: ")]
    if status in (0, 5):
        if lines:
            return f"it says {lines[0]!r} and succeeds"
        if case.refused:
            return "it is accepted"
    elif len(lines) != 1 or not lines[0].startswith("gopt: error: ") or not lines[0].isprintable():
        return "no single line of error"
    elif case.accepted:
        return f"it is refused: {lines[0]}"
    if any(not line.isprintable() for line in outcome.output.splitlines()):
        return "it prints control characters"
    if SECRET[:20].decode() in outcome.output + errors:
        return "it shows what lies outside"
    after = _listing(folder.parent)
    new = {name for name in after if name not in before}
    allowed = {"model/out.onnx", "model/out.onnx.data"} if command == "run" and status == 0 else set()
    if new - allowed or any(after.get(name) != data for name, data in before.items()):
        return f"it changed files: {sorted(new)}"
    if command == "run" and status == 0:
        return _unsound(folder / "out.onnx")
    return ""


def _unsound(path: Path) -> str:
    """Why a result is none."""
    if not path.is_file():
        return "there is no result"
    data = path.read_bytes()
    if SECRET[:20] in data:
        return "the result holds what lies outside"
    try:
        onnx.load_from_string(data)
    except Exception as error:
        return f"the result cannot be read: {error}"
    return ""


def _listing(folder: Path) -> dict[str, bytes | None]:
    """All files below a folder and their contents; None for what is no regular file."""
    found: dict[str, bytes | None] = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root, name)
            small = path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 22
            found[str(path.relative_to(folder))] = path.read_bytes() if small else None
    return found
