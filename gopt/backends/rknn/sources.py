"""The chain of source files of a conversion: training_source.yaml -> onnx_source.yaml -> rknn_source.yaml.

What a network was trained with must reach the board unchanged; nothing in an ONNX or RKNN file tells it. Each file of
the chain carries all of it; a step may add what is its own (platform, quantization, thresholds), but never alter it.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...errors import ModelError, UsageError

Kind = Literal["training_source", "onnx_source", "rknn_source"]
KINDS: tuple[Kind, ...] = ("training_source", "onnx_source", "rknn_source")
Colour = Annotated[int, Field(ge=0, le=255)]
Positive = Annotated[int, Field(gt=0)]
_LONGEST = 1 << 20
_SHOWN = 300
"""Characters of a file, and of what is wrong with one."""
_DEEPEST = 16
_LARGE = 1e15


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Input(_Strict):
    """One input of the network, and how it is made from an image or from other data.

    Attributes:
        name: as the ONNX file calls it; "" where there is one input alone.
        width, height, channels: of the image that goes in; None for data that are no image.
        color: order of the channels.
        preprocess: how an image becomes one of that size.
        pad_color: what letterboxing fills up with, in the order of `color`.
        mean, std: per channel, in units of 0-255: the network sees (x - mean) / std.
    """

    name: str = ""
    width: Positive | None = None
    height: Positive | None = None
    channels: Positive | None = None
    color: Literal["RGB", "BGR", "GRAY"] | None = None
    preprocess: Literal["letterbox", "resize", "center_crop", "none"] = "none"
    pad_color: tuple[Colour, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height must be given together")
        if self.preprocess == "letterbox" and self.pad_color is None:
            raise ValueError("letterbox needs pad_color, the colour that the network was trained with (often 114 or 0)")
        if self.color is not None and self.channels is None:
            raise ValueError("channels must be given with color")
        wanted = {"RGB": 3, "BGR": 3, "GRAY": 1}.get(self.color or "", self.channels)
        if self.channels != wanted:
            raise ValueError(f"color {self.color} has {wanted} channels, channels says {self.channels}")
        for name in ("pad_color", "mean", "std"):
            values = getattr(self, name)
            if values is not None and self.channels is not None and len(values) != self.channels:
                raise ValueError(f"{name} has {len(values)} values for {self.channels} channels")
        if self.std is not None and any(v <= 0 for v in self.std):
            raise ValueError("std must be positive")
        return self


class Classes(_Strict):
    """What the network tells apart."""

    count: Positive
    names: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.names is not None and len(self.names) != self.count:
            raise ValueError(f"there are {len(self.names)} names for {self.count} classes")
        return self


class Thresholds(_Strict):
    """Of the post-processing; each step may have its own."""

    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    nms: Annotated[float, Field(ge=0, le=1)] | None = None


class File(_Strict):
    """A file that the step made, and its digest."""

    path: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


class Training(_Strict):
    """Where the weights come from; all of it for people."""

    framework: str | None = None
    weights: str | None = None
    dataset: str | None = None
    notes: str | None = None


class Quantization(_Strict):
    """How the toolkit quantizes."""

    algorithm: Literal["normal", "mmse", "kl_divergence", "gdq"] = "normal"
    method: str = "channel"
    dataset: str | None = None


class Rknn(_Strict):
    """What only the RKNN step knows."""

    platform: str
    dtype: Literal["fp16", "int8"]
    quantization: Quantization | None = None
    optimization_level: Annotated[int, Field(ge=0, le=3)] = 3
    toolkit: str | None = None
    graph: Literal["original", "optimized"] | None = None


class Source(_Strict):
    """A file of the chain; `onnx` begins with the second step, `rknn` with the third."""

    kind: Kind
    version: Literal[1] = 1
    name: str
    task: str | None = None
    inputs: Annotated[tuple[Input, ...], Field(min_length=1)]
    classes: Classes | None = None
    thresholds: Thresholds | None = None
    training: Training | None = None
    onnx: File | None = None
    rknn_file: File | None = None
    rknn: Rknn | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.kind == "onnx_source" and self.onnx is None:
            raise ValueError("an onnx_source names its model under onnx")
        if self.kind == "rknn_source" and (self.rknn is None or self.onnx is None):
            raise ValueError("an rknn_source has the parts onnx and rknn")
        if self.kind == "training_source" and (self.onnx or self.rknn):
            raise ValueError("a training_source has no parts onnx and rknn: they belong to later steps")
        names = [given.name for given in self.inputs]
        if len(set(names)) != len(names):
            raise ValueError("two inputs have the same name")
        return self

    def of(self, name: str, place: int) -> Input | None:
        """What is said of an input of the model: by its name, or by its place where names are not given."""
        found = next((given for given in self.inputs if given.name == name), None)
        if found is None and place < len(self.inputs) and not self.inputs[place].name:
            found = self.inputs[place]
        return found


def read(path: Path) -> Source:
    """Read a file of the chain.

    Raises:
        ModelError: it is not there, no YAML, or does not fit the schema; the message names each place.
    """
    import yaml

    try:
        with path.open(encoding="utf-8") as file:
            said = file.read(_LONGEST + 1)
        if len(said) > _LONGEST:
            raise ModelError(f"{path}: it has more than {_LONGEST} characters")
        _check_events(path, said)
        data = yaml.safe_load(said)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from None
    except RecursionError:
        raise ModelError(f"{path}: no valid YAML: it is nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError, KeyError, IndexError) as error:  # of numbers and dates that are none
        raise ModelError(f"{path}: no valid YAML: {' '.join(str(error).split())[:_SHOWN]}") from None
    if not isinstance(data, dict):
        raise ModelError(f"{path}: it holds no mapping")
    try:
        return Source.model_validate(data)
    except ValidationError as error:
        raise ModelError(f"{path}: " + "; ".join(_complaints(error))) from None


def _check_events(path: Path, text: str) -> None:
    """See to it that a file is no deeper than its schema, and that nothing in it stands for something else in it.

    A page of aliases can stand for a billion entries.

    Raises:
        ModelError: it does not keep to that.
    """
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark is not None else 0
        if isinstance(event, yaml.AliasEvent):
            raise ModelError(f"{path}: line {line}: aliases are not taken here")
        if isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            depth -= 1
        if depth > _DEEPEST:
            raise ModelError(f"{path}: line {line}: it is nested too deeply")


def _complaints(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        place = ".".join(map(str, problem["loc"]))
        said = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            said = "there is no such key"
        given = problem["input"]
        plain = isinstance(given, str) or (isinstance(given, (int, float)) and abs(given) < _LARGE)
        shown = f" (given: {given!r})" if plain else ""
        yield f"{place}: {said}{shown}" if place else said


def write(source: Source, path: Path) -> None:
    """Write a file of the chain; what is not known is left out."""
    path.write_text(text(source), encoding="utf-8")


def text(source: Source) -> str:
    """A file of the chain, as it is written."""
    import yaml

    data = source.model_dump(mode="json", exclude_none=True)
    dumped: str = yaml.dump(data, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None)
    return f"# {TITLES[source.kind]}\n{dumped}"


TITLES: dict[str, str] = {
    "training_source": "What the network was trained with. mean, std and pad_color are in units of 0-255.",
    "onnx_source": "From training_source.yaml; only thresholds may differ from it.",
    "rknn_source": "From onnx_source.yaml; platform, quantization, optimization level and thresholds are its own.",
}


def differences(earlier: Source, later: Source) -> Iterator[tuple[str, Any, Any]]:
    """The critical values in which two files of a chain differ: the place, and both values."""
    if len(earlier.inputs) != len(later.inputs):
        yield "inputs", len(earlier.inputs), len(later.inputs)
    for place, (before, after) in enumerate(zip(earlier.inputs, later.inputs)):
        where = f"inputs.{after.name or place}"
        # A name may come with the ONNX file; once given it stays.
        if before.name and before.name != after.name:
            yield f"{where}.name", before.name, after.name
        for name in Input.model_fields:
            if name != "name" and getattr(before, name) != getattr(after, name):
                yield f"{where}.{name}", getattr(before, name), getattr(after, name)
    yield from _of_classes(earlier.classes, later.classes)


def _of_classes(before: Classes | None, after: Classes | None) -> Iterator[tuple[str, Any, Any]]:
    if before is None or after is None:
        if before is not after:
            yield "classes", before and before.count, after and after.count
        return
    if before.count != after.count:
        yield "classes.count", before.count, after.count
    if before.names == after.names:
        return
    if before.names is None or after.names is None:
        yield "classes.names", before.names, after.names
        return
    for place, (old, new) in enumerate(zip(before.names, after.names)):
        if old != new:
            yield f"classes.names.{place}", old, new


def check(paths: list[Path]) -> list[str]:
    """Check files of a chain, in its order: each by itself, each against the one before, and the files they name.

    Returns:
        What is wrong, a line each.

    Raises:
        UsageError: the files are not in the order of the chain.
    """
    found: list[str] = []
    chain: list[tuple[Path, Source]] = []
    for path in paths:
        try:
            chain.append((path, read(path)))
        except ModelError as error:
            found.append(str(error))
    order = [KINDS.index(source.kind) for _, source in chain]
    if order != sorted(set(order)):
        raise UsageError("give one file of each kind, in the order " + ", ".join(KINDS))
    for path, source in chain:
        found += _of_files(path, source)
    for (first, earlier), (second, later) in itertools.pairwise(chain):
        found += [
            f"{second}: {where} is {_shown(new)}, but {_shown(old)} in {first}"
            for where, old, new in differences(earlier, later)
        ]
    return found


def _of_files(path: Path, source: Source) -> Iterator[str]:
    for named in (source.onnx, source.rknn_file):
        if named is None or named.sha256 is None:
            continue
        file = path.parent / named.path
        if file.exists() and digest(file) != named.sha256:
            yield f"{path}: {named.path} is another file than the one that was described (its SHA-256 differs)"


def _shown(value: Any) -> str:
    return "not given" if value is None else repr(list(value)) if isinstance(value, tuple) else repr(value)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
