"""Products, or convolutions, of one operand become one whose result is split; only when asked for by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ... import ops
from ...ir import Array, DType, Graph, Model, Op, Value
from ...rewrite import Context, Numerics, RejectError, Rewriter
from ..base import Pass, option, register
from ._affine import FLOATS, dtype_of, elements, rounded, shape_of, spread
from ._products import Product
from ._weights import Kernel


class _Branch(NamedTuple):
    """One of several that can be computed together.

    Attributes:
        key: equal for those that can be computed together.
        op: the product or convolution.
        result: its result, or that of the bias added to it.
        weights: constant.
        bias: in float64; None for none.
        width: number of channels.
    """

    key: tuple[Any, ...]
    op: Op
    result: Value
    weights: Array
    bias: Array | None
    width: int


@register
@dataclass(frozen=True)
class Products(Pass):
    """MatMul(x, A) + a, MatMul(x, B) + b, ... -> Split(MatMul(x, [A B ...]) + [a b ...]); likewise Gemm

    Queries, keys and values of attention become one product. Applies to constant matrices on the right. The sums may
    be taken in another order.
    """

    numerics = Numerics.ROUNDING
    in_family = False
    fewest: int = option(2, help="merge no fewer products than this")

    def run(self, model: Model, ctx: Context) -> None:
        """Merge the products of each value."""
        for graph in model.graphs():
            for branches in _groups(graph, ("MatMul", "Gemm"), _product, self.fewest):
                _commit(ctx, self.name, branches, _joint_product, -1)


@register
@dataclass(frozen=True)
class Convolutions(Pass):
    """Conv(x, V), Conv(x, W), ... -> Split(Conv(x, [V W ...]))

    Applies to constant weights and biases, kernels of one size and equal attributes, without groups. The sums may be
    taken in another order.
    """

    numerics = Numerics.ROUNDING
    in_family = False
    fewest: int = option(2, help="merge no fewer convolutions than this")

    def run(self, model: Model, ctx: Context) -> None:
        """Merge the convolutions of each value."""
        for graph in model.graphs():
            for branches in _groups(graph, ("Conv",), _convolution, self.fewest):
                _commit(ctx, self.name, branches, _joint_convolution, 1)


def _groups(graph: Graph, types: tuple[str, ...], read: Any, fewest: int) -> Iterator[list[_Branch]]:
    found: dict[tuple[Any, ...], list[_Branch]] = {}
    for op in graph.ops:
        if op.op_type in types and not op.domain and ops.is_current(op):
            try:
                branch = read(op)
            except RejectError:
                continue
            found.setdefault(branch.key, []).append(branch)
    yield from (branches for branches in found.values() if len(branches) >= max(fewest, 2))


def _product(op: Op) -> _Branch:
    if op.op_type == "Gemm":
        product = Product.of(op)
        addend = product.addend()
        columns = product.columns
        if addend is not None and (addend.size not in (1, columns) or addend.shape[:-1] not in ((), (1,))):
            raise RejectError("the addend is no row")
        weights = product.weights().T if product.transpose_b else product.weights()
        if product.alpha != 1:
            weights = rounded(product.alpha * weights.astype(np.float64), product.dtype, is_factor=True)
        bias = None if addend is None else spread(addend.reshape(-1), columns)
        key = ("Gemm", product.a, product.transpose_a, weights.shape[0], product.dtype)
        return _Branch(key, op, op.result, weights, bias, columns)
    x, w = op.inputs
    tensor = None if w is None else w.const
    if x is None or x.const is not None or tensor is None or len(tensor.shape) != 2 or tensor.dtype not in FLOATS:
        raise RejectError(f"{op.label} has no constant matrix on the right")
    result, bias = _biased(op, tensor.shape[1])
    return _Branch(("MatMul", x, tensor.shape[0], tensor.dtype), op, result, tensor.numpy(), bias, tensor.shape[1])


def _biased(op: Op, width: int) -> tuple[Value, Array | None]:
    """The result of a MatMul, or of the addition of a vector to it that is its only use."""
    result = op.result
    uses = result.uses
    if result.is_output or len(uses) != 1 or uses[0].op.op_type != "Add" or not isinstance(uses[0].slot, int):
        return result, None
    add = uses[0].op
    other = add.inputs[1 - uses[0].slot]
    if other is None or other.const is None or other.const.shape != (width,) or add.domain:
        return result, None
    return add.result, elements(other)


def _convolution(op: Op) -> _Branch:
    kernel = Kernel(op)
    bias = op.input(2)
    if kernel.group != 1 or kernel.value.const is None:
        raise RejectError(f"{op.label} has groups, or no constant weights")
    attrs = tuple((n, ops.attribute(op, n)) for n in ("auto_pad", "dilations", "pads", "strides"))
    key = (op.inputs[0], kernel.dtype, kernel.sizes[1:], attrs)
    return _Branch(key, op, op.result, kernel.array(), None if bias is None else elements(bias), kernel.outputs)


def _dtype(branches: Sequence[_Branch]) -> DType:
    dtype = dtype_of(branches[0].result)
    if dtype is None:
        raise RejectError("the type is not known")
    return dtype


def _biases(branches: Sequence[_Branch]) -> Array | None:
    """All biases, zeros where there is none; None if there is none at all."""
    if all(b.bias is None for b in branches):
        return None
    return np.concatenate([np.zeros(b.width) if b.bias is None else b.bias for b in branches])


def _joint_product(rw: Rewriter, branches: Sequence[_Branch]) -> Value:
    first = branches[0].op
    dtype, bias = _dtype(branches), _biases(branches)
    weights = rw.const(np.concatenate([b.weights for b in branches], 1).astype(dtype.numpy), name="weights")
    constant = None if bias is None else rw.const(rounded(bias, dtype), name="bias")
    if first.op_type == "Gemm":
        product = Product.of(first)
        return replace(product, b=weights, c=constant, alpha=1.0, beta=1.0, transpose_b=False).gemm(rw)
    result: Value = rw.MatMul(first.inputs[0], weights)
    return result if constant is None else rw.Add(result, constant)


def _joint_convolution(rw: Rewriter, branches: Sequence[_Branch]) -> Value:
    first = branches[0].op
    dtype, bias = _dtype(branches), _biases(branches)
    weights = rw.const(np.concatenate([b.weights for b in branches]), name="weights")
    constant = None if bias is None else rw.const(rounded(bias, dtype), name="bias")
    attrs: dict[str, Any] = dict(first.attrs)
    result: Value = rw.Conv(first.inputs[0], weights, constant, **attrs)
    return result


def _commit(
    ctx: Context,
    name: str,
    branches: Sequence[_Branch],
    build: Callable[[Rewriter, Sequence[_Branch]], Value],
    axis: int,
) -> None:
    op, shape = branches[0].op, shape_of(branches[0].result)
    if op.graph is None or (axis < 0 and shape is None):
        return
    rw = Rewriter(op.graph, op)
    try:
        joint = build(rw, branches)
        axis = axis if shape is None else axis % len(shape)
        parts = rw.Split(joint, [b.width for b in branches], axis=axis, outputs=len(branches))
    except (RejectError, ops.NotAvailable):
        return
    results = {b.result: part for b, part in zip(branches, parts)}
    ctx.replace(name, results, rw.staged, numerics=Numerics.ROUNDING)
