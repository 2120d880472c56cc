"""The one way to change a graph: a context that checks, inserts, moves uses, removes what died, and writes it down.

Rules (through the driver) and function passes alike end in `Context.replace`, so that legality, names, `--limit`, the
ledger and provenance are the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ..errors import GraphError
from ..ir import Graph, Model, Op, Role, TensorType, Type, Value, dead_ops
from .ledger import Ledger, Numerics, Origin

MEGABYTE = 1 << 20
_TINY = 64
"""Bytes of new constants that are not worth finding out what they replace."""
_FAR = 16
"""Ops that a rewrite is looked through for constants that die with it."""


class Context:
    """What a run carries along.

    Attributes:
        model: the model being rewritten.
        ledger: what was done.
        exact: commit only rewrites that are bit-exact.
        max_growth: bytes by which all rewrites together may enlarge the constants.
        growth: bytes by which they have.
        why: reason of the last refusal.
        gone: the ops that died with the last replacement.
    """

    def __init__(
        self, model: Model, ledger: Ledger | None = None, *, exact: bool = False, max_growth: int = 10 * MEGABYTE
    ) -> None:
        self.model = model
        self.ledger = Ledger() if ledger is None else ledger
        self.exact = exact
        self.max_growth = max_growth
        self.growth = 0
        self.why = ""
        self.gone: list[Op] = []

    def replace(
        self,
        rule: str,
        mapping: Mapping[Value, Value],
        staged: Sequence[Op] = (),
        *,
        numerics: Numerics = Numerics.EXACT,
    ) -> bool:
        """Put each value of `mapping` (old -> new) in place of an old one; what died goes.

        Args:
            rule: name for the ledger.
            mapping: values of one graph; the new ones are results of `staged` ops, constants (also detached), or values
                of the same graph that do not depend on the old ones.
            staged: detached ops in dataflow order; those that no new value needs are left out.
            numerics: what the rewrite promises.

        Returns:
            False, with the reason in `why` and nothing changed, if the run does not permit it or it is not legal.
        """
        graph = next(iter(mapping)).graph
        if graph is None:
            raise GraphError(f"{rule}: the value to replace is in no graph")
        key = self.ledger.key(rule, (old.name for old in mapping))
        needed = _needed(mapping.values(), staged)
        came, going = _growth(mapping, needed)
        self.why = (
            self._refusal(rule, key, numerics)
            or next((why for old, new in mapping.items() if (why := _illegal(old, new))), "")
            or _shared_export(mapping)
            or (
                "it would enlarge the constants beyond the limit"
                if self.growth + came - going > self.max_growth
                else ""
            )
        )
        if self.why:
            return False
        roots = {op: op.label for old in mapping if (op := old.producer) is not None}  # labels before names move
        constants = sum(new.graph is None and new.role is Role.CONST for new in mapping.values())
        _insert(graph, mapping, needed)
        gone, freed = _sweep(graph, tuple(roots), mapping)
        self.growth = max(self.growth + came - freed, 0)  # what was freed for nothing is no leave to grow
        self.gone = gone
        _name_nodes(needed, gone, roots)
        before = [Origin(roots.get(op) or op.label, op.entry) for op in gone]
        self.ledger.commit(rule, key, before, needed, constants, numerics)
        return True

    def remove(self, rule: str, dead: Sequence[Op]) -> int:
        """Remove ops whose results nobody needs (users before producers), an entry each; returns how many went."""
        count = 0
        for op in dead:
            graph = op.graph
            names = [v.name for v in op.outputs if v is not None]
            key = self.ledger.key(rule, names)
            if graph is None or (why := self._refusal(rule, key, Numerics.EXACT)):
                self.why = "" if graph is None else why
                continue
            if any(v is not None and v.is_needed for v in op.outputs):
                continue
            operands = operands_of(op)
            graph.remove(op)
            self.ledger.commit(rule, key, [Origin(op.label, op.entry)], ())
            release(graph, operands)
            count += 1
        return count

    def edit(
        self,
        rule: str,
        names: Sequence[str],
        change: Callable[[], tuple[Sequence[Op | Origin], Sequence[Op]] | None],
        *,
        numerics: Numerics = Numerics.EXACT,
    ) -> bool:
        """Make any other change: `change` edits the graph and returns the ops that went and came (None: nothing to do).

        It is called only if the run permits the entry; it must leave the model as it was where it returns None. An op
        that went may be given as its `Origin`, noted before the change moved names.
        """
        key = self.ledger.key(rule, names)
        self.why = self._refusal(rule, key, numerics)
        if self.why:
            return False
        done = change()
        if done is None:
            return False
        gone = [op if isinstance(op, Origin) else Origin(op.label, op.entry) for op in done[0]]
        self.ledger.commit(rule, key, gone, done[1], 0, numerics)
        return True

    def _refusal(self, rule: str, key: str, numerics: Numerics) -> str:
        if self.exact and numerics is not Numerics.EXACT:
            return "it is not exact"
        if not self.ledger.permits(rule, key):
            return "the limit is reached" if self.ledger.exhausted else "it is to be skipped"
        return ""


def contradiction(old: Type | None, new: Type | None) -> str:
    """Why a value of type `new` can't stand for one of type `old`; "" if it may."""
    if not isinstance(old, TensorType) or not isinstance(new, TensorType):
        return ""
    if old.dtype != new.dtype:
        return f"{new.dtype.name.lower()} would stand for {old.dtype.name.lower()}"
    if old.shape is None or new.shape is None:
        return ""
    if len(old.shape) != len(new.shape):
        return f"rank {len(new.shape)} would stand for rank {len(old.shape)}"
    for a, b in zip(old.shape, new.shape):
        if isinstance(a, int) and isinstance(b, int) and a != b:
            return f"shape {new.shape} would stand for {old.shape}"
    return ""


def _illegal(old: Value, new: Value) -> str:
    if old is new:
        return "it changes nothing"
    why = contradiction(old.type, new.type)
    if why or new.graph is None:
        return why
    if new.graph is not old.graph:
        return f"{new!r} lies in another graph"
    if old.is_output and (new.is_output or new.role is not Role.RESULT):
        # An export needs a name of its own; inputs, captures and other exports have one already, and so may constants.
        return f"output {old.name!r} would need a value of its own"
    return ""


def _shared_export(mapping: Mapping[Value, Value]) -> str:
    exported = [new for old, new in mapping.items() if old.is_output]
    return "two outputs would be one value" if len(set(exported)) < len(exported) else ""


def _needed(news: Iterable[Value], staged: Sequence[Op]) -> list[Op]:
    """The staged ops that the new values need, in their order."""
    wanted = set(news)
    kept = []
    for op in reversed(staged):
        if op.graph is None and any(v in wanted for v in op.outputs):
            kept.append(op)
            wanted.update(v for v in op.inputs if v is not None)
            wanted.update(op.captures.values())
    return kept[::-1]


def _growth(mapping: Mapping[Value, Value], staged: Sequence[Op]) -> tuple[int, int]:
    """Bytes of the constants that come, and of those that surely go."""
    came: dict[Value, None] = {v: None for v in mapping.values() if v.graph is None and v.tensor is not None}
    for op in staged:
        came.update((v, None) for v in op.inputs if v is not None and v.graph is None and v.tensor is not None)
    total = sum(v.tensor.nbytes for v in came if v.tensor is not None)
    if total <= _TINY:
        return 0, 0
    kept = {v for op in staged for v in op.inputs} | set(mapping.values())
    freed: dict[Value, None] = {}
    dead: dict[Op, None] = {}
    todo = [made for old in mapping if (made := old.producer) is not None]
    while todo and len(dead) < _FAR:
        died = todo.pop()
        dead[died] = None
        for value in died.inputs:
            if value is None or value in kept or not _dies(value, dead):
                continue
            above = value.producer
            if value.role is Role.CONST:
                freed[value] = None
            elif above is not None and above not in dead and all(_dies(v, dead) for v in above.outputs if v):
                todo.append(above)
    return total, sum(v.tensor.nbytes for v in freed if v.tensor is not None)


def _dies(value: Value, dead: Mapping[Op, None]) -> bool:
    """True if none but dead ops use it."""
    assert value.graph is not None
    users = value.graph.users(value)
    return not value.is_output and len(users) <= len(dead) and all(user in dead for user in users)


def _insert(graph: Graph, mapping: Mapping[Value, Value], staged: Sequence[Op]) -> None:
    root = next((op for old in mapping if (op := old.producer) is not None), None)
    for op in staged:
        if root is not None:
            op.order = root.order
        graph.add(op)
    fresh = {v for op in staged for v in op.outputs}
    pinned: dict[Value, None] = {}  # have the name of an output: what else they stand for must not take it away
    for old, new in mapping.items():
        is_new = new in fresh or new.graph is None
        if new.graph is None:
            if not new.name or new.role is Role.CONST:
                new.name = graph.names.fresh(new.name or old.name)
            graph.attach(new)
        elif new in fresh:
            graph.dirty.pop(new.producer, None)  # type: ignore[arg-type]
        exported = old.is_output
        graph.replace_uses(old, new, keep=staged)
        if exported or (is_new and new not in pinned):
            graph.swap_names(old, new)
            new.declared = old.declared
        if exported:
            pinned[new] = None
        if new.type is None:
            new.type = old.type


def _name_nodes(came: Sequence[Op], gone: Sequence[Op], roots: Mapping[Op, str]) -> None:
    """Hand node names that became free on, each once: ONNX Runtime refuses two nodes of one name.

    The last new op takes the name of the root; any other keeps the one it was staged with if its bearer is gone.
    """
    free = {op.name for op in gone if op.name}
    inherited = next((root.name for root in roots if root.name in free), "")
    for op in reversed(came):
        wanted = op.name or inherited
        inherited = ""
        op.name = wanted if wanted in free else ""
        free.discard(wanted)


def _sweep(graph: Graph, seeds: Sequence[Op], mapping: Mapping[Value, Value]) -> tuple[list[Op], int]:
    """Remove the ops at and above `seeds` that died, and constants and captures that only they used.

    Returns:
        The ops, and the bytes of the constants.
    """
    gone = dead_ops(graph, seeds)
    operands: dict[Value, None] = {old: None for old in mapping if old.role is not Role.RESULT}
    for op in gone:
        operands.update(operands_of(op))
        graph.remove(op)
    return gone, release(graph, operands)


def operands_of(op: Op) -> dict[Value, None]:
    """Operands and captured values of an op, each once."""
    found = {v: None for v in op.inputs if v is not None}
    found.update((outer, None) for outer in op.captures.values())
    return found


def release(graph: Graph, values: Mapping[Value, None]) -> int:
    """Take out constants and captures that nobody uses any more; outside, what a capture kept alive dies with it.

    Returns:
        The bytes of the constants that went.
    """
    freed = 0
    for value in values:
        if value.graph is not graph or value.role not in (Role.CONST, Role.CAPTURE):
            continue
        if value.is_needed:
            continue
        outer = value.outer
        if value.role is Role.CONST and value.tensor is not None:
            freed += value.tensor.nbytes
        graph.drop(value)
        if outer is not value and outer.graph is not None:
            freed += _release_outer(outer)
    return freed


def _release_outer(outer: Value) -> int:
    graph = outer.graph
    if graph is None or outer.is_needed:
        return 0
    if outer.role is Role.RESULT and outer.producer is not None:
        freed = 0
        for op in dead_ops(graph, [outer.producer]):
            operands = operands_of(op)
            graph.remove(op)
            freed += release(graph, operands)
        return freed
    return release(graph, {outer: None})
