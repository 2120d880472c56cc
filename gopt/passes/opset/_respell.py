"""The same operator at another version: the op as it stands, or another spelling of it."""

from __future__ import annotations

from ...analysis import infer_op
from ...frontends.onnx.standard import type_complaint
from ...ir import Attr, AttrKind, DType, Op, TensorType, Value
from ...ops import NotAvailable, attribute, complaint, constant, is_bound, make, operands, schema
from ...ops.contents import entries
from ...ops.schemas import Schema
from ...ops.versions import CHANGED
from ...ops.view import MOVED, RENAMED, defaults_at, spelled_as_attribute
from ...rewrite import Numerics
from ._stage import Made, Target, settled


def since(known: Schema, version: int) -> int:
    """The version at which an operator got the schema that it has at `version`; 0 where it does not exist."""
    return max((v for v in known.since if v <= version), default=0) if known.available(version) else 0


def respelled(op: Op, target: Target) -> Made | None:
    """An op of today's meaning, through the newest schema's view; None if it may stay as it is.

    Raises:
        NotAvailable: the target lacks the operator, or this form of it.
    """
    known = schema(op.op_type)
    assert known is not None
    given = [_known_numbers(op, k, v, target.version) for k, v in enumerate(operands(op))]
    if op.op_type == "Resize" and op.opset < 13 <= target.version:
        given = [v if v is None or v.const is None or v.const.size else None for v in given]
    made = make(op.op_type, given, _newest(op, known), opsets=target.opsets, outputs=len(op.outputs), name=op.name)
    made.outputs = tuple(None if old is None else new for old, new in zip(op.outputs, made.outputs))
    _leave_out_defaults(made, op, known)
    same = _inputs(made) == _inputs(op) and _same_attrs(made.attrs, op.attrs)
    # Omitted operands at the end must go where the version has no place for them.
    same = same and len(op.inputs) <= max(known.many(target.version), len(_inputs(op)))
    if not same:
        infer_op(made)
        for old, new in zip(op.outputs, made.outputs):
            if old is not None and new is not None and new.type is None:
                new.type = old.type
    why = complaint(made) or type_complaint(op if same else made, target.version) or value_complaint(made)
    if why:
        raise NotAvailable(f"{op.op_type} would not do at version {target.version}: {why}")
    return None if same else settled(op, made.outputs, [made], Numerics.EXACT)


def _inputs(op: Op) -> tuple[Value | None, ...]:
    found = list(op.inputs)
    while found and found[-1] is None:
        found.pop()
    return tuple(found)


def _same_attrs(a: dict[str, Attr], b: dict[str, Attr]) -> bool:
    return a.keys() == b.keys() and all(
        x is y or (x.kind is y.kind and not x.ref and not y.ref and bool(x.value == y.value))
        for x, y in ((a[name], b[name]) for name in a)
    )


def _known_numbers(op: Op, place: int, value: Value | None, version: int) -> Value | None:
    """A computed operand that must become an attribute, as a constant if inference knows its elements."""
    if value is None or value.const is not None:
        return value
    if not any(m.slot == place and version < m.since for m in MOVED.get(op.op_type, ())):
        return value
    type_ = value.type
    if not isinstance(type_, TensorType) or not type_.dtype.is_integer:
        return value
    found = entries(value)
    if found is None or not all(type(n) is int for n in found):
        return value
    array = constant([int(n) for n in found if isinstance(n, int)])
    return array if type_.dtype is DType.INT64 else value


def _newest(op: Op, known: Schema) -> dict[str, object]:
    """Attributes as the newest schema has them; those that say nothing under today's meaning are left out."""
    moved = {m.name for m in spelled_as_attribute(op)}
    renamed = RENAMED.get(op.op_type)
    found: dict[str, object] = {}
    for name, attr in op.attrs.items():
        gone = name in known.kinds and name not in known.defaults
        if name not in moved and not gone:
            found[name] = attribute(op, name) if renamed is not None and renamed.name == name else attr
    here = defaults_at(known, op.op_type, op.opset)
    for name, default in known.defaults.items():
        if name not in op.attrs and here.get(name) not in (None, default):
            found[name] = here[name]
    return found


def _leave_out_defaults(made: Op, op: Op, known: Schema) -> None:
    """Take out what the op did not say and need not say at its new version either."""
    moved = {m.name for m in MOVED.get(op.op_type, ())}
    for name in [n for n in made.attrs if n not in op.attrs and n not in moved]:
        if made.attrs[name].value == known.default(name, made.opset):
            del made.attrs[name]


# Versions from which an operator of several meanings has today's set of them.
_ERAS = {name: version for name, (version, _) in CHANGED.items()} | {
    "BatchNormalization": 14,
    "Dropout": 12,
    "Upsample": 1,
}


def reads_alike(op: Op, target: Target) -> bool:
    """True if an op, whatever it means, is written and means the same at the target.

    For ops that the newest schema's view does not speak for: those of an older meaning, those with bodies, and those
    with attributes of the enclosing function.
    """
    known = schema(op.op_type)
    version, wanted = op.opset, target.version
    if known is None or not known.available(wanted):
        return False
    era = _ERAS.get(op.op_type, 0)
    if (version >= era) != (wanted >= era) or any(not known.has_attribute(n, wanted) for n in op.attrs):
        return False
    turns = [m.since for m in MOVED.get(op.op_type, ())]
    turns += [RENAMED[op.op_type].since] if op.op_type in RENAMED else []
    turns += [18] if op.op_type == "Split" and op.input(1) is None else []
    if any((version < turn) != (wanted < turn) for turn in turns):
        return False
    before, after = defaults_at(known, op.op_type, version), defaults_at(known, op.op_type, wanted)
    for name in known.kinds:
        if name not in op.attrs and before.get(name) != after.get(name):
            return False
    if wanted < 11 <= version and any(_counts_from_the_end(a) for n, a in op.attrs.items() if n in ("axis", "axes")):
        return False
    if not op.bodies:
        probe = Op(op.op_type, op.inputs, len(op.outputs), op.attrs)
        probe.imports = target.opsets
        if complaint(probe) or value_complaint(probe):
            return False
    return not type_complaint(op, wanted)


def _counts_from_the_end(attr: Attr) -> bool:
    numbers = attr.value if isinstance(attr.value, tuple) else (attr.value,)
    return bool(attr.ref) or any(isinstance(n, int) and n < 0 for n in numbers)


def with_references(op: Op, target: Target) -> Made:
    """An op whose attribute is one of the enclosing function, where that attribute became an operand.

    A Constant of the same reference gives the operand (ONNX operator Constant, `value_ints` and its like).

    Raises:
        NotAvailable: it cannot be said so.
    """
    known = schema(op.op_type)
    moves = {m.name: m for m in MOVED.get(op.op_type, ()) if op.opset < m.since <= target.version}
    refs = {name: attr for name, attr in op.attrs.items() if attr.ref}
    if known is None or target.version < 12 or not refs.keys() <= moves.keys() or len(moves) > 1:
        raise NotAvailable("an attribute is one of the enclosing function; inlining the function gives it a value")
    (name, attr), move = next(iter(refs.items())), next(iter(moves.values()))
    if attr.kind not in _CONSTANT or move.dtype is not _CONSTANT[attr.kind][1] or move.slot != len(op.inputs):
        raise NotAvailable("an attribute is one of the enclosing function; inlining the function gives it a value")
    holder = Op("Constant", (), 1, {_CONSTANT[attr.kind][0]: Attr(attr.kind, None, attr.ref)})
    rest = {n: a for n, a in op.attrs.items() if n != name}
    made = Op(op.op_type, [*op.inputs, holder.result], len(op.outputs), rest, "", op.name)
    for new in (holder, made):
        new.imports = target.opsets
    made.outputs = tuple(None if old is None else new for old, new in zip(op.outputs, made.outputs))
    if not is_bound(made) or complaint(made):
        raise NotAvailable("an attribute is one of the enclosing function; inlining the function gives it a value")
    return Made(made.outputs, [holder, made])


_CONSTANT = {AttrKind.INTS: ("value_ints", DType.INT64), AttrKind.FLOATS: ("value_floats", DType.FLOAT)}

# Operator, attribute, value -> versions (from, to) that know the value. Schemas do not list them.
_WORDS: dict[tuple[str, str], dict[str, tuple[int, int]]] = {
    ("Pad", "mode"): {"wrap": (19, 1 << 30)},
    ("Resize", "coordinate_transformation_mode"): {
        "half_pixel_symmetric": (19, 1 << 30),
        "tf_half_pixel_for_nn": (11, 12),
    },
    ("ScatterElements", "reduction"): {"max": (18, 1 << 30), "min": (18, 1 << 30)},
    ("ScatterND", "reduction"): {"max": (18, 1 << 30), "min": (18, 1 << 30)},
}


def value_complaint(op: Op) -> str:
    """What about values that schemas do not list is not permitted at the op's version; "" if nothing.

    Source: Changelog.md of ONNX, the attributes' descriptions.
    """
    for (op_type, name), words in _WORDS.items():
        if op.op_type != op_type or name not in op.attrs:
            continue
        least, most = words.get(op.attrs[name].value, (0, 1 << 30))
        if not least <= op.opset <= most:
            return f"{name} {op.attrs[name].value!r} is not known there"
    if op.op_type == "GridSample" and op.opset < 20:
        first = op.input(0)
        if first is not None and isinstance(first.type, TensorType) and first.type.rank not in (None, 4):
            return "there only pictures are sampled, of rank 4"
    return ""
