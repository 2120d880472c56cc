"""Inputs of fixed sizes, and inputs that become constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...errors import UsageError
from ...frontends.onnx.declare import declare
from ...ir import Array, Graph, Model, Op, TensorType, Value
from ...ir.tensor import ArrayTensor
from ...rewrite import Context
from ..base import Pass, Pins, option, register
from ._declared import redeclare, reinfer
from ._request import Settled, declared_tensor, settle


@register(alias="fix-shapes")
@dataclass(frozen=True)
class Fix(Pass):
    """Give inputs fixed sizes, or put a constant in the place of an input.

    `shape.fix:x=1x3x224x224` fixes an input (`?` leaves a dim as it is), `dim=batch=4` a named dim wherever it occurs,
    `dim=x.0=4` one dim of one input, and `freeze=sr=16000` makes an input a constant: a number, a list ("1,2,3", in
    quotes) or @file.npy. Types are inferred anew and declared as they are inferred: no stale size is left. Sizes that
    contradict each other, the model or its operators are an error; a size that the model has already cannot be changed.
    """

    in_family = False
    shapes: dict[str, str] = field(
        default_factory=dict, metadata={"help": "the sizes of an input, as 1x3x224x224; ? leaves one as it is"}
    )
    dim: tuple[str, ...] = option((), help="the size of a named dim, as batch=4, or of one of an input, as x.0=4")
    freeze: tuple[str, ...] = option((), help="a value in the place of an input, as sr=16000, or x=@file.npy")

    def __post_init__(self) -> None:
        if not (self.shapes or self.dim or self.freeze):
            raise UsageError(f"{self.name} needs an input's shape, a dim or a value: INPUT=1x3x224x224")

    def pins(self, model: Model) -> Pins:
        """At which sizes and values the fixed model can be compared with the model as it is now.

        Raises:
            UsageError: the request contradicts the model, or itself.
        """
        found = settle(model, self.shapes, self.dim, self.freeze)
        dims = dict(found.sizes)
        for name, shape in found.shapes.items():
            if name not in found.values:
                dims.update({f"{name}.{axis}": dim for axis, dim in enumerate(shape) if isinstance(dim, int)})
        return Pins(dims, found.values)

    def run(self, model: Model, ctx: Context) -> None:
        """Fix and freeze.

        Raises:
            UsageError: the request contradicts the model, or itself.
        """
        names = [*self.shapes, *self.dim, *(text.partition("=")[0] for text in self.freeze)]
        if not ctx.ledger.key(self.name, names).endswith(")"):
            return  # in a repeated group: done the first time
        found = settle(model, self.shapes, self.dim, self.freeze)
        ctx.edit(self.name, names, lambda: _apply(model, found))


def _apply(model: Model, found: Settled) -> tuple[Sequence[Op], Sequence[Op]] | None:
    inputs = {value.name: value for value in model.graph.inputs}
    if not found.shapes and not found.values:
        return None
    before = {v for graph in model.graphs() for v in graph.values if v.type is not None}
    changed: list[Value] = []
    for name, shape in found.shapes.items():
        value = inputs[name]
        type_ = declared_tensor(value)
        if type_ is not None and name not in found.values:
            declare(value, TensorType(type_.dtype, shape))
            changed.append(value)
    changed += [_frozen(model, inputs[name], array) for name, array in found.values.items()]
    for name in found.sizes:
        model.symbols.pop(name, None)
    reinfer(model)
    _check(model, before)
    redeclare(model, changed, found.sizes)
    return (), ()


def _frozen(model: Model, value: Value, array: Array) -> Value:
    """A constant under the name of an input, which goes."""
    graph = model.graph
    type_ = declared_tensor(value)
    constant = graph.add_const(ArrayTensor(array, None if type_ is None else type_.dtype), value.name)
    graph.replace_uses(value, constant)
    if value in graph.kept:
        del graph.kept[value]
        graph.kept[constant] = None
    graph.remove_input(value)
    graph.swap_names(value, constant)
    constant.declared = value.declared
    return constant


def _check(model: Model, before: set[Value]) -> None:
    """See that no operator has become one that cannot work, except in branches, which need not be taken.

    Raises:
        UsageError: one has.
    """
    for graph in model.graphs():
        if _is_branch(graph):
            continue
        for op in graph.ops:
            operands = [v for v in op.inputs if v is not None]
            lost = any(v is not None and v.type is None and v in before for v in op.outputs)
            if lost and all(v.type is not None for v in operands):
                given = ", ".join(f"{v.name}: {v.type}" for v in operands)
                raise UsageError(f"{op.label} cannot work with these sizes: {given}")


def _is_branch(graph: Graph) -> bool:
    """True for bodies of If, and those within."""
    owner = graph.owner
    return owner is not None and (owner.op_type == "If" or (owner.graph is not None and _is_branch(owner.graph)))
