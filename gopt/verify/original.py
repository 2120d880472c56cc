"""What is known of the original: its inputs, the sizes that are settled, its runs. Used by the worker process only."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..ir import DType
from ..ir.expressions import Dims, evaluate, names_in
from .inputs import InputSpec, feed
from .sizes import Variable, variables
from .styles import Style

_SEARCHED = 1 << 16  # sizes that are tried for the unknown in arithmetic


@dataclass(slots=True)
class Run:
    """One run of the original: what was fed is made again from the case and the seed.

    Attributes:
        expected: the outputs.
        inner: what was computed on the way, as far as a candidate takes or gives it.
        style: how the numbers that were fed are drawn.
    """

    case: Dims
    seed: int
    expected: dict[str, Any]
    inner: dict[str, Any] = field(default_factory=dict)
    style: Style = Style.PLAIN


@dataclass(slots=True)
class Original:
    """Everything that is known of the original; the model itself, with its weights, is let go.

    Attributes:
        width: how integers are read of which nothing is known, see `inputs.feed`.
        runs, further: what was run; candidates are run on the same.
        seconds, effort: what the longest of the first runs took, by the clock and of the processor.
    """

    path: Path
    coarsest: DType
    random: list[str]
    inputs: list[InputSpec]
    kinds: dict[str, str]
    given: dict[str, Any]
    frozen: frozenset[str] = frozenset()
    fixed: Dims = field(default_factory=dict)
    width: int = 0
    runs: list[Run] = field(default_factory=list)
    further: list[Run] = field(default_factory=list)
    seconds: float = 0.0
    effort: float = 0.0
    notes: list[str] = field(default_factory=list)

    def took(self, seconds: float, effort: float) -> None:
        """Note what a run took."""
        self.seconds, self.effort = max(self.seconds, seconds), max(self.effort, effort)

    def feed(self, case: Mapping[str, int], seed: int, style: Style = Style.PLAIN) -> dict[str, Any]:
        """Values for all inputs."""
        made = feed([s for s in self.inputs if s.name not in self.given], case, seed, self.width, style)
        return {s.name: self.given[s.name] if s.name in self.given else made[s.name] for s in self.inputs}


def settle(original: Original, dims: Mapping[str, Any]) -> list[Variable]:
    """Settle the sizes that the user gave, as numbers or by arrays; the rest is free.

    Raises:
        UsageError: a size is given that the model does not have, or two that contradict each other.
    """
    asked: Dims = {str(k): int(v) for k, v in dims.items()}
    fixed = original.fixed
    known: dict[str, bool] = {}  # what can be asked for; True: the size itself, not just a place where it occurs
    for spec in original.inputs:
        for axis, dim in enumerate(spec.dims or ()):
            known.setdefault(f"{spec.name}.{axis}", False)
            known.update(dict.fromkeys(names_in(dim) if isinstance(dim, str) else (), True))
    for name, size in asked.items():
        if name not in known:
            raise UsageError(f"no input has a dim {name!r}; there are {', '.join(map(repr, known)) or 'none'}")
        if known[name]:
            fixed[name] = size
    for spec in original.inputs:
        for axis, dim in enumerate(spec.dims or ()):
            sizes = [asked[place]] if (place := f"{spec.name}.{axis}") in asked else []
            if spec.name in original.given:
                sizes.append(int(original.given[spec.name].shape[axis]))
            for size in sizes:
                if isinstance(dim, int) and dim != size:
                    raise UsageError(f"input {spec.name!r}: axis {axis} is declared as {dim}, not {size}")
                if isinstance(dim, str) and names_in(dim) == [dim] and fixed.setdefault(dim, size) != size:
                    raise UsageError(f"dim {dim!r} is both {fixed[dim]} and {size}")
                if isinstance(dim, str):
                    _solve(dim, size, fixed)
    return variables([s for s in original.inputs if s.name not in original.given], fixed)


def asked_shape(name: str, dims: Mapping[str, int]) -> tuple[int, ...] | None:
    """The shape that is asked for of an input of unknown rank, if all of its sizes are."""
    sizes = list(itertools.takewhile(bool, (dims.get(f"{name}.{axis}", 0) for axis in range(len(dims)))))
    return tuple(sizes) or None


def _solve(dim: str, size: int, fixed: Dims) -> None:
    """Settle the only unknown in arithmetic such as "past + 1", where one size of it is asked for."""
    unknown = [name for name in dict.fromkeys(names_in(dim)) if name not in fixed]
    if len(unknown) == 1:
        found = next((n for n in range(_SEARCHED) if evaluate(dim, {**fixed, unknown[0]: n}) == size), None)
        if found is not None:
            fixed[unknown[0]] = found
