"""The syntax of pipelines: what is read, how it is written, where errors point."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gopt.errors import UsageError
from gopt.passes.grammar import Group, Node, Option, Selection, parse_text, to_text


def only(text: str) -> Selection:
    (node,) = parse_text(text)
    assert isinstance(node, Selection)
    return node


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("", ()),
        ("  ", ()),
        ("fold", (Selection("fold"),)),
        ("fold,fuse", (Selection("fold"), Selection("fuse"))),
        (" fold ,\n\tfuse.conv ", (Selection("fold"), Selection("fuse.conv"))),
        ("@default", (Selection("@default"),)),
        ("fix-shapes", (Selection("fix-shapes"),)),
        ("(fold,fuse)*", (Group((Selection("fold"), Selection("fuse")), None),)),
        ("(fold)*3", (Group((Selection("fold"),), 3),)),
        ("(fold)", (Group((Selection("fold"),), 1),)),
        ("()*", (Group((), None),)),
        ("a,((b)*,c)*2", (Selection("a"), Group((Group((Selection("b"),), None), Selection("c")), 2))),
    ],
)
def test_it_reads(text: str, nodes: tuple[Node, ...]) -> None:
    assert parse_text(text) == nodes


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("p:x=1x3x224x224", [Option("x", ("1x3x224x224",))]),
        ("p:a=1;b=two", [Option("a", ("1",)), Option("b", ("two",))]),
        ("p : a = 1 ; b = two", [Option("a", ("1",)), Option("b", ("two",))]),
        ("p:verbose", [Option("verbose", None)]),
        ("p:empty=", [Option("empty", ())]),
        ('p:empty=""', [Option("empty", ("",))]),
        ("p:names=a+b+c", [Option("names", ("a", "b", "c"))]),
        ("p:names='a,b'+\"c;d\"", [Option("names", ("a,b", "c;d"))]),
        ('p:name="say \\"hi\\" \\\\"', [Option("name", ('say "hi" \\',))]),
        ("p:input:0=1x3", [Option("input:0", ("1x3",))]),
        ("p:'in put'=1", [Option("in put", ("1",))]),
        ("p:file=C:\\x\\y.py:go", [Option("file", ("C:\\x\\y.py:go",))]),
        ("p:glob=*relu*", [Option("glob", ("*relu*",))]),
        ("p:rate=1e+5", [Option("rate", ("1e", "5"))]),
        ("p:x=a+", [Option("x", ("a", ""))]),
    ],
)
def test_it_reads_options(text: str, options: list[Option]) -> None:
    assert list(only(text).options) == options


def test_options_end_where_the_next_pass_begins() -> None:
    assert parse_text("(p:x=1,q)*") == (Group((Selection("p", (Option("x", ("1",)),)), Selection("q")), None),)


@pytest.mark.parametrize(
    ("text", "message", "column", "width"),
    [
        ("fold,,fuse", "expected the name of a pass", 5, 1),
        ("fold,", "expected the name of a pass", 5, 1),
        (",fold", "expected the name of a pass", 0, 1),
        ("fold fuse", "expected ','", 5, 1),
        ("fold)", "unmatched ')'", 4, 1),
        ("a,(fold", "not closed", 2, 1),
        ("(a b)", "expected ',' or ')'", 3, 1),
        ("@", "expected the name of a preset", 1, 1),
        ("p:", "expected the name of an option", 2, 1),
        ("p:x=1;", "expected the name of an option", 6, 1),
        ("p:x='abc", "quote is not closed", 4, 4),
        ("p:x=1;y=2;x=3", "given twice", 10, 3),
        ("(fold)*0", "at least once", 7, 1),
        ("a;b", "expected ','", 1, 1),
    ],
)
def test_errors_point_at_the_place(text: str, message: str, column: int, width: int) -> None:
    with pytest.raises(UsageError) as caught:
        parse_text(text)
    first, shown, caret = str(caught.value).split("\n")
    assert message in first
    assert shown == f"  {text}"
    assert caret == f"  {' ' * column}{'^' * width}"


def test_errors_in_a_text_of_several_lines_show_the_line() -> None:
    with pytest.raises(UsageError) as caught:
        parse_text("fold,\n  fuse fuse,\nclean")
    assert str(caught.value).split("\n")[1:] == ["    fuse fuse,", "         ^"]


def test_deep_nesting_is_an_error_not_a_crash() -> None:
    with pytest.raises(UsageError, match="deeper"):
        parse_text("(" * 100_000)


NAMES = st.from_regex(r"[a-z_][a-z0-9_-]{0,5}(\.[a-z_][a-z0-9_]{0,5}){0,2}", fullmatch=True)
TEXTS = st.text(max_size=8)
OPTIONS = st.builds(Option, TEXTS, st.none() | st.lists(TEXTS, max_size=3).map(tuple))
SELECTIONS = st.builds(
    Selection, NAMES, st.lists(OPTIONS, max_size=3, unique_by=lambda o: o.key).map(tuple)
) | NAMES.map(lambda n: Selection(f"@{n.split('.')[0]}"))
NODES = st.recursive(
    SELECTIONS, lambda below: st.builds(Group, st.lists(below, max_size=3).map(tuple), st.none() | st.integers(1, 99))
)


@given(st.lists(NODES, max_size=4).map(tuple))
def test_what_is_written_reads_the_same(nodes: tuple[Node, ...]) -> None:
    assert parse_text(to_text(nodes)) == nodes


@given(st.text(alphabet="ab.,()*;:=+\"'\\@ 3", max_size=25))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        nodes = parse_text(text)
    except UsageError:
        return
    assert parse_text(to_text(nodes)) == nodes
