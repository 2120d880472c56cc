"""Outputs declared as they are."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Model, Op
from ...rewrite import Context
from ..base import Pass, register
from ._declared import declare_proven


@register
@dataclass(frozen=True)
class Declare(Pass):
    """Declare the sizes of outputs that inference proves; those that it does not know stay declared as they are.

    Of use at the end of a pipeline: what could not be known of the model as it was often follows from what it became.
    """

    in_family = False

    def run(self, model: Model, ctx: Context) -> None:
        """Look at the outputs of the main graph."""
        nothing: tuple[Op, ...] = ()
        ctx.edit(self.name, [], lambda: (nothing, nothing) if declare_proven(model) else None)
