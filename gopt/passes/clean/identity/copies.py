"""Ops that copy: Identity, Dropout at inference, and variadic operators with nothing to combine."""

from __future__ import annotations

from ....ir import Value
from ....rewrite import P, RejectError, Rewriter, rule
from ._facts import example, shape_of, unchanged


@rule(
    P.Identity("x"),
    example=example("(float[2] x) => (float[2] y) { a = Identity(x) y = Neg(a) }"),
)
def identity(rw: Rewriter, x: Value) -> Value:
    """Identity(x) -> x

    Applies to values of every type, constants and captured values included. Where the result is an output of the
    graph, x takes over its name; the Identity of an input, of a constant, or of another output stays, because an output
    needs a value of its own. Exact.
    """
    return x


@rule(
    P.Dropout("x", ...),
    example=example("(float[2] x) => (float[2] y) { a = Dropout(x) y = Neg(a) }"),
)
def dropout(rw: Rewriter, x: Value) -> Value:
    """Dropout(x) -> x

    Applies in inference (no training mode, or a constant false; before version 7 `is_test`) if nobody needs the mask.
    Exact: the operator's clause says that the result is a copy.
    """
    return x


@rule(
    P.op("Sum", "Max", "Min", "Mean")(P.each("xs")),
    example=example("(float[2] x) => (float[2] y) { a = Sum(x) y = Neg(a) }"),
)
def single_operand(rw: Rewriter, xs: tuple[Value | None, ...]) -> Value:
    """Sum(x) -> x, likewise Max, Min and Mean of one operand

    Exact: nothing is combined, and the mean of one number is the number divided by 1.
    """
    if len(xs) != 1 or xs[0] is None:
        raise RejectError("there are more operands")
    return xs[0]


@rule(
    P.Concat(P.each("xs")),
    example=example(
        "(float[2] x) => (float[2] y) <float[0] none = {}> { a = Concat<axis = 0>(none, x) y = Neg(a) }",
    ),
)
def concat(rw: Rewriter, xs: tuple[Value | None, ...]) -> Value:
    """Concat(x, empty, ...) -> x

    Applies if there are no operands but x, or only such as provably have a dim of 0 on the axis: they have no elements.
    Exact.
    """
    if len(xs) == 1 and xs[0] is not None:
        return xs[0]
    axis = rw.attr(rw.root, "axis")
    left = [x for x in xs if x is None or not _is_empty(x, axis)]
    if len(left) != 1 or left[0] is None:
        raise RejectError("more than one operand may have elements")
    return unchanged(rw, left[0])


def _is_empty(value: Value, axis: int) -> bool:
    shape = shape_of(value)
    return shape is not None and -len(shape) <= axis < len(shape) and shape[axis] == 0


@rule(
    P.Split("x", ...),
    example=example("(float[2] x) => (float[2] y) { a = Split<axis = 0, num_outputs = 1>(x) y = Neg(a) }"),
)
def split(rw: Rewriter, x: Value) -> Value:
    """Split(x) -> x

    Applies if it has one result: the parts of a Split make up the whole. Exact.
    """
    if len(rw.root.outputs) != 1:
        raise RejectError("there are more results")
    return x


@rule(
    P.SequenceAt(P.SequenceConstruct(P.each("xs")).shared(), P.const("place")),
    example=example(
        "(float[2] x, float[3] z) => (float[3] y) <int64 one = {1}> "
        "{ s = SequenceConstruct(x, z) a = SequenceAt(s, one) y = Neg(a) }"
    ),
)
def sequence_at(rw: Rewriter, xs: tuple[Value | None, ...], place: Value) -> Value:
    """SequenceAt(SequenceConstruct(x, ...), i) -> the operand at i

    Applies if i is constant and lies inside of the sequence. Exact.
    """
    index = int(rw.array(place).reshape(-1)[0])
    if not -len(xs) <= index < len(xs):
        raise RejectError("the place lies outside of the sequence")
    found = xs[index]
    if found is None:
        raise RejectError("the operand is omitted")
    return found
