"""What passes and rules there are, by dotted name.

Families are the packages beside this file; one is imported when a name in it is first asked for. A family's `__init__`
lists its modules in the order in which they run (`MODULES = ("conv", "gemm")`). Names that are not built in are looked
for in the entry point group `gopt.passes`; plugin files are added by `plugins.load_plugin`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from types import ModuleType

from ..errors import UsageError
from ..rewrite.ledger import Numerics
from ..rewrite.rule import Rule
from .base import Pass, module_path
from .options import OptionInfo, describe_options, required_options

GROUP = "gopt.passes"
Member = Rule | type[Pass]


@dataclass(frozen=True)
class PassInfo:
    """What `gopt passes` tells of a rule or pass.

    Attributes:
        name: dotted name.
        kind: "rule" or "pass".
        summary: a rule's equation, a pass's first line of help.
        doc: the whole docstring.
        numerics: what it promises about the numbers.
        options: a pass's options.
        aliases: further names.
        since: lowest opset version at which a rule applies.
        example: text of a small model in which a rule fires.
        in_family: False if it runs only when named in full.
    """

    name: str
    kind: str
    summary: str
    doc: str
    numerics: Numerics
    options: tuple[OptionInfo, ...] = ()
    aliases: tuple[str, ...] = ()
    since: int = 0
    example: str = ""
    in_family: bool = True

    @property
    def family(self) -> str:
        """First part of the name."""
        return self.name.split(".", 1)[0]


@cache
def _built_in_families() -> tuple[str, ...]:
    package = importlib.import_module(__package__)
    return tuple(sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.ispkg))


class Registry:
    """Rules and pass classes by name, in the order in which a selection of several runs them."""

    def __init__(self, built_in: Iterable[str] | None = None, entry_points: bool = True) -> None:
        """An empty registry that finds the families named by `built_in` (default: all) when asked for them."""
        self._members: dict[str, Member] = {}
        self._aliases: dict[str, str] = {}
        self._given = None if built_in is None else tuple(built_in)
        self._loaded: set[str] = set()
        self._entry_points = entry_points
        self.changes = 0  # counts what was added and renamed: what a name selects may differ afterwards

    # -- adding -----------------------------------------------------------------------------------------------------

    def add(self, member: Member) -> None:
        """Add a rule or a registered pass class.

        Raises:
            UsageError: another one has that name.
        """
        known = self._members.get(member.name)
        if known is not None and known is not member and not _is_reload(known, member):
            raise UsageError(f"there are two passes named {member.name}")
        self._members[member.name] = member
        self.changes += 1

    def add_pass(self, cls: type[Pass]) -> None:
        """Add a pass class and its aliases.

        Raises:
            UsageError: a name is taken.
        """
        self.add(cls)
        self.changes += 1
        for alias in cls.aliases:
            if self._aliases.setdefault(alias, cls.name) != cls.name:
                raise UsageError(f"the alias {alias} of {cls.name} is one of {self._aliases[alias]} already")

    def add_module(self, module: ModuleType) -> list[Member]:
        """Add all rules and passes that a module defines, in the order in which they stand in it."""
        path = module_path(module.__name__)
        found = list(_members_of(module, path))
        for member in found:
            if self._members.get(member.name) is member:
                del self._members[member.name]  # A decorator was first; the order is that of the module's text.
            self.add(member) if isinstance(member, Rule) else self.add_pass(member)
        return found

    # -- looking up -------------------------------------------------------------------------------------------------

    @property
    def families(self) -> tuple[str, ...]:
        """Built-in families."""
        if self._given is not None:
            return self._given
        return _built_in_families()

    def find(self, name: str) -> tuple[Member, ...]:
        """What a name selects: one rule or pass, or all of a file or family in their order; empty if nothing.

        Families are imported, and entry points scanned, only as far as the name needs it.
        """
        family = name.split(".", 1)[0]
        if family in self.families:
            self._load_family(family)
            return self._match(name)
        found = self._match(name)
        if not found:
            self.load_built_in()
            found = self._match(name)
        if not found and self._entry_points:
            from .plugins import load_entry_points

            load_entry_points(self, family)
            found = self._match(name)
        return found

    def _match(self, name: str) -> tuple[Member, ...]:
        name = self._aliases.get(name, name)
        exact = self._members.get(name)
        prefix = f"{name}."
        below = [m for n, m in self._members.items() if n.startswith(prefix) and _joins(m)]
        return tuple(below) if exact is None else (exact, *below)

    def close_to(self, name: str) -> list[str]:
        """Names that somebody who typed `name` may have meant, best first."""
        self.load_all()
        names: dict[str, None] = dict.fromkeys(self._aliases)
        for member in self._members:
            parts = member.split(".")
            names.update(dict.fromkeys(".".join(parts[:k]) for k in range(1, len(parts) + 1)))
        close = get_close_matches(name, list(names), n=3, cutoff=0.6)
        tails = [n for n in names if n.rsplit(".", 1)[-1] == name.rsplit(".", 1)[-1] and n not in close]
        return [*close, *tails][:3]

    def unknown(self, name: str) -> str:
        """The message for a name that selects nothing."""
        alone = [m for m in self._members if m.startswith(f"{name}.")]
        if alone:
            return f"all passes of {name!r} must be named in full: {', '.join(alone)}"
        close = self.close_to(name)
        hint = f"; did you mean {' or '.join(close)}?" if close else "; `gopt passes` lists all"
        return f"there is no pass {name!r}{hint}"

    # -- loading ----------------------------------------------------------------------------------------------------

    def load_built_in(self) -> None:
        """Import every built-in family."""
        for family in self.families:
            self._load_family(family)

    def load_all(self) -> None:
        """Import every built-in family and every entry point."""
        self.load_built_in()
        if self._entry_points:
            from .plugins import load_entry_points

            load_entry_points(self)

    def _load_family(self, family: str) -> None:
        if family in self._loaded:
            return
        self.add_package(importlib.import_module(f"{__package__}.{family}"))
        self._loaded.add(family)

    def add_package(self, package: ModuleType) -> list[Member]:
        """Add all that a package and the modules that it lists in MODULES (default: all of them) define."""
        listed = getattr(package, "MODULES", None)
        if listed is None:
            listed = sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))
        found = self.add_module(package)
        for name in listed:
            module = importlib.import_module(f"{package.__name__}.{name}")
            found += self.add_package(module) if hasattr(module, "__path__") else self.add_module(module)
        return found

    def rename(self, member: Member, name: str) -> Member:
        """Register `member` under another name."""
        self._members.pop(member.name, None)
        self.changes += 1
        if isinstance(member, Rule):
            member = replace(member, name=name)
            self.add(member)
            return member
        for alias in member.aliases:
            self._aliases.pop(alias, None)
        member.name = name
        self.add_pass(member)
        return member

    # -- telling ----------------------------------------------------------------------------------------------------

    def infos(self) -> list[PassInfo]:
        """All rules and passes, families in alphabetical order, within a family as they run."""
        self.load_all()
        return [_info(m) for m in sorted(self._members.values(), key=lambda m: m.name.split(".", 1)[0])]


REGISTRY = Registry()


def list_passes() -> list[PassInfo]:
    """All rules and passes that there are: built in, of installed packages, of plugins loaded so far."""
    return REGISTRY.infos()


def describe(name: str) -> list[PassInfo]:
    """What a name selects.

    Raises:
        UsageError: nothing.
    """
    found = REGISTRY.find(name)
    if not found:
        raise UsageError(REGISTRY.unknown(name))
    return [_info(m) for m in found]


def _members_of(module: ModuleType, path: str) -> Iterator[Member]:
    seen: dict[int, None] = {}
    for thing in list(vars(module).values()):
        if not isinstance(thing, (Rule, type, list, tuple)):
            continue
        for item in thing if isinstance(thing, (list, tuple)) else (thing,):
            if isinstance(item, (Rule, type)) and id(item) not in seen and _is_member(item, module.__name__, path):
                seen[id(item)] = None
                yield item


def _is_member(item: Rule | type, module: str, path: str) -> bool:
    if isinstance(item, Rule):
        return item.fn.__module__ == module or item.name.startswith(f"{path}.")
    # The module before the bases: subclass checks of abstract classes are dear, and modules import hundreds of classes.
    return item.__module__ == module and issubclass(item, Pass) and bool(item.name)


def _joins(member: Member) -> bool:
    """True if a selection of its family or file runs it too: not when it cannot run without options."""
    return isinstance(member, Rule) or (member.in_family and not required_options(member))


def _is_reload(known: Member, member: Member) -> bool:
    """True if both stand at the same place: a module that was executed again, as notebooks do."""
    a = known.fn if isinstance(known, Rule) else known
    b = member.fn if isinstance(member, Rule) else member
    return (a.__module__, a.__qualname__) == (b.__module__, b.__qualname__)


def _info(member: Member) -> PassInfo:
    if isinstance(member, Rule):
        equation, doc = member.equation, member.doc
        return PassInfo(member.name, "rule", equation, doc, member.numerics, since=member.since, example=member.example)
    doc = member.doc()
    return PassInfo(
        member.name,
        "pass",
        doc.split("\n", 1)[0],
        doc,
        member.numerics,
        describe_options(member),
        member.aliases,
        in_family=member.in_family,
    )
