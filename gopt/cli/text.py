"""Plain text for people and JSON for programs. No table library: one of its tables costs more than a small model."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TextIO


def emit(text: str = "") -> None:
    """Write a line of results to stdout."""
    print(safe(text, sys.stdout))


def note(text: str) -> None:
    """Write a remark to stderr."""
    print(f"gopt: {safe(one_line(text, keep_lines=True), sys.stderr)}", file=sys.stderr)


def emit_json(data: Any) -> None:
    """Write one JSON object to stdout."""
    print(json.dumps(plain(data), indent=2, allow_nan=False))


def plain(data: Any) -> Any:
    """Data in the types that JSON has; numbers that are not finite become strings."""
    if isinstance(data, float):
        return data if math.isfinite(data) else str(data)
    if isinstance(data, Mapping):
        return {str(k): plain(v) for k, v in data.items()}
    if isinstance(data, Enum):
        return data.value if isinstance(data.value, str) else data.name.lower()
    if isinstance(data, (list, tuple)):
        return [plain(v) for v in data]
    return str(data) if isinstance(data, Path) else data


def printable(name: str) -> str:
    """A name from a file, with what would steer a terminal escaped."""
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def one_line(message: object, *, keep_lines: bool = False) -> str:
    """A message without control characters, line ends (unless they are kept) included."""
    text = str(message).strip()
    lines = text.split("\n") if keep_lines else [" ".join(text.split("\n"))]
    return "\n".join(printable(line) for line in lines)


def safe(text: str, stream: TextIO) -> str:
    """Text that the stream can take: what its encoding lacks is escaped."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def size(count: int) -> str:
    """Bytes for a person: 97.5 MB."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000:
            return f"{count} B" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def seconds(value: float) -> str:
    """A duration for a person: 12 ms, 1.3 s."""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.3g} ms"


def change(before: int, after: int) -> str:
    """How a count changed, in percent; empty if it did not."""
    if before == after:
        return ""
    return f"{(after - before) / before:+.1%}" if before else "new"


def columns(rows: Iterable[Sequence[str]], right: Sequence[int] = (), indent: str = "  ") -> list[str]:
    """Rows as aligned lines; the columns in `right` are aligned at their right side."""
    table = [[printable(cell) for cell in row] for row in rows]
    count = max(map(len, table), default=0)
    widths = [max((len(row[k]) for row in table if k < len(row)), default=0) for k in range(count)]
    return [
        (
            indent + "  ".join(c.rjust(widths[k]) if k in right else c.ljust(widths[k]) for k, c in enumerate(row))
        ).rstrip()
        for row in table
    ]
