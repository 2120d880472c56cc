"""Sizes written as arithmetic on names, as exporters declare dims that hang together: "past_length + 1"."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Mapping
from typing import Any

Dims = dict[str, int]
"""A size for each variable."""

SizeExpr = int | str
"""A dim as declared: a number, the name of a variable, or arithmetic on names."""

_OPERATORS: dict[type[ast.AST], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.floordiv,
    ast.Mod: operator.mod,
}
# Plus and minus only between spaces: "batch-1" is a name, "past - 1" is not.
_ARITHMETIC = re.compile(r"\w\)?(\s*(\*|//|%)\s*|\s[-+/]\s|/(?=\d))\(?\w")


def _parse(text: str) -> ast.expr | None:
    """The expression in a dim's name, None if it is just a name (many contain dots, colons or slashes)."""
    if len(text) > 200 or not _ARITHMETIC.search(text):
        return None
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree):
        plain = isinstance(node, (ast.Name, ast.expr_context)) or (
            isinstance(node, ast.Constant) and type(node.value) is int
        )
        if (
            not plain
            and not (isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS)
            and type(node) not in _OPERATORS
        ):
            return None
    return tree


def names_in(dim: str) -> list[str]:
    """Variables of a declared dim: itself, unless it is arithmetic on names."""
    tree = _parse(dim)
    return [dim] if tree is None else [n.id for n in ast.walk(tree) if isinstance(n, ast.Name)]


def evaluate(dim: str, sizes: Mapping[str, int]) -> int:
    """The size of a declared dim under an assignment; never negative."""
    if dim in sizes:
        return sizes[dim]
    tree = _parse(dim)
    if tree is None:
        raise KeyError(dim)

    def value(node: ast.expr) -> int:
        if isinstance(node, ast.BinOp):
            left, right = value(node.left), value(node.right)
            if not right and type(node.op) in {ast.FloorDiv, ast.Div, ast.Mod}:
                return 0
            result: int = _OPERATORS[type(node.op)](left, right)
            return result
        return sizes[node.id] if isinstance(node, ast.Name) else int(getattr(node, "value", 0))

    return max(0, value(tree))
