"""Sizes for dynamic dims: candidates by what a dim looks like, and the search for assignments on which the model runs.

What runs is found out by running the original. The first success is one assignment; the second is to differ from it in
every dim (and to tell height from width), so that a size baked in by a rewrite shows. Where the model does not allow
that, dims are changed one after the other, as many as it lets.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..ir.expressions import Dims, names_in
from .inputs import FREE_SHAPES, STATE, InputSpec

_BATCH = (1, 2, 3)
_IMAGE = (64, 96, 32, 128, 224, 160, 256, 320, 48, 416, 512, 640, 8, 16, 7, 1)
_CHANNELS = (3, 1, 4, 2)
_SAMPLES = (512, 16000, 4000, 576, 256, 1536, 8000, 6000, 32000, 48000, 1024, 257, 16, 7, 1)
_TOKENS = (7, 12, 16, 2, 1, 5, 32, 64, 100, 150, 200, 256, 300, 128, 512)
_FRAMES = (16, 24, 64, 100, 80, 7, 32, 150, 200, 300, 400, 128, 1, 2, 512, 900)
_PAST = (3, 5, 8, 0)
_ITEMS = (5, 8, 16)
_LEADING = _BATCH + _ITEMS
_LARGER_BATCH = 5
_ODD = (37, 45, 53, 41)
_SHORT = (9, 11, 6, 13)
_LONG = (131, 139, 167, 149)
"""For further runs, what first runs do not try: no kernel's tile, no multiple of what pools and strides divide by."""

_SEQUENCE = re.compile(r"seq|token|len|phon|text|char", re.I)
# By name first; a name is the exporter's own word for what the dim is.
_BY_NAME: tuple[tuple[re.Pattern[str], tuple[int, ...]], ...] = (
    (re.compile(r"batch|(^|[^a-z])(bs?|n)($|[^a-z])", re.I), _BATCH),
    (re.compile(r"past", re.I), _PAST),
    (re.compile(r"height|width|(^|_)[hw]($|_)", re.I), _IMAGE),
    (re.compile(r"sample|audio|wav", re.I), _SAMPLES),
    (re.compile(r"frame|time", re.I), _FRAMES),
    (re.compile(r"channel", re.I), _CHANNELS),
    (_SEQUENCE, _TOKENS),
)


@dataclass(frozen=True, slots=True)
class Variable:
    """A size to choose: its name, and values worth trying, the likeliest first."""

    name: str
    values: tuple[int, ...]


def variables(inputs: Sequence[InputSpec], fixed: Mapping[str, int]) -> list[Variable]:
    """The free sizes of a model, in order of their first occurrence; a name stands for the same size everywhere."""
    found: dict[str, tuple[int, ...]] = {}
    strongest: dict[str, int] = {}
    for spec in inputs:
        if spec.dims is None:
            if (name := f"{spec.name}.rank") not in fixed:
                found.setdefault(name, tuple(FREE_SHAPES))
            continue
        for axis, dim in enumerate(spec.dims):
            if not isinstance(dim, str):
                continue
            for name in names_in(dim):
                if name in fixed:
                    continue
                values, strength = _values(spec, axis, name, bare=name == dim)
                if strength > strongest.get(name, -1):
                    found[name], strongest[name] = values, strength
                found.setdefault(name, values)
    return [Variable(name, values) for name, values in found.items()]


def _values(spec: InputSpec, axis: int, name: str, bare: bool) -> tuple[tuple[int, ...], int]:
    """Candidates for a dim, and what they rest on: 3 what a weight calls for, 2 the name, 1 the place in the shape."""
    hints = tuple(spec.usage.dims.get(axis, ())) if bare else ()
    values, strength = _by_place(spec, axis), 1 if len(spec.dims or ()) > 1 else 0
    if not name.startswith(f"{spec.name}."):  # not a name made up for a nameless dim
        for pattern, named in _BY_NAME:
            if pattern.search(name):
                # A sequence of floats in two dims is sound more often than text.
                sound = pattern is _SEQUENCE and spec.dtype.is_float and len(spec.dims or ()) == 2
                rest = values if len(values) > len(named) else ()
                values, strength = tuple(dict.fromkeys(values if sound else named + rest)), 2
                break
    if hints:
        return tuple(dict.fromkeys(hints + values)), 3
    return values, strength


def _by_place(spec: InputSpec, axis: int) -> tuple[int, ...]:
    rank = len(spec.dims or ())
    whole = not spec.dtype.is_float or spec.usage.hi is not None
    if rank == 1:
        return tuple(dict.fromkeys(_BATCH + (_TOKENS if whole else _SAMPLES)))
    if axis == 0 or (rank == 3 and axis == 1 and STATE.search(spec.name)):  # a state is [layers, batch, hidden]
        return _LEADING
    if rank >= 4:
        if axis == 1:
            return tuple(dict.fromkeys(_CHANNELS + _ITEMS + _FRAMES))
        return tuple(dict.fromkeys(_CHANNELS + _IMAGE)) if axis == rank - 1 and _channels_last(spec) else _IMAGE
    if rank == 2:
        return _TOKENS if whole else tuple(dict.fromkeys(_SAMPLES + _TOKENS))
    return _TOKENS if whole else tuple(dict.fromkeys(_FRAMES + _TOKENS))


def _channels_last(spec: InputSpec) -> bool:
    """Whether axis 1 is a picture's height, as in NHWC."""
    hints = spec.usage.dims
    return len(spec.dims or ()) == 4 and 3 in hints and 1 not in hints


def combinations(vary: Sequence[Variable], tied: bool) -> Iterator[Dims]:
    """Assignments, likeliest first: by the sum of the places of the values in their lists.

    Tied: variables with equal lists take equal values, which is how models without named dims mostly want it.
    """
    groups: dict[object, list[Variable]] = {}
    for number, variable in enumerate(vary):
        groups.setdefault(variable.values if tied else number, []).append(variable)
    members = list(groups.values())
    lists = [group[0].values for group in members]
    heap: list[tuple[int, tuple[int, ...]]] = [(0, (0,) * len(lists))]
    seen = {heap[0][1]}
    while heap:
        _, places = heapq.heappop(heap)
        yield {v.name: lists[g][k] for g, k in enumerate(places) for v in members[g]}
        for g, k in enumerate(places):
            if k + 1 < len(lists[g]):
                after = (*places[:g], k + 1, *places[g + 1 :])
                if after not in seen and len(seen) < 50_000:
                    seen.add(after)
                    heapq.heappush(heap, (sum(after), after))


class Search:
    """Finds up to two assignments; `attempt` runs the model and says whether it ran."""

    def __init__(self, vary: Sequence[Variable], fixed: Dims, attempt: Callable[[Dims], bool], tries: int) -> None:
        self.vary = list(vary)
        self.fixed = dict(fixed)
        self.attempt = attempt
        self.left = tries
        self._known: dict[tuple[int, ...], bool] = {}

    def first(self) -> Dims | None:
        """An assignment that runs, preferably of the likeliest sizes; None if none was found."""
        budget = max(1, self.left // 4)
        for sizes in itertools.islice(combinations(self.vary, tied=True), budget):
            if self._runs(sizes):
                return self._full(sizes)
        for sizes in combinations(self.vary, tied=False):
            if self.left <= 0:
                break
            if self._runs(sizes):
                return self._full(sizes)
        return None

    def second(self, first: Dims) -> Dims | None:
        """An assignment that differs from `first` in as many dims as the model allows; None if in none."""
        if not self.vary:
            return None
        self.left = min(self.left, 30 + 20 * len(self.vary))
        others = [Variable(v.name, tuple(x for x in v.values if x != first[v.name])) for v in self.vary]
        if all(v.values for v in others):
            distinct = (s for s in itertools.islice(combinations(others, False), 4000) if self._unlike(s))
            for source, budget in ((distinct, 6), (combinations(others, True), 16), (combinations(others, False), 10)):
                for sizes in itertools.islice(source, budget):
                    if self._runs(sizes):
                        return self._full(sizes)
        return self._one_by_one(first, others)

    def _one_by_one(self, first: Dims, others: Sequence[Variable]) -> Dims | None:
        """Change dims of equal candidates together (nameless batches must agree), then each of the rest alone."""
        sizes = {v.name: first[v.name] for v in self.vary}
        kinds: dict[tuple[int, ...], list[Variable]] = {}
        for variable in others:
            kinds.setdefault(variable.values, []).append(variable)
        together = [group for group in kinds.values() if len(group) > 1]
        for group in [*together, *([variable] for variable in others)]:
            if any(sizes[v.name] != first[v.name] for v in group):
                continue
            for value in group[0].values:
                changed = sizes | {v.name: value for v in group}
                if self._runs(changed):
                    sizes = changed
                    break
        return self._full(sizes) if any(sizes[v.name] != first[v.name] for v in self.vary) else None

    def _unlike(self, sizes: Dims) -> bool:
        """True if dims of the same kind have different sizes (batches aside: all of them are small)."""
        kinds: dict[tuple[int, ...], list[int]] = {}
        for v in self.vary:
            if len(v.values) > len(_BATCH):
                kinds.setdefault(v.values, []).append(sizes[v.name])
        return any(len(k) > 1 for k in kinds.values()) and all(len(set(k)) == len(k) for k in kinds.values())

    def _runs(self, sizes: Dims) -> bool:
        key = tuple(sizes[v.name] for v in self.vary)
        if key in self._known:
            return self._known[key]
        if self.left <= 0:
            return False
        self.left -= 1
        self._known[key] = ran = self.attempt(self._full(sizes))
        return ran

    def _full(self, sizes: Dims) -> Dims:
        return {**self.fixed, **sizes}


def unlike(free: Sequence[Variable], cases: Sequence[Dims], small: bool) -> Iterator[Dims]:
    """Assignments unlike those that ran: larger batches, odd heights and widths, sequences longer or shorter.

    What was of the same size in all cases stays so, as nameless dims often have to. The last one differs in its batches
    alone.
    """
    known: dict[tuple[int, ...], int] = {}
    batches: Dims = {}
    others: Dims = {}
    for variable in free:
        seen = tuple(case[variable.name] for case in cases)
        if variable.values[: len(_BATCH)] == _BATCH:
            batches[variable.name] = _LARGER_BATCH
        elif variable.values[: len(_CHANNELS)] != _CHANNELS:
            sizes = _ODD if variable.values[: len(_IMAGE)] == _IMAGE else _SHORT if small else _LONG
            others[variable.name] = known.setdefault(seen, sizes[len(known) % len(sizes)])
    base = dict(cases[-1])
    made = [base | batches | others, base | batches] if others and batches else [base | batches | others]
    yield from (case for case in made if case not in cases)


def same_in_all(cases: Sequence[Dims], free: Sequence[Variable]) -> list[str]:
    """The free dims that have one size only in all cases."""
    return [v.name for v in free if len({case[v.name] for case in cases}) < 2]
