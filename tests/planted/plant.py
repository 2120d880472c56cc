"""What a planted bug is: the wrong rule or pass, a small model in which it fires, and where it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

PLUGIN = Path(__file__).parent / "wrong"


@dataclass(frozen=True)
class Plant:
    """A bug and its model.

    Attributes:
        name: the rule or pass, without the name of the plugin.
        graph: text of the model (see `made`).
        shows: on which inputs it shows, in a few words; "" if on nearly all.
        opset: of the model.
        sizes: sizes of the model's named dims that are tried when the result is judged; N is 1, 2 and 5 otherwise.
        ints: least and greatest of the whole numbers that an input may hold.
        nan: it shows with NaN alone.
        alone: it runs without `@default` behind it.
    """

    name: str
    graph: str
    shows: str = ""
    opset: int = 18
    sizes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    ints: tuple[int, int] = (-9, 9)
    nan: bool = False
    alone: bool = False

    @property
    def rule(self) -> str:
        """The name under which the plugin's member runs."""
        return f"wrong.{self.name}"

    @property
    def passes(self) -> str:
        """The pipeline: the wrong one first, then what runs by default."""
        return self.rule if self.alone else f"{self.rule},@default"
