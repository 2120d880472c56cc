"""The smallest part of a model that a target refuses for the same reason: delta debugging over the graph.

Ops are left out in chunks, halves first, then quarters and so on (Zeller and Hildebrandt, "Simplifying and Isolating
Failure-Inducing Input", 2002). What an op that was left out gave becomes an input, what nobody takes any more an
output.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import backends
from ..analysis import infer
from ..backends import Target, Verdict
from ..errors import GoptError, UsageError
from ..frontends import onnx as frontend
from ..frontends.onnx.declare import declare
from ..ir import Graph, Model, Op, Role, Symbol, TensorType, Value
from ..passes import run_pipeline
from ..passes.pipeline import as_pipeline
from ..passes.shape.fix import Fix
from ..rewrite import Context
from .targets import SECONDS, cases_of, possible

_WORD = re.compile(r"[^\s:()\[\],;]*\d[^\s:()\[\],;]*")


@dataclass(slots=True)
class Reduced:
    """What is left of a model.

    Attributes:
        output: the file.
        ops_before, ops_after: ops in all graphs.
        verdict: what the target says of the rest.
        tests: how many candidates were tried.
        complete: False if the time was up before no op more could be left out.
    """

    output: Path
    ops_before: int
    ops_after: int
    verdict: Verdict
    tests: int
    complete: bool


def reduce(
    model: str | os.PathLike[str],
    target: str | Target,
    options: Mapping[str, str] | None = None,
    *,
    output: str | os.PathLike[str],
    level: str = "",
    timeout: float = SECONDS,
    progress: Callable[[str], None] | None = None,
) -> Reduced:
    """Find a small part of a model that the target refuses as it refuses the whole.

    Args:
        model: a file.
        target: its name.
        options: of the target.
        output: where the part goes.
        level: how far the target's tools are asked; as far as they are there by default.
        timeout: seconds in all; what is left then is delivered.
        progress: told how it goes on.

    Raises:
        UsageError: the target takes the model, or there is no such target, option or level.
        MissingComponentError: the level was asked for, and what it takes is not installed.
        ModelError: the file is not there or no valid model.
    """
    chosen = backends.target(target, options) if isinstance(target, str) else target
    path = Path(model)
    with tempfile.TemporaryDirectory(prefix="gopt-") as folder:
        search = _Search(chosen, path, possible(chosen, level), Path(folder), time.monotonic() + timeout)
        whole = search.begin()
        kept, complete = search.minimize(list(range(whole)), progress or (lambda _: None))
        final = search.candidate(kept)
        assert final is not None
        verdict = search.verdict(final)
        frontend.save(final, output)
        return Reduced(Path(output), whole, final.count_ops(), verdict, search.tests, complete)


class _Search:
    """Candidates of one model, and the question that they are put."""

    def __init__(self, target: Target, path: Path, level: str, folder: Path, deadline: float) -> None:
        self.target, self.level, self.folder, self.deadline = target, level, folder, deadline
        self.path = path
        self.tests = 0
        self.wanted: tuple[str, str] = ("", "")

    def begin(self) -> int:
        """Look at the whole model, at fixed sizes if it fails there, too; returns the number of its ops.

        Raises:
            UsageError: the target takes it.
        """
        whole = frontend.load(self.path)
        infer(whole)
        self.target.cases = cases_of(whole, self.path)
        verdict = self.verdict(whole)
        if verdict.ok:
            raise UsageError(f"{self.path}: {self.target.name} takes it ({verdict.level}); there is nothing to reduce")
        self.wanted = _signature(verdict)
        sizes = dict(self.target.cases[0]) if self.target.cases else {}
        if sizes:
            fixed = frontend.load(self.path)
            try:
                chosen = Fix(dim=tuple(f"{name}={size}" for name, size in sizes.items()))
                run_pipeline(fixed, as_pipeline([chosen]), Context(fixed))
                fixed_path = self.folder / "fixed.onnx"
                frontend.save(fixed, fixed_path)
                if self._fails(fixed):
                    self.path = fixed_path
            except GoptError:
                pass  # sizes that cannot be fixed are no reason not to reduce the model as it is
        return frontend.load(self.path).count_ops()

    def minimize(self, kept: list[int], tell: Callable[[str], None]) -> tuple[list[int], bool]:
        """Leave out as many ops as possible; False beside them if the time was up."""
        chunks = 2
        while len(kept) > 1:
            size = -(-len(kept) // chunks)
            for start in reversed(range(0, len(kept), size)):
                if time.monotonic() > self.deadline:
                    return kept, False
                rest = kept[:start] + kept[start + size :]
                if rest and self._fails(self.candidate(rest)):
                    kept, chunks = rest, max(chunks - 1, 2)
                    tell(f"{len(kept)} ops are left")
                    break
            else:
                if size == 1:
                    break
                chunks = min(chunks * 2, len(kept))
        return kept, True

    def candidate(self, kept: Sequence[int]) -> Model | None:
        """The model without the ops that are not kept; None where it cannot be cut so."""
        model = frontend.load(self.path)
        infer(model)
        keep = set(kept)
        gone = [op for number, op in enumerate(_ops(model)) if number not in keep]
        try:
            for op in reversed(gone):
                _cut(model, op)
            _tidy(model)
            infer(model)
        except GoptError:
            return None
        return model if len(model.graph) else None

    def verdict(self, model: Model) -> Verdict:
        """What the target says."""
        self.tests += 1
        file = self.folder / "candidate.onnx"
        frontend.save(model, file)
        left = max(5.0, min(120.0, self.deadline - time.monotonic()))
        return self.target.prove(model, file, self.level, left)

    def _fails(self, model: Model | None) -> bool:
        """True if the target refuses a candidate for the reason for which it refuses the whole."""
        if model is None:
            return False
        try:
            verdict = self.verdict(model)
        except GoptError:
            return False
        return not verdict.ok and _signature(verdict) == self.wanted


def _signature(verdict: Verdict) -> tuple[str, str]:
    """Stage and kind of the first thing in the way, without names and numbers."""
    if not verdict.blockers:
        return "", ""
    first = verdict.blockers[0]
    return first.rule, " ".join(_WORD.sub("#", first.reason).split()[:14]) + f" {first.op_type}"


def _ops(model: Model) -> Iterator[Op]:
    """All ops in an order that stays the same from load to load, owners before what is in their bodies."""
    for graph in model.graphs():
        yield from graph.ops


def _cut(model: Model, op: Op) -> None:
    """Leave out an op: what it gave and somebody takes becomes an input of the model."""
    graph = op.graph
    if graph is None:
        return  # inside of a body that went
    if graph is model.graph:
        for value in op.inputs:
            if value is not None and value.role is Role.RESULT and value.has_one_use and not value.is_output:
                _export(graph, value)
    for value in op.outputs:
        if value is None or not value.is_needed:
            continue
        while value.is_output and graph is model.graph and len(graph.outputs) > 1:
            graph.remove_output(graph.outputs.index(value))
        if not value.is_needed:
            continue
        graph.replace_uses(value, _given(model, graph, value))
    if any(v is not None and v.is_needed for v in op.outputs):
        raise UsageError(f"{op.label} cannot be left out")
    operands = [*(v for v in op.inputs if v is not None), *op.captures.values()]
    graph.remove(op)
    for value in dict.fromkeys(operands):
        _offer(model, graph, value)


def _given(model: Model, graph: Graph, value: Value) -> Value:
    """An input of the model in the place of a value; in a body the copy of what it captures, where it is exported.

    Raises:
        UsageError: its type is not known.
    """
    type_ = value.type
    if not isinstance(type_, TensorType) or type_.shape is None:
        raise UsageError(f"the type of {value.name} is not known")
    plain = TensorType(type_.dtype, tuple(d if isinstance(d, int) else Symbol(d.name) for d in type_.shape))
    given = Value(model.graph.names.fresh(value.name), Role.INPUT, None, plain)
    declare(given, plain)
    model.graph.add_input(given)
    if graph is model.graph:
        if value.is_output:
            raise UsageError(f"{value.name} is the only output")
        return given
    inside = graph.capture(given)
    if not value.is_output:
        return inside
    return graph.add(Op("Identity", [inside])).result


def _offer(model: Model, graph: Graph, value: Value) -> None:
    """Let what nobody takes any more be an output, or go."""
    if value.graph is not graph or value.is_needed:
        return
    if value.role in (Role.CONST, Role.CAPTURE):
        graph.drop(value)
    elif value.role is Role.RESULT and graph is model.graph and isinstance(value.type, TensorType):
        _export(graph, value)


def _export(graph: Graph, value: Value) -> None:
    """Let a value be an output too, if its type is known."""
    if isinstance(value.type, TensorType):
        declare(value, TensorType(value.type.dtype, value.type.shape))
        graph.set_output(len(graph.outputs), value)


def _tidy(model: Model) -> None:
    """Leave out inputs and constants that nobody takes."""
    for graph in model.graphs():
        for value in tuple(graph.constants):
            if not value.is_needed:
                graph.drop(value)
    for value in tuple(model.graph.inputs):
        if not value.is_needed:
            model.graph.remove_input(value)
