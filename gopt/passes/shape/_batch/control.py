"""How control flow carries the samples of a batch on: the bodies of If, Loop and Scan are walked through as well."""

from __future__ import annotations

from collections.abc import Sequence

from .... import ops
from ....ir import Graph, Op, TensorType, Value
from ....ops import attribute
from .layout import Along, Refusal
from .walk import Walk, rule


@rule("If")
def branches(w: Walk, op: Op) -> Sequence[Along | None]:
    """Both branches must leave the samples in the same places."""
    condition = op.inputs[0]
    if w.layout(condition) is not None:
        raise Refusal("the samples decide which branch is taken")
    if w.is_sized(condition):
        raise Refusal("the batch size decides which branch is taken")
    results: list[list[Along | None]] = []
    for body in op.bodies:
        _capture(op, body)
        w.graph(body)
        if any(map(w.is_sized, body.outputs)):
            raise Refusal("what it gives depends on the batch size")
        results.append([w.layout(v) for v in body.outputs])
    if results[0] != results[1]:
        raise Refusal("its branches leave the samples in different places")
    for slot, value in enumerate(op.outputs):
        if value is not None:
            value.type = op.bodies[0].outputs[slot].type
    return results[0]


@rule("Loop")
def loop(w: Walk, op: Op) -> Sequence[Along | None]:
    """What is carried has the samples in the same places after each turn; how many turns there are depends on none."""
    body, count = op.bodies[0], len(op.inputs) - 2
    for value in op.inputs[:2]:
        if w.layout(value) is not None or w.is_sized(value):
            raise Refusal("the samples decide how often it runs")
    carried = _carried(w, op, body.inputs[2:], op.inputs[2:], body.outputs[1 : 1 + count], 2)
    _capture(op, body)
    w.graph(body)
    condition, *results = body.outputs
    if w.layout(condition) is not None or w.is_sized(condition):
        raise Refusal("the samples decide how often it runs")
    found = _results(w, op, results, carried)
    return carried + [along if along is None else along.on(along.axis + 1) for along in found]


@rule("Scan")
def scan(w: Walk, op: Op) -> Sequence[Along | None]:
    """The same; samples must not lie along the axis that is scanned."""
    if not ops.is_current(op):
        raise Refusal("it is of a version that has a batch of its own")
    body, scanned = op.bodies[0], int(attribute(op, "num_scan_inputs"))
    states = len(op.inputs) - scanned
    axes = attribute(op, "scan_input_axes") or (0,) * scanned
    for value, inner, axis in zip(op.inputs[states:], body.inputs[states:], axes):
        along = w.layout(value)
        if along is None:
            continue
        axis %= w.rank(value)
        if along.axis == axis:
            raise Refusal("the samples lie along the axis that it scans")
        _enter(w, inner, along.on(along.axis - (along.axis > axis)))
    carried = _carried(w, op, body.inputs[:states], op.inputs[:states], body.outputs[:states], 0)
    _capture(op, body)
    w.graph(body)
    found = _results(w, op, body.outputs, carried)
    places = attribute(op, "scan_output_axes") or (0,) * len(found)
    made: list[Along | None] = []
    for along, axis, value in zip(found, places, op.outputs[states:]):
        if along is not None and axis < 0 and value is not None:
            axis += w.rank(value)
        made.append(along if along is None else along.on(along.axis + (along.axis >= axis)))
    return carried + made


def _capture(op: Op, body: Graph) -> None:
    """Give what a body takes from outside the types that it has there."""
    for inner, outer in op.captures.items():
        if inner.graph is body:
            inner.type = outer.type


def _enter(w: Walk, value: Value, along: Along) -> None:
    type_ = w.old[value]
    if not isinstance(type_, TensorType):
        raise Refusal(f"the type of {value.name} is not known")
    value.type = TensorType(type_.dtype, w.expected(value, along))
    w.at[value] = along


def _carried(
    w: Walk, op: Op, inside: Sequence[Value], given: Sequence[Value | None], back: Sequence[Value], first: int
) -> list[Along | None]:
    """Where the samples lie in what is carried; what has none yet but gets them in the body is repeated for each."""
    body = op.bodies[0]
    mixed = _tainted(w, op, body, inside, given, back)
    found: list[Along | None] = []
    for slot, (inner, value) in enumerate(zip(inside, given), first):
        along = w.layout(value)
        if along is None and inner in mixed and value is not None:
            possible = [Along(k) for k, dim in enumerate(w.shape(value)) if dim == w.was]
            if not possible:
                raise Refusal(f"{value.name}, with which it begins, has no axis for the samples")
            along = w.choose(possible)
            w.spread(op, slot, along)
        if along is not None:
            _enter(w, inner, along)
        elif w.is_sized(value):
            raise Refusal(f"it carries the batch size ({value.name if value is not None else ''})")
        found.append(along)
    return found


def _tainted(
    w: Walk, op: Op, body: Graph, inside: Sequence[Value], given: Sequence[Value | None], back: Sequence[Value]
) -> dict[Value, None]:
    """The values of a body that depend on samples, in some turn."""
    found = {inner: None for inner, outer in op.captures.items() if w.layout(outer) is not None}
    found |= {inner: None for inner, value in zip(inside, given) if w.layout(value) is not None}
    found |= {inner: None for inner in body.inputs if w.layout(inner) is not None}
    before = -1
    while before < len(found):
        before = len(found)
        for below in body.ops:
            operands = [v for v in (*below.inputs, *below.captures.values()) if v is not None]
            if below.op_type not in ("Shape", "Size") and any(v in found for v in operands):
                found |= {v: None for v in below.outputs if v is not None}
        found |= {inner: None for inner, value in zip(inside, back) if value in found}
    return found


def _results(w: Walk, op: Op, results: Sequence[Value], carried: Sequence[Along | None]) -> list[Along | None]:
    """See that what is carried comes back as it went in; where the samples lie in what is scanned out."""
    for value, along in zip(results, carried):
        if w.layout(value) != along or w.is_sized(value):
            raise Refusal(f"{value.name}, which it carries, does not come back as it went in")
    found = [w.layout(value) for value in results[len(carried) :]]
    if any(map(w.is_sized, results)):
        raise Refusal("what it gives depends on the batch size")
    for result, along in zip(op.outputs, (*carried, *found)):
        if result is not None and along is not None:
            result.type = None
    return found
