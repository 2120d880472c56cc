"""The driver: a worklist that applies rules until none matches, and owns the legality of what they do.

Rules are looked up by the type of an op and the types of its operands' producers; the lookup is computed once for each
combination that occurs, so that an op without a candidate costs one dictionary access. After a commit only what can
have become a match is tried again: the new ops, the users within pattern depth of what changed, and the users of values
that just became single-use. Requeuing all users instead is quadratic where constants fan out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache

from .. import analysis, ops
from ..errors import GoptError, PassError, RewriteLoopError
from ..ir import DType, Graph, Op, Role, Tensor, Value
from .builder import Reject, RejectError, Rewriter
from .context import Context
from .form import keywords
from .match import Match, matches
from .pattern import Const, Each, Either, OpPattern, Optional_, Pattern
from .rule import Rule

_CONST = "="
_ZERO, _ONE, _NEITHER = "=0", "=1", "=?"
_NUMBERS = {_ZERO: (1,), _ONE: (0,), _NEITHER: (0, 1)}
"""What the constants of each kind are not."""
_OTHER = ""
_MANY = 1 << 16
_FEW = 64
_MAX_GENERATION = 200
"""An op remade by so many commits in a row, none of which left fewer ops, is in a loop; honest chains are short."""

_HELD = (Role.RESULT, Role.CONST)
"""What a rule may want nothing else to use: it would be computed, or stored, twice."""

Key = tuple[str, ...]
Candidate = tuple[Rule, OpPattern]
"""A rule, and the one of its roots that may fit."""


class RuleIndex:
    """Candidate rules by root type and operand producers; built once for a list of rules."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.by_type: dict[tuple[str, str], list[tuple[Rule, OpPattern]]] = {}
        for rule in rules:
            for root in rule.roots:
                for op_type in root.types:
                    self.by_type.setdefault((root.domain, op_type), []).append((rule, root))
        self._by_number: dict[tuple[str, str], bool] = {}
        self._cache: dict[tuple[str, str, Key], tuple[Candidate, ...]] = {}

    @cached_property
    def depth(self) -> int:
        """Ops on the longest path in any pattern; most small models never ask."""
        return max((p.depth() for r in self.rules for p in r.roots), default=0)

    def candidates(self, op: Op) -> tuple[Candidate, ...]:
        """The rules whose root and first level of operands fit the op, in the order in which they were given."""
        kind = (op.domain, op.op_type)
        rules = self.by_type.get(kind)
        if rules is None:
            return ()
        by_number = self._by_number.get(kind)
        if by_number is None:
            by_number = self._by_number[kind] = any(_asks_for_number(root) for _, root in rules)
        key = (op.domain, op.op_type, operand_key(op, by_number))
        found = self._cache.get(key)
        if found is None:
            fitting = []
            # Where an attribute became an operand, the slots as spelled say nothing: every rule of the type may fit.
            moved = ops.operands(op) is not op.inputs
            for rule, root in rules:
                if moved or _could_fit(root, key[2], op):
                    fitting.append((rule, root))
            found = self._cache[key] = tuple(fitting)
        return found


def operand_key(op: Op, with_numbers: bool = False) -> Key:
    """For each operand the type of the op that makes it, or that it is constant (and starts with what), or neither."""
    key = []
    for value in op.inputs:
        if value is None:
            key.append("-")
        elif value.role is Role.RESULT:
            producer = value.producer
            key.append(_OTHER if producer is None else producer.op_type)
        elif value.role is Role.INPUT or (constant := value.const) is None:
            key.append(_OTHER)
        else:
            key.append(_number(constant) if with_numbers else _CONST)
    return tuple(key)


def _number(constant: Tensor) -> str:
    """Most rules that want a constant of some number want 0 or 1, and most constants are neither."""
    if constant.size > _MANY or constant.dtype is DType.STRING:
        return _CONST
    if not constant.size:
        return _NEITHER
    first = constant.numpy().item(0)
    return _ZERO if first == 0 else _ONE if first == 1 else _NEITHER


def _asks_for_number(root: OpPattern) -> bool:
    return any(isinstance(p, Const) and p.value in (0, 1) for p in (*root.operands, *root.named.values()))


def _could_fit(root: OpPattern, key: Key, op: Op) -> bool:
    named, _ = keywords(root, op.op_type)
    if any(isinstance(p, Each) for p in root.operands):
        return True
    wanted = [*enumerate(root.operands), *named]
    if all(_slot_fits(pattern, key[slot] if slot < len(key) else "-") for slot, pattern in wanted):
        return True
    found = ops.opdef(op)
    if found is None or not found.commutative or len(root.operands) != 2 or len(key) != 2:
        return False
    return _slot_fits(root.operands[0], key[1]) and _slot_fits(root.operands[1], key[0])


def _slot_fits(pattern: Pattern, kind: str) -> bool:
    if isinstance(pattern, Optional_):
        return kind == "-" or _slot_fits(pattern.inner, kind)
    if kind == "-":
        return False
    if isinstance(pattern, Const):
        return kind == _CONST or (kind in _NUMBERS and pattern.value not in _NUMBERS[kind])
    if isinstance(pattern, OpPattern):
        return kind in pattern.types
    if isinstance(pattern, Either):
        return any(_slot_fits(c, kind) for c in pattern.choices)
    return True


class Driver:
    """Applies the rules of an index to one model.

    Attributes:
        retyped: ops whose types what was rewritten above them has changed.
    """

    def __init__(self, ctx: Context, index: RuleIndex) -> None:
        self.ctx = ctx
        self.index = index
        self._queue: deque[Op] = deque()
        self._queued: set[Op] = set()
        self._generation: dict[Op, int] = {}
        self.retyped: list[Op] = []

    def run(self, seeds: Iterable[Op] | None = None) -> int:
        """Rewrite until no rule matches; returns the number of commits.

        Args:
            seeds: ops to start from (and their users within pattern depth); None for all.

        Raises:
            RewriteLoopError: rules undo each other for ever.
            PassError: a rule raised.
        """
        analysis.infer(self.ctx.model)
        start = len(self.ctx.ledger.entries)
        if seeds is None:
            for graph in self.ctx.model.graphs():
                for op in graph.ops:
                    self._push(op)
        else:
            self._push_below(seeds)
        while self._queue and not self.ctx.ledger.exhausted:
            self._work_off()
            retyped = analysis.infer(self.ctx.model)
            self.retyped += retyped
            self._push_below(retyped)
        return len(self.ctx.ledger.entries) - start

    def _work_off(self) -> None:
        while self._queue and not self.ctx.ledger.exhausted:
            op = self._queue.popleft()
            self._queued.discard(op)
            if _is_alive(op):
                for rule, root in self.index.candidates(op):
                    if self._apply(rule, root, op):
                        break

    def _push(self, op: Op) -> None:
        if op not in self._queued and (op.domain, op.op_type) in self.index.by_type:
            self._queued.add(op)
            self._queue.append(op)

    def _push_below(self, changed: Iterable[Op]) -> None:
        """Queue ops and their users within pattern depth, each once."""
        level = dict.fromkeys(op for op in changed if op.graph is not None)
        seen = set(level)
        for _ in range(max(self.index.depth, 1)):
            below: dict[Op, None] = {}
            for op in level:
                self._push(op)
                if op.graph is not None:
                    for value in op.outputs:
                        if value is not None:
                            below.update((user, None) for user in op.graph.users(value) if user not in seen)
            if not below:
                return
            seen.update(below)
            level = below

    def _apply(self, rule: Rule, root: OpPattern, op: Op) -> bool:
        ledger = self.ctx.ledger
        if rule.since > op.opset and not op.domain:
            return False
        for match in matches(root, op):
            why = _not_legal(match)
            if not why:
                why = self._build_and_commit(rule, op, match)
                if not why:
                    return True
            ledger.reject(rule.name, op, why)
            if op.graph is None:
                break
        return False

    def _build_and_commit(self, rule: Rule, op: Op, match: Match) -> str:
        """Commit one match; returns why not, or ""."""
        graph = op.graph
        assert graph is not None
        rw = Rewriter(graph, op)
        captures = {name: match.bindings.get(name) for name in captured(rule)}
        try:
            built = rule.fn(rw, **captures)
        except (ops.NotAvailable, RejectError) as error:
            return str(error)
        except GoptError:
            raise
        except Exception as error:
            what = f"rule {rule.name} failed on {op.label}: {type(error).__name__}: {error}"
            raise PassError(what, rule.name) from error
        if isinstance(built, Reject):
            return built.reason
        mapping = _mapping(rule, op, built)
        if isinstance(mapping, str):
            return mapping
        matched = list(match.ops)
        operands = {v: None for m in matched for v in m.inputs if v is not None}
        generation = max(self._generation.get(m, 0) for m in matched)
        moved = [user for old in mapping if old.graph is graph for user in graph.users(old)]
        if not self.ctx.replace(rule.name, mapping, rw.staged, numerics=rule.numerics):
            return self.ctx.why
        for gone in self.ctx.gone:  # what died above the match held its operands, too
            operands.update((v, None) for v in gone.inputs if v is not None)
        entry = self.ctx.ledger.entries[-1]
        if len(entry.after) >= len(entry.before):  # what only ever makes fewer ops of more comes to an end
            generation += 1
        self._requeue(graph, mapping, rw.staged, operands, generation, moved)
        return ""

    def _requeue(
        self,
        graph: Graph,
        mapping: dict[Value, Value],
        staged: list[Op],
        operands: dict[Value, None],
        generation: int,
        moved: list[Op],
    ) -> None:
        for op in staged:
            if op.graph is not None:
                self._generation[op] = generation
                self._push(op)
        if generation > _MAX_GENERATION:
            raise RewriteLoopError(self._cycle(), self.ctx.ledger.entries[-1].rule)
        fresh = [v for v in mapping.values() if v.graph is graph]
        single = [v for v in operands if v.graph is graph and v.role in _HELD and v.has_one_use]
        # Who took the new value all along has the operands that it had; of few users all are asked nevertheless.
        users = [u for v in fresh for u in (graph.users(v) if len(graph.users(v)) <= _FEW else moved)]
        self._push_below([*users, *(user for value in single for user in graph.users(value))])

    def _cycle(self) -> str:
        recent = [e.rule for e in self.ctx.ledger.entries[-_MAX_GENERATION:]]
        for length in range(1, len(recent) // 2):
            if recent[-length:] == recent[-2 * length : -length]:
                return "rewrite loop: " + " -> ".join([*recent[-length:], recent[-length]])
        return "rewrite loop among: " + ", ".join(dict.fromkeys(recent))


def _is_alive(op: Op) -> bool:
    """False for an op that was removed, and for one in a body whose owner was."""
    graph = op.graph
    while graph is not None and graph.owner is not None:
        graph = graph.owner.graph
    return graph is not None


def captured(rule: Rule) -> tuple[str, ...]:
    """Names of the captures that the rule's function takes."""
    found = _PARAMETERS.get(rule)
    if found is None:
        code = rule.fn.__code__
        names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
        known = set(rule.pattern.captures())
        found = _PARAMETERS[rule] = tuple(n for n in names if n in known)
    return found


_PARAMETERS: dict[Rule, tuple[str, ...]] = {}


def _not_legal(match: Match) -> str:
    """Why the results of a match's interior ops keep it from being rewritten; "" if they do not."""
    for op in match.ops:
        if ops.is_random(op):
            return f"{op.label} is random"
    for op in match.pinned:
        for value in op.outputs:
            if value is None or value.graph is None:
                continue
            if value.is_output:
                return f"{value.name!r} is an output of the graph"
            if any(user not in match.ops for user in value.graph.users(value)):
                return f"{value.name!r} is used elsewhere"
    return ""


def _mapping(rule: Rule, op: Op, built: object) -> dict[Value, Value] | str:
    news = built if isinstance(built, (tuple, list)) else (built,)
    mapping: dict[Value, Value] = {}
    for old, new in zip(op.outputs, news):
        if old is not None and new is not None:
            if not isinstance(new, Value):
                raise PassError(f"rule {rule.name} returned {new!r}, not a value", rule.name)
            mapping[old] = new
    if not mapping:
        raise PassError(f"rule {rule.name} returned no value", rule.name)
    for value in op.outputs:
        if value is not None and value not in mapping and value.is_needed:
            return f"result {value.name!r} of {op.label} is used"
    return mapping


def apply_rules(ctx: Context, rules: Sequence[Rule], seeds: Iterable[Op] | None = None) -> int:
    """Apply rules to the context's model until none matches; returns the number of commits (see `Driver.run`)."""
    return Driver(ctx, rule_index(tuple(rules))).run(seeds)


@lru_cache(maxsize=64)
def rule_index(rules: tuple[Rule, ...]) -> RuleIndex:
    """The index of a list of rules; what it has learnt of operand kinds is kept from run to run."""
    return RuleIndex(rules)
