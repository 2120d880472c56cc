"""What the original of a case does: its outputs, what happens inside, and whether inference says the truth about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from ...analysis import infer
from ...frontends.onnx import load, to_bytes
from ...ir import Array, Model, Op, Symbol, TensorType, Value
from ...ops import opdef
from ...ops.symbolic import value_at
from ..runner import Outputs
from .finish import Case, Inputs


@dataclass(slots=True)
class Run:
    """What the original gives for one set of inputs.

    Attributes:
        place: which set.
        inputs: these.
        outputs: what it gives.
        strange: NaN, an infinity or -0 occurs; FINITE promises nothing then.
        wild: NaN or an infinity occurs, or what is so large that a sum or product may overflow on another way to it:
            ROUNDING, which is about real numbers, promises nothing then. Minus infinity that comes from a constant is
            no such thing: masks are made of it.
        empty: an input has no elements. A size of 0 means another one to Reshape, and some kernels refuse it (MatMul as
            the batch of its second operand alone): nothing is claimed then, and a result need not run.
    """

    place: int
    inputs: Inputs
    outputs: Outputs
    strange: bool
    wild: bool
    empty: bool = False


def claims(data: bytes, seen: Outputs, inputs: Inputs) -> str:
    """What inference says of a value and is not so; "" if all holds.

    Args:
        data: the model.
        seen: what its values were in a run.
        inputs: the inputs of that run.
    """
    model = load(data)
    infer(model)
    sizes: dict[Symbol, int] = {}
    for value in model.graph.inputs:
        if isinstance(value.type, TensorType) and value.name in inputs:
            pairs = zip(value.type.shape or (), inputs[value.name].shape)
            sizes.update((dim, number) for dim, number in pairs if isinstance(dim, Symbol))
    for value in model.graph.values:
        array = seen.get(value.name)
        if isinstance(array, np.ndarray) and value.producer is not None and (why := _wrong(value, array, sizes)):
            return f"{value.name}: {why}"
    return ""


def dooms(data: bytes) -> bool:
    """True if an op inside of a body contradicts its operands: whoever gets there has an error, as in the original.

    What made the contradiction may be known only after a rewrite, and ONNX Runtime refuses the model as a whole then.
    """
    model = load(data)
    infer(model)
    inside = (op for graph in model.graphs() if graph.owner is not None for op in graph.ops)
    return any(map(_contradicts, inside))


def _contradicts(op: Op) -> bool:
    known = opdef(op)
    if known is None or known.infer is None or op.bodies:
        return False
    try:
        known.infer(op)
    except (ValueError, TypeError, IndexError, OverflowError, ArithmeticError):
        return True
    return False


def lenient(data: bytes, seen: Outputs) -> bool:
    """True if an operand without elements, or of the wrong size, lets the runtime do what no standard says.

    Its reductions give other shapes then, its Concat takes it beside operands of any other sizes, what a Loop
    without turns stacks is of sizes that it makes up, it ignores what a condition of Compress has too many, and pools
    by windows that are larger than their operand. A size of 0 means another one to a Reshape that computes its shape.
    What happens inside of local functions and bodies is not seen.
    """
    model = load(data)
    graph = model.graph
    inner = (op.op_type for g in model.graphs() if g is not graph for op in g.ops)
    if any(op_type in ("AveragePool", "Loop", "LpPool", "MaxPool") for op_type in inner):
        return True
    sizes = {name: array.shape for name, array in seen.items() if isinstance(array, np.ndarray)}
    sizes.update((v.name, v.tensor.shape) for v in graph.constants if v.tensor is not None)
    for op in graph.ops:
        if op.op_type == "Loop" and any(0 in sizes.get(v.name, ()) for v in op.outputs if v is not None):
            return True
        if op.op_type == "Compress" and _too_long(op, sizes):
            return True
        if op.op_type in ("AveragePool", "LpPool", "MaxPool") and _is_larger(op, sizes):
            return True
        shapes = [sizes[v.name] for v in op.inputs if v is not None and v.name in sizes]
        if op.op_type == "Reshape" and _has_zero(op.input(1), seen):
            return True
        if all(0 not in shape for shape in shapes):
            continue
        if (op.domain, op.op_type, op.overload) in model.functions:
            return True
        if op.op_type.startswith(("Reduce", "Arg")):
            return True
        if op.op_type == "Concat":
            at = int(op.attr("axis", 0))
            if len({tuple(np.delete(shape, at)) for shape in shapes}) > 1:
                return True
    return False


def _has_zero(shape: Value | None, seen: Outputs) -> bool:
    """True if a shape that is computed holds a 0."""
    array = None if shape is None else seen.get(shape.name)
    return isinstance(array, np.ndarray) and bool((array == 0).any())


def _too_long(op: Op, sizes: dict[str, tuple[int, ...]]) -> bool:
    """True if a Compress has more conditions than there are elements along its axis, or in all."""
    data, condition = op.input(0), op.input(1)
    shape = None if data is None else sizes.get(data.name)
    if shape is None or condition is None:
        return False
    length = condition.tensor.size if condition.tensor is not None else prod(sizes.get(condition.name, (0,)))
    axis = op.attr("axis")
    return bool(length > (prod(shape) if axis is None else shape[axis]))


def _is_larger(op: Op, sizes: dict[str, tuple[int, ...]]) -> bool:
    """True if the window of a pool does not fit into its operand, its pads included."""
    shape = sizes.get(op.inputs[0].name, ()) if op.inputs[0] is not None else ()
    kernel = op.attr("kernel_shape", ())
    rank = len(kernel)
    pads, dilations = op.attr("pads", (0,) * (2 * rank)), op.attr("dilations", (1,) * rank)
    if len(shape) != rank + 2:
        return False
    return any(size + pads[k] + pads[k + rank] < (kernel[k] - 1) * dilations[k] + 1 for k, size in enumerate(shape[2:]))


def exposed(data: bytes) -> bytes | None:
    """The model with all results of its main graph as outputs; None if there are none that are not."""
    model: Model = load(data)
    graph = model.graph
    seen = {v.name for v in graph.outputs}
    infer(model)
    for op in graph.ops:
        for value in op.outputs:
            if value is not None and value.name not in seen:
                value.type = None  # what was inferred is to be looked at, not to be believed
                graph.set_output(len(graph.outputs), value)
    for value in graph.outputs:
        value.type = None
        value.declared = None
    return to_bytes(model)


def run_of(case: Case, place: int, inputs: Inputs, outputs: Outputs, seen: Outputs | None) -> Run:
    """A run, given what all values of the main graph were in it."""
    empty = any(array.size == 0 for array in inputs.values())
    if seen is None:
        return Run(place, inputs, outputs, strange=True, wild=True, empty=empty)
    arrays = [*seen.values(), *outputs.values()]
    constants = _constants(case.data)
    strange = any(map(_strange, (*arrays, *inputs.values(), *constants)))
    masked = _masked(case.data)
    wild = any(_wild(a, masked) for a in (*arrays, *constants)) or any(_wild(a, False) for a in inputs.values())
    return Run(place, inputs, outputs, strange, wild, empty)


_ROOM = {"float16": 2.0**4}
"""How far numbers must stay away from the largest one; other types have more room."""


def _wild(data: Any, infinite: bool) -> bool:
    """True if NaN or too large a number occurs; `infinite`: minus infinity is none, for a constant is that, too."""
    if isinstance(data, list):
        return any(_wild(item, infinite) for item in data)
    if not isinstance(data, np.ndarray) or data.dtype.kind != "f":
        return False
    if not np.issubdtype(data.dtype, np.floating):  # one of the narrow types, which numpy does not know
        return False
    most = float(np.finfo(data.dtype).max) / _ROOM.get(data.dtype.name, 2.0**20)
    with np.errstate(invalid="ignore"):
        return not bool(((data <= most) & ((data >= -most) | (infinite & np.isneginf(data)))).all())


def _strange(data: Any) -> bool:
    if not isinstance(data, np.ndarray) or data.dtype.kind != "f":
        return isinstance(data, list) and any(map(_strange, data))
    return bool((~np.isfinite(data) | ((data == 0) & np.signbit(data))).any())


@lru_cache(maxsize=8)
def _masked(data: bytes) -> bool:
    """True if minus infinity is a constant, and no logarithm of what is too small for its type makes it."""
    if any(op.op_type == "Log" for graph in load(data).graphs() for op in graph.ops):
        return False
    return any(a.dtype.kind == "f" and bool(np.isneginf(a).any()) for a in _constants(data))


@lru_cache(maxsize=8)
def _constants(data: bytes) -> tuple[Array, ...]:
    return tuple(v.tensor.numpy() for g in load(data).graphs() for v in g.values if v.tensor is not None)


def _wrong(value: Value, array: Array, sizes: dict[Symbol, int]) -> str:
    """What a value's type says and is not so."""
    type_ = value.type
    if not isinstance(type_, TensorType):
        return ""  # the runtime gives an optional tensor as an array, too
    wanted = type_.dtype.numpy
    if array.dtype.kind != "O" and wanted.isbuiltin == 1 and wanted != array.dtype:  # others come as plain bytes
        return f"{type_} for {array.dtype}{list(array.shape)}"
    if type_.shape is not None:
        if len(type_.shape) != array.ndim:
            return f"{type_} for shape {list(array.shape)}"
        if not all(_agrees(d, n, sizes) for d, n in zip(type_.shape, array.shape)):
            return f"{type_} for shape {list(array.shape)} where {sizes}"
    for element, number in zip(type_.elements or (), array.reshape(-1).tolist()):
        if not _agrees(element, number, sizes):
            return f"elements {type_.elements} for {array.reshape(-1).tolist()} where {sizes}"
    return ""


def _agrees(claim: Any, number: Any, sizes: dict[Symbol, int]) -> bool:
    if claim is None or claim != claim:
        return True
    if isinstance(claim, Symbol):
        try:
            claim = value_at(claim, sizes)
        except KeyError:
            return True
    return bool(claim == number)
