"""What values depend on."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ...ir import Op, Value
from ...rewrite.context import operands_of


def upstream(values: Iterable[Value], stop: Collection[Value] = ()) -> tuple[dict[Op, None], dict[Value, None]]:
    """The ops that compute values of the main graph from those in `stop`; the inputs and constants that they take."""
    ops: dict[Op, None] = {}
    sources: dict[Value, None] = {}
    seen: set[Value] = set()
    todo = list(values)
    while todo:
        value = todo.pop()
        if value in seen or value in stop:
            continue
        seen.add(value)
        op = value.producer
        if op is None:
            sources[value] = None
        elif op not in ops:
            ops[op] = None
            todo.extend(operands_of(op))
    return ops, sources
