"""What stands between a model and the toolkit, by gopt's tables: it is not started for what it would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...ir import DType, Graph, Model, Op, TensorType, Value
from ..base import Blocker, kind
from ..support import Support, read_table
from . import placement
from .placement import FAILS, NONE, REFUSED
from .platforms import OPSETS, Platform

# Types that inputs and outputs may have: on others the toolkit's process aborts, or its runtime refuses them.
_INPUTS = frozenset({DType.FLOAT, DType.FLOAT16, DType.INT64, DType.INT32, DType.INT8, DType.BOOL})
_OUTPUTS = _INPUTS | {DType.DOUBLE}
# On a Cast to one of these it aborts, wherever it stands.
_NEVER = frozenset({DType.UINT8, DType.UINT16, DType.UINT32, DType.UINT64, DType.BFLOAT16})
# What cures an operator without a kernel, or one that is refused.
_REMEDIES = {
    "Acosh": "npu.elementwise.inverse_hyperbolic",
    "Asinh": "npu.elementwise.inverse_hyperbolic",
    "Atanh": "npu.elementwise.inverse_hyperbolic",
    "Ceil": "npu.elementwise.ceil",
    "Celu": "npu.activation.celu",
    "Cosh": "npu.elementwise.hyperbolic",
    "LpPool": "npu.pool.norm",
    "Mean": "npu.elementwise.mean",
    "MeanVarianceNormalization": "npu.norm.mean_variance",
    "Min": "npu.elementwise.min",
    "Mish": "npu.activation.mish",
    "ReduceL1": "npu.reduce.l1",
    "ReduceLogSum": "npu.reduce.log_sum",
    "ReduceProd": "npu.reduce.product",
    "ReduceSumSquare": "npu.reduce.sum_square",
    "RNN": "npu.recurrent.gru",
    "Selu": "npu.activation.selu",
    "Shrink": "npu.activation.shrink",
    "Sign": "npu.elementwise.sign",
    "Sinh": "npu.elementwise.hyperbolic",
    "Softsign": "npu.activation.softsign",
    "Tan": "npu.elementwise.tan",
    "Trilu": "npu.movement.trilu",
    "DequantizeLinear": "npu.quantized",
}
_REFUSING = {
    NONE: "it converts, but no kernel on the board can run it",
    FAILS: "the toolkit dies on it",
    REFUSED: "the toolkit refuses it",
}


def blockers(model: Model, platform: Platform) -> list[Blocker]:
    """All of them, the model's own first, then op by op in dataflow order."""
    return [*_of_model(model), *_of_interface(model.graph), *_of_ops(model, platform)]


def _of_model(model: Model) -> Iterator[Blocker]:
    version = model.opsets.get("", 1)
    if version > OPSETS[1]:
        reason = f"the model is at opset {version}; the toolkit reads up to {OPSETS[1]}"
        hint = f"--target-opset {OPSETS[1]} tells which ops cannot go"
        yield Blocker("", "", "opset", reason, "opset.downgrade:to=19", hint, evidence="measured")
    called = {(op.domain, op.op_type) for graph in model.graphs() for op in graph.ops}
    for function in model.functions.values():
        if (function.domain, function.name) in called:
            reason = f"it is the local function {function.name}; the toolkit reads standard operators alone"
            node = next(
                op.label
                for graph in model.graphs()
                for op in graph.ops
                if (op.domain, op.op_type) == (function.domain, function.name)
            )
            yield Blocker(node, function.name, "function", reason, "inline.functions", evidence="measured")


def _of_interface(graph: Graph) -> Iterator[Blocker]:
    for value in graph.inputs:
        type_ = value.type
        if not isinstance(type_, TensorType):
            yield Blocker(value.name, "", "type", f"input {value.name} is no tensor", evidence="measured")
            continue
        if (shape := _open(type_)) is not None:
            reason = f"input {value.name} is {shape}; the chip computes on fixed sizes"
            wanted = ",".join(str(dim) if isinstance(dim, int) else "SIZE" for dim in type_.shape or ("SIZE",))
            hint = f"--input-shape {value.name}:{wanted}, or --freeze {value.name}=VALUE"
            found = Blocker(value.name, "", "sizes", reason, "shape.fix", hint, "measured")
            yield replace(found, settle=_batch(value, type_))
        elif type_.shape is not None and 0 in type_.shape:
            yield Blocker(value.name, "", "size", f"input {value.name} is empty", evidence="measured")
        yield from _of_type(value, type_, "input")
    for output in graph.outputs:
        if output is not None and isinstance(output.type, TensorType):
            yield from _of_type(output, output.type, "output")


def _of_type(value: Value, type_: TensorType, role: str) -> Iterator[Blocker]:
    if type_.dtype not in (_INPUTS if role == "input" else _OUTPUTS):
        reason = f"{role} {value.name} is {type_.dtype.name.lower()}, which the toolkit does not take"
        hint = "an input that a Cast takes first, or an output that a Cast gives, is rewritten"
        yield Blocker(value.name, "", "type", reason, "npu.interface", hint, evidence="measured")


def _batch(value: Value, type_: TensorType) -> tuple[tuple[str, int], ...]:
    """A batch of one, where the size of the batch is all that is open."""
    open_ = [axis for axis, dim in enumerate(type_.shape or ()) if not isinstance(dim, int)]
    return ((f"{value.name}.0", 1),) if open_ == [0] and len(type_.shape or ()) > 1 else ()


def _open(type_: TensorType) -> str | None:
    """The shape as text, if a size in it is not known."""
    if type_.shape is None:
        return "of unknown rank"
    if all(isinstance(dim, int) for dim in type_.shape):
        return None
    return "[" + ", ".join("?" if dim is None else str(dim) for dim in type_.shape) + "]"


def _of_ops(model: Model, platform: Platform) -> Iterator[Blocker]:
    support = Support(read_table(__package__), platform.name)
    called = {(f.domain, f.name) for f in model.functions.values()}
    for graph in model.graphs():
        for op in graph.ops:
            if (op.domain, op.op_type) in called:
                continue
            found = [blocker for row in support.rows.get(kind(op), ()) for blocker in row.broken(op)]
            found += _of_one(op)
            yield from found
            if not found:
                yield from _of_place(op, platform)
                yield from _of_results(op)


def _of_one(op: Op) -> Iterator[Blocker]:
    """A Where of single numbers, a Cast to a type that is not known ...: what no row of the table can say."""
    made = op.output(0)
    if op.op_type in ("LSTM", "GRU", "RNN") and not op.domain and None in op.outputs:
        reason = "it leaves out a result before its last, and the toolkit looks at each by its name"
        yield Blocker(op.label, op.op_type, "result", reason, "npu.results", evidence="measured")
    if op.op_type == "ConstantOfShape" and not op.domain and "value" not in op.attrs:
        reason = "the toolkit dies on a value that is left to the default"
        yield Blocker(op.label, op.op_type, "attribute", reason, "npu.movement.filled", evidence="measured")
    if op.domain or made is None or not isinstance(made.type, TensorType):
        return
    if op.op_type == "Cast" and made.type.dtype in _NEVER and not made.is_output:
        reason = f"its result {made.name} is {made.type.dtype.name.lower()}, on which the toolkit aborts"
        yield Blocker(op.label, "Cast", "type", reason, hint="int32 holds the same numbers", evidence="measured")
    if op.op_type == "Where" and made.type.size == 1:
        reason = "the toolkit dies on a choice between single numbers"
        yield Blocker(op.label, "Where", "size", reason, "npu.elementwise.where_one", evidence="measured")


def _of_place(op: Op, platform: Platform) -> Iterator[Blocker]:
    if op.domain:
        reason = f"operator {kind(op)} is of another domain; the toolkit reads ONNX's own alone"
        yield Blocker(op.label, kind(op), "operator", reason, evidence="measured")
        return
    found = placement.place(platform.name, op.op_type)
    if found is None or found.where not in _REFUSING:
        return
    reason = _REFUSING[found.where] + (f" ({found.why})" if found.why and found.where != NONE else "")
    rule = "kernel" if found.where == NONE else "operator"
    yield Blocker(op.label, kind(op), rule, reason, _REMEDIES.get(op.op_type, ""), evidence="measured")


def _of_results(op: Op) -> Iterator[Blocker]:
    """An op whose results depend on data in their sizes: everything after it would, so it alone is told."""
    if any(isinstance(v.type, TensorType) and _open(v.type) is not None for v in op.inputs if v is not None):
        return
    for value in op.outputs:
        if value is not None and isinstance(value.type, TensorType) and (shape := _open(value.type)) is not None:
            reason = (
                f"its result {value.name} is {shape} though its operands have fixed sizes; the chip needs fixed sizes"
            )
            yield Blocker(op.label, kind(op), "result", reason, evidence="measured")
            return
