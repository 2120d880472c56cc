"""Many models, each in a process of its own: a crash, a hang or an error ends one and never the rest."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import ExitCode, ModelError, UsageError

STATES = {
    ExitCode.OK: "ok",
    ExitCode.USAGE: "usage",
    ExitCode.BAD_INPUT: "bad input",
    ExitCode.VERIFICATION: "differs",
    ExitCode.ILLEGAL_FOR_TARGET: "refused",
    ExitCode.RESOURCE_LIMIT: "limit",
    ExitCode.MISSING_COMPONENT: "missing",
}
_RESULT = "result.json"
_PACKAGE = str(Path(__file__).resolve().parents[2])


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the list: the model, its own options, and the name of its folder."""

    model: Path
    options: tuple[str, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a model.

    Attributes:
        name: of its folder.
        model: the file.
        command: the arguments of `gopt`, by which a second call sees whether anything has changed.
        digest: size and time of the model's file.
        status: the exit status; negative for a signal, None if the time was up.
        state: the same in a word.
        seconds: that it took.
        summary: the line that says most.
    """

    name: str
    model: str
    command: tuple[str, ...]
    digest: str
    status: int | None
    state: str
    seconds: float
    summary: str

    def as_dict(self) -> dict[str, Any]:
        """The same in plain types."""
        return asdict(self)


def read_list(path: Path) -> list[Item]:
    """Read a list of models; paths are relative to its folder.

    Raises:
        ModelError: the list is not there.
        UsageError: a line is malformed.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from None
    items: list[Item] = []
    used: set[str] = set()
    for number, line in enumerate(lines, 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise UsageError(f"{path}:{number}: {error}") from None
        if not words:
            continue
        model = path.parent / words[0]
        stem = "".join(c if c.isprintable() else "_" for c in model.stem).strip(".") or "model"
        name, count = stem, 1
        while name in used:
            count += 1
            name = f"{stem}-{count}"
        used.add(name)
        items.append(Item(model, tuple(words[1:]), name))
    if not items:
        raise UsageError(f"{path}: it names no model")
    return items


def run(
    models: Path,
    output: Path,
    options: Sequence[str] = (),
    *,
    timeout: float = 1800.0,
    again: bool = False,
    tell: Callable[[str], None] | None = None,
) -> list[Done]:
    """Run `gopt run` on each model of a list.

    Args:
        models: the list.
        output: a folder; each model gets one in it.
        options: of `gopt run`, for all models; those of a line come behind.
        timeout: seconds per model.
        again: do what went well before, too.
        tell: is told which model begins.

    Raises:
        ModelError: the list is not there.
        UsageError: a line is malformed, or `output` is no folder.
    """
    items = read_list(models)
    if output.exists() and not output.is_dir():
        raise UsageError(f"output {output}: it exists and is no folder")
    results: list[Done] = []
    for number, item in enumerate(items, 1):
        place = output / item.name
        place.mkdir(parents=True, exist_ok=True)
        command = ("run", str(item.model), *options, *item.options)
        before = None if again or not _result(item, command, place).exists() else _before(place, command, item.model)
        if before is None:
            if tell is not None:
                tell(f"{number} of {len(items)}: {item.model}")
            before = _one(item, command, place, timeout)
            _write(place / _RESULT, before.as_dict())
        results.append(before)
        # After each model, so that what is known is there whenever somebody looks, or the machine stops.
        _write(output / "summary.json", {"results": [r.as_dict() for r in results], "of": len(items)})
    return results


def _before(place: Path, command: Sequence[str], model: Path) -> Done | None:
    """What came of the same command on the same file in an earlier call, if that went well."""
    try:
        data = json.loads((place / _RESULT).read_text(encoding="utf-8"))
        found = Done(**{**data, "command": tuple(data["command"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    same = found.command == tuple(command) and found.digest == _digest(model)
    return found if same and found.status == 0 else None


def _digest(model: Path) -> str:
    try:
        about = model.stat()
    except OSError:
        return ""
    return f"{about.st_size}-{about.st_mtime_ns}"


def _result(item: Item, command: Sequence[str], place: Path) -> Path:
    """What a model becomes: a folder for a target, else a file."""
    to_target = any(word == "--target" or word.startswith("--target=") for word in command)
    return place / "result" if to_target else place / f"{item.name}.opt.onnx"


def _one(item: Item, command: Sequence[str], place: Path, timeout: float) -> Done:
    """Run one model; all that is said goes to the log."""
    # -P: a module that lies where the caller stands, as a stranger's model may, is not imported.
    arguments = [sys.executable, "-P", "-m", "gopt", *command, "-o", str(_result(item, command, place)), "--force"]
    started = time.monotonic()
    log = place / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([_PACKAGE, *filter(None, [os.environ.get("PYTHONPATH")])])},
        )
        try:
            status: int | None = process.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
    spent = round(time.monotonic() - started, 2)
    text = log.read_text(encoding="utf-8", errors="replace")
    summary = f"no end within {timeout:g} s" if status is None else _summary(text)
    return Done(item.name, str(item.model), tuple(command), _digest(item.model), status, _state(status), spent, summary)


def _state(status: int | None) -> str:
    if status is None:
        return "time"
    if status < 0:
        return "died"
    return STATES.get(status, "failed")  # type: ignore[call-overload, no-any-return]


def _summary(text: str) -> str:
    """The line of the log that says most: the error, else what the target said, else the verification."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for wanted in _wanted():
        found = [place for place, line in enumerate(lines) if wanted(line)]
        if found:
            line, following = lines[found[-1]], lines[found[-1] + 1 : found[-1] + 2]
            # What is in the way stands in the next line.
            return f"{line}: {following[0]}" if "in the way" in line.rpartition("after:")[2] and following else line
    return lines[-1] if lines else ""


def _wanted() -> Iterator[Callable[[str], bool]]:
    yield lambda line: line.startswith("gopt: error:")
    yield lambda line: line.startswith("before:")
    yield lambda line: line.startswith("verified:")


def _write(path: Path, data: dict[str, Any]) -> None:
    made = path.with_name(path.name + ".new")
    made.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    made.replace(path)
