"""Models from text: what would crash the parser is refused before."""

from __future__ import annotations

import pytest

from gopt.errors import ModelError
from gopt.frontends.text import parse

DEPTH = 100_000


@pytest.mark.parametrize(
    "text",
    [
        "g (" + "seq(" * DEPTH,
        "g (" + "seq(" * DEPTH + "float" + ")" * DEPTH + " x) => (float y) { y = Relu(x) }",
        "g (float x) => (float y) { y = If(x) <a=" + "g (float x) => (float y) { y = If(x) <a=" * DEPTH,
        '# "\n g (' + "seq(" * DEPTH + '# "',
        'g (float x) => (float y) { y = Neg <s = "))))"> (x) z = Neg <t = g (' + "seq(" * DEPTH,
    ],
)
def test_depth(text: str) -> None:
    with pytest.raises(ModelError, match="nest deeper"):
        parse(text)


def test_brackets_in_strings_and_remarks_do_not_count() -> None:
    text = '<ir_version: 10, opset_import: ["": 21]> # ' + "(" * 1000 + "\n"
    text += "g (float[2] x) => (float[2] y) { y = Relu(x) }"
    assert len(parse(text).graph.ops) == 1
    kept = (
        f'<ir_version: 10, opset_import: ["": 21, "d": 1]> g (float[2] x) => (y) {{ y = d.F <s = "{"(" * 1000}"> (x) }}'
    )
    assert parse(kept).graph.ops[0].attr("s") == "(" * 1000
