"""What the rules of this family ask of values, and how they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....ir import Array, Shape, Value
from ....ops.shapes import tensor
from ....rewrite import RejectError, Rewriter


def example(graph: str, opset: int = 18) -> str:
    """The text of a small model around a graph."""
    return f'<ir_version: 8, opset_import: ["" : {opset}]>\nexample {graph}'


def same_type(a: Value, b: Value) -> bool:
    """True if both provably have one element type and one shape: equal numbers, or the same symbols."""
    left, right = tensor(a), tensor(b)
    if left is None or right is None or left.dtype is not right.dtype:
        return False
    return left.shape is not None and left.shape == right.shape


def shape_of(value: Value) -> Shape | None:
    """The symbolic shape of a value, None if its rank is unknown."""
    found = tensor(value)
    return None if found is None else found.shape


def unchanged(rw: Rewriter, x: Value) -> Value:
    """`x`, to stand for the first result of the match.

    Raises:
        RejectError: it might have another element type or shape.
    """
    if not same_type(x, rw.root.result):
        raise RejectError("the result may differ from the operand in type or shape")
    return x


def neutral(rw: Rewriter, x: Value, constant: Value) -> Value:
    """`x`, to stand for the result of a broadcasting op of `x` and a constant that is neutral in it.

    A scalar broadcasts nothing, whatever is known of `x`.

    Raises:
        RejectError: the constant might enlarge the result.
    """
    tensor_ = constant.const
    if tensor_ is not None and not tensor_.shape and x.const is None:
        return x
    return unchanged(rw, x)


def elements(value: Value) -> Array:
    """The elements of a constant that is small enough to look at all of them.

    Raises:
        RejectError: it is not.
    """
    found = value.const
    if found is None or found.size > _MANY:
        raise RejectError("there is no small constant")
    return found.numpy()


_MANY = 1 << 20


def all_equal(array: Array, number: Any) -> bool:
    """True if there are elements, and each equals `number`; the first is looked at before the rest."""
    if not array.size:
        return False
    wanted = array.dtype.type(number)
    return bool(array.reshape(-1)[0] == wanted) and bool(np.all(array == wanted))
