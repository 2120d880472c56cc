"""What is quantized while the model runs (ONNX operators DynamicQuantizeLinear, ConvInteger, MatMulInteger)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ....ir import Array, Attr, DType, Model, Op, Value
from ....ops import attribute
from ....rewrite import Context, Numerics, Rewriter
from ...base import Pass, option, register
from ._scaled import Scaled, scaled_result, single_user

_LEVELS = 255.0


@dataclass(frozen=True)
class Product:
    """A ConvInteger or MatMulInteger of what was quantized.

    Attributes:
        op: the op.
        weight: the other operand, its zero point subtracted.
        cast: the op that makes floats of its result, if that is all that is done with it.
        scaled: how its result is brought back to the scale of x; None where that is not known.
    """

    op: Op
    weight: Array
    cast: Op | None
    scaled: Scaled | None


@register
@dataclass(frozen=True)
class Dynamic(Pass):
    """ConvInteger(q, w, z, v), q, s, z being DynamicQuantizeLinear(x) -> Conv(round(x / s) within its range, w - v)

    The same for MatMulInteger. Applies where w and v are constant. With `to=numbers` the same numbers are computed, in
    floats: x is rounded to the same levels, and the sums of products are exact as long as they stay below 2^24; they
    round beyond. With `to=float`, Conv(x, t (w - v)), t being the scale of w, computes what the model meant before it
    was quantized: faster, but other numbers; only where the result is multiplied by the scales afterwards.
    """

    numerics = Numerics.ROUNDING
    to: Literal["numbers", "float"] = option("numbers", help="the same numbers, or those of the model in floats")

    def run(self, model: Model, ctx: Context) -> None:
        """Look at each DynamicQuantizeLinear."""
        for graph in tuple(model.graphs()):
            for op in graph.ops:
                if op.op_type == "DynamicQuantizeLinear" and not op.domain and op.graph is graph:
                    self._op(op, ctx)

    def _op(self, op: Op, ctx: Context) -> None:
        products = list(_products(op))
        if not products or op.graph is None:
            return
        rw = Rewriter(op.graph, op)
        results = _in_floats(rw, products) if self.to == "float" else _same_numbers(rw, op, products)
        if results:
            ctx.replace(self.name, results, rw.staged, numerics=Numerics.ROUNDING)


def _in_floats(rw: Rewriter, products: list[Product]) -> dict[Value, Value]:
    """What stands for the products scaled back; nothing if that is not known of one."""
    x = rw.root.inputs[0]
    results: dict[Value, Value] = {}
    for product in products:
        scaled = product.scaled
        if scaled is None:
            return {}
        bias = None if scaled.bias is None else rw.const(scaled.bias, name="bias")
        results[scaled.op.result] = _product(rw, product.op, x, product.weight * scaled.scale, bias)
    return results


def _same_numbers(rw: Rewriter, op: Op, products: list[Product]) -> dict[Value, Value]:
    """What stands for the products and for the scale."""
    level, shift, scale = quantized(rw, op.inputs[0])
    levels = rw.Sub(level, shift)
    results: dict[Value, Value] = {}
    if op.outputs[1] is not None and op.outputs[1].is_needed:
        results[op.outputs[1]] = scale
    for product in products:
        made = _product(rw, product.op, levels, product.weight)
        if product.cast is not None:
            results[product.cast.result] = made
        else:
            results[product.op.result] = rw.Cast(made, to=int(DType.INT32))
    return results


def _products(op: Op) -> Iterator[Product]:
    """What is computed of what was quantized; nothing unless all of it is known."""
    y, _, zero = (*op.outputs, None, None)[:3]
    found = []
    if y is None or y.is_output or (zero is not None and zero.is_output):
        return
    for user in dict.fromkeys(use.op for value in (y, zero) if value is not None for use in value.uses):
        product = _product_of(op, user)
        if product is None:
            return
        found.append(product)
    yield from found


def _product_of(quantize: Op, op: Op) -> Product | None:
    if op.domain or op.op_type not in ("ConvInteger", "MatMulInteger"):
        return None
    y, scale, zero = (*quantize.outputs, None, None)[:3]
    weight, shift = op.input(1), op.input(3)
    if op.input(0) is not y or op.input(2) is not zero or y is None or weight is None or weight.const is None:
        return None
    if shift is not None and (shift.const is None or (shift.const.size != 1 and op.op_type == "ConvInteger")):
        return None
    array = weight.const.numpy().astype(np.float32)
    if shift is not None and shift.const is not None:
        array = array - shift.const.numpy().astype(np.float32).reshape(shift.const.shape or ())
    cast = single_user(op.result, "Cast")
    if cast is not None and attribute(cast, "to") != DType.FLOAT:
        cast = None
    return Product(op, array, cast, None if scale is None else scaled_result(op, scale))


def quantized(rw: Rewriter, x: Value | None) -> tuple[Value, Value, Value]:
    """What DynamicQuantizeLinear makes of x, in floats: levels, zero point, scale."""
    zero = rw.const(np.zeros((), np.float32))
    high = rw.Max(rw.ReduceMax(x, keepdims=0), zero)
    low = rw.Min(rw.ReduceMin(x, keepdims=0), zero)
    top = rw.const(np.asarray(_LEVELS, np.float32))
    scale = rw.Div(rw.Sub(high, low), top)
    scale = rw.Where(rw.Equal(scale, zero), rw.const(np.ones((), np.float32)), scale)
    shift = rw.Clip(rw.Round(rw.Neg(rw.Div(low, scale))), zero, top)
    level = rw.Add(rw.Round(rw.Div(x, scale)), shift)
    return rw.Clip(level, zero, top), shift, scale


def _product(rw: Rewriter, op: Op, x: Value | None, weight: Array, bias: Value | None = None) -> Value:
    made: Value
    constant = rw.const(np.ascontiguousarray(weight, np.float32), name="weight")
    if op.op_type == "MatMulInteger":
        made = rw.MatMul(x, constant)
        return made if bias is None else rw.Add(made, bias)
    attrs: dict[str, Attr] = rw.copy_attrs(op)
    made = rw.Conv(x, constant, bias, **attrs)
    return made
