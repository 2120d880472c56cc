"""A Loop or Scan whose number of turns is known gives way to so many copies of its body."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...ir import Array, ArrayTensor, DType, Graph, Model, Op, Role, TensorType, Value
from ...ir.clone import Mapping, clone_ops, clone_value
from ...ops import NotAvailable, attribute, is_random, make
from ...rewrite import Context
from ..base import Pass, option, register
from ._loops import Turns, trips, turns_of
from .splice import NodeNames, splice

_MOST = 1 << 14
"""Ops that are copied at most in the hope that folding leaves few of them."""


@register(alias="inline-loops")
@dataclass(frozen=True)
class Loops(Pass):
    """Loop(n, true, x) -> body(body(... x)), for a number n of turns that is known

    Applies to a Loop with a constant trip count and a condition that is true throughout, to one that provably never
    runs or stops after the first turn, and to a Scan over a dim of known size. What is stacked becomes Unsqueeze and
    Concat. A body that is needed once, or not at all, always stands in the place of the loop; more copies only where
    there are no more ops afterwards (those that depend on the number of the turn alone are constants then), or no more
    than `unroll`. Exact.
    """

    needs = ("Loop", "Scan")

    unroll: int = option(0, help="ops that the copies of one body may come to")

    def run(self, model: Model, ctx: Context) -> None:
        """Unroll the loops of the main graph, of bodies and of functions; those inside of what came too."""
        todo = deque(op for graph in [model.graph, *(f.graph for f in model.functions.values())] for op in graph.owners)
        names = NodeNames()
        while todo:
            op = todo.popleft()
            found = turns_of(op)
            count = None if found is None else trips(found)
            copies = None
            if found is not None and count is not None and self._pays(found, count):
                copies = _Copies(found).all(count)
            came = None
            if copies is not None and splice(ctx, self.name, op, copies.staged, copies.results, names):
                came = copies.staged
            todo.extend(_inside(op) if came is None else (made for made in came if made.bodies))

    def _pays(self, turns: Turns, count: int) -> bool:
        if count <= 1:
            return True
        inside = [op for graph in turns.body.walk() for op in graph.ops]
        if count * len(inside) > max(self.unroll, _MOST) or any(map(is_random, inside)):
            return False  # a seed would begin anew in every copy
        each = _left(turns)
        stacked = sum(v is not None for v in turns.op.outputs[turns.carried :])
        cut = 0 if turns.is_loop else len(turns.op.inputs) - turns.carried
        after = count * (each + stacked + 2 * cut) + stacked
        return after <= max(self.unroll, len(turns.body) + 1)


def _inside(op: Op) -> Iterator[Op]:
    for body in op.bodies:
        yield from body.owners


def _left(turns: Turns) -> int:
    """The ops of a body, inner ones included, less those that depend on constants and the turn's number alone."""
    known: set[Value] = set(turns.body.inputs[:2]) if turns.is_loop else set()
    count = 0
    for op in turns.body.ops:
        operands = [v for v in (*op.inputs, *op.captures.values()) if v is not None]
        if all(v in known or v.const is not None for v in operands) and operands and not is_random(op):
            known.update(v for v in op.outputs if v is not None)
        else:
            count += 1 + sum(len(g) for body in op.bodies for g in body.walk())
    return count


@dataclass
class _Copies:
    """The copies of a body, one for each turn.

    Attributes:
        turns: the loop.
        staged: the copies' ops, in dataflow order.
        results: what stands for the results of the loop.
    """

    turns: Turns

    def __post_init__(self) -> None:
        self.staged: list[Op] = []
        self.results: list[Value | None] = []
        graph = self.turns.op.graph
        assert graph is not None
        self.graph: Graph = graph

    def all(self, count: int) -> _Copies | None:
        """The loop as `count` turns; None if that cannot be written."""
        turns = self.turns
        state = [turns.initial(k) for k in range(turns.carried)]
        parts: list[list[Value | None]] = [[] for _ in range(turns.stacked)]
        try:
            for number in range(count):
                outputs = self._turn(number, count, state)
                state = outputs[: turns.carried]
                for part, value in zip(parts, outputs[turns.carried :]):
                    part.append(value)
            for place, result in enumerate(turns.op.outputs):
                value = None
                if result is not None:
                    is_state = place < turns.carried
                    value = state[place] if is_state else self._stacked(parts[place - turns.carried], place)
                    if value is None:
                        return None
                self.results.append(value)
        except (KeyError, NotAvailable):
            return None
        return self

    def _turn(self, number: int, count: int, state: list[Value | None]) -> list[Value | None]:
        """Stage a copy of the body; returns what stands for its outputs, without the condition."""
        turns = self.turns
        mapping: Mapping = {i: o for i, o in turns.op.captures.items() if i.graph is turns.body}
        if turns.is_loop:
            mapping[turns.body.inputs[0]] = _constant(np.asarray(number, np.int64))
            mapping[turns.body.inputs[1]] = _constant(np.asarray(True))
        for k, value in enumerate(state):
            mapping[turns.inner(k)] = value
        if not turns.is_loop:
            for k in range(turns.carried, len(turns.op.inputs)):
                mapping[turns.inner(k)] = self._slice(k, number, count)
        self.staged += clone_ops(turns.body, self.graph, mapping)
        return [clone_value(v, self.graph, mapping) for v in turns.body.outputs[turns.first :]]

    def _slice(self, place: int, number: int, count: int) -> Value:
        """What a Scan gives its body of a scanned operand."""
        value = self.turns.op.inputs[place]
        axis = self._axis("scan_input_axes", place - self.turns.carried)
        if attribute(self.turns.op, "scan_input_directions") and self._backwards("scan_input_directions", place):
            number = count - 1 - number
        if count > 1:
            value = self._make("Slice", [value, [number], [number + 1], [axis]])
        return self._make("Squeeze", [value, [axis]])

    def _backwards(self, name: str, place: int) -> bool:
        given = attribute(self.turns.op, name)
        place -= self.turns.carried
        return bool(given) and place < len(given) and given[place] == 1

    def _axis(self, name: str, place: int) -> int:
        axes = attribute(self.turns.op, name)
        return int(axes[place]) if axes else 0

    def _stacked(self, parts: list[Value | None], place: int) -> Value | None:
        """What the turns gave for one stacked result, put together."""
        if not parts:
            return self._empty(place)
        axis = 0
        if not self.turns.is_loop:
            axis = self._axis("scan_output_axes", place - self.turns.carried)
            if self._backwards("scan_output_directions", place):
                parts = parts[::-1]
        widened: list[Any] = [self._make("Unsqueeze", [part, [axis]]) for part in parts]
        return widened[0] if len(widened) == 1 else self._make("Concat", widened, axis=axis)

    def _empty(self, place: int) -> Value | None:
        """The result of a loop that never runs: no element, if the other dims are known."""
        type_ = self.turns.next(place).type
        if not self.turns.is_loop or not isinstance(type_, TensorType) or type_.shape is None:
            return None
        if type_.dtype is DType.STRING or not all(isinstance(d, int) for d in type_.shape):
            return None
        return _constant(np.zeros((0, *type_.shape), type_.dtype.numpy), type_.dtype)

    def _make(self, op_type: str, operands: list[Any], **attrs: Any) -> Value:
        op = make(op_type, operands, attrs, opsets=self.graph.opsets)
        self.staged.append(op)
        return op.result


def _constant(array: Array, dtype: DType | None = None) -> Value:
    tensor = ArrayTensor(array, dtype)
    return Value("", Role.CONST, tensor, TensorType(tensor.dtype, tensor.shape))
