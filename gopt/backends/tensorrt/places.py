"""Which op the parser or the builder means."""

from __future__ import annotations

from typing import Any

from ...ir import Model, Op
from ..base import Blocker, kind

_UNNAMED = "node_of_"
"""The parser names a layer after the first result of a node without a name."""


class Places:
    """The ops of a model by the names under which TensorRT knows them."""

    def __init__(self, model: Model) -> None:
        self._ops: dict[str, Op] = {}
        for graph in model.graphs():
            for op in graph.ops:
                for name in (op.name, *(v.name for v in op.outputs if v is not None)):
                    if name:
                        self._ops.setdefault(name, op)

    def op(self, name: str) -> Op | None:
        """The op that a layer's name stands for; layers that one op becomes have suffixes."""
        name = name.removeprefix(_UNNAMED)
        while name:
            if name in self._ops:
                return self._ops[name]
            for mark in ("_output", " + ", "_", ":", "."):
                head, _, tail = name.rpartition(mark)
                if head and (mark != "_" or tail.isdigit()):
                    name = head
                    break
            else:
                return None
        return None

    def blocker(self, stage: str, error: dict[str, Any]) -> Blocker:
        """An error of a stage as a blocker of the op that it means."""
        op = self.op(error.get("node") or "")
        text = error.get("text") or ""
        if text in ("", "false"):
            text = "the parser knows no such operator"
        label = op.label if op is not None else error.get("node") or ""
        op_type = kind(op) if op is not None else error.get("op") or ""
        return Blocker(label, op_type, stage, text, evidence="reported")
