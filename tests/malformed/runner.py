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
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import onnx

from gopt.cli import main

from .case import Case, sample
from .commands import OTHERS, OUT, Command, commands
from .commands import main as main_commands

SECONDS = 30.0
"""Time that one command may take; twice as long for one that verifies, whose own limit is 5 s."""
MEMORY = 256 << 20
"""Highest resident set of a command, and what more a child may have that verifies under a limit of 500 MB."""
VERIFYING = 700 << 20
_PYTHON = 64 << 20  # what a process of its own would begin with
PER_BYTE = 24
"""Memory that a command may take for each byte of the model."""
SECRET = b"nobody may read this" * 100
_STATUS = frozenset({0, 2, 3, 4, 5, 6, 7})


@dataclass(frozen=True)
class Outcome:
    """What one command did.

    Attributes:
        status: of its exit; negative if a signal ended it.
        output, errors: what it printed.
        seconds: wall time.
        memory: highest resident set, in bytes, as of a process of its own.
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


def judge(case: Case, only: Sequence[str] = (), every: bool = False) -> Iterator[tuple[str, Outcome]]:
    """Run the commands on a case, in a folder made for it; yields the name of each and what it did.

    Args:
        case: what to run them on.
        only: names of commands; all that are the case's turn by default.
        every: all other commands, too, not just the one that is the case's turn.
    """
    with placed(case) as folder:
        for command in commands(case, every):
            if not only or command.name in only:
                before = _listing(folder.parent)
                yield command.name, _judged(case, command, folder, before)


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
        (folder / "list.txt").write_text("m.onnx\n")
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
        for command in (*main_commands(Case("", "", b"", verify=False)), *OTHERS[:-3]):
            places = {a: str(Path(folder, a)) for a in ("m.onnx", *OUT, "stages")}
            main([places.get(a, a) for a in command.argv])


def run(argv: Sequence[str], folder: Path, seconds: float) -> Outcome:
    """Run `gopt ARGV` in a fork, with limits."""
    _warm()
    streams = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115  # closed below
    start, inherited = time.monotonic(), _resident()
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
    memory = max(0, memory - inherited) + _PYTHON
    return Outcome(-9 if status is None else status, texts[0], texts[1], spent, memory, wrong)


def _resident() -> int:
    """Bytes that this process has, and that a fork begins with."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


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


def _judged(case: Case, command: Command, folder: Path, before: dict[str, bytes | None]) -> Outcome:
    outcome = run(command.argv, folder, SECONDS * (2 if command.verifies else 1))
    bound = (VERIFYING if command.verifies or case.argv else MEMORY) + PER_BYTE * len(case.data)
    wrong = outcome.wrong or (f"it took {outcome.memory >> 20} MB" if outcome.memory > bound else "")
    wrong = wrong or _fault(case, command, outcome, folder, before)
    for name in command.leaves:
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
        elif f"{folder.name}/{name}" not in before:
            (folder / name).unlink(missing_ok=True)
    return replace(outcome, wrong=wrong)


def _fault(case: Case, command: Command, outcome: Outcome, folder: Path, before: dict[str, bytes | None]) -> str:
    """What is wrong about what a command did; "" if nothing is."""
    wrong = _misbehaved(case, command, outcome)
    after = _listing(folder.parent)
    done = outcome.status == 0 or command.always
    new = {name for name in after if name not in before}
    new -= {n for n in new if done and n.split("/")[0] == folder.name and n.split("/")[1] in command.leaves}
    if new or any(after.get(name) != data for name, data in before.items()):
        return f"it changed files: {sorted(new) or sorted(n for n, d in before.items() if after.get(n) != d)}"
    log = folder / "all" / "m" / "log.txt"
    if log.is_file() and "Traceback" in log.read_text("utf-8", "replace"):
        return f"a traceback in the log: {log.read_text('utf-8', 'replace')[-500:]}"
    if not wrong and outcome.status == 0 and "out.onnx" in command.leaves:
        return _unsound(folder / "out.onnx")
    return wrong


def _misbehaved(case: Case, command: Command, outcome: Outcome) -> str:
    """What is wrong about the status and the texts of a command."""
    status, errors = outcome.status, outcome.errors
    if status not in _STATUS and not (status == 1 and command.always):
        return f"exit status {status}"
    if "Traceback" in errors or "Traceback" in outcome.output:
        return "a traceback"
    lines = [line for line in errors.splitlines() if not line.startswith(("gopt: warning: ", "gopt: note: "))]
    if any(not line.isprintable() for line in (*outcome.output.splitlines(), *errors.splitlines())):
        return "it prints control characters"
    if SECRET[:20].decode() in outcome.output + errors:
        return "it shows what lies outside"
    if command.always:
        return ""
    if status in command.findings or (status == 5 and not lines):
        return f"it says {lines[0]!r} and succeeds" if lines else "it is accepted" if case.refused else ""
    if len(lines) != 1 or not lines[0].startswith("gopt: error: "):
        return f"no single line of error: {lines}"
    main_one = command.name in {"run", "inspect", "check"}
    return f"it is refused: {lines[0]}" if case.accepted and main_one else ""


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
