"""One op to another opset: kept, respelled, modernized, decomposed, or refused."""

from __future__ import annotations

from collections.abc import Sequence

from ...analysis import infer_op
from ...frontends.onnx.standard import standard_body, type_complaint
from ...ir import Attr, Graph, Op, Value
from ...ir.clone import Mapping, clone_ops, clone_value
from ...ops import NotAvailable, attribute, is_bound, is_current, schema
from ...rewrite import Numerics
from ._newer import decomposed
from ._older import modernized
from ._respell import reads_alike, respelled, since, with_references
from ._stage import Made, Target, settled


def converted(op: Op, target: Target) -> Made | None:
    """What stands for an op of the standard domain at the target; None if the op may stay as it is.

    Raises:
        NotAvailable: nothing does; the message says why.
    """
    known = schema(op.op_type)
    if known is None:
        raise NotAvailable(f"gopt knows no operator {op.op_type}, so nothing of its versions")
    if 0 < since(known, op.opset) == since(known, target.version):
        return None
    if op.bodies or not is_bound(op) or not is_current(op):
        return _by_hand(op, target)
    try:
        return respelled(op, target)
    except NotAvailable as reason:
        return _replaced(op, target, reason)


def _by_hand(op: Op, target: Target) -> Made | None:
    """An op of which the newest schema's view does not speak."""
    if reads_alike(op, target):
        return None
    if op.bodies:
        raise NotAvailable(_differs(op, target))
    if not is_bound(op):
        return with_references(op, target)
    made = modernized(op, target)
    if made is None:
        raise NotAvailable(_differs(op, target))
    return made


def _differs(op: Op, target: Target) -> str:
    reason = type_complaint(op, target.version)
    if reason:
        return f"{op.op_type} would not do at version {target.version}: {reason}"
    return f"{op.op_type} computes something else at version {target.version} than at {op.opset}"


def _replaced(op: Op, target: Target, reason: NotAvailable) -> Made:
    """Other operators for what the target lacks: ours, else those of the schema's function body."""
    try:
        made = decomposed(op, target)
    except NotAvailable:
        made = None
    return _by_function(op, target, reason) if made is None else made


def _by_function(op: Op, target: Target, reason: NotAvailable) -> Made:
    """The function body that the schema gives for the op, each op of it converted in turn."""
    function = standard_body(op, target.version)
    if function is None or any(o.bodies for o in function.graph.ops):
        raise reason
    body = function.graph
    if len(op.inputs) > len(body.inputs) or len(op.outputs) > len(body.outputs):
        raise reason
    scratch = Graph("", dict(body.opsets), None if op.graph is None else op.graph.names)
    mapping: Mapping = {v: op.input(k) for k, v in enumerate(body.inputs)}

    def substitute(attr: Attr) -> Attr | None:
        value = attribute(op, attr.ref)
        return None if value is None else op.attrs.get(attr.ref) or Attr.of(value)

    try:
        clones = clone_ops(body, scratch, mapping, substitute)
        results = [clone_value(v, scratch, mapping) for v in body.outputs[: len(op.outputs)]]
    except KeyError:
        raise reason from None
    return _brought(op, target, reason, clones, results)


def _brought(
    op: Op, target: Target, reason: NotAvailable, clones: Sequence[Op], results: Sequence[Value | None]
) -> Made:
    """The copies of a function's ops at the target."""
    moved: dict[Value, Value] = {}
    staged: list[Op] = []
    for clone in clones:
        clone.inputs = tuple(None if v is None else moved.get(v, v) for v in clone.inputs)
        clone.name = ""
        infer_op(clone)
        try:
            made = converted(clone, target)
        except NotAvailable:
            raise reason from None
        if made is None:
            clone.imports = target.opsets
            staged.append(clone)
            continue
        staged += made.staged
        moved.update((a, b) for a, b in zip(clone.outputs, made.results) if a is not None and b is not None)
    return settled(op, [None if v is None else moved.get(v, v) for v in results], staged, Numerics.ROUNDING)
