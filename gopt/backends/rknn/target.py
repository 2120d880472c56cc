"""Rockchip's NPUs as a target: what `gopt check` and `gopt run --target rknn` ask."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from ...errors import GoptError, MissingComponentError, ResourceError, UsageError
from ...ir import Array, Model, TensorType, Value
from ..base import STATIC, Blocker, Sampler, Target, Verdict
from .calibration import first_sample
from .child import Crash
from .convert import Candidate, Sample, Settings, analyze, attempt, choose, no_kernel
from .environment import COMMAND, Environment, find, locate
from .legal import blockers
from .options import OPTIONS, settings, source_of
from .package import agree, write_package
from .platforms import INT8
from .sources import Source

_WRONG = "output {}: the simulator computes something else than ONNX Runtime (cosine {:.4f}, scaled error {:.2g})"
_NOTHING = (
    "the simulator was compared with nothing: the model that was given does not run on the inputs made for it; "
    "--inputs NAME=FILE.npy gives it others"
)
_IN_FLOATS = "lower.quantized.dynamic:to=float,lower.quantized.lstm,npu.quantized.floats"
CONVERTED, SIMULATED = "converted", "simulated"
_PATIENCE, _SLOWER = 60.0, 5.0
"""Seconds that the original has at least, once the optimized graph is converted; and how many times as long as that."""
ORIGINAL, OPTIMIZED = "original", "optimized"
INTERFACE = "other inputs or outputs than the model had"


class RKNN(Target):
    """Rockchip NPUs, by rknn-toolkit2.

    Attributes:
        settings: what the options say.
        source: the source file that was named.
        candidates: what was converted, once `prove` has run.
        chosen: the best of them; None before, or if none converted.
        renewed: inputs and outputs that are others than those of the model that was given, and what that asks for.
    """

    name = "rknn"
    title = "Rockchip RKNN"
    preset = "rknn"
    levels = (STATIC, CONVERTED, SIMULATED)
    # The toolkit knows GELU by its factors: where one has moved into the weights around, Erf is left alone, on the CPU.
    # Transposes of six dims risk more (sizes beyond the NPU's registers) than SpaceToDepth on the CPU costs.
    # Integers are clipped on the CPU, but the smaller of two has no kernel there; TensorRT wants it the other way.
    skips = (
        "fuse.factors",
        "fuse.conv.scale_before",
        "npu.movement.space_to_depth",
        "lower.types.clip",
        "lower.types.relu",
    )
    options: ClassVar[Mapping[str, str]] = OPTIONS

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        super().__init__(given)
        self.settings: Settings = settings(self.given)
        self.source: Source | None = source_of(self.given)
        self.candidates: list[Candidate] = []
        self.chosen: Candidate | None = None
        self.renewed: dict[str, str] = {}
        self._original: tuple[Path, Model] | None = None
        self._sampler: Sampler | None = None
        self._level_asked = ""
        self._kept: tempfile.TemporaryDirectory[str] | None = None

    def meet(self, path: Path, model: Model, sampler: Sampler) -> None:
        """Be told of the model that the person gave, and of a way to learn what it computes.

        Args:
            path: the file.
            model: what it holds, with inferred types.
            sampler: takes sizes of the inputs by name; gives inputs and what ONNX Runtime computes from them, or None.
        """
        self._original, self._sampler = (path, model), sampler

    @property
    def approximates(self) -> bool:
        """True where what was quantized is to be computed in floats."""
        return self.given.get("quantized") == "float"

    def pipeline(self) -> str:
        """The preset, with what was quantized in floats before if that is asked for."""
        first = f"@default,{_IN_FLOATS}," if self.approximates else ""
        return f"{first}@{self.preset}"

    def check(self, model: Model) -> list[Blocker]:
        """What of a model with inferred types the toolkit or the chip does not take, by gopt's own tables."""
        return blockers(model, self.settings.platform)

    def available(self) -> tuple[str, str]:
        """All levels, if the toolkit's environment is there."""
        if locate() is None:
            return STATIC, f"`{COMMAND}` makes the environment in which the toolkit runs"
        return SIMULATED, ""

    def level(self, wanted: str) -> str:
        """The level that is meant; as far as possible by default.

        Raises:
            UsageError: there is no such level.
        """
        self._level_asked = wanted
        return super().level(wanted)

    def prove(self, model: Model, path: Path, level: str, timeout: float) -> Verdict:
        """Convert the model, and the one that it came from; keep the better; run the simulator.

        Raises:
            MissingComponentError: the toolkit's environment is not there, or lacks PyTorch for gdq.
            ResourceError: the time was up.
            ModelError: the source file says something else than the model.
            UsageError: there is nothing to calibrate with, or mean and std are others than the input's channels.
        """
        self.candidates, self.chosen = [], None
        found = self.check(model)
        if found or level == STATIC:
            return Verdict("" if found else STATIC, STATIC, found, self._renewed(model))
        if self.settings.dtype == INT8 and self.settings.dataset is None:
            raise UsageError("dtype int8 needs a dataset: a text file that names calibration images or .npy files")
        agree(self.source, self.settings, model)
        environment = find()
        if self.settings.algorithm == "gdq" and environment.info.get("torch") == "none":
            raise MissingComponentError(f"quantization by gdq needs PyTorch in the environment: {COMMAND} --torch cpu")
        data = first_sample(self.settings, model, environment) if self.settings.dtype == INT8 else {}
        sample = self._sample(model, data) if level == SIMULATED else None
        self._kept = tempfile.TemporaryDirectory(prefix="gopt-rknn-")
        self.candidates = self._worth_trying(model, path)
        limit = timeout
        for candidate in reversed(self.candidates):
            began = time.monotonic()
            attempt(environment, candidate, self.settings, self._place(candidate), sample, limit)
            if candidate.outcome is not None:
                # Where the toolkit takes ever longer over the other graph, there is nothing to be gained by waiting.
                limit = min(timeout, max(_PATIENCE, _SLOWER * (time.monotonic() - began)))
        self.chosen = self._preferred()
        verdict = self._verdict(level, environment)
        verdict.facts |= self._renewed(model)
        if self.given.get("per-layer") == "true" and self.chosen is not None and sample is not None:
            try:
                analyze(environment, self.chosen, self.settings, sample, Path(self._kept.name), timeout)
            except GoptError as error:  # the model is converted all the same
                verdict.facts["per layer"] = f"no comparison layer by layer: {error}"
        return verdict

    def _sample(self, model: Model, data: Mapping[str, Array]) -> Sample | None:
        """What the model that was given computes, of calibration data if it runs on them."""
        if self._sampler is None or self._original is None:
            return None
        types = {value.name: value.type for value in self._original[1].graph.inputs}
        cast = {
            name: array.astype(type_.dtype.numpy)
            for name, array in data.items()
            if isinstance(type_ := types.get(name), TensorType)
        }
        known = self._sampler(sizes(model), cast) or (self._sampler(sizes(model)) if cast else None)
        return None if known is None else Sample(*known)

    def _renewed(self, model: Model) -> dict[str, Any]:
        """Inputs and outputs that are others than those of the model that was given, as a fact for people."""
        self.renewed = {} if self._original is None else renewed(self._original[1], model)
        return {INTERFACE: self.renewed} if self.renewed else {}

    def _worth_trying(self, model: Model, path: Path) -> list[Candidate]:
        """The model that was given, if the tables have nothing against it, and the one that came of it."""
        optimized = Candidate(OPTIMIZED, path, names(model.graph.inputs), self._outputs(model))
        if self._original is None or self._original[0].samefile(path):
            return [replace(optimized, name=ORIGINAL)]
        source, given = self._original
        inputs = names(given.graph.inputs)
        known = sizes(model)
        is_open = sizes(given) != known
        # The toolkit can fix sizes of inputs by itself; what depends on them is not known before.
        found = [b for b in self.check(given) if not (is_open and b.rule in ("sizes", "result"))]
        if inputs != list(optimized.inputs) or found:
            return [optimized]
        original = Candidate(ORIGINAL, source, inputs, names(given.graph.outputs))
        if is_open:
            original.sizes = [known[name] for name in inputs]
        return [original, optimized]

    def _outputs(self, model: Model) -> list[str]:
        """The outputs by the names that the given model has for them: one that was a Cast has another name now."""
        now = names(model.graph.outputs)
        before = now if self._original is None else names(self._original[1].graph.outputs)
        return before if len(before) == len(now) else now

    def _place(self, candidate: Candidate) -> Path:
        assert self._kept is not None
        return Path(self._kept.name) / f"{candidate.name}.rknn"

    def _preferred(self) -> Candidate | None:
        wanted = self.given.get("keep")
        if wanted is not None:
            return next((c for c in self.candidates if c.name == wanted and c.outcome is not None), None)
        return choose(self.candidates, self.settings.dtype)

    def _verdict(self, level: str, environment: Environment) -> Verdict:
        chosen = self.chosen
        if chosen is None or chosen.outcome is None:
            return Verdict(STATIC, level, [failure(c) for c in self.candidates if c.failure is not None][-1:])
        log = chosen.outcome.log
        without = no_kernel(chosen)
        facts = {
            "graph": f"{chosen.name} graph",
            "layers on the NPU": log.on("NPU"),
            "on the CPU": len(log.layers) - log.on("NPU"),
            "cycles": log.cycles,
            "toolkit": f"rknn-toolkit2 {environment.toolkit}",
        }
        missing = ""
        if (cosine := chosen.cosine) is not None:
            facts |= {"cosine": f"cosine {cosine:.6f}", "scaled error": f"scaled error {chosen.error:.2g}"}
        elif level == SIMULATED:
            missing, level = _NOTHING, CONVERTED
        found = [
            Blocker("", what, "kernel", f"no kernel on the board for {what}", evidence="reported") for what in without
        ]
        found += [
            Blocker(a.name, "", "numbers", _WRONG.format(a.name, a.cosine, a.error), evidence="reported")
            for a in chosen.wrong(self.settings.dtype)
        ]
        if missing and self._level_asked == SIMULATED:
            found.append(Blocker("", "", "numbers", missing, evidence="reported"))
        return Verdict(STATIC if found else level, level, found, facts, missing)

    def emit(self, model: Model, path: Path) -> list[Path]:
        """Write the package that the board needs; nothing if the toolkit refused the model.

        Raises:
            MissingComponentError: the toolkit's environment is not there; what was written so far stays.
        """
        if self.chosen is None:
            if self._level_asked != STATIC and locate() is None and not self.check(model):
                raise MissingComponentError(f"{path} is ready for the toolkit, which has no environment yet: {COMMAND}")
            return []
        return write_package(self, model, path.parent)

    @property
    def original(self) -> Path | None:
        """The file that the person gave."""
        return None if self._original is None else self._original[0]


def failure(candidate: Candidate) -> Blocker:
    """Why the toolkit does not take a candidate."""
    error = candidate.failure
    assert error is not None
    if isinstance(error, Crash):
        hint = "`gopt reduce --target rknn` makes it small"
        return Blocker(error.node, "", error.phase, error.reason, hint=hint, evidence="reported")
    rule = "time" if isinstance(error, ResourceError) else "toolkit"
    return Blocker("", "", rule, str(error), evidence="reported")


def renewed(before: Model, now: Model) -> dict[str, str]:
    """The inputs and outputs of a model that another has in another way: what they were, and what that asks for."""
    found: dict[str, str] = {}
    old = {value.name: kind(value) for value in before.graph.inputs}
    for value in now.graph.inputs:
        if (was := old.get(value.name)) is not None and was != kind(value):
            found[value.name] = f"is {kind(value)}, was {was}: give it the same numbers as {kind(value)}"
    for value, other in zip(before.graph.outputs, now.graph.outputs):
        if value is not None and other is not None and kind(value) != kind(other):
            found[other.name] = f"is {kind(other)}, was {kind(value)} {value.name}: the cast is left to you"
    return found


def kind(value: Value) -> str:
    """The element type of a value in lower case."""
    return value.type.dtype.name.lower() if isinstance(value.type, TensorType) else "unknown"


def names(values: Sequence[Value | None]) -> list[str]:
    """Names of inputs or outputs."""
    return [value.name for value in values if value is not None]


def sizes(model: Model) -> dict[str, tuple[int, ...]]:
    """Sizes of the inputs, as far as they are fixed."""
    found: dict[str, tuple[int, ...]] = {}
    for value in model.graph.inputs:
        type_ = value.type
        if isinstance(type_, TensorType) and type_.shape is not None:
            dims = [dim for dim in type_.shape if isinstance(dim, int)]
            if len(dims) == len(type_.shape):
                found[value.name] = tuple(dims)
    return found
