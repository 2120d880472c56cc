"""Names of dims that name nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...frontends.onnx.declare import declare
from ...frontends.onnx.placeholders import placeholders
from ...ir import Model, Op, TensorType, Value
from ...rewrite import Context
from ..base import Pass, register


@register
@dataclass(frozen=True)
class Dims(Pass):
    """float[?,3,?,?] with three dims named "?" -> float[,3,,] with three nameless dims

    Exporters write "?", "-1" or "None" for sizes that they do not know. Who takes these for names holds all of them for
    one size, as TensorRT does. Of inputs and outputs of the main graph. Exact.
    """

    def run(self, model: Model, ctx: Context) -> None:
        """Declare the inputs and outputs anew that have such dims; one entry."""
        found = [v for v in dict.fromkeys((*model.graph.inputs, *model.graph.outputs)) if placeholders(v)]
        if not found:
            return

        def change() -> tuple[Sequence[Op], Sequence[Op]]:
            for value in found:
                type_ = _declared(value)
                assert type_ is not None
                declare(value, TensorType(type_.dtype, type_.shape))
            return (), ()

        ctx.edit(self.name, [v.name for v in found], change)


def _declared(value: Value) -> TensorType | None:
    type_ = None if value.declared is None else value.declared.type
    return type_ if isinstance(type_, TensorType) else None
