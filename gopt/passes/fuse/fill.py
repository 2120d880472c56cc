"""Tensors of one number that broadcasting would have made, too (ONNX operator ConstantOfShape)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...ir import ArrayTensor, DType, Model, Op, Tensor, TensorType, Value
from ...ops import NoKernel, NotAvailable, attribute, evaluate, is_current, make, opdef
from ...rewrite import Context, Numerics, P, RejectError, Rewriter, rule
from ..base import Pass, register
from ..example import example


@register
@dataclass(frozen=True)
class Fill(Pass):
    """f(x, ConstantOfShape(shape, c)) -> f(x, c), for an elementwise f

    Applies where the other operands alone provably give the result its shape: masks, ones and zeros like x. Captured
    ones are taken for what they are outside. The number is a scalar afterwards, so that other rules see it. Exact, but
    for Pow, which runtimes compute in another way for a scalar exponent.
    """

    numerics = Numerics.ROUNDING
    needs = ("ConstantOfShape",)

    def run(self, model: Model, ctx: Context) -> None:
        """Look at the users of each ConstantOfShape."""
        for graph in tuple(model.graphs()):
            for op in graph.ops:
                if op.op_type != "ConstantOfShape" or op.domain or op.graph is not graph:
                    continue
                number = _number(op)
                for value in () if number is None else (op.outputs[0],):
                    for user, stands in _users(value):
                        if user.graph is not None:
                            self._operand(user, stands, number, ctx)

    def _operand(self, op: Op, fill: Value, number: Tensor | None, ctx: Context) -> None:
        known = opdef(op)
        if known is None or not known.elementwise or known.random or len(op.inputs) < 2 or not is_current(op):
            return
        graph, result = op.graph, op.outputs[0]
        if graph is None or result is None or len(op.outputs) != 1 or not isinstance(result.type, TensorType):
            return
        rw = Rewriter(graph, op)
        scalar = rw.const(number, name=fill.name)
        attrs: dict[str, Any] = rw.copy_attrs(op)
        try:
            made = rw.op(op.op_type, *(scalar if v is fill else v for v in op.inputs), name=op.name, **attrs)
        except NotAvailable:
            return
        shape = rw.shape(made)
        if shape is not None and shape == result.type.shape and rw.dtype(made) is result.type.dtype:
            numerics = Numerics.ROUNDING if op.op_type == "Pow" else Numerics.EXACT
            ctx.replace(self.name, {result: made}, rw.staged, numerics=numerics)


_FILLED = P.ConstantOfShape("shape").as_("fill")


@rule(
    P.op("Add", "Div", "Mul", "Sub")(_FILLED, P.const("k")).as_("op")
    | P.op("Add", "Div", "Mul", "Sub")(P.const("k"), _FILLED).as_("op")
    | P.op("Cast", "Neg", "Not")(_FILLED).as_("op"),
    example=example(
        "(float[N] x) => (float[N] y) <float k = {3}> { s = Shape(x) z = ConstantOfShape(s) y = Add(z, k) }"
    ),
)
def number(rw: Rewriter, op: Op, fill: Op, shape: Value, k: Value | None) -> Value:
    """Add(ConstantOfShape(shape, c), k) -> ConstantOfShape(shape, c + k), likewise of other numbers, Cast, Neg and Not

    Applies to a k of one element. Exact.
    """
    old = _number(fill)
    if old is None or (k is not None and (k.const is None or k.const.size != 1)):
        raise RejectError("it is not of one number")
    if rw.shape(op.result) != rw.shape(fill.result):
        raise RejectError("the number has more dims")
    operands = [old if v is fill.result else v for v in op.inputs]
    alone = make(op.op_type, operands, rw.copy_attrs(op), opsets=op.graph.opsets if op.graph else {})
    try:
        arrays = evaluate(alone, [None if v is None or v.const is None else v.const.numpy() for v in alone.inputs])
    except NoKernel as why:
        raise RejectError(str(why)) from why
    if arrays[0].dtype.kind == "O":
        raise RejectError("nothing is filled with strings")
    filled: Value = rw.ConstantOfShape(shape, value=ArrayTensor(arrays[0].reshape(1)), name=fill.name)
    return filled


def _number(op: Op) -> Tensor | None:
    """What a ConstantOfShape fills its result with, as a scalar."""
    value = attribute(op, "value")
    if value is None:
        return ArrayTensor(np.zeros((), np.float32))
    if not isinstance(value, Tensor) or value.size != 1 or value.dtype is DType.STRING:
        return None
    return ArrayTensor(value.numpy().reshape(()), value.dtype)


def _users(value: Value | None) -> Iterator[tuple[Op, Value]]:
    """The ops that take a value, in bodies too, and the value that stands for it there."""
    if value is None or value.graph is None:
        return
    for use in value.uses:
        if isinstance(use.slot, int):
            yield use.op, value
        elif use.slot.inner.graph is not None:
            yield from _users(use.slot.inner)
