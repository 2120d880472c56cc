"""Another batch size: what a model computes for several samples must be the results of single ones, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..ir.expressions import Dims
from .compare import Comparer, Comparison
from .inputs import InputSpec
from .sessions import Session, Unverified, brief

_DISTINCT = 8  # samples of a large batch that differ
_FIRST_SEED = 1000

Feed = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Batches:
    """How the batch size changes.

    Attributes:
        axes: the axis along which the samples lie, by input.
        was: how many samples the original takes at once.
        sizes: how many the candidate is given, in turn.
    """

    axes: dict[str, int]
    was: int
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, request: Mapping[str, Any] | None) -> Batches | None:
        """Read a request; without a size, two small ones are tried."""
        if not request:
            return None
        size = request["size"]
        sizes = (int(size),) if size is not None else (2, 3)
        return cls({str(k): int(v) for k, v in request["axes"].items()}, int(request["was"]), sizes)


@dataclass(slots=True)
class Group:
    """Runs of the original that together make one of the candidate.

    Attributes:
        case: sizes of the other dims.
        size: how many samples the candidate gets.
        seeds: what the original is fed with, one after the other.
        results: what it gave.
    """

    case: Dims
    size: int
    seeds: list[int]
    results: list[dict[str, Any]] = field(default_factory=list)


class Reference(Protocol):
    """What is known of the original."""

    inputs: list[InputSpec]
    runs: list[Any]

    def feed(self, case: Mapping[str, int], seed: int) -> Feed:
        """Values for all inputs."""


def compare_batches(
    original: Reference,
    batches: Batches,
    single: Session,
    session: Session,
    comparer: Comparer,
    seconds: float,
    found: Comparison,
) -> int:
    """Run a candidate on whole batches; each sample must get the result that it has alone.

    Args:
        original: the model that takes `batches.was` samples.
        batches: what is compared.
        single: the original, loaded.
        session: the candidate, loaded.
        comparer: compares outputs.
        seconds: time for one run.
        found: gets the result.

    Returns:
        How often the candidate ran.

    Raises:
        Unverified: the original does not run on single samples.
    """
    cases = _cases(original, batches)
    for runs, group in enumerate(groups(batches, cases)):
        parts = feeds(batches, group, original.feed)
        try:
            group.results = [single.run(part, seconds) for part in parts]
        except Exception as error:
            raise Unverified(f"the original does not run on {batches.was} at a time: {brief(error)}") from error
        told = f" with {group.size} samples at once"
        feed = joined(batches, group, parts)
        try:
            outputs = session.run({k: v for k, v in feed.items() if k in session.inputs}, seconds)
        except Exception as error:
            found.reasons.append(f"it does not run{told}: {brief(error)}")
            return runs
        wanted, problem = expected(batches, group, outputs)
        before = len(found.reasons)
        if problem:
            found.reasons.append(problem)
        else:
            comparer.outputs(wanted, outputs, found)
        found.reasons[before:] = [f"{why}{told}: not what single samples give" for why in found.reasons[before:]]
        if not found.equal:
            return runs + 1
    sizes = " and ".join(str(size) for size in batches.sizes)
    found.notes.append(f"{sizes} samples at once were compared with the results of {batches.was} at a time")
    return len(cases) * len(batches.sizes)


def _cases(original: Reference, batches: Batches) -> list[Dims]:
    """The assignments on which the original ran, with the batch size that it has."""
    fixed = {
        dim: batches.was
        for spec in original.inputs
        if spec.name in batches.axes and spec.dims is not None
        if isinstance(dim := spec.dims[batches.axes[spec.name]], str)
    }
    found = [{**run.case, **fixed} for run in original.runs]
    return [case for k, case in enumerate(found) if case not in found[:k]]


def groups(batches: Batches, cases: Sequence[Dims]) -> list[Group]:
    """The runs to make: each size with each case."""
    found = []
    for number, (case, size) in enumerate((c, s) for c in cases for s in batches.sizes):
        count = min(-(-size // batches.was), _DISTINCT)
        first = _FIRST_SEED + number * _DISTINCT
        found.append(Group(case, size, list(range(first, first + count))))
    return found


def feeds(batches: Batches, group: Group, make: Callable[[Dims, int], Feed]) -> list[Feed]:
    """What the original is fed with; what no sample has of its own is the same in all runs."""
    made = [make(group.case, seed) for seed in group.seeds]
    shared = {name: value for name, value in made[0].items() if name not in batches.axes}
    return [{**feed, **shared} for feed in made]


def joined(batches: Batches, group: Group, parts: Sequence[Feed]) -> Feed:
    """What the candidate is fed with: the samples of all parts, again and again until there are enough."""
    count = -(-group.size // batches.was)
    whole = dict(parts[0])
    for name, axis in batches.axes.items():
        if name in whole:
            pieces = [parts[k % len(parts)][name] for k in range(count)]
            whole[name] = np.take(np.concatenate(pieces, axis), range(group.size), axis)
    return whole


def expected(batches: Batches, group: Group, outputs: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The results of the parts put together along the axis along which an output has grown, and what is wrong."""
    made: dict[str, Any] = {}
    for name, first in group.results[0].items():
        found = outputs.get(name)
        parts = [result[name] for result in group.results]
        if not isinstance(found, np.ndarray) or not all(isinstance(part, np.ndarray) for part in parts):
            made[name] = first
            continue
        if any(part.shape != first.shape for part in parts):
            return {}, f"output {name!r} has another shape for each sample: {list(first.shape)}, ..."
        grown = [k for k, (a, b) in enumerate(zip(first.shape, found.shape)) if a != b]
        if found.ndim != first.ndim or len(grown) > 1:
            return {}, f"output {name!r}: {list(first.shape)} for {batches.was} became {list(found.shape)}"
        if not grown and (group.size != batches.was or len(parts) > 1):
            if any(not np.array_equal(part, first, equal_nan=first.dtype.kind == "f") for part in parts[1:]):
                return {}, f"output {name!r} is of {list(found.shape)} for all samples, but each has its own"
            made[name] = first
            continue
        axis = grown[0] if grown else 0
        if grown and found.shape[axis] * batches.was != first.shape[axis] * group.size:
            return {}, f"output {name!r}: {list(first.shape)} for {batches.was} became {list(found.shape)}"
        if not grown:
            made[name] = first
            continue
        count = -(-group.size // batches.was)
        whole = np.concatenate([parts[k % len(parts)] for k in range(count)], axis)
        made[name] = np.take(whole, range(found.shape[axis]), axis)
    return made, ""
