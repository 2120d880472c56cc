"""Two exports of one model at different batch sizes: the constants in which they differ say where the batch is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import UsageError
from ....frontends.onnx import load
from ....ir import Array, Attr, AttrKind, Graph, Model, Op, Role, Tensor, Value
from .edits import Edit, Materialize, SetIndex, SetInts, SetSizes, same_for_all
from .layout import Along, Refusal, Size, Times
from .search import Plan, declared_shape


def aligned(model: Model, path: Path, axes: Mapping[str, int | None], was: int | None) -> Plan:
    """What must be changed in a model, learned from an export with another batch size.

    Args:
        model: the model that is to be changed.
        path: the other export.
        axes: the batch's axis of inputs, None for an input that has none.
        was: the batch size that the model has.

    Raises:
        UsageError: the two are not of one structure, or their inputs are of the same sizes.
        Refusal: they differ in something that does not follow from the batch size; the message names the op.
    """
    other = load(path)
    found, sizes = _inputs(model, other, axes)
    if not sizes:
        raise UsageError(f"{path}: its inputs are of the same sizes as those of the model")
    if len(sizes) > 1 or (was is not None and was != sizes[0][0]):
        raise UsageError(f"{path}: more than the batch size differs: {', '.join(f'{a} and {b}' for a, b in sizes)}")
    pair = _Pair(*sizes[0])
    pair.graph(model.graph, other.graph)
    return Plan(sizes[0][0], found, [(edit.op, edit) for edit in pair.edits])


def _inputs(
    model: Model, other: Model, given: Mapping[str, int | None]
) -> tuple[dict[str, int], list[tuple[int, int]]]:
    """The batch's axis of each input, and the sizes along it in both models."""
    twins = {v.name: v for v in other.graph.inputs}
    axes: dict[str, int] = {}
    sizes: list[tuple[int, int]] = []
    for value in model.graph.inputs:
        twin = twins.get(value.name)
        a, b = declared_shape(value), None if twin is None else declared_shape(twin)
        if twin is None or a is None or b is None or len(a) != len(b):
            raise UsageError(f"the other export has no input {value.name!r} like that of the model")
        for axis, (x, y) in enumerate(zip(a, b)):
            if isinstance(x, int) and isinstance(y, int) and x != y:
                if value.name in axes or given.get(value.name, axis) not in (axis, axis - len(a)):
                    raise UsageError(f"the sizes of input {value.name!r} differ along more than the batch")
                axes[value.name] = axis
                if (x, y) not in sizes:
                    sizes.append((x, y))
    return axes, sizes


class _Pair:
    """Two graphs side by side."""

    def __init__(self, was: int, then: int) -> None:
        self.was, self.then = was, then
        self.edits: list[Edit] = []
        self.twins: dict[Value, Value] = {}

    def graph(self, left: Graph, right: Graph) -> None:
        """Go through both.

        Raises:
            UsageError: they are not of one structure.
        """
        if len(left.ops) != len(right.ops):
            raise UsageError(f"the other export has {len(right.ops)} ops, the model {len(left.ops)}")
        self.twins.update(zip(left.inputs, right.inputs))
        for a, b in zip(left.ops, right.ops):
            if (a.op_type, a.domain, len(a.inputs), len(a.outputs)) != (
                b.op_type,
                b.domain,
                len(b.inputs),
                len(b.outputs),
            ):
                raise UsageError(f"{a.label}: in the other export {b.label} stands there")
            try:
                self._op(a, b)
            except Refusal as refusal:
                raise Refusal(f"{a.label}: {refusal}") from None

    def _op(self, a: Op, b: Op) -> None:
        for name in dict.fromkeys((*a.attrs, *b.attrs)):
            self._attribute(a, name, a.attrs.get(name), b.attrs.get(name))
        for slot, (x, y) in enumerate(zip(a.inputs, b.inputs)):
            if x is None or y is None:
                if x is not y:
                    raise Refusal(f"operand {slot} is absent in one of the exports")
            elif x.const is not None and y.const is not None:
                self._constant(a, slot, x.const, y.const)
            elif x.role is Role.CAPTURE and y.role is Role.CAPTURE:
                self._same(slot, x.outer, y.outer)
            else:
                self._same(slot, x, y)
        self.twins.update((x, y) for x, y in zip(a.outputs, b.outputs) if x is not None and y is not None)
        for left, right in zip(a.bodies, b.bodies):
            self.graph(left, right)

    def _same(self, slot: int, x: Value, y: Value) -> None:
        if self.twins.get(x) is not y:
            raise Refusal(f"operand {slot} comes from elsewhere in the other export")

    def _attribute(self, op: Op, name: str, a: Attr | None, b: Attr | None) -> None:
        if a is None or b is None or a.kind is not b.kind:
            raise Refusal(f"attribute {name} is not there in both exports")
        if a.kind in (AttrKind.GRAPH, AttrKind.GRAPHS):
            return
        if a.kind in (AttrKind.INT, AttrKind.INTS):
            single = a.kind is AttrKind.INT
            x, y = ((a.value,), (b.value,)) if single else (a.value, b.value)
            if x != y:
                if len(x) != len(y):
                    raise Refusal(f"attribute {name} has another length in the other export")
                self.edits.append(SetInts(op, 0, name, tuple(self._sizes(x, y)), single))
            return
        if isinstance(a.value, Tensor) and isinstance(b.value, Tensor):
            same = a.value.shape == b.value.shape and _equal(a.value.numpy(), b.value.numpy())
        else:
            same = (
                a.kind not in (AttrKind.FLOAT, AttrKind.STRING, AttrKind.FLOATS, AttrKind.STRINGS) or a.value == b.value
            )
        if not same:
            raise Refusal(f"attribute {name} is another one in the other export")

    def _constant(self, op: Op, slot: int, a: Tensor, b: Tensor) -> None:
        if a.dtype is not b.dtype or len(a.shape) != len(b.shape):
            raise Refusal(f"operand {slot} is of another type in the other export")
        x, y = a.numpy(), b.numpy()
        if a.shape == b.shape:
            if _equal(x, y):
                return
            if not a.dtype.is_integer or x.ndim > 1:
                raise Refusal(f"operand {slot}, a constant, is another one in the other export")
            self.edits.append(SetSizes(op, slot, tuple(self._sizes(x.ravel().tolist(), y.ravel().tolist()))))
            return
        axes = [k for k, (m, n) in enumerate(zip(a.shape, b.shape)) if m != n]
        axis = axes[0]
        size = a.shape[axis] // self.was
        if len(axes) > 1 or (size * self.was, size * self.then) != (a.shape[axis], b.shape[axis]):
            raise Refusal(f"operand {slot} is of {list(a.shape)} and {list(b.shape)}, which is not the batch alone")
        self.edits.append(self._grown(op, slot, x, y, axis, size))

    def _grown(self, op: Op, slot: int, x: Array, y: Array, axis: int, size: int) -> Edit:
        for outer in (d for d in range(1, size + 1) if size % d == 0):
            along = Along(axis, outer, size // outer)
            if not (same_for_all(x, along, self.was) and same_for_all(y, along, self.then)):
                continue
            first = [np.take(_parts(v, along, n), 0, axis + 1) for v, n in ((x, self.was), (y, self.then))]
            if _equal(*first):
                return Materialize(op, slot, along, self.was)
        if x.dtype.kind == "i" and size == 1:
            base, long = np.take(x, [0], axis), x if self.was > 1 else y
            step = np.take(long, [1], axis) - np.take(long, [0], axis)
            place = [-1 if k == axis else 1 for k in range(x.ndim)]
            counted = [base + np.arange(n).reshape(place) * step for n in (self.was, self.then)]
            if _equal(counted[0], x) and _equal(counted[1], y):
                return SetIndex(op, slot, axis, base.astype(np.int64), step.astype(np.int64))
        raise Refusal(f"operand {slot}, a constant, holds something else for each sample")

    def _sizes(self, x: Any, y: Any) -> Iterator[Size]:
        """Each number as one that stays, or as a multiple of the batch size and a number."""
        for a, b in zip(x, y):
            if a == b:
                yield int(a)
                continue
            factor, rest = divmod(b - a, self.then - self.was)
            if rest:
                raise Refusal(f"{a} and {b} are no multiples of the batch sizes {self.was} and {self.then}")
            yield Times(int(factor), int(a - factor * self.was))


def _parts(array: Array, along: Along, batch: int) -> Array:
    outer, inner = along.numbers()
    return array.reshape(*array.shape[: along.axis], outer, batch, inner, *array.shape[along.axis + 1 :])


def _equal(a: Array, b: Array) -> bool:
    return bool(np.all((a == b) | ((a != a) & (b != b))))
