"""A model to an older version of the standard operators, if that can be had."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Model
from ...rewrite import Context, Numerics
from ..base import Pass, option, register
from .upgrade import attempt


@register
@dataclass(frozen=True)
class Downgrade(Pass):
    """f at a newer opset -> what computes the same at an older one, where every op can go

    As `opset.convert`, but a model that is as old already, or that has an op without a counterpart, stays as it is. For
    targets that read no newer opset.
    """

    numerics = Numerics.ROUNDING
    in_family = False

    to: int = option(help="version of the standard domain")

    def run(self, model: Model, ctx: Context) -> None:
        """Convert the model, or note what is in the way.

        Raises:
            UsageError: there is no such version.
        """
        if model.opsets.get("", self.to) <= self.to:
            return
        attempt(model, ctx, self.name, self.to)
