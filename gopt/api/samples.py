"""What a model computes from one set of inputs, for targets that compare their own results with it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import GoptError
from ..frontends.arrays import read_array
from ..ir import Array
from ..verify.samples import sample
from .dumping import dump

Sampled = tuple[dict[str, Array], dict[str, Array]]


def reference(
    model: Path,
    sizes: Mapping[str, Sequence[int]],
    given: Mapping[str, Array | str | Path] | None = None,
    timeout: float = 120.0,
) -> Sampled | None:
    """Inputs of a model, and what ONNX Runtime computes from them, its graph optimizations off.

    Args:
        model: the file.
        sizes: of the inputs by name.
        given: data for inputs, frozen ones among them; the rest is random.
        timeout: seconds that the run may take.

    Returns:
        Inputs and outputs by name; None if the model does not run on such inputs.
    """
    given = dict(given or {})
    try:
        made = sample(model, {name: shape for name, shape in sizes.items() if name not in given})
        feed = {name: read_array(name, v) if isinstance(v, (str, Path)) else v for name, v in given.items()}
        feed |= made
        with tempfile.TemporaryDirectory(prefix="gopt-sample-") as folder:
            file = Path(folder) / "outputs.npz"
            dumped = dump(model, file, inputs=feed, timeout=timeout)
            with np.load(file, allow_pickle=False) as data:
                outputs = {value.name: data[value.member] for value in dumped.values}
    except GoptError:
        return None
    return feed, outputs
