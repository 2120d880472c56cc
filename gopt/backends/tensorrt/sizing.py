"""Inputs that hold sizes: what they hold decides shapes, so that a profile has to give ranges of it.

TensorRT calls them shape tensors ("Working with Dynamic Shapes" of its documentation).
"""

from __future__ import annotations

from collections.abc import Iterator

from ...ir import DType, Model, Op, Role, TensorType, Value
from ...ops import operands
from ...ops.contents import length

_SLOTS = {
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "Loop": (0,),
    "OneHot": (1,),
    "Pad": (1,),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (3,),
    "Slice": (1, 2, 4),
    "Split": (1,),
    "Tile": (1,),
    "TopK": (1,),
}
"""Operands, by the newest schema, that decide the shape of a result."""
_WHOLE = (DType.INT32, DType.INT64)
_MOST = 16
"""Elements of an input that holds sizes at most."""


def sizing_inputs(model: Model) -> dict[str, int]:
    """The inputs of whole numbers that decide shapes, and how many elements they have."""
    found = {}
    for value in model.graph.inputs:
        type_, count = value.type, length(value)
        if not isinstance(type_, TensorType) or type_.dtype not in _WHOLE or count is None or count > _MOST:
            continue
        if type_.is_static and _decides(value):
            found[value.name] = count
    return found


def _decides(value: Value) -> bool:
    """True if a shape depends on the elements of a value, through small tensors of whole numbers."""
    seen: dict[Value, None] = {value: None}
    todo = [value]
    while todo:
        for op, slot, operand in _uses(todo.pop()):
            if _is_size(op, slot, operand):
                return True
            for result in op.outputs:
                if (
                    result is not None
                    and result not in seen
                    and _is_small(result)
                    and op.op_type not in ("Shape", "Size")
                ):
                    seen[result] = None
                    todo.append(result)
    return False


def _uses(value: Value) -> Iterator[tuple[Op, object, Value]]:
    """Uses of a value, in the bodies that capture it, too."""
    for op, slot in value.uses:
        if isinstance(slot, int):
            yield op, slot, value
    for op in dict.fromkeys(use.op for use in value.uses):
        for inner, outer in op.captures.items():
            if outer is value and inner.role is Role.CAPTURE:
                yield from _uses(inner)


def _is_size(op: Op, slot: object, operand: Value) -> bool:
    if op.domain or op.op_type not in _SLOTS:
        return False
    if op.op_type == "Loop":
        return slot == 0 and any(v is not None and v.is_needed for v in op.outputs[len(op.inputs) - 2 :])
    newest = operands(op)
    return any(place < len(newest) and newest[place] is operand for place in _SLOTS[op.op_type])


def _is_small(value: Value) -> bool:
    type_, count = value.type, length(value)
    return isinstance(type_, TensorType) and type_.dtype is not DType.STRING and count is not None and count <= _MOST
