"""Recurrent layers inside of branches."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir import Graph, Op, Symbol, Value
from ...ops import operands
from ...rewrite import P, RejectError, Rewriter, rule

_END = (1 << 31) - 1
_EXAMPLE = """<ir_version: 8, opset_import: ["" : 18]>
example (bool c, float[4,1,3] x, float[1,8,3] w, float[1,8,2] r) => (float[1,1,2] y) {
  y = If(c) <then_branch = a () => (float[1,1,2] p) { z, p = LSTM<hidden_size = 2>(x, w, r) },
    else_branch = b () => (float[1,1,2] q) { k = Constant<value = float[1,1,2] {1, 2}>() q = Identity(k) }>
}"""


@rule(P.op("LSTM", "GRU", "RNN")("x", ...).as_("op"), example=_EXAMPLE)
def last_state(rw: Rewriter, x: Value, op: Op) -> tuple[Value | None, ...]:
    """ "", h, c = LSTM(x) -> y, "", c = LSTM(x), h = y[-1]

    In a branch of an If, where TensorRT builds no layer of which the states alone are used; GRU and RNN likewise,
    backwards and both ways, too. Applies without lengths of single sequences, to sequences of at least one step. Exact:
    the last state is the last of y.
    """
    if not _in_branch(op.graph):
        raise RejectError("it is in no branch")
    if op.outputs[0] is not None and op.outputs[0].is_needed:
        raise RejectError("all states are used")
    last = op.output(1)
    if last is None or not last.is_needed:
        raise RejectError("it is not the last state that is used")
    shape = rw.shape(x)
    if op.input(4) is not None or rw.attr(op, "layout"):
        raise RejectError("sequences have lengths of their own, or come second")
    if not shape or not (shape[0].least if isinstance(shape[0], Symbol) else shape[0]):
        raise RejectError("the sequence may have no step")
    count = 3 if op.op_type == "LSTM" else 2
    attrs: dict[str, Any] = dict(rw.copy_attrs(op))
    made = rw.op(op.op_type, *operands(op), outputs=count, **attrs)
    direction = rw.attr(op, "direction")
    ends = {"forward": (-1,), "reverse": (0,)}.get(direction, (-1, 0))
    parts = [_step(rw, made[0], step, place if len(ends) > 1 else None) for place, step in enumerate(ends)]
    state = parts[0] if len(parts) == 1 else rw.Concat(*parts, axis=0)
    return (None, state, *made[2:])[: len(op.outputs)]


def _step(rw: Rewriter, states: Value, step: int, direction: int | None) -> Value:
    """The states of one step, of one direction or of all."""
    if direction is not None:
        at = [np.asarray([n], np.int64) for n in (direction, direction + 1, 1)]
        states = rw.Slice(states, *at)
    end = _END if step < 0 else step + 1
    at = [np.asarray([n], np.int64) for n in (step, end, 0)]
    result: Value = rw.Squeeze(rw.Slice(states, *at), [0])
    return result


def _in_branch(graph: Graph | None) -> bool:
    while graph is not None and graph.owner is not None:
        if graph.owner.op_type == "If":
            return True
        graph = graph.owner.graph
    return False
