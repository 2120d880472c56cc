"""A run of the fuzzer: cases from seeds, what came of them, failures made small and kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import numpy as np

from ...frontends.onnx import load
from ...ir.printer import to_text
from .blame import Blame, blame
from .corpus import keep
from .finish import Case, draw
from .oracle import Failure, Oracle
from .pipelines import plan
from .shrink import shrink

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """A failure, as small as it could be made.

    Attributes:
        case: the small case.
        failure: what goes wrong with it.
        blame: the guilty rewrite, where there is one.
    """

    case: Case
    failure: Failure
    blame: Blame | None

    @property
    def signature(self) -> str:
        """What failures that are likely the same have in common."""
        guilty = self.blame.rule if self.blame is not None else self.failure.message.split(":")[0][:60]
        return f"{self.failure.kind} {guilty}"

    def __str__(self) -> str:
        lines = [f"seed {self.case.seed}: {self.failure}"]
        if self.blame is not None:
            lines.append(f"  blame {self.blame.entry}")
        lines += _indented(to_text(load(self.case.data), elide=64))
        for inputs in self.case.feeds:
            lines += [f"  {name} = {_shown(array)}" for name, array in inputs.items()]
        if self.blame is not None:
            if self.blame.before != self.case.data:
                lines += ["  was by then", *_indented(to_text(load(self.blame.before), elide=64))]
            lines += ["  became", *_indented(to_text(load(self.blame.after), elide=64))]
        return "\n".join(lines)


@dataclass(slots=True)
class Tally:
    """What a run counted.

    Attributes:
        drawn, ran: seeds, and how many of them gave a model that runs.
        results: models rewritten.
        rules: how often each rule was applied by `@default`.
        operators: ops of the models, by type.
        found: failures.
        broken: seeds on which the fuzzer itself failed, and how.
    """

    drawn: int = 0
    ran: int = 0
    results: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)
    found: list[Found] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """One line."""
        counts = f"{self.drawn} seeds, {self.ran} graphs, {self.results} results, {len(self.found)} failures"
        return f"{counts}, {len(self.broken)} errors of the fuzzer" if self.broken else counts


def look(case: Case, rng: np.random.Generator, tally: Tally | None = None) -> Failure | None:
    """The first thing that goes wrong with a case."""
    oracle = Oracle.of(case)
    if oracle is None:
        return None
    if tally is not None:
        tally.ran += 1
        tally.operators.update(op.op_type for graph in load(case.data).graphs() for op in graph.ops)
    if failure := oracle.settled():
        return failure
    for text, exact, again in plan(rng):
        if tally is not None:
            tally.results += 1
        if failure := oracle.look(text, exact, again):
            return failure
    if tally is not None:
        tally.rules.update(oracle.applied)
    return None


def fuzz(
    seeds: Iterable[int],
    seconds: float | None = None,
    small: bool = True,
    corpus: Path | None = None,
    tell: Tell = print,
    progress: Callable[[Tally], None] | None = None,
) -> Tally:
    """Look at the cases of some seeds.

    Args:
        seeds: which.
        seconds: stop after that time.
        small: make failures small.
        corpus: folder in which failures are kept.
        tell: told of each failure.
        progress: shown the tally before each seed.
    """
    tally, end = Tally(), None if seconds is None else monotonic() + seconds
    for seed in seeds:
        if end is not None and monotonic() > end:
            break
        if progress is not None:
            progress(tally)
        tally.drawn += 1
        try:
            found = _one(seed, tally, small)
        except Exception as error:  # a long run is not to end because of one seed
            tally.broken.append(f"seed {seed}: {type(error).__name__}: {error}")
            tell(tally.broken[-1])
            continue
        if found is None:
            continue
        tally.found.append(found)
        tell(str(found))
        if corpus is not None:
            keep(found.case, found.failure, corpus, "" if found.blame is None else found.blame.rule)
    return tally


def _one(seed: int, tally: Tally, small: bool) -> Found | None:
    case = draw(seed)
    failure = None if case is None else look(case, np.random.default_rng([seed, 1]), tally)
    return None if case is None or failure is None else settle(case, failure, small)


def settle(case: Case, failure: Failure, small: bool = True) -> Found:
    """Make a failure small and find the guilty rewrite."""
    if small:
        case, failure = shrink(case, failure)
    oracle = Oracle.of(case)
    return Found(case, failure, None if oracle is None else blame(oracle, failure))


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.splitlines()]


def _shown(array: np.ndarray) -> str:
    if array.size > 64:
        return f"{array.dtype}{list(array.shape)}"
    return f"{array.dtype} " + " ".join(np.array2string(array, separator=", ", floatmode="unique").split())
