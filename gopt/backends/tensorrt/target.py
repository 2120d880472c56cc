"""The three TensorRTs that a model can be made for: version 10, version 11, and TensorRT for RTX."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from ...errors import UsageError
from ...ir import Model
from ..base import Blocker, Cut, Sampler, Target, Verdict
from ..support import Support, read_table
from . import builder, emit
from .builder import Builder, Stage
from .emit import Flavor
from .forms import examine, narrowed, undecided
from .nms import Tail, append_plugin, check_plugin, find_tail
from .places import Places
from .profiles import Profile, derive, examine_names, input_shapes, parse_spans
from .sizing import sizing_inputs

_MEANT = "lower.quantized.runtime,lower.quantized.dynamic:to=float,lower.quantized.lstm,"
"""What computes the floats that were meant before a model was quantized."""
CAPABILITIES = ("SM75", "SM80", "SM86", "SM89", "SM120")


class TensorRT(Target):
    """What the three have in common.

    Attributes:
        major: version of the full package that judges; "" if TensorRT for RTX does.
    """

    preset = "tensorrt"
    levels = ("static", "parsed", "built")
    options: ClassVar[Mapping[str, str]] = {
        "profile": "sizes of dynamic dims, joined by commas: batch=1:4:16 is smallest, usual, largest",
        "nms": "keep NonMaxSuppression, cut the model before it, or end it in the plugin efficientnms",
        "quantized": "numbers (what is quantized keeps its numbers) or float (those of the model before that; faster)",
        "capability": f"compute capabilities to build for, joined by +: {', '.join(CAPABILITIES)}; SM86 by default",
    }
    major: ClassVar[str] = ""
    flavor: ClassVar[Flavor]

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        super().__init__(given)
        self.spans = parse_spans([t for t in self.given.get("profile", "").split(",") if t.strip()])
        self.nms = self.given.get("nms", "keep")
        if self.nms not in ("keep", "cut", "efficientnms"):
            raise UsageError(f"nms is keep, cut or efficientnms, not {self.nms!r}")
        self._tail: Tail | None = None
        self._built: Profile | None = None
        self._model: Model | None = None
        self._sampler: Sampler | None = None
        self.quantized = self.given.get("quantized", "numbers")
        if self.quantized not in ("numbers", "float"):
            raise UsageError(f"quantized is numbers or float, not {self.quantized!r}")
        self.capability = tuple(c for c in self.given.get("capability", "SM86").split("+") if c)
        if unknown := [c for c in self.capability if c not in CAPABILITIES]:
            raise UsageError(f"there is no capability {unknown[0]}; there are {', '.join(CAPABILITIES)}")

    @property
    def approximates(self) -> bool:
        """True where what was quantized is to be computed in floats."""
        return self.quantized == "float"

    def pipeline(self) -> str:
        """The preset, with what was quantized in floats before if that is asked for."""
        return f"@default,{_MEANT}@{self.preset}" if self.approximates else f"@{self.preset}"

    def fallbacks(self) -> tuple[str, ...]:
        """Only what legality asks for: now and then the builder takes a model as it was, but not a smaller one."""
        first = _MEANT if self.approximates else ""
        return (f"{first}inline,lower", f"{first}lower")

    def check(self, model: Model) -> list[Blocker]:
        """The ops of a model with inferred types that the target does not take."""
        return [*examine(model), *Support(read_table(__package__), self.name).check(model)]

    def available(self) -> tuple[str, str]:
        """How far a model can be taken here."""
        return ("built", "") if builder.module_for(self.major) else ("static", builder.ADVICE)

    def profiles(self, model: Model) -> list[Profile]:
        """The profiles to try, the widest first: sizes as they may be wanted, as they were seen to work, one alone."""
        held = self._held(model)
        seen = derive(model, self.spans, self.cases, held=held)
        wide = derive(model, self.spans, self.cases, widen=True, held=held)
        return list({repr(p): p for p in (wide, seen, seen.fixed())}.values())

    def _held(self, model: Model) -> list[Mapping[str, Sequence[int]]]:
        """What inputs that hold sizes hold in runs of the model that was given."""
        inputs = sizing_inputs(model)
        if not inputs or self._sampler is None or self._model is None:
            return []
        found: list[Mapping[str, Sequence[int]]] = []
        for case in self.cases or ({},):
            ran = self._sampler(input_shapes(self._model, case))
            if ran is not None:
                found.append({name: ran[0][name].reshape(-1).tolist() for name in inputs if name in ran[0]})
        return found

    def meet(self, path: Path, model: Model, sampler: Sampler) -> None:
        """Keep what tells how the model runs: inputs may hold sizes.

        Raises:
            UsageError: the profile names a dim that the model has not.
        """
        examine_names(model, self.spans)
        self._model, self._sampler = model, sampler

    def cut(self, model: Model) -> Cut | None:
        """Before the first NonMaxSuppression, if that is asked for.

        Raises:
            TargetError: the plugin cannot take its place.
        """
        self._tail = None if self.nms == "keep" else find_tail(model)
        if self._tail is not None and self.nms == "efficientnms":
            check_plugin(self._tail)
        return None if self._tail is None else Cut(self._tail.ends, self._tail.takes, self._tail.gives)

    def emit(self, model: Model, path: Path) -> list[Path]:
        """Write profile, build script, command line and ONNX Runtime's options; the plugin into the model."""
        if self._tail is not None and self.nms == "efficientnms":
            append_plugin(path, self._tail)
        profile = self._built or self.profiles(model)[0]
        kinds = {op.op_type for graph in model.graphs() for op in graph.ops if not op.domain}
        quantized = bool(kinds & {"QuantizeLinear", "DequantizeLinear"})
        return emit.write(path.parent, path, profile, self.flavor, self.capability, quantized=quantized)

    def prove(self, model: Model, path: Path, level: str, timeout: float) -> Verdict:
        """Let NVIDIA's parser and builder judge, after the table."""
        found = super().prove(model, path, level, timeout)
        if count := narrowed(model):
            found.facts["types"] = f"{count} ops in double precision, which TensorRT computes in single"
        if level == self.levels[0]:
            return found
        deadline = time.monotonic() + timeout
        module = builder.module_for(self.major)
        if found.ok and (why := self._beyond(module, model)):
            return replace(found, missing=why)
        with Builder(module) as asked:
            profiles = self.profiles(model) if level == "built" else [Profile()]
            profile, stages = profiles[0], self._ask(asked, path, level, profiles[0], deadline)
            for other in profiles[1:]:
                if stages[-1].ok or stages[-1].name == "parsed":
                    break
                again = self._ask(asked, path, level, other, deadline)
                if again[-1].ok:
                    profile, stages = other, again
            if level == "built" and stages[-1].ok:
                self._built = profile
            verdict = self._verdict(found, level, stages, asked, profile, Places(model, path))
            advice = "" if verdict.ok else undecided(model)
            verdict.blockers = [b if b.hint or b.remedy else replace(b, hint=advice) for b in verdict.blockers]
            return verdict

    def _beyond(self, module: str, model: Model) -> str:
        """Why a package that stands in for the target's own cannot judge a model; "" if it can."""
        if not self.major or module == builder.FULL:
            return ""
        lacking = {kind for b in Support(read_table(__package__), TensorRTRTX.name).check(model) if (kind := b.op_type)}
        if not lacking:
            return ""
        return f"{', '.join(sorted(lacking))}: TensorRT for RTX does not take it so; {self.title} itself has to judge"

    def _ask(self, asked: Builder, path: Path, level: str, profile: Profile, deadline: float) -> list[Stage]:
        left = max(1.0, deadline - time.monotonic())
        return asked.ask(
            path, level, profile=profile.shapes, values=profile.values, capability=self.capability, timeout=left
        )

    def _verdict(
        self, table: Verdict, level: str, stages: list[Stage], asked: Builder, profile: Profile, places: Places
    ) -> Verdict:
        """What the stages say; the real tool is right where it and the table differ."""
        facts: dict[str, Any] = {"tool": f"{asked.module} {asked.version}".strip(), **table.facts}
        reached = "static" if not table.blockers else ""
        blockers: list[Blocker] = []
        for stage in stages:
            facts.update({k if k != "seconds" else f"seconds {stage.name}": v for k, v in stage.facts.items()})
            if stage.ok:
                reached = stage.name
            else:
                blockers += [places.blocker(stage.name, error) for error in stage.errors]
        if level == "built" and profile.symbols:
            facts["profile"] = profile.as_dict()["symbols"]
        if stages and stages[-1].ok:
            return Verdict(reached, level, [], facts)
        known = {b.node: b for b in table.blockers}
        blockers = [
            replace(b, remedy=known[b.node].remedy, hint=known[b.node].hint) if b.node in known else b for b in blockers
        ]
        named = {b.node for b in blockers}
        return Verdict(reached, level, blockers + [b for b in table.blockers if b.node not in named], facts)


class TensorRT10(TensorRT):
    """TensorRT 10: weakly or strongly typed."""

    name = "trt10"
    title = "TensorRT 10"
    major = "10"
    flavor = Flavor(title, "tensorrt", "tensorrt 10", "trtexec", True, "TensorrtExecutionProvider", "trt")


class TensorRT11(TensorRT):
    """TensorRT 11: strongly typed throughout."""

    name = "trt11"
    title = "TensorRT 11"
    major = "11"
    flavor = Flavor(title, "tensorrt", "tensorrt 11", "trtexec", False, "TensorrtExecutionProvider", "trt")


class TensorRTRTX(TensorRT):
    """TensorRT for RTX: strongly typed, without some operators that the others have."""

    name = "trt-rtx"
    title = "TensorRT for RTX"
    flavor = Flavor(
        title, "tensorrt_rtx", "tensorrt-rtx", "tensorrt_rtx", False, "NvTensorRTRTXExecutionProvider", "nv"
    )
