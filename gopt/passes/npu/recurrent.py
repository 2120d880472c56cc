"""Recurrent layers that NPUs lack, by those that they have (ONNX operator RNN)."""

from __future__ import annotations

import numpy as np

from ...ir import Array, Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example

_OPEN = 100.0
"""A gate whose sum is this is 1 in every float type, and one whose sum is the negative lets e^-100 through."""
_X = ",".join(str(k % 5 - 2) for k in range(6))


@rule(
    P.RNN("x", P.const("w"), P.const("r"), P.opt(P.const("b")), P.opt("lengths"), P.opt("h")).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example(
        f"(float[4,1,3] x) => (float[4,1,1,2] y) <float[1,2,3] w = {{{_X}}}, float[1,2,2] r = {{1, 0, -1, 2}}> "
        "{ y = RNN<hidden_size = 2>(x, w, r) }"
    ),
)
def gru(
    rw: Rewriter, w: Value, r: Value, b: Value | None, op: Op, x: Value, lengths: Value | None, h: Value | None
) -> tuple[Value | None, ...]:
    """RNN(x) -> GRU(x) whose update gate is always 0 and whose reset gate is always 1

    Applies to layers that use Tanh, on data of known sizes. The gates have no weights and a bias of -100 and 100: the
    reset gate rounds to 1, and e^-100 of the former state comes through the update gate, which is below all rounding.
    Three times the weights.
    """
    _refuse_others(rw, op)
    if not all(isinstance(dim, int) and dim > 0 for dim in rw.shape(x) or (None,)):
        raise RejectError("sizes are unknown, or there are no data")
    weights, states = rw.array(w), rw.array(r)
    directions, hidden = weights.shape[0], weights.shape[1]
    given = np.zeros((directions, 2 * hidden)) if b is None else rw.array(b)
    bias = np.zeros((directions, 6, hidden))
    bias[:, 0], bias[:, 1] = -_OPEN, _OPEN
    bias[:, 2], bias[:, 5] = given[:, :hidden], given[:, hidden:]
    attrs = {name: value for name, value in rw.copy_attrs(op).items() if not name.startswith("activation")}
    made = rw.GRU(
        x,
        rw.const(_last(weights), like=w),
        rw.const(_last(states), like=r),
        rw.const(bias.reshape(directions, -1), like=w),
        lengths,
        h,
        linear_before_reset=1,
        outputs=2,
        **attrs,
    )
    return tuple(made)


def _refuse_others(rw: Rewriter, op: Op) -> None:
    """Raises RejectError if the layer computes something else than tanh(x W + h R + b)."""
    names = rw.attr(op, "activations") or ()
    if any(_text(name).lower() != "tanh" for name in names):
        raise RejectError("it uses another function than Tanh")
    if "clip" in op.attrs:
        raise RejectError("its sums are clipped")


def _text(name: object) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def _last(array: Array) -> Array:
    """Weights of three gates, of which the last alone has any."""
    return np.concatenate([np.zeros_like(array), np.zeros_like(array), array], axis=1)
