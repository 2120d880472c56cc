"""How results are judged where levels were said in floats."""

from __future__ import annotations

from dataclasses import dataclass

from ....ir import DType, Model
from ....rewrite import Context
from ...base import Pass, register

_FAMILY = __package__.partition("passes.")[2] + "."


@register
@dataclass(frozen=True)
class Coarse(Pass):
    """(nothing) -> (nothing), where a rewrite of this folder was made: results are judged as numbers of 8 bits then

    What is quantized on its way moves by a whole level where rounding moves a number over the edge between two levels,
    and by what follows from that. So a model that is said in other operators gives the same numbers mostly, but is no
    more exact than its levels.
    """

    def run(self, model: Model, ctx: Context) -> None:
        """Look at what was done."""
        if any(entry.rule.startswith(_FAMILY) for entry in ctx.ledger.entries):
            ctx.ledger.facts["coarsest"] = DType.INT8.name
