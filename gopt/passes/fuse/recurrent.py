"""Recurrent layers (ONNX operators LSTM, GRU, RNN): operands that say what their absence says, too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...ir import Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._filled import filler, is_zero

_CELLS = ("LSTM", "GRU", "RNN")
_BIAS, _LENGTHS, _PEEPHOLES = 3, 4, 7
_STATES = (5, 6)
_WEIGHTS = "<float[1,8,3] w = {%s}, float[1,8,2] r = {%s}, %s> " % (  # noqa: UP031 - braces all over
    ",".join(str(k % 5) for k in range(24)),
    ",".join(str(k % 3) for k in range(16)),
    "%s",
)


def _example(graph: str, constants: str) -> str:
    head, _, body = graph.partition("{")
    return example(f"{head}{_WEIGHTS % constants}{{{body}")


@rule(
    P.op(*_CELLS)("x", "w", "r", ...),
    numerics=Numerics.FINITE,
    example=_example(
        "(float[4,N,3] x) => (float y) "
        "{ s = Shape(x) n = Slice(s, one, two) d = Concat<axis = 0>(one, n, two) "
        'h = ConstantOfShape(d) y = LSTM<hidden_size = 2>(x, w, r, "", "", h, h) }',
        "int64[1] one = {1}, int64[1] two = {2}",
    ),
)
def zero_state(rw: Rewriter) -> tuple[Value | None, ...]:
    """LSTM(x, ..., initial_h=0, initial_c=0) -> LSTM(x, ...), likewise GRU and RNN

    Applies to constants, and to states of whatever size that are made of zeros: ConstantOfShape, Expand, Slice and the
    like. The operators begin with zeros where no state is given; a state of another shape than theirs is an error, so
    that wherever the model computes something the shape is right. Equal but for the sign of zero.
    """
    return _without(rw, (k for k in _STATES if is_zero(rw.root.input(k))), "no initial state is known to be zero")


@rule(
    P.op(*_CELLS)("x", "w", "r", P.const("bias", value=0), ...),
    numerics=Numerics.FINITE,
    example=_example(
        "(float[4,N,3] x) => (float y) { y = LSTM<hidden_size = 2>(x, w, r, b) }",
        "float[1,16] b = {0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}",
    ),
)
def zero_bias(rw: Rewriter) -> tuple[Value | None, ...]:
    """LSTM(x, w, r, B=0) -> LSTM(x, w, r), likewise GRU and RNN

    Applies to a bias of zeros throughout. Equal but for the sign of zero.
    """
    return _without(rw, (_BIAS,), "")


@rule(
    P.LSTM("x", "w", "r", ..., P=P.const("peepholes", value=0)),
    numerics=Numerics.FINITE,
    example=_example(
        '(float[4,N,3] x) => (float y) { y = LSTM<hidden_size = 2>(x, w, r, "", "", "", "", p) }',
        "float[1,6] p = {0,0,0,0,0,0}",
    ),
)
def zero_peepholes(rw: Rewriter) -> tuple[Value | None, ...]:
    """LSTM(x, ..., P=0) -> LSTM(x, ...)

    Applies to peepholes of zeros throughout. Equal unless the cell's state is infinite or NaN; but for the sign of
    zero.
    """
    return _without(rw, (_PEEPHOLES,), "")


@rule(
    P.op(*_CELLS)("x", "w", "r", ...),
    example=_example(
        "(float[4,N,3] x) => (float y) "
        '{ s = Shape(x) n = Slice(s, one, two) e = Expand(four, n) y = LSTM<hidden_size = 2>(x, w, r, "", e) }',
        "int64[1] one = {1}, int64[1] two = {2}, int32[1] four = {4}",
    ),
)
def full_length(rw: Rewriter) -> tuple[Value | None, ...]:
    """LSTM(x, ..., sequence_lens=length of x) -> LSTM(x, ...), likewise GRU and RNN

    Applies if every sequence of the batch provably is as long as the time axis of x, be that a number or a symbol.
    Exact: so long are sequences of which nothing is said.
    """
    data = rw.shape(rw.root.inputs[0])  # type: ignore[arg-type]  # the pattern has it present
    if data is None or len(data) != 3 or rw.root.input(_LENGTHS) is None:
        raise RejectError("no lengths are given, or the length of the input is not known")
    length = data[1 if rw.attr(rw.root, "layout") else 0]
    known = filler(rw.root.input(_LENGTHS))
    if known is None or known != length:
        raise RejectError("the sequences are not known to be as long as the input")
    return _without(rw, (_LENGTHS,), "")


def _without(rw: Rewriter, slots: Iterable[int], why: str) -> tuple[Value | None, ...]:
    """The cell without some operands; omitted results stay omitted."""
    root = rw.root
    left = set(slots)
    if not left:
        raise RejectError(why)
    given = [None if k in left else v for k, v in enumerate(root.inputs)]
    attrs: dict[str, Any] = rw.copy_attrs(root)
    results = rw.op(root.op_type, *given, outputs=len(root.outputs), name=root.name, **attrs)
    made = rw.staged[-1]
    made.outputs = tuple(n if o is not None else None for o, n in zip(root.outputs, made.outputs))
    return (results,) if isinstance(results, Value) else tuple(made.outputs)
