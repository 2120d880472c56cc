"""Reshapes on both sides of an op that does not care for the shape, or for that of other axes than its own."""

from __future__ import annotations

from ... import ops
from ...ir import Op, Value
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example
from ._elementwise import BINARY, UNARY, again
from ._orders.shapes import aligned
from ._shapes import RESHAPES, infers, is_private, known_shape, reshaped
from ._slices import make_slice, sliced
from .pads import pads_of

_RESHAPES = P.op(*RESHAPES)
_LONGEST = 16


@rule(
    _RESHAPES(P.op(*UNARY, *BINARY, "Pow", "PRelu")("", ...).as_("last"), ...).as_("outer"),
    example=example(
        "(float[N,6] x) => (float[N,6] y) <int64[3] wide = {0, 2, 3}, float c = {2}> "
        "{ a = Reshape(x, wide) b = Exp(a) d = Mul(b, c) y = Flatten(d) }"
    ),
)
def functions(rw: Rewriter, outer: Op, last: Op) -> Value:
    """Reshape(Exp(Reshape(x))) -> Exp(Reshape(x)), or Exp(x) if the Reshapes undo each other

    Applies to any chain of functions of one number and of operators whose other operand is a constant of one element,
    none of which is used elsewhere, if both Reshapes can be written as one. Exact.
    """
    chain: list[tuple[Op, Value]] = []
    op: Op | None = last
    while op is not None and len(chain) < _LONGEST:
        data = _data(op)
        if data is None or not is_private(op.result):
            raise RejectError("there is something else than functions of one number between the Reshapes")
        chain.append((op, data))
        op = data.producer
        if op is not None and op.op_type in RESHAPES and not op.domain:
            break
    else:
        raise RejectError("there is no Reshape before the functions")
    x = op.inputs[0]
    after = known_shape(outer.result)
    constants = [v.const for function, _ in chain for v in function.inputs if v is not None]
    if x is None or any(len(c.shape) > len(after) for c in constants if c is not None):
        raise RejectError("a constant has more dims than the result")
    value = reshaped(rw, x, after, infers(outer) or infers(op))
    if value is not x and not is_private(op.result):
        raise RejectError("the first Reshape is used elsewhere")
    for function, data in reversed(chain):
        value = again(rw, function, {data: value})
    return value


def _data(op: Op) -> Value | None:
    """The operand of an op that is no constant of one element, if there is but one and it has the result's shape."""
    known = ops.opdef(op)
    if known is None or not known.elementwise:
        return None
    found: Value | None = None
    for value in op.inputs:
        if value is None or (value.const is not None and value.const.size == 1):
            continue
        if found is not None:
            return None
        found = value
    if found is None or known_shape(found) != known_shape(op.result):
        return None
    return found


@rule(
    _RESHAPES(P.Pad(_RESHAPES("x", ...).as_("inner"), P.const(), ...).as_("op"), ...).as_("outer")
    | _RESHAPES(P.Slice(_RESHAPES("x", ...).as_("inner"), P.const(), P.const(), ...).as_("op"), ...).as_("outer"),
    example=example(
        "(float[N,6,1] x) => (float[N,1,1,8] y) "
        "<int64[3] a = {0, 1, 6}, int64[6] p = {0, 0, 1, 0, 0, 1}, int64[4] b = {0, 1, 1, 8}> "
        "{ r = Reshape(x, a) q = Pad(r, p) y = Reshape(q, b) }"
    ),
)
def ends(rw: Rewriter, outer: Op, op: Op, inner: Op, x: Value) -> Value:
    """Reshape(Pad(Reshape(x), pads)) -> Reshape(Pad(x, pads)), likewise of Slice

    Applies if each axis that is padded or sliced is one of x too, of more than one element, and the shape of the result
    can be written down. Exact.
    """
    before, middle = known_shape(x), known_shape(inner.result)
    if 0 in before or 0 in middle:
        raise RejectError("there are no elements")
    axes = {right[0]: left[0] for left, right in aligned(before, middle) if len(left) == len(right) == 1}
    axes = {m: b for m, b in axes.items() if middle[m] == before[b]}
    may_infer = infers(outer) or infers(inner)
    try:
        if op.op_type == "Slice":
            parts = {axes[a]: bounds for a, bounds in sliced(op, inner.result).items()}
            return reshaped(rw, make_slice(rw, x, parts, op.name), known_shape(outer.result), may_infer)
        pads = pads_of(op, inner.result)
        moved = [0] * (2 * len(before))
        for place in range(len(middle)):
            begin, end = pads[place], pads[place + len(middle)]
            if begin or end:
                moved[axes[place]], moved[axes[place] + len(before)] = begin, end
    except KeyError:
        raise RejectError("an axis is none of x") from None
    value = (*ops.operands(op), None, None)[2]
    padded = rw.Pad(x, moved, value, mode=rw.attr(op, "mode"), name=op.name)
    return reshaped(rw, padded, known_shape(outer.result), may_infer)
