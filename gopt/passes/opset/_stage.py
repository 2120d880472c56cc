"""What conversions of single ops work with: the opset that is wanted, a builder for it, and what came of an op."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, cast

from ...frontends.onnx.standard import type_complaint
from ...ir import DType, Graph, Op, TensorType, Value
from ...ops import NotAvailable, operands
from ...rewrite import Numerics, Rewriter
from ...rewrite.context import contradiction

Results = Any
"""What an adapter returns: a value for the only result, or a value (None if omitted) for each."""


@dataclass(frozen=True)
class Target:
    """Where a scope (the main graph with its bodies, or a local function) is to go.

    Attributes:
        version: of the standard domain.
        opsets: all imports of the scope as they will be.
    """

    version: int
    opsets: dict[str, int]


@dataclass(frozen=True)
class Made:
    """What stands for an op at another opset.

    Attributes:
        results: for each result of the op a result of a staged op; None where the op omits it.
        staged: detached ops in dataflow order.
        numerics: what the change promises.
    """

    results: tuple[Value | None, ...]
    staged: list[Op] = field(default_factory=list)
    numerics: Numerics = Numerics.EXACT


class Stage(Rewriter):
    """Builds ops for another opset than that of the graph that they are meant for.

    Attributes:
        version: the version of the standard domain that it builds for.
    """

    def __init__(self, op: Op, target: Target) -> None:
        super().__init__(Graph("", target.opsets), op)
        self.version = target.version

    def operand(self, place: int) -> Value:
        """An operand of the op by the newest schema's slots.

        Raises:
            NotAvailable: it is omitted.
        """
        value = self.optional(place)
        if value is None:
            raise NotAvailable(f"operand {place} is omitted")
        return value

    def optional(self, place: int) -> Value | None:
        """An operand of the op by the newest schema's slots, None if it is omitted."""
        found = operands(self.root)
        return found[place] if place < len(found) else None

    def type(self, value: Value | None) -> TensorType:
        """The type of an operand.

        Raises:
            NotAvailable: it is not known.
        """
        if value is not None and value.type is None and value.const is not None:
            return TensorType(value.const.dtype, value.const.shape)
        if value is None or not isinstance(value.type, TensorType):
            raise NotAvailable("the element type of an operand is not known")
        return value.type

    def element(self, value: Value | None) -> DType:
        """The element type of an operand.

        Raises:
            NotAvailable: it is not known.
        """
        return self.type(value).dtype

    def rank(self, value: Value | None) -> int:
        """The rank of an operand.

        Raises:
            NotAvailable: it is not known.
        """
        rank = self.type(value).rank
        if rank is None:
            raise NotAvailable("the rank of an operand is not known")
        return rank

    def scalar(self, number: Any, like: Value) -> Value:
        """A constant of rank 0 and the element type of `like`."""
        return self.const(number, self.element(like))

    def shape_of(self, value: Value) -> Value:
        """The shape of a value, as a constant where all of it is known."""
        type_ = self.type(value)
        if type_.is_static:
            return self.const(list(type_.shape or ()), DType.INT64)
        return cast(Value, self.Shape(value))

    def made(self, results: Results, numerics: Numerics) -> Made:
        """What was staged, once every op of it is known to exist with these types.

        Raises:
            NotAvailable: one does not.
        """
        for op in self.staged:
            if why := type_complaint(op, self.version):
                raise NotAvailable(f"{op.op_type} would not do at version {self.version}: {why}")
        values = (results,) if isinstance(results, Value) else tuple(results)
        return settled(self.root, values, self.staged, numerics)


def settled(op: Op, results: Sequence[Value | None], staged: list[Op], numerics: Numerics) -> Made:
    """What was staged for an op, once its results are known to be of their own and of the old types.

    Raises:
        NotAvailable: they are not.
    """
    values = tuple(new if old is not None else None for old, new in zip_longest(op.outputs, results))
    fresh = {v for made in staged for v in made.outputs}
    present = [v for v in values if v is not None]
    if len(set(present)) < len(present) or not fresh.issuperset(present):
        raise NotAvailable(f"{op.op_type} would give what something else gives")
    for old, new in zip(op.outputs, values):
        if old is None:
            continue
        if new is None:
            raise NotAvailable(f"{op.op_type} would not give {old.name!r}")
        if why := contradiction(old.type, new.type):
            raise NotAvailable(f"{op.op_type} would give {old.name!r} otherwise: {why}")
    staged[-1].name = op.name
    return Made(values, staged, numerics)
