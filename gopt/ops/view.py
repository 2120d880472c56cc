"""One view of an operator whatever the opset: operands and attributes as the newest schema has them."""

from __future__ import annotations

from typing import Any

from ..ir import Op, Value


def operands(op: Op) -> tuple[Value | None, ...]:
    """Operands in the slots of the operator's newest schema; `op.inputs` itself where nothing moved.

    What used to be an attribute (axes of Squeeze, bounds of Clip, ...) appears as a detached constant.
    """
    raise NotImplementedError


def attribute(op: Op, name: str) -> Any:
    """An attribute as the newest schema has it, with the schema's default filled in; None if it has none.

    Raises:
        UnboundAttribute: the attribute refers to one of the enclosing function.
    """
    raise NotImplementedError


def ints(op: Op, name: str) -> tuple[int, ...] | None:
    """An integer parameter, whether attribute or constant operand; None if it is absent or not constant."""
    raise NotImplementedError


def slot(op_type: str, name: str, domain: str = "") -> int:
    """The operand slot that the newest schema calls `name` (case does not matter).

    Raises:
        UsageError: the operator is unknown or has no such operand.
    """
    raise NotImplementedError


def has_operand(op: Op, name: str) -> bool:
    """True if the named operand is given (also where it is spelled as an attribute)."""
    raise NotImplementedError


def is_current(op: Op) -> bool:
    """False if this version of the operator computes something else than the newest one (with the same view)."""
    raise NotImplementedError
