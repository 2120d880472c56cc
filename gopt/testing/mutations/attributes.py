"""The mutation of attributes."""

from __future__ import annotations

from typing import Any

from ... import ops
from ...analysis.inference import type_of
from ...ir import Attr, AttrKind, Op, static_shape
from ..plans import Rng, pick
from .draft import Draft, mutation


@mutation("attribute", 2.5)
def attribute(draft: Draft, rng: Rng) -> None:
    """One attribute of an op is changed, added or left out."""
    found = [op for op in draft.graph.ops if not op.bodies and ops.schema(op.op_type, op.domain) is not None]
    if not found:
        return
    op = pick(rng, found)
    known = ops.schema(op.op_type, op.domain)
    assert known is not None
    names = [n for n in known.kinds if known.has_attribute(n, op.opset)]
    if op.attrs and rng.random() < 0.5:
        names = [n for n in names if n in op.attrs]
    if not names:
        return
    name = pick(rng, names)
    if name in op.attrs and rng.random() < 0.15:
        draft.graph.set_attr(op, name, None)
        return
    value = _attribute(op, name, known.kinds[name], op.attr(name, known.default(name, op.opset)), rng)
    if value is not None:
        draft.graph.set_attr(op, name, value)


_FLAGS = frozenset(
    {
        "allowzero",
        "antialias",
        "ceil_mode",
        "count_include_pad",
        "keepdims",
        "noop_with_empty_axes",
        "saturate",
        "training_mode",
        "transA",
        "transB",
    }
)
_WINDOW = frozenset({"kernel_shape", "strides", "dilations"})
_WORDS = {
    "auto_pad": ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"],
    "mode": ["constant", "reflect", "edge", "wrap", "nearest", "linear", "cubic", "DCR", "CRD"],
    "coordinate_transformation_mode": ["half_pixel", "asymmetric", "align_corners", "tf_half_pixel_for_nn"],
    "nearest_mode": ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"],
    "keep_aspect_ratio_policy": ["stretch", "not_larger", "not_smaller"],
    "direction": ["LEFT", "RIGHT"],
    "approximate": ["none", "tanh"],
}


def _attribute(op: Op, name: str, kind: AttrKind, old: Any, rng: Rng) -> Any:
    """Another value for an attribute; None if there is no idea of one."""
    if kind is AttrKind.STRING:
        return pick(rng, _WORDS[name]) if name in _WORDS else None
    if kind is AttrKind.FLOAT:
        return float(pick(rng, [0.0, 1.0, -1.0, 0.5, 2.0, 2.0 * (old or 1.0)]))
    if kind is AttrKind.INT:
        if name in _FLAGS:
            return int(rng.integers(2))
        one = 0 if old is None else int(old)
        number = pick(rng, [0, 1, -1, 2, 3, one - 1, one + 1, one - _rank(op)])
        return max(number, 1) if name in ("group", "blocksize") else number
    if kind is not AttrKind.INTS:
        return None
    if not old:
        spatial = max(_rank(op) - 2, 1)
        return [pick(rng, [1, 2] if name in _WINDOW else [0, 1, 2])] * (2 * spatial if name == "pads" else spatial)
    if rng.random() < 0.3:
        return [old[int(k)] for k in rng.permutation(len(old))]
    changed = list(old)
    place = int(rng.integers(len(changed)))
    one = changed[place]
    if name in _WINDOW:  # some kernels never end on a stride of 0
        changed[place] = max(pick(rng, [1, 2, 3, one - 1, one + 1]), 1)
    else:
        changed[place] = pick(rng, [0, 1, -1, 2, one - 1, one + 1, one - _rank(op)])
    return Attr(AttrKind.INTS, tuple(changed))


def _rank(op: Op) -> int:
    first = op.input(0)
    shape = None if first is None else static_shape(type_of(first))
    return 0 if shape is None else len(shape)
