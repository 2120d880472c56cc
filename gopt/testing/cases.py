"""A case: a model made for a rule, from its example or its pattern, then changed in a few places, and inputs for it.

A recipe says how; the same recipe gives the same case, and one with fewer steps a smaller one.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import prod

import numpy as np

from ..analysis import forget, infer
from ..errors import GoptError
from ..frontends.text import parse
from ..ir import Array, Declared, Graph, Model, Role, Symbol, TensorType, Value
from ..ir.clone import clone_ops, clone_value
from ..rewrite.ledger import Numerics
from ..rewrite.rule import Rule
from .generate import generate
from .mutations import LARGE, LAST, MUTATIONS, Draft
from .plans import Rng, pick
from .values import feed


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a case is made.

    Attributes:
        draw: its number; with the seed and the rule's name it decides everything.
        seed: of the report.
        example: start from the rule's example, not from its pattern.
        steps: names of mutations, each with a number of its own.
        special: feed NaN, infinities and signed zeros too.
        opset: wanted opset of a model made from the pattern.
    """

    draw: int
    seed: int
    example: bool
    steps: tuple[tuple[int, str], ...]
    special: bool
    opset: int

    def rng(self, rule: Rule, *part: int) -> Rng:
        """Random numbers for one part of the case, whatever other parts drew."""
        return np.random.default_rng([self.seed, zlib.crc32(rule.name.encode()), self.draw, *part])

    def without(self, step: int) -> Recipe:
        """The recipe with one step less."""
        return replace(self, steps=self.steps[:step] + self.steps[step + 1 :])


@dataclass(slots=True)
class Case:
    """A model and inputs for it."""

    model: Model
    inputs: dict[str, Array] = field(default_factory=dict)


_NEVER_EMPTY = frozenset({"AveragePool", "Conv", "ConvTranspose", "MaxPool", "Resize", "Upsample"})
"""Operators whose kernels may never end for windows without elements."""
_COUNTS = (0, 1, 1, 1, 2, 2, 2, 2, 3, 4)


def recipe(rule: Rule, draw: int, seed: int, opset: int) -> Recipe:
    """The recipe of a draw: the example as it is first, then by turns changed examples and models from the pattern."""
    example = bool(rule.example) and draw % 2 == 0
    plain = Recipe(draw, seed, example, (), False, opset)
    if rule.example and draw == 0:
        return plain
    rng = plain.rng(rule, 0)
    count = _COUNTS[int(rng.integers(len(_COUNTS)))]
    names = [m.name for m in MUTATIONS]
    weights = np.array([m.weight for m in MUTATIONS])
    chosen = [str(n) for n in rng.choice(names, count, p=weights / weights.sum())]
    chosen.sort(key=lambda n: n in LAST)
    special = rule.numerics is Numerics.EXACT and bool(rng.random() < 0.5)
    return replace(plain, steps=tuple(enumerate(chosen)), special=special)


def make(rule: Rule, how: Recipe) -> Case | None:
    """The case of a recipe; None if nothing came of it.

    Raises:
        GoptError: the rule's example cannot be read.
    """
    model = _example(rule.example) if how.example else generate(rule, how.rng(rule, 1), how.opset)
    if model is None:
        return None
    draft = _draft(model, how.rng(rule, 2))
    draft.special = rule.numerics is Numerics.EXACT
    for number, name in how.steps:
        try:
            draft.apply(name, how.rng(rule, 3, number))
        except (GoptError, ValueError, KeyError, TypeError, ArithmeticError):
            return None  # what a mutation made is no model
    if any(prod(shape) > LARGE for shape in draft.sizes.values()):
        return None
    is_empty = any(0 in shape for shape in draft.sizes.values())
    if is_empty and (any(op.op_type in _NEVER_EMPTY for op in draft.graph.ops) or _contradicts(draft)):
        return None
    forget(draft.model)  # so that outputs are declared as what they are now
    infer(draft.model)
    return Case(draft.model, _feeds(draft, how.rng(rule, 4), how.special))


def _contradicts(draft: Draft) -> bool:
    """True if the sizes of the inputs do not fit together.

    ONNX Runtime leaves empty operands of Concat unchecked, and returns memory that nobody has written to.
    """
    forget(draft.model)
    infer(draft.model)
    results = [v for graph in draft.model.graphs() for op in graph.ops for v in op.outputs if v is not None]
    typed = [value for value in results if value.type is not None]
    forget(draft.model)
    for value, shape in draft.sizes.items():
        declared = value.declared
        if declared is not None and isinstance(declared.type, TensorType):
            value.type = TensorType(declared.type.dtype, shape)
    infer(draft.model)
    return any(value.type is None for value in typed)


@lru_cache(maxsize=256)
def _example(text: str) -> Model:
    return parse(text)


def _draft(source: Model, rng: Rng) -> Draft:
    """A copy of a model, free of what a file said of it, with sizes for the dims of its inputs."""
    graph = Graph(source.graph.name or "example", dict(source.opsets))
    model = Model(graph, ir_version=source.ir_version, functions=source.functions)
    draft = Draft(model)
    sizes: dict[Symbol, int] = {}
    mapping: dict[Value, Value | None] = {}
    for value in source.graph.inputs:
        type_ = value.declared.type if value.declared is not None else value.type
        made = Value(graph.names.fresh(value.name), Role.INPUT, value.tensor)
        if isinstance(type_, TensorType):
            dims = tuple(model.symbol(d.name) if isinstance(d, Symbol) else d for d in type_.shape or ())
            type_ = TensorType(type_.dtype, None if type_.shape is None else dims)
            for dim in dims:
                if isinstance(dim, Symbol):
                    sizes.setdefault(dim, int(rng.integers(1, 5)))
            draft.sizes[made] = tuple(sizes[d] if isinstance(d, Symbol) else d for d in dims)
        made.declared = Declared(type_)
        mapping[value] = graph.add_input(made)
    for op in clone_ops(source.graph, graph, mapping):
        graph.add(op)
    for index, value in enumerate(source.graph.outputs):
        found = clone_value(value, graph, mapping)
        assert found is not None
        graph.set_output(index, found)
    return draft


def _feeds(draft: Draft, rng: Rng, special: bool) -> dict[str, Array]:
    """Arrays for the inputs; defaults are left to themselves every other time."""
    found: dict[str, Array] = {}
    for value in draft.graph.inputs:
        type_ = value.declared.type if value.declared is not None else None
        if not isinstance(type_, TensorType):
            continue
        data = feed(type_.dtype, draft.sizes[value], rng, special)
        given = draft.given.get(value)
        if value.tensor is not None and rng.random() < 0.5:
            continue
        if given is not None and (given.dtype.kind in "iu" or rng.random() < 0.5):
            data = given
            if given.dtype == np.int64 and given.size and rng.random() < 0.4:  # other axes, bounds, pads ...
                flat = given.reshape(-1).copy()
                place = int(rng.integers(given.size))
                flat[place] ^= pick(rng, [1, 3])  # a number near by, and none overflows
                data = flat.reshape(given.shape)
        found[value.name] = data
    return found
