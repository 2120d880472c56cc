"""From the newest spelling of an op to that of an older version of its operator."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ..errors import GoptError
from ..ir import ArrayTensor, Attr, AttrKind, Role, TensorType, Value, static_shape
from .schemas import Schema
from .shapes import axis_of, tensor
from .view import MOVED, RENAMED, Moved, defaults_at


class NotAvailable(GoptError):
    """The operator, or the form of it that is asked for, does not exist at the model's opset."""


class Form:
    """An op on its way from the newest spelling to that of a version."""

    def __init__(
        self, op_type: str, version: int, known: Schema, values: list[Value | None], attrs: dict[str, Any], outputs: int
    ) -> None:
        self.op_type = op_type
        self.version = version
        self.known = known
        self.values = values
        self.attrs = attrs
        self.outputs = outputs

    def spell(self) -> None:
        """Write everything as the version has it."""
        adapt = _ADAPT.get(self.op_type)
        if adapt is not None:
            adapt(self)
        for move in MOVED.get(self.op_type, ()):
            if self.version < move.since:
                self._to_attribute(move)
        self._check_operands()
        self._fit_attributes()
        if self.version < 11:
            self._count_axes_from_front()

    def fail(self, what: str) -> NotAvailable:
        """The error for something that the version does not have."""
        return NotAvailable(f"{self.op_type} has no {what} at version {self.version}")

    def operand(self, place: int) -> Value | None:
        """The operand in a slot."""
        return self.values[place] if place < len(self.values) else None

    def type(self, place: int) -> TensorType | None:
        """The type of the operand in a slot."""
        return tensor(self.operand(place))

    def numbers(self, place: int) -> list[Any] | None:
        """The elements of an operand that must be constant; None if it is absent."""
        value = self.operand(place)
        if value is None:
            return None
        if value.const is None:
            raise self.fail(f"computed operand {self.known.inputs[place]!r}")
        found: list[Any] = value.const.numpy().reshape(-1).tolist()
        return found

    def put(self, place: int, value: Value | None) -> None:
        """Set an operand."""
        self.values += [None] * (place + 1 - len(self.values))
        self.values[place] = value

    def _to_attribute(self, move: Moved) -> None:
        numbers = self.numbers(move.slot)
        if numbers is None:
            if move.default is not None:
                raise self.fail(f"default for {move.name!r}")
            return
        self.put(move.slot, None)
        single = move.scalar or self.known.kinds.get(move.name) in (AttrKind.INT, AttrKind.FLOAT)
        self.attrs[move.name] = numbers[0] if single else tuple(numbers)

    def _check_operands(self) -> None:
        present = sum(v is not None for v in self.values)
        if present < self.known.least(self.version):
            raise self.fail("form with so few operands")
        if self.outputs > self.known.most(self.version):
            raise self.fail("form with so many results")
        masks = self.known.masks(self.version)
        for place, value in enumerate(self.values):
            if value is None:
                continue
            if place >= len(masks) and not (self.known.variadic and masks):
                raise self.fail(f"operand {self.known.inputs[min(place, len(self.known.inputs) - 1)]!r}")
            type_ = tensor(value)
            if type_ is not None and not self.known.takes(place, type_.dtype, self.version):
                raise self.fail(f"operand {place} of type {type_.dtype.name.lower()}")

    def _fit_attributes(self) -> None:
        known, version = self.known, self.version
        renamed = RENAMED.get(self.op_type)
        if renamed is not None and version < renamed.since and renamed.name in self.attrs:
            back = {new: old for old, new in renamed.words.items()}
            wanted = back.get(self.attrs[renamed.name], self.attrs[renamed.name])
            self.attrs[renamed.name] = wanted
            if wanted is None:
                del self.attrs[renamed.name]
                return
        here = defaults_at(known, self.op_type, version)
        for name, default in known.defaults.items():
            if name not in self.attrs and default != here.get(name):
                self.attrs[name] = default
        for name in list(self.attrs):
            if known.has_attribute(name, version):
                continue
            if name in known.defaults and _same(name, _plain(self.attrs[name]), here[name]):
                del self.attrs[name]
            else:
                raise self.fail(f"attribute {name!r} with the value {_plain(self.attrs[name])!r}")

    def _count_axes_from_front(self) -> None:
        """Negative axes came with version 11."""
        for name in ("axis", "axes"):
            axes = _plain(self.attrs.get(name))
            listed = axes if isinstance(axes, tuple) else (axes,)
            if not any(isinstance(a, int) and a < 0 for a in listed):
                continue
            type_ = self.type(0)
            rank = None if type_ is None else type_.rank
            if rank is None:
                raise self.fail(f"negative {name!r}")
            rank += len(listed) if self.op_type == "Unsqueeze" else 0
            counted = tuple(axis_of(a, rank) for a in listed)
            self.attrs[name] = counted if isinstance(axes, tuple) else counted[0]


def _plain(value: Any) -> Any:
    if isinstance(value, Attr):
        value = value.value
    return tuple(value) if isinstance(value, list) else value


def _same(name: str, value: Any, default: Any) -> bool:
    """True if an attribute says what its absence says."""
    return bool(value == default) or (name == "dilations" and default is None and all(v == 1 for v in value))


def _constant(array: Any, hint: str) -> Value:
    tensor_ = ArrayTensor(np.asarray(array))
    return Value(hint, Role.CONST, tensor_, TensorType(tensor_.dtype, tensor_.shape))


def _drop_if(form: Form, place: int, neutral: Any, until: int) -> None:
    """An operand that came with version `until` may go if all its elements equal `neutral`."""
    if form.version < until and any(n != neutral for n in form.numbers(place) or ()):
        raise form.fail(f"operand {form.known.inputs[place]!r}")
    if form.version < until and form.operand(place) is not None:
        form.put(place, None)


def _dropout(form: Form) -> None:
    _drop_if(form, 2, False, 12)
    if form.version < 7:
        form.attrs["is_test"] = 1


def _batch_normalization(form: Form) -> None:
    if form.version < 6:
        raise form.fail("form without consumed_inputs")
    if form.version < 7:
        form.attrs["is_test"] = 1


def _slice(form: Form) -> None:
    _drop_if(form, 4, 1, 10)


def _pad(form: Form) -> None:
    """Before 18 all dims are padded, so that `axes` are spread over the rank."""
    if form.version >= 18 or (axes := form.numbers(3)) is None:
        return
    type_, pads = form.type(0), form.numbers(1)
    if type_ is None or type_.rank is None or pads is None:
        raise form.fail("operand 'axes' for an unknown rank")
    spread = [0] * (2 * type_.rank)
    for k, axis in enumerate(axes):
        place = axis_of(axis, type_.rank)
        spread[place], spread[place + type_.rank] = pads[k], pads[k + len(axes)]
    form.put(1, _constant(np.array(spread, np.int64), "pads"))
    form.put(3, None)


def _split(form: Form) -> None:
    """Before 18 parts without `split` are equal; from 18 on their number must be said."""
    explicit = form.operand(1) is not None
    parts = form.attrs.pop("num_outputs", form.outputs)
    parts = int(_plain(parts))
    if form.version >= 18:
        if not explicit:
            form.attrs["num_outputs"] = parts
        return
    if explicit:
        return
    if parts != form.outputs:  # which is not legal, and may be a number of any size
        raise form.fail("'num_outputs' that is not the number of results")
    type_ = form.type(0)
    if type_ is None or type_.shape is None:
        raise form.fail("'num_outputs' for an unknown size")
    size = type_.shape[axis_of(int(_plain(form.attrs.get("axis", 0))), len(type_.shape))]
    if not isinstance(size, int):
        raise form.fail("'num_outputs' for an unknown size")
    if size % parts:
        most = -(-size // parts)
        form.put(1, _constant(np.array([most] * (parts - 1) + [size - most * (parts - 1)], np.int64), "split"))


def _reduce(form: Form) -> None:
    """Without `noop_with_empty_axes` no axes mean all; with axes it says nothing."""
    since = MOVED[form.op_type][0].since
    if form.version >= since:
        return
    axes = form.numbers(1)
    if axes:
        form.attrs.pop("noop_with_empty_axes", None)
    elif axes is not None:
        form.put(1, None)


def _binary(form: Form) -> None:
    """Before 7 only a second operand is broadcast, and only on demand."""
    if form.version >= 7 or _equal_shapes(form):
        return
    a, b = form.type(0), form.type(1)
    if a is None or b is None or a.shape is None or b.shape is None:
        raise form.fail("broadcast of unknown shapes")
    if len(b.shape) > len(a.shape) or a.shape[len(a.shape) - len(b.shape) :] != b.shape:
        raise form.fail("broadcast of this kind")
    form.attrs["broadcast"] = 1


def _variadic(form: Form) -> None:
    if form.version < 8 and not _equal_shapes(form):
        raise form.fail("broadcast")


def _equal_shapes(form: Form) -> bool:
    types = [tensor(v) for v in form.values]
    shapes = [None if t is None else t.shape for t in types]
    return bool(shapes) and shapes[0] is not None and all(s == shapes[0] for s in shapes)


def _gemm(form: Form) -> None:
    if form.version < 7 and form.operand(2) is not None:
        form.attrs["broadcast"] = 1


def _reshape(form: Form) -> None:
    """A target without zeros means the same with and without `allowzero`."""
    if form.version < 14 and _plain(form.attrs.get("allowzero", 0)) and 0 not in (form.numbers(1) or (0,)):
        del form.attrs["allowzero"]


def _resize(form: Form) -> None:
    """Versions 11 and 12 want all of roi and scales; empty ones say nothing."""
    if 11 <= form.version < 13:
        for place, name in ((1, "roi"), (2, "scales")):
            if form.operand(place) is None:
                form.put(place, _constant(np.zeros(0, np.float32), name))


def _quantize(form: Form) -> None:
    """Before 13 there is one scale for all."""
    if form.version < 13:
        type_ = form.type(1)
        shape = static_shape(type_)
        if shape is None or prod(shape) != 1:
            raise form.fail("scale per axis")
        form.attrs.pop("axis", None)


_ADAPT: dict[str, Callable[[Form], None]] = {
    **{name: _reduce for name in MOVED if name.startswith("Reduce")},
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less"), _binary),
    **dict.fromkeys(("Max", "Min", "Mean", "Sum"), _variadic),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), _quantize),
    "BatchNormalization": _batch_normalization,
    "Dropout": _dropout,
    "Gemm": _gemm,
    "Pad": _pad,
    "Reshape": _reshape,
    "Resize": _resize,
    "Slice": _slice,
    "Split": _split,
}
