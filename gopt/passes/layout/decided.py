"""Comparisons of places with places whose outcome is known, as in the masks that exporters make."""

from __future__ import annotations

from ...ir import Dim, Op, Value
from ...ops.bounds import is_size
from ...ops.symbolic import difference, product, scaled_by, total
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._progressions import Progression, progression, spread
from ._shapes import known_shape

_COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
_test = P.op(*_COMPARISONS)("a", "b").as_("test")


@rule(
    P.op("And", "Or")(_test, "m").as_("op") | P.op("And", "Or")("m", _test).as_("op"),
    example=example(
        "(bool[N,1,M] x, float[1,M] z) => (bool[N,K,M] y) <int64[1] zero = {0}, int64[1] two = {2}, int64 none = {0}, "
        "int64 one = {1}> { s = Shape<start = 1>(z) n = Squeeze(s) r = Range(none, n, one) "
        "u = Unsqueeze(r, one) t = GreaterOrEqual(u, none) y = And(t, x) }"
    ),
)
def mask(rw: Rewriter, op: Op, test: Op, a: Value, b: Value, m: Value) -> Value:
    """And(places >= 0, m) -> m, expanded to the shape of the places; likewise Or with what is never true

    Applies to sums of ranges, constants and numbers: where all that one side can be lies on one side of the other.
    There are no more ops than before, and Expands mostly vanish where they are used. Exact.
    """
    if _outcome(test, a, b) is not (op.op_type == "And"):
        raise RejectError("it is not known, or decides the result alone")
    if known_shape(m) == known_shape(op.result):
        return m
    place = next((v for v in (a, b) if known_shape(v) == known_shape(test.result)), None)
    if place is None:
        raise RejectError("no operand has the shape of the comparison")
    found: Value = rw.Expand(m, rw.Shape(place), name=op.name)
    return found


@rule(
    P.Where(_test, "x", "y").as_("op"),
    numerics=Numerics.FINITE,
    example=example(
        "(float[N] x, float[N] z) => (float[N] y) <int64 none = {0}, int64 one = {1}> "
        "{ s = Shape(x) n = Squeeze(s) r = Range(none, n, one) t = Less(r, none) w = Where(t, x, z) y = Neg(w) }"
    ),
)
def choice(rw: Rewriter, op: Op, test: Op, a: Value, b: Value, x: Value, y: Value) -> Value:
    """Where(places < 0, x, y) -> y

    Applies as `mask` does, to what has the shape of the result. A choice may lose the sign of a zero.
    """
    outcome = _outcome(test, a, b)
    if outcome is None:
        raise RejectError("it is not known")
    chosen = x if outcome else y
    if known_shape(chosen) != known_shape(op.result):
        raise RejectError("the result would have another shape")
    return chosen


def _outcome(test: Op, a: Value, b: Value) -> bool | None:
    """What a comparison says of all elements alike; None if it may say several things."""
    left, right = (spread(progression(v), known_shape(test.result)) for v in (a, b))
    if left is None or right is None:
        return None
    more, less = left.minus(right), right.minus(left)
    if test.op_type == "Equal":
        return False if _is_over(more, 1) or _is_over(less, 1) else None
    if test.op_type in ("Less", "LessOrEqual"):
        more, less = less, more
    strictly = int(test.op_type in ("Greater", "Less"))
    if _is_over(more, strictly):
        return True
    return False if _is_over(less, 1 - strictly) else None


def _is_over(found: Progression, bound: int) -> bool:
    """True if all elements are certainly at least so large; of none that is true, too."""
    least: list[Dim] = [found.first, -bound]
    for dim, step in zip(found.shape, found.steps):
        if is_size(step):
            continue
        if not is_size(scaled_by(step, -1)):
            return False
        least.append(product((step, difference(dim, 1))))
    return is_size(total(least))
