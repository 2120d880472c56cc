"""Two recurrent layers that run over one sequence in opposite directions (ONNX operators LSTM, GRU, RNN)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...ir import Array, Graph, Model, Op, TensorType, Value
from ...ops import attribute, ints, is_current
from ...rewrite import Context, Numerics, RejectError, Rewriter
from ..base import Pass, register

_SHARED = ("clip", "hidden_size", "input_forget", "linear_before_reset", "layout")
_PER_DIRECTION = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
_Pair = tuple[Op, Op]


@register
@dataclass(frozen=True)
class Directions(Pass):
    """LSTM(x, forward), LSTM(x, reverse) -> LSTM(x, bidirectional), likewise GRU and RNN

    Applies to two layers of one operator that take the same sequences and lengths and differ in weights alone, all of
    which are constant; activations with parameters of their own excluded. Results that were put together by Concat,
    with or without a Squeeze, become the one result or its transposed elements, others are split; nothing is done
    where that would leave as many ops. Rounds as the runtime does in the one layer and in the other.
    """

    numerics = Numerics.ROUNDING
    needs = ("LSTM", "GRU", "RNN")

    def run(self, model: Model, ctx: Context) -> None:
        """Merge the pairs of each graph."""
        for graph in tuple(model.graphs()):
            for first, second in _pairs(graph):
                if first.graph is graph and second.graph is graph:
                    _Merge(graph, first, second).commit(self.name, ctx)


def _pairs(graph: Graph) -> list[_Pair]:
    waiting: dict[Any, Op] = {}
    found = []
    for op in graph.ops:
        if op.op_type not in _PER_DIRECTION or op.domain or not is_current(op) or attribute(op, "layout"):
            continue
        direction = attribute(op, "direction")
        if direction not in ("forward", "reverse") or any(
            n in op.attrs for n in ("activation_alpha", "activation_beta")
        ):
            continue
        common = (op.op_type, op.inputs[0], op.input(4), *map(op.attr, _SHARED))
        other = waiting.pop((common, "reverse" if direction == "forward" else "forward"), None)
        if other is None:
            waiting[common, direction] = op
        else:
            found.append((op, other) if direction == "forward" else (other, op))
    return found


@dataclass
class _Joined:
    """A Concat of one result of both layers: what it is replaced by, and how many ops that saves."""

    old: Value
    new: Value
    saves: int


class _Merge:
    """The merging of two layers: `forward` runs ahead, `reverse` back."""

    def __init__(self, graph: Graph, forward: Op, reverse: Op) -> None:
        self.graph = graph
        self.forward = forward
        self.reverse = reverse
        self.rw = Rewriter(graph, forward)

    def commit(self, rule: str, ctx: Context) -> None:
        """Put one layer in the place of both, if that leaves fewer ops."""
        try:
            results = self._layer()
            saves, mapping = 1, {}
            for slot, result in enumerate(results):
                a, b = self.forward.output(slot), self.reverse.output(slot)
                if not any(v is not None and v.is_needed for v in (a, b)):
                    continue
                joined = self._joined(a, b, result, slot)
                if joined is not None:
                    saves += joined.saves
                    mapping[joined.old] = joined.new
                else:
                    saves -= 1
                    mapping.update(self._split(a, b, result, slot))
        except RejectError as error:
            ctx.ledger.reject(rule, self.forward, str(error))
            return
        if saves > 0 and mapping:
            ctx.replace(rule, mapping, self.rw.staged, numerics=Numerics.ROUNDING)

    def _layer(self) -> Sequence[Value]:
        count = max(len(self.forward.outputs), len(self.reverse.outputs))
        operands = [self.forward.inputs[0], *(self._stacked(slot) for slot in range(1, 4)), self.forward.input(4)]
        operands += [self._stacked(slot) for slot in range(5, 8)]
        attrs: dict[str, Any] = {n: attribute(self.forward, n) for n in _SHARED if n in self.forward.attrs}
        if any("activations" in op.attrs for op in (self.forward, self.reverse)):
            default = _PER_DIRECTION[self.forward.op_type]
            given = [op.attr("activations") or default for op in (self.forward, self.reverse)]
            attrs["activations"] = [*given[0], *given[1]]
        name = self.forward.name
        made = self.rw.op(self.forward.op_type, *operands, outputs=count, direction="bidirectional", name=name, **attrs)
        return [made] if isinstance(made, Value) else list(made)

    def _stacked(self, slot: int) -> Value | None:
        """A parameter of both layers; zeros where one has none."""
        a, b = self.forward.input(slot), self.reverse.input(slot)
        if a is None and b is None:
            return None
        arrays = [self._array(v) for v in (a, b)]
        like = next(array for array in arrays if array is not None)
        parts = [np.zeros_like(like) if array is None else array for array in arrays]
        if parts[0].shape != parts[1].shape:
            raise RejectError("the layers differ in size")
        return self.rw.const(np.concatenate(parts), name=(a or b).name)  # type: ignore[union-attr]

    def _array(self, value: Value | None) -> Array | None:
        if value is None:
            return None
        if value.const is None:
            raise RejectError(f"{value!r} is not constant")
        return value.const.numpy()

    def _joined(self, a: Value | None, b: Value | None, result: Value, slot: int) -> _Joined | None:
        """The Concat that both results lead to, if nothing else takes them."""
        axis = 1 if slot == 0 else 0
        squeezed = [_only_user(v, "Squeeze") for v in (a, b)]
        ends = [a, b]
        if None not in squeezed:
            if any(ints(op, "axes") != (axis,) for op in squeezed if op is not None):
                return None
            ends = [op.result for op in squeezed if op is not None]
        users = [_only_user(v, "Concat") for v in ends]
        concat = users[0]
        if concat is None or concat is not users[1] or list(concat.inputs) != ends:
            return None
        along = attribute(concat, "axis")
        if None in squeezed:
            return _Joined(concat.result, result, 1) if along in (axis, axis - (4 if slot == 0 else 3)) else None
        rank = 3 if slot == 0 else 2
        if along not in (-1, rank - 1):
            return None
        weight = self.forward.inputs[2]
        assert weight is not None
        assert weight.const is not None  # told by _stacked
        size = 2 * weight.const.shape[-1]
        perm, shape = ([0, 2, 1, 3], [0, 0, size]) if slot == 0 else ([1, 0, 2], [0, size])
        return _Joined(concat.result, self.rw.Reshape(self.rw.Transpose(result, perm=perm), shape), 1)

    def _split(self, a: Value | None, b: Value | None, result: Value, slot: int) -> dict[Value, Value]:
        parts = self.rw.Split(result, [1, 1], axis=1 if slot == 0 else 0, outputs=2)
        return {old: new for old, new in zip((a, b), parts) if old is not None and old.is_needed}


def _only_user(value: Value | None, op_type: str) -> Op | None:
    """The op of some type that alone takes a value, once."""
    if value is None or value.is_output or not value.has_one_use or not isinstance(value.type, TensorType):
        return None
    op = value.uses[0].op
    return op if op.op_type == op_type and not op.domain else None
