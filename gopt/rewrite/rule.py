"""A rule: a pattern and the function that builds what replaces a match of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..errors import UsageError
from .ledger import Numerics
from .pattern import Either, OpPattern, Pattern

BUILT_IN = "gopt.passes."


@dataclass(frozen=True, eq=False)
class Rule:
    """A local rewrite, applied by the driver wherever its pattern matches and the result is legal.

    Attributes:
        name: dotted name; for built-in rules family.file.function.
        pattern: what it looks for.
        fn: called with a `Rewriter` and the captures by name; returns the replacement, or `rw.reject(why)`.
        numerics: what it promises about the numbers.
        since: lowest version of the standard domain at which it may be applied.
        example: text of a small model in which it fires.
    """

    name: str
    pattern: Pattern
    fn: Callable[..., Any]
    numerics: Numerics = Numerics.EXACT
    since: int = 0
    example: str = ""

    @property
    def doc(self) -> str:
        """The function's docstring: first line the equation, then when it applies."""
        return inspect.getdoc(self.fn) or ""

    @property
    def equation(self) -> str:
        """First line of the docstring."""
        return self.doc.split("\n", 1)[0]

    @cached_property
    def roots(self) -> tuple[OpPattern, ...]:
        """The op patterns that a match can have at its root."""
        choices = self.pattern.choices if isinstance(self.pattern, Either) else (self.pattern,)
        return tuple(c for c in choices if isinstance(c, OpPattern))

    def __call__(self, *args: Any, **captures: Any) -> Any:
        return self.fn(*args, **captures)


def rule(
    pattern: Pattern,
    *,
    numerics: Numerics = Numerics.EXACT,
    since: int = 0,
    name: str = "",
    example: str = "",
) -> Callable[[Callable[..., Any]], Rule]:
    """Make the decorated function a rule. Its name is derived from module and function.

    Raises:
        UsageError: at import, if the function's parameters are not captures of the pattern, or a root is not an op.
    """

    def decorate(fn: Callable[..., Any]) -> Rule:
        derived = name or derive_name(fn)
        _check(derived, pattern, fn)
        return Rule(derived, pattern, fn, numerics, since, example)

    return decorate


def derive_name(thing: Any) -> str:
    """family.file.function of a function or class in `gopt.passes`; module.function elsewhere."""
    module: str = thing.__module__
    path = module.removeprefix(BUILT_IN) if module.startswith(BUILT_IN) else module.rsplit(".", 1)[-1]
    return f"{path}.{thing.__name__}"


def _check(name: str, pattern: Pattern, fn: Callable[..., Any]) -> None:
    choices = pattern.choices if isinstance(pattern, Either) else (pattern,)
    if not choices or not all(isinstance(c, OpPattern) for c in choices):
        raise UsageError(f"rule {name}: the root of a pattern must be an op")
    known = set(pattern.captures())
    parameters = list(inspect.signature(fn).parameters.values())
    if not parameters:
        raise UsageError(f"rule {name}: the first parameter must be the rewriter")
    for parameter in parameters[1:]:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            continue
        if parameter.name not in known and parameter.default is inspect.Parameter.empty:
            raise UsageError(f"rule {name}: its pattern captures no {parameter.name!r}")
