"""Which old versions of an operator compute something else than the newest one, though they are viewed alike."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import GoptError
from ..ir import Op, TensorType, static_shape
from .registry import is_random
from .view import attribute, is_bound

_ALWAYS = 1 << 30


def is_current(op: Op) -> bool:
    """False if the op may compute something else than the newest version of its operator with the same view.

    That is so for old semantics (Softmax below 13, unless it provably makes no difference here), for training modes,
    and for an op with attributes that are those of an enclosing function. Patterns do not match such ops.
    """
    if not op.domain:
        changed = CHANGED.get(op.op_type)
        if changed is not None and op.opset < changed[0]:
            same = changed[1]
            try:
                if same is None or not same(op):
                    return False
            except (GoptError, AttributeError, LookupError, TypeError, ValueError):
                return False  # malformed: nothing can be said of what it computes
    return not op.attrs or is_bound(op)


def _flattens_nothing(op: Op) -> bool:
    """Softmax < 13 normalises over all dims from `axis` on: the same if those after it are 1."""
    first = op.inputs[0] if op.inputs else None
    axis = attribute(op, "axis")
    if axis == -1:
        return True
    if first is None or not isinstance(first.type, TensorType) or first.type.shape is None:
        return False
    rank = len(first.type.shape)
    return -rank <= axis < rank and all(d == 1 for d in first.type.shape[axis % rank + 1 :])


def _ranks(op: Op) -> list[int | None]:
    return [v.type.rank if v is not None and isinstance(v.type, TensorType) else None for v in op.inputs]


def _aligned_right(op: Op) -> bool:
    """Binary operators < 7 align the second operand at `axis`; without it at the right, as today."""
    if not op.attr("broadcast", 0) or "axis" not in op.attrs:
        return True
    a, b = _ranks(op)
    axis = op.attr("axis")
    return a is not None and b is not None and axis in (a - b, -b)


def _slope_is_scalar(op: Op) -> bool:
    """PRelu < 7 has a slope per channel, or one for all."""
    slope = op.input(1)
    shape = None if slope is None else static_shape(slope.type)
    return shape in ((), (1,))


def _infers(op: Op) -> bool:
    """BatchNormalization computes what it does in inference, per channel."""
    if op.opset >= 14:
        return not attribute(op, "training_mode")
    if len([v for v in op.outputs if v is not None]) > 1 or not op.attr("spatial", 1):
        return False
    return op.opset >= 7 or bool(op.attr("is_test", 0))


def _one_channel_per_group(op: Op) -> bool:
    """GroupNormalization 18 has scale and bias per group, later versions per channel."""
    first = op.inputs[0]
    shape = first.type.shape if first is not None and isinstance(first.type, TensorType) else None
    return shape is not None and len(shape) > 1 and shape[1] == attribute(op, "num_groups")


def _not_random(op: Op) -> bool:
    return not is_random(op)


def _resize_mode_lives(op: Op) -> bool:
    """Resize 11 took nearest pixels in a mode that was withdrawn; Resize 10 rounded in ways of its own."""
    return op.opset >= 11 and op.attr("coordinate_transformation_mode") != "tf_half_pixel_for_nn"


# Operator -> (version of today's semantics, test whether an older op is the same all the same). The table is ours: the
# ONNX change log ("Changelog.md") lists schemas, not meanings.
CHANGED: dict[str, tuple[int, Callable[[Op], bool] | None]] = {
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), (13, _flattens_nothing)),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor"), (7, _aligned_right)),
    **dict.fromkeys(("Equal", "Greater", "Less"), (7, _aligned_right)),
    "BatchNormalization": (_ALWAYS, _infers),
    "Dropout": (_ALWAYS, _not_random),
    "GRU": (7, None),
    "GroupNormalization": (21, _one_channel_per_group),
    "LSTM": (7, None),
    "MeanVarianceNormalization": (9, None),
    "OneHot": (11, None),
    "PRelu": (7, _slope_is_scalar),
    "RNN": (7, None),
    "Resize": (13, _resize_mode_lives),
    "Scan": (9, None),
    "Tile": (6, None),
    "Upsample": (_ALWAYS, None),
}
# The versions below which an op may not be written with the newest meaning.
CHANGED_FOR_GOOD = {name: since for name, (since, _) in CHANGED.items() if since != _ALWAYS}
CHANGED_FOR_GOOD["BatchNormalization"] = 14
