"""A model: the main graph, local functions, and what surrounds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .graph import Graph
from .node import Attr
from .types import Symbol

FunctionKey = tuple[str, str, str]
"""Domain, name and overload of a local function."""
# Real models give all of batch, height and width the name "?": equal sizes are not meant.
_NAMELESS = frozenset(("", "?", "-1", "None"))


@dataclass(eq=False, slots=True)
class Function:
    """A model-local function (ONNX IR specification, "Functions").

    Attributes:
        domain, name, overload: how ops refer to it.
        graph: the body; its opsets are the function's own.
        attributes: names of the attributes that a caller must give.
        defaults: attributes with a default value.
        extras: wire fields that the IR does not interpret.
    """

    domain: str
    name: str
    graph: Graph
    overload: str = ""
    attributes: tuple[str, ...] = ()
    defaults: dict[str, Attr] = field(default_factory=dict)
    extras: Any = None

    @property
    def key(self) -> FunctionKey:
        """What ops that call it are looked up by."""
        return (self.domain, self.name, self.overload)


@dataclass(eq=False, slots=True)
class Model:
    """What a model file holds.

    Attributes:
        graph: the main graph.
        ir_version: version of the ONNX IR that the file declares.
        functions: local functions by (domain, name, overload).
        symbols: the model's named dimensions, interned.
        path: the file it came from, if any.
        extras: wire fields that the IR does not interpret.
    """

    graph: Graph
    ir_version: int = 10
    functions: dict[FunctionKey, Function] = field(default_factory=dict)
    symbols: dict[str, Symbol] = field(default_factory=dict)
    path: Path | None = None
    extras: Any = None

    @property
    def opsets(self) -> dict[str, int]:
        """Domain -> imported version; the standard domain is ""."""
        return self.graph.opsets

    def symbol(self, name: str) -> Symbol:
        """The symbol for a named dimension of the model; a fresh one for what stands for a name that nobody knew."""
        if name in _NAMELESS:
            return Symbol(least=1)
        found = self.symbols.get(name)
        if found is None:
            found = self.symbols[name] = Symbol(name, least=1)
        return found

    def graphs(self) -> Iterator[Graph]:
        """The main graph, its bodies, then the graphs of the functions and theirs."""
        yield from self.graph.walk()
        for function in self.functions.values():
            yield from function.graph.walk()

    def uncalled(self) -> list[FunctionKey]:
        """Keys of the functions that the main graph calls neither directly nor through other functions."""
        called: dict[FunctionKey, None] = {}
        todo = [self.graph]
        while todo:
            for graph in todo.pop().walk():
                for op in graph.ops:
                    key = (op.domain, op.op_type, op.overload)
                    if key in self.functions and key not in called:
                        called[key] = None
                        todo.append(self.functions[key].graph)
        return [key for key in self.functions if key not in called]

    @property
    def version(self) -> int:
        """Counts edits; equal versions mean that nothing was changed in between."""
        if not self.functions and not self.graph.owners:
            return self.graph.version  # most models, most often asked
        return sum(graph.version for graph in self.graphs())

    def count_ops(self) -> int:
        """Ops in the main graph, bodies and functions; constants do not count."""
        return sum(len(graph) for graph in self.graphs())
