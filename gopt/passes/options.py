"""Options of passes: dataclass fields read from text and written back.

A field's type says how its text is read: int, float, bool, str, Path, an Enum (by member name), a Literal, `T | None`,
`tuple[T, ...]` (items joined by `+`, whole numbers also by `x`, as in 1x3x224x224), and `Mapping[str, T]`, of which a
pass may have one: it takes every option that is no field (`shape.fix:input=1x3x224x224`).
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from difflib import get_close_matches
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ..errors import UsageError

SCALARS = (int, float, bool, str, Path)
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_BARE = re.compile(r"""[^\s,;()+"']+""")


class OptionError(UsageError):
    """An option that the pass does not have, or a value that it does not take.

    Attributes:
        option: name of the option as it was written.
        reason: what is wrong, without the names of pass and option.
    """

    def __init__(self, pass_name: str, option: str, reason: str) -> None:
        super().__init__(f"{pass_name}: {reason}")
        self.option = option
        self.reason = reason


@dataclass(frozen=True)
class OptionInfo:
    """An option as help shows it.

    Attributes:
        name: its name; `NAME` in angle brackets where any name may stand.
        type: how its value is written.
        default: the default as text, None if it must be given.
        help: what it means.
    """

    name: str
    type: str
    default: str | None
    help: str


def check_fields(pass_name: str, cls: type) -> None:
    """See that each field has a type that text can be read as.

    Raises:
        UsageError: one has not, or there are two fields for free names.
    """
    free = [f.name for f in fields(cls) if _is_mapping(_hints(cls)[f.name])]
    if len(free) > 1:
        raise UsageError(f"pass {pass_name}: {free[0]} and {free[1]} both take options of any name")
    for f in fields(cls):
        hint = _hints(cls)[f.name]
        if not _is_supported(typing.get_args(hint)[1] if _is_mapping(hint) else hint):
            raise UsageError(f"pass {pass_name}: no option can have the type of the field {f.name}: {f.type}")


def read_options(pass_name: str, cls: type, given: Mapping[str, tuple[str, ...] | None]) -> dict[str, Any]:
    """Arguments for `cls` from options as written: the items of each value (joined by `+`), None for a bare name.

    Raises:
        OptionError: naming the option.
    """
    if not given and not required_options(cls):
        return {}  # most passes of most pipelines; the types of fields are dear to find out
    hints = _hints(cls)
    known = {f.name: f for f in fields(cls) if not _is_mapping(hints[f.name])}
    free = next((f for f in fields(cls) if _is_mapping(hints[f.name])), None)
    arguments: dict[str, Any] = {}
    for written, items in given.items():
        name = written if written in known else written.replace("-", "_")
        if name in known:
            arguments[name] = _value(pass_name, written, hints[name], items)
        elif free is not None:
            elem = typing.get_args(hints[free.name])[1]
            arguments.setdefault(free.name, {})[written] = _value(pass_name, written, elem, items)
        else:
            raise OptionError(pass_name, written, _unknown(written, list(known)))
    for f in fields(cls):
        if f.init and f.name not in arguments and f.default is MISSING and f.default_factory is MISSING:
            missing = "an option NAME=VALUE" if f is free else f"the option {f.name}"
            raise OptionError(pass_name, "", f"needs {missing}")
    return arguments


def required_options(cls: type) -> tuple[str, ...]:
    """Names of the fields of a pass class that have no default."""
    return tuple(f.name for f in fields(cls) if f.init and f.default is MISSING and f.default_factory is MISSING)


def format_options(instance: Any) -> str:
    """The options of a pass that differ from their defaults, as text that `read_options` reads the same."""
    parts = []
    for f in fields(instance):
        value = getattr(instance, f.name)
        if _has_default(f, value):
            continue
        if isinstance(value, Mapping):
            parts += [f"{quote(k, '=')}={_written(v)}" for k, v in value.items()]
        else:
            parts.append(f"{f.name}={_written(value)}")
    return ";".join(parts)


def describe_options(cls: type) -> tuple[OptionInfo, ...]:
    """The options of a pass class, for help."""
    found = []
    for f in fields(cls):
        hint = _hints(cls)[f.name]
        text = f.metadata.get("help", "")
        if _is_mapping(hint):
            found.append(OptionInfo("<NAME>", _type_name(typing.get_args(hint)[1]), "", text))
            continue
        default = f.default if f.default_factory is MISSING else f.default_factory()
        found.append(OptionInfo(f.name, _type_name(hint), None if default is MISSING else _written(default), text))
    return tuple(found)


def quote(text: str, also: str = "") -> str:
    """`text` as it may stand in a pipeline: bare if nothing in it has a meaning there, else in double quotes."""
    if _BARE.fullmatch(text) and not any(c in text for c in also):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@cache
def _hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except NameError as error:
        raise UsageError(f"pass {cls.__name__}: the type of a field is not defined in its module: {error}") from error


def _is_mapping(hint: Any) -> bool:
    return typing.get_origin(hint) in (Mapping, dict) and typing.get_args(hint)[:1] == (str,)


def _is_supported(hint: Any) -> bool:
    if hint in SCALARS or (isinstance(hint, type) and issubclass(hint, Enum)):
        return True
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return all(isinstance(a, str) for a in args)
    if origin is tuple:
        return len(args) == 2 and args[1] is ... and _is_supported(args[0]) and typing.get_origin(args[0]) is not tuple
    if origin in (typing.Union, types.UnionType):
        rest = [a for a in args if a is not type(None)]
        return len(rest) == 1 and len(args) == 2 and _is_supported(rest[0])
    return False


def _value(pass_name: str, option: str, hint: Any, items: tuple[str, ...] | None) -> Any:
    if items is None:
        if _plain(hint) is not bool:
            raise OptionError(pass_name, option, f"the option {option} needs a value, {_type_name(hint)}")
        return True
    try:
        return _convert(hint, items)
    except ValueError as error:
        reason = f"the option {option} takes {_type_name(hint)}, not {'+'.join(items)!r}"
        raise OptionError(pass_name, option, reason) from error


def _convert(hint: Any, items: tuple[str, ...]) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return None if items == ("none",) else _convert(_plain(hint), items)
    if origin is tuple:
        elem = typing.get_args(hint)[0]
        if elem is int:
            items = tuple(part for item in items for part in item.split("x"))
        return tuple(_convert(elem, (item,)) for item in items)
    text = "+".join(items)
    if origin is Literal:
        if text not in typing.get_args(hint):
            raise ValueError(text)
        return text
    if hint is bool:
        if text.lower() not in _TRUE | _FALSE:
            raise ValueError(text)
        return text.lower() in _TRUE
    if issubclass(hint, Enum):
        found = {m.name.lower(): m for m in hint}.get(text.lower())
        if found is None:
            raise ValueError(text)
        return found
    return hint(text)


def _plain(hint: Any) -> Any:
    """The type without `| None`."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next(a for a in typing.get_args(hint) if a is not type(None))
    return hint


def _written(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, tuple):
        whole = all(isinstance(v, int) and not isinstance(v, bool) for v in value)
        return ("x" if whole else "+").join(map(_written, value))
    return quote(str(value))


def _has_default(f: Field[Any], value: Any) -> bool:
    if f.default is not MISSING:
        return bool(f.default == value)
    return f.default_factory is not MISSING and bool(f.default_factory() == value)


def _type_name(hint: Any) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return "sizes as 1x3x224" if args[0] is int else f"{_type_name(args[0])}, several joined by +"
    if origin is Literal:
        return " or ".join(args)
    if origin in (typing.Union, types.UnionType):
        return f"{_type_name(_plain(hint))}, or none"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " or ".join(m.name.lower() for m in hint)
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path"}[hint]


def _unknown(written: str, known: list[str]) -> str:
    if not known:
        return f"there is no option {written!r}: it takes none"
    close = get_close_matches(written, known, n=1)
    return f"there is no option {written!r}; " + (
        f"did you mean {close[0]}?" if close else f"it takes {', '.join(known)}"
    )
