"""Attention and what goes with it; shapes only."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import Dim, Op, Symbol, TensorType, Type, Value
from .contents import dims
from .registry import define, shape_rule
from .shapes import fresh, same_as_first, tensor
from .sizes import product, quotient, total
from .view import attribute

define("RotaryEmbedding", infer=same_as_first)


def _dim(value: Value | None, axis: int) -> Dim:
    type_ = tensor(value)
    return Symbol() if type_ is None or type_.shape is None else type_.shape[axis]


@shape_rule("Attention")
def _attention(op: Op) -> Sequence[Type | None]:
    query, key, value = (tensor(op.inputs[slot]) for slot in range(3))
    if query is None:
        return (None,) * len(op.outputs)
    if any(t is None or t.shape is None for t in (query, key, value)):
        rank = query.rank
        return (TensorType(query.dtype, None if rank is None else fresh(rank)),)
    batch, heads, length, _ = _split_heads(op, op.inputs[0], attribute(op, "q_num_heads"))
    _, groups, fed, size = _split_heads(op, op.inputs[1], attribute(op, "kv_num_heads"))
    _, _, _, value_size = _split_heads(op, op.inputs[2], attribute(op, "kv_num_heads"))
    if query.rank == 4:
        shape: tuple[Dim, ...] = (batch, heads, length, value_size)
    else:
        shape = (batch, length, product((heads, value_size)))
    past = op.input(4)
    seen = fed if past is None else total((_dim(past, 2), fed))
    key_type, value_type = tensor(op.inputs[1]), tensor(op.inputs[2])
    return (
        TensorType(query.dtype, shape),
        None if key_type is None else TensorType(key_type.dtype, (batch, groups, seen, size)),
        None if value_type is None else TensorType(value_type.dtype, (batch, groups, seen, value_size)),
        TensorType(query.dtype, (batch, heads, length, seen)),
    )


def _split_heads(op: Op, value: Value | None, heads: int | None) -> tuple[Dim, Dim, Dim, Dim]:
    """Batch, heads, length and head size of a query, key or value, of rank 4 or (heads packed) 3."""
    type_ = tensor(value)
    shape = None if type_ is None else type_.shape
    if shape is None:
        return (Symbol(), Symbol(), Symbol(), Symbol())
    if len(shape) == 4:
        return (shape[0], shape[1], shape[2], shape[3])
    if len(shape) != 3 or heads is None:
        raise ValueError("operands of Attention have rank 4, or rank 3 and a number of heads")
    return (shape[0], heads, shape[1], quotient(shape[2], heads))


@shape_rule("LinearAttention")
def _linear_attention(op: Op) -> Sequence[Type | None]:
    query = tensor(op.inputs[0])
    if query is None:
        return (None, None)
    groups, heads = attribute(op, "kv_num_heads"), attribute(op, "q_num_heads")
    batch, length = _dim(op.inputs[0], 0), _dim(op.inputs[0], 1)
    head, value = quotient(_dim(op.inputs[0], 2), heads), quotient(_dim(op.inputs[2], 2), groups)
    past = tensor(op.input(3))
    state = dims((batch, groups, head, value))
    return (
        TensorType(query.dtype, (batch, length, product((heads, value)))),
        TensorType(query.dtype if past is None else past.dtype, state),
    )


@shape_rule("CausalConvWithState")
def _causal_conv(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None:
        return (None, None)
    kernel = _dim(op.inputs[1], 2)
    state = total((kernel, -1)) if isinstance(kernel, int) else _dim(op.input(3), 2)
    return (data, TensorType(data.dtype, (_dim(op.inputs[0], 0), _dim(op.inputs[0], 1), state)))
