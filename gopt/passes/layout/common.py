"""What all operands of a Concat or Where have in common is done once, to the result."""

from __future__ import annotations

from ...ir import Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._elementwise import BINARY, CHOSEN, PLACED, UNARY, again
from ._shapes import RESHAPES, is_private, known_shape

_PRODUCTS = frozenset(("BatchNormalization", "Conv", "ConvTranspose", "Gemm", "MatMul"))
"""Runtimes compute what follows these together with them, which is worth more than an op."""


@rule(
    P.Concat(P.each("xs")).as_("op"),
    example=example(
        "(float[N,2] a, float[N,3] b) => (float[N,5] y) <float half = {0.5}> "
        "{ p = Add(a, half) q = Add(b, half) y = Concat<axis = 1>(p, q) }"
    ),
)
def joined(rw: Rewriter, op: Op, xs: tuple[Value, ...]) -> Value:
    """Concat(Add(a, k), Add(b, k)) -> Add(Concat(a, b), k), for a number k, likewise of functions of one number

    Applies if nothing else uses the operands, which may be reshaped before they are joined, and none is the activation
    of a convolution or product. Exact.
    """
    return _behind(rw, op, xs, rounds=False)


@rule(
    P.Concat(P.each("xs")).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[N,2] a, float[N,3] b) => (float[N,5] y) { p = Exp(a) q = Exp(b) y = Concat<axis = 1>(p, q) }"
    ),
)
def joined_function(rw: Rewriter, op: Op, xs: tuple[Value, ...]) -> Value:
    """Concat(Exp(a), Exp(b)) -> Exp(Concat(a, b)), likewise of other functions that are approximated

    As `joined`. Runtimes may approximate elements in another way at another place.
    """
    return _behind(rw, op, xs, rounds=True)


@rule(
    P.Where("c", "x", "y").as_("op"),
    numerics=Numerics.FINITE,
    example=example(
        "(bool[2,1,1] c, float[N] a, float[M] b) => (float[2,M,N] y) <float half = {0.5}, int64[2] column = {-1, 1}> "
        "{ p = Add(a, half) q = Add(b, half) r = Reshape(q, column) y = Where(c, p, r) }"
    ),
)
def chosen(rw: Rewriter, op: Op, c: Value, x: Value, y: Value) -> Value:
    """Where(c, Add(a, k), Reshape(Add(b, k))) -> Add(Where(c, a, Reshape(b)), k), for a number k

    Applies likewise to functions of one number that are exact or rounded once, with or without Reshapes, if nothing
    else uses the operands. A choice may lose the sign of a zero.
    """
    first, operands = _sources(rw, (x, y), rounds=False)
    if not {rw.dtype(v) for v in operands} <= set(CHOSEN):
        raise RejectError("there is no choice of that type")
    return _again(rw, op, first, rw.Where(c, *operands, name=op.name))


def _without_reshape(value: Value) -> tuple[Value, Op | None]:
    """What is reshaped to a value, and the op that does so; the value itself if none does."""
    made = value.producer
    if made is None or made.op_type not in RESHAPES or made.domain or not is_private(value) or made.inputs[0] is None:
        return value, None
    return made.inputs[0], made


def _behind(rw: Rewriter, op: Op, xs: tuple[Value, ...], rounds: bool) -> Value:
    first, sources = _sources(rw, xs, rounds)
    if any(v.producer is not None and v.producer.op_type in _PRODUCTS for v in sources):
        raise RejectError("they are activations")
    return _again(rw, op, first, rw.Concat(*sources, axis=rw.attr(op, "axis"), name=op.name))


def _sources(rw: Rewriter, values: tuple[Value, ...], rounds: bool) -> tuple[Op, list[Value]]:
    """One of the ops that give the values, or what is reshaped to them, and what all of these take, reshaped so.

    Raises:
        RejectError: they do not do the same, or to different types.
    """
    bare = [_without_reshape(v) for v in values]
    first = _alike([inner for inner, _ in bare], rounds)
    sources = []
    for inner, reshape in bare:
        source = inner.producer.inputs[_slot(inner)] if inner.producer else None
        if source is None:
            raise RejectError("an operand is missing")
        sources.append(source if reshape is None else again(rw, reshape, {inner: source}))
    if len({rw.dtype(v) for v in sources}) != 1:
        raise RejectError("they are of different types before that")
    return first, sources


def _again(rw: Rewriter, op: Op, first: Op, joint: Value) -> Value:
    """What an op does, done to all of its like at once.

    Raises:
        RejectError: the shape would be another.
    """
    found = again(rw, first, {first.inputs[_slot(first.result)]: joint})  # type: ignore[dict-item]
    if known_shape(found) != known_shape(op.result):
        raise RejectError("the number enlarges its operand")
    return found


def _alike(values: list[Value], rounds: bool) -> Op:
    """One of the ops that give the values, which differ in one operand at most, and that is none of few numbers.

    Raises:
        RejectError: they differ, one is used elsewhere, or they are of no type that may be moved.
    """
    ops_ = [value.producer for value in values]
    first = ops_[0]
    if first is None or len(values) < 2 or first.domain:
        raise RejectError("they are not made alike")
    if (first.op_type not in PLACED if rounds else first.op_type in PLACED) or first.op_type not in (*UNARY, *BINARY):
        raise RejectError("it is no function of one number, or of the other kind")
    slot = _slot(first.result)
    for value, op in zip(values, ops_):
        if op is None or op.op_type != first.op_type or op.domain or op.attrs != first.attrs or not is_private(value):
            raise RejectError("they are not made alike, or used elsewhere")
        rest = [v for k, v in enumerate(op.inputs) if k != slot]
        wanted = [v for k, v in enumerate(first.inputs) if k != slot]
        if len(rest) != len(wanted) or not all(map(_is_same, rest, wanted)):
            raise RejectError("other operands differ")
        if any(v is not None and (v.const is None or v.const.size != 1 or len(v.const.shape) > 1) for v in rest):
            raise RejectError("another operand is no number")
    return first


def _is_same(a: Value | None, b: Value | None) -> bool:
    if a is None or b is None or a.const is None or b.const is None:
        return a is b
    return a is b or (a.const.dtype is b.const.dtype and a.const.numpy().tobytes() == b.const.numpy().tobytes())


def _slot(value: Value) -> int:
    """The operand that is no constant, of the op that gives a value.

    Raises:
        RejectError: there is none.
    """
    op = value.producer
    for slot, operand in enumerate(() if op is None else op.inputs):
        if operand is not None and operand.const is None:
            return slot
    raise RejectError("all operands are constant")
