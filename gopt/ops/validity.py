"""What makes an op one that no runtime takes: too few or too many operands, attributes missing or of another kind.

Passes may rely on what an operator's schema promises once this has been asked of every op of a model.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from ..ir import AttrKind, Op
from .schemas import newest, schema


class _Bounds(NamedTuple):
    least: int
    many: int
    firm: tuple[int, ...]
    need: tuple[str, ...]
    kinds: dict[str, AttrKind]


def complaint(op: Op) -> str:
    """What the op's schema forbids, in a few words; "" if nothing, or if the operator or its version is not known.

    Source: ONNX operator schemas, number of inputs and attributes.
    """
    bounds = _bounds(op.op_type, op.domain, op.opset)
    if bounds is None:
        return ""
    count = len(op.inputs)
    if count < bounds.least:
        return f"it takes at least {bounds.least} operands, not {count}"
    if count > bounds.many:
        return f"it takes at most {bounds.many} operands, not {count}"
    for slot in bounds.firm:
        if op.inputs[slot] is None:
            return f"operand {slot} is omitted"
    for name in bounds.need:
        if name not in op.attrs:
            return f"it has no attribute {name!r}"
    for name, attr in op.attrs.items():
        if attr.kind is not bounds.kinds.get(name, attr.kind):
            return f"attribute {name!r} is of kind {attr.kind.name}, not {bounds.kinds[name].name}"
    return ""


@cache
def _bounds(op_type: str, domain: str, version: int) -> _Bounds | None:
    known = schema(op_type, domain)
    if known is None or not version or version > newest(domain) or not known.available(version):
        return None
    # Cast's attribute was the name of a type before it was the number of one.
    kinds = {} if op_type == "Cast" and version < 6 else known.kinds
    least = known.least(version)
    firm = tuple(slot for slot in known.firm if slot < least)
    return _Bounds(least, known.many(version), firm, known.need(version), kinds)
