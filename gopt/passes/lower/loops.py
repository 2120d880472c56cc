"""Loops that count: how many turns they have follows from the number that they count up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...ir import ArrayTensor, DType, Model, Op, TensorType, Value
from ...ops import attribute
from ...rewrite import Context, Origin, Rewriter
from ..base import Pass, register
from ..inline._loops import Turns, boolean, turns_of
from ..inline.rebuild import rebuild, trim

_UNBOUNDED = (1 << 31) - 1


@dataclass(frozen=True)
class Count:
    """How a Loop counts.

    Attributes:
        first: the number at the beginning, a constant.
        step: what each turn adds; positive.
        limit: the value, outside of the loop, that the number is compared with.
        within: the loop goes on while the number is at most the limit, not only while it is less.
        rounded: numbers are compared in a floating-point type.
    """

    first: int
    step: int
    limit: Value
    within: bool
    rounded: bool


@register
@dataclass(frozen=True)
class TripCount(Pass):
    """Loop(, c, i...) that goes on while i + s < n -> Loop(ceil((n - i) / s), true, i...)

    Applies to a Loop without a trip count (or with one that no run reaches) whose body compares a carried integer, to
    which it adds a positive constant in each turn, with something from outside of the loop: so tf2onnx writes the while
    loops of TensorFlow. The condition before the first turn must be the same comparison. TensorRT needs the number of
    turns before the loop begins. Exact; where the numbers are compared as floats, up to 2^24.
    """

    def run(self, model: Model, ctx: Context) -> None:
        """Look at the loops of all graphs."""
        for graph in tuple(model.graphs()):
            for op in graph.owners:
                turns = turns_of(op)
                if turns is None or not turns.is_loop or op.graph is not graph or not _endless(op.input(0)):
                    continue
                found = _count(turns)
                if found is None or not _begins_alike(turns, found):
                    continue
                names = [v.name for v in op.outputs if v is not None] or [op.label]
                ctx.edit(self.name, names, partial(_write, turns, found))


@register
@dataclass(frozen=True)
class Condition(Pass):
    """Loop(n, "", i...) -> Loop(n, true, i...), where the body hands its condition on, or gives a constant true

    TensorRT does not know the condition that such a body takes. Exact: an absent condition is true, and stays so.
    """

    needs = ("Loop",)

    def run(self, model: Model, ctx: Context) -> None:
        """Look at the loops of all graphs."""
        for graph in tuple(model.graphs()):
            for op in graph.owners:
                turns = turns_of(op)
                if turns is None or not turns.is_loop or op.graph is not graph or op.input(1) is not None:
                    continue
                if op.input(0) is not None and _stays_true(turns):
                    names = [v.name for v in op.outputs if v is not None] or [op.label]
                    ctx.edit(self.name, names, partial(_write_condition, turns))


def _stays_true(turns: Turns) -> bool:
    """True for a body that gives the condition that it was given, or a constant true."""
    value = turns.body.outputs[0]
    while (op := value.producer) is not None and op.op_type == "Identity" and not op.domain:
        if op.inputs[0] is None:
            return False
        value = op.inputs[0]
    return value is turns.body.inputs[1] or boolean(value) is True


def _write_condition(turns: Turns) -> tuple[Sequence[Origin], Sequence[Op]]:
    """Give the loop a condition."""
    op, body, graph = turns.op, turns.body, turns.op.graph
    assert graph is not None
    origin = Origin(op.label, op.entry)
    go = graph.add_const(ArrayTensor(np.asarray(True)), graph.names.fresh("go_on"))
    body.set_output(0, body.inputs[1])
    trim(body)
    return [origin], [rebuild(op, [op.inputs[0], go, *op.inputs[2:]], range(len(op.outputs)))]


def _endless(trips: Value | None) -> bool:
    """True for a trip count that is absent, or so large that the condition ends the loop."""
    tensor = None if trips is None else trips.const
    return trips is None or (tensor is not None and tensor.size == 1 and int(tensor.item()) >= _UNBOUNDED)


def _count(turns: Turns) -> Count | None:
    """How a loop counts, by the condition that its body computes."""
    found = _compared(turns.body.outputs[0])
    if found is None:
        return None
    number, limit, within, rounded = found
    step = _step(turns, number)
    if step is None or (limit.graph is not turns.op.graph and limit.const is None):
        return None
    place, by = step
    initial = turns.initial(place)
    first = None if initial is None or initial.const is None else int(initial.const.item())
    return None if first is None else Count(first, by, limit, within, rounded)


def _compared(condition: Value) -> tuple[Value, Value, bool, bool] | None:
    """What is compared in a condition `number < limit`: both as integers, with `<=` or not, as floats or not."""
    op = condition.producer
    while op is not None and op.op_type in ("Identity", "Cast") and not op.domain and op.inputs[0] is not None:
        if op.op_type == "Cast" and attribute(op, "to") != DType.BOOL:
            return None
        op = op.inputs[0].producer
    if op is None or op.domain or op.op_type not in _SWAPPED or None in op.inputs:
        return None
    left, right = op.inputs
    assert left is not None
    assert right is not None
    swapped, within = _SWAPPED[op.op_type]
    if swapped:
        left, right = right, left
    (number, a), (limit, b) = _integer(left), _integer(right)
    if number is None or limit is None:
        return None
    return number, limit, within, a or b


_SWAPPED = {
    "Less": (False, False),
    "LessOrEqual": (False, True),
    "Greater": (True, False),
    "GreaterOrEqual": (True, True),
}


def _integer(value: Value) -> tuple[Value | None, bool]:
    """The scalar integer, here or outside, that a value is a cast of, and whether to floats; None if it is none.

    A constant that is a whole number counts as one that was cast.
    """
    rounded = False
    while True:
        value = value.outer
        if _is_whole(value):
            return value, True
        type_ = value.type if value.const is None else TensorType(value.const.dtype, value.const.shape)
        if isinstance(type_, TensorType) and type_.dtype in (DType.INT32, DType.INT64) and type_.size == 1:
            return value, rounded
        rounded = rounded or (isinstance(type_, TensorType) and type_.dtype.is_float)
        op = value.producer
        if op is None or op.op_type != "Cast" or op.domain or op.inputs[0] is None:
            return None, False
        value = op.inputs[0]


def _is_whole(value: Value) -> bool:
    """True for a constant float without a fraction, up to where floats hold all whole numbers."""
    tensor = value.const
    if tensor is None or tensor.size != 1 or not tensor.dtype.is_float:
        return False
    number = float(tensor.item())
    return number.is_integer() and abs(number) <= 1 << 24


def _step(turns: Turns, number: Value) -> tuple[int, int] | None:
    """Which carried value a number is the next of, and what is added in a turn."""
    for place in range(turns.carried):
        if turns.next(place) is number:
            op = number.producer
            if op is None or op.op_type != "Add" or op.domain:
                return None
            for a, b in (op.inputs, op.inputs[::-1]):
                tensor = None if b is None else b.const
                if a is turns.inner(place) and tensor is not None and tensor.size == 1 and int(tensor.item()) > 0:
                    return place, int(tensor.item())
    return None


def _begins_alike(turns: Turns, found: Count) -> bool:
    """True if the condition before the first turn is what the body asks of the first number."""
    condition = turns.op.input(1)
    if condition is None:
        return False
    if (known := boolean(condition)) is not None:
        bound = found.limit.const
        if bound is None:
            return False
        last = int(bound.item())
        return known and (found.first <= last if found.within else found.first < last)
    asked = _compared(condition)
    if asked is None:
        return _asked_of_constant(condition, found)
    number, limit, within, _ = asked
    start = number.const
    same = _same(limit, found.limit) and within == found.within
    return same and start is not None and int(start.item()) == found.first


def _asked_of_constant(condition: Value, found: Count) -> bool:
    """The same where the first number became a constant of the type in which numbers are compared."""
    op = condition.producer
    if op is None or op.domain or op.op_type not in _SWAPPED or None in op.inputs:
        return False
    swapped, within = _SWAPPED[op.op_type]
    left, right = op.inputs[::-1] if swapped else op.inputs
    assert left is not None
    assert right is not None
    start = left.const
    limit, _ = _integer(right)
    same = limit is not None and _same(limit, found.limit) and within == found.within
    return same and start is not None and start.size == 1 and float(start.item()) == float(found.first)


def _same(a: Value, b: Value) -> bool:
    return a is b or (a.const is not None and b.const is not None and int(a.const.item()) == int(b.const.item()))


def _write(turns: Turns, found: Count) -> tuple[Sequence[Origin], Sequence[Op]]:
    """Give the loop its number of turns."""
    op, body, graph = turns.op, turns.body, turns.op.graph
    assert graph is not None
    origin = Origin(op.label, op.entry)
    rw = Rewriter(graph, op)
    left = found.limit
    if left.graph is not graph:  # a constant inside of the body
        assert left.const is not None
        left = graph.add_const(left.const, graph.names.fresh("limit"))
    if found.limit.type is None or not isinstance(found.limit.type, TensorType) or found.limit.type.rank != 0:
        left = rw.Reshape(left, rw.const(np.zeros(0, np.int64)))
    if rw.dtype(found.limit) is not DType.INT64:
        left = rw.Cast(left, to=int(DType.INT64))
    ahead = found.step - 1 + int(found.within) - found.first
    if ahead:
        left = rw.Add(left, rw.const(np.asarray(ahead, np.int64)))
    if found.step != 1:
        left = rw.Div(left, rw.const(np.asarray(found.step, np.int64)))
    came = list(rw.staged)
    for made in came:
        made.order = op.order
        graph.add(made)
    go = graph.add_const(ArrayTensor(np.asarray(True)), graph.names.fresh("go_on"))
    body.set_output(0, body.inputs[1])
    trim(body)
    new = rebuild(op, [left, go, *op.inputs[2:]], range(len(op.outputs)))
    return [origin], [*came, new]
