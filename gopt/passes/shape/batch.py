"""Another batch size than the one that the exporter baked in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import UsageError
from ...frontends.onnx.declare import declare
from ...ir import Dim, Model, Op, Symbol, TensorType, Value
from ...rewrite import Context, Numerics
from ..base import Pass, option, register
from ._batch import Maker, Plan, Refusal, plan
from ._batch.search import at_size, declared_shape
from ._declared import redeclare, reinfer


@register(alias=("set-batch", "rebatch"))
@dataclass(frozen=True)
class Batch(Pass):
    """Change the batch size, also where it is baked into reshapes, expansions, slices and initial states.

    `shape.batch:to=8` for another size, `to=batch` for a symbolic one. Where the samples lie is followed through the
    graph from the inputs: along their first axis, unless another one fits better or is given (`state=1`, `mask=none`).
    Each op must treat the samples of a batch apart; one that does not, or of which that is not known, is named and
    nothing changed. What the changed model computes for several samples is compared with the results of single ones.

    With `like=OTHER.onnx`, an export of the same model with another batch size, the constants in which the two differ
    say what must be changed.
    """

    in_family = False
    numerics = Numerics.ROUNDING  # a product of more rows adds up in another order
    to: str = option(help="the new batch size: a number, or a name for a symbolic one")
    was: int | None = option(
        None, help="the batch size that is baked in; by default what the first input declares, or 1"
    )
    like: Path | None = option(None, help="an export of the same model with another batch size")  # noqa: RUF009
    axes: dict[str, str] = field(
        default_factory=dict, metadata={"help": "the axis of an input along which the samples lie, or none"}
    )

    def __post_init__(self) -> None:
        if (
            (self.to.lstrip("-").isdecimal() and int(self.to) < 1)
            or not self.to
            or (self.was is not None and self.was < 1)
        ):
            raise UsageError(f"{self.name}: a batch size is at least 1")

    @property
    def size(self) -> int | None:
        """The new batch size, None for a symbolic one."""
        return int(self.to) if self.to.isdecimal() else None

    def run(self, model: Model, ctx: Context) -> None:
        """Change it.

        Raises:
            Refusal: it cannot be changed.
        """
        names = [f"batch={self.to}"]
        if not ctx.ledger.key(self.name, names).endswith(")"):
            return  # in a repeated group: done the first time
        made = self._plan(model)
        if ctx.edit(self.name, names, lambda: _apply(model, made, self.size, self.to), numerics=self.numerics):
            ctx.ledger.facts["rebatch"] = {
                "axes": made.axes,
                "was": made.was,
                "size": self.size,
                "outputs": {name: None if along is None else along.axis for name, along in made.outputs.items()},
                "proven": self.like is None,
            }

    def _plan(self, model: Model) -> Plan:
        axes: dict[str, int | None] = {}
        known = {v.name for v in model.graph.inputs}
        for name, text in self.axes.items():
            if name not in known:
                raise UsageError(f"{self.name}: the model has no input {name!r}")
            if text != "none" and not text.lstrip("-").isdecimal():
                raise UsageError(f"{self.name}: the axis of {name!r} is a number or none, not {text!r}")
            axes[name] = None if text == "none" else int(text)
        if self.like is not None:
            from ._batch.align import aligned

            return aligned(model, self.like, axes, self.was)
        return plan(model, axes, self.was)


def _apply(model: Model, made: Plan, size: int | None, name: str) -> tuple[Sequence[Op], Sequence[Op]]:
    inputs = {value.name: value for value in model.graph.inputs}
    first = next(iter(made.axes))
    maker = Maker(model, size, (inputs[first], made.axes[first]))
    for op, edit in made.edits:
        edit.make(maker, op)
    dim: Dim = model.symbol(name) if size is None else size
    docs = {value: value.declared for value in inputs.values()}
    names = _names(inputs.values())
    changed = at_size(model, made.axes, dim)
    for value in changed:
        now = value.declared
        value.declared = docs[value]
        declare(value, None if now is None else now.type)
    reinfer(model)
    redeclare(model, changed, names - _names(inputs.values()))
    _check(model, made, dim)
    return maker.gone, [op for op in maker.came if op.graph is not None]


def _names(inputs: Iterable[Value]) -> set[str]:
    """Names of dims that inputs are declared with."""
    shapes = (declared_shape(value) or () for value in inputs)
    return {dim.name for shape in shapes for dim in shape if isinstance(dim, Symbol)}


def _check(model: Model, made: Plan, dim: Dim) -> None:
    """See that the outputs are what the plan says.

    Raises:
        Refusal: one is not.
    """
    for value in model.graph.outputs:
        along = made.outputs.get(value.name)
        type_ = value.type
        if along is None or not isinstance(type_, TensorType) or type_.shape is None or not isinstance(dim, int):
            continue
        found, wanted = type_.shape[along.axis], along.size(dim)
        if isinstance(found, int) and isinstance(wanted, int) and found != wanted:
            raise Refusal(f"output {value.name!r} would have {found} elements along axis {along.axis}, not {wanted}")
