"""Finds out what must be changed for another batch size: walks, and where something was ambiguous, other walks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .... import analysis
from ....errors import UsageError
from ....ir import Declared, Dim, Graph, Model, Names, Op, Role, Symbol, TensorType, Value
from ....ir.clone import Mapping as Copies
from ....ir.clone import clone_ops
from . import apart, control, indices, layers, movement, rules  # noqa: F401  # they register what operators do
from .edits import Edit
from .layout import Along, Refusal
from .walk import Walk

PROBE = 1009
"""A prime, so that no other size is a multiple of it."""
_AGAIN = 1022  # has another rest for each small divisor: what follows from a remainder of the batch size shows
_ATTEMPTS = 64
_WORK = 50_000  # ops that all attempts together may look at


@dataclass(slots=True)
class Plan:
    """What another batch size asks for.

    Attributes:
        was: the batch size that is baked in.
        axes: the batch's axis of each input that has one.
        edits: the changes, each with the op of the model that it is for.
        outputs: where the samples lie in each output; None in one that depends on none.
    """

    was: int
    axes: dict[str, int]
    edits: list[tuple[Op, Edit]] = field(default_factory=list)
    outputs: dict[str, Along | None] = field(default_factory=dict)


def plan(model: Model, axes: Mapping[str, int | None], was: int | None) -> Plan:
    """Find out what must be changed.

    Args:
        model: the model; it stays as it is.
        axes: the batch's axis of inputs, None for an input that has none; of others it is found out.
        was: the batch size that is baked in; None: that of the first input.

    Raises:
        UsageError: `axes` names no input, or an axis that it does not have.
        Refusal: it cannot be done; the message names the op.
    """
    size = batch_size(model, axes) if was is None else was
    possible = {v.name: list(_axes(v, axes, size)) for v in model.graph.inputs}
    leading = next((name for name, options in possible.items() if options[0] == 0), None)
    if (
        leading is not None
    ):  # states and masks may have the batch elsewhere; what comes first has it where one expects it
        possible[leading] = [0]
    if not any(axis is not None for options in possible.values() for axis in options):
        raise UsageError(f"no input has an axis of {size} samples; --axis INPUT=AXIS says where they lie")
    decisions: list[int] = []
    best: Refusal | None = None
    best_rank = (0, 0)
    for _ in range(max(8, min(_ATTEMPTS, _WORK // (model.count_ops() + 1)))):
        attempt = _Attempt(model, size, possible, decisions)
        try:
            found = attempt.run()
            _confirm(found, _Attempt(model, size, possible, decisions, _AGAIN))
            return found
        except Refusal as refusal:
            if best is None or attempt.rank(refusal) > best_rank:
                best, best_rank = refusal, attempt.rank(refusal)
            again = _next(attempt.walk, refusal.choices)
        if again is None:
            break
        decisions = again
    assert best is not None
    dims = [declared_shape(v) for v in model.graph.inputs if possible[v.name][0] == 0]
    if dims and all(shape is not None and isinstance(shape[0], Symbol) for shape in dims):
        best.args = (f"{best}; its inputs take any batch as they are: --dim NAME=SIZE fixes a size, unproven",)
    raise best


def _confirm(found: Plan, attempt: _Attempt) -> None:
    """See that another size asks for the same changes.

    Raises:
        Refusal: it does not.
    """
    again = attempt.run()
    same = [(op, type(edit), edit.slot) for op, edit in found.edits] == [
        (op, type(edit), edit.slot) for op, edit in again.edits
    ]
    if not same or found.outputs != again.outputs:
        raise Refusal("what must be changed depends on the batch size in a way that is not followed")


def batch_size(model: Model, axes: Mapping[str, int | None]) -> int:
    """The batch size that a model's inputs declare; 1 where they leave it open."""
    for value in model.graph.inputs:
        shape = declared_shape(value)
        axis = axes.get(value.name, 0)
        if shape and axis is not None and -len(shape) <= axis < len(shape):
            dim = shape[axis]
            return dim if isinstance(dim, int) else 1
    return 1


def declared_shape(value: Value) -> tuple[Dim, ...] | None:
    """The shape that an input is declared with; None if it has none."""
    type_ = None if value.declared is None else value.declared.type
    return type_.shape if isinstance(type_, TensorType) else None


def _axes(value: Value, axes: Mapping[str, int | None], was: int) -> Iterator[int | None]:
    """The axes that may be the batch's, the likeliest first; None: it has none."""
    shape = declared_shape(value)
    if value.name in axes:
        axis = axes[value.name]
        if axis is not None and (shape is None or not -len(shape) <= axis < len(shape)):
            raise UsageError(f"input {value.name!r} has no axis {axis}")
        if axis is not None and shape is not None:
            if isinstance(shape[axis], int) and shape[axis] != was:
                raise UsageError(f"axis {axis} of input {value.name!r} has {shape[axis]} elements, not {was}")
            axis %= len(shape)
        yield axis
        return
    found = []
    if shape and not value.tensor:
        found = [k for k, dim in enumerate(shape) if dim == was]
        if isinstance(shape[0], Symbol):
            found.insert(0, 0)
        found += [k for k, dim in enumerate(shape) if k and isinstance(dim, Symbol)]
    yield from found
    if 0 not in found:  # only who says so has a first axis that looks like a batch and is none
        yield None


def _next(walk: Walk, choices: int) -> list[int] | None:
    """The decisions of the next attempt: the latest choice that matters takes its next possibility."""
    for number in reversed(range(len(walk.decisions))):
        if choices >> number & 1 and walk.decisions[number] + 1 < walk.options[number]:
            return [*walk.decisions[:number], walk.decisions[number] + 1]
    return None


class _Attempt:
    """A walk through a copy."""

    def __init__(
        self,
        model: Model,
        was: int,
        possible: Mapping[str, list[int | None]],
        decisions: list[int],
        probe: int = PROBE,
    ) -> None:
        self.was = was
        self.copy, self.twins = copied(model)
        self.possible = possible
        self.axes = self._choose(decisions)
        at_size(self.copy, self.axes, was)
        self.walk = Walk(self.copy, was, probe, decisions)

    def _choose(self, decisions: list[int]) -> dict[str, int]:
        """The first decisions are about the inputs."""
        found: dict[str, int] = {}
        number = 0
        for name, options in self.possible.items():
            pick = 0
            if len(options) > 1:
                pick = decisions[number] if number < len(decisions) else 0
                number += 1
            axis = options[pick]
            if axis is not None:
                found[name] = axis
        return found

    def rank(self, refusal: Refusal) -> tuple[int, int]:
        """How much a refusal says: what is so where the inputs hold the batch as one would expect comes first."""
        count = sum(len(options) > 1 for options in self.possible.values())
        return -sum(self.walk.decisions[:count]), refusal.progress

    def run(self) -> Plan:
        """Walk through it all."""
        walk, graph = self.walk, self.copy.graph
        for value in list(graph.inputs):
            walk._now = 0
            options = self.possible[value.name]
            axis = walk.choose(options) if len(options) > 1 else options[0]
            walk.enter(value, None if axis is None else Along(axis), walk._now)
        walk._now = 0
        outputs = list(graph.outputs)
        names = [v.name for v in outputs]
        walk.graph(graph)
        made = Plan(self.was, self.axes, [(self.twins[edit.op], edit) for edit in walk.edits])
        for name, value in zip(names, graph.outputs):
            along = walk.layout(value)
            if walk.is_sized(value):
                raise _refused(walk, value, f"output {name!r} depends on how many samples there are")
            if along is not None and along.outer != 1:
                raise _refused(walk, value, f"output {name!r} holds several batches one after the other")
            made.outputs[name] = along
        if not any(made.outputs.values()):
            raise Refusal("no output depends on the samples")
        return made


def _refused(walk: Walk, value: Value, reason: str) -> Refusal:
    made = Refusal(reason)
    made.choices, made.progress = walk._due.get(value, 0), walk.progress
    return made


def copied(model: Model) -> tuple[Model, dict[Op, Op]]:
    """A copy of the main graph and its bodies that shares the weights, and the op that each op is a copy of."""
    names = Names()
    graph = Graph(model.graph.name, dict(model.graph.opsets), names)
    stands: Copies = {}
    for value in model.graph.inputs:
        made = Value(names.fresh(value.name), Role.INPUT, value.tensor)
        made.declared = value.declared
        stands[value] = graph.add_input(made)
    for op in clone_ops(model.graph, graph, stands):
        graph.add(op)
    for index, value in enumerate(model.graph.outputs):
        made_output = stands.get(value)
        if made_output is None:
            made_output = Value(names.fresh(value.name), Role.CONST, value.tensor)
        graph.set_output(index, made_output)
    for value, made_value in stands.items():
        if made_value is not None:
            made_value.name = value.name  # what messages say; nothing else reads the names of a copy
    return Model(graph, model.ir_version), dict(_twins(graph, model.graph))


def _twins(copy: Graph, graph: Graph) -> Iterator[tuple[Op, Op]]:
    for made, op in zip(copy.ops, graph.ops, strict=True):
        if made.op_type != op.op_type:
            raise UsageError(f"{op.label}: the order of ops is not the same in a copy")
        yield made, op
        for below, body in zip(made.bodies, op.bodies, strict=True):
            yield from _twins(below, body)


def at_size(model: Model, axes: Mapping[str, int], size: Dim) -> list[Value]:
    """Declare and infer a model with a batch size; returns the inputs that are of other types then."""
    named = {
        dim.name
        for value in model.graph.inputs
        if value.name in axes and (shape := declared_shape(value)) is not None
        if isinstance(dim := shape[axes[value.name]], Symbol) and dim.name
    }
    changed = []
    for value in model.graph.inputs:
        shape = declared_shape(value)
        if shape is None:
            continue
        dims = tuple(
            size if k == axes.get(value.name) or (isinstance(d, Symbol) and d.name in named) else d
            for k, d in enumerate(shape)
        )
        type_ = value.declared.type if value.declared is not None else None
        if dims != shape and isinstance(type_, TensorType):
            value.declared = Declared(TensorType(type_.dtype, dims))
            changed.append(value)
    analysis.forget(model)
    analysis.infer(model)
    return changed
