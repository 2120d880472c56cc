"""Which operators give the same bits wherever they are computed."""

from __future__ import annotations

from ...ir import Op, TensorType
from ...ops import attribute
from ...rewrite import Numerics

# Copies and choices of elements.
# fmt: off
_MOVES = frozenset((
    "BitCast", "CenterCropPad", "Compress", "Concat", "ConstantOfShape", "DepthToSpace", "Expand", "EyeLike",
    "Flatten", "Gather", "GatherElements", "GatherND", "OneHot", "Pad", "Reshape", "ReverseSequence", "Scatter",
    "ScatterElements", "ScatterND", "Slice", "SpaceToDepth", "Split", "Squeeze", "TensorScatter", "Tile",
    "TopK", "Transpose", "Trilu", "Unique", "Unsqueeze",
))
# fmt: on
# One correctly rounded operation per element (IEEE 754), or none.
# fmt: off
_ROUNDED_ONCE = frozenset((
    "Abs", "Add", "Cast", "CastLike", "Ceil", "Div", "Floor", "Mod", "Mul", "Neg", "Round", "Sign", "Sqrt", "Sub",
))
# fmt: on
# Of 0 and -0, which are equal, runtimes take the one or the other; and ONNX Runtime's Where makes 0 of -0.
_CHOICES = frozenset(("Clip", "Max", "Min", "ReduceMax", "ReduceMin", "Relu", "Where"))


def numerics_of(op: Op) -> Numerics:
    """EXACT if every implementation must give the same bits.

    Integers and booleans are exact whatever the operator; a sum of two numbers is, a sum of three depends on the order.
    """
    if op.op_type in _ROUNDED_ONCE:
        return Numerics.EXACT
    if op.op_type in _MOVES:
        added = op.op_type.startswith("Scatter") and attribute(op, "reduction") not in (None, "none")
        return Numerics.ROUNDING if added else Numerics.EXACT
    if op.op_type == "Sum" and len(op.inputs) <= 2:
        return Numerics.EXACT
    types = [v.type for v in op.outputs if v is not None]
    if all(isinstance(t, TensorType) and not t.dtype.is_float for t in types):
        return Numerics.EXACT
    return Numerics.FINITE if op.op_type in _CHOICES else Numerics.ROUNDING
