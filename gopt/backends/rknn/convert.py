"""From an ONNX file to a .rknn: arguments for the toolkit, several candidates, and the choice among them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import GoptError, ResourceError
from ...ir import Array
from .child import Conversion, Crash, Outcome, convert
from .compare import Agreement, agreements
from .environment import Environment
from .log import read_analysis
from .placement import NO_KERNEL
from .platforms import FP16, INT8, Platform

_AS_FLOATS = ("uint8", "uint16", "int16", "float64")
"""Types of inputs that the toolkit does not take; a model made for it takes the same numbers as floats."""
RETRIES = 4
"""How many of the toolkit's own rewrites are switched off, one after the other, when they fail on a model."""
_RULE = re.compile(r"disable_rules=\['?(?P<rule>\w+)'?\]")
_ODD = re.compile(r"[^A-Za-z0-9_./:;-]")
_WORSE = 1.5
"""How many times larger the error of a better table may be before it counts as worse, if the cosine is no better."""
_NEGLIGIBLE = 5e-3
_LEAST_DRIFT = 1e-4
"""What a cosine may differ from 1 by without counting."""
_LEAST_COSINE = {"fp16": 0.99, "int8": 0.8}
"""Below, the simulator computes something else than the model, and not the same less exactly."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person asks of a conversion.

    Attributes:
        platform: the chip.
        dtype: "fp16" or "int8".
        means, stds: per input of the model, in its order; None where an input is taken as it is.
        dataset: the list of calibration files.
        algorithm, method: of quantization.
        level: of the toolkit's own optimization.
        bgr: per input, whether calibration images are turned from RGB to BGR.
        disabled: rewrites of the toolkit that are not to be made.
    """

    platform: Platform
    dtype: str
    means: tuple[tuple[float, ...] | None, ...] = ()
    stds: tuple[tuple[float, ...] | None, ...] = ()
    dataset: Path | None = None
    algorithm: str = "normal"
    method: str = "channel"
    level: int = 3
    bgr: tuple[bool, ...] = ()
    disabled: tuple[str, ...] = ()

    def config(self) -> dict[str, Any]:
        """Arguments of RKNN.config."""
        found: dict[str, Any] = {"target_platform": self.platform.name, "optimization_level": self.level}
        if any(self.means) or any(self.stds):
            count = max(len(self.means), len(self.stds))
            means, stds = (
                [*(v or () for v in lists), *[()] * (count - len(lists))] for lists in (self.means, self.stds)
            )
            # None for an input that is taken as it is: a list must be as long as there are channels.
            found["mean_values"] = [list(m or [0.0] * len(s)) if m or s else None for m, s in zip(means, stds)]
            found["std_values"] = [list(s or [1.0] * len(m)) if m or s else None for m, s in zip(means, stds)]
        if self.dtype == INT8:
            found |= {"quantized_dtype": "w8a8", "quantized_algorithm": self.algorithm, "quantized_method": self.method}
            if any(self.bgr):
                found["quant_img_RGB2BGR"] = list(self.bgr)
        if self.disabled:
            found["disable_rules"] = list(self.disabled)
        return found

    def build(self) -> dict[str, Any]:
        """Arguments of RKNN.build."""
        if self.dtype != INT8:
            return {"do_quantization": False}
        return {"do_quantization": True, "dataset": None if self.dataset is None else str(self.dataset.resolve())}


@dataclass(frozen=True, slots=True)
class Sample:
    """Inputs of the model that was given, by name, and what ONNX Runtime computes from them."""

    feed: Mapping[str, Array]
    outputs: Mapping[str, Array]


@dataclass(slots=True)
class Candidate:
    """A graph that may become the result.

    Attributes:
        name: "original", "optimized", ...
        model: its file.
        inputs, outputs: names, in order.
        sizes: of the inputs, where the file leaves some open.
        outcome: what the toolkit made of it; None if it failed or was not tried.
        failure: why it failed.
        agreements: simulator against ONNX Runtime, an output each.
        disabled: rewrites of the toolkit that had to be switched off.
        rknn: the file that it became.
        layers: simulator against float, layer by layer, where that was asked for.
    """

    name: str
    model: Path
    inputs: Sequence[str]
    outputs: Sequence[str]
    sizes: Sequence[Sequence[int]] | None = None
    outcome: Outcome | None = None
    failure: GoptError | None = None
    agreements: list[Agreement] = field(default_factory=list)
    disabled: list[str] = field(default_factory=list)
    rknn: Path | None = None
    layers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def cost(self) -> tuple[int, ...]:
        """What counts, each the smaller the better: ops without a kernel, risks, layers on the CPU, cycles, layers."""
        assert self.outcome is not None
        log = self.outcome.log
        return (
            len(no_kernel(self)),
            sum(r.count for r in log.risks),
            len(log.layers) - log.on("NPU"),
            log.cycles,
            len(log.layers),
        )

    @property
    def error(self) -> float:
        """The largest scaled error among the outputs; 0 where nothing was compared."""
        return max((a.error for a in self.agreements), default=0.0)

    def wrong(self, dtype: str) -> list[Agreement]:
        """The outputs that are not those of the model, by any tolerance."""
        least = _LEAST_COSINE[dtype]
        return [a for a in self.agreements if not a.finite or not a.cosine >= least or a.error > 1.0]

    @property
    def cosine(self) -> float | None:
        """The smallest cosine among the outputs; None where nothing was compared."""
        return min((a.cosine for a in self.agreements), default=None)

    def as_dict(self) -> dict[str, Any]:
        """What is known of it, in plain types."""
        found: dict[str, Any] = {"graph": self.name}
        if self.outcome is None:
            return found | {"failure": str(self.failure) if self.failure else "not tried"}
        found |= self.outcome.log.summary() | {"no_kernel": no_kernel(self)}
        found["seconds"] = {name: round(spent, 2) for name, spent in self.outcome.seconds.items()}
        found["simulator"] = [a.as_dict() for a in self.agreements]
        if self.disabled:
            found["disabled_rules"] = list(self.disabled)
        return found


def no_kernel(candidate: Candidate) -> list[str]:
    """What nothing on the board can run: what the log says, and layers left to the CPU that it has no kernel for."""
    assert candidate.outcome is not None
    log = candidate.outcome.log
    left = [layer.name for layer in log.layers if layer.target != "NPU" and layer.type in NO_KERNEL]
    return [*log.no_kernel, *left]


def attempt(
    environment: Environment,
    candidate: Candidate,
    settings: Settings,
    output: Path,
    sample: Sample | None,
    timeout: float,
    tell: Callable[[str], None] | None = None,
) -> None:
    """Convert a candidate; what came of it is noted in it.

    Where one of the toolkit's own rewrites fails, its log names it, and the conversion is tried again without.
    """
    feeds: list[list[Array]] = []
    if sample is not None and all(name in sample.feed for name in candidate.inputs):
        feeds = [[_plain(sample.feed[name], settings, place) for place, name in enumerate(candidate.inputs)]]
    load: dict[str, Any] = {}
    if candidate.sizes is not None:
        load = {"inputs": list(candidate.inputs), "input_size_list": [list(s) for s in candidate.sizes]}
    for _ in range(RETRIES + 1):
        config = settings.config()
        if candidate.disabled:
            config["disable_rules"] = [*config.get("disable_rules", ()), *candidate.disabled]
        odd = any(_ODD.search(name) for name in (*candidate.inputs, *candidate.outputs)) and not load
        conversion = Conversion(candidate.model, config, settings.build(), load, output, feeds, plain_names=odd)
        if tell is not None:
            tell(f"the toolkit converts the {candidate.name} graph")
        try:
            outcome = convert(environment, conversion, timeout=timeout)
        except Crash as error:
            candidate.failure = error
            rule = _RULE.search(error.log)
            if rule is None or rule["rule"] in candidate.disabled:
                return
            candidate.disabled.append(rule["rule"])
            continue
        except ResourceError as error:
            candidate.failure = error
            return
        candidate.outcome, candidate.failure, candidate.rknn = outcome, None, output
        if outcome.results and sample is not None:
            candidate.agreements = agreements(sample.outputs, outcome.results[0], candidate.outputs)
        return


def analyze(
    environment: Environment, candidate: Candidate, settings: Settings, sample: Sample, folder: Path, timeout: float
) -> None:
    """Compare the simulator with floats layer by layer; what came of it is noted in the candidate.

    Raises:
        Crash: the toolkit failed.
        ResourceError: the time was up.
    """
    files = []
    for place, name in enumerate(candidate.inputs):
        file = folder / f"input_{place}.npy"
        np.save(file, np.atleast_1d(_plain(sample.feed[name], settings, place)))
        files.append(file)
    config = settings.config()
    if candidate.disabled:
        config["disable_rules"] = [*config.get("disable_rules", ()), *candidate.disabled]
    load: dict[str, Any] = {}
    if candidate.sizes is not None:
        load = {"inputs": list(candidate.inputs), "input_size_list": [list(s) for s in candidate.sizes]}
    made = folder / "layers"
    convert(
        environment,
        Conversion(candidate.model, config, settings.build(), load, analysis=(files, made)),
        timeout=timeout,
    )
    candidate.layers = read_analysis((made / "error_analysis.txt").read_text(encoding="utf-8", errors="replace"))


def _plain(array: Array, settings: Settings, place: int) -> Array:
    """What the simulator must be given so that the network sees `array`: normalization is part of the model there."""
    if array.dtype.name in _AS_FLOATS:
        array = array.astype(np.float32)
    mean = settings.means[place] if place < len(settings.means) else None
    std = settings.stds[place] if place < len(settings.stds) else None
    if (mean is None and std is None) or array.ndim < 2:
        return array
    shape = [1] * array.ndim
    shape[1] = -1
    for values, apply in ((std, "mul"), (mean, "add")):
        if values is not None:
            given = _column(values, shape)
            array = array * given if apply == "mul" else array + given
    return array


def _column(values: Sequence[float], shape: Sequence[int]) -> Array:
    return np.asarray(values, np.float32).reshape(shape)


def choose(candidates: Sequence[Candidate], dtype: str = FP16) -> Candidate | None:
    """The best of those that converted: one replaces an earlier one only if nothing about it is worse."""
    best: Candidate | None = None
    for candidate in candidates:
        if candidate.outcome is None:
            continue
        if best is None or _is_better(candidate, best, dtype):
            best = candidate
    return best


def _is_better(new: Candidate, old: Candidate, dtype: str) -> bool:
    wrong, was_wrong = bool(new.wrong(dtype)), bool(old.wrong(dtype))
    if wrong != was_wrong:
        return was_wrong
    drift, before = (1 - (c.cosine if c.cosine is not None else 1.0) for c in (new, old))
    if new.error > max(_NEGLIGIBLE, _WORSE * old.error) and drift >= before:
        return False
    if drift > max(_LEAST_DRIFT, _WORSE * before):
        return False
    if new.cost[0] < old.cost[0]:  # what has no kernel does not run at all
        return True
    return new.cost != old.cost and all(a <= b for a, b in zip(new.cost, old.cost))
