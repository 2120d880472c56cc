"""What the board needs beside the converted model: where it comes from, how it is run, and what is known of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ModelError, UsageError
from ...ir import Model, TensorType
from . import sources
from .convert import Candidate, Settings, no_kernel
from .environment import TOOLKIT
from .platforms import INT8

if TYPE_CHECKING:
    from .target import RKNN

TEMPLATE = "templates/npu_inference.py.j2"


def write_package(target: RKNN, model: Model, folder: Path) -> list[Path]:
    """Write the files into a folder that is there.

    Args:
        target: after `prove`; something must have been chosen.
        model: the optimized model, with inferred types.
        folder: where they go.

    Returns:
        What was written.

    Raises:
        ModelError: the source file contradicts the model.
    """
    chosen = target.chosen
    assert chosen is not None
    assert chosen.rknn is not None
    stem = (target.original or chosen.model).stem
    converted = folder / f"{stem}_{target.settings.dtype}.rknn"
    shutil.copyfile(chosen.rknn, converted)
    source = rknn_source(target, model, converted)
    yaml = folder / "rknn_source.yaml"
    sources.write(source, yaml)
    report = folder / "performance_rknn.json"
    report.write_text(json.dumps(performance(target), indent=1) + "\n", encoding="utf-8")
    files = [converted, yaml, report]
    if target.settings.platform.lite:
        script = folder / "npu_inference.py"
        script.write_text(inference_script(source, target.settings, converted.name, model), encoding="utf-8")
        script.chmod(0o755)
        files.append(script)
    return files


def rknn_source(target: RKNN, model: Model, converted: Path) -> sources.Source:
    """The last file of the chain: all that the one before said, and what this step adds.

    Raises:
        ModelError: what the source says of an input contradicts the model.
    """
    given = target.source
    file = target.original or target.candidates[0].model
    settings = target.settings
    chosen = target.chosen
    inputs = tuple(_described(given, settings, place, value.name) for place, value in enumerate(model.graph.inputs))
    quantization = None
    if settings.dtype == INT8:
        listed = None if settings.dataset is None else settings.dataset.name
        quantization = sources.Quantization(algorithm=settings.algorithm, method=settings.method, dataset=listed)  # type: ignore[arg-type]
    base: dict[str, Any] = {} if given is None else given.model_dump(exclude_unset=True)
    base |= {
        "kind": "rknn_source",
        "name": base.get("name", file.stem),
        "inputs": inputs,
        "onnx": sources.File(path=file.name, sha256=sources.digest(file)),
        "rknn_file": sources.File(path=converted.name, sha256=sources.digest(converted)),
        "rknn": sources.Rknn(
            platform=settings.platform.name,
            dtype=settings.dtype,  # type: ignore[arg-type]
            quantization=quantization,
            optimization_level=settings.level,
            toolkit=TOOLKIT,
            graph=None if chosen is None else chosen.name,  # type: ignore[arg-type]
        ),
    }
    return sources.Source.model_validate(base)


def _described(given: sources.Source | None, settings: Settings, place: int, name: str) -> sources.Input:
    """What is known of an input: what the source says, else mean and std as they were given."""
    said = None if given is None else given.of(name, place)
    if said is not None:
        return said.model_copy(update={"name": name})
    mean = settings.means[place] if place < len(settings.means) else None
    std = settings.stds[place] if place < len(settings.stds) else None
    return sources.Input(name=name, mean=mean, std=std)


def agree(given: sources.Source | None, settings: Settings, model: Model) -> None:
    """See to it that what is said of inputs fits the model that is converted: their order, sizes, means and deviations.

    Raises:
        ModelError: the source file says something else than the model.
        UsageError: mean or std have as many values as the input has not.
    """
    names = [value.name for value in model.graph.inputs]
    if given is not None:
        said = [one.name or name for one, name in zip(given.inputs, names)]
        if len(given.inputs) != len(names):
            raise ModelError(
                f"the source file describes {len(given.inputs)} inputs, the model has {len(names)}: {names}"
            )
        if said != names:
            raise ModelError(f"the source file describes the inputs {said}, the model has {names}, in this order")
    for place, value in enumerate(model.graph.inputs):
        shape = value.type.shape if isinstance(value.type, TensorType) else None
        if shape is None:
            continue
        if given is not None:
            _agree(given.inputs[place], value.name, shape)
        for what, lists in (("mean", settings.means), ("std", settings.stds)):
            values = lists[place] if place < len(lists) else None
            if values is not None and (len(shape) < 2 or shape[1] != len(values)):
                raise UsageError(
                    f"{what} has {len(values)} values for input {value.name}, which is {list(shape)}: "
                    "the toolkit takes one per channel, and channels to be the second axis"
                )


def _agree(said: sources.Input, name: str, shape: tuple[object, ...]) -> None:
    if said.width is None or len(shape) != 4:
        return
    wanted = (said.channels, said.height, said.width)
    first, last = (shape[1], shape[2], shape[3]), (shape[3], shape[1], shape[2])
    if wanted not in (first, last):
        raise ModelError(f"the source file says that input {name} is {wanted}, the model has {list(shape)}")


def performance(target: RKNN) -> dict[str, Any]:
    """What `performance_rknn.json` holds."""
    chosen = target.chosen
    assert chosen is not None
    assert chosen.outcome is not None
    settings = target.settings
    return {
        "platform": settings.platform.name,
        "dtype": settings.dtype,
        "toolkit": TOOLKIT,
        "graph": chosen.name,
        "interface": target.renewed,
        "note": "cycles and bytes are the toolkit's estimates; times are known on a board alone",
        "simulator": {
            "against": "ONNX Runtime on the model that was given, on the same inputs",
            "outputs": [a.as_dict() for a in chosen.agreements],
        },
        "summary": chosen.outcome.log.summary() | {"no_kernel": no_kernel(chosen)},
        "compared": [candidate.as_dict() for candidate in target.candidates],
        "warnings": [r.as_dict() for r in chosen.outcome.log.remarks if r.weight != "benign"],
        "layers": [layer.as_dict() for layer in chosen.outcome.log.layers],
        **_per_layer(chosen),
    }


def _per_layer(chosen: Candidate) -> dict[str, Any]:
    return {"accuracy": chosen.layers} if chosen.layers else {}


def inference_script(source: sources.Source, settings: Settings, file: str, model: Model) -> str:
    """The script that runs the model on the board with RKNNLite."""
    from jinja2 import Environment, StrictUndefined

    made = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    made.filters["py"] = repr
    template = made.from_string(resources.files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))
    return template.render(
        source=source,
        file=file,
        platform=settings.platform,
        inputs=list(_inputs(source, model)),
        class_names=list(source.classes.names or ()) if source.classes else [],
    )


def _inputs(source: sources.Source, model: Model) -> Iterator[dict[str, Any]]:
    """What the script has to know of each input."""
    for said, value in zip(source.inputs, model.graph.inputs):
        type_ = value.type
        shape = type_.shape if isinstance(type_, TensorType) else None
        image = shape is not None and len(shape) == 4 and shape[1] in (1, 3)
        # Rows of pixels as they are read, unless the network takes them so by itself: then as it takes them.
        as_it_is = shape is not None and len(shape) == 4 and not image and shape[3] == said.channels
        width, height, channels = said.width, said.height, said.channels
        if image and width is None and shape is not None:
            channels, height, width = (dim if isinstance(dim, int) else None for dim in shape[1:])
        yield {
            "name": value.name,
            "shape": [dim for dim in shape or () if isinstance(dim, int)],
            "dtype": type_.dtype.numpy.name if isinstance(type_, TensorType) else "float32",
            "image": image or said.width is not None,
            "width": width,
            "height": height,
            "channels": channels,
            "color": said.color or ("GRAY" if channels == 1 else "RGB"),
            "color_known": said.color is not None,
            "layout": "nchw" if as_it_is else "nhwc",
            "normalized": said.mean is not None or said.std is not None,
            "preprocess": said.preprocess if said.preprocess != "none" else "resize",
            "pad_color": list(said.pad_color or ()),
        }
