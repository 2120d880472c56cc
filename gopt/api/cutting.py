"""A model in stages: each a file, and a manifest that says what they take and give."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import analysis
from ..errors import UsageError, VerificationError
from ..frontends import onnx as frontend
from ..ir import Array, Model
from ..passes import run_pipeline
from ..passes.cut.extract import Extract
from ..passes.cut.stages import Stage, stages_at, stages_balanced
from .job import quiet_gc

if TYPE_CHECKING:
    from ..verify import Verification

MANIFEST = "stages.json"


@dataclass(frozen=True, slots=True)
class StageFile:
    """A stage that was written.

    Attributes:
        file: its name in the folder.
        inputs: inputs of the model and results of stages before that it takes.
        outputs: outputs of the model, then what later stages take.
        ops: how many ops it consists of, those in bodies and functions not counted.
        bytes: of its file, and of its external data.
        verification: how it compares with the model; None if that was not asked for.
    """

    file: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ops: int
    bytes: int
    verification: Verification | None

    def to_json(self) -> dict[str, Any]:
        """Plain data for the manifest and for `--json`."""
        return {"file": self.file, "inputs": list(self.inputs), "outputs": list(self.outputs), "ops": self.ops}


@dataclass(frozen=True, slots=True)
class Split:
    """A model in stages.

    Attributes:
        folder: where they lie.
        inputs, outputs: of the whole.
        stages: in the order in which they run.
    """

    folder: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    stages: tuple[StageFile, ...]


def split(
    model: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    at: Sequence[Sequence[str]] = (),
    stages: int = 0,
    force: bool = False,
    verify: bool = True,
    inputs: Mapping[str, Array | str | Path] | None = None,
    dims: Mapping[str, int] | None = None,
    timeout: float = 120.0,
    progress: Callable[[str], None] | None = None,
) -> Split:
    """Write a model as stages which, run in order with values handed on by name, compute what it computes.

    Args:
        model: the file.
        folder: where `stage-1.onnx` ... and `stages.json` are written; it appears when it is complete.
        at: a list of names for each cut but the last end of the model.
        stages: instead, how many stages to make, at places found in the graph.
        force: replace a folder of stages.
        verify: run each stage on what the model computes for it, and compare.
        inputs, dims, timeout: as of `run`.
        progress: told what begins.

    Raises:
        ModelError: the file is not there or no valid model.
        UsageError: there is no such value, a stage would be empty, or the folder exists.
        VerificationError: a stage computes something else; nothing is written.
        OSError: it cannot be written.
    """
    if bool(at) == bool(stages):
        raise UsageError("a model is split either at named values or into a number of stages")
    source, target = Path(model), Path(folder)
    tell = progress or (lambda _: None)
    with quiet_gc(), ExitStack() as stack:
        tell("loading")
        whole = frontend.load(source)
        _check_folder(target, source, force)
        analysis.infer(whole)
        planned = stages_at(whole, at) if at else stages_balanced(whole, stages)
        verifier = None
        if verify:
            from ..verify import Limits, Verifier

            limits = Limits(timeout=timeout)
            verifier = stack.enter_context(
                Verifier.start(source, inputs=inputs, dims=dims, limits=limits, new_interface=True)
            )
        made = stack.enter_context(_folder_beside(target))
        files = []
        for number, stage in enumerate(planned, 1):
            tell(f"stage {number} of {len(planned)}")
            name = f"stage-{number:0{len(str(len(planned)))}}.onnx"
            frontend.save(_part(source, stage), made / name)
            found = None if verifier is None else verifier.check(made / name, exact=True)
            if found is not None and found.status == "failed":
                raise VerificationError(f"stage {number}: {found.summary()}; nothing was written")
            size = sum(file.stat().st_size for file in made.glob(f"{name}*"))
            files.append(StageFile(name, stage.inputs, stage.outputs, stage.ops, size, found))
        ports = [tuple(v.name for v in vs) for vs in (whole.graph.inputs, whole.graph.outputs)]
        result = Split(target, ports[0], ports[1], tuple(files))
        (made / MANIFEST).write_text(json.dumps(manifest(source, result), indent=2) + "\n", encoding="utf-8")
    return result


def manifest(model: Path, result: Split) -> dict[str, Any]:
    """What `stages.json` holds."""
    return {
        "model": model.name,
        "inputs": list(result.inputs),
        "outputs": list(result.outputs),
        "stages": [stage.to_json() for stage in result.stages],
    }


def _part(source: Path, stage: Stage) -> Model:
    part = frontend.load(source)
    run_pipeline(part, [Extract(stage.inputs, stage.outputs)])
    return part


def _check_folder(target: Path, source: Path, force: bool) -> None:
    """See that a folder of stages may be put there.

    Raises:
        UsageError: something is there that must not be replaced.
    """
    if not target.parent.is_dir():
        raise UsageError(f"{target}: there is no folder {target.parent}")
    if not target.exists() and not target.is_symlink():
        return
    if not target.is_dir() or target.is_symlink():
        raise UsageError(f"{target} exists and is no folder")
    names = [entry.name for entry in target.iterdir()]
    if not names:
        return
    if not force:
        raise UsageError(f"{target} exists; --force replaces a folder of stages")
    if MANIFEST not in names or not all(name == MANIFEST or name.startswith("stage-") for name in names):
        raise UsageError(f"{target} holds other things than stages: it is not replaced")
    if source.resolve().is_relative_to(target.resolve()):
        raise UsageError(f"{target} holds the input")


@contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    """A new folder that takes the place of `target` when all went well, and goes if not."""
    mark = secrets.token_hex(4)
    made, old = (target.with_name(f".{target.name}.{mark}{kind}") for kind in ("", ".old"))
    made.mkdir()
    try:
        yield made
        if target.exists():
            target.rename(old)
            try:
                made.rename(target)
            except OSError:
                old.rename(target)
                raise
        else:
            made.rename(target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
