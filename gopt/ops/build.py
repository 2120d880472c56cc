"""Makes ops: from operands and attributes of the newest schema to the spelling that a model's opset has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ir import ArrayTensor, Attr, AttrKind, DType, Op, Role, Tensor, TensorType, Value
from .forms import Form, NotAvailable
from .schemas import Schema, schema
from .shapes import tensor
from .versions import CHANGED_FOR_GOOD, is_current
from .view import MOVED

Operand = Value | Attr | None | Tensor | np.ndarray[Any, Any] | np.generic | float | Sequence[float]


def available(op_type: str, opsets: Mapping[str, int], domain: str = "") -> bool:
    """True if the operator exists at the imported version of its domain (whatever its form and element types)."""
    version = opsets.get(domain, 0)
    known = schema(op_type, domain)
    return version > 0 and (known is None or known.available(version)) and (known is not None or domain != "")


def make(
    op_type: str,
    operands: Sequence[Operand],
    attrs: Mapping[str, Any] | None = None,
    *,
    opsets: dict[str, int],
    outputs: int = 1,
    domain: str = "",
    name: str = "",
) -> Op:
    """A detached op in the spelling of `opsets`, from operands and attributes of the newest schema.

    Operands that are numbers, lists or arrays become detached constants; a number takes the element type of the
    operands that must have the same type as it. Attributes that are None are left out.

    Raises:
        NotAvailable: the operator, this form of it, or an operand's element type does not exist at that version.
    """
    if not available(op_type, opsets, domain):
        raise NotAvailable(f"{domain or 'the standard domain'} has no {op_type} at version {opsets.get(domain, 0)}")
    version = opsets[domain]
    known = schema(op_type, domain)
    given = {n: a for n, a in (attrs or {}).items() if a is not None}
    values = _as_values(op_type, known, operands)
    if known is not None:
        form = Form(op_type, version, known, values, given, outputs)
        form.spell()
        values, given = form.values, form.attrs
    while values and values[-1] is None:
        values.pop()
    spelled = {n: _attr(known, n, a) for n, a in given.items()}
    op = Op(op_type, values, outputs, spelled, domain, name)
    op.imports = opsets
    if not domain and version < CHANGED_FOR_GOOD.get(op_type, 0) and not is_current(op):
        raise NotAvailable(f"{op_type} computes something else at version {version}")
    return op


def constant(array: Any, hint: str = "") -> Value:
    """A detached constant value."""
    found = array if isinstance(array, Tensor) else ArrayTensor(np.asarray(array))
    return Value(hint, Role.CONST, found, TensorType(found.dtype, found.shape))


def _as_values(op_type: str, known: Schema | None, operands: Sequence[Any]) -> list[Value | None]:
    values: list[Value | None] = []
    for place, operand in enumerate(operands):
        if isinstance(operand, Attr):
            # What the file spells as an attribute, carried over as it is, is an operand by now.
            if operand.ref:
                raise NotAvailable(f"{op_type} cannot take the attribute {operand.ref!r} of the enclosing function")
            operand = operand.value
        if operand is None or isinstance(operand, Value):
            values.append(operand)
        elif isinstance(operand, (Tensor, np.ndarray, np.generic)):
            values.append(constant(operand))
        else:
            values.append(_number(op_type, known, place, operand, operands))
    return values


def _number(op_type: str, known: Schema | None, place: int, number: Any, operands: Sequence[Operand]) -> Value:
    """A Python number or list as a constant of the element type that the operator wants there."""
    array = np.asarray(number)
    if array.dtype.kind == "f":
        array = array.astype(np.float32)
    hint = ""
    if known is not None and known.inputs:
        place = min(place, len(known.inputs) - 1)
        hint = known.inputs[place].lower()
        dtype = _wanted(known, place, operands, array)
        if dtype is not None:
            array = np.asarray(number, dtype.numpy)
        if array.ndim == 0 and any(m.slot == place and not m.scalar for m in MOVED.get(op_type, ())):
            array = array.reshape(1)
    return constant(array, hint)


def _wanted(known: Schema, place: int, operands: Sequence[Operand], array: np.ndarray[Any, Any]) -> DType | None:
    version = known.since[-1]
    fitting = [d for d in DType if d is not DType.UNDEFINED and known.takes(place, d, version)]
    if len(fitting) == 1:
        return fitting[0]
    for other, operand in enumerate(operands):
        if (
            isinstance(operand, Value)
            and known.variables[min(other, len(known.variables) - 1)] == known.variables[place]
        ):
            found = tensor(operand)
            if found is not None:
                return found.dtype
    if array.dtype.kind in "iu":
        return DType.INT64
    return None


def _attr(known: Schema | None, name: str, value: Any) -> Attr:
    kind = None if known is None else known.kinds.get(name)
    if isinstance(value, Attr) or kind is None:
        return Attr.of(value)
    if kind is AttrKind.FLOAT:
        return Attr.of(float(value))
    if kind is AttrKind.FLOATS:
        return Attr(kind, tuple(float(np.float32(v)) for v in value))
    if kind in (AttrKind.INTS, AttrKind.STRINGS) and not len(value):
        return Attr(kind, ())
    return Attr.of(value)
