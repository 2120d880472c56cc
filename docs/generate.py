"""Write docs/passes.md, the reference of all built-in passes and rules, from their docstrings.

python docs/generate.py            # write it
python docs/generate.py --check    # exit status 1 if it is not up to date
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from gopt.passes import PRESETS, PassInfo, Registry

OUTPUT = Path(__file__).with_name("passes.md")
HEAD = """\
# Passes and rules

Made from the docstrings by `make docs`; `gopt passes` prints the same. How to select them: [pipelines](pipelines.md).
How to write one: [writing passes](writing-passes.md). Models before and after: [tests/golden](../tests/golden).

A rule says what it promises about the numbers:

| | |
|---|---|
| exact | the same bits |
| finite | the same bits unless NaN, an infinity or -0 occurs |
| rounding | equal over the reals; the result may be rounded differently |

`--exact` makes rewrites of the first kind only.
"""


def document() -> str:
    """The whole page."""
    infos = Registry(entry_points=False).infos()
    families = dict.fromkeys(info.family for info in infos)
    lines = [HEAD, *_presets()]
    for family in families:
        members = [info for info in infos if info.family == family]
        lines += ["", f"## {family}", "", _escaped(_about(family)), "", *_index(members)]
        for info in members:
            lines += ["", *_entry(info)]
    return "\n".join(lines) + "\n"


def _about(family: str) -> str:
    """First paragraph of the family's docstring; its module has been imported by the registry."""
    doc = sys.modules[f"gopt.passes.{family}"].__doc__ or ""
    return " ".join(doc.strip().split("\n\n", 1)[0].split())


def _presets() -> Iterator[str]:
    yield "| preset | stands for | |"
    yield "|---|---|---|"
    for preset in PRESETS.values():
        yield f"| `@{preset.name}` | `{preset.text}` | {_escaped(preset.help)} |"


def _index(members: list[PassInfo]) -> Iterator[str]:
    yield "| name | | |"
    yield "|---|---|---|"
    for info in members:
        yield f"| [`{info.name}`](#{_anchor(info.name)}) | {info.numerics.name.lower()} | {_cell(info.summary)} |"


def _entry(info: PassInfo) -> Iterator[str]:
    yield f"### {info.name}"
    yield ""
    yield f"{', '.join(_properties(info))}."
    equation, _, rest = info.doc.partition("\n")
    yield ""
    yield from ("```text", equation, "```") if _is_equation(equation) else (_escaped(equation),)
    for paragraph in re.split(r"\n\s*\n", rest.strip()):
        if paragraph:
            yield ""
            yield _escaped(paragraph)
    if info.options:
        yield ""
        yield "| option | value | default | |"
        yield "|---|---|---|---|"
        for option in info.options:
            default = (
                "must be given" if option.default is None else f"`{option.default}`" if option.default else "empty"
            )
            yield f"| `{option.name}` | {_escaped(option.type)} | {default} | {_escaped(option.help)} |"


def _properties(info: PassInfo) -> Iterator[str]:
    yield f"{info.kind.capitalize()}, {info.numerics.name.lower()}"
    if info.since:
        yield f"from opset {info.since} on"
    if info.aliases:
        yield "also called " + " and ".join(f"`{alias}`" for alias in info.aliases)
    if any(option.default is None for option in info.options) or not info.in_family:
        yield "runs only when named in full"


def _anchor(name: str) -> str:
    """How GitHub makes an anchor of a heading."""
    return re.sub(r"[^\w-]", "", name.lower())


def _is_equation(text: str) -> bool:
    return "->" in text


def _cell(text: str) -> str:
    """An equation or sentence in a table."""
    code = text.replace("|", "\\|")
    return f"`{code}`" if _is_equation(text) else _escaped(text)


def _escaped(text: str) -> str:
    """Text in which only what stands in backquotes is markup."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") and p.endswith("`") else re.sub(r"([*_<>|\[\]])", r"\\\1", p) for p in parts)


def main() -> int:
    """Write or check the file."""
    text = document()
    if "--check" in sys.argv[1:]:
        if OUTPUT.read_text(encoding="utf-8") == text:
            return 0
        print(f"{OUTPUT} is not up to date: run `make docs`", file=sys.stderr)
        return 1
    OUTPUT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
