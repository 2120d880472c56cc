"""Where the inputs of a model go: what their elements index, count or are compared with.

A small forward walk over the protobuf model, independent of gopt's own loader and analysis on purpose: what checks the
rewriting does not rest on it. It follows an input through operators that only move or shift its elements, into bodies
and local functions, and notes at each place where the elements mean something which of them are legal there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..ir import DType
from .compare import coarser
from .graphs import Key, Scope, Scopes
from .sinks import SINKS, Sink

# Operators whose result holds elements of operand 0 (or of those slots), in whatever order and shape.
# fmt: off
_MOVES: dict[str, tuple[int, ...]] = dict.fromkeys((
    "Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape", "Transpose", "Flatten", "Clip", "Expand", "Tile", "Slice",
    "Split", "Pad", "Gather", "GatherElements", "GatherND", "ReduceMax", "ReduceMin", "Dropout", "Compress", "TopK",
    "Floor", "Ceil", "Round", "CastLike", "SequenceAt", "SplitToSequence", "ReverseSequence", "DepthToSpace",
    "SpaceToDepth", "Unique", "Optional", "OptionalGetElement", "ConcatFromSequence", "Scatter", "ScatterElements",
    "ScatterND", "Relu", "Upsample", "Resize", "MaxPool", "Trilu",
), (0,)) | {"Where": (1, 2)}
_ALL_SLOTS = frozenset({"Concat", "SequenceConstruct", "Max", "Min"})
# Elementwise operators of one operand: axes stay, elements do not (only the hints on dims go on).
_UNARY = frozenset((
    "Abs", "Neg", "Exp", "Log", "Sqrt", "Relu", "Sigmoid", "Tanh", "Erf", "Softmax", "LogSoftmax", "Elu", "Selu",
    "LeakyRelu", "HardSigmoid", "HardSwish", "Softplus", "Sign", "Reciprocal", "Floor", "Ceil", "Round", "Cast",
    "Identity", "Clip", "Dropout", "Not", "BatchNormalization", "InstanceNormalization", "Gelu", "Mish",
    "LayerNormalization", "QuantizeLinear", "DequantizeLinear", "Sin", "Cos",
))
_BINARY = frozenset({"Add", "Sub", "Mul", "Div"})
_COMPARISONS = frozenset({"Less", "LessOrEqual", "Greater", "GreaterOrEqual"})
_BOUNDING = frozenset({"Equal", "Clip", "Min", "Max", "Mod"})
_RANDOM = frozenset((
    "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial",
))
# fmt: on


@dataclass(slots=True)
class Usage:
    """What is known about the elements and dims of one input.

    Attributes:
        lo, hi: half-open range of legal elements, None where unknown.
        choices: values that the model compares the elements with.
        between: least and greatest of the numbers that a float is compared with.
        words: strings that the model knows.
        ties: numbers that the elements are compared with, in whatever way.
        manner: how the elements hang together (see `Sink`).
        from_end: wherever they are bounded they are indices, which may count from the end, below zero.
        is_float: the input is a float tensor; a range then means whole numbers in it.
        dims: axis -> sizes that a constant operand calls for.
    """

    lo: int | None = None
    hi: int | None = None
    choices: list[int] = field(default_factory=list)
    between: tuple[float, float] | None = None
    words: list[str] = field(default_factory=list)
    ties: list[float] = field(default_factory=list)
    manner: str = ""
    from_end: bool = True
    is_float: bool = False
    dims: dict[int, list[int]] = field(default_factory=dict)

    def restrict(self, lo: int | None, hi: int | None) -> None:
        """Intersect the range; what would leave nothing is ignored."""
        new_lo = self.lo if lo is None else lo if self.lo is None else max(lo, self.lo)
        new_hi = self.hi if hi is None else hi if self.hi is None else min(hi, self.hi)
        if new_lo is None or new_hi is None or new_lo < new_hi:
            self.lo, self.hi = new_lo, new_hi

    def hint(self, axis: int, size: int) -> None:
        """Note a size that an axis should have."""
        sizes = self.dims.setdefault(axis, [])
        if size > 0 and size not in sizes:
            sizes.append(size)


@dataclass(frozen=True, slots=True)
class _Flow:
    """Elements of the input somewhere in the graph: `scale * x + shift`; `axes`: input axis of each axis, if known."""

    scale: int = 1
    shift: int = 0
    values: bool = True
    axes: tuple[int, ...] | None = None


class Facts:
    """All that input making and comparison read of the model.

    Attributes:
        coarsest: the coarsest float type among inputs, weights and casts.
        random: names of the first results of random operators without a seed.
    """

    def __init__(self, model: Any) -> None:
        self.scopes = Scopes(model)
        self.coarsest = self._coarsest(model)
        self.random = [
            n.output[0]
            for n, _ in self.scopes.nodes
            if n.op_type in _RANDOM and not any(a.name == "seed" for a in n.attribute)
        ]

    def _coarsest(self, model: Any) -> DType:
        found = {i.data_type for i in model.graph.initializer}
        found |= {v.type.tensor_type.elem_type for v in model.graph.input}
        for node, _ in self.scopes.nodes:
            if node.op_type in {"Cast", "Constant", "ConstantOfShape"}:
                found |= {a.i for a in node.attribute if a.name == "to"}
                found |= {a.t.data_type for a in node.attribute if a.name == "value"}
        floats = [DType(k) for k in sorted(found) if k in DType._value2member_map_ and DType(k).is_float]
        coarsest = DType.DOUBLE if floats else DType.FLOAT
        for dtype in floats:
            # Weights of 8 bits and less are widened before they are computed with: they round nothing.
            coarsest = coarser(coarsest, dtype) if dtype.bits >= 16 else coarser(coarsest, DType.FLOAT)
        return coarsest

    def usage(self, name: str, rank: int | None, is_float: bool = False) -> Usage:
        """Follow one input of the main graph."""
        found = Usage(is_float=is_float)
        start = _Flow(axes=None if rank is None else tuple(range(rank)))
        seen: set[Key] = set()
        todo: list[tuple[Key, _Flow]] = [(((), name), start)]
        while todo:
            key, flow = todo.pop()
            if key in seen:
                continue
            seen.add(key)
            for node, slot, scope in self.scopes.uses.get(key, ()):
                self._meet(node, slot, scope, flow, found)
                todo.extend(self._onward(node, slot, scope, flow))
            todo.extend((up, flow) for up in self.scopes.leaves.get(key, ()))
        return found

    # -- where elements go on ------------------------------------------------------------------------------------------

    def _onward(self, node: Any, slot: int, scope: Scope, flow: _Flow) -> Iterator[tuple[Key, _Flow]]:
        for key in self.scopes.enters(node, slot, scope):
            yield key, _Flow(flow.scale, flow.shift, flow.values, None)
        op = node.op_type
        moves = flow.values and (op in _ALL_SLOTS or slot in _MOVES.get(op, ()))
        flows: _Flow | None = None
        axes = self._axes(node, slot, scope, flow)
        if moves:
            flows = _Flow(flow.scale, flow.shift, True, axes)
        elif op in _BINARY and flow.values and (shifted := self._affine(node, slot, scope, flow)):
            flows = _Flow(shifted[0], shifted[1], True, axes)
        elif axes is not None:
            flows = _Flow(values=False, axes=axes)
        if flows is not None:
            for result in node.output:
                if result:
                    yield self.scopes.key(result, scope), flows

    def _axes(self, node: Any, slot: int, scope: Scope, flow: _Flow) -> tuple[int, ...] | None:
        if flow.axes is None or (slot and node.op_type not in _BINARY):
            return None
        if node.op_type in _UNARY or node.op_type == "PRelu":
            return flow.axes
        if node.op_type == "Transpose":
            perm = self.scopes.attribute(node, "perm")
            if perm and len(perm) == len(flow.axes) == len(set(perm)):
                return tuple(flow.axes[k] for k in perm if -len(perm) <= k < len(perm))
            return flow.axes[::-1] if not perm else None
        if node.op_type in _BINARY:
            other = self.scopes.shape(node.input[1 - slot], scope) if len(node.input) == 2 else None
            return flow.axes if other is not None and len(other) <= len(flow.axes) else None
        return None

    def _affine(self, node: Any, slot: int, scope: Scope, flow: _Flow) -> tuple[int, int] | None:
        """Scale and shift after an Add, Sub or Mul with a whole number."""
        if len(node.input) != 2:
            return None
        array = self.scopes.array(node.input[1 - slot], scope)
        if array is None or array.size != 1 or array.dtype.kind not in "iuf" or float(array.item()) % 1:
            return None
        c = int(array.item())
        if node.op_type == "Add":
            return flow.scale, flow.shift + c
        if node.op_type == "Sub":
            return (flow.scale, flow.shift - c) if slot == 0 else (-flow.scale, c - flow.shift)
        return (flow.scale * c, flow.shift * c) if node.op_type == "Mul" and c else None

    # -- what they meet ------------------------------------------------------------------------------------------------

    def _meet(self, node: Any, slot: int, scope: Scope, flow: _Flow, found: Usage) -> None:
        if flow.axes is not None:
            for axis, size in self.scopes.wanted_dims(node, slot, scope, len(flow.axes)):
                if 0 <= axis < len(flow.axes):
                    found.hint(flow.axes[axis], size)
        if not flow.values:
            return
        sink = SINKS.get((node.op_type, slot))
        if sink is not None and not (sink.whole and found.is_float):
            self._sink(sink, node, scope, flow, found)
        if node.op_type in _COMPARISONS | _BOUNDING:
            self._ties(node, slot, scope, flow, found)
        if node.op_type in _COMPARISONS:
            self._bounds(node, slot, scope, flow, found)
        if node.op_type == "Equal":
            self._compared(node, slot, scope, flow, found)
        for name in (
            "keys_strings",
            "cats_strings",
            "pool_strings",
            "classlabels_strings",
            "string_vocabulary",
            "cats",
        ):
            found.words += [w for w in self.scopes.attribute(node, name) or () if isinstance(w, str)][:64]

    def _sink(self, sink: Sink, node: Any, scope: Scope, flow: _Flow, found: Usage) -> None:
        legal = sink.legal(node, scope, self.scopes)
        found.manner = found.manner or sink.manner
        if legal is None:
            return
        found.from_end &= sink.from_end and (flow.scale, flow.shift) == (1, 0)
        lo, hi = legal  # of scale * x + shift
        if flow.scale > 0:
            found.restrict(-((flow.shift - lo) // flow.scale), (hi - 1 - flow.shift) // flow.scale + 1)
        else:
            found.restrict(-((hi - 1 - flow.shift) // -flow.scale), (flow.shift - lo) // -flow.scale + 1)

    def _ties(self, node: Any, slot: int, scope: Scope, flow: _Flow, found: Usage) -> None:
        for name in (name for k, name in enumerate(node.input) if k != slot and name):
            array = self.scopes.array(name, scope)
            if array is None or array.dtype.kind not in "iuf":
                continue
            with np.errstate(all="ignore"):
                numbers = (np.unique(array)[:16].astype(np.float64) - flow.shift) / flow.scale
            found.ties += [c for c in numbers.tolist() if abs(c) < 2**31 and c not in found.ties]

    def _bounds(self, node: Any, slot: int, scope: Scope, flow: _Flow, found: Usage) -> None:
        array = self.scopes.array(node.input[1 - slot], scope) if len(node.input) == 2 else None
        if not found.is_float or array is None or array.dtype.kind not in "iuf" or not array.size:
            return
        ends = sorted((float(c) - flow.shift) / flow.scale for c in (array.min(), array.max()))
        if not np.isfinite(ends).all():
            return
        known = found.between or (ends[0], ends[1])
        found.between = min(known[0], ends[0]), max(known[1], ends[1])

    def _compared(self, node: Any, slot: int, scope: Scope, flow: _Flow, found: Usage) -> None:
        array = self.scopes.array(node.input[1 - slot], scope) if len(node.input) == 2 else None
        if array is None or array.size > 16:
            return
        if array.dtype.kind in "iuf":
            for c in np.ravel(array).tolist():
                if c == c and abs(c) < 2**31 and (c - flow.shift) % flow.scale == 0:
                    value = int((c - flow.shift) // flow.scale)
                    if value not in found.choices:
                        found.choices.append(value)
        elif array.dtype.kind == "O":
            found.words += [w.decode("utf-8", "replace") if isinstance(w, bytes) else str(w) for w in array.ravel()]
