"""Pipelines: which passes run, in which order, how often. Read from text, or put together in Python.

    parse("inline,(fold,clean,fuse)*,shape.fix:x=1x3x224x224")

`str(pipeline)` is the canonical text: `parse(str(p)) == p`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from ..errors import UsageError
from ..rewrite.ledger import skipped
from ..rewrite.rule import Rule
from .base import Pass
from .grammar import Group, Node, Selection, parse_text, pointed
from .options import OptionError, read_options
from .presets import preset
from .registry import REGISTRY, Registry


@dataclass(frozen=True)
class Selected:
    """Rules and passes that one name selects, in the order in which they run."""

    name: str
    members: tuple[Rule | Pass, ...]

    def __str__(self) -> str:
        only = self.members[0] if len(self.members) == 1 else None
        return str(only) if isinstance(only, Pass) else self.name


@dataclass(frozen=True)
class Named:
    """A preset."""

    name: str
    items: tuple[Item, ...]

    def __str__(self) -> str:
        return f"@{self.name}"


@dataclass(frozen=True)
class Repeated:
    """A group: run until nothing changes (`times` None) or at most so often."""

    items: tuple[Item, ...]
    times: int | None = 1

    def __str__(self) -> str:
        return f"({','.join(map(str, self.items))}){_star(self.times)}"


Item = Selected | Named | Repeated


@dataclass(frozen=True)
class RuleStep:
    """Rules that share one worklist."""

    name: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class PassStep:
    """One function pass."""

    pass_: Pass

    @property
    def name(self) -> str:
        """The pass's name."""
        return self.pass_.name


@dataclass(frozen=True)
class Loop:
    """Steps to repeat."""

    steps: tuple[Step, ...]
    times: int | None

    @property
    def name(self) -> str:
        """The group as text."""
        return f"({','.join(s.name for s in self.steps)}){_star(self.times)}"


Step = RuleStep | PassStep | Loop


@dataclass(frozen=True)
class Pipeline:
    """What runs.

    Attributes:
        items: selections and groups, in order.
        skip: names of families, files, rules and passes that are left out.
    """

    items: tuple[Item, ...] = ()
    skip: frozenset[str] = field(default=frozenset())

    def __str__(self) -> str:
        return ",".join(map(str, self.items))

    def without(self, *names: str, registry: Registry = REGISTRY) -> Pipeline:
        """This pipeline with some families, files, rules or passes left out.

        Raises:
            UsageError: a name names nothing.
        """
        found: set[str] = set()
        for name in names:
            # Through find, so that an alias leaves out what it stands for.
            members = registry.find(name)
            if not members:
                raise UsageError(f"--skip: {registry.unknown(name)}")
            found |= {name, *(m.name for m in members if len(members) == 1)}
        # The same object if nothing is new: it remembers its steps.
        return self if found <= self.skip else Pipeline(self.items, self.skip | found)

    @cached_property
    def members(self) -> tuple[Rule | Pass, ...]:
        """All rules and passes that run, each once, in order of first appearance."""
        found: dict[int, Rule | Pass] = {id(m): m for m in _members(self.items) if not skipped(m.name, self.skip)}
        return tuple(found.values())

    def steps(self) -> tuple[Step, ...]:
        """What the runner does: adjacent rules become one step, groups that run once dissolve."""
        return self._made_steps

    @cached_property
    def _made_steps(self) -> tuple[Step, ...]:
        return _steps(self.items, self.skip)


def parse(text: str, skip: Iterable[str] = (), registry: Registry = REGISTRY) -> Pipeline:
    """The pipeline that a text describes, see `grammar`.

    Raises:
        UsageError: the text is malformed, or names a pass, preset or option that does not exist; the message shows
            where, and what may have been meant.
    """
    return _parse(text, tuple(skip), registry, registry.changes)


@lru_cache(maxsize=64)
def _parse(text: str, skip: tuple[str, ...], registry: Registry, changes: int) -> Pipeline:
    """Pipelines never change; what a text means does when passes are added, which `changes` counts."""
    items = tuple(_resolve(node, text, registry) for node in parse_text(text))
    return Pipeline(items).without(*skip, registry=registry)


def as_pipeline(
    what: str | Pipeline | Pass | Rule | type[Pass] | Sequence[Any],
    skip: Iterable[str] = (),
    registry: Registry = REGISTRY,
) -> Pipeline:
    """A pipeline from whatever describes one: text, passes, rules, or a sequence of these.

    Raises:
        UsageError: as `parse`, or something in it describes no pass.
    """
    if isinstance(what, (list, tuple)) and len(what) == 1 and isinstance(what[0], str):
        what = what[0]
    if isinstance(what, Pipeline):
        return what.without(*skip, registry=registry)
    if isinstance(what, str):
        return parse(what, skip, registry)
    return Pipeline(_items(what, registry)).without(*skip, registry=registry)


def _items(what: Any, registry: Registry) -> tuple[Item, ...]:
    if isinstance(what, (Selected, Named, Repeated)):
        return (what,)
    if isinstance(what, str):
        return parse(what, registry=registry).items
    if isinstance(what, Pipeline):
        return (Repeated(what.items),) if len(what.items) > 1 else what.items
    if isinstance(what, (Rule, Pass)):
        return (Selected(what.name, (what,)),)
    if isinstance(what, type) and issubclass(what, Pass):
        return (Selected(what.name, (_instance(what, {}),)),)
    if isinstance(what, Sequence):
        return tuple(item for part in what for item in _items(part, registry))
    raise UsageError(f"not a pass, rule or pipeline: {what!r}")


def _resolve(node: Node, text: str, registry: Registry, inside: tuple[str, ...] = ()) -> Item:
    if isinstance(node, Group):
        return Repeated(tuple(_resolve(n, text, registry, inside) for n in node.items), node.times)
    if node.name.startswith("@"):
        return _resolve_preset(node, text, registry, inside)
    members = registry.find(node.name)
    if not members:
        raise pointed(text, node.span, registry.unknown(node.name))
    if node.options:
        return Selected(node.name, (_with_options(node, members, text),))
    try:
        return Selected(node.name, tuple(m if isinstance(m, Rule) else _instance(m, {}) for m in members))
    except UsageError as error:
        raise pointed(text, node.span, str(error)) from error


def _resolve_preset(node: Selection, text: str, registry: Registry, inside: tuple[str, ...]) -> Named:
    name = node.name[1:]
    try:
        meant = preset(name).text
    except UsageError as error:
        raise pointed(text, node.span, str(error)) from error
    if name in inside:
        raise pointed(text, node.span, f"the preset @{name} contains itself")
    return Named(name, tuple(_resolve(n, meant, registry, (*inside, name)) for n in parse_text(meant)))


def _with_options(node: Selection, members: tuple[Rule | type[Pass], ...], text: str) -> Pass:
    first = node.options[0]
    only = members[0]
    if len(members) > 1:
        raise pointed(text, first.span, f"{node.name} selects {len(members)} passes; options can be given to one alone")
    if isinstance(only, Rule):
        raise pointed(text, first.span, f"{node.name} is a rule, which takes no options")
    try:
        return _instance(only, {o.key: o.items for o in node.options})
    except OptionError as error:
        span = next((o.span for o in node.options if o.key == error.option), node.span)
        raise pointed(text, span, str(error)) from error
    except UsageError as error:
        raise pointed(text, node.span, str(error)) from error


def _instance(cls: type[Pass], given: dict[str, tuple[str, ...] | None]) -> Pass:
    arguments = read_options(cls.name, cls, given)
    try:
        return cls(**arguments)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{cls.name}: {error}") from error


def _members(items: tuple[Item, ...]) -> Iterable[Rule | Pass]:
    for item in items:
        yield from item.members if isinstance(item, Selected) else _members(item.items)


def _steps(items: tuple[Item, ...], skip: frozenset[str]) -> tuple[Step, ...]:
    """The steps of a sequence; each run of adjacent rules is one, whichever selections they came from."""
    steps: list[Step] = []
    names: dict[str, None] = {}
    rules: dict[Rule, None] = {}
    for what in [*_flat(items, skip), None]:
        if isinstance(what, tuple):
            names[what[0]] = None
            rules[what[1]] = None
            continue
        if rules:
            steps.append(RuleStep(",".join(names), tuple(rules)))
            names, rules = {}, {}
        if what is not None:
            steps.append(what)
    return tuple(steps)


def _flat(items: tuple[Item, ...], skip: frozenset[str]) -> Iterable[tuple[str, Rule] | PassStep | Loop]:
    for item in items:
        if isinstance(item, Selected):
            for member in item.members:
                if not skipped(member.name, skip):
                    yield PassStep(member) if isinstance(member, Pass) else (item.name, member)
        elif isinstance(item, Repeated) and item.times != 1:
            below = _steps(item.items, skip)
            if below:
                yield Loop(below, item.times)
        else:
            yield from _flat(item.items, skip)


def _star(times: int | None) -> str:
    return "*" if times is None else "" if times == 1 else f"*{times}"
