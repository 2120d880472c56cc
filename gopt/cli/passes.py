"""`gopt passes`: what there is to run, or one rule or pass in full."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import json_flag
from .text import columns, emit, emit_json

if TYPE_CHECKING:
    from ..passes import PassInfo


@click.command("passes", epilog="Example: gopt passes fuse.conv.batchnorm")
@click.argument("name", required=False)
@click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE.py",
    help="Load rules and passes of your own.",
)
@json_flag
def command(name: str | None, plugins: tuple[Path, ...], as_json: bool) -> None:
    """List the passes and rules by family and file, each with its equation; or explain one.

    NAME is a family (fuse), a file of it (fuse.conv), a rule or pass (fuse.conv.batchnorm), or a preset (@default).
    """
    from ..passes import PRESETS, describe, list_passes, load_plugin
    from ..passes.presets import preset

    for plugin in plugins:
        load_plugin(plugin)
    if name is not None and name.startswith("@"):
        found = preset(name.removeprefix("@"))
        data = {"name": f"@{found.name}", "passes": found.text, "help": found.help}
        emit_json(data) if as_json else emit(f"@{found.name} = {found.text}\n  {found.help}")
        return
    infos = list_passes() if name is None else describe(name)
    only = infos[0] if len(infos) == 1 and name in (infos[0].name, *infos[0].aliases) else None
    presets = {} if name is not None else {f"@{p.name}": p.text for p in PRESETS.values()}
    if as_json:
        emit_json(as_data(only) if only else {"passes": [as_data(i) for i in infos], "presets": presets})
    elif only:
        emit("\n".join(in_full(only)))
    else:
        emit("\n".join(listing(infos)))
        if presets:
            emit("\npresets")
            emit("\n".join(columns(presets.items())))


def as_data(info: PassInfo) -> dict[str, Any]:
    """One rule or pass in plain types."""
    return {
        "name": info.name,
        "kind": info.kind,
        "summary": info.summary,
        "doc": info.doc,
        "numerics": info.numerics.name.lower(),
        "since": info.since,
        "options": [{"name": o.name, "type": o.type, "default": o.default, "help": o.help} for o in info.options],
        "aliases": list(info.aliases),
        "in_family": info.in_family,
        "example": info.example,
    }


def listing(infos: list[PassInfo]) -> list[str]:
    """Lines by family and file; `=` marks what is bit-exact, `~` what rounds."""
    lines: list[str] = []
    families: dict[str, list[PassInfo]] = {}
    for info in infos:
        families.setdefault(info.family, []).append(info)
    for family, members in families.items():
        about = (getattr(sys.modules.get(f"gopt.passes.{family}"), "__doc__", "") or "").split("\n", 1)[0]
        lines += ["", f"{family}: {about}" if about else family]
        lines += columns([info.name, _MARKS[info.numerics.name], info.summary + _remark(info)] for info in members)
    legend = "\n= bit-exact   f bit-exact but for NaN, infinities and -0   ~ equal over the reals, may round"
    return [*lines[1:], legend]


_MARKS = {"EXACT": "=", "FINITE": "f", "ROUNDING": "~"}


def _remark(info: PassInfo) -> str:
    needed = [o.name for o in info.options if o.default is None]
    if needed:
        return f" (needs {', '.join(needed)})"
    return "" if info.in_family else " (runs only when named in full)"


def in_full(info: PassInfo) -> list[str]:
    """Everything about one rule or pass."""
    promise = {"EXACT": "bit-exact", "FINITE": "bit-exact unless NaN, an infinity or -0 occurs"}
    lines = [f"{info.name} ({info.kind}, {promise.get(info.numerics.name, 'equal over the reals, may round')})"]
    if info.aliases:
        lines.append(f"also called {', '.join(info.aliases)}")
    if info.since:
        lines.append(f"from opset {info.since} on")
    lines += ["", *(f"  {line}".rstrip() for line in info.doc.splitlines())]
    if info.options:
        lines += ["", "options"]
        lines += columns(
            [o.name, o.type, "must be given" if o.default is None else f"default {o.default or 'empty'}", o.help]
            for o in info.options
        )
    if info.example.strip():
        lines += ["", "example", *(f"  {line}".rstrip() for line in info.example.strip().splitlines())]
    return lines
