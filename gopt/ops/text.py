"""Operators on strings, and the vectorizers of text; shapes only."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import DType, Op, Shape, Symbol, TensorType, Type
from .registry import shape_rule
from .shapes import broadcast, tensor
from .view import attribute


@shape_rule("StringConcat", elementwise=True)
def _concat(op: Op) -> Sequence[Type | None]:
    a, b = tensor(op.inputs[0]), tensor(op.inputs[1])
    shape = None if a is None or b is None else broadcast(a.shape, b.shape)
    return (TensorType(DType.STRING, shape),)


def _shape(op: Op) -> Shape | None:
    data = tensor(op.inputs[0])
    return None if data is None else data.shape


@shape_rule("RegexFullMatch", elementwise=True)
def _match(op: Op) -> Sequence[Type | None]:
    return (TensorType(DType.BOOL, _shape(op)),)


@shape_rule("StringSplit")
def _split(op: Op) -> Sequence[Type | None]:
    shape = _shape(op)
    parts = None if shape is None else (*shape, Symbol())
    return (TensorType(DType.STRING, parts), TensorType(DType.INT64, shape))


@shape_rule("StringNormalizer")
def _normalize(op: Op) -> Sequence[Type | None]:
    shape = _shape(op)
    # Stop words are left out, so that fewer strings may come out.
    return (TensorType(DType.STRING, None if shape is None else (*shape[:-1], Symbol())),)


@shape_rule("TfIdfVectorizer")
def _vectorize(op: Op) -> Sequence[Type | None]:
    shape = _shape(op)
    size = max(attribute(op, "ngram_indexes"), default=-1) + 1
    return (TensorType(DType.FLOAT, None if shape is None else (*shape[:-1], size)),)
