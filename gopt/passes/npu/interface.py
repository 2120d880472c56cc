"""Inputs and outputs of types that compilers for NPUs do not take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...frontends.onnx.declare import declare
from ...ir import DType, Model, Op, TensorType, Value
from ...rewrite import Context
from ...rewrite.context import operands_of, release
from ..base import Pass, register
from ..shape._declared import reinfer

_TAKEN = frozenset({DType.FLOAT, DType.FLOAT16, DType.INT64, DType.INT32, DType.INT8, DType.BOOL})
# Inputs that float holds: all numbers of the small types, and of doubles what a cast to float leaves of them.
_SMALL = frozenset({DType.UINT8, DType.UINT16, DType.INT16})
# What a cast makes the same of such numbers, whether they come as what they are or as floats.
_ALIKE = frozenset({DType.FLOAT, DType.FLOAT16, DType.DOUBLE, DType.INT32, DType.INT64, DType.BOOL})


@register
@dataclass(frozen=True)
class Interface(Pass):
    """Cast(x: uint8), an input -> Cast(x: float); y = Cast(x) to uint8, an output -> x is the output

    Applies to types that abort the toolkit (uint8, uint16, int16, double). An input of one of them on which nothing but
    casts is done takes the same numbers as floats: uint8 and its like fit into a float, and doubles go only where they
    become floats at once, so that whoever runs the model makes the cast. An output that a Cast gives a type of them is
    what was cast instead, under its name; the cast is left to whoever runs the model.
    """

    new_interface = True

    def run(self, model: Model, ctx: Context) -> None:
        """Look at each input and output."""
        for value in model.graph.inputs:
            if _is_cast_alone(value):
                self._retype(model, ctx, value)
        for slot, output in enumerate(model.graph.outputs):
            inner = None if output is None else _uncast(output)
            if output is not None and inner is not None and not inner.is_output:
                self._replace(model, ctx, slot, output, inner)

    def _retype(self, model: Model, ctx: Context, value: Value) -> None:
        def change() -> tuple[Sequence[Op], Sequence[Op]]:
            assert isinstance(value.type, TensorType)
            declare(value, TensorType(DType.FLOAT, value.type.shape))
            reinfer(model)
            return (), ()

        ctx.edit(self.name, [value.name], change)

    def _replace(self, model: Model, ctx: Context, slot: int, value: Value, inner: Value) -> None:
        graph = model.graph

        def change() -> tuple[Sequence[Op], Sequence[Op]]:
            assert isinstance(inner.type, TensorType)
            declare(inner, inner.type)
            graph.set_output(slot, inner)
            cast = value.producer
            if cast is None or value.is_needed:
                return (), ()
            operands = operands_of(cast)
            graph.remove(cast)
            release(graph, operands)
            return (cast,), ()

        ctx.edit(self.name, [value.name], change)


def _is_cast_alone(value: Value) -> bool:
    """True for an input of a refused type that casts alone take, each of which gives the same for floats."""
    if not isinstance(value.type, TensorType) or value.is_output or value.tensor is not None or not value.uses:
        return False
    casts = [use.op for use in value.uses]
    if any(op.op_type != "Cast" or op.domain for op in casts):
        return False
    if value.type.dtype is DType.DOUBLE:
        return all(_dtype(op.result) is DType.FLOAT for op in casts)
    return value.type.dtype in _SMALL and all(_dtype(op.result) in _ALIKE for op in casts)


def _dtype(value: Value) -> DType | None:
    return value.type.dtype if isinstance(value.type, TensorType) else None


def _uncast(value: Value) -> Value | None:
    """What an output of a refused type was before a Cast, if that is a result of a type that is taken."""
    cast = value.producer
    if cast is None or cast.op_type != "Cast" or cast.domain or not isinstance(value.type, TensorType):
        return None
    inner = cast.input(0)
    if value.type.dtype in _TAKEN | {DType.DOUBLE} or inner is None or inner.producer is None:
        return None
    return inner if _dtype(inner) in _TAKEN else None
