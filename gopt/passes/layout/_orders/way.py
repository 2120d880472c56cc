"""The ways in which an op computes on tensors whose axes stand in another order.

A value is *held* in an order of axes `perm` if what the graph computes is not the value but Transpose(value, perm). For
many an operator there is, for each order of one operand or result, an order of all the others in which an op of the
same operator gives the held results from the held operands: `Relu` in whatever order, `Softmax` with another axis,
`MatMul` with its factors exchanged. A `Way` says which, and makes that op.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .... import ops
from ....ir import Op, Value
from ....ops.view import spelled_as_attribute
from ....rewrite import Numerics, Rewriter
from .perms import Perm

Held = Callable[[Value], Value]
"""From an operand to what holds it."""

Build = Callable[[Rewriter, Held], "Sequence[Value | None]"]
"""Stages the op and gives its results, in their slots."""


@dataclass(frozen=True, slots=True)
class Way:
    """How an op computes on held operands.

    Attributes:
        orders: of the operands and results that are held in another order, less constants.
        build: makes the op.
        more: how many ops more than now it takes, or is as dear as.
        numerics: what it promises.
    """

    orders: dict[Value, Perm]
    build: Build
    more: int = 0
    numerics: Numerics = Numerics.EXACT


Carrier = Callable[[Op, Value, Perm], "Way | None"]
"""From an op, one of its operands or results, and the order of that, to the way to compute so, or None."""

CARRIERS: dict[str, Carrier] = {}
"""Carriers by operator of the standard domain."""


def carrier(*names: str) -> Callable[[Carrier], Carrier]:
    """Register the decorated function for operators."""

    def decorate(function: Carrier) -> Carrier:
        CARRIERS.update(dict.fromkeys(names, function))
        return function

    return decorate


def way_of(op: Op, value: Value, perm: Perm) -> Way | None:
    """How an op computes when one of its values is held in an order; None if it cannot, or that is not known."""
    found = CARRIERS.get(op.op_type)
    if found is None or op.domain or not ops.is_current(op):
        return None
    return found(op, value, perm)


@dataclass(slots=True)
class Orders:
    """Collects the orders of an op's values; `ok` turns false where one value would have two."""

    found: dict[Value, Perm] = field(default_factory=dict)
    ok: bool = True

    def put(self, value: Value | None, perm: Perm) -> None:
        """Hold a value in an order; constants are turned where they are used."""
        if value is not None and value.const is None and self.found.setdefault(value, perm) != perm:
            self.ok = False


def same_order(op: Op, perm: Perm) -> dict[Value, Perm] | None:
    """The first operand and the first result in one order; None if they are one value in two."""
    orders = Orders()
    orders.put(op.inputs[0], perm)
    orders.put(op.result, perm)
    return orders.found if orders.ok else None


def turned(rw: Rewriter, held: Held, value: Value, perm: Perm) -> Value:
    """What holds an operand, be it a constant too."""
    if value.const is None:
        return held(value)
    array = np.ascontiguousarray(np.transpose(value.const.numpy(), perm))
    return rw.const(array, name=value.name) if array.dtype != object else rw.const(array, value, value.name)


def attrs_of(op: Op) -> dict[str, Any]:
    """The attributes of an op, less those that are operands in the newest schema."""
    moved = {m.name for m in spelled_as_attribute(op)}
    return {name: attr for name, attr in op.attrs.items() if name not in moved}


def again(rw: Rewriter, op: Op, operands: Sequence[Value | None], **changed: Any) -> Sequence[Value | None]:
    """The same op of other operands, with some attributes changed."""
    made = rw.op(op.op_type, *operands, outputs=len(op.outputs), name=op.name, **(attrs_of(op) | changed))
    return (made,) if len(op.outputs) == 1 else tuple(made)
