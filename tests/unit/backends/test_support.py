"""Support tables: rows as data, and what breaks them."""

from __future__ import annotations

import tomllib

import pytest

from gopt.analysis import infer
from gopt.backends import TARGETS, target
from gopt.backends.support import Support
from gopt.errors import GoptError, UsageError
from gopt.frontends.text import parse

TABLE = """
opsets = [9, 24]
[[row]]
ops = ["Relu", "Add", "Reshape", "acme::Gadget"]
[[row]]
ops = ["Relu"]
types = ["FLOAT"]
remedy = "some.cast"
[[row]]
ops = ["Where"]
types = { X = ["INT64"] }
[[row]]
ops = ["ReduceSum"]
constant = ["axes"]
[[row]]
ops = ["MaxPool"]
ranks = { X = [4, 5] }
attributes = { dilations = "ones", ceil_mode = [0] }
results = 1
[[row]]
ops = ["Det"]
refused = "no determinants"
evidence = "measured"
[[row]]
ops = ["Clip"]
absent = ["min"]
[[row]]
ops = ["Neg"]
targets = ["other"]
refused = "not for other"
[[row]]
ops = ["Neg"]
"""


def broken(text: str, target_name: str = "one", opset: int = 17) -> list[tuple[str, str]]:
    model = parse(f'<ir_version: 8, opset_import: ["": {opset}, "acme": 1]> g {text}')
    infer(model)
    return [(b.op_type, b.rule) for b in Support(tomllib.loads(TABLE), target_name).check(model)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(float[2] x) => (float[2] y) { y = Relu(x) }", []),
        ("(float16[2] x) => (float16[2] y) { y = Relu(x) }", [("Relu", "type")]),
        ("(float[2] x) => (float[2] y) { y = acme.Gadget(x) }", []),
        ("(float[2] x) => (float[2] y) { y = acme.Other(x) }", [("acme::Other", "operator")]),
        ("(float[2] x) => (float[2] y) { y = Sin(x) }", [("Sin", "operator")]),
        ("(bool[2] c, float[2] x) => (float[2] y) { y = Where(c, x, x) }", [("Where", "type")]),
        ("(bool[2] c, int64[2] x) => (int64[2] y) { y = Where(c, x, x) }", []),
        ("(float[2] x, int64[1] a) => (float[1] y) { y = ReduceSum(x, a) }", [("ReduceSum", "constant")]),
        ("(float[2] x) => (float[1] y) <int64[1] a = {0}> { y = ReduceSum(x, a) }", []),
        ("(float[2] x) => (float[1] y) { y = ReduceSum(x) }", []),
        ("(float[1,1,4] x) => (float[1,1,3] y) { y = MaxPool<kernel_shape = [2]>(x) }", [("MaxPool", "rank")]),
        ("(float[1,1,4,4] x) => (float[1,1,3,3] y) { y = MaxPool<kernel_shape = [2,2]>(x) }", []),
        (
            "(float[1,1,9,9] x) => (float[1,1,7,7] y) { y = MaxPool<kernel_shape = [2,2], dilations = [2,2]>(x) }",
            [("MaxPool", "attribute")],
        ),
        (
            "(float[1,1,4,4] x) => (float[1,1,3,3] y, int64[1,1,3,3] i) { y, i = MaxPool<kernel_shape = [2,2]>(x) }",
            [("MaxPool", "result")],
        ),
        (
            "(float[1,1,5,5] x) => (float[1,1,2,2] y) { y, i = MaxPool<kernel_shape = [2,2], ceil_mode = 1>(x) }",
            [("MaxPool", "attribute")],
        ),
        ("(float[2,2] x) => (float y) { y = Det(x) }", [("Det", "operator")]),
        ("(float[2] x) => (float[2] y) <float m = {0}> { y = Clip(x, m) }", [("Clip", "operand")]),
        ("(float[2] x) => (float[2] y) <float m = {0}> { y = Clip(x, , m) }", []),
    ],
)
def test_what_breaks_a_row(text: str, expected: list[tuple[str, str]]) -> None:
    assert broken(text) == expected


def test_a_row_may_be_for_one_target() -> None:
    text = "(float[2] x) => (float[2] y) { y = Neg(x) }"
    assert broken(text) == []
    assert broken(text, "other") == [("Neg", "operator")]


def test_an_older_spelling_is_read_as_the_newest() -> None:
    assert broken("(float[2] x) => (float[1] y) { y = ReduceSum<axes = [0]>(x) }", opset=11) == []
    text = "(float[2] x) => (float[2] y) { y = Clip<min = 0.0>(x) }"
    assert broken(text, opset=6) == [("Clip", "operand")]


def test_bodies_and_functions_are_looked_into() -> None:
    branches = "then_branch = a () => (float[2,2] p) { p = Relu(x) }, else_branch = b () => (float q) { q = Det(x) }"
    assert ("Det", "operator") in broken(f"(bool c, float[2,2] x) => (float y) {{ y = If(c) <{branches}> }}")


def test_a_table_with_an_unknown_key_is_an_error() -> None:
    with pytest.raises(GoptError, match="colour"):
        Support({"row": [{"ops": ["Relu"], "colour": "red"}]}, "one")
    with pytest.raises(GoptError, match="FLOAT17"):
        Support({"row": [{"ops": ["Relu"], "types": ["FLOAT17"]}]}, "one")


def test_targets_are_found_by_name() -> None:
    for name in TARGETS:
        assert target(name).levels[0] == "static"
    with pytest.raises(UsageError, match="did you mean tensorrt"):
        target("tensort")
    with pytest.raises(UsageError, match="has no option 'colour'"):
        target("tensorrt", {"colour": "red"})
    with pytest.raises(UsageError, match="has no level 'flown'"):
        target("tensorrt").level("flown")
