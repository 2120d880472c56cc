"""One planted bug: does verification catch it and name it, and is the model that is delivered right?

That the bug is one, and that the result is none, is judged here by running the models in ONNX Runtime on inputs that
verification has not seen; nothing of `gopt.verify` takes part.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

import gopt
from gopt.api import apply
from gopt.frontends.onnx import load, to_bytes

from .inputs import Array, input_sets
from .made import made
from .plant import PLUGIN, Plant

BATCHES = (1, 2, 5)
_ROUNDING = {"float16": 2e-3, "float32": 1e-5, "float64": 1e-12}
"""Error of a delivered model, relative to the largest number of an output, that is put down to rounding."""
_SMALL = 0.1
"""Numbers below this are held against it: a Sigmoid near 0 has errors as if it were near 1."""
_FACTOR = 16
"""The same, as a multiple of how far the original moves with its inputs one rounding error away."""

Sets = Sequence[tuple[str, dict[str, Array]]]


@dataclass(frozen=True)
class Outcome:
    """What came of a planted bug.

    Attributes:
        fired: rewrites that it made.
        error: by how much it changes the model where it shows most.
        caught: verification failed.
        guilty: rules and passes that were left out, in the order in which they were found.
        right: the model that was delivered computes what the original does.
        model: that model is "repaired", the "original", or "as rewritten".
        kept: rewrites in it.
        reason: what was wrong with it, as verification says.
        seconds: of the verified run.
    """

    fired: int
    error: float
    caught: bool
    guilty: tuple[str, ...]
    right: bool
    model: str
    kept: int
    reason: str
    seconds: float

    def names(self, *rules: str) -> bool:
        """True if these rules were found guilty, and no others."""
        return self.caught and set(self.guilty) == set(rules)


def judge(plant: Plant, folder: Path) -> Outcome:
    """Plant a bug in its own model."""
    model = made(plant.graph, plant.opset)
    path = folder / "model.onnx"
    onnx.save(model, path)
    return judge_file(path, plant.passes, sets_for(model, plant), [plant.rule], nan=plant.nan)


def sets_for(model: onnx.ModelProto, plant: Plant) -> Sets:
    """The inputs on which a model is judged."""
    named = {d.dim_param for i in model.graph.input for d in i.type.tensor_type.shape.dim if d.dim_param}
    sizes = {name: plant.sizes.get(name, BATCHES) for name in sorted(named)}
    return list(input_sets(model, sizes, plant.ints, plant.nan))


def judge_file(
    path: Path, passes: str, sets: Sets, rules: Iterable[str], output: Path | None = None, nan: bool = False
) -> Outcome:
    """Run wrong passes on a model, verified; judge what is delivered, and what would be without verification."""
    wrong = load(path)
    _, ledger = apply(wrong, ",".join(rules), plugins=[PLUGIN])
    original = _Reference(path.read_bytes(), sets, nan)
    error = original.error(to_bytes(wrong)) if ledger.entries else 0.0
    output = output or path.with_suffix(".opt.onnx")
    started = time.perf_counter()
    result = gopt.run(path, passes, output=output, plugins=[PLUGIN])
    seconds = time.perf_counter() - started
    repair = result.repair
    return Outcome(
        fired=len(ledger.entries),
        error=error,
        caught=repair is not None,
        guilty=tuple(g.rule for g in repair.guilty) if repair else (),
        right=original.error(output.read_bytes()) == 0,
        model="as rewritten" if repair is None else str(repair.delivered),
        kept=len(result.ledger.entries),
        reason=repair.guilty[0].found.reason if repair and repair.guilty else repair.reason if repair else "",
        seconds=seconds,
    )


class _Reference:
    """What the original gives on each set of inputs on which it runs, and how exact that is."""

    def __init__(self, data: bytes, sets: Sets, nan: bool = False) -> None:
        session = _session(data)
        self.runs: list[tuple[dict[str, Array], list[Any], float]] = []
        for kind, arrays in sets:
            try:
                want = session.run(None, arrays)
                rounding = 0.0 if kind.startswith("halves") else _worst(want, session.run(None, _moved(arrays)))
            except Exception:  # sizes or indices that the model does not take
                continue
            if not nan and not all(_is_finite(value) for value in want):
                continue  # rewrites need not hold where numbers overflow
            least = max((_ROUNDING.get(np.asarray(value).dtype.name, 0.0) for value in want), default=0.0)
            self.runs.append((arrays, want, max(least, _FACTOR * rounding)))
        assert self.runs, "the original runs on none of the inputs"

    def error(self, data: bytes) -> float:
        """The largest error of another model that is no rounding, relative to the largest number of the output.

        Infinite where something else than a number differs.
        """
        try:
            session = _session(data)
            errors = [(_worst(want, session.run(None, arrays)), allowed) for arrays, want, allowed in self.runs]
        except Exception:  # it does not load or run
            return float("inf")
        return max((error for error, allowed in errors if error > allowed), default=0.0)


def _moved(arrays: dict[str, Array]) -> dict[str, Array]:
    """The same, each float one rounding error away."""
    rng = np.random.default_rng(1)
    made = dict(arrays)
    for name, array in arrays.items():
        if isinstance(array, np.ndarray) and array.dtype.kind == "f":
            step = np.finfo(array.dtype).eps * rng.choice([-1, 1], array.shape)
            made[name] = np.asarray(array * (1 + step), array.dtype)
    return made


def _session(data: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _worst(want: list[Any], got: list[Any]) -> float:
    return max((_error(a, b) for a, b in zip(want, got, strict=True)), default=0.0)


def _is_finite(value: Array) -> bool:
    return np.asarray(value).dtype.kind != "f" or bool(np.isfinite(value).all())


def _error(want: Array, got: Array) -> float:
    if want.shape != got.shape or want.dtype != got.dtype:
        return float("inf")
    if not want.size or np.array_equal(want, got, equal_nan=want.dtype.kind == "f"):
        return 0.0
    if want.dtype.kind != "f":
        return float("inf")
    a, b = want.astype(np.float64), got.astype(np.float64)
    if (np.isfinite(a) != np.isfinite(b)).any():
        return float("inf")
    a, b = a[np.isfinite(a)], b[np.isfinite(a)]
    return float(np.max(np.abs(a - b), initial=0.0) / max(np.max(np.abs(a), initial=0.0), _SMALL))
