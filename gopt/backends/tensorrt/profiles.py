"""Optimization profiles by symbol: a dim has the same sizes in every input that it occurs in.

An engine is built for ranges of its inputs' sizes: the smallest, the usual (for which it is tuned) and the largest
shape of each input ("Working with Dynamic Shapes" of the TensorRT documentation).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import UsageError
from ...ir import Model, Symbol, TensorType, Value
from ...ir.expressions import evaluate, names_in
from .sizing import sizing_inputs

Span = tuple[int, int, int]
"""Smallest, usual and largest."""

_NAMELESS = frozenset(("", "?", "-1", "None"))
_SPAN = re.compile(r"(.+)=(\d+)(?::(\d+)(?::(\d+))?)?")
_BATCH = re.compile(r"batch|(^|[^a-z])(bs?|n)($|[^a-z])", re.IGNORECASE)

_FEW = 4
"""Sizes up to this are those of batches, whatever the dim is called."""
_GUESSED_BATCH = 8


@dataclass(frozen=True)
class Profile:
    """Sizes of all symbols, and the shapes that follow.

    Attributes:
        symbols: name of a dim, or `input.axis` of a nameless one -> its sizes.
        shapes: input with dynamic dims -> its smallest, usual and largest shape.
        guessed: symbols whose sizes were neither given nor seen to work.
        values: input that holds sizes -> its smallest, usual and largest elements.
    """

    symbols: dict[str, Span] = field(default_factory=dict)
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    guessed: tuple[str, ...] = ()
    values: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)

    def fixed(self) -> Profile:
        """The same with every size as it usually is."""
        symbols = {name: (usual, usual, usual) for name, (_, usual, _) in self.symbols.items()}
        shapes = {name: (usual, usual, usual) for name, (_, usual, _) in self.shapes.items()}
        values = {name: (usual, usual, usual) for name, (_, usual, _) in self.values.items()}
        return Profile(symbols, shapes, self.guessed, values)

    def as_dict(self) -> dict[str, object]:
        """In plain types, as the profile's file has it."""
        spans = {n: dict(zip(("min", "opt", "max"), span)) for n, span in self.symbols.items()}
        shapes, values = (
            {n: {"min": list(low), "opt": list(usual), "max": list(high)} for n, (low, usual, high) in found.items()}
            for found in (self.shapes, self.values)
        )
        return {"symbols": spans, "inputs": shapes} | ({"values": values} if values else {})


def derive(
    model: Model,
    given: Mapping[str, Span],
    seen: Sequence[Mapping[str, int]] = (),
    *,
    widen: bool = False,
    held: Sequence[Mapping[str, Sequence[int]]] = (),
) -> Profile:
    """The profile of a model.

    Args:
        model: its inputs' declared types count.
        given: sizes that were asked for; those of dims that the model has not do not count.
        seen: sizes at which the model is known to run, the usual ones first.
        widen: let a dim that ran at several sizes become as large as its name and place suggest.
        held: what inputs that hold sizes held when it ran, the usual first.
    """
    variables = _variables(model)
    elements = {input_: _elements(input_, count) for input_, count in sizing_inputs(model).items()}
    symbols: dict[str, Span] = {}
    guessed = []
    for name in variables:
        sizes = [case[name] for case in seen if name in case]
        if name in given:
            symbols[name] = given[name]
        elif sizes:
            most = max(sizes)
            if widen and len(set(sizes)) > 1:
                most = max(most, _guess(model, name)[2] if most > _FEW else _GUESSED_BATCH)
            symbols[name] = (min(sizes), sizes[0], most)
        else:
            symbols[name] = _guess(model, name)
            guessed.append(name)
    shapes = {}
    for value in dict.fromkeys(value for value, _, _ in _open(model)):
        low, usual, high = ({n: span[k] for n, span in symbols.items()} for k in range(3))
        shapes[value.name] = (_shape(value, low), _shape(value, usual), _shape(value, high))
    values = {}
    for input_, names in elements.items():
        runs = [case[input_] for case in held if len(case.get(input_, ())) == len(names)]
        for k, name in enumerate(names):
            sizes = [run[k] for run in runs]
            if name in given or input_ in given:
                symbols[name] = given.get(name, given.get(input_, _ANY))
            elif sizes:
                symbols[name] = (min(sizes), sizes[0], max(sizes))
            else:
                symbols[name] = _ANY
                guessed.append(name)
        least, middle, most_ = (tuple(symbols[name][k] for name in names) for k in range(3))
        values[input_] = (least, middle, most_)
    return Profile(symbols, shapes, tuple(guessed), values)


_ANY: Span = (1, 16, 64)
"""What an input that holds a size may hold, if nothing is known of it."""


def examine_names(model: Model, given: Iterable[str]) -> None:
    """See to it that a model has all dims that are named.

    Raises:
        UsageError: one does not occur.
    """
    elements = {input_: _elements(input_, count) for input_, count in sizing_inputs(model).items()}
    there = [*_variables(model), *(name for names in elements.values() for name in names)]
    if unknown := [name for name in given if name not in there and name not in elements]:
        raise UsageError(f"--profile: the model has no dynamic dim {unknown[0]!r}; it has {', '.join(there) or 'none'}")


def input_shapes(model: Model, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The shapes of all inputs at sizes of the dims; usual ones where there are none."""
    shapes = {value.name: t.shape for value in model.graph.inputs if (t := declared(value)) is not None}
    fixed = {name: tuple(d for d in shape or () if isinstance(d, int) and d >= 0) for name, shape in shapes.items()}
    found = {
        name: fixed[name] for name, shape in shapes.items() if shape is not None and len(fixed[name]) == len(shape)
    }
    spans = {name: (size, size, size) for name, size in sizes.items()}
    profile = derive(model, spans)
    return found | {name: usual for name, (_, usual, _) in profile.shapes.items()}


def _elements(name: str, count: int) -> list[str]:
    """How the elements of an input that holds sizes are called: like the input if it has one, else `input[k]`."""
    return [name] if count == 1 else [f"{name}[{k}]" for k in range(count)]


def parse_spans(texts: Sequence[str]) -> dict[str, Span]:
    """`batch=1:4:16`, `batch=4` (one size) or `batch=1:16` (tuned for the largest), by name.

    Raises:
        UsageError: a text is not of that form, or its sizes do not grow.
    """
    found: dict[str, Span] = {}
    for text in texts:
        match = _SPAN.fullmatch(text.strip())
        if match is None:
            raise UsageError(f"--profile: {text!r} is not NAME=SMALLEST:USUAL:LARGEST")
        sizes = [int(n) for n in match.groups()[1:] if n is not None]
        span = (sizes[0], sizes[1] if len(sizes) > 2 else sizes[-1], sizes[-1])
        if not 0 <= span[0] <= span[1] <= span[2] or span[2] < 1:
            raise UsageError(f"--profile: the sizes of {text!r} do not grow")
        if found.setdefault(match[1], span) != span:
            raise UsageError(f"--profile: {match[1]} is given twice")
    return found


def declared(value: Value) -> TensorType | None:
    """The type of an input as the model declares it."""
    type_ = value.declared.type if value.declared is not None else value.type
    return type_ if isinstance(type_, TensorType) else None


def _open(model: Model) -> Iterator[tuple[Value, int, Symbol]]:
    """The dims of inputs whose size is open."""
    for value in model.graph.inputs:
        type_ = declared(value)
        for axis, dim in enumerate((type_.shape if type_ is not None else None) or ()):
            if isinstance(dim, Symbol) or dim < 0:
                yield value, axis, dim if isinstance(dim, Symbol) else Symbol()


def _variables(model: Model) -> list[str]:
    return list(dict.fromkeys(name for value, axis, dim in _open(model) for name in _names(value, axis, dim)))


def _names(value: Value, axis: int, dim: Symbol) -> list[str]:
    return [f"{value.name}.{axis}"] if dim.name in _NAMELESS else names_in(dim.name)


def _shape(value: Value, known: Mapping[str, int]) -> tuple[int, ...]:
    type_ = declared(value)
    assert type_ is not None
    assert type_.shape is not None
    dims = []
    for axis, dim in enumerate(type_.shape):
        if isinstance(dim, int) and dim >= 0:
            dims.append(dim)
        elif isinstance(dim, Symbol) and dim.name not in _NAMELESS:
            dims.append(evaluate(dim.name, known))
        else:
            dims.append(known[f"{value.name}.{axis}"])
    return tuple(dims)


def _guess(model: Model, name: str) -> Span:
    """Sizes for a dim of which nothing is known but its name and place."""
    if _BATCH.search(name) and not name.rpartition(".")[2].isdigit():
        return 1, 1, _GUESSED_BATCH
    for value, axis, dim in _open(model):
        if name not in _names(value, axis, dim):
            continue
        type_ = declared(value)
        rank = len(type_.shape or ()) if type_ is not None else 0
        if axis == 0 and rank > 1:
            return 1, 1, _GUESSED_BATCH
        if rank >= 4:
            return 64, 224, 640
    return 1, 128, 512
