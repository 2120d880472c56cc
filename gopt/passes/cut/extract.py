"""A part of the model, between named values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...errors import UsageError
from ...frontends.onnx.references import forget_references
from ...ir import Graph, Model, Op, Role, Value
from ...rewrite import Context, Origin
from ..base import Pass, option, register
from ._reach import upstream
from ._values import declare, find, interface_type

_Change = tuple[Sequence[Origin], Sequence[Op]]


@register(alias="extract")
@dataclass(frozen=True)
class Extract(Pass):
    """Leaves of the model what computes some values from others: extract:inputs=a+b;outputs=c

    What is cut through becomes an input, typed as inference finds it. Without `outputs` the model's own stay, without
    `inputs` those of the model that are needed; inputs with a default stay where they are needed, asked for or not.
    Bodies, called functions, opset imports and metadata come along; weights that are not needed are not even read.
    """

    in_family = False
    new_interface = True
    inputs: tuple[str, ...] = option((), help="values that are given; an unneeded one becomes an input all the same")
    outputs: tuple[str, ...] = option((), help="values that are wanted")

    def run(self, model: Model, ctx: Context) -> None:
        """Cut; one entry.

        Raises:
            UsageError: there is no such value, the outputs need inputs that are not given, or nothing is known of the
                type of an input.
        """
        if not (self.inputs or self.outputs):
            raise UsageError(f"{self.name}: needs inputs, outputs, or both")
        outputs = _outputs(model, self.outputs)
        inputs = find(model, self.inputs)
        stop = dict.fromkeys(inputs)
        if both := next((v for v in outputs if v in stop and v.role is not Role.INPUT), None):
            raise UsageError(f"value {both.name!r} can't be both an input and an output")
        ops, sources = upstream(outputs, stop)
        if self.inputs:
            _check_inputs(inputs, [v for v in model.graph.inputs if v in sources])
        else:
            inputs = [v for v in model.graph.inputs if v in sources and v.tensor is None]

        def change() -> _Change:
            return _cut(model, inputs, outputs, ops, sources), ()

        ctx.edit(self.name, [v.name for v in outputs], change)


def _outputs(model: Model, names: Iterable[str]) -> list[Value]:
    """The wanted values; inputs and constants only where the model exports them already.

    Raises:
        UsageError: there is no such value, or nothing computes it.
    """
    outputs = find(model, names) or list(model.graph.outputs)
    for value in outputs:
        if value.role is not Role.RESULT and not value.is_output:
            what = "an input" if value.role is Role.INPUT else "a constant"
            raise UsageError(f"value {value.name!r} is {what}, so that there is nothing to extract for it")
    return outputs


def _check_inputs(inputs: Sequence[Value], needed: Iterable[Value]) -> None:
    missing = [v.name for v in needed if v.tensor is None and v not in inputs]
    if missing:
        many = "s" if len(missing) > 1 else ""
        raise UsageError(f"the outputs also need the input{many} {', '.join(map(repr, missing))}")
    for value in inputs:
        if value.role is not Role.INPUT and interface_type(value) is None:
            raise UsageError(f"nothing is known of the type of {value.name!r}: it can't be an input")


def _cut(
    model: Model, inputs: Sequence[Value], outputs: Sequence[Value], ops: dict[Op, None], sources: dict[Value, None]
) -> list[Origin]:
    """Change the model; returns the ops that went."""
    graph = model.graph
    gone = [op for op in reversed(graph.ops) if op not in ops]
    origins = [Origin(op.label, op.entry) for op in gone]
    kept_inputs = [v for v in graph.inputs if v in sources and v.tensor is not None and v not in inputs]
    made = [v if v.role is Role.INPUT else _as_input(graph, v) for v in inputs]
    _export(graph, outputs)
    stays = {v.name for op in ops for v in op.outputs if v is not None}
    stays.update(v.name for v in (*sources, *made))
    forget_references(model, stays)
    for op in gone:
        graph.remove(op)
    for value in [v for v in graph.values if v.role is Role.CONST and not v.is_needed]:
        graph.drop(value)
    order = [*made, *kept_inputs]
    for value in [v for v in graph.inputs if v not in order]:
        graph.remove_input(value)
    graph.inputs[:] = order
    _forget_functions(model)
    return origins


def _as_input(graph: Graph, value: Value) -> Value:
    """An input in the place of a result or constant, under its name."""
    type_ = interface_type(value)
    made = graph.add_input(Value(graph.names.fresh(value.name), Role.INPUT, None, type_))
    graph.replace_uses(value, made)
    graph.swap_names(made, value)
    made.declared, value.declared = value.declared, None
    declare(made)
    return made


def _export(graph: Graph, outputs: Sequence[Value]) -> None:
    """Make these values the outputs."""
    known = list(graph.outputs)
    while graph.outputs:
        graph.remove_output(len(graph.outputs) - 1)
    for value in outputs:
        if value not in known:
            declare(value)
        graph.set_output(len(graph.outputs), value)


def _forget_functions(model: Model) -> None:
    """Take out the functions that nothing calls any more."""
    for key in model.uncalled():
        del model.functions[key]
