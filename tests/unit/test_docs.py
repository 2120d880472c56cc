"""What the documentation shows is what happens: its commands are run, its code is executed, its links lead somewhere.

In a `console` block a line `$ ...` is a command and what follows is what it prints; a line `...` stands for any lines,
and sizes, times and errors may differ. A `python` block that begins with `# NAME.py` is a file that later commands use;
any other is executed, with the names of the ones before it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import runpy
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gopt.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = (
    "README.md",
    "docs/writing-passes.md",
    "docs/verification.md",
    "docs/shapes.md",
    "docs/cutting.md",
    "docs/opsets.md",
    "docs/tensorrt.md",
)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#\s]+)?(#[^)\s]+)?\)")


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Language and text of the code blocks of a page."""
    yield from _BLOCK.findall(page)


def commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console block, with the lines that they print."""
    command, lines = "", []
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, lines
            command, lines = line[2:], []
        else:
            lines.append(line)
    if command:
        yield command, lines


class Shell:
    """Runs `gopt`, `python FILE`, `cat` and `echo $?` in this process, in the current folder."""

    def __init__(self) -> None:
        self.status = 0

    def run(self, command: str) -> list[str]:
        """What the command prints, both streams in the order of printing."""
        program, *arguments = shlex.split(command, comments=True)
        if (program, arguments) == ("echo", ["$?"]):
            return [str(self.status)]
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            if program == "gopt":
                self.status = main(arguments)
            elif program == "cat":
                print(*(Path(name).read_text(encoding="utf-8") for name in arguments), sep="", end="")
            elif program == "python":
                self._script(arguments)
            else:
                raise ValueError(f"the documentation runs {program!r}, which this test does not know")
        return printed.getvalue().splitlines()

    def _script(self, arguments: list[str]) -> None:
        before, sys.argv = sys.argv, arguments
        try:
            runpy.run_path(arguments[0], run_name="__main__")
        finally:
            sys.argv = before


def like(line: str) -> str:
    """A line without what may differ from run to run, or with the version of ONNX Runtime."""
    line = re.sub(r"\d[\d.]*(e-?\d+)? (ms|s|us|B|kB|MB)\b", "#", line)
    if "error" in line or line.strip().startswith("bytes"):
        line = re.sub(r"-?\d+\.\d+(e[+-]?\d+)?%?|\d+e[+-]?\d+", "#", line)
        line = re.sub(r"at \[[\d, ]*\]", "at #", line)
    if line.endswith((" ok", " FAILED")):
        line = re.sub(r"\d+", "#", line)
    return " ".join(line.split())


def agrees(shown: list[str], printed: list[str]) -> bool:
    """True if what was printed is what the page shows."""
    wanted, got = [like(line) for line in shown], [like(line) for line in printed]
    while wanted and not wanted[-1]:
        wanted.pop()
    while got and not got[-1]:
        got.pop()
    pattern = "".join("(?:.*\n)*?" if line == "..." else re.escape(line) + "\n" for line in wanted)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in got)) is not None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a checkout in which `make demo` has run, but for the result."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    Shell().run("python examples/make_demo_model.py build/demo/demo.onnx")
    return tmp_path


@pytest.mark.parametrize("name", SHOWN)
def test_the_page_shows_what_happens(name: str, folder: Path, pytestconfig: pytest.Config) -> None:
    page = ROOT / name
    text = page.read_text(encoding="utf-8")
    shell, names = Shell(), {"__name__": "documentation"}
    for language, block in blocks(text):
        title = re.match(r"# (\w+\.py)\n", block)
        if language == "python" and title:
            (folder / title[1]).write_text(block, encoding="utf-8")
        elif language == "python":
            _check_python(names, block)
        elif language == "console":
            seen = "".join(f"{line}\n" for line in _run_console(shell, block))
            if pytestconfig.getoption("update_golden"):
                text = text.replace(f"```console\n{block}```", f"```console\n{seen}```")
            else:
                assert seen == block, f"what {name} shows is not what happens; if this is right: pytest --update-golden"
    if pytestconfig.getoption("update_golden"):
        page.write_text(text, encoding="utf-8")


def _check_python(names: dict[str, str], block: str) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block, "documentation", "exec"), names)
    assert agrees(re.findall(r"# prints: (.*)", block), printed.getvalue().splitlines()), printed.getvalue()


def _run_console(shell: Shell, block: str) -> Iterator[str]:
    """The block as it would have to be written: as it is where what is printed agrees with it."""
    failed = ""
    for command, shown in commands(block):
        assert not failed or command == "echo $?", f"{failed} failed"
        printed = shell.run(command)
        yield f"$ {command}"
        yield from shown if agrees(shown, printed) else printed
        failed = command if shell.status and command != "echo $?" else ""
    assert not failed, f"{failed} failed; `echo $?` must show that it is meant"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target, anchor in _LINK.findall(text):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        place = page.parent / target if target else page
        assert place.exists(), f"{page.name}: {target}"
        if anchor and place.suffix == ".md":
            assert anchor[1:] in _anchors(place.read_text(encoding="utf-8")), f"{page.name}: {target}{anchor}"


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", _BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_the_reference_of_passes_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    text = (ROOT / "docs" / "passes.md").read_text(encoding="utf-8")
    assert text == generate.document(), "docstrings of passes have changed: run `make docs`"


def test_console_blocks_are_read() -> None:
    page = "text\n```console\n$ gopt a\nout\n\nmore\n$ gopt b\n```\n```sh\nnot run\n```\n"
    (block,) = [text for language, text in blocks(page) if language == "console"]
    assert list(commands(block)) == [("gopt a", ["out", "", "more"]), ("gopt b", [])]


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (["a", "...", "d"], ["a", "b", "c", "d", ""], True),
        (["a", "...", "d"], ["a", "d"], True),
        (["a", "d"], ["a", "b", "d"], False),
        (["load 1.2 ms, save 3 s"], ["load   12 ms, save 0.3 s"], True),
        (["largest error 3e-08 (7.2e-08 of it), 2 runs"], ["largest error 1e-09 (0.12 of it), 1 runs"], False),
        (["largest error 3e-08 (7.2e-08 of it), 2 runs"], ["largest error 1e-09 (0.12 of it), 2 runs"], True),
        (["Conv 5 4"], ["Conv 5 3"], False),
        (["rule 50 9 ok"], ["rule 50 11 ok"], True),
        (["rule 50 9 ok"], ["rule 50 9 FAILED"], False),
    ],
)
def test_what_may_differ(shown: list[str], printed: list[str], same: bool) -> None:
    assert agrees(shown, printed) is same
