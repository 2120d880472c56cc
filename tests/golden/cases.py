"""Golden files: models before and after, as text that reads like documentation.

    # What the file is about.

    == Title of a case
    # Why, in a sentence (optional).
    passes: fuse.conv
    g (float[N] x) => (float[N] y) { y = Neg (x) }
    => unchanged

The model is in the syntax of `onnx.parser`. Where it begins without a header, it is of opset 17 and IR version 8, and
so is the expectation, which stands below a line `=>`; `=> unchanged` says that nothing may be rewritten. Further keys:
`sizes: N=4 M=3` (of named dims; else 2, 3, 5 ... as they are met), `exact: yes`, `max_growth: BYTES`, and `run: no`
where the numbers cannot be compared (they are random, or the model is not for ONNX Runtime).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
HEADER = '<ir_version: 8, opset_import: ["" : 17]>'
KEYS = ("passes", "sizes", "exact", "max_growth", "run")
_KEY = re.compile(rf"({'|'.join(KEYS)}): *(.*)")


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        path: the file.
        title: its title, unique in the file.
        keys: what stands in its `key: value` lines.
        before: text of the model.
        after: expected text; None for `=> unchanged`.
    """

    path: Path
    title: str
    keys: dict[str, str]
    before: str
    after: str | None

    @property
    def id(self) -> str:
        """family/file: title."""
        return f"{self.path.parent.name}/{self.path.stem}: {self.title}"

    @property
    def model(self) -> str:
        """The model's text, with a header."""
        return self.before if self.before.startswith("<") else f"{HEADER}\n{self.before}"

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of named dims that the case asks for."""
        return {name: int(size) for name, size in (p.split("=") for p in self.keys.get("sizes", "").split())}


def read(path: Path) -> list[Case]:
    """The cases of a file.

    Raises:
        ValueError: the file is not written as described above.
    """
    text = path.read_text(encoding="utf-8")
    cases = [_case(path, part) for part in re.split(r"^== ", text, flags=re.MULTILINE)[1:]]
    titles = [case.title for case in cases]
    if not cases or len(set(titles)) < len(titles):
        raise ValueError(f"{path}: there are no cases, or two with one title")
    return cases


def files() -> list[Path]:
    """All golden files."""
    return sorted(FOLDER.glob("*/*.txt"))


def read_all() -> list[Case]:
    """The cases of all files."""
    return [case for path in files() for case in read(path)]


def update(case: Case, after: str) -> None:
    """Write another expectation into the case's file."""
    text = case.path.read_text(encoding="utf-8")
    start = text.index(f"== {case.title}\n")
    arrow = text.index("\n=>\n", start) + len("\n=>\n")
    end = text.find("\n== ", arrow)
    rest = "" if end < 0 else text[end:]
    case.path.write_text(f"{text[:arrow]}{after}\n{rest}", encoding="utf-8")


def without_header(text: str) -> str:
    """A printed model, without the header if that is the usual one."""
    return text.strip().removeprefix(HEADER).strip()


def _case(path: Path, text: str) -> Case:
    title, _, rest = text.partition("\n")
    above, arrow, below = _split(rest)
    if arrow not in ("=>", "=> unchanged") or ("unchanged" in arrow and below.strip()):
        raise ValueError(f"{path}: {title}: there is no line `=>` with an expectation or `=> unchanged`")
    keys: dict[str, str] = {}
    lines = [line for line in above.splitlines() if line.strip() and not line.startswith("#")]
    while lines and (found := _KEY.fullmatch(lines[0])):
        keys[found[1]] = found[2].strip()
        del lines[0]
    if "passes" not in keys or not lines:
        raise ValueError(f"{path}: {title}: it needs a line `passes: ...` and a model")
    return Case(path, title.strip(), keys, "\n".join(lines), None if "unchanged" in arrow else below.strip())


def _split(text: str) -> tuple[str, str, str]:
    """What stands above the line that begins with `=>`, that line, and what stands below."""
    lines = text.splitlines()
    place = next((k for k, line in enumerate(lines) if line.startswith("=>")), len(lines))
    arrow = lines[place].strip() if place < len(lines) else ""
    return "\n".join(lines[:place]), arrow, "\n".join(lines[place + 1 :])
