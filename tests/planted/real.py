"""Planted bugs in real models: where each fires, and inputs to judge by what is delivered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx

from gopt.api import apply
from gopt.errors import PassError
from gopt.frontends.onnx import load
from gopt.passes import load_plugin
from gopt.rewrite.rule import Rule
from gopt.verify import Verifier
from gopt.verify.flow import Facts
from gopt.verify.inputs import feed, specs
from gopt.verify.styles import Style

from .judging import Sets
from .plant import PLUGIN, Plant

_SEED = 5000
"""Beyond all that verification uses itself."""


def models_with(plant: Plant, paths: Sequence[Path], most: int) -> Iterator[Path]:
    """The first models in which a bug fires."""
    member = next(m for m in load_plugin(PLUGIN) if m.name == plant.rule)
    wanted = {kind for root in member.roots for kind in root.types} if isinstance(member, Rule) else set[str]()
    for path in paths:
        kinds = op_types(path)
        if wanted and not wanted & kinds:
            continue
        try:
            _, ledger = apply(load(path), plant.rule, plugins=[PLUGIN])
        except PassError:  # it is wrong enough to fail
            continue
        if ledger.entries:
            yield path
            most -= 1
            if not most:
                return


_OP_TYPES: dict[Path, frozenset[str]] = {}


def op_types(path: Path) -> frozenset[str]:
    """Types of the ops in the main graph and in bodies."""
    if path not in _OP_TYPES:
        graphs = load(path).graphs()
        _OP_TYPES[path] = frozenset(op.op_type for graph in graphs for op in graph.ops)
    return _OP_TYPES[path]


def sets_of(path: Path) -> Sets:
    """Inputs that the model takes: sizes as verification finds them, numbers that it has not seen."""
    with Verifier.start(path) as verifier:
        cases = verifier.prepare().cases
    model = onnx.load(path, load_external_data=False)
    wanted = specs(model, Facts(model))
    made: list[tuple[str, dict[str, Any]]] = []
    for number, case in enumerate(cases[:2]):
        for kind, style in enumerate((Style.PLAIN, Style.PLAIN, Style.WIDE, Style.STEADY)):
            seed = _SEED + 10 * number + kind
            made.append((f"{style} {case}", feed(wanted, case, seed, 0, style)))
    return made
