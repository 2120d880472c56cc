"""One set of inputs for a model at sizes that are known, made as verification makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import ModelError
from ..ir import Array
from .flow import Facts
from .inputs import feed, specs
from .sessions import brief


def sample(model: Path, sizes: Mapping[str, Sequence[int]], seed: int = 0) -> dict[str, Array]:
    """Inputs that respect type, range and use of what is computed from them.

    Args:
        model: the file.
        sizes: of inputs by name; an input that is not named gets none.
        seed: which set.

    Raises:
        ModelError: the file cannot be read, or an input would be absurdly large.
    """
    import onnx

    try:
        loaded = onnx.load(model, load_external_data=False)
        wanted = [spec for spec in specs(loaded, Facts(loaded)) if spec.name in sizes]
    except Exception as error:
        raise ModelError(f"{model}: {brief(error)}") from error
    for spec in wanted:
        spec.dims = tuple(sizes[spec.name])
    return feed(wanted, {}, seed)
