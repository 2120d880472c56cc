"""Values that a model computes, as a .npz file: in groups, so that they never are in memory all at once."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import analysis
from ..errors import ModelError, UsageError
from ..frontends import onnx as frontend
from ..ir import Array, DType, Model, OptionalType, SequenceType, TensorType, Type, Value
from ..passes.cut.expose import Expose
from ..verify import Limits, Verifier
from .job import quiet_gc

GIGABYTE = 1_000_000_000
_GRACE = 30.0
"""Seconds beyond its own limit that a run may take to load the model and to write."""
_UNKNOWN_WIDTH = 8
_TEXT_WIDTH = 32
"""Bytes that an element counts whose type is not known, and one that is a text."""
_SIZE_RUNS = 64
"""Runs that may be spent on finding sizes; what is not known then is dumped by itself."""


@dataclass(frozen=True, slots=True)
class Dumped:
    """A value in the file.

    Attributes:
        name: of the value; an element of a sequence has its place behind it.
        member: under which it is found in the file: the name, with %XX for what a zip file cannot hold.
        type: of its elements, as numpy calls it; types that numpy lacks are stored as unsigned integers of their width.
        shape: its sizes.
        bytes: that it takes.
    """

    name: str
    member: str
    type: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class Dump:
    """What a run wrote.

    Attributes:
        output: the file.
        values: what is in it, in dataflow order.
        left_out: why other values are not, by name.
        dims: sizes of the model's dynamic dims in that run.
        runs: how many times the model ran for it.
    """

    output: Path
    values: tuple[Dumped, ...]
    left_out: dict[str, str]
    dims: dict[str, int]
    runs: int


def dump(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    select: Expose | None = None,
    *,
    memory: int = GIGABYTE,
    inputs: Mapping[str, Array | str | Path] | None = None,
    dims: Mapping[str, int] | None = None,
    timeout: float = 120.0,
    progress: Callable[[str], None] | None = None,
) -> Dump:
    """Run a model in ONNX Runtime, graph optimizations off, and write values that it computes to a .npz file.

    The model runs once for each group of values that fit into `memory` together, in a process of its own, always on the
    same inputs; random operators draw alike.

    Args:
        model: the file.
        output: the file to write; it appears when it is complete.
        select: which values; the model's outputs by default.
        memory: bytes that the values of one group may have; a larger value is a group of its own.
        inputs: data by name of the input, arrays or .npy files; the rest is random.
        dims: sizes of dynamic dims, by name or `input.axis`; the rest is found by trying.
        timeout: seconds that finding inputs, and each run, may take.
        progress: told what begins.

    Raises:
        ModelError: the file is not there, no valid model, or does not run.
        UsageError: there is no such value or input, or nothing can be written there.
        ResourceError: the process that runs the model crashed, hung or ran out of memory.
        MissingComponentError: ONNX Runtime is not installed.
    """
    tell = progress or (lambda _: None)
    source, target = Path(model), Path(output)
    if not target.parent.is_dir():
        raise UsageError(f"{target}: there is no folder {target.parent}")
    if target.exists() and not target.is_file():
        raise UsageError(f"{target}: it exists and is no regular file")
    with quiet_gc():
        tell("loading")
        values = _selected(frontend.load(source), select)
    limits = Limits(timeout=timeout)
    with (
        Verifier.start(source, inputs=inputs, dims=dims, seeds=1, once=True, limits=limits) as verifier,
        _complete(target) as file,
    ):
        tell("looking for inputs")
        ready = verifier.prepare()
        if not ready.ok:
            raise ModelError(f"{source}: {ready.reason}")
        work = _Work(verifier, file, timeout, tell)
        for group in groups(work.sizes(values), memory):
            work.write(group)
        if not work.values:
            raise ModelError(f"{source}: nothing could be dumped: {next(iter(work.left_out.values()), 'no value')}")
    return Dump(target, tuple(work.values), work.left_out, dict(ready.cases[0]), work.runs)


def groups(sizes: Mapping[str, int | None], memory: int) -> Iterator[list[str]]:
    """Names in groups that fit into `memory`, in order; a value of unknown size is by itself."""
    group: list[str] = []
    total = 0
    for name, size in sizes.items():
        if group and (size is None or total + size > memory):
            yield group
            group, total = [], 0
        group.append(name)
        total += memory + 1 if size is None else size
    if group:
        yield group


class _Work:
    """A dump under way."""

    def __init__(self, verifier: Verifier, file: Path, timeout: float, tell: Callable[[str], None]) -> None:
        self._verifier, self._file, self._timeout, self._tell = verifier, file, timeout, tell
        self.values: list[Dumped] = []
        self.left_out: dict[str, str] = {}
        self.runs = 0
        self._asked = 0

    def sizes(self, values: Sequence[Value]) -> dict[str, int | None]:
        """Bytes of each value in the run to come; None where that is not known."""
        self._tell("finding sizes")
        widths = {v.name: _width(v.type) for v in values}
        counts = {v.name: v.type.size for v in values if isinstance(v.type, TensorType) and v.type.size is not None}
        open_ = [name for name, width in widths.items() if width and name not in counts]
        counts.update(self._counts(open_))
        return {name: counts[name] * width if width and name in counts else None for name, width in widths.items()}

    def _counts(self, names: list[str]) -> dict[str, int]:
        """Elements of tensors; where the run fails, that of each half is asked for."""
        if not names or self._asked >= _SIZE_RUNS:
            return {}
        self._asked += 1
        found: dict[str, int] = self._ask("sizes", names).get("counts", {})
        if found or len(names) == 1:
            return found
        half = len(names) // 2
        return self._counts(names[:half]) | self._counts(names[half:])

    def write(self, names: list[str]) -> None:
        """Append values to the file; where the run fails, each half is tried."""
        self._tell(f"{names[0]} ...")
        self.runs += 1
        answer = self._ask("dump", names)
        if answer.get("ok"):
            for entry in answer["written"]:
                if "why" in entry:
                    self.left_out[entry["name"]] = entry["why"]
                else:
                    self.values.append(Dumped(**entry | {"shape": tuple(entry["shape"])}))
        elif len(names) == 1:
            self.left_out[names[0]] = answer["message"]
        else:
            self.write(names[: len(names) // 2])
            self.write(names[len(names) // 2 :])

    def _ask(self, what: str, names: list[str]) -> dict[str, Any]:
        request = {"do": what, "names": names, "file": str(self._file), "seconds": self._timeout}
        return self._verifier.ask(request, self._timeout + _GRACE)


def _selected(model: Model, select: Expose | None) -> list[Value]:
    analysis.infer(model)
    return list(dict.fromkeys(model.graph.outputs)) if select is None else select.select(model)


def _width(type_: Type | None) -> int:
    """Bytes that an element counts; 0 for what is no tensor."""
    if isinstance(type_, TensorType):
        return _TEXT_WIDTH if type_.dtype is DType.STRING else max(1, type_.dtype.bits // 8)
    return 0 if isinstance(type_, (SequenceType, OptionalType)) else _UNKNOWN_WIDTH


@contextmanager
def _complete(target: Path) -> Iterator[Path]:
    """A file beside `target` that takes its place when all went well, and goes if not."""
    made = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        yield made
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)
