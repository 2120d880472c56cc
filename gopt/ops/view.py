"""One view of an operator whatever the opset: operands and attributes as the newest schema has them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import GoptError, UsageError
from ..ir import Array, ArrayTensor, Attr, BufferTensor, DType, Op, Role, Tensor, TensorType, Value
from .schemas import Schema, schema


class UnboundAttribute(GoptError):
    """An attribute that stands for one of the enclosing function's has no value before the function is inlined."""


@dataclass(frozen=True, slots=True)
class Moved:
    """An attribute that became an operand.

    Attributes:
        slot: operand slot in the newest schema.
        since: version from which it is an operand.
        name: name of the attribute.
        scalar: the operand is of rank 0; else of rank 1.
        dtype: element type of the operand; None: that of the first operand.
        default: value that an absent attribute stood for, where an absent operand now means something else.
    """

    slot: int
    since: int
    name: str
    scalar: bool = False
    dtype: DType | None = DType.INT64
    default: Any = None


@dataclass(frozen=True, slots=True)
class Renamed:
    """An attribute whose values have other names before a version: `words` maps old to new."""

    name: str
    since: int
    words: dict[Any, Any]


_AXES_13 = (Moved(1, 13, "axes"),)
_AXES_18 = (Moved(1, 18, "axes"),)
# Operators by name; ordered by slot.
MOVED: dict[str, tuple[Moved, ...]] = {
    "Clip": (Moved(1, 11, "min", True, None), Moved(2, 11, "max", True, None)),
    "DFT": (Moved(2, 20, "axis", True, default=1),),
    "Dropout": (Moved(1, 12, "ratio", True, DType.FLOAT),),
    "Pad": (Moved(1, 11, "pads"), Moved(2, 11, "value", True, None)),
    "ReduceL1": _AXES_18,
    "ReduceL2": _AXES_18,
    "ReduceLogSum": _AXES_18,
    "ReduceLogSumExp": _AXES_18,
    "ReduceMax": _AXES_18,
    "ReduceMean": _AXES_18,
    "ReduceMin": _AXES_18,
    "ReduceProd": _AXES_18,
    "ReduceSum": _AXES_13,
    "ReduceSumSquare": _AXES_18,
    "Reshape": (Moved(1, 5, "shape"),),
    "Slice": (Moved(1, 10, "starts"), Moved(2, 10, "ends"), Moved(3, 10, "axes")),
    "Split": (Moved(1, 13, "split"),),
    "Squeeze": _AXES_13,
    "TopK": (Moved(1, 10, "k"),),
    "Unsqueeze": _AXES_13,
    "Upsample": (Moved(1, 9, "scales", False, DType.FLOAT),),
}
# Attributes whose values once had other names; None stands for the attribute's absence.
RENAMED: dict[str, Renamed] = {
    "Cast": Renamed("to", 6, {d.name: int(d) for d in DType}),
    "GridSample": Renamed("mode", 20, {"bilinear": "linear", "bicubic": "cubic"}),
    # Before it had the attribute, RoiAlign did not shift coordinates by half a pixel.
    "RoiAlign": Renamed("coordinate_transformation_mode", 16, {None: "output_half_pixel"}),
}
# The first version of Pad spelled the name in another way.
_ALIASES = {("Pad", "pads"): "paddings"}


def operands(op: Op) -> tuple[Value | None, ...]:
    """Operands in the slots of the operator's newest schema; `op.inputs` itself where nothing moved.

    What used to be an attribute (axes of Squeeze, bounds of Clip, ...) appears as a detached constant.

    Raises:
        UnboundAttribute: such an attribute refers to one of the enclosing function.
    """
    moved = MOVED.get(op.op_type)
    if moved is None or op.domain or op.opset >= moved[0].since:
        return op.inputs
    found: list[Value | None] = list(op.inputs)
    for move in moved:
        value = _as_operand(op, move)
        if value is not None:
            found += [None] * (move.slot + 1 - len(found))
            found[move.slot] = value
    return tuple(found)


def spelled_as_attribute(op: Op) -> tuple[Moved, ...]:
    """The operands of the newest schema that this op has as attributes; () where nothing moved."""
    moved = MOVED.get(op.op_type)
    return () if moved is None or op.domain or op.opset >= moved[0].since else moved


def _as_operand(op: Op, move: Moved) -> Value | None:
    array = moved_array(op, move)
    if array is None:
        return None
    tensor = ArrayTensor(array, dtype=_moved_dtype(op, move))
    return Value(move.name, Role.CONST, tensor, TensorType(tensor.dtype, tensor.shape))


def moved_array(op: Op, move: Moved, like: Array | None = None) -> Array | None:
    """The operand that an attribute became, as an array of the dtype of `like` or of the first operand's type."""
    attr = op.attrs.get(move.name) or op.attrs.get(_ALIASES.get((op.op_type, move.name), ""))
    value = move.default if attr is None else _bound(op, attr)
    if value is None:
        return None
    dtype = like.dtype if like is not None and move.dtype is None else _moved_dtype(op, move).numpy
    if dtype.kind == "i":
        array = np.asarray(value, dtype)
    else:
        with np.errstate(over="ignore"):  # a bound may lie beyond float16
            array = np.asarray(value, dtype)
    return array.reshape(() if move.scalar else -1)


def _moved_dtype(op: Op, move: Moved) -> DType:
    if move.dtype is not None:
        return move.dtype
    first = op.inputs[0] if op.inputs else None
    if first is None:
        return DType.FLOAT
    if isinstance(first.type, TensorType):
        return first.type.dtype
    constant = first.const
    return DType.FLOAT if constant is None else constant.dtype


def _bound(op: Op, attr: Attr) -> Any:
    if attr.ref:
        raise UnboundAttribute(f"an attribute of {op.label} refers to {attr.ref!r} of the enclosing function")
    return attr.value


def attribute(op: Op, name: str) -> Any:
    """An attribute as the newest schema has it, with the schema's default filled in; None if it has none.

    Defaults are those of the op's own version of the operator, in the newest wording.

    Raises:
        UnboundAttribute: the attribute refers to one of the enclosing function.
    """
    attr = op.attrs.get(name)
    if attr is None:
        known = schema(op.op_type, op.domain)
        return None if known is None else defaults_at(known, op.op_type, op.opset).get(name)
    value = _bound(op, attr)
    renamed = RENAMED.get(op.op_type)
    if renamed is not None and name == renamed.name and 0 < op.opset < renamed.since and not op.domain:
        return renamed.words.get(value, value)
    return value


def defaults_at(known: Schema, op_type: str, version: int) -> dict[str, Any]:
    """Defaults of all attributes at a version, later ones included, in the newest wording."""
    found = known.filled.get(version)
    if found is None:
        found = known.filled[version] = dict(known.defaults)
        if version:
            found.update((n, known.default(n, version)) for n in known.kinds if known.has_attribute(n, version))
            renamed = RENAMED.get(op_type)
            if renamed is not None and version < renamed.since:
                old = known.default(renamed.name, version)
                found[renamed.name] = renamed.words.get(old, old)
    return found


def ints(op: Op, name: str) -> tuple[int, ...] | None:
    """An integer parameter, whether attribute or constant operand; None if it is absent or not constant.

    Raises:
        UnboundAttribute: it is an attribute that refers to one of the enclosing function.
    """
    known = schema(op.op_type, op.domain)
    place = None if known is None else known.slots.get(name.lower())
    if place is None:
        value = attribute(op, name)
        return value if value is None or isinstance(value, tuple) else (value,)
    for move in spelled_as_attribute(op):
        if move.slot == place:
            array = moved_array(op, move)
            return None if array is None else tuple(array.reshape(-1).tolist())
    operand = op.inputs[place] if place < len(op.inputs) else None
    constant = None if operand is None else operand.const
    return None if constant is None else int_tuple(constant)


def int_tuple(constant: Tensor) -> tuple[int, ...] | None:
    """The elements of an integer tensor; None for other types, and for more than could be a shape or list of axes."""
    if not constant.dtype.is_integer or constant.size > _MANY:
        return None
    if constant.dtype is DType.INT64 and _LITTLE and isinstance(constant, BufferTensor):
        return tuple(memoryview(constant.raw()).cast("B").cast("q"))  # a third of the time that an array takes
    return tuple(constant.numpy().reshape(-1).tolist())


# Rules read shapes, axes, sizes; to turn a large tensor into a tuple would be a mistake that costs seconds.
_MANY = 1 << 16
_LITTLE = sys.byteorder == "little"


def slot(op_type: str, name: str, domain: str = "") -> int:
    """The operand slot that the newest schema calls `name` (case does not matter).

    Raises:
        UsageError: the operator is unknown or has no such operand.
    """
    known = schema(op_type, domain)
    if known is None:
        raise UsageError(f"the operator {op_type} is not known, so its operands have no names")
    found = known.slots.get(name.lower())
    if found is None:
        raise UsageError(f"{op_type} has no operand {name!r}; it has {', '.join(known.inputs) or 'none'}")
    return found


def has_operand(op: Op, name: str) -> bool:
    """True if the named operand is given (also where it is spelled as an attribute)."""
    found = operands(op)
    place = slot(op.op_type, name, op.domain)
    return place < len(found) and found[place] is not None


def is_bound(op: Op) -> bool:
    """False if an attribute of the op refers to one of the enclosing function, so that its value is not known."""
    return not any(attr.ref for attr in op.attrs.values())


def constant_operand(op: Op, place: int) -> Array | None:
    """The elements of a constant operand of the newest schema's slot, None if it is absent or not constant."""
    found = operands(op)
    value = found[place] if place < len(found) else None
    constant = None if value is None else value.const
    return None if constant is None else constant.numpy()
