"""Edits that passes make behind the back of the checks that rules undergo."""

from __future__ import annotations

from typing import Any

from gopt import Context
from gopt.ir import ArrayTensor


def set_operand(ctx: Context, rule: str, op: Any, slot: int, make: Any, **promise: Any) -> None:
    """One entry of the ledger: another value in an operand slot. `make` gives it: a value, None, or an array."""

    def change() -> Any:
        value = make()
        if value is not None and hasattr(value, "dtype") and hasattr(value, "shape"):
            value = op.graph.add_const(ArrayTensor(value))
        op.graph.set_operand(op, slot, value)
        return [], [op]

    ctx.edit(rule, _names(op), change, **promise)


def set_attr(ctx: Context, rule: str, op: Any, name: str, value: Any, **promise: Any) -> None:
    """One entry of the ledger: another value of an attribute."""

    def change() -> Any:
        op.graph.set_attr(op, name, value)
        return [], [op]

    ctx.edit(rule, _names(op), change, **promise)


def _names(op: Any) -> list[str]:
    return [value.name for value in op.outputs if value is not None]
