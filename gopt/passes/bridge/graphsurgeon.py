"""Scripts written for onnx-graphsurgeon, run as a pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ...errors import GoptError, ModelError, PassError, UsageError
from ...ir import Model, Op
from ...rewrite import Context, Numerics
from ..base import Pass, option, register
from ..plugins import execute, where


@register(alias="graphsurgeon")
@dataclass(frozen=True)
class Graphsurgeon(Pass):
    """Hands the model to a function that takes a `gs.Graph`: bridge.graphsurgeon:script=edit.py:prune

    The function changes the graph in place, or returns another one. The whole is one entry of the ledger: what the
    function did inside of it cannot be told apart, and what it does to the numbers is its author's affair.
    """

    numerics: ClassVar[Numerics] = Numerics.ROUNDING
    script: str = option(help="FILE.py:FUNCTION")

    def run(self, model: Model, ctx: Context) -> None:
        """Run the function.

        Raises:
            UsageError: there is no such file or function, it cannot be executed, or only exact rewrites are allowed.
            MissingComponentError: onnx-graphsurgeon is not installed.
            PassError: the function raised an error, or what it left is no valid graph.
        """
        path, function = self._function()
        if ctx.exact:
            raise UsageError(
                f"{self.name}: nothing is known of what {self.script} does to the numbers; leave out --exact"
            )

        def change() -> tuple[Sequence[Op], Sequence[Op]]:
            # Imported here: it brings protobuf, which nothing else in this room needs.
            from ...frontends.graphsurgeon import from_gs, to_gs

            before = _by_place(model)
            made = _call(function, to_gs(model), path)
            try:
                _replace(model, from_gs(made, model))
            except ModelError as error:
                raise PassError(f"{self.script} left no valid graph: {error}") from error
            after = _by_place(model)
            for place in before.keys() & after.keys():
                after[place].entry = before[place].entry
            gone = [op for place, op in before.items() if place not in after]
            return gone, [op for place, op in after.items() if place not in before]

        ctx.edit(self.name, [self.script], change, numerics=self.numerics)

    def _function(self) -> tuple[str, Callable[[Any], Any]]:
        path, colon, name = self.script.rpartition(":")
        if not colon or not path or not name:
            raise UsageError(f"{self.name}: script={self.script} is not FILE.py:FUNCTION")
        function = getattr(execute(path, "script"), name, None)
        if not callable(function):
            raise UsageError(f"{self.name}: {path} defines no function {name!r}")
        return path, function


Place = tuple[Any, ...]


def _by_place(model: Model) -> dict[Place, Op]:
    """All ops by type and the names of what they take and make: by that an op that was left alone is known again."""
    found: dict[Place, Op] = {}
    for graph in model.graphs():
        for op in graph.ops:
            names = tuple("" if v is None else v.name for v in (*op.inputs, *op.outputs))
            found[(op.domain, op.op_type, len(op.inputs), *names)] = op
    return found


def _call(function: Callable[[Any], Any], graph: Any, path: str) -> Any:
    try:
        returned = function(graph)
    except GoptError:
        raise
    except Exception as error:
        raise PassError(f"{path}: {where(error, path)}") from error
    return graph if returned is None else returned


def _replace(model: Model, new: Model) -> None:
    """Make `model` what `new` is."""
    model.graph = new.graph
    model.functions = new.functions
    model.symbols = new.symbols
    model.ir_version = new.ir_version
    model.extras = new.extras
