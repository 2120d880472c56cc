"""The text form of pipelines: its syntax alone, names unresolved.

    pipeline  = [item {"," item}]
    item      = "@" name | group | selection
    group     = "(" pipeline ")" ["*" [number]]       repeated until nothing changes, or at most `number` times
    selection = name [":" option {";" option}]
    option    = key ["=" value]                       a bare key is short for key=true
    value     = part {"+" part}

Space may stand around every token. A key or part is a run of characters other than space and `, ; ( ) + " '` (a key has
no `=` either), or any text in quotes, in which `\\` escapes the next character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

from ..errors import UsageError
from .options import quote

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*")
_KEY = re.compile(r"""[^\s,;()="']+""")
_PART = re.compile(r"""[^\s,;()+"']+""")
_QUOTED = re.compile(r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'""", re.DOTALL)
_NUMBER = re.compile(r"[0-9]+")
_DEPTH = 50


@dataclass(frozen=True)
class Span:
    """Where a node stands in the text that it was read from."""

    start: int
    end: int


_NOWHERE = Span(0, 0)


@dataclass(frozen=True)
class Option:
    """`key=a+b`; `items` is None for a bare key."""

    key: str
    items: tuple[str, ...] | None = None
    span: Span = field(default=_NOWHERE, compare=False, repr=False)

    def __str__(self) -> str:
        key = quote(self.key, "=")
        return key if self.items is None else f"{key}={'+'.join(map(quote, self.items))}"


@dataclass(frozen=True)
class Selection:
    """A family, file, rule or pass by name, or with a leading @ a preset."""

    name: str
    options: tuple[Option, ...] = ()
    span: Span = field(default=_NOWHERE, compare=False, repr=False)

    def __str__(self) -> str:
        return self.name + (f":{';'.join(map(str, self.options))}" if self.options else "")


@dataclass(frozen=True)
class Group:
    """A pipeline in parentheses. `times`: None until nothing changes, else how often at most."""

    items: tuple[Node, ...]
    times: int | None = 1
    span: Span = field(default=_NOWHERE, compare=False, repr=False)

    def __str__(self) -> str:
        star = "*" if self.times is None else f"*{self.times}" if self.times != 1 else ""
        return f"({to_text(self.items)}){star}"


Node = Selection | Group


def to_text(nodes: tuple[Node, ...]) -> str:
    """The canonical text of a pipeline; `parse_text` reads it as the same nodes."""
    return ",".join(map(str, nodes))


def parse_text(text: str) -> tuple[Node, ...]:
    """Read the text form of a pipeline.

    Raises:
        UsageError: it is malformed; the message shows where.
    """
    reader = _Reader(text)
    nodes = reader.pipeline(0)
    if reader.at < len(text):
        reader.fail("unmatched ')'" if text[reader.at] == ")" else "expected ',' or the end")
    return nodes


def pointed(text: str, span: Span, message: str) -> UsageError:
    """An error whose message shows the offending part of `text`."""
    start = text.rfind("\n", 0, span.start) + 1
    line = text[start:].split("\n", 1)[0].replace("\t", " ")
    width = max(1, min(span.end, start + len(line)) - span.start)
    return UsageError(f"{message}\n  {line}\n  {' ' * (span.start - start)}{'^' * width}")


class _Reader:
    """A recursive-descent reader; `at` is the place of the next token, space already skipped."""

    def __init__(self, text: str) -> None:
        self.text: str = text
        self.at = 0
        self.skip()

    def skip(self) -> None:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, token: str) -> bool:
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        self.skip()
        return True

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The token at this place, without skipping the space after it (a value ends at space)."""
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def fail(self, message: str, start: int | None = None) -> NoReturn:
        start = self.at if start is None else start
        raise pointed(self.text, Span(start, max(self.at, start + 1)), f"pipeline: {message}")

    def pipeline(self, depth: int) -> tuple[Node, ...]:
        if depth > _DEPTH:
            self.fail(f"groups nest deeper than {_DEPTH}")
        if self.peek() in ("", ")"):
            return ()
        nodes = [self.item(depth)]
        while self.take(","):
            nodes.append(self.item(depth))
        return tuple(nodes)

    def item(self, depth: int) -> Node:
        start = self.at
        if self.take("("):
            return self.group(start, depth)
        sigil = "@" if self.take("@") else ""
        name = self.match(_NAME)
        if name is None:
            self.fail("expected the name of a preset" if sigil else "expected the name of a pass, or '('")
        span = Span(start, self.at)
        self.skip()
        options: list[Option] = []
        if not sigil and self.take(":"):
            options.append(self.option())
            while self.take(";"):
                options.append(self.option())
        for k, option in enumerate(options):
            if any(option.key == other.key for other in options[:k]):
                self.fail(f"the option {option.key} is given twice", option.span.start)
        return Selection(sigil + name.group(), tuple(options), span)

    def group(self, start: int, depth: int) -> Group:
        items = self.pipeline(depth + 1)
        if not self.peek():
            self.at = start
            self.fail("this '(' is not closed")
        if not self.take(")"):
            self.fail("expected ',' or ')'")
        times: int | None = 1
        if self.take("*"):
            number = self.match(_NUMBER)
            times = int(number.group()) if number else None
            if times == 0:
                self.fail("a group is repeated at least once", self.at - 1)
        span = Span(start, self.at)
        self.skip()
        return Group(items, times, span)

    def option(self) -> Option:
        start = self.at
        key = self.quoted_or(_KEY)
        if key is None:
            self.fail("expected the name of an option")
        end = self.at
        self.skip()
        if not self.take("="):
            return Option(key, None, Span(start, end))
        items = []
        part = self.quoted_or(_PART)
        while part is not None or self.peek() == "+":
            items.append(part or "")
            end = self.at
            self.skip()
            if not self.take("+"):
                break
            part = self.quoted_or(_PART)
            if part is None and self.peek() != "+":
                items.append("")
                break
        return Option(key, tuple(items), Span(start, end))

    def quoted_or(self, bare: re.Pattern[str]) -> str | None:
        if self.peek() in ("'", '"'):
            quoted = self.match(_QUOTED)
            if quoted is None:
                start, self.at = self.at, len(self.text)
                self.fail("this quote is not closed", start)
            inner: str = quoted.group(1) if quoted.group(1) is not None else quoted.group(2)
            return re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL)
        found = self.match(bare)
        return None if found is None else found.group()
