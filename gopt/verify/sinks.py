"""Operands whose elements mean something, and which elements are legal there (ONNX operators, each one's clause)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .graphs import Scope, Scopes

Range = tuple[int, int]
Legal = Callable[[Any, "Scope", "Scopes"], Range | None]


@dataclass(frozen=True, slots=True)
class Sink:
    """A meaningful operand.

    Attributes:
        legal: half-open range of legal elements for a node, None if not known.
        manner: how the elements hang together: "length" (lengths along another axis), "ascending" (distinct axes: 0, 1,
            2 ...), "free" (a shape that suits every tensor: -1, 1, 1 ...), "scales" (1 but for the last two).
        whole: holds for integer inputs only; a float there is just a number.
        from_end: indices below zero count from the end.
    """

    legal: Legal
    manner: str = ""
    whole: bool = False
    from_end: bool = False


def _within(lo: int, hi: int) -> Legal:
    return lambda node, scope, scopes: (lo, hi)


def _axis_of(slot: int, default: int | None) -> Legal:
    """Positions along the attribute `axis` of operand `slot`."""

    def legal(node: Any, scope: Scope, scopes: Scopes) -> Range | None:
        axis = scopes.attribute(node, "axis") or default
        return _positions(_shape(node, slot, scope, scopes), 0 if axis is None else int(axis))

    return legal


def _fixed_axis(slot: int, axis: int) -> Legal:
    return lambda node, scope, scopes: _positions(_shape(node, slot, scope, scopes), axis)


def _any_axis(node: Any, scope: Scope, scopes: Scopes) -> Range | None:
    """Positions for GatherND and ScatterND: legal along every axis."""
    shape = _shape(node, 0, scope, scopes)
    return (0, min(shape)) if shape and min(shape) > 0 else None


def _one_hot(node: Any, scope: Scope, scopes: Scopes) -> Range | None:
    depth = scopes.array(node.input[1], scope) if len(node.input) > 1 else None
    return (0, max(1, int(depth.reshape(-1)[0]))) if depth is not None and depth.size else None


def _shape(node: Any, slot: int, scope: Scope, scopes: Scopes) -> tuple[int, ...]:
    if slot >= len(node.input) or not node.input[slot]:
        return ()
    return scopes.shape(node.input[slot], scope) or ()


def _positions(shape: tuple[int, ...], axis: int) -> Range | None:
    if not -len(shape) <= axis < len(shape) or shape[axis] <= 0:
        return None
    return 0, shape[axis]


_SIZE = Sink(_within(1, 5))
_ZERO = Sink(_within(0, 1))
_ONE = Sink(_within(1, 2))
_BIT = Sink(_within(0, 2))
_AXES = Sink(_within(0, 8), manner="ascending")
_WINDOW = Sink(_within(4, 12))
_LENGTH = Sink(lambda node, scope, scopes: None, manner="length")

SINKS: dict[tuple[str, int], Sink] = {
    ("Gather", 1): Sink(_axis_of(0, 0), from_end=True),
    ("GatherElements", 1): Sink(_axis_of(0, 0), from_end=True),
    ("ScatterElements", 1): Sink(_axis_of(0, 0), from_end=True),
    ("Scatter", 1): Sink(_axis_of(0, 0)),
    ("GatherND", 1): Sink(_any_axis, from_end=True),
    ("ScatterND", 1): Sink(_any_axis, from_end=True),
    ("ArrayFeatureExtractor", 1): Sink(_fixed_axis(0, -1)),
    ("NegativeLogLikelihoodLoss", 1): Sink(_fixed_axis(0, 1)),
    ("SoftmaxCrossEntropyLoss", 1): Sink(_fixed_axis(0, 1)),
    ("OneHot", 0): Sink(_one_hot),
    ("OneHot", 1): Sink(_within(2, 6)),
    # Contributed operators of ONNX Runtime that look something up.
    ("EmbedLayerNormalization", 0): Sink(_fixed_axis(2, 0)),
    ("EmbedLayerNormalization", 1): Sink(_fixed_axis(4, 0)),
    ("EmbedLayerNormalization", 7): _BIT,
    ("RotaryEmbedding", 1): Sink(_fixed_axis(2, 0)),
    ("GatherBlockQuantized", 1): Sink(_axis_of(0, 0)),
    # Shapes, counts and axes as data.
    ("Reshape", 1): Sink(_within(-1, 2), manner="free"),
    ("Expand", 1): _ONE,
    ("ConstantOfShape", 0): _SIZE,
    ("Tile", 1): Sink(_within(1, 3)),
    ("Slice", 1): _ZERO,
    ("Slice", 2): _SIZE,
    ("Slice", 3): _AXES,
    ("Slice", 4): _ONE,
    ("Pad", 1): Sink(_within(0, 3)),
    ("Pad", 3): _AXES,
    ("TopK", 1): _ONE,
    ("Range", 0): _ZERO,
    ("Range", 1): Sink(_within(3, 9)),
    ("Range", 2): _ONE,
    ("CumSum", 1): _ZERO,
    ("Squeeze", 1): _AXES,
    ("Unsqueeze", 1): _AXES,
    ("Trilu", 1): Sink(_within(-1, 2)),
    ("Resize", 2): Sink(_within(1, 3), manner="scales"),
    ("Resize", 3): Sink(_within(2, 12)),
    ("Upsample", 1): Sink(_within(1, 3), manner="scales"),
    ("SequenceAt", 1): _ZERO,
    ("SequenceInsert", 2): _ZERO,
    ("SequenceErase", 1): _ZERO,
    ("Loop", 0): Sink(_within(2, 5)),
    ("NonMaxSuppression", 2): Sink(_within(1, 9)),
    ("HannWindow", 0): _WINDOW,
    ("HammingWindow", 0): _WINDOW,
    ("BlackmanWindow", 0): _WINDOW,
    ("DFT", 1): _WINDOW,
    ("DFT", 2): _ONE,
    # Arithmetic that not every whole number survives.
    ("Div", 1): Sink(_within(1, 10), whole=True),
    ("Mod", 1): Sink(_within(1, 10), whole=True),
    ("BitShift", 1): Sink(_within(0, 4)),
    ("Pow", 1): Sink(_within(0, 4)),
    # Lengths.
    ("LSTM", 4): _LENGTH,
    ("GRU", 4): _LENGTH,
    ("RNN", 4): _LENGTH,
    ("ReverseSequence", 1): _LENGTH,
} | {
    (f"Reduce{kind}", 1): _AXES
    for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
}
