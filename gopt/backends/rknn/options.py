"""What `--target-option` takes for this target, and the settings that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...errors import UsageError
from .convert import Settings
from .platforms import ALGORITHMS, FP16, INT8, platform
from .sources import Source, read

OPTIONS: Mapping[str, str] = {
    "platform": "the chip: rk3588 (default), rk3576, rk3568, rk3566, rk3562, rv1126b, rk2118, rv1103(b), rv1106(b)",
    "dtype": "fp16 (default) or int8",
    "dataset": "for int8: a text file that names calibration images or .npy files, a line per run",
    "quant-algorithm": "for int8: normal (default), mmse, kl_divergence, gdq",
    "quant-method": "for int8: channel (default) or layer",
    "mean": "per channel, in units of 0-255: 123.7,116.3,103.5; several inputs: one list each, separated by /",
    "std": "the same for the divisor",
    "bgr": "true: calibration images are turned to BGR",
    "optimization-level": "of the toolkit: 0 to 3 (default)",
    "disable-rules": "names of the toolkit's own rewrites that are not to be made, separated by commas",
    "source": "an onnx_source.yaml or training_source.yaml, from which mean, std, colour order ... are taken",
    "quantized": "numbers (what is quantized keeps its numbers) or float (those of the model before that; faster)",
    "per-layer": "true: compare the simulator with floats layer by layer, too",
    "keep": "original or optimized: take that graph, whatever the layer tables say",
}


def settings(given: Mapping[str, str]) -> Settings:
    """Read options.

    Raises:
        UsageError: a value is malformed, or two contradict each other.
        ModelError: the source file is not there or malformed.
    """
    dtype = given.get("dtype", FP16)
    chip = platform(given.get("platform", "rk3588"), dtype)
    algorithm = _one_of("quant-algorithm", given.get("quant-algorithm", "normal"), ALGORITHMS)
    method = _one_of("quant-method", given.get("quant-method", "channel"), ("channel", "layer"))
    level = _one_of("optimization-level", given.get("optimization-level", "3"), ("0", "1", "2", "3"))
    _one_of("per-layer", given.get("per-layer", "false"), ("true", "false"))
    _one_of("quantized", given.get("quantized", "numbers"), ("numbers", "float"))
    _one_of("keep", given.get("keep", "original"), ("original", "optimized"))
    dataset = Path(given["dataset"]) if "dataset" in given else None
    if dataset is not None and not dataset.is_file():
        raise UsageError(f"dataset {dataset}: there is no such file")
    if dtype != INT8:
        for name in ("dataset", "quant-algorithm", "quant-method"):
            if name in given:
                raise UsageError(f"{name} is for dtype int8")
    means, stds = _lists("mean", given.get("mean")), _lists("std", given.get("std"))
    turned = _one_of("bgr", given.get("bgr", "false"), ("true", "false")) == "true"
    bgr = (turned,) * max(1, len(means), len(stds))
    if (source := source_of(given)) is not None:
        means, stds = _agreed("mean", means, source), _agreed("std", stds, source)
        bgr = tuple(turned or one.color == "BGR" for one in source.inputs)
    disabled = tuple(name.strip() for name in given.get("disable-rules", "").split(",") if name.strip())
    return Settings(chip, dtype, means, stds, dataset, algorithm, method, int(level), bgr, disabled)


def source_of(given: Mapping[str, str]) -> Source | None:
    """The source file that was named, if one was."""
    return read(Path(given["source"])) if "source" in given else None


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise UsageError(f"{name} is {value!r}, of {', '.join(allowed)}")
    return value


def _lists(name: str, text: str | None) -> tuple[tuple[float, ...] | None, ...]:
    """Numbers per input: lists separated by /, an empty one for an input that is taken as it is."""
    if text is None:
        return ()
    try:
        return tuple(tuple(map(float, part.split(","))) if part.strip() else None for part in text.split("/"))
    except ValueError:
        raise UsageError(f"{name} is {text!r}, not numbers like 123.7,116.3,103.5") from None


def _agreed(
    name: str, given: tuple[tuple[float, ...] | None, ...], source: Source
) -> tuple[tuple[float, ...] | None, ...]:
    """What the source says; an option may repeat it, not contradict it."""
    said = tuple(getattr(one, name) for one in source.inputs)
    if not any(said):
        return given
    if given and given != said:
        raise UsageError(f"{name} is {_shown(given)} by option, but {_shown(said)} in the source file")
    return said


def _shown(lists: tuple[tuple[float, ...] | None, ...]) -> str:
    return " / ".join("as it is" if values is None else ",".join(f"{v:g}" for v in values) for values in lists)
