"""Inputs and outputs of types that compilers for NPUs do not take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...frontends.onnx.declare import declare
from ...ir import DType, Model, Op, TensorType, Value
from ...rewrite import Context
from ...rewrite.context import operands_of, release
from ..base import Pass, register

_TAKEN = frozenset({DType.FLOAT, DType.FLOAT16, DType.INT64, DType.INT32, DType.INT8, DType.BOOL})


@register
@dataclass(frozen=True)
class Interface(Pass):
    """y = Cast(x) to uint8, an output -> x is the output

    Applies to outputs of a type that aborts the toolkit (uint8, uint16, ...) where a Cast makes them of one that does
    not. The output has the name and the type of what was cast: the numbers are the same, if they fit.
    """

    new_interface = True

    def run(self, model: Model, ctx: Context) -> None:
        """Look at each output."""
        for slot, value in enumerate(model.graph.outputs):
            inner = None if value is None else _uncast(value)
            if value is not None and inner is not None and not inner.is_output:
                self._replace(model, ctx, slot, value, inner)

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


def _uncast(value: Value) -> Value | None:
    """What an output of a refused type was before a Cast, if that is a result of a type that is taken."""
    cast = value.producer
    if cast is None or cast.op_type != "Cast" or cast.domain or not isinstance(value.type, TensorType):
        return None
    inner = cast.input(0)
    if value.type.dtype in _TAKEN or inner is None or inner.producer is None:
        return None
    return inner if isinstance(inner.type, TensorType) and inner.type.dtype in _TAKEN else None
