"""The last step of a recurrent layer's sequence is its final state (ONNX operators LSTM, GRU, RNN)."""

from __future__ import annotations

from typing import Any

from ...ir import Op, Value
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example

_CELL = P.op("LSTM", "GRU", "RNN")("x", "w", "r", ...).as_("cell").shared()
_WEIGHTS = "<float[1,8,3] w = {%s}, float[1,8,2] r = {%s}, %s> " % (  # noqa: UP031 - braces all over
    ",".join(str(k % 5) for k in range(24)),
    ",".join(str(k % 3) for k in range(16)),
    "%s",
)


@rule(
    P.Gather(P.Squeeze(_CELL, P.const("axes", value=1)).shared(), P.const("index"), axis=0)
    | P.Gather(_CELL, P.const("index"), axis=0),
    example=example(
        "(float[4,N,3] x) => (float y) "
        + _WEIGHTS % "int64 last = {-1}, int64[1] one = {1}"
        + "{ a = LSTM<hidden_size = 2>(x, w, r) b = Squeeze(a, one) y = Gather<axis = 0>(b, last) }"
    ),
)
def gather(rw: Rewriter, cell: Op, index: Value, axes: Value | None) -> Value:
    """Gather(Y of LSTM(x), -1) -> Y_h of LSTM(x), likewise GRU and RNN

    Applies to a layer of one direction without lengths of the sequences: the index must be that of the last step, or
    the first one where it runs back. With a Squeeze of the direction's axis in between Y_h is squeezed instead. A layer
    that gives no Y_h is made to, unless it has other uses. Exact: both are the state after the same step.
    """
    tensor = index.const
    assert tensor is not None
    if tensor.shape or int(tensor.item()) not in _last(rw, cell):
        raise RejectError("it is not the last step, or more than one")
    state = _state(rw, cell)
    return state if axes is None else rw.Squeeze(state, [0])


@rule(
    P.Slice(_CELL, ...),
    example=example(
        "(float[4,N,3] x) => (float y) "
        + _WEIGHTS % "int64[1] last = {-1}, int64[1] zero = {0}, int64[1] far = {9223372036854775807}"
        + "{ a = LSTM<hidden_size = 2>(x, w, r) y = Slice(a, last, far, zero) }"
    ),
)
def slice(rw: Rewriter, cell: Op) -> Value:
    """Slice(Y of LSTM(x), the last step) -> Unsqueeze(Y_h of LSTM(x), 0), likewise GRU and RNN

    Applies as `gather` does, to a slice of one step along the time axis alone, if the number of steps is known: from
    none Slice takes nothing. Exact.
    """
    starts, ends = rw.ints(rw.root, "starts"), rw.ints(rw.root, "ends")
    axes, steps = rw.ints(rw.root, "axes"), rw.ints(rw.root, "steps")
    if starts is None or ends is None or len(starts) != 1 or axes != (0,) or steps not in (None, (1,)):
        raise RejectError("it is no slice of steps")
    every = rw.shape(rw.root.inputs[0])  # type: ignore[arg-type]  # the pattern has it present
    length = every[0] if every else None
    if not isinstance(length, int) or len(range(length)[starts[0] : ends[0]]) != 1:
        raise RejectError("it is not known to be one step: of no step at all there is a state, too")
    if starts[0] not in _last(rw, cell):
        raise RejectError("it is not the last step")
    return rw.Unsqueeze(_state(rw, cell), [0])  # type: ignore[no-any-return]


def _last(rw: Rewriter, cell: Op) -> tuple[int, ...]:
    """The indices of the step that the layer does last."""
    if cell.input(4) is not None or rw.attr(cell, "layout"):
        raise RejectError("the sequences have lengths of their own, or the batch comes first")
    direction = rw.attr(cell, "direction")
    if direction == "reverse":
        return (0,)
    if direction != "forward":
        raise RejectError("there are two directions")
    every = cell.output(0)
    shape = None if every is None else rw.shape(every)
    length = shape[0] if shape else None
    return (-1, length - 1) if isinstance(length, int) else (-1,)


def _state(rw: Rewriter, cell: Op) -> Value:
    """Y_h of the layer, or of one that takes its place."""
    found = cell.output(1)
    if found is not None:
        return found
    every, taken = cell.output(0), rw.root.inputs[0]  # the same, but for a Squeeze in between
    others = any(v is not None and v.is_needed for v in cell.outputs[1:])
    if others or any(v is None or v.is_output or not v.has_one_use for v in (every, taken)):
        raise RejectError(f"{cell.label} gives no Y_h, and is used elsewhere")
    attrs: dict[str, Any] = rw.copy_attrs(cell)
    made = rw.op(cell.op_type, *cell.inputs, outputs=2, name=cell.name, **attrs)
    rw.staged[-1].outputs = (None, made[1])
    return made[1]  # type: ignore[no-any-return]
