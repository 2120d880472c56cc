"""Where a detector turns to NonMaxSuppression: the model before it, and what stands for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ... import ops
from ...errors import TargetError
from ...frontends import onnx as frontend
from ...frontends.onnx.declare import declare
from ...ir import Attr, DType, Graph, Model, Op, Role, Shape, Symbol, TensorType, Value

PLUGIN = "EfficientNMS_TRT"
DOMAIN = "trt.plugins"
_MOST = 4096
"""Boxes that the plugin gives at most."""


@dataclass(frozen=True)
class Tail:
    """NonMaxSuppression and what follows it.

    Attributes:
        op: the first NonMaxSuppression.
        ends: outputs of the model before it: what the tail takes of it, and outputs that do not depend on the tail.
        takes: what the tail takes.
        gives: outputs of the model that the tail computes.
    """

    op: Op
    ends: tuple[str, ...]
    takes: tuple[str, ...]
    gives: tuple[str, ...]


def find_tail(model: Model) -> Tail | None:
    """The tail of a model that begins at a NonMaxSuppression of the main graph; None if there is none."""
    graph = model.graph
    first = next((op for op in graph.ops if op.op_type == "NonMaxSuppression" and not op.domain), None)
    if first is None:
        return None
    tail = _downstream(graph, first)
    taken: dict[Value, None] = {}
    for op in graph.ops:
        if op in tail:
            operands = [v for v in (*op.inputs, *op.captures.values()) if v is not None]
            taken.update((v, None) for v in operands if v.const is None and v.producer not in tail)
    gives = [v for v in graph.outputs if v.producer in tail]
    ends = [v for v in taken if v.role is Role.RESULT]
    ends += [v for v in graph.outputs if v.producer not in tail and v not in ends]
    return Tail(
        first, tuple(v.name for v in ends), tuple(v.name for v in taken), tuple(dict.fromkeys(v.name for v in gives))
    )


def _downstream(graph: Graph, first: Op) -> dict[Op, None]:
    """An op and all that take, directly or not, what it gives."""
    found: dict[Op, None] = {first: None}
    todo = [first]
    while todo:
        for value in todo.pop().outputs:
            for user in graph.users(value) if value is not None else ():
                if user not in found:
                    found[user] = None
                    todo.append(user)
    return found


def check_plugin(tail: Tail) -> None:
    """See to it that the plugin can stand for a NonMaxSuppression, before anything is written.

    Raises:
        TargetError: the thresholds are not constant or let no box pass, or boxes or scores are no results of the model.
    """
    _attributes(tail.op)
    for value in tail.op.inputs[:2]:
        if value is None or value.name not in tail.ends:
            name = "" if value is None else value.name
            raise TargetError(f"{PLUGIN} cannot take {name!r}: it is no result of the model")


def append_plugin(path: Path, tail: Tail) -> None:
    """Let a model that was cut before a NonMaxSuppression end in TensorRT's own plugin.

    Its outputs are num_detections int32[batch,1], detection_boxes float[batch,n,4], detection_scores float[batch,n] and
    detection_classes int32[batch,n], in the place of the boxes and scores. The plugin counts boxes of all classes
    together, where the operator counts those of each class, and wants each box's smaller corner first.

    Raises:
        TargetError: as `check_plugin` does.
    """
    model = frontend.load(path)
    graph = model.graph
    boxes, scores = (_output(graph, tail.op.input(k)) for k in (0, 1))
    turned = graph.add(Op("Transpose", [scores], 1, {"perm": Attr.of([0, 2, 1])}))
    plugin = Op(PLUGIN, [boxes, turned.result], 4, _attributes(tail.op), DOMAIN)
    graph.opsets.setdefault(DOMAIN, 1)
    batch, many = Symbol("batch"), Symbol()
    kinds: tuple[tuple[str, DType, Shape], ...] = (
        ("num_detections", DType.INT32, (batch, 1)),
        ("detection_boxes", DType.FLOAT, (batch, many, 4)),
        ("detection_scores", DType.FLOAT, (batch, many)),
        ("detection_classes", DType.INT32, (batch, many)),
    )
    for value in (boxes, scores):
        if value.is_output:
            graph.remove_output(graph.outputs.index(value))
    for result, (name, _, _) in zip(plugin.outputs, kinds):
        assert result is not None
        result.name = graph.names.fresh(name)
    graph.add(plugin)
    for result, (_, dtype, shape) in zip(plugin.outputs, kinds):
        assert result is not None
        declare(result, TensorType(dtype, shape))
        graph.set_output(len(graph.outputs), result)
    frontend.save(model, path)


def _output(graph: Graph, value: Value | None) -> Value:
    name = "" if value is None else value.name
    found = next((v for v in graph.outputs if v.name == name and v.role is Role.RESULT), None)
    if found is None:
        raise TargetError(f"{PLUGIN} cannot take {name!r}: it is no result of the model")
    return found


def _attributes(op: Op) -> dict[str, Attr]:
    """The plugin's parameters from the operands of a NonMaxSuppression.

    Raises:
        TargetError: one is not constant, or no box may be given.
    """
    limits = []
    for slot, default in ((2, 0), (3, 0.0), (4, float("-inf"))):
        value = op.input(slot)
        if value is None:
            limits.append(default)
        elif value.const is None:
            raise TargetError(f"{PLUGIN} wants constants, but {op.label} computes {value.name!r}")
        else:
            limits.append(value.const.item())
    most, overlap, least = limits
    if most < 1:
        raise TargetError(f"{op.label} gives no boxes: max_output_boxes_per_class is {int(most)}")
    return {
        "background_class": Attr.of(-1),
        "box_coding": Attr.of(int(ops.attribute(op, "center_point_box") or 0)),
        "iou_threshold": Attr.of(float(overlap)),
        "max_output_boxes": Attr.of(min(int(most), _MOST)),
        "plugin_version": Attr.of("1"),
        "score_activation": Attr.of(0),
        "score_threshold": Attr.of(max(float(least), -3.0e38)),
    }
