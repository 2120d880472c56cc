"""Options that several commands have, and the types of their values."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:  # generic in newer versions of click only
    ParamType = click.ParamType


def together(*decorators: Decorator[Any]) -> Decorator[Any]:
    """Several options as one decorator, shown in this order."""
    return lambda command: reduce(lambda made, add: add(made), reversed(decorators), command)


class Bytes(ParamType):
    """A number of bytes: 10MB, 1.5GiB, 4096."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the text.

        Raises:
            click.BadParameter: it is no size.
        """
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(str(value).strip().replace("_", ""))
        if found is None:
            self.fail(f"{value!r} is not a size like 10MB or 1.5GiB", param, ctx)
        number, unit, binary = found.groups()
        return int(float(number) * (1024 if binary else 1000) ** _POWERS[unit.lower()])


class Assignment(ParamType):
    """NAME=VALUE; names may hold colons and dots, as names in models do."""

    def __init__(self, value: str, read: Callable[[str], Any]) -> None:
        self.name = f"name={value}"
        self._value = value
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """Read the text.

        Raises:
            click.BadParameter: it is no assignment, or the value is of another kind.
        """
        if isinstance(value, tuple):
            return value
        name, sign, rest = str(value).partition("=")
        try:
            if name and sign and rest:
                return name, self._read(rest)
        except ValueError:
            pass
        return self.fail(f"{value!r} is not NAME={self._value.upper()}", param, ctx)


class InputShape(ParamType):
    """INPUT:1,3,224,224 or INPUT=1x3x224x224; becomes sizes of "input.axis"."""

    name = "input:shape"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, int]:
        """Read the text.

        Raises:
            click.BadParameter: it is no shape.
        """
        if isinstance(value, dict):
            return value
        # The last separator counts: many input names end in ":0".
        found = re.fullmatch(r"(.+)[:=]\s*(\d+(?:\s*[,x]\s*\d+)*)", str(value).strip())
        if found is None:
            self.fail(f"{value!r} is not INPUT:SIZE,SIZE,...", param, ctx)
        sizes = re.split(r"[,x]", found[2])
        return {f"{found[1]}.{axis}": int(size) for axis, size in enumerate(sizes)}


FORCE = click.option("-f", "--force", "--overwrite", "force", is_flag=True, help="Replace an existing file.")

json_flag = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")


def _permit(ctx: click.Context, param: click.Parameter, value: tuple[Any, ...]) -> None:
    """Let what a command loads lie in further folders, or be larger, for as long as the command runs."""
    if not value:
        return
    from ..frontends.limits import limited, limits, real_folders

    if param.name == "allow_external":
        try:
            folders = real_folders(value)
        except OSError as error:
            raise UsageError(f"--allow-external {error.filename}: {error.strerror}") from None
        changed = replace(limits(), folders=limits().folders + folders)
    else:
        changed = replace(limits(), **_unique("--input-limit", value))
    ctx.with_resource(limited(changed))


def _limit(text: str) -> int:
    number: int = Bytes().convert(text, None, None)
    return number


class InputLimit(Assignment):
    """NAME=NUMBER of one of the limits on models that are loaded."""

    def __init__(self) -> None:
        super().__init__("number", _limit)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """Read the text.

        Raises:
            click.BadParameter: there is no such limit, or the number is none.
        """
        from ..frontends.limits import NUMBERS

        found = super().convert(value, param, ctx)
        if found[0] not in NUMBERS:
            self.fail(f"{found[0]!r} is none of {', '.join(NUMBERS)}", param, ctx)
        return found


model_argument = together(
    click.argument("model", type=click.Path(path_type=Path), metavar="MODEL"),
    click.option(
        "--allow-external",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        expose_value=False,
        callback=_permit,
        help="Let external data of the model lie in FOLDER too.",
    ),
    click.option(
        "--input-limit",
        multiple=True,
        type=InputLimit(),
        metavar="NAME=NUMBER",
        expose_value=False,
        callback=_permit,
        help="Take larger models: file, nodes, name, attribute, dense.",
    ),
)

PIPELINE = together(
    click.option("-p", "--passes", default="@default", show_default=True, metavar="TEXT", help="What runs, in order."),
    click.option("--skip", multiple=True, metavar="NAME", help="Leave out a family, file or rule, or one rewrite."),
    click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Stop after so many rewrites."),
    click.option(
        "--max-growth",
        type=Bytes(),
        default="10MB",
        show_default=True,
        help="How much constants may grow in all.",
    ),
    click.option("--exact", is_flag=True, help="Make bit-exact rewrites only."),
    click.option(
        "--plugin",
        "plugins",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FILE.py",
        help="Load rules and passes of your own.",
    ),
)


def _bound_memory(ctx: click.Context, param: click.Parameter, value: int | None) -> None:
    """Bound the process that runs models, for as long as the command runs."""
    if value is not None:
        from ..verify.child import bounded

        if value < _LEAST_MEMORY:
            raise click.BadParameter("no model runs in less than 100MB", ctx, param)
        ctx.with_resource(bounded(value))


_LEAST_MEMORY = 100_000_000

VERIFY = together(
    click.option(
        "--verify-dim",
        multiple=True,
        type=Assignment("size", int),
        metavar="NAME=SIZE",
        help="Size of a dynamic dim while verifying.",
    ),
    click.option(
        "--verify-shape",
        "--test-input-shape",
        multiple=True,
        type=InputShape(),
        metavar="INPUT:1,3,224,224",
        help="Shape of an input while verifying.",
    ),
    click.option(
        "--verify-timeout",
        "--time-limit",
        type=click.FloatRange(min=0.1),
        default=120.0,
        show_default=True,
        metavar="SECONDS",
        help="Time for finding inputs and running the original.",
    ),
    click.option(
        "--mem-limit",
        type=Bytes(),
        metavar="SIZE",
        expose_value=False,
        callback=_bound_memory,
        help="Memory for the process that runs models; 4/5 of what is free by default.",
    ),
)

INPUTS = together(
    click.option(
        "--inputs",
        multiple=True,
        type=Assignment("file.npy", Path),
        metavar="NAME=FILE.npy",
        help="Verify on this data; inputs that are not given are random.",
    ),
    VERIFY,
)


def pipeline_options(given: dict[str, Any]) -> dict[str, Any]:
    """Take the options of PIPELINE out of `given`, as arguments for `gopt.api`."""
    return {name: given.pop(name) for name in ("passes", "skip", "limit", "max_growth", "exact", "plugins")}


def input_options(given: dict[str, Any]) -> dict[str, Any]:
    """Take the options of INPUTS, or of VERIFY alone, out of `given`, as arguments for `gopt.api`.

    Raises:
        UsageError: an input or dim is given twice.
    """
    pairs: list[tuple[str, int]] = list(given.pop("verify_dim"))
    for shape in given.pop("verify_shape"):
        pairs += shape.items()
    return {
        "inputs": _unique("--inputs", given.pop("inputs", ())),
        "dims": _unique("--verify-dim", pairs),
        "timeout": given.pop("verify_timeout"),
    }


def _unique(option: str, pairs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if found.setdefault(name, value) != value:
            raise UsageError(f"{option}: {name} is given twice")
    return found
