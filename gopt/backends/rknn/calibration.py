"""The list of calibration files: whether it fits the model, and the sample that it begins with.

What 8 bits cost is told by data such as the network will see, so that the simulator is run on the first sample of the
list, not on random numbers, for which no scales were found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...errors import GoptError, ModelError, UsageError
from ...ir import Array, Model, TensorType, Value
from .child import read_images
from .convert import Settings
from .environment import Environment


def lines(dataset: Path, inputs: int) -> Iterator[list[Path]]:
    """The files of each run, one per input; paths are relative to the list.

    Raises:
        ModelError: the list or a file is not there.
        UsageError: a line names more or fewer files than the model has inputs, or there is none.
    """
    try:
        text = dataset.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ModelError(f"dataset {dataset}: {error}") from None
    found = False
    for number, line in enumerate(text.splitlines(), 1):
        names = line.split()
        if not names:
            continue
        found = True
        if len(names) != inputs:
            raise UsageError(f"dataset {dataset}:{number}: {len(names)} files for a model of {inputs} inputs")
        files = [dataset.parent / name for name in names]
        if missing := [file for file in files if not file.is_file()]:
            raise ModelError(f"dataset {dataset}:{number}: {missing[0]}: there is no such file")
        yield files
    if not found:
        raise UsageError(f"dataset {dataset}: it names no files")


def first_sample(settings: Settings, model: Model, environment: Environment) -> dict[str, Array]:
    """What the network gets of the first run in the list, by the names of its inputs; empty if that cannot be told.

    Args:
        settings: mean and std, which the converted model holds and the network does not.
        model: its inputs have known sizes.
        environment: whose image library reads pictures, as it does for the calibration.

    Raises:
        ModelError: the list or a file that it names is not there.
        UsageError: the list does not fit the model.
    """
    if settings.dataset is None:
        return {}
    inputs = model.graph.inputs
    every = list(lines(settings.dataset, len(inputs)))
    try:
        read = _read(every[0], inputs, settings, environment)
    except (GoptError, OSError, ValueError):
        return {}  # the toolkit reads more kinds of files than gopt; what it cannot read, it says
    return {value.name: _normalized(array, settings, k) for k, (value, array) in enumerate(zip(inputs, read))}


def _read(files: Sequence[Path], inputs: Sequence[Value], settings: Settings, environment: Environment) -> list[Array]:
    shapes = [_shape(value) for value in inputs]
    pictures = [k for k, file in enumerate(files) if file.suffix.lower() != ".npy"]
    made: dict[int, Array] = {}
    if pictures:
        wanted = [(files[k], shapes[k], k < len(settings.bgr) and settings.bgr[k]) for k in pictures]
        made.update(zip(pictures, read_images(environment, wanted)))
    for k, file in enumerate(files):
        if k not in made:
            made[k] = np.load(file, allow_pickle=False)
        if made[k].size != np.prod(shapes[k]):
            raise ValueError(f"{file} has another shape than the input")
    return [made[k].reshape(shapes[k]).astype(np.float32) for k in range(len(files))]


def _shape(value: Value) -> tuple[int, ...]:
    type_ = value.type
    if not isinstance(type_, TensorType) or type_.shape is None:
        raise ValueError(f"the size of {value.name} is not known")
    return tuple(dim for dim in type_.shape if isinstance(dim, int))


def _normalized(array: Array, settings: Settings, place: int) -> Array:
    """(x - mean) / std, channel by channel."""
    shape = [1] * array.ndim
    if array.ndim > 1:
        shape[1] = -1
    for lists, sign in ((settings.means, -1), (settings.stds, 1)):
        values = lists[place] if place < len(lists) else None
        if values is not None:
            given = np.asarray(values, np.float32).reshape(shape)
            array = array - given if sign < 0 else array / given
    return array
