"""A plan of changes that together leave out one op: what it knows of values, and how it makes constants and ops."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np

from ... import ops
from ...ir import Array, DType, Graph, Op, Value
from ...rewrite import RejectError, Rewriter
from ._affine import FLOATS, elements, multiplied, rounded

_MANY = 1 << 12  # elements of a constant that may be copied
_MOST = 24  # ops in one plan
_MOST_STEPS = 200  # ops looked at for one


class Changes:
    """Changes of a graph that together leave out one op.

    Attributes:
        rw: what stages the new ops.
        mapping: old values and those that take their place.
    """

    def __init__(self, graph: Graph, root: Op) -> None:
        """A plan to leave out `root`, a product of its operand and a scalar."""
        self.rw = Rewriter(graph, root)
        self.mapping: dict[Value, Value] = {}
        self._touched: dict[Op, None] = {root: None}
        self._steps = 0
        self._later: list[tuple[Value, Callable[[], Value]]] = []

    def now(self, value: Value) -> Value:
        """What stands for a value at present."""
        while value in self.mapping:
            value = self.mapping[value]
        return value

    def later(self, old: Value, make: Callable[[], Value]) -> None:
        """Note how to make what takes the place of a value."""
        self._later.append((old, make))

    def build(self) -> bool:
        """Make the new weights and ops, once it is known that there is a way; false if a new op would take what goes.

        Raises:
            RejectError: a constant can't be had in its type, or an op not at this opset.
        """
        for old, make in self._later:
            try:
                self.mapping[old] = make()
            except ops.NotAvailable as error:  # an operator that a runtime wrote into an opset that has it not
                raise RejectError(str(error)) from error
        # The root's result comes last: it may be an output, whose name is the one to keep.
        result = self.rw.root.result
        self.mapping[result] = self.mapping.pop(result)
        self.mapping = {old: self.now(new) for old, new in self.mapping.items()}
        gone = self.mapping.keys()
        return all(v not in gone for op in self.rw.staged for v in op.inputs)

    @contextmanager
    def _attempt(self) -> Any:
        touched, later = dict(self._touched), len(self._later)
        try:
            yield
        except RejectError:
            self._touched = touched
            del self._later[later:]
            raise

    def first(self, *ways: Callable[[], None]) -> None:
        """Go the first way that can be gone."""
        for n, way in enumerate(ways):
            try:
                with self._attempt():
                    return way()
            except RejectError:
                if n == len(ways) - 1:
                    raise
        raise RejectError("there is no way for the factor")

    def touch(self, op: Op) -> None:
        """Note that an op is changed.

        Raises:
            RejectError: it is changed already, the plan is large, or others use its weights.
        """
        self._steps += 1
        if op in self._touched or len(self._touched) >= _MOST or self._steps > _MOST_STEPS:
            raise RejectError(f"{op.label} would be changed twice, or the way is too long")
        if op.domain or not ops.is_current(op) or ops.is_random(op) or op.bodies:
            raise RejectError(f"{op.label} is not known to be linear")
        for value in op.inputs:
            self.spare(value)
        self._touched[op] = None

    def spare(self, weights: Value | None) -> None:
        """Refuse to copy large weights that others use as well: one op is not worth that.

        Raises:
            RejectError: they are such.
        """
        tensor = None if weights is None else weights.const
        if weights is not None and tensor is not None and tensor.size > _MANY and not weights.has_one_use:
            raise RejectError(f"{weights!r} is used elsewhere, too")

    def _times(self, constant: Value, factor: float | Array, dtype: DType, is_factor: bool = False) -> Value:
        array: Array = elements(constant) * factor
        return self.rw.const(rounded(array, dtype, is_factor=is_factor), name=constant.name)

    def _scaled_weights(self, weights: Value, factor: float) -> Value:
        tensor = weights.const
        if tensor is None or tensor.dtype not in FLOATS or not tensor.shape:
            raise RejectError("there are no weights")
        ones = np.full((1,) * len(tensor.shape), factor)
        return self.rw.const(multiplied(tensor.numpy(), ones, tensor.dtype), name=weights.name)

    def _replace_operand(self, op: Op, slot: int, new: Callable[[], Value]) -> None:
        self._remake(op, op.result, {slot: new})

    def _remake(self, op: Op, value: Value, news: dict[int, Callable[[], Value]]) -> None:
        """The op with new constants among its operands, the others being what then stands for them."""

        def make() -> Value:
            operands = [None if v is None else news[k]() if k in news else self.now(v) for k, v in enumerate(op.inputs)]
            attrs: dict[str, Any] = dict(op.attrs)
            result: Value = self.rw.op(op.op_type, *operands, name=op.name, **attrs)
            return result

        self.later(value, make)
