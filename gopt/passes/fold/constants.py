"""Ops of constants alone: computed by the kernels of `gopt.ops`, never by a runtime."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from ...analysis import infer_op
from ...errors import GoptError
from ...ir import Array, ArrayTensor, DType, Graph, Model, Op, Role, TensorType, Value
from ...ops import evaluate, is_bound, is_random, opdef, output_bytes, work
from ...rewrite import Context, Numerics
from ..base import Pass, option, register
from ._numerics import numerics_of
from ._partial import Partial, partial_of


@register
@dataclass(frozen=True)
class Constants(Pass):
    """f(constant, ...) -> constant

    Applies to every op whose operands are all constant, captured ones included and overridable inputs excluded, and
    that gopt has a kernel for (or onnx.reference an operator class): not to random ops, control flow, calls, Identity
    (which `clean` bypasses) and ops that quantize or dequantize, for a constant of floats in place of a quantized
    weight would lose the quantization. Size of the result and work are estimated before anything is computed; what
    would enlarge the model's constants beyond the run's limit stays. Cases in which runtimes differ (an overflowing
    division, a NaN cast to an integer) stay too, but what takes none of the elements in which they do is folded. Exact
    where every float operation is a correctly rounded one, or none; but for the sign of zero exact for Max, Clip, Relu
    and their like; rounding for Exp, Mean, MatMul and theirs.
    """

    numerics = Numerics.ROUNDING

    max_work: int = option(1 << 30, help="elementary operations that all folding together may take")

    def run(self, model: Model, ctx: Context) -> None:
        """One sweep in dataflow order, outer graphs first: users of what was folded become foldable behind it."""
        folder = _Folder(self.name, ctx, model, self.max_work)
        for graph in model.graphs():
            folder.graph(graph)


class _Folder:
    """The state of one run: `left` is the work that it may still do."""

    def __init__(self, rule: str, ctx: Context, model: Model, max_work: int) -> None:
        self.rule = rule
        self.ctx = ctx
        self.calls = {(f.domain, f.name) for f in model.functions.values()}
        self.left = max_work
        self.partial: dict[Value, Partial] = {}

    def graph(self, graph: Graph) -> None:
        for op in graph.ops:
            for value in op.inputs:
                if value is None or value.role is Role.CONST:
                    continue
                if value not in self.partial and (value.role is not Role.CAPTURE or value.const is None):
                    break
            else:
                if op.inputs and op.graph is graph and self._may_fold(op):
                    in_part = any(value in self.partial for value in op.inputs)
                    why = "" if in_part else self._fold(op)
                    if in_part or (why and op.op_type == "Cast"):
                        why = self._fold_in_part(op)
                    if why:
                        self.ctx.ledger.reject(self.rule, op, why)

    def _may_fold(self, op: Op) -> bool:
        known = opdef(op)
        if known is None or known.quantize or known.control or op.bodies or op.op_type in _LEFT:
            return False
        if (op.domain, op.op_type) in self.calls or (op.attrs and not is_bound(op)) or is_random(op):
            return False
        return any(v is not None and v.is_needed for v in op.outputs)

    def _fold(self, op: Op) -> str:
        """Fold one op; returns why not, or ""."""
        numerics = numerics_of(op)
        if self.ctx.exact and numerics is not Numerics.EXACT:
            return "it is not exact"
        try:
            cost = self._cost(op)
            if isinstance(cost, str):
                return cost
            self.left -= cost
            arrays = evaluate(op, [None if v is None or v.const is None else v.const.numpy() for v in op.inputs])
        except GoptError as error:
            return str(error)
        mapping = _constants(op, arrays)
        if mapping is None:
            return "the result is not what the operator's clause says"
        return "" if self.ctx.replace(self.rule, mapping, numerics=numerics) else self.ctx.why

    def _fold_in_part(self, op: Op) -> str:
        """Fold an op some elements of whose operands are undefined, or make a note of what its result is."""
        if self.ctx.exact:
            return "it is not exact"
        cost = self._cost(op)
        if isinstance(cost, str):
            return cost
        self.left -= cost
        found = partial_of(op, self.partial)
        if found is None:
            return "runtimes differ in some elements"
        if found.undefined.any():
            self.partial[op.result] = found
            return "runtimes differ in some elements, which may be taken by nobody"
        mapping = _constants(op, (found.array,))
        if mapping is None:
            return "the result is not what the operator's clause says"
        return "" if self.ctx.replace(self.rule, mapping, numerics=Numerics.ROUNDING) else self.ctx.why

    def _cost(self, op: Op) -> int | str:
        """Elementary operations that evaluating the op takes; a reason if it is not to be evaluated."""
        size, effort = output_bytes(op), work(op)
        if size is None or effort is None:
            _retype(op)  # an operand that was folded a moment ago may settle the shape
            size, effort = output_bytes(op), work(op)
        if size is None:
            size = _largest(op)
            effort = size
        if size is None or effort is None:
            return "the size of the result is not known beforehand"
        if effort > self.left:
            return "it would take more work than all folding may"
        if self.ctx.growth + size - _freed(op) > self.ctx.max_growth:
            return "it would enlarge the constants beyond the limit"
        return effort


# Bypassed by `clean`; and what gives no dense tensor, or one that ONNX leaves to the runtime.
_LEFT = frozenset({"Identity", "Constant", "StringNormalizer", "NonMaxSuppression", "ImageDecoder"})


def _retype(op: Op) -> None:
    """Infer an op again; if it stays, the next sweep of inference looks at its users."""
    infer_op(op)
    graph = op.graph
    assert graph is not None
    for value in op.outputs:
        if value is not None:
            graph.dirty.update(dict.fromkeys(graph.users(value)))


def _freed(op: Op) -> int:
    """Bytes of the constants that nothing but the op uses."""
    graph = op.graph
    assert graph is not None
    operands = dict.fromkeys(v for v in op.inputs if v is not None and v.role is Role.CONST and not v.is_output)
    return sum(v.tensor.nbytes for v in operands if v.tensor is not None and len(graph.users(v)) == 1)


def _largest(op: Op) -> int | None:
    """A bound on the bytes of results whose size depends on the numbers in the operands; None if there is none."""
    operands = [v.const for v in op.inputs if v is not None]
    tensors = [t for t in operands if t is not None]
    if op.op_type == "NonZero":
        return 8 * tensors[0].size * len(tensors[0].shape)
    if op.op_type == "Unique":
        return tensors[0].nbytes + 24 * tensors[0].size
    if op.op_type == "Compress":
        return tensors[0].nbytes
    if op.op_type == "Range" and all(t.size == 1 for t in tensors) and tensors[0].dtype is not DType.STRING:
        first, limit, step = (float(t.item()) for t in tensors)
        if not step or not np.isfinite((limit - first) / step):
            return None
        return max(ceil((limit - first) / step) + 1, 1) * tensors[0].dtype.bits // 8
    return None


def _constants(op: Op, arrays: tuple[Array, ...]) -> dict[Value, Value] | None:
    """A detached constant for each result that is used; None if an array is missing or of another type."""
    mapping: dict[Value, Value] = {}
    for place, value in enumerate(op.outputs):
        if value is None or not value.is_needed:
            continue
        if place >= len(arrays):
            return None
        type_ = value.type
        if not isinstance(type_, TensorType) or arrays[place].dtype != type_.dtype.numpy:
            return None
        tensor = ArrayTensor(arrays[place], type_.dtype)
        mapping[value] = Value("", Role.CONST, tensor, TensorType(tensor.dtype, tensor.shape))
    return mapping
