"""Intermediate values as outputs of the model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...errors import UsageError
from ...ir import Model, Op, Role, Value
from ...rewrite import Context
from ..base import Pass, option, register
from ._values import declare, find, results, suggestion

_Change = tuple[Sequence[Op], Sequence[Op]]


@register(alias="expose")
@dataclass(frozen=True)
class Expose(Pass):
    """Makes values that the model computes on its way outputs of it: expose:value=a+b

    They come after the outputs that are there, in dataflow order, typed as inference finds them: a size that is not
    known is left open, whatever the file declares. Several options select the union. What bodies of If, Loop and Scan
    or functions compute on their way is no value of the model and can't be exposed. An output stays what it is.
    """

    in_family = False
    new_interface = True
    value: tuple[str, ...] = option((), help="values by name")
    node: tuple[str, ...] = option((), help="all results of the nodes of these names")
    op_type: tuple[str, ...] = option((), help="all results of ops of these types, others than ONNX's as domain::Type")
    regex: tuple[str, ...] = option((), help="results whose name holds a match of a regular expression")
    all: bool = option(False, help="all results")

    def run(self, model: Model, ctx: Context) -> None:
        """Export what is selected; an entry each.

        Raises:
            UsageError: nothing is selected, or something that there is not.
        """
        graph = model.graph
        for value in self.select(model):
            if graph.exports(value):
                continue

            def change(value: Value = value) -> _Change:
                declare(value)
                graph.set_output(len(graph.outputs), value)
                return (), ()

            ctx.edit(self.name, [value.name], change)

    def select(self, model: Model) -> list[Value]:
        """The values that the options select, outputs among them, in dataflow order.

        Raises:
            UsageError: nothing is selected, or something that there is not.
        """
        if not (self.value or self.node or self.op_type or self.regex or self.all):
            raise UsageError(f"{self.name}: needs one of value, node, op_type, regex and all")
        wanted: dict[Value, None] = dict.fromkeys(self._by_value(model))
        for name in self.node:
            wanted.update(dict.fromkeys(_by_node(model, name)))
        for kind in self.op_type:
            wanted.update(dict.fromkeys(_by_type(model, kind)))
        for pattern in self.regex:
            wanted.update(dict.fromkeys(_by_regex(model, pattern)))
        return [value for _, value in results(model) if self.all or value in wanted]

    def _by_value(self, model: Model) -> Iterator[Value]:
        for value in find(model, self.value):
            if value.role is not Role.RESULT:
                what = "an input" if value.role is Role.INPUT else "a constant"
                raise UsageError(f"value {value.name!r} is {what}: only what an op computes can be exposed")
            yield value


def _by_node(model: Model, name: str) -> list[Value]:
    found = [value for op, value in results(model) if op.name == name]
    if found:
        return found
    for graph in model.graphs():
        owner = graph.owner
        if graph is not model.graph and any(op.name == name for op in graph.ops):
            where = f"a body of {owner.label}" if owner is not None else f"the function {graph.name!r}"
            raise UsageError(f"node {name!r} lies in {where}: what it computes is no value of the model's own")
    raise UsageError(f"there is no node {name!r}{suggestion(name, (op.name for op in model.graph.ops))}")


def _by_type(model: Model, kind: str) -> list[Value]:
    found = [value for op, value in results(model) if _kind(op) == kind]
    if found:
        return found
    counts = Counter(_kind(op) for graph in model.graphs() if graph is not model.graph for op in graph.ops)
    if kind in counts:
        raise UsageError(f"all {kind} of the model lie in bodies or functions, whose values can't be exposed")
    raise UsageError(f"the model has no {kind}{suggestion(kind, dict.fromkeys(_kind(op) for op in model.graph.ops))}")


def _by_regex(model: Model, pattern: str) -> list[Value]:
    try:
        search = re.compile(pattern).search
    except re.error as error:
        raise UsageError(f"{pattern!r} is no regular expression: {error}") from None
    found = [value for _, value in results(model) if search(value.name)]
    if not found:
        raise UsageError(f"no value has a name that matches {pattern!r}")
    return found


def _kind(op: Op) -> str:
    return f"{op.domain}::{op.op_type}" if op.domain else op.op_type
