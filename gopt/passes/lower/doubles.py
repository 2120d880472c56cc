"""What is computed in double precision, for compilers that compute it in single precision anyway."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...analysis import infer_op
from ...ir import ArrayTensor, Attr, AttrKind, DType, Model, Op, Role, Tensor, TensorType, Value
from ...ir.clone import Mapping, clone_op
from ...ops import is_random
from ...rewrite import Context, Numerics, Rewriter
from ..base import Pass, register

_TYPES = ("dtype", "output_datatype", "output_dtype", "softmax_precision", "stash_type", "to")
"""Attributes that name an element type."""
_BLIND = frozenset(("Shape", "Size"))
"""Operators that do not look at elements."""


@register
@dataclass(frozen=True)
class Doubles(Pass):
    """op(double x) -> Cast(op(Cast(x, float)), double)

    Of all operators without bodies whose results depend on elements of type double; casts of casts go when `clean`
    runs. Inputs and outputs stay doubles. Constants beyond the range of floats become the largest float, as in
    TensorRT, which narrows every double of its own accord: so the model says what will be computed, and the numbers
    that are compared are those of the engine. They are judged as single precision. Rounds to 24 bits.
    """

    numerics = Numerics.ROUNDING

    def run(self, model: Model, ctx: Context) -> None:
        """Look at the ops of all graphs, in dataflow order."""
        for graph in tuple(model.graphs()):
            for op in graph.ops:
                if op.graph is graph and not op.domain and not op.bodies and not is_random(op):
                    self._op(op, ctx)

    def _op(self, op: Op, ctx: Context) -> None:
        graph = op.graph
        wide = [v for v in op.outputs if v is not None and v.is_needed and _is_double(v)]
        if graph is None or op.op_type in _BLIND or not (wide or any(map(_is_double, op.inputs))) or _is_edge(op):
            return
        rw = Rewriter(graph, op)
        mapping: Mapping = {v: _narrowed(rw, v) if _is_double(v) else v for v in op.inputs if v is not None}
        made = clone_op(op, graph, mapping)
        if made is None:
            return
        for name, attr in op.attrs.items():
            made.attrs[name] = _single(name, attr)
        infer_op(made)
        rw.staged.append(made)
        results: dict[Value, Value] = {}
        for old, new in zip(op.outputs, made.outputs):
            if old is None or new is None or not old.is_needed:
                continue
            if old in wide and (not isinstance(new.type, TensorType) or new.type.dtype is not DType.FLOAT):
                return
            results[old] = rw.Cast(new, to=int(DType.DOUBLE)) if old in wide else new
        if results and ctx.replace(self.name, results, rw.staged, numerics=Numerics.ROUNDING):
            ctx.ledger.facts.setdefault("coarsest", DType.FLOAT.name)


def _is_double(value: Value | None) -> bool:
    if value is None:
        return False
    if value.const is not None:
        return value.const.dtype is DType.DOUBLE
    return isinstance(value.type, TensorType) and value.type.dtype is DType.DOUBLE


def _is_edge(op: Op) -> bool:
    """True for a cast by which floats become doubles or doubles floats: there is nothing to narrow about it."""
    if op.op_type != "Cast":
        return False
    x, y = op.input(0), op.output(0)
    before = x.type if x is not None else None
    after = y.type if y is not None else None
    if not isinstance(before, TensorType) or not isinstance(after, TensorType):
        return True
    if before.dtype is DType.DOUBLE:
        return after.dtype in (DType.FLOAT, DType.DOUBLE)
    return before.dtype is DType.BOOL or before.dtype.bits <= 16 or before.dtype is DType.FLOAT


def _narrowed(rw: Rewriter, value: Value) -> Value:
    """A value of type double as one of type float."""
    if value.const is not None:
        return rw.const(_clipped(value.const))
    made = value.producer
    if made is not None and made.op_type == "Cast" and not made.domain and value.role is Role.RESULT:
        source = made.inputs[0]
        if source is not None and isinstance(source.type, TensorType) and source.type.dtype is DType.FLOAT:
            return source
    result: Value = rw.Cast(value, to=int(DType.FLOAT))
    return result


def _clipped(tensor: Tensor) -> Tensor:
    """A constant in single precision; what is finite stays so."""
    array, ends = tensor.numpy(), np.finfo(np.float32)
    finite = np.isfinite(array)
    return ArrayTensor(np.where(finite, np.clip(array, ends.min, ends.max), array).astype(np.float32))


def _single(name: str, attr: Attr) -> Attr:
    """An attribute, with float in the place of double."""
    if attr.ref:
        return attr
    if name in _TYPES and attr.kind is AttrKind.INT and attr.value == DType.DOUBLE:
        return Attr.of(int(DType.FLOAT))
    if isinstance(attr.value, Tensor) and attr.value.dtype is DType.DOUBLE:
        return Attr.of(_clipped(attr.value))
    return attr
