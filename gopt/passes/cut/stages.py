"""Cutting a model into stages which, run one after the other, compute what the whole computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

from ...errors import UsageError
from ...ir import DType, Model, Op, Role, TensorType, Value
from ...rewrite.context import operands_of
from ._reach import upstream
from ._values import find

_OPEN_SIZE = 16
"""What a size counts that is not known."""
_OPEN_TENSOR = 4096
"""Elements that a tensor of unknown rank counts."""
_SLACK = 0.25
"""By how much of its fair share a stage may be smaller or larger at either end, for the sake of a narrow cut."""


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        inputs: inputs of the model and results of stages before that it takes.
        outputs: outputs of the model, then what later stages take.
        ops: how many ops of the main graph it consists of.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ops: int


def stages_at(model: Model, cuts: Sequence[Sequence[str]]) -> list[Stage]:
    """Stages that end where all values of a cut are computed, in the order of the cuts, and one for the rest.

    A stage consists of what its cut needs and no stage before has. Whatever else later stages take from it is passed on
    as well, so that any values can be cut at.

    Raises:
        UsageError: there is no such value, no output depends on it, or a stage would be empty.
    """
    needed = _needed(model)
    place: dict[Op, int] = {}
    for number, cut in enumerate(cuts):
        values = find(model, cut)
        names = [v.name for v in values]
        for value in values:
            if value.role is not Role.RESULT:
                what = "an input" if value.role is Role.INPUT else "a constant"
                raise UsageError(f"value {value.name!r} is {what}: nothing comes before it")
            if value.producer not in needed:
                raise UsageError(f"value {value.name!r}: no output of the model depends on it")
        before = len(place)
        for op in upstream(values)[0]:
            place.setdefault(op, number)
        if len(place) == before:
            raise UsageError(f"stage {number + 1} would be empty: what {_listed(names)} needs is in stages before it")
    if len(place) == len(needed):
        raise UsageError(f"the last stage would be empty: after {_listed(names)} nothing is left to compute")
    return _assembled(model, {op: place.get(op, len(cuts)) for op in needed}, len(cuts) + 1)


def stages_balanced(model: Model, count: int) -> list[Stage]:
    """So many stages of about equal work, cut where few bytes are passed on.

    Work is estimated from the shapes of what is computed and the sizes of the weights; each cut is the narrowest within
    a quarter of a stage's share around the balanced place.

    Raises:
        UsageError: the model has fewer ops.
    """
    needed = _needed(model)
    if count < 2:
        raise UsageError("a model is split into two stages at least")
    if count > len(needed):
        raise UsageError(f"the outputs need {len(needed)} ops only: too few for {count} stages")
    done = list(accumulate(map(_work, needed)))
    widths = _widths(model, needed)
    place: dict[Op, int] = {}
    first = 0
    for number in range(1, count):
        last = len(needed) - (count - number)  # an op is left for each stage to come
        target = done[-1] * number / count
        slack = _SLACK * done[-1] / count
        near = [k for k in range(first, last) if abs(done[k] - target) <= slack]
        near = near or [min(range(first, last), key=lambda k: (abs(done[k] - target), k))]
        end = min(near, key=lambda k: (widths[k], abs(done[k] - target), k))
        place.update(dict.fromkeys(needed[first : end + 1], number - 1))
        first = end + 1
    return _assembled(model, {op: place.get(op, count - 1) for op in needed}, count)


def _needed(model: Model) -> list[Op]:
    """The ops that outputs depend on, in dataflow order."""
    ops, _ = upstream(model.graph.outputs)
    return [op for op in model.graph.ops if op in ops]


def _assembled(model: Model, place: dict[Op, int], count: int) -> list[Stage]:
    """The stages, from the stage of each op."""
    taken: list[dict[Value, None]] = [{} for _ in range(count)]
    passed: list[dict[Value, None]] = [{} for _ in range(count)]
    for op, stage in place.items():
        for value in operands_of(op):
            producer = value.producer
            if producer is None:
                if value.role is Role.INPUT and value.tensor is None:
                    taken[stage][value] = None
            elif place[producer] < stage:
                taken[stage][value] = None
                passed[place[producer]][value] = None
    given: list[dict[Value, None]] = [{} for _ in range(count)]
    for value in model.graph.outputs:
        given[-1 if value.producer is None else place[value.producer]][value] = None
        if value.role is Role.INPUT and value.tensor is None:
            taken[-1][value] = None
    order = {v: k for k, v in enumerate([*model.graph.inputs, *(v for op in place for v in op.outputs if v)])}
    sizes = [0] * count
    for stage in place.values():
        sizes[stage] += 1
    return [
        Stage(
            tuple(v.name for v in sorted(taken[k], key=order.__getitem__)),
            tuple(v.name for v in {**given[k], **dict.fromkeys(sorted(passed[k], key=order.__getitem__))}),
            sizes[k],
        )
        for k in range(count)
    ]


def _widths(model: Model, ops: Sequence[Op]) -> list[int]:
    """Bytes that later ops take from the ops up to each place."""
    number = {op: k for k, op in enumerate(ops)}
    last: dict[Value, int] = {}
    for k, op in enumerate(ops):
        for value in operands_of(op):
            if value.producer is not None:
                last[value] = k
    change = [0] * (len(ops) + 1)
    for value, end in last.items():
        producer = value.producer
        assert producer is not None
        change[number[producer]] += _bytes(value)
        change[end] -= _bytes(value)
    return list(accumulate(change))[: len(ops)]


def _work(op: Op) -> int:
    """Multiplications and element visits of an op, roughly; bodies count once."""
    own = sum(_elements(v) for v in op.outputs if v is not None)
    weights = [v.const.size for v in op.inputs if v is not None and v.const is not None]
    if op.op_type in {"Conv", "MatMul", "Gemm", "ConvTranspose", "MatMulInteger", "ConvInteger", "QLinearConv"}:
        own *= _depth(op)
    elif op.op_type in {"LSTM", "GRU", "RNN", "Attention", "MultiHeadAttention"}:
        own += sum(weights) * _OPEN_SIZE
    return 1 + own + sum(_work(inner) for body in op.bodies for inner in body.ops)


def _depth(op: Op) -> int:
    """Products that are added up for one element of the result."""
    slot = 3 if op.op_type == "QLinearConv" else 1
    weight = op.input(slot)
    shape = _shape(weight)
    if shape is None:
        return _OPEN_SIZE
    if op.op_type.startswith(("MatMul", "Gemm")):
        return shape[-1] if op.attr("transB") else shape[max(len(shape) - 2, 0)] if shape else 1
    return prod(shape[1:])


def _shape(value: Value | None) -> tuple[int, ...] | None:
    if value is None or not isinstance(value.type, TensorType) or value.type.shape is None:
        return None if value is None or value.const is None else value.const.shape
    return tuple(d if isinstance(d, int) else _OPEN_SIZE for d in value.type.shape)


def _elements(value: Value) -> int:
    shape = _shape(value)
    return _OPEN_TENSOR if shape is None else prod(shape)


def _bytes(value: Value) -> int:
    dtype = value.type.dtype if isinstance(value.type, TensorType) else DType.FLOAT
    return _elements(value) * (8 if dtype is DType.STRING else max(1, dtype.bits // 8))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
