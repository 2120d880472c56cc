"""Runs an operator on arrays, and tells beforehand what that would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import GoptError
from ..ir import Array, DType, Op, TensorType, Value
from .registry import opdef
from .versions import CHANGED_FOR_GOOD, is_current
from .view import attribute, moved_array, spelled_as_attribute


class NoKernel(GoptError):
    """The op cannot be computed here: no kernel, or a case in which runtimes differ."""


@dataclass(slots=True)
class Call:
    """What a kernel is given.

    Attributes:
        op: the op; its values' types need not be known.
        arrays: operands in the newest schema's slots, attributes that became operands included; None if omitted.
    """

    op: Op
    arrays: tuple[Array | None, ...]

    def __getitem__(self, slot: int) -> Array:
        """An operand that must be there.

        Raises:
            NoKernel: it is not.
        """
        found = self.get(slot)
        if found is None:
            raise NoKernel(f"{self.op.label} lacks operand {slot}")
        return found

    def get(self, slot: int) -> Array | None:
        """An operand, None if omitted."""
        return self.arrays[slot] if slot < len(self.arrays) else None

    def attribute(self, name: str) -> Any:
        """An attribute of the newest schema, default filled in."""
        return attribute(self.op, name)

    def ints(self, slot: int) -> tuple[int, ...] | None:
        """An operand as a tuple of integers; None if omitted."""
        found = self.get(slot)
        return None if found is None else tuple(found.ravel().tolist())


def evaluate(op: Op, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
    """Results of the op for arrays given for `op.inputs` as spelled; omitted results may be missing at the end.

    Floating-point exceptions give what IEEE 754 says and no warning. The caller bounds the cost (`output_bytes`,
    `work`).

    Raises:
        NoKernel: it cannot be computed: no kernel, operands that the operator does not take, an old meaning of the
            operator, or a case in which runtimes differ.
    """
    known = opdef(op)
    current = is_current(op)
    if not current and known is not None and (known.random or known.control):
        raise NoKernel(f"{op.label} is not a function of its operands alone")
    if not current and not op.domain and op.opset < CHANGED_FOR_GOOD.get(op.op_type, 0):
        # The classes of onnx.reference know other modes of today's operator, but most of them no older one.
        raise NoKernel(f"{op.label} means something else since version {CHANGED_FOR_GOOD[op.op_type]}")
    try:
        with np.errstate(all="ignore"):
            if known is None or known.kernel is None or not current:
                from .reference import run

                return run(op, arrays)
            found = known.kernel(Call(op, _viewed(op, arrays)))
    except GoptError:
        raise
    except (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError) as error:
        raise NoKernel(f"{op.label}: {type(error).__name__}: {error}") from error
    results = found if isinstance(found, tuple) else (found,)
    return tuple(np.asarray(r) for r in results)


def _viewed(op: Op, arrays: Sequence[Array | None]) -> tuple[Array | None, ...]:
    moved = spelled_as_attribute(op)
    if not moved:
        return tuple(arrays)
    found = list(arrays)
    for move in moved:
        array = moved_array(op, move, found[0] if found else None)
        if array is not None:
            found += [None] * (move.slot + 1 - len(found))
            found[move.slot] = array
    return tuple(found)


def output_bytes(op: Op) -> int | None:
    """Bytes of all results, by their inferred types; None if a size is not known. Strings count 16 bytes each."""
    total = 0
    for value in op.outputs:
        if value is None:
            continue
        size = _elements(value)
        if size is None:
            return None
        dtype = value.type.dtype if isinstance(value.type, TensorType) else DType.UNDEFINED
        total += 16 * size if dtype is DType.STRING else dtype.storage_bytes(size)
    return total


def work(op: Op) -> int | None:
    """Elementary operations that evaluating the op takes, by inferred types; None if a size is not known."""
    total = 0
    for value in (*op.inputs, *op.outputs):
        size = 0 if value is None else _elements(value)
        if size is None:
            return None
        total += size
    known = opdef(op)
    if known is None or known.kernel is None:
        total *= _INTERPRETED
    if known is None or known.work is None:
        return total
    try:
        own = known.work(op)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None
    return None if own is None else total + own


# The classes of onnx.reference loop in Python over elements and windows.
_INTERPRETED = 500


def _elements(value: Value) -> int | None:
    if isinstance(value.type, TensorType):
        return value.type.size
    constant = value.const
    return None if constant is None else constant.size
