"""Passes from elsewhere: a plugin file named by the user, and the entry points of installed packages.

Nothing that a model file says leads here: only names and paths that the user gave are imported.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from collections.abc import Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import GoptError, UsageError
from ..ops import definitions
from ..rewrite.rule import Rule
from .base import PLUGINS, Pass, module_path
from .registry import GROUP, REGISTRY, Member, Registry

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def load_plugin(path: str | Path, into: Registry | None = None) -> list[Member]:
    """Execute a Python file (or a folder with an `__init__.py`) and register what it defines under its stem's name.

    Raises:
        UsageError: the file is not there, raises an error (the message names file and line), defines nothing, or its
            stem is a built-in family or cannot be part of a name.
    """
    into = REGISTRY if into is None else into
    path = Path(path)
    stem = path.resolve().stem
    if not re.fullmatch(r"[A-Za-z_][\w-]*", stem):
        raise UsageError(f"plugin {path}: {stem!r} cannot be the first part of a pass name")
    if stem in into.families:
        raise UsageError(f"plugin {path}: {stem!r} is a built-in family; rename the file")
    module = execute(path, "plugin")
    try:
        found = into.add_package(module) if path.is_dir() else into.add_module(module)
        found = [_under(into, stem, stem, m) for m in found] if path.is_dir() else found
    except GoptError as error:
        raise UsageError(f"plugin {path}: {error}") from error
    except Exception as error:
        raise UsageError(f"plugin {path}: {where(error, path)}") from error
    if not found and not any(
        getattr(rule, "__module__", "") == module.__name__ for rule in (d.infer for d in definitions())
    ):
        raise UsageError(f"plugin {path}: it defines no rule (@rule), no pass (@register) and no shape rule")
    return found


def execute(path: str | Path, what: str) -> ModuleType:
    """Execute a Python file, or a folder with an `__init__.py`, as a module of its own.

    Args:
        path: the file or folder.
        what: what messages call it.

    Raises:
        UsageError: it is not there, or it raises an error; the message names the line.
    """
    path = Path(path)
    source = path / "__init__.py" if path.is_dir() else path
    if not source.is_file():
        raise UsageError(f"{what} {path}: there is no such file")
    name = PLUGINS + re.sub(r"[^\w-]", "_", path.resolve().stem)
    # A loader of its own, so that the file may be called anything.
    loader = SourceFileLoader(name, str(source))
    search = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(name, source, loader=loader, submodule_search_locations=search)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(PLUGINS[:-1], ModuleType(PLUGINS[:-1]))
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UsageError(f"{what} {path}: {where(error, path)}") from error
    return module


def load_entry_points(into: Registry, family: str = "") -> None:
    """Load the entry points of the group `gopt.passes`: all, or the one called `family`.

    What one brings is named under it: `acme = "acme_passes"` makes the rule `f` of that module `acme.f`.

    Raises:
        UsageError: one cannot be imported and was asked for by name.
    """
    from importlib.metadata import entry_points

    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        if (family and point.name != family) or f"entry point {point.name}" in into._loaded:
            continue
        into._loaded.add(f"entry point {point.name}")
        try:
            _add_named(into, point)
        except Exception as error:
            if family:
                raise UsageError(f"passes of the package {_package(point)}: {_one_line(error)}") from error


def _add_named(into: Registry, point: EntryPoint) -> None:
    thing = point.load()
    if isinstance(thing, ModuleType):
        found = into.add_package(thing) if hasattr(thing, "__path__") else into.add_module(thing)
        stem = module_path(thing.__name__)
    else:
        found, stem = list(_members(thing)), module_path(getattr(thing, "__module__", ""))
    for member in found:
        _under(into, point.name, stem, member)


def _under(into: Registry, family: str, stem: str, member: Member) -> Member:
    """`member` under a name in `family`; `stem` is what stands there in the name derived from its module."""
    if member.name == family or member.name.startswith(f"{family}."):
        into.add(member)
        return member
    if member.name == stem:
        return into.rename(member, family)
    return into.rename(member, f"{family}.{member.name.removeprefix(f'{stem}.')}")


def _members(thing: Any) -> Iterable[Member]:
    for item in thing if isinstance(thing, (list, tuple)) else (thing,):
        if not isinstance(item, Rule) and not (isinstance(item, type) and issubclass(item, Pass) and item.name):
            raise UsageError(f"{item!r} is neither a module, nor a rule, nor a registered pass")
        yield item


def where(error: BaseException, path: str | Path) -> str:
    """The error on one line, with the last line of the code in `path` (a file or folder) that led to it."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f"line {error.lineno}: {type(error).__name__}: {error.msg}"
    own = Path(path).resolve()
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if (file := Path(frame.filename).resolve()) == own or own in file.parents
    ]
    return (f"line {lines[-1]}: " if lines else "") + _one_line(error)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, GoptError) else f"{type(error).__name__}: {text}" if text else type(error).__name__


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value
