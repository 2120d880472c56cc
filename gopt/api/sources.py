"""The chain of source files: templates, the next file of a chain, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

from ..analysis import infer
from ..backends.rknn import sources
from ..errors import ModelError
from ..frontends import onnx as frontend
from ..ir import Model, TensorType

_TEMPLATE = """\
# What the network was trained with. Fill in, then: gopt source init training_source.yaml --model MODEL.onnx
kind: training_source
version: 1
name: {name}
task: detection                 # for people: detection, classification, segmentation, ...
inputs:                         # one entry per input of the network, in its order
{inputs}
classes:
  count: 2
  names: [first, second]        # in the order of the network's outputs
thresholds:                     # may differ from step to step
  confidence: 0.25
  nms: 0.45
training:                       # for people
  framework: pytorch
  weights: best.pt
"""
_INPUT = """\
- name: {name}
  width: {width}
  height: {height}
  channels: {channels}
  color: {color}                    # RGB, BGR or GRAY: the order in which the network was trained
  preprocess: letterbox         # letterbox, resize, center_crop or none
  pad_color: {pad}    # what letterbox fills up with, in that order
  mean: {mean}             # in units of 0-255: the network sees (x - mean) / std
  std: {std}"""


def template(model: Path | None = None) -> str:
    """A training_source.yaml to fill in; sizes are those of the model, if one is given.

    Raises:
        ModelError: the file is not there or no valid model.
    """
    if model is None:
        return _TEMPLATE.format(name="mymodel", inputs=_input("images", 640, 640, 3))
    found = _load(model)
    entries = [_entry(value.name, value.type) for value in found.graph.inputs]
    return _TEMPLATE.format(name=model.stem, inputs="\n".join(entries))


def _entry(name: str, type_: object) -> str:
    shape = type_.shape if isinstance(type_, TensorType) else None
    if shape is None or len(shape) != 4:
        return f"- name: {name}"
    channels, height, width = shape[1:]
    known = [dim if isinstance(dim, int) else 640 for dim in (width, height)]
    return _input(name, known[0], known[1], channels if channels in (1, 3) else 3)


def _input(name: str, width: int, height: int, channels: int) -> str:
    lists = {what: str([value] * channels) for what, value in (("pad", 114), ("mean", 0), ("std", 255))}
    return _INPUT.format(
        name=name, width=width, height=height, channels=channels, color="RGB" if channels == 3 else "GRAY", **lists
    )


def next_source(training: Path, model: Path) -> str:
    """The onnx_source.yaml that follows a training_source.yaml and describes a model.

    Raises:
        ModelError: a file is not there or malformed, or they contradict each other.
    """
    said = sources.read(training)
    if said.kind != "training_source":
        raise ModelError(f"{training}: it is of kind {said.kind}, not training_source")
    found = _load(model)
    inputs = found.graph.inputs
    if len(said.inputs) != len(inputs):
        raise ModelError(f"{training} describes {len(said.inputs)} inputs, {model} has {len(inputs)}")
    named = []
    for place, value in enumerate(inputs):
        one = said.of(value.name, place)
        if one is None:
            raise ModelError(f"{training} does not describe input {value.name!r} of {model}")
        _fits(training, one, value.name, value.type)
        named.append(one.model_copy(update={"name": value.name}))
    base = said.model_dump(exclude_unset=True) | {
        "kind": "onnx_source",
        "inputs": named,
        "onnx": sources.File(path=model.name, sha256=sources.digest(model)),
    }
    return sources.text(sources.Source.model_validate(base))


def _fits(training: Path, said: sources.Input, name: str, type_: object) -> None:
    shape = type_.shape if isinstance(type_, TensorType) else None
    if said.width is None or shape is None or len(shape) != 4:
        return
    for what, wanted, dim in zip(("channels", "height", "width"), (said.channels, said.height, said.width), shape[1:]):
        if isinstance(dim, int) and wanted is not None and dim != wanted and shape[-1] != said.channels:
            raise ModelError(f"{training} says {what} {wanted} of input {name}, the model has {dim}")


def problems(files: list[Path]) -> list[str]:
    """What is wrong with files of a chain, in its order; models that they name are looked at where they are there.

    Raises:
        UsageError: the files are not in the order of the chain.
    """
    found = sources.check(files)
    for path in files:
        try:
            source = sources.read(path)
        except ModelError:
            continue
        model = None if source.onnx is None else path.parent / source.onnx.path
        if model is None or not model.exists():
            continue
        loaded = _load(model)
        for place, value in enumerate(loaded.graph.inputs):
            one = source.of(value.name, place)
            try:
                if one is not None:
                    _fits(path, one, value.name, value.type)
            except ModelError as error:
                found.append(str(error))
    return found


def _load(path: Path) -> Model:
    model = frontend.load(path)
    infer(model)
    return model
