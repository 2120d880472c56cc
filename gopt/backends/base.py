"""What every backend says: what of a model is in its way, how far a real tool took it, what goes beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ..errors import UsageError
from ..ir import Array, Model, Op


class Sampler(Protocol):
    """Learns what the model that a person gave computes."""

    def __call__(
        self, sizes: Mapping[str, tuple[int, ...]], data: Mapping[str, Array] | None = None, /
    ) -> tuple[dict[str, Array], dict[str, Array]] | None:
        """Inputs by name and what it computes from them; None if it does not run on them.

        Args:
            sizes: of its inputs by name.
            data: for inputs that are not to be random, unless the person gave others.
        """


STATIC = "static"
"""The lowest level of every target: only gopt's own table was asked."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """An op that the target does not take as it stands.

    Attributes:
        node: label of the op; "" where the model as a whole is meant.
        op_type: its type, with its domain unless that is the standard one.
        rule: which kind of rule it breaks: "operator", "type", "rank", "constant", "operand", "attribute", "result",
            "form", or the name of a tool's stage.
        reason: what is wrong, for a person.
        remedy: name of the pass that would cure it; "" if none does.
        hint: what else may help, or why nothing can.
        evidence: "documented" (the vendor says so), "measured" (the real tool refused it), or "reported" (it refused
            this very op just now).
        origin: names of the nodes of the input model that the op came from, where that is another model.
        settle: dynamic dims, and the sizes at which it would be no blocker any more.
    """

    node: str
    op_type: str
    rule: str
    reason: str
    remedy: str = ""
    hint: str = ""
    evidence: str = "documented"
    origin: tuple[str, ...] = ()
    settle: tuple[tuple[str, int], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The same in plain types."""
        return {
            "node": self.node,
            "op_type": self.op_type,
            "rule": self.rule,
            "reason": self.reason,
            "remedy": self.remedy,
            "hint": self.hint,
            "evidence": self.evidence,
            "origin": list(self.origin),
            "settle": dict(self.settle),
        }


@dataclass(slots=True)
class Verdict:
    """What is known of a model and a target.

    Attributes:
        level: the highest level that the model reached; "" if it did not pass the lowest one.
        tried: the highest level that was tried.
        blockers: what stands in the way.
        facts: what the tool tells beside that: size of the engine, layers, seconds.
        missing: why a higher level could not be tried, with the command that would change that; "" if it was.
    """

    level: str = ""
    tried: str = STATIC
    blockers: list[Blocker] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    missing: str = ""

    @property
    def ok(self) -> bool:
        """True if the model passed every level that was tried."""
        return self.level == self.tried

    def as_dict(self) -> dict[str, Any]:
        """The same in plain types."""
        return {
            "level": self.level,
            "tried": self.tried,
            "ok": self.ok,
            "blockers": [b.as_dict() for b in self.blockers],
            "facts": dict(self.facts),
            "missing": self.missing,
        }


@dataclass(frozen=True, slots=True)
class Cut:
    """A model in two parts: the first for the target, the second for whatever else runs it.

    Attributes:
        ends: outputs of the first part.
        takes, gives: inputs and outputs of the second part, which is written beside the first as NAME.tail.onnx.
    """

    ends: tuple[str, ...]
    takes: tuple[str, ...]
    gives: tuple[str, ...]


class Target(ABC):
    """Something that a model can be made for.

    Attributes:
        name: as `--target` takes it.
        title: for people.
        preset: name of the preset that makes models legal for it, without the @; "" if none is needed.
        levels: how far a model can be proved to fit, lowest first; the first asks gopt's own table alone.
        skips: rules that its pipeline leaves out, for they undo what its own compiler looks for.
        options: what `--target-option NAME=VALUE` takes, with a line of help each.
        given: the options that were given.
        cases: sizes of dynamic dims at which the model is known to run, the usual ones first; set by the caller.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    preset: ClassVar[str] = ""
    levels: ClassVar[tuple[str, ...]] = (STATIC,)
    skips: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[Mapping[str, str]] = {}

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        """A target with options.

        Raises:
            UsageError: there is no such option.
        """
        self.given = dict(given or {})
        self.cases: tuple[Mapping[str, int], ...] = ()
        if unknown := [name for name in self.given if name not in self.options]:
            known = ", ".join(self.options) or "none"
            raise UsageError(f"target {self.name} has no option {unknown[0]!r}; it has {known}")

    @abstractmethod
    def check(self, model: Model) -> list[Blocker]:
        """The ops of a model with inferred types that the target does not take, by gopt's own table."""

    def pipeline(self) -> str:
        """The pipeline, as text, that makes models legal for the target with these options."""
        return f"@{self.preset}" if self.preset else "@default"

    def fallbacks(self) -> tuple[str, ...]:
        """Other pipelines, tried in turn where the target's own tools refuse what the first one gives."""
        return ()

    @property
    def approximates(self) -> bool:
        """True if the pipeline gives other numbers on purpose; how far they are off is told, not mended."""
        return False

    def available(self) -> tuple[str, str]:
        """The highest level that can be tried on this machine, and what to do to get beyond it ("" at the top)."""
        return self.levels[0], ""

    def cut(self, model: Model) -> Cut | None:
        """Where to cut a model because the target is not to have all of it; None if it is to have the whole."""
        return None

    def meet(self, path: Path, model: Model, sampler: Sampler) -> None:  # noqa: B027 (a hook: most targets need none)
        """Be told of the model that a person gave, before `prove`; for targets that look at both, or at numbers.

        Args:
            path: the file.
            model: what it holds, with inferred types.
            sampler: takes sizes of its inputs by name; gives inputs by name and what it computes from them, or None.
        """

    def prove(self, model: Model, path: Path, level: str, timeout: float) -> Verdict:
        """Ask the real tool how far it takes a model.

        Args:
            model: what the file holds, with inferred types.
            path: the file.
            level: the highest level to try; at most `available()`.
            timeout: seconds.

        Raises:
            ResourceError: the time was up.
        """
        found = self.check(model)
        return Verdict("" if found else self.levels[0], self.levels[0], found)

    def emit(self, model: Model, path: Path) -> list[Path]:
        """Write what the target wants beside the model that was written to `path`; returns what was written."""
        return []

    def level(self, wanted: str) -> str:
        """The level that is meant.

        Raises:
            UsageError: the target has no such level.
        """
        if wanted and wanted not in self.levels:
            raise UsageError(f"target {self.name} has no level {wanted!r}; it has {', '.join(self.levels)}")
        return wanted or self.available()[0]

    def below(self, level: str) -> Sequence[str]:
        """The levels up to this one, lowest first."""
        return self.levels[: self.levels.index(level) + 1]


def kind(op: Op) -> str:
    """An op's type as tables name it: with its domain, unless that is the standard one."""
    return f"{op.domain}::{op.op_type}" if op.domain else op.op_type
