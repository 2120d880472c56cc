"""Results of recurrent layers that nobody uses, and attributes that say nothing (ONNX operators LSTM, GRU, RNN)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...ir import Model, Op, Value
from ...ops import operands
from ...rewrite import Context, Rewriter
from ..base import Pass, register

_RESULTS = {"LSTM": 3, "GRU": 2, "RNN": 2}
# Newer than some compilers' checks, or never looked at by them; only the default can be left out.
_DEFAULTS = {"layout": 0, "input_forget": 0}


@register
@dataclass(frozen=True)
class Results(Pass):
    """( , h) = GRU(x) -> y = GRU(x), h its last step; likewise RNN and LSTM, where ( , h, c) becomes (y, h, c)

    Compilers that look at every result by its name take an empty one for a value. Where the last state is used alone,
    it is cut out of the results of all steps: the last one, of a direction that runs back the first. Where that cannot
    be (the state of an LSTM's cell, sequences with lengths of their own) the missing results get names. Attributes that
    state a default (layout, input_forget) go. Exact; must come last, for what nobody uses is taken away again by
    `clean.dead`.
    """

    def run(self, model: Model, ctx: Context) -> None:
        """Write recurrent layers anew that leave out a result before their last, or state a default."""
        for graph in tuple(model.graphs()):
            for op in graph.ops:
                if op.op_type not in _RESULTS or op.domain:
                    continue
                states = {n for n, default in _DEFAULTS.items() if n in op.attrs and op.attr(n, default) == default}
                used = [k for k, v in enumerate(op.outputs) if v is not None]
                if states or used != list(range(len(used))):
                    self._renew(op, used, states, ctx)

    def _renew(self, op: Op, used: list[int], states: set[str], ctx: Context) -> None:
        assert op.graph is not None
        rw = Rewriter(op.graph, op)
        attrs: dict[str, Any] = {name: value for name, value in rw.copy_attrs(op).items() if name not in states}
        steps = used == [1] and _lengths(op) is None and not rw.attr(op, "layout")
        count = 1 if steps else max(used) + 1
        made = rw.op(op.op_type, *op.inputs, outputs=count, name=op.name, **attrs)
        results = (made,) if count == 1 else made
        if steps:
            old = op.outputs[1]
            assert old is not None
            kept: dict[Value, Value] = {old: _last(rw, op, results[0])}
        else:
            kept = {v: results[k] for k, v in enumerate(op.outputs) if v is not None}
        ctx.replace(self.name, kept, rw.staged, numerics=self.numerics)


def _lengths(op: Op) -> Value | None:
    """The operand that says how long each sequence is."""
    found = operands(op)
    return found[4] if len(found) > 4 else None


def _last(rw: Rewriter, op: Op, every: Value) -> Value:
    """The state after the last step of each direction, [directions, batch, hidden] from [steps, directions, ...]."""
    direction = rw.attr(op, "direction")
    end, far = [-1], [_far()]
    if direction == "forward":
        return rw.Squeeze(rw.Slice(every, end, far, [0]), [0])  # type: ignore[no-any-return]
    if direction == "reverse":
        return rw.Squeeze(rw.Slice(every, [0], [1], [0]), [0])  # type: ignore[no-any-return]
    forth = rw.Slice(every, [-1, 0], [_far(), 1], [0, 1])
    back = rw.Slice(every, [0, 1], [1, 2], [0, 1])
    return rw.Squeeze(rw.Concat(forth, back, axis=1), [0])  # type: ignore[no-any-return]


def _far() -> int:
    """The end of an axis, as Slice has it."""
    return (1 << 63) - 1
