"""Dims that a file gives a name which stands for none: gopt reads them as nameless, other readers do not."""

from __future__ import annotations

from ...ir import Symbol, TensorType, Value
from ..wire import fields

# As the wire form of a dim has them (TensorShapeProto.Dimension, field 2).
_NAMES = (b"\x12\x01?", b"\x12\x02-1", b"\x12\x04None")
_TYPE = 2  # field of ValueInfoProto


def placeholders(value: Value) -> int:
    """How many dims of a value the file calls "?", "-1" or "None"."""
    declared = value.declared
    type_ = None if declared is None else declared.type
    if declared is None or declared.raw is None or not isinstance(type_, TensorType):
        return 0
    if not any(isinstance(dim, Symbol) and not dim.name for dim in type_.shape or ()):
        return 0
    raw = declared.raw
    said = [raw[at:stop] for number, _, at, _, stop in fields(raw, 0, len(raw)) if number == _TYPE]
    return sum(bytes(part).count(name) for part in said for name in _NAMES)
