"""`Rewriter`: what a rule builds its replacement with. Everything it makes is detached until the driver inserts it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..analysis import infer_op
from ..errors import GoptError, UsageError
from ..ir import Array, ArrayTensor, Attr, DType, Graph, Op, Role, Tensor, TensorType, Value


@cache
def _find_slot(op_type: str, name: str, domain: str) -> int | None:
    try:
        return ops.slot(op_type, name, domain)
    except UsageError:
        return None


class Reject(NamedTuple):
    """A rule's refusal to rewrite a match."""

    reason: str


class RejectError(GoptError):
    """The same from deeper down: what a rule calls raises it where the rule would return `rw.reject(reason)`."""


class Rewriter:
    """Stages new ops and constants: `rw.Conv(x, w, strides=[2, 2])` in today's spelling, whatever the model's opset.

    Attributes:
        graph: the graph that the match lies in.
        root: the matched root op.
        staged: ops built so far, in dataflow order.
    """

    def __init__(self, graph: Graph, root: Op) -> None:
        self.graph = graph
        self.root = root
        self.staged: list[Op] = []

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        if not op_type[:1].isupper():
            raise AttributeError(f"the rewriter has no {op_type!r}")

        def stage(*operands: Any, **keywords: Any) -> Any:
            return self.op(op_type, *operands, **keywords)

        return stage

    def op(
        self, op_type: str, *operands: Any, domain: str = "", outputs: int = 1, name: str = "", **keywords: Any
    ) -> Any:
        """Stage an op and infer its result types.

        Args:
            operands: values, None, Python numbers, sequences of integers, or arrays, by the newest schema's slots.
            keywords: operands or attributes, told apart by the newest schema's names.

        Returns:
            Its result, or a tuple of them if `outputs` > 1.

        Raises:
            ops.NotAvailable: the operator, or this use of it, does not exist at the model's opset.
        """
        given = list(operands)
        attributes: dict[str, Any] = {}
        for key, what in keywords.items():
            slot = _find_slot(op_type, key, domain)
            if slot is None:
                attributes[key] = what
            elif what is not None:
                given += [None] * (slot + 1 - len(given))
                given[slot] = what
        made = ops.make(op_type, given, attributes, opsets=self.graph.opsets, outputs=outputs, domain=domain, name=name)
        infer_op(made)
        self.staged.append(made)
        return made.result if outputs == 1 else made.outputs

    def const(self, data: Any, like: Value | DType | None = None, name: str = "") -> Value:
        """A detached constant from a tensor, an array or numbers; `like` gives the element type."""
        if isinstance(data, Tensor):
            tensor = data
        else:
            array = np.asarray(data)
            dtype = self.dtype(like) if isinstance(like, Value) else like
            tensor = ArrayTensor(array if dtype is None else array.astype(dtype.numpy))
        return Value(name, Role.CONST, tensor, TensorType(tensor.dtype, tensor.shape))

    @staticmethod
    def array(value: Value) -> Array:
        """The elements of a constant value, read-only.

        Raises:
            ValueError: the value is not constant.
        """
        tensor = value.const
        if tensor is None:
            raise ValueError(f"{value!r} is not constant")
        return tensor.numpy()

    @staticmethod
    def dtype(value: Value) -> DType | None:
        """Element type of a value, None if unknown."""
        if value.const is not None:
            return value.const.dtype
        return value.type.dtype if isinstance(value.type, TensorType) else None

    @staticmethod
    def shape(value: Value) -> tuple[Any, ...] | None:
        """Symbolic shape of a value, None if the rank is unknown."""
        if value.const is not None:
            return value.const.shape
        return value.type.shape if isinstance(value.type, TensorType) else None

    @staticmethod
    def attr(op: Op, name: str) -> Any:
        """An attribute by the newest schema, its default filled in."""
        return ops.attribute(op, name)

    @staticmethod
    def ints(op: Op, name: str) -> tuple[int, ...] | None:
        """A parameter of integers, be it an attribute or a constant operand; None if absent or not constant."""
        return ops.ints(op, name)

    @staticmethod
    def copy_attrs(op: Op) -> dict[str, Attr]:
        """The attributes of an op as the file spells them, for `**`."""
        return dict(op.attrs)

    def opset(self, domain: str = "") -> int:
        """The version of a domain that the graph imports."""
        return self.graph.opsets.get(domain, 0)

    @staticmethod
    def reject(reason: str) -> Reject:
        """Refuse the match: `return rw.reject("why")`."""
        return Reject(reason)
