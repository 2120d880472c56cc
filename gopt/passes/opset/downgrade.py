"""A model to an older version of the standard operators, if that can be had."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import UsageError
from ...ir import Model
from ...ops import NotAvailable
from ...rewrite import Context, Numerics
from ..base import Pass, option, register
from .convert import convert
from .plan import plan


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
        try:
            found = plan(model, self.to)
        except NotAvailable as error:
            raise UsageError(f"{self.name}: {error}") from None
        for blocker in found.blockers:
            ctx.ledger.reject(self.name, blocker.op, blocker.reason)
        if ctx.exact and found.numerics is not Numerics.EXACT:
            return
        if found.scopes and not found.blockers:
            convert(model, ctx, self.name, found)
